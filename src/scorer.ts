import { AGGREGATIONS, type Aggregation } from './column.ts'
import { didYouMean, quote } from './errors.ts'
import type { FeedbackInit, Primitive } from './feedback.ts'
import { LifeCycle, type Registered, setOrigin, withLifeCycle } from './lifecycle.ts'
import type { StandardSchema } from './source.ts'
import { sha256 } from './std/json.ts'
import type { Trace } from './trace.ts'

/** What a scorer is asked with. */
export interface ScorerArgs<Inputs = any, Outputs = any> {
  readonly inputs: Inputs
  readonly outputs: Outputs
  /** Ground truth by name; empty where the row has none. */
  readonly expectations: Readonly<Record<string, any>>
  readonly tags: Readonly<Record<string, string>>
  /** The record of the row's execution; rows without one of their own get a minimal one. */
  readonly trace: Trace
  /** The traces of a conversation, for scorers of level `session`; for others the row's trace alone. */
  readonly session: readonly Trace[]
  /** Aborted when the scorer's time is over or the evaluation ends. */
  readonly signal: AbortSignal
}

/** What a scorer of level `session` is asked with. */
export interface SessionArgs {
  /** The traces of one conversation: by the time of their requests, or as their rows stand where the run called them. Those of failed rows too. */
  readonly session: readonly Trace[]
  /** Ground truth of all its traces; where two state the same name, the earlier one's. */
  readonly expectations: Readonly<Record<string, any>>
  /** Those of its first trace. */
  readonly tags: Readonly<Record<string, string>>
  /** Aborted when the scorer's time is over or the evaluation ends. */
  readonly signal: AbortSignal
}

/**
 * What a scorer may give: a value, a Feedback, several, or nothing (`null`, `undefined`: counted as missing). Lists and records of
 * primitives go into a Feedback's value.
 */
export type ScorerResult = Primitive | FeedbackInit | readonly FeedbackInit[] | null | undefined

/** What a scorer made from a function may say of itself. */
export interface ScorerOptions {
  /** The column's name, unless a Feedback brings its own. */
  readonly name?: string
  readonly description?: string
  /** Whether it scores every row, or every conversation (rows or traces of one `sessionId`) once. @default 'trace' */
  readonly level?: 'trace' | 'session'
  /** @default ['mean'] */
  readonly aggregations?: readonly Aggregation[]
  /** Overrides the evaluation's `scorerTimeoutMs`. */
  readonly timeoutMs?: number
  /** Overrides the digest of source text and configuration that tells one version of the scorer from another. */
  readonly version?: string
}

/**
 * Turns a row with its outputs and trace into Feedback. Extend it (through `Scorer.with` for described, validated configuration)
 * where a scorer has state or settings; for anything else `scorer()` is shorter.
 */
export abstract class Scorer<Inputs = any, Outputs = any> extends LifeCycle<RegisteredScorer<Inputs, Outputs>> {
  abstract readonly name: string
  // Declared, not defined: an instance holds what it was given and nothing else.
  declare readonly description?: string | undefined
  declare readonly level?: 'trace' | 'session' | undefined
  declare readonly aggregations?: readonly Aggregation[] | undefined
  declare readonly timeoutMs?: number | undefined
  declare readonly version?: string | undefined
  abstract score(args: ScorerArgs<Inputs, Outputs>): ScorerResult | Promise<ScorerResult>

  /**
   * Gives a base class whose constructor takes the schema's input, validates it, and puts the fields on the instance.
   *
   * @example
   * class MinWords extends Scorer.with(z.object({ words: z.number().default(50) })) {
   *   readonly name = 'min_words'
   *   score({ outputs }: ScorerArgs) {
   *     return outputs.split(/\s+/).length >= this.words
   *   }
   * }
   * @throws TypeError for what is no schema; from the constructor, naming the field, when the configuration does not fit
   */
  static with<Schema extends StandardSchema<object>>(schema: Schema): ScorerBase<Schema> {
    if (typeof schema?.['~standard']?.validate !== 'function') {
      throw new TypeError(
        `Cannot make a scorer class: expected a schema (zod, valibot, arktype), found ${quote(schema)}`,
      )
    }
    abstract class ConfiguredScorer extends Scorer {
      constructor(config: unknown = {}) {
        super()
        for (const [key, value] of Object.entries(configuration(this.constructor.name, schema, config))) {
          Object.defineProperty(this, key, { value, enumerable: true, configurable: true, writable: true })
        }
      }
    }
    return ConfiguredScorer as unknown as ScorerBase<Schema>
  }
}

function configuration(name: string, schema: StandardSchema<object>, config: unknown): object {
  const where = `Cannot make ${name || 'the scorer'}`
  const result = schema['~standard'].validate(config)
  if (result instanceof Promise) throw new TypeError(`${where}: its schema is asynchronous`)
  if (result.issues) {
    const [issue, ...more] = result.issues
    const path = (issue?.path ?? []).map((step) => String(typeof step === 'object' ? step.key : step)).join('.')
    const rest = more.length > 0 ? ` (and ${more.length} more)` : ''
    throw new TypeError(`${where}: ${path ? `"${path}": ` : ''}${issue?.message}${rest}`)
  }
  if ('score' in result.value)
    throw new TypeError(`${where}: its schema has a field "score", which is the method's name`)
  return result.value
}

