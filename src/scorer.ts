import { AGGREGATIONS, type Aggregation } from './column.ts'
import { didYouMean, quote } from './errors.ts'
import type { FeedbackInit, Primitive } from './feedback.ts'
import type { StandardSchema } from './source.ts'
import { canonical, sha256 } from './std/json.ts'
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
  /** Aborted when the scorer's time is over or the evaluation ends. */
  readonly signal: AbortSignal
}

/**
 * What a scorer may give: a value, a Feedback, several, or nothing (`null`, `undefined`: counted as missing). Lists and records of
 * primitives go into a Feedback's value.
 */
export type ScorerResult = Primitive | FeedbackInit | readonly FeedbackInit[] | null | undefined

export interface ScorerOptions {
  /** The column's name, unless a Feedback brings its own. */
  readonly name?: string
  readonly description?: string
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
export abstract class Scorer<Inputs = any, Outputs = any> {
  abstract readonly name: string
  readonly description?: string | undefined
  readonly aggregations?: readonly Aggregation[] | undefined
  readonly timeoutMs?: number | undefined
  readonly version?: string | undefined
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
   * @throws TypeError from the constructor, naming the field, when the configuration does not fit
   */
  static with<Schema extends StandardSchema<object>>(schema: Schema): ScorerBase<Schema> {
    abstract class ConfiguredScorer extends Scorer {
      constructor(config: unknown = {}) {
        super()
        const result = schema['~standard'].validate(config)
        if (result instanceof Promise)
          throw new TypeError(`Cannot make ${this.constructor.name}: its schema is asynchronous`)
        if (result.issues) {
          const issue = result.issues[0]
          const path = (issue?.path ?? []).map((step) => String(typeof step === 'object' ? step.key : step)).join('.')
          throw new TypeError(`Cannot make ${this.constructor.name}: ${path ? `"${path}": ` : ''}${issue?.message}`)
        }
        Object.assign(this, result.value)
      }
    }
    return ConfiguredScorer as unknown as ScorerBase<Schema>
  }
}

type SchemaInput<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['input']
type SchemaOutput<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['output']
/** The class that `Scorer.with(schema)` gives; its constructor needs no argument where the schema has a default for everything. */
export type ScorerBase<Schema extends StandardSchema> = abstract new (
  ...config: {} extends SchemaInput<Schema> ? [config?: SchemaInput<Schema>] : [config: SchemaInput<Schema>]
) => Scorer & Readonly<SchemaOutput<Schema>>

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
 * @throws TypeError when there is no name, no function, or an aggregation is unknown
 */
export function scorer<Inputs = any, Outputs = any, Result extends ScorerResult = ScorerResult>(
  fn: ScoreFunction<Inputs, Outputs, Result>,
): FunctionScorer<Inputs, Outputs, Result>
export function scorer<Inputs = any, Outputs = any, Result extends ScorerResult = ScorerResult>(
  nameOrOptions: string | ScorerOptions,
  fn: ScoreFunction<Inputs, Outputs, Result>,
): FunctionScorer<Inputs, Outputs, Result>
export function scorer(
  first: string | ScorerOptions | ScoreFunction<any, any, ScorerResult>,
  second?: ScoreFunction<any, any, ScorerResult>,
): FunctionScorer {
  const fn = typeof first === 'function' ? first : second
  const options: ScorerOptions = typeof first === 'string' ? { name: first } : typeof first === 'function' ? {} : first
  if (typeof fn !== 'function') throw new TypeError(`Cannot make a scorer: expected a function, found ${quote(second)}`)
  const known = ['name', 'description', 'aggregations', 'timeoutMs', 'version']
  for (const key of Object.keys(options)) {
    if (!known.includes(key))
      throw new TypeError(`Cannot make a scorer: unknown option "${key}"${didYouMean(key, known)}`)
  }
  const name = options.name ?? fn.name
  if (!name) {
    throw new TypeError("Cannot make a scorer: it has no name\nHint: name the function, or write scorer('name', fn)")
  }
  requireAggregations(name, options.aggregations)
  const made = (args: Partial<ScorerArgs>) => fn(args as ScorerArgs)
  const properties = { ...options, name, score: fn, version: options.version ?? sha256(fn.toString()).slice(0, 16) }
  for (const [key, value] of Object.entries(properties)) Object.defineProperty(made, key, { value, enumerable: true })
  return made as unknown as FunctionScorer
}

/**
 * Checks the scorers of one evaluation before anything is paid for.
 * @throws TypeError for a class, a bare function, a nested list or anything else that is no scorer, and for two of one name
 */
export function requireScorers(scorers: unknown): asserts scorers is readonly Scorer[] {
  if (!Array.isArray(scorers)) {
    throw new TypeError(`Cannot evaluate: scorers must be an array, found ${quote(scorers)}`)
  }
  const names = new Map<string, number>()
  scorers.forEach((item, i) => {
    const where = `Cannot evaluate: scorer ${i + 1} of ${scorers.length}`
    requireScorer(item, where)
    const earlier = names.get(item.name)
    if (earlier !== undefined) {
      throw new TypeError(
        `${where} is called ${quote(item.name)}, as is scorer ${earlier + 1}\nHint: every column needs a name of its own`,
      )
    }
    names.set(item.name, i)
    requireAggregations(item.name, item.aggregations)
  })
}

function requireScorer(item: any, where: string): asserts item is Scorer {
  if (typeof item === 'function' && item.prototype instanceof Scorer) {
    throw new TypeError(`${where} is the class ${item.name}\nHint: pass an instance, new ${item.name}()`)
  }
  if (typeof item?.score === 'function' && typeof item.name === 'string' && item.name !== '') return
  if (typeof item === 'function') {
    const name = item.name || 'fn'
    throw new TypeError(`${where} is the plain ${quote(item)}\nHint: wrap it, scorer(${name})`)
  }
  if (Array.isArray(item)) throw new TypeError(`${where} is a list\nHint: spread it, [...scorers]`)
  if (item instanceof Scorer) {
    throw new TypeError(`${where}, a ${item.constructor.name}, has no "name" or no "score"`)
  }
  throw new TypeError(`${where} is ${quote(item)}, which is no scorer\nHint: make one with scorer('name', fn)`)
}

function requireAggregations(name: string, aggregations: unknown): void {
  if (aggregations === undefined) return
  const where = `Cannot use scorer ${quote(name)}: "aggregations"`
  if (!Array.isArray(aggregations)) throw new TypeError(`${where} must be a list, found ${quote(aggregations)}`)
  for (const item of aggregations) {
    if (typeof item === 'function') {
      if (!item.name) throw new TypeError(`${where} has a function without a name, and its metric needs one`)
    } else if (!(AGGREGATIONS as readonly unknown[]).includes(item)) {
      const near = typeof item === 'string' ? didYouMean(item, AGGREGATIONS) : ''
      throw new TypeError(
        `${where} has ${quote(item)}${near}; there are ${AGGREGATIONS.join(', ')} and named functions`,
      )
    }
  }
}

/**
 * Gives the version that tells whether cells of another run may stand for this scorer's: its own `version`, else a digest of
 * source text and configuration. It cannot see changed helpers that the source merely calls.
 */
export function scorerVersion(item: Scorer): string {
  if (item.version !== undefined) return item.version
  const fields = Object.entries(item).filter(([, value]) => typeof value !== 'function')
  const source = `${item.constructor}\n${item.score}`
  try {
    return sha256(`${source}\n${canonical(Object.fromEntries(fields))}`).slice(0, 16)
  } catch {
    return sha256(source).slice(0, 16)
  }
}
