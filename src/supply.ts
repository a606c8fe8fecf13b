import { dirname, join, resolve } from 'node:path'
import { EvaluationError, quote } from './errors.ts'
import { DEFAULT_STORE } from './handoff.ts'
import { currentHost, type Settings } from './host.ts'
import { type Model, type ModelChoice, type Models, setFallbackModels } from './model.ts'
import { modelAt, parseAddress } from './models/address.ts'
import { budgeted, Purse } from './models/budget.ts'
import { ANSWERS_SCHEMA, AnswerCache, cached } from './models/cache.ts'
import { SharedFile } from './models/file.ts'
import { isLanguageModel, languageModel } from './models/language.ts'
import { limited } from './models/limited.ts'
import { LIMITS_SCHEMA, Limiter } from './models/limiter.ts'
import { metered, priced } from './models/metered.ts'
import { clientModel, functionModel, isModelClient } from './models/plain.ts'
import { type Prices, priceOf } from './models/prices.ts'
import { REPLAY_MODES, type ReplayMode, ReplayModel } from './models/replay.ts'
import { DEFAULTS, type EvaluateOptions, type ModelBudget } from './options.ts'
import type { MonitorFigures } from './status.ts'
import { canonical, sha256 } from './std/json.ts'
import { setSupplier } from './supplier.ts'

/** The supply of models: finds them, and puts limits, budget and memory around them. */

/** The judge model in force where nobody says otherwise, as in MLflow. */
export const DEFAULT_JUDGE_MODEL = 'openai:/gpt-4.1-mini'

/** Everything that is settled about models before they are asked. */
export interface SupplySettings {
  /** Where limits and answers are kept; undefined: nowhere, each process for itself. */
  readonly folder: string | undefined
  /** Where relative paths start. */
  readonly root: string
  readonly judgeModel: ModelChoice
  readonly cache: boolean
  readonly prices: Prices
  readonly purses: readonly Purse[]
  readonly replay: { readonly file: string; readonly mode: ReplayMode } | undefined
  readonly maxModelConcurrency: number
  readonly retries: number
}

/** The models of one evaluation. */
export class Supply implements Models {
  readonly #settings: SupplySettings
  readonly #known = new Map<unknown, Model>()
  readonly #limits: SharedFile
  readonly #answers: AnswerCache | undefined

  constructor(settings: SupplySettings) {
    this.#settings = settings
    this.#limits = fileIn(settings.folder, 'limits.sqlite', LIMITS_SCHEMA)
    this.#answers = settings.cache ? answersIn(settings.folder) : undefined
  }

  resolve(choice: ModelChoice = this.#settings.judgeModel): Model {
    let model = this.#known.get(choice)
    if (!model) {
      model = metered(this.#replayed(this.#raw(choice)))
      this.#known.set(choice, model)
    }
    return model
  }

  async keep(key: string, make: () => Promise<string>): Promise<string> {
    if (!this.#answers) return make()
    const call = async () => ({ text: await make(), finishReason: 'stop', toolCalls: [], model: '' }) as const
    return (await this.#answers.ask(key, { messages: [] }, {}, call)).text
  }

  /** Writes answers that are not written yet. */
  flush(): void {
    this.#answers?.flush()
  }

  #raw(choice: ModelChoice): Model {
    if (typeof choice === 'string') return this.#addressed(choice)
    if (typeof (choice as Model | null)?.generate === 'function') return choice as Model
    if (isLanguageModel(choice)) return languageModel(choice)
    if (isModelClient(choice)) return clientModel(choice)
    if (typeof choice === 'function') return functionModel(choice)
    throw new TypeError(
      `Cannot use ${quote(choice)} as a model: expected an address, a model, a function or { client, model }`,
    )
  }

  #addressed(address: string): Model {
    const { provider, model } = parseAddress(address)
    return provider === 'replay' ? new ReplayModel(model, 'replay') : modelAt(address)
  }

  /** What is recorded is not asked: limits, budget and memory are for what lies behind. */
  #replayed(model: Model): Model {
    const { replay, root } = this.#settings
    if (isReplay(model)) {
      const inner = model.record === undefined ? undefined : this.#guarded(this.#raw(model.record))
      return model.around(inner, root)
    }
    if (!replay) return model.opaque ? this.#guarded(model) : this.#remembered(this.#guarded(model))
    return new ReplayModel(replay.file, replay.mode, model, this.#guarded(model), root)
  }

  #remembered(model: Model): Model {
    return this.#answers ? cached(model, this.#answers) : model
  }