type SchemaInput<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['input']
type SchemaOutput<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['output']
/** The class that `Scorer.with(schema)` gives; its constructor needs no argument where the schema has a default for everything. */
export type ScorerBase<Schema extends StandardSchema> = abstract new (
  ...config: {} extends SchemaInput<Schema> ? [config?: SchemaInput<Schema>] : [config: SchemaInput<Schema>]
) => Scorer & Readonly<SchemaOutput<Schema>>

/** A scorer of conversations made from a function. */
export type SessionScorer<Result extends ScorerResult = ScorerResult> = ((
  args: Partial<SessionArgs>,
) => Result | Promise<Result>) &
  Scorer

/** A scorer that a store knows, under the name that it has there. Immutable; calling it scores. */
export type RegisteredScorer<Inputs = any, Outputs = any> = FunctionScorer<Inputs, Outputs> & Registered

type ScoreFunction<Inputs, Outputs, Result> = (args: ScorerArgs<Inputs, Outputs>) => Result | Promise<Result>

/** A scorer made from a function; calling it calls the function, so that it can be tested by itself. */
export type FunctionScorer<Inputs = any, Outputs = any, Result extends ScorerResult = ScorerResult> = ((
  args: Partial<ScorerArgs<Inputs, Outputs>>,
) => Result | Promise<Result>) &
  Scorer<Inputs, Outputs>

/**
 * Makes a scorer from a function, which may be asynchronous.
 *
 * @example
 * const concise = scorer('concise', ({ outputs }) => outputs.length <= 400)
 * const short = scorer({ name: 'short', level: 'session' }, ({ session }) => session.length <= 6)
 * @throws TypeError when there is no name, no function, or an option or aggregation is unknown; RangeError for a bad `timeoutMs`
 */
