import { didYouMean, messageOf, quote } from './errors.ts'

/** The record of one judgement, and of what is attached to a trace. Follows MLflow's assessment entities. */

/** What a value, or a piece of metadata, is made of. */
export type Primitive = boolean | number | string

/** What a Feedback may say. Lists and records are kept and shown, never aggregated. */
export type FeedbackValue = Primitive | readonly Primitive[] | { readonly [key: string]: Primitive }

/** Who judged. */
export interface AssessmentSource {
  readonly type: 'CODE' | 'LLM_JUDGE' | 'HUMAN'
  /** The scorer, the judge model, or the person. */
  readonly id: string
}

/** Why there is no value. */
export interface AssessmentError {
  /** For programs: `SCORER_THREW`, `SCORER_TIMEOUT`, or the scorer's own code. */
  readonly code: string
  readonly message: string
  readonly stack?: string
}

/** One named judgement of one row: a `value`, or an `error`; neither where there is nothing to say (`value: null`). */
export interface Feedback {
  readonly name: string
  readonly value?: FeedbackValue
  readonly rationale?: string
  readonly source: AssessmentSource
  readonly error?: AssessmentError
  readonly metadata?: Readonly<Record<string, Primitive>>
  readonly spanId?: string
}

/** What a person writes to make a Feedback; a missing name becomes the scorer's. */
export interface FeedbackInit {
  readonly name?: string
  readonly value?: FeedbackValue | null
  readonly rationale?: string
  readonly source?: AssessmentSource
  readonly error?: AssessmentError | Error | string
  readonly metadata?: Readonly<Record<string, Primitive>>
  readonly spanId?: string
}

const FEEDBACK_BRAND: unique symbol = Symbol.for('vitest-evaluate.feedback')

/** A Feedback that a scorer gives, before it has its final name and source. */
export interface GivenFeedback extends FeedbackInit {
  readonly [FEEDBACK_BRAND]: true
}

const INIT_KEYS = ['name', 'value', 'rationale', 'source', 'error', 'metadata', 'spanId'] as const

/**
 * Makes a Feedback with a rationale, a name, a source or an error of its own.
 *
 * @example
 * scorer('polite', ({ outputs }) => feedback({ value: /please/i.test(outputs), rationale: 'looked for "please"' }))
 * @throws TypeError for an unknown field, and for anything that is no object of these fields
 */
export function feedback(init: FeedbackInit): GivenFeedback {
  if (typeof init !== 'object' || init === null || Array.isArray(init)) {
    throw new TypeError(`Cannot make a Feedback: expected { value, rationale, … }, found ${quote(init)}`)
  }
  for (const key of Object.keys(init)) {
    if (!(INIT_KEYS as readonly string[]).includes(key)) {
      throw new TypeError(`Cannot make a Feedback: unknown field "${key}"${didYouMean(key, INIT_KEYS)}`)
    }
  }
  return { ...init, [FEEDBACK_BRAND]: true }
}

/** True for what `feedback()` made. */
export function isGivenFeedback(value: unknown): value is GivenFeedback {
  return typeof value === 'object' && value !== null && FEEDBACK_BRAND in value
}

/** MLflow's default name: a Feedback that carries it counts as unnamed. */
const DEFAULT_NAME = 'feedback'

/** Where a Feedback comes from. */
export interface FeedbackOrigin {
  /** The scorer's name, which an unnamed Feedback takes. */
  readonly scorer: string
}

/**
 * Turns whatever a scorer returned into Feedback, one per judgement. Never throws: what cannot be Feedback becomes a Feedback
 * with an error. `null` and `undefined` give none.
 */
export function toFeedback(returned: unknown, origin: FeedbackOrigin): Feedback[] {
  try {
    if (returned === null || returned === undefined) return []
    if (Array.isArray(returned)) return listed(returned, origin)
    return [isFeedbackLike(returned) ? one(returned, origin) : bare(returned, origin)]
  } catch (thrown) {
    // A getter or a proxy of the scorer's own.
    return [errorFeedback(origin, 'SCORER_RETURN', thrown)]
  }
}

function bare(value: unknown, origin: FeedbackOrigin): Feedback {
  const base = { name: origin.scorer, source: { type: 'CODE' as const, id: origin.scorer } }
  const structured = typeof value === 'object'
  const error = structured
    ? notFeedback(value, ' (a structured value goes into feedback({ value: … }))')
    : valueError(value)
  return error ? { ...base, error } : { ...base, value: value as FeedbackValue }
}

/** Keeps the Feedback of a list; whatever else it holds costs one error, not one each. */
function listed(items: readonly unknown[], origin: FeedbackOrigin): Feedback[] {
  const given = items.filter(isFeedbackLike).map((item) => one(item, origin))
  const stray = items.findIndex((item) => !isFeedbackLike(item))
  if (stray < 0) return given
  const message =
    `a list may hold Feedback only, found ${quote(items[stray])} as item ${stray + 1}` +
    ' (a list of values goes into feedback({ value: […] }))'
  return [...given, errorFeedback(origin, 'SCORER_RETURN', message)]
}

/** Gives the Feedback that stands for a scorer's failure. */
export function errorFeedback(origin: FeedbackOrigin, code: string, thrown: unknown): Feedback {
  return {
    name: origin.scorer,
    source: { type: 'CODE', id: origin.scorer },
    error: toAssessmentError(code, thrown),
  }
}

const MAX_STACK = 10_000

/** Gives the record of a thrown value; long stacks keep their first 10,000 characters. */
export function toAssessmentError(code: string, thrown: unknown): AssessmentError {
  const message = messageOf(thrown)
  let stack: unknown
  try {
    stack = thrown instanceof Error ? thrown.stack : undefined
  } catch {
    stack = undefined
  }
  return typeof stack === 'string' ? { code, message, stack: stack.slice(0, MAX_STACK) } : { code, message }
}

