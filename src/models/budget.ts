import { EvaluationError } from '../errors.ts'
import { type Model, type ModelAnswer, ModelError, type ModelRequest } from '../model.ts'
import type { ModelBudget, ModelPrice } from '../options.ts'
import { nowMs } from '../std/async.ts'
import type { SharedFile } from './file.ts'
import { costOf } from './prices.ts'
import { wrapped } from './wrap.ts'

type Amounts = { -readonly [Key in keyof ModelBudget]-?: number }

const NOTHING: Amounts = { usd: 0, tokens: 0, calls: 0 }

interface Account {
  readonly spent: Amounts
  /** Of calls that are under way: what they are expected to cost. */
  readonly reserved: Amounts
}

/** Holds what is left, for one process or, with a file, for all that know its scope. */
export class Purse {
  readonly budget: ModelBudget
  readonly #file: SharedFile | undefined
  readonly #scope: string
  #own: Account = { spent: NOTHING, reserved: NOTHING }

  constructor(budget: ModelBudget, file?: SharedFile, scope = '') {
    this.budget = budget
    this.#file = file
    this.#scope = scope
  }

  /** Puts the expected amounts aside, or gives what they would exceed. */
  reserve(expected: Amounts): string | undefined {
    return this.#update((account) => {
      for (const [unit, most] of Object.entries(this.budget) as [keyof Amounts, number | undefined][]) {
        const needed = account.spent[unit] + account.reserved[unit] + expected[unit]
        // Sums of many cents are not exact.
        if (most !== undefined && needed > most * (1 + 1e-12))
          return { account, result: excess(unit, most, account, expected) }
      }
      return { account: { ...account, reserved: plus(account.reserved, expected) }, result: undefined }
    })
  }

  /** Gives back what was put aside, and takes what it really was. */
  settle(expected: Amounts, real: Amounts): void {
    this.#update(({ spent, reserved }) => ({
      account: { spent: plus(spent, real), reserved: plus(reserved, expected, -1) },
      result: undefined,
    }))
  }

  /** What has been spent, by all who share it. */
  get spent(): Readonly<Amounts> {
    const row = this.#file?.get<{ purse: string }>('SELECT purse FROM purses WHERE scope = ?', this.#scope)
    return (row ? (JSON.parse(row.purse) as Account) : this.#own).spent
  }

  #update<T>(work: (account: Account) => { account: Account; result: T }): T {
    const shared = this.#file?.transaction((file) => {
      const row = file.statement('SELECT purse FROM purses WHERE scope = ?').get(this.#scope)
      const done = work(row ? JSON.parse(row.purse as string) : this.#own)
      const sql =
        'INSERT INTO purses VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET purse = excluded.purse, at = excluded.at'
      file.statement(sql).run(this.#scope, JSON.stringify(done.account), nowMs())
      file.statement('DELETE FROM purses WHERE at < ?').run(nowMs() - 7 * 86_400_000)
      return done
    })
    const done = shared ?? work(this.#own)
    this.#own = done.account
    return done.result
  }
}

function plus(a: Amounts, b: Amounts, sign = 1): Amounts {
  return { usd: a.usd + sign * b.usd, tokens: a.tokens + sign * b.tokens, calls: a.calls + sign * b.calls }
}

function excess(unit: keyof Amounts, most: number, { spent, reserved }: Account, expected: Amounts): string {
  const underWay = reserved[unit] > 0 ? ` and ${amount(unit, reserved[unit])} set aside for calls under way` : ''
  const wanted = unit === 'calls' ? '' : `, and this call may take ${shown(unit, expected[unit])}`
  return `${amount(unit, spent[unit])} of ${shown(unit, most)} spent${underWay}${wanted}`
}

function amount(unit: keyof Amounts, value: number): string {
  return unit === 'usd' ? shown(unit, value) : String(value)
}

function shown(unit: keyof Amounts, amount: number): string {
  return unit === 'usd' ? `${Number(amount.toFixed(6))} USD` : `${amount} ${unit}`
}

/** What an answer is taken to have where nothing is known of the model's answers. */
const FIRST_OUTPUT_TOKENS = 500
/** A token is hardly ever shorter, in any script. */
const BYTES_PER_TOKEN = 2.5
const TOKENS_PER_MESSAGE = 8

/**
 * Wraps a model so that no call goes that would exceed what is left. What a call will take is known only afterwards: its prompt is counted
 * high, its answer as the longest one so far or its own limit. So a budget can be exceeded at most by what calls under way are longer than any before.
 */
export function budgeted(model: Model, purses: readonly Purse[], price: ModelPrice | undefined): Model {
  if (purses.length === 0) return model
  let longest = 0
  return {
    ...wrapped(model, model.generate),
    requireReady: () => {
      model.requireReady?.()
      const problem = unknownPrice(model, purses, price)
      if (problem) throw new EvaluationError('CONFIG_INVALID', problem.sentence, { hint: problem.hint })
    },
    async generate(request, context) {
      const outputTokens = request.parameters?.maxTokens ?? (longest || FIRST_OUTPUT_TOKENS)
      const usage = { inputTokens: inputTokens(request), outputTokens }
      const expected = {
        usd: costOf(usage, price) ?? 0,
        tokens: usage.inputTokens + usage.outputTokens,
        calls: 1,
      }
      const problem = unknownPrice(model, purses, price)
      if (problem) throw new ModelError('PRICE_UNKNOWN', `${problem.sentence}\nHint: ${problem.hint}`)
      reserveAll(model, purses, expected)
      let real: Amounts = NOTHING
      try {
        const answer = await model.generate(request, context)
        longest = Math.max(longest, answer.usage?.outputTokens ?? 0)
        real = amountsOf(answer, price, expected)
        return answer
      } catch (thrown) {
        real = amountsOfFailure(thrown, expected)
        throw thrown
      } finally {
        for (const purse of purses) purse.settle(expected, real)
      }
    },
  }
}

function amountsOf({ usage, cost }: ModelAnswer, price: ModelPrice | undefined, expected: Amounts): Amounts {
  // An endpoint that does not say what it used is not free.
  if (!usage) return expected
  return { usd: cost ?? costOf(usage, price) ?? 0, tokens: usage.inputTokens + usage.outputTokens, calls: 1 }
}

/** A call that was refused for its rate cost nothing; one that was given up may have been answered and paid for; any other was a call. */
function amountsOfFailure(thrown: unknown, expected: Amounts): Amounts {
  const code = thrown instanceof ModelError ? thrown.code : undefined
  if (code === 'RATE_LIMITED') return NOTHING
  return code === 'TIMEOUT' || code === 'ABORTED' ? expected : { ...NOTHING, calls: 1 }
}

/** Says that it cannot be known what is spent. */
function unknownPrice(
  { address }: Model,
  purses: readonly Purse[],
  price: ModelPrice | undefined,
): { readonly sentence: string; readonly hint: string } | undefined {
  if (price || purses.every(({ budget }) => budget.usd === undefined)) return undefined
  return {
    sentence: `Cannot keep to a budget in USD: the price of ${address} is unknown`,
    hint: `give it, prices: { '${address}': { input: 0.4, output: 1.6 } } (USD for a million tokens), or a budget of tokens or calls`,
  }
}

function reserveAll(model: Model, purses: readonly Purse[], expected: Amounts): void {
  const taken: Purse[] = []
  for (const purse of purses) {
    const problem = purse.reserve(expected)
    if (problem === undefined) {
      taken.push(purse)
      continue
    }
    for (const other of taken) other.settle(expected, NOTHING)
    throw new ModelError('BUDGET_EXCEEDED', `Did not ask ${model.address}: the budget would be exceeded, ${problem}`)
  }
}

function inputTokens({ messages, schema, tools }: ModelRequest): number {
  const extra = schema || tools ? JSON.stringify([schema, tools]) : ''
  const bytes = messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), Buffer.byteLength(extra))
  return Math.ceil(bytes / BYTES_PER_TOKEN) + messages.length * TOKENS_PER_MESSAGE
}
