import { didYouMean, quote } from './errors.ts'
import type { Gates } from './gate.ts'
import type { ModelChoice } from './model.ts'
import type { Row } from './row.ts'
import type { Fold, RunRecord, RunRepeats } from './run.ts'
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
   * What the run has to be like: `{ concise: { floor: 0.9 }, correct: { margin: 0.03 } }`. Under Vitest each gate that fails makes the test
   * fail, softly. Gates of the plugin hold too, for metrics that are not named here; false: none at all.
   */
  readonly gates?: Gates | false
  /**
   * The run to compare with: an id, a name, a file written by `run.export`, a run; false: none. Without it the run of the commit where this
   * branch parted, else the nearest before it, else the newest of the target branch.
   * @default `VITEST_EVALUATE_BASELINE`, the plugin's option
   */
  readonly baseline?: string | false | { readonly record: RunRecord; readonly store: Store }
  /** The branch that changes go into. @default what CI says, the plugin's option, the remote's main branch */
  readonly targetBranch?: string
  /** What becomes of the test when a gate cannot tell. @default `VITEST_EVALUATE_INCONCLUSIVE`, the plugin's option, 'warn' */
  readonly inconclusive?: 'warn' | 'fail'
  /** Scores the baseline's answers again where a scorer has changed since, so that the two can be compared. @default `VITEST_EVALUATE_RESCORE`, false */
  readonly rescore?: boolean
  /**
   * Which rows belong together, such as those of one document: a tag, or a function of the row, whose word is kept as the tag `cluster`.
   * Intervals then count clusters, not rows.
   */
  readonly cluster?: string | ((row: Row) => string)
  /**
   * Evaluates every row so many times; a row counts once, its repeats folded into one value: verdicts as `fold` says, numbers into their mean.
   * @default 1
   */
  readonly repeats?: number
  /**
   * How the verdicts of a row's repeats become one, for all columns or by column: the share that passed (`mean`), whether most, all or any
   * passed, or the chance that any (`pass@k`) or all (`pass^k`) of k attempts pass.
   * @default 'mean'
   */
  readonly fold?: Fold | Readonly<Record<string, Fold>>
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

export type Check = (value: unknown) => string | undefined

const integerFrom =
  (least: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= least ? undefined : `must be an integer from ${least}`

const text: Check = (value) =>
  typeof value === 'string' && value !== '' ? undefined : 'must be a string that is not empty'

function isFold(value: unknown): value is Fold {
  return typeof value === 'string' && /^(mean|majority|all|any|pass[@^][1-9]\d*)$/.test(value)
}

export const CHECKS: Record<keyof EvaluateOptions, Check> = {
  name: text,
  experiment: text,
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
  gates: (value) =>
    value === false || (typeof value === 'object' && value !== null)
      ? undefined
      : 'must be an object of metrics, a list of gates, or false',
  baseline: (value) =>
    (typeof value === 'string' && value !== '') ||
    value === false ||
    typeof (value as { record?: unknown } | null)?.record === 'object'
      ? undefined
      : 'must be the name, id or file of a run, a run, or false',
  targetBranch: text,
  inconclusive: (value) => (value === 'warn' || value === 'fail' ? undefined : "must be 'warn' or 'fail'"),
  rescore: (value) => (typeof value === 'boolean' ? undefined : 'must be true or false'),
  cluster: (value) =>
    typeof value === 'function' || (typeof value === 'string' && value !== '')
      ? undefined
      : 'must be a tag or a function',
  repeats: (value) => integerFrom(1)(value) ?? ((value as number) <= 1_000 ? undefined : 'must be at most 1000'),
  fold: (value) =>
    isFold(value) || (typeof value === 'object' && value !== null && Object.values(value).every(isFold))
      ? undefined
      : "must be 'mean', 'majority', 'all', 'any', 'pass@2' or 'pass^2' (or another number), or one of these by column",
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

/**
 * Gives what a run remembers of its repeats; undefined where there are none.
 * @throws RangeError for a fold of more attempts than there are
 */
export function repeatsOf({ repeats: times = 1, fold }: EvaluateOptions): RunRepeats | undefined {
  for (const one of typeof fold === 'object' ? Object.values(fold) : [fold]) {
    const k = Number(/\d+$/.exec(one ?? '')?.[0] ?? 0)
    if (k > times)
      throw new RangeError(`Cannot evaluate: fold ${quote(one)} needs ${k} repeats, and "repeats" is ${times}`)
  }
  return times === 1 ? undefined : { times, ...(fold && { fold }) }
}