/** A Feedback made by `feedback()`, or a plain object of the same shape. */
function isFeedbackLike(value: unknown): value is FeedbackInit {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  if (isGivenFeedback(value)) return true
  const keys = Object.keys(value)
  return (
    keys.length > 0 &&
    (keys.includes('value') || keys.includes('error')) &&
    keys.every((key) => (INIT_KEYS as readonly string[]).includes(key))
  )
}

function one(init: FeedbackInit, origin: FeedbackOrigin): Feedback {
  const misfit = misfitOf(init)
  if (misfit) return errorFeedback(origin, 'SCORER_RETURN', misfit)
  const named = init.name && init.name !== DEFAULT_NAME
  const base = {
    name: named ? (init.name as string) : origin.scorer,
    source: init.source ? { type: init.source.type, id: init.source.id } : { type: 'CODE' as const, id: origin.scorer },
    ...(init.rationale && { rationale: init.rationale }),
    ...(init.metadata && { metadata: given(init.metadata) }),
    ...(init.spanId && { spanId: init.spanId }),
  }
  if (init.error !== undefined && init.error !== null) return { ...base, error: ownError(init.error) }
  if (init.value === null || init.value === undefined) return base
  const error = valueError(init.value)
  return error ? { ...base, error } : { ...base, value: init.value }
}

/** Says what is wrong with a Feedback that has to have a value, or gives undefined; what a scorer may not return, nobody may log. */
export function faultOfFeedback(init: FeedbackInit): string | undefined {
  if (init.value === null || init.value === undefined)
    return `the Feedback's "value" must be given, found ${init.value}`
  const wanted = 'a boolean, a finite number, a string, or a list or record of those'
  return (
    misfitOf(init) ?? (valueError(init.value) && `the Feedback's "value" must be ${wanted}, found ${quote(init.value)}`)
  )
}

const SOURCES: readonly unknown[] = ['CODE', 'LLM_JUDGE', 'HUMAN']

/** Says which field beside value and error is not what it has to be; types may be wrong where a scorer is JavaScript. */
function misfitOf({ name, rationale, spanId, source, metadata }: FeedbackInit): string | undefined {
  for (const [field, value] of Object.entries({ name, rationale, spanId })) {
    if (value !== undefined && value !== null && typeof value !== 'string')
      return `the Feedback's "${field}" must be a string, found ${quote(value)}`
  }
  if (source && !(SOURCES.includes(source.type) && typeof source.id === 'string'))
    return `the Feedback's "source" must be { type: 'CODE' | 'LLM_JUDGE' | 'HUMAN', id }, found ${quote(source)}`
  if (!metadata) return undefined
  if (!isPlainObject(metadata)) return `the Feedback's "metadata" must be an object, found ${quote(metadata)}`
  const odd = Object.entries(given(metadata)).find(
    ([, value]) => !['boolean', 'number', 'string'].includes(typeof value),
  )
  return odd && `the Feedback's metadata "${odd[0]}" must be a boolean, number or string, found ${quote(odd[1])}`
}

function given<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined && value !== null))
}

function ownError(error: AssessmentError | Error | string): AssessmentError {
  if (error instanceof Error) return toAssessmentError(error.name, error)
  if (typeof error !== 'object') return { code: 'ASSESSMENT_ERROR', message: messageOf(error) }
  return {
    code: String(error.code ?? 'ASSESSMENT_ERROR'),
    message: messageOf(error),
    ...(typeof error.stack === 'string' && { stack: error.stack.slice(0, MAX_STACK) }),
  }
}

function valueError(value: unknown): AssessmentError | undefined {
  if (typeof value === 'boolean' || typeof value === 'string' || Number.isFinite(value)) return undefined
  if (typeof value === 'object' && value !== null && isStructured(value)) return undefined
  if (typeof value !== 'number') return notFeedback(value)
  return { code: 'NOT_A_NUMBER', message: `${value} is not a value; return null when there is nothing to say` }
}

function notFeedback(value: unknown, hint = ''): AssessmentError {
  const wanted = 'a boolean, number, string, Feedback, a list of Feedback, null or undefined'
  return { code: 'SCORER_RETURN', message: `expected ${wanted}, found ${quote(value)}${hint}` }
}

function isStructured(value: object): boolean {
  const isPrimitive = (item: unknown): boolean =>
    typeof item === 'boolean' || typeof item === 'string' || (typeof item === 'number' && Number.isFinite(item))
  return (Array.isArray(value) || isPlainObject(value)) && Object.values(value).every(isPrimitive)
}

function isPlainObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Feedback or expectation attached to a trace, as the store keeps it. */
export interface Assessment {
  readonly id: string
  readonly kind: 'feedback' | 'expectation'
  readonly name: string
  readonly traceId: string
  /** A Feedback's value, or the expectation's (any data). Missing where there is an error. */
  readonly value?: unknown
  readonly rationale?: string
  readonly source: AssessmentSource
  readonly error?: AssessmentError
  readonly metadata?: Readonly<Record<string, Primitive>>
  readonly spanId?: string
  /** The run that gave it; none for what production or a person logged. */
  readonly runId?: string
  readonly scorer?: string
  readonly scorerVersion?: string
  /** How long the scorer took, milliseconds. */
  readonly durationMs?: number
  readonly createdAt: number
  readonly updatedAt: number
  /** The assessment that this one replaces; that one has `valid: false`. */
  readonly overrides?: string
  readonly valid: boolean
}
