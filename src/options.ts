import { didYouMean, quote } from './errors.ts'
import type { ModelChoice } from './model.ts'
import type { Row } from './row.ts'
import type { Store } from './store.ts'

/** The last argument of `evaluate`. */
export interface EvaluateOptions {
  /** @default the test's full name, else the predict function's */
  readonly name?: string
  /** The group that the run and its traces belong to. @default `setExperiment()`, `VITEST_EVALUATE_EXPERIMENT`, the plugin's option, the package's name */
  readonly experiment?: string
  /** A file, or a store. @default `VITEST_EVALUATE_STORE`, the plugin's option, `.vitest/evaluate/store.sqlite` */
  readonly store?: string | Store
  /** Kept with the run. */
  readonly tags?: Readonly<Record<string, string>>
  /** Rows in work at once, 1 to 10,000. @default 10 */
  readonly maxConcurrency?: number
  /** Per call of predict, milliseconds; 0: no limit. @default 300000 */
  readonly predictTimeoutMs?: number
  /** Per scorer and row, milliseconds; 0: no limit. @default 300000 */
  readonly scorerTimeoutMs?: number
  /** How often predict is called again after 408, 429, 5xx or a fault of the network. @default 2 */
  readonly retries?: number
  /** Evaluates the first so many rows; the run is marked as not final. */
  readonly limit?: number
  /** Evaluates so many rows, the same ones for the same seed; the run is marked as not final. */
  readonly sample?: number
  /** For `sample`. @default 0 */
  readonly seed?: number
  /** Leaves out rows for which it gives false; the run is marked as not final. */
  readonly filter?: (row: Row) => boolean
  /** Rows that may fail: a number, or true for any number. @default 0 */
  readonly allowFailed?: number | boolean
  /** The share of rows, 0 to 1, on which every column has to have a value. @default 1 */
  readonly minScored?: number
  /**
   * Takes finished answers and Feedback over from the newest run of this name, so that only what is missing, failed or changed is paid:
   * after an interruption, or when a scorer was added. Code that has changed since is refused, unless it is `'force'`.
   * @default `VITEST_EVALUATE_RESUME` (1 or force), the plugin's option, false
   */
  readonly resume?: boolean | 'force'
  /**
   * What judges ask that name no model of their own: an address such as `openai:/gpt-4.1-mini`, or a model.
   * @default `VITEST_EVALUATE_JUDGE_MODEL`, the plugin's option, `openai:/gpt-4.1-mini`
   */
  readonly judgeModel?: ModelChoice
  /** Calls of one model in work at once, in all workers together, 1 to 10,000. @default 100 */
  readonly maxModelConcurrency?: number
  /** Whether answers of models are kept beside the store, and equal requests answered from there. @default `VITEST_EVALUATE_CACHE`, true */
  readonly cache?: boolean
  /**
   * What judges may spend in this evaluation, in US dollars or as `{ usd, tokens, calls }`: no call goes that would exceed it. The plugin's
   * option and `VITEST_EVALUATE_BUDGET` hold for a whole run of Vitest, all workers together.
   */
  readonly budget?: number | ModelBudget
  /** US dollars for a million tokens, by address; they come before the prices that are known here. */
  readonly prices?: Readonly<Record<string, ModelPrice>>
  /** Ends the evaluation early; what is finished is kept. */
  readonly signal?: AbortSignal
}

/** What may be spent on models. */
export interface ModelBudget {
  readonly usd?: number | undefined
  /** Input and output together. */
  readonly tokens?: number | undefined
  /** Calls that an endpoint answers; what comes from the cache is free. */
  readonly calls?: number | undefined
}

/** US dollars for a million tokens. */
export interface ModelPrice {
  readonly input: number
  readonly output: number
  /** Input that the endpoint had kept from earlier calls. @default input */
  readonly cachedInput?: number
}

/** The options that may come from the plugin as defaults: plain data. */
export type DefaultOptions = Pick<
  EvaluateOptions,
  'maxConcurrency' | 'predictTimeoutMs' | 'scorerTimeoutMs' | 'retries' | 'minScored' | 'resume' | 'maxModelConcurrency'
>

export const DEFAULTS = {
  maxConcurrency: 10,
  predictTimeoutMs: 300_000,
  scorerTimeoutMs: 300_000,
  retries: 2,
  minScored: 1,
  resume: false,
  maxModelConcurrency: 100,
} as const satisfies Required<DefaultOptions>

type Check = (value: unknown) => string | undefined

