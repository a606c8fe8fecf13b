import { didYouMean, messageOf, quote } from './errors.ts'

/** The record of one judgement, and of what is attached to a trace. Follows MLflow's assessment entities. */

export type Primitive = boolean | number | string

/** What a Feedback may say. Lists and records are kept and shown, never aggregated. */
export type FeedbackValue = Primitive | readonly Primitive[] | { readonly [key: string]: Primitive }

export interface AssessmentSource {
  readonly type: 'CODE' | 'LLM_JUDGE' | 'HUMAN'
  /** The scorer, the judge model, or the person. */
  readonly id: string
}

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
 * @throws TypeError for an unknown field
 */
export function feedback(init: FeedbackInit): GivenFeedback {
  for (const key of Object.keys(init)) {
    if (!(INIT_KEYS as readonly string[]).includes(key)) {
      throw new TypeError(`Cannot make a Feedback: unknown field "${key}"${didYouMean(key, INIT_KEYS)}`)
    }
  }
  return { ...init, [FEEDBACK_BRAND]: true }
}

export function isGivenFeedback(value: unknown): value is GivenFeedback {
  return typeof value === 'object' && value !== null && FEEDBACK_BRAND in value
}

/** MLflow's default name: a Feedback that carries it counts as unnamed. */
const DEFAULT_NAME = 'feedback'

export interface FeedbackOrigin {
  /** The scorer's name, which an unnamed Feedback takes. */
  readonly scorer: string
}

/**
 * Turns whatever a scorer returned into Feedback, one per judgement. Never throws: what cannot be Feedback becomes a Feedback
 * with an error. `null` and `undefined` give none.
 */
export function toFeedback(returned: unknown, origin: FeedbackOrigin): Feedback[] {
  if (returned === null || returned === undefined) return []
  if (Array.isArray(returned)) {
    return returned.flatMap((item) =>
      isFeedbackLike(item)
        ? [one(item, origin)]
        : [errorFeedback(origin, 'SCORER_RETURN', `a list may hold Feedback only, found ${quote(item)}`)],
    )
  }
  if (isFeedbackLike(returned)) return [one(returned, origin)]
  return [one({ value: returned as FeedbackValue }, origin, true)]
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

function one(init: FeedbackInit, origin: FeedbackOrigin, bare = false): Feedback {
  const named = typeof init.name === 'string' && init.name !== '' && init.name !== DEFAULT_NAME
  const name = named ? (init.name as string) : origin.scorer
  const source = init.source ?? { type: 'CODE', id: origin.scorer }
  const rest = {
    ...(typeof init.rationale === 'string' && { rationale: init.rationale }),
    ...(init.metadata && { metadata: { ...init.metadata } }),
    ...(init.spanId !== undefined && { spanId: init.spanId }),
  }
  if (init.error !== undefined && init.error !== null) {
    return { name, source, ...rest, error: ownError(init.error) }
  }
  if (init.value === null) return { name, source, ...rest }
  const problem = valueProblem(init.value, bare)
  if (problem) return { name, source, ...rest, error: { code: problem.code, message: problem.message } }
  return { name, source, ...rest, value: init.value as FeedbackValue }
}

function ownError(error: AssessmentError | Error | string): AssessmentError {
  if (typeof error === 'string') return { code: 'ASSESSMENT_ERROR', message: error }
  if (error instanceof Error) return toAssessmentError(error.name, error)
  return {
    code: String(error.code),
    message: String(error.message),
    ...(error.stack !== undefined && { stack: error.stack }),
  }
}

function valueProblem(value: unknown, bare: boolean): { code: string; message: string } | undefined {
  switch (typeof value) {
    case 'boolean':
    case 'string':
      return undefined
    case 'number':
      return Number.isFinite(value)
        ? undefined
        : { code: 'NOT_A_NUMBER', message: `${value} is not a value; return null when there is nothing to say` }
    case 'object':
      if (value !== null && !bare && isStructured(value)) return undefined
  }
  return {
    code: 'SCORER_RETURN',
    message:
      `expected a boolean, number, string, Feedback, a list of Feedback, null or undefined, found ${quote(value)}` +
      (bare && typeof value === 'object' ? ' (a structured value goes into feedback({ value: … }))' : ''),
  }
}

function isStructured(value: object): boolean {
  const isPrimitive = (item: unknown): boolean =>
    typeof item === 'boolean' || typeof item === 'string' || (typeof item === 'number' && Number.isFinite(item))
  return Object.values(value).every(isPrimitive)
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