  #guarded(model: Model): Model {
    const { prices, purses, maxModelConcurrency, retries } = this.#settings
    const price = priceOf(model.address, prices)
    const limiter = limiterOf(this.#limits, model, maxModelConcurrency)
    return limited(budgeted(priced(model, price), purses, price), limiter, retries)
  }
}

/** By what it can do, since its class may have been loaded twice. */
function isReplay(model: Model): model is ReplayModel {
  return typeof (model as ReplayModel).around === 'function'
}

const files = new Map<string, SharedFile>()

function fileIn(folder: string | undefined, name: string, schema: string): SharedFile {
  if (folder === undefined) return new SharedFile(undefined, schema)
  const path = join(folder, name)
  let file = files.get(path)
  if (!file) {
    file = new SharedFile(path, schema)
    files.set(path, file)
  }
  return file
}

const answers = new Map<SharedFile, AnswerCache>()

function answersIn(folder: string | undefined): AnswerCache {
  const file = fileIn(folder, 'answers.sqlite', ANSWERS_SCHEMA)
  let cache = answers.get(file)
  if (!cache) {
    cache = new AnswerCache(file)
    if (file.path !== undefined) answers.set(file, cache)
  }
  return cache
}

const limiters = new Map<string, Limiter>()

function limiterOf(file: SharedFile, { identity }: Model, most: number): Limiter {
  const endpoint = sha256(canonical(identity)).slice(0, 32)
  const key = `${file.path} ${endpoint} ${most}`
  let limiter = limiters.get(key)
  if (!limiter) {
    limiter = new Limiter(file, endpoint, most)
    limiters.set(key, limiter)
  }
  return limiter
}

/**
 * Settles what is said about models: option, environment, plugin, default.
 * @param store where the store lies; `memory` where nowhere
 * @throws EvaluationError CONFIG_INVALID for what the environment says wrongly
 */
export function supplySettings(
  options: EvaluateOptions,
  settings: Settings | undefined,
  store: string,
): SupplySettings {
  const { env } = process
  const root = settings?.root ?? process.cwd()
  const folder = folderOf(store)
  const judgeModel =
    options.judgeModel ??
    (env.VITEST_EVALUATE_JUDGE_MODEL ||
      settings?.judgeModel ||
      env.MLFLOW_GENAI_JUDGE_DEFAULT_MODEL ||
      DEFAULT_JUDGE_MODEL)
  const cache = options.cache ?? switchIn('VITEST_EVALUATE_CACHE') ?? settings?.cache ?? true
  return {
    folder,
    root,
    judgeModel,
    cache,
    prices: { ...settings?.prices, ...options.prices },
    purses: [...ownPurse(options), ...runPurse(settings, folder)],
    replay: replayWish(settings),
    maxModelConcurrency: options.maxModelConcurrency ?? settings?.maxModelConcurrency ?? DEFAULTS.maxModelConcurrency,
    retries: options.retries ?? settings?.retries ?? DEFAULTS.retries,
  }
}

function ownPurse({ budget }: EvaluateOptions): Purse[] {
  return budget === undefined ? [] : [new Purse(budgetOf(budget))]
}

/** What monitors may be told about models. */
export type MonitorModels = Pick<EvaluateOptions, 'judgeModel' | 'prices' | 'cache' | 'maxModelConcurrency' | 'budget'>

/**
 * Gives the models of a monitor, as they are on the day that it asks: its budget is one a day (UTC), for all monitors of a store together.
 * @throws EvaluationError CONFIG_INVALID for what the environment says wrongly
 */