const integerFrom =
  (least: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= least ? undefined : `must be an integer from ${least}`

const CHECKS: Record<keyof EvaluateOptions, Check> = {
  name: (value) => (typeof value === 'string' && value !== '' ? undefined : 'must be a string that is not empty'),
  experiment: (value) => (typeof value === 'string' && value !== '' ? undefined : 'must be a string that is not empty'),
  store: (value) =>
    (typeof value === 'string' && value !== '') || typeof (value as Store | null)?.writeTrial === 'function'
      ? undefined
      : 'must be a file name or a store',
  tags: (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((one) => typeof one === 'string')
      ? undefined
      : 'must be an object of strings',
  maxConcurrency: (value) =>
    integerFrom(1)(value) ?? ((value as number) <= 10_000 ? undefined : 'must be at most 10000'),
  predictTimeoutMs: integerFrom(0),
  scorerTimeoutMs: integerFrom(0),
  retries: integerFrom(0),
  limit: integerFrom(1),
  sample: integerFrom(1),
  seed: integerFrom(0),
  filter: (value) => (typeof value === 'function' ? undefined : 'must be a function'),
  allowFailed: (value) => (typeof value === 'boolean' ? undefined : integerFrom(0)(value)),
  minScored: (value) =>
    typeof value === 'number' && value >= 0 && value <= 1 ? undefined : 'must be a share from 0 to 1',
  resume: (value) => (typeof value === 'boolean' || value === 'force' ? undefined : "must be true, false or 'force'"),
  // What it is, is said by whoever turns it into a model.
  judgeModel: (value) =>
    typeof value === 'string' || typeof value === 'function' || (typeof value === 'object' && value !== null)
      ? undefined
      : 'must be an address or a model',
  maxModelConcurrency: (value) =>
    integerFrom(1)(value) ?? ((value as number) <= 10_000 ? undefined : 'must be at most 10000'),
  cache: (value) => (typeof value === 'boolean' ? undefined : 'must be true or false'),
  budget: budgetProblem,
  prices: pricesProblem,
  signal: (value) => (value instanceof AbortSignal ? undefined : 'must be an AbortSignal'),
}

const isAmount = (value: unknown): boolean => typeof value === 'number' && value >= 0

function budgetProblem(value: unknown): string | undefined {
  if (isAmount(value)) return undefined
  const units = ['usd', 'tokens', 'calls']
  const fits =
    typeof value === 'object' &&
    value !== null &&
    Object.keys(value).length > 0 &&
    Object.entries(value).every(([unit, most]) => units.includes(unit) && (most === undefined || isAmount(most)))
  return fits ? undefined : 'must be a number of US dollars from 0, or { usd, tokens, calls } of such numbers'
}

function pricesProblem(value: unknown): string | undefined {
  const fits =
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every(
      (price) =>
        isAmount(price?.input) &&
        isAmount(price?.output) &&
        (price.cachedInput === undefined || isAmount(price.cachedInput)),
    )
  return fits
    ? undefined
    : "must be like { 'openai:/gpt-4.1-mini': { input: 0.4, output: 1.6 } }, USD for a million tokens"
}

/** @throws TypeError for an unknown option, RangeError for a value that does not fit */
export function requireOptions(options: EvaluateOptions): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`Cannot evaluate: options must be an object, found ${quote(options)}`)
  }
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(CHECKS, key)) {
      throw new TypeError(`Cannot evaluate: unknown option "${key}"${didYouMean(key, Object.keys(CHECKS))}`)
    }
    const problem = value === undefined ? undefined : CHECKS[key as keyof EvaluateOptions](value)
    if (problem) throw new RangeError(`Cannot evaluate: "${key}" ${problem}, received ${quote(value)}`)
  }
}

/** What the plugin may be told, beside its own `include`. */
const SETTINGS = {
  ...pick(
    'maxConcurrency',
    'predictTimeoutMs',
    'scorerTimeoutMs',
    'retries',
    'minScored',
    'resume',
    'maxModelConcurrency',
  ),
  ...pick('experiment', 'cache', 'budget', 'prices'),
  store: (value) => (typeof value === 'string' && value !== '' ? undefined : 'must be the name of a file'),
  // It goes to other processes: nothing but text would arrive there.
  judgeModel: (value) => (typeof value === 'string' && value !== '' ? undefined : 'must be an address'),
  replay: (value) => {
    const { file, mode } = (typeof value === 'string' ? { file: value } : (value ?? {})) as Record<string, unknown>
    const fits =
      typeof file === 'string' && file !== '' && [undefined, 'replay', 'record', 'refresh'].includes(mode as string)
    return fits ? undefined : "must be a file, or { file, mode: 'replay', 'record' or 'refresh' }"
  },
} satisfies Record<string, Check>

function pick(...names: readonly (keyof EvaluateOptions)[]): Record<string, Check> {
  return Object.fromEntries(names.map((name) => [name, CHECKS[name]]))
}

/** @throws TypeError for an unknown option of the plugin, RangeError for a value that does not fit */
export function requireSettings(settings: object): void {
  const checks: Readonly<Record<string, Check>> = SETTINGS
  for (const [key, value] of Object.entries(settings)) {
    const check = Object.hasOwn(checks, key) ? checks[key] : undefined
    if (!check) {
      const known = [...Object.keys(checks), 'include']
      throw new TypeError(`Cannot set up vitest-evaluate: unknown option "${key}"${didYouMean(key, known)}`)
    }
    const problem = value === undefined ? undefined : check(value)
    if (problem) throw new RangeError(`Cannot set up vitest-evaluate: "${key}" ${problem}, received ${quote(value)}`)
  }
}
