/** What calls of models consumed: the record of tokens and money. */

/** Tokens of one call, as its endpoint counted them. */
export interface ModelUsage {
  readonly inputTokens: number
  readonly outputTokens: number
  /** Those of `inputTokens` that the endpoint had kept from earlier calls. */
  readonly cachedTokens?: number
  /** Those of `outputTokens` that the answer does not show. */
  readonly reasoningTokens?: number
}

/** One call of a model that was answered, by its endpoint or from the cache. */
export interface ModelCall {
  /** The model's address. */
  readonly model: string
  /** Missing where the endpoint did not say. */
  readonly usage?: ModelUsage | undefined
  /** US dollars; missing where usage or price is unknown. */
  readonly cost?: number | undefined
  /** True for an answer that was not paid again. */
  readonly cached?: boolean | undefined
}

/** What several calls come to. */
export interface UsageTotals {
  /** Calls that an endpoint answered. */
  readonly calls: number
  /** Answers that came from the cache. */
  readonly cachedCalls: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedTokens: number
  readonly reasoningTokens: number
  /** US dollars of the calls whose cost is known. */
  readonly cost: number
  /** US dollars that answers from the cache would have cost, as far as that is known. */
  readonly savedCost: number
  /** Calls that were paid, at a cost that is unknown: where there are any, `cost` is a lower bound. */
  readonly unknownCost: number
}

const NOTHING: UsageTotals = {
  calls: 0,
  cachedCalls: 0,
  inputTokens: 0,
  outputTokens: 0,
  cachedTokens: 0,
  reasoningTokens: 0,
  cost: 0,
  savedCost: 0,
  unknownCost: 0,
}

/** Adds calls up. */
export class UsageMeter {
  #totals: UsageTotals | undefined

  add({ usage, cost, cached = false }: ModelCall): void {
    const paid = cached ? 0 : 1
    this.merge({
      calls: paid,
      cachedCalls: 1 - paid,
      inputTokens: paid * (usage?.inputTokens ?? 0),
      outputTokens: paid * (usage?.outputTokens ?? 0),
      cachedTokens: paid * (usage?.cachedTokens ?? 0),
      reasoningTokens: paid * (usage?.reasoningTokens ?? 0),
      cost: paid * (cost ?? 0),
      savedCost: cached ? (cost ?? 0) : 0,
      unknownCost: paid === 1 && cost === undefined ? 1 : 0,
    })
  }

  merge(more: UsageTotals): void {
    this.#totals = addUsage(this.#totals ?? NOTHING, more)
  }

  /** Undefined where no model was asked. */
  get totals(): UsageTotals | undefined {
    return this.#totals
  }
}

const KEYS = Object.keys(NOTHING) as (keyof UsageTotals)[]
/** Money is added in whole trillionths, so that sums do not depend on their order. */
const PARTS = 1e12
const isMoney = (key: keyof UsageTotals): boolean => key === 'cost' || key === 'savedCost'

/** Gives the sum of two. */
export function addUsage(a: UsageTotals, b: UsageTotals): UsageTotals {
  const sum = (key: keyof UsageTotals): number =>
    isMoney(key) ? (Math.round(a[key] * PARTS) + Math.round(b[key] * PARTS)) / PARTS : a[key] + b[key]
  return Object.fromEntries(KEYS.map((key) => [key, sum(key)])) as unknown as UsageTotals
}

const PREFIX = 'model.'

/** Gives what a Feedback's metadata says of the calls that it took: `model.calls`, `model.inputTokens`, `model.cost`, …; what is 0 is left out. */
export function usageMetadata(totals: UsageTotals): Record<string, number> {
  const said = KEYS.filter((key) => totals[key] !== 0)
  return Object.fromEntries(said.map((key) => [PREFIX + key, totals[key]]))
}

/** Reads that again; undefined where it says nothing. */
export function usageOf(metadata: Readonly<Record<string, unknown>> | undefined): UsageTotals | undefined {
  if (!metadata || !KEYS.some((key) => PREFIX + key in metadata)) return undefined
  return Object.fromEntries(KEYS.map((key) => [key, Number(metadata[PREFIX + key] ?? 0)])) as unknown as UsageTotals
}

/** Gives metadata without what it says of calls. */
export function withoutUsage<T>(metadata: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => !KEYS.some((known) => key === PREFIX + known)))
}