export function dailySupply(options: MonitorModels, store: string): () => Supply {
  const { budget, ...rest } = options
  const settled = supplySettings(rest, currentHost()?.settings, store)
  let today: { readonly day: string; readonly supply: Supply } | undefined
  return () => {
    const day = utcDay()
    if (today?.day !== day) {
      const purses = budget === undefined ? [] : [dailyPurse(budget, settled.folder, day)]
      today = { day, supply: new Supply({ ...settled, purses: [...settled.purses, ...purses] }) }
    }
    return today.supply
  }
}

/** Gives what the monitors of a store have spent of their budget today, US dollars; nothing without one, since then nobody adds up. */
export function spentToday(
  budget: number | ModelBudget,
  store: string,
): Pick<MonitorFigures, 'usdToday' | 'usdBudget'> {
  const purse = dailyPurse(budget, folderOf(store), utcDay())
  // Sums of many cents are not exact.
  return {
    usdToday: Number(purse.spent.usd.toFixed(9)),
    ...(purse.budget.usd !== undefined && { usdBudget: purse.budget.usd }),
  }
}

function dailyPurse(budget: number | ModelBudget, folder: string | undefined, day: string): Purse {
  return new Purse(budgetOf(budget), fileIn(folder, 'limits.sqlite', LIMITS_SCHEMA), `monitor ${day}`)
}

function utcDay(): string {
  return new Date().toISOString().slice(0, 10)
}

function folderOf(store: string): string | undefined {
  return store === 'memory' ? undefined : dirname(store)
}

/** The budget of a whole `vitest run` is one for all of its workers. */
function runPurse(settings: Settings | undefined, folder: string | undefined): Purse[] {
  const text = process.env.VITEST_EVALUATE_BUDGET
  if (text !== undefined && text !== '' && !(Number(text) >= 0))
    throw wrongEnvironment('VITEST_EVALUATE_BUDGET', text, 'a number of US dollars')
  const budget = text ? Number(text) : settings?.budget
  if (budget === undefined) return []
  const scope = settings?.session ?? `process ${process.pid} ${performance.timeOrigin}`
  const key = `${folder} ${scope} ${canonical(budget)}`
  let purse = runPurses.get(key)
  if (!purse) {
    purse = new Purse(budgetOf(budget), fileIn(folder, 'limits.sqlite', LIMITS_SCHEMA), scope)
    runPurses.set(key, purse)
  }
  return [purse]
}

const runPurses = new Map<string, Purse>()

function budgetOf(budget: number | ModelBudget): ModelBudget {
  return typeof budget === 'number' ? { usd: budget } : budget
}

function replayWish(settings: Settings | undefined): SupplySettings['replay'] {
  const { env } = process
  const given = typeof settings?.replay === 'string' ? { file: settings.replay } : settings?.replay
  const file = env.VITEST_EVALUATE_REPLAY || given?.file
  if (!file) return undefined
  const mode = env.VITEST_EVALUATE_REPLAY_MODE || (given?.mode ?? 'replay')
  if (!REPLAY_MODES.includes(mode as ReplayMode))
    throw wrongEnvironment('VITEST_EVALUATE_REPLAY_MODE', mode, REPLAY_MODES.join(', '))
  return { file, mode: mode as ReplayMode }
}

function switchIn(name: string): boolean | undefined {
  const text = process.env[name]
  return text ? text !== '0' && text !== 'false' : undefined
}

function wrongEnvironment(name: string, found: string, wanted: string): EvaluationError {
  return new EvaluationError('CONFIG_INVALID', `Cannot evaluate: ${name} must be ${wanted}, found ${quote(found)}`)
}

setSupplier((options, settings, store) => new Supply(supplySettings(options, settings, store)))

// Judges that are called by themselves, outside of any evaluation.
let outside: { readonly key: string; readonly supply: Supply } | undefined
setFallbackModels(() => {
  const settings = currentHost()?.settings
  const root = settings?.root ?? process.cwd()
  const store = resolve(root, process.env.VITEST_EVALUATE_STORE || (settings?.store ?? DEFAULT_STORE))
  const settled = supplySettings({}, settings, store)
  const { purses, ...plain } = settled
  // Keeps what it has found out, until the environment says something else.
  const key = canonical({ ...plain, judgeModel: String(plain.judgeModel), purses: purses.length })
  if (outside?.key !== key) outside = { key, supply: new Supply(settled) }
  return outside.supply
})