export function scorer<Inputs = any, Outputs = any, Result extends ScorerResult = ScorerResult>(
  fn: ScoreFunction<Inputs, Outputs, Result>,
): FunctionScorer<Inputs, Outputs, Result>
export function scorer<Result extends ScorerResult = ScorerResult>(
  options: ScorerOptions & { readonly level: 'session' },
  fn: (args: SessionArgs) => Result | Promise<Result>,
): SessionScorer<Result>
export function scorer<Inputs = any, Outputs = any, Result extends ScorerResult = ScorerResult>(
  nameOrOptions: string | (ScorerOptions & { readonly level?: 'trace' }),
  fn: ScoreFunction<Inputs, Outputs, Result>,
): FunctionScorer<Inputs, Outputs, Result>
export function scorer(
  first: string | ScorerOptions | ScoreFunction<any, any, ScorerResult>,
  second?: ScoreFunction<any, any, ScorerResult>,
): FunctionScorer {
  const what = 'Cannot make a scorer'
  if (typeof first === 'function' && second !== undefined) {
    throw new TypeError(`${what}: the function comes last, scorer(name, fn) or scorer(options, fn)`)
  }
  const fn = typeof first === 'function' ? first : second
  const options: ScorerOptions = typeof first === 'string' ? { name: first } : typeof first === 'function' ? {} : first
  if (typeof fn !== 'function') throw new TypeError(`${what}: expected a function, found ${quote(fn)}`)
  if (isScorerClass(fn))
    throw new TypeError(`${what} from the class ${fn.name}\nHint: an instance is one, new ${fn.name}()`)
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${what}: expected a name or options before the function, found ${quote(options)}`)
  }
  for (const key of Object.keys(options)) {
    if (!SCORER_OPTIONS.includes(key))
      throw new TypeError(`${what}: unknown option "${key}"${didYouMean(key, SCORER_OPTIONS)}`)
  }
  const name = options.name ?? fn.name
  if (typeof name !== 'string') throw new TypeError(`${what}: its name must be a string, found ${quote(name)}`)
  if (name === '') throw new TypeError(`${what}: it has no name\nHint: name the function, or write scorer('name', fn)`)
  requireSettings(name, options)
  const made = (args: Partial<ScorerArgs>) => fn(args as ScorerArgs)
  const properties = { ...options, name, score: fn, version: options.version ?? functionVersion(fn) }
  for (const [key, value] of Object.entries(properties)) Object.defineProperty(made, key, { value, enumerable: true })
  setOrigin(made, { kind: 'code', ...(options.version !== undefined && { digest: options.version }) })
  return withLifeCycle(made) as unknown as FunctionScorer
}

/** What a scorer has beside its own fields. */
export const SCORER_OPTIONS: readonly string[] = [
  'name',
  'description',
  'level',
  'aggregations',
  'timeoutMs',
  'version',
]

/** A scorer that is given another name is still the same function. */
function functionVersion(fn: ScoreFunction<any, any, ScorerResult> & { readonly version?: unknown }): string {
  return typeof fn.version === 'string' ? fn.version : sha256(String(fn)).slice(0, 16)
}

/** Tells scorers from everything else that a module may export. */
export function isScorer(item: unknown): item is Scorer {
  const { name, score } = (item ?? {}) as Partial<Record<'name' | 'score', unknown>>
  return typeof score === 'function' && typeof name === 'string' && name !== '' && !isScorerClass(item)
}

export function isScorerClass(item: unknown): item is typeof Scorer {
  return typeof item === 'function' && item.prototype instanceof Scorer
}

/**
 * Checks the scorers of one evaluation before anything is paid for.
 * @throws TypeError for a class, a bare function, a nested list or anything else that is no scorer, and for two of one name
 */
export function requireScorers(scorers: unknown): asserts scorers is readonly Scorer[] {
  if (!Array.isArray(scorers)) {
    const hint =
      typeof (scorers as Scorer | undefined)?.score === 'function' ? '\nHint: put it into brackets, [scorer]' : ''
    throw new TypeError(`Cannot evaluate: scorers must be an array, found ${quote(scorers)}${hint}`)
  }
  const names = new Map<string, number>()
  for (const [i, item] of scorers.entries()) {
    const where = `Cannot evaluate: scorer ${i + 1} of ${scorers.length}`
    requireScorer(item, where)
    const earlier = names.get(item.name)
    if (earlier !== undefined) {
      throw new TypeError(
        `${where} is called ${quote(item.name)}, as is scorer ${earlier + 1}\nHint: every column needs a name of its own`,
      )
    }
    names.set(item.name, i)
    requireSettings(item.name, item)
  }
}

function requireScorer(item: any, where: string): asserts item is Scorer {
  if (isScorerClass(item)) {
    throw new TypeError(`${where} is the class ${item.name}\nHint: pass an instance, new ${item.name}()`)
  }
  if (isScorer(item)) return
  if (typeof item === 'function') {
    const what = item.name ? `the plain ${quote(item)}` : 'a plain function'
    throw new TypeError(`${where} is ${what}\nHint: ${functionHint(item)}`)
  }
  if (Array.isArray(item)) throw new TypeError(`${where} is a list\nHint: spread it, [...scorers]`)
  if (item instanceof Scorer) {
    throw new TypeError(`${where}, ${quote(item)}, has no "name" or no "score"`)
  }
  throw new TypeError(`${where} is ${quote(item)}, which is no scorer\nHint: make one with scorer('name', fn)`)
}

/** Judges are called to be made, and the scorers of autoevals, told by their `partial`, have an adapter. */
function functionHint(fn: { readonly name: string; readonly partial?: unknown }): string {
  if (typeof fn.partial === 'function')
    return `wrap it, fromAutoevals(${fn.name}), imported from 'vitest-evaluate/judges'`
  if (/^[A-Z]/.test(fn.name)) return `call it, ${fn.name}()`
  return `wrap it, scorer(${fn.name || "'name', fn"})`
}

function requireSettings(name: string, settings: { readonly [Key in keyof ScorerOptions]: unknown }): void {
  const where = `Cannot use scorer ${quote(name)}:`
  for (const key of ['description', 'version'] as const) {
    const value = settings[key]
    if (value !== undefined && typeof value !== 'string')
      throw new TypeError(`${where} "${key}" must be a string, found ${quote(value)}`)
  }
  const { timeoutMs, aggregations, level } = settings
  if (level !== undefined && level !== 'trace' && level !== 'session') {
    throw new TypeError(`${where} "level" must be 'trace' or 'session', found ${quote(level)}`)
  }
  if (timeoutMs !== undefined && !(Number.isInteger(timeoutMs) && (timeoutMs as number) >= 0)) {
    throw new RangeError(`${where} "timeoutMs" must be an integer from 0, received ${quote(timeoutMs)}`)
  }
  if (aggregations !== undefined) requireAggregations(`${where} "aggregations"`, aggregations)
}

function requireAggregations(where: string, aggregations: unknown): void {
  if (!Array.isArray(aggregations)) throw new TypeError(`${where} must be a list, found ${quote(aggregations)}`)
  const names = new Set<string>()
  for (const item of aggregations) {
    const name = typeof item === 'function' ? item.name : item
    if (typeof item === 'function') {
      if (!item.name) throw new TypeError(`${where} has a function without a name, and its metric needs one`)
    } else if (!(AGGREGATIONS as readonly unknown[]).includes(item)) {
      const near = typeof item === 'string' ? didYouMean(item, AGGREGATIONS) : ''
      throw new TypeError(
        `${where} has ${quote(item)}${near}; there are ${AGGREGATIONS.join(', ')} and named functions`,
      )
    }
    if (names.has(name)) throw new TypeError(`${where} has ${quote(name)} twice`)
    names.add(name)
  }
}
