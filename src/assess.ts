import { userInfo } from 'node:os'
import { type AssessmentChange, type AssessmentWrite, parseAssessmentId } from './assessment.ts'
import { didYouMean, EvaluationError, quote } from './errors.ts'
import {
  type Assessment,
  type AssessmentSource,
  type FeedbackValue,
  faultOfFeedback,
  type Primitive,
} from './feedback.ts'
import { currentHost } from './host.ts'
import { type OpenOptions, storeToRead } from './open.ts'
import { nowMs } from './std/async.ts'
import { gitUser } from './std/git.ts'
import { encode, NotDataError } from './std/json.ts'
import { findAssessment, type Store, type StoredTrace, toTrace } from './store.ts'

/** The door for what people say of stored traces: log, correct, take back. Follows MLflow's functions of the same names. */

/** What is said of a trace. */
interface Said {
  readonly name: string
  readonly rationale?: string
  /** @default a HUMAN: `VITEST_EVALUATE_USER`, else git's `user.name`, else the user of the operating system */
  readonly source?: AssessmentSource
  /** The span that it is about. */
  readonly spanId?: string
  /** The run in which it counts; that run must have evaluated the trace. Without one it belongs to the trace alone. */
  readonly runId?: string
  readonly metadata?: Readonly<Record<string, Primitive>>
}

/** A judgement to attach to a trace. */
export interface FeedbackEntry extends Said {
  readonly value: FeedbackValue
}

/** Ground truth to attach to a trace. */
export interface ExpectationEntry extends Said {
  /** Any data. */
  readonly value: unknown
}

/** A verdict to put in the place of another. */
export type FeedbackCorrection = Pick<FeedbackEntry, 'value' | 'rationale' | 'source' | 'metadata'>

/** What may change in an assessment. */
export interface AssessmentUpdate {
  readonly value?: unknown
  readonly rationale?: string
  /** Added to what is there, key by key. */
  readonly metadata?: Readonly<Record<string, Primitive>>
}

/**
 * Attaches Feedback to a stored trace.
 *
 * With `runId` it counts in that run: its columns follow when the run is opened next, and where the run has Feedback of this name on the trace already,
 * that one is overridden.
 *
 * @example
 * await logFeedback(trace.id, { name: 'correct', value: false, rationale: 'the price is last year’s' })
 * @throws TypeError, RangeError for values that Feedback cannot have, and for a span that the trace has not
 * @throws EvaluationError TRACE_NOT_FOUND, RUN_NOT_FOUND, STORE_…
 */
export async function logFeedback(
  traceId: string,
  entry: FeedbackEntry,
  options: OpenOptions = {},
): Promise<Assessment> {
  const action = `log Feedback ${quote(entry?.name)}`
  requireEntry(action, traceId, entry)
  const fault = faultOfFeedback(entry)
  if (fault) throw new TypeError(`Cannot ${action}: ${fault}`)
  return log('feedback', action, traceId, entry, options)
}

/**
 * Attaches ground truth to a stored trace; of several expectations of one name the newest counts.
 *
 * @throws TypeError, RangeError for a value that is not data, and for a span that the trace has not
 * @throws EvaluationError TRACE_NOT_FOUND, RUN_NOT_FOUND, STORE_…
 */
export async function logExpectation(
  traceId: string,
  entry: ExpectationEntry,
  options: OpenOptions = {},
): Promise<Assessment> {
  const action = `log expectation ${quote(entry?.name)}`
  requireEntry(action, traceId, entry)
  requireExpected(action, entry.value)
  const fault = faultOfFeedback({ ...entry, value: true })
  if (fault) throw new TypeError(`Cannot ${action}: ${fault.replace("the Feedback's ", 'its ')}`)
  return log('expectation', action, traceId, entry, options)
}

/**
 * Puts a verdict in the place of another, such as a person's in the place of a judge's. The old one stays with `valid: false`, for whoever wants to
 * know; the new one has its name, span and run, and the run's columns follow when it is opened next. Deleting the new one brings the old one back.
 *
 * Overrides may follow each other. As in MLflow, one that has been overridden before may be named; it does not then stand beside the verdict that took its
 * place, but overrides that one: a name keeps one valid verdict.
 *
 * @throws TypeError for values that Feedback cannot have, and for an expectation
 * @throws EvaluationError ASSESSMENT_NOT_FOUND, STORE_…
 */
export async function overrideFeedback(
  id: string,
  correction: FeedbackCorrection,
  options: OpenOptions = {},
): Promise<Assessment> {
  const action = `override Feedback ${quote(id)}`
  requireFields(action, correction, ['value', 'rationale', 'source', 'metadata'])
  const fault = faultOfFeedback(correction)
  if (fault) throw new TypeError(`Cannot ${action}: ${fault}`)
  const store = storeToRead(options)
  const { kind, name, traceId } = await required(action, id, store)
  if (kind === 'expectation') {
    throw new TypeError(`Cannot ${action}: it is the expectation ${quote(name)}; updateAssessment() changes it`)
  }
  const { value, rationale, metadata, source = await person() } = correction
  const optional = { ...(rationale && { rationale }), ...(metadata && { metadata: present(metadata) }) }
  const write = { kind, name, value, ...optional, source, overrides: id, createdAt: nowMs() }
  return store.logAssessment(traceId, write)
}

/**
 * Changes an assessment where it stands, whether it is valid or has been overridden. Its kind, name, source and span cannot change, and what was there
 * before is gone: to correct what somebody else said, use `overrideFeedback`. A new value takes the place of an error.
 *
 * @throws TypeError for other fields, and for values that it cannot have
 * @throws EvaluationError ASSESSMENT_NOT_FOUND, STORE_…
 */
export async function updateAssessment(
  id: string,
  update: AssessmentUpdate,
  options: OpenOptions = {},
): Promise<Assessment> {
  const action = `update assessment ${quote(id)}`
  requireFields(action, update, ['value', 'rationale', 'metadata'])
  const { value, rationale, metadata } = update
  if (value === undefined && rationale === undefined && metadata === undefined) {
    throw new TypeError(`Cannot ${action}: there is nothing to change; give a value, rationale or metadata`)
  }
  const store = storeToRead(options)
  const { kind } = await required(action, id, store)
  if (kind === 'expectation' && value !== undefined) requireExpected(action, value)
  const judged = kind === 'expectation' || value === undefined ? true : (value as FeedbackValue)
  const fault = faultOfFeedback({ ...update, value: judged })
  if (fault) throw new TypeError(`Cannot ${action}: ${fault}`)
  const change: AssessmentChange = {
    updatedAt: nowMs(),
    ...(value !== undefined && { value }),
    ...(rationale !== undefined && { rationale }),
    ...(metadata && { metadata: present(metadata) }),
  }
  return (await store.updateAssessment(id, change)) ?? missing(action, store, id)
}

/**
 * Removes an assessment for good. What it had overridden is valid again; where it had been overridden itself, its place in the history closes.
 * @returns false when there is none (any more)
 * @throws EvaluationError STORE_…
 */
export async function deleteAssessment(id: string, options: OpenOptions = {}): Promise<boolean> {
  return storeToRead(options).deleteAssessment(id)
}

/**
 * Gives an assessment by its id, whether valid or not; undefined where there is none.
 * @throws EvaluationError STORE_…
 */
export async function getAssessment(id: string, options: OpenOptions = {}): Promise<Assessment | undefined> {
  return findAssessment(storeToRead(options), id)
}

/** Gives who is at work, as far as the machine can tell. */
export async function person(): Promise<AssessmentSource> {
  const folder = currentHost()?.settings.root ?? process.cwd()
  const id = process.env.VITEST_EVALUATE_USER?.trim() || (await gitUser(folder)) || systemUser()
  return { type: 'HUMAN', id }
}

/** A container may run as a number that no name belongs to. */
function systemUser(): string {
  try {
    return userInfo().username
  } catch {
    return 'unknown'
  }
}

const ENTRY_FIELDS = ['name', 'value', 'rationale', 'source', 'spanId', 'runId', 'metadata']

function requireEntry(action: string, traceId: string, entry: Said): void {
  requireFields(action, entry, ENTRY_FIELDS)
  if (typeof traceId !== 'string') {
    throw new TypeError(`Cannot ${action}: expected the id of a trace, found ${quote(traceId)}`)
  }
  const { name, runId } = entry
  if (typeof name !== 'string' || name === '') {
    throw new TypeError(`Cannot ${action}: "name" must be a text that is not empty, found ${quote(name)}`)
  }
  if (runId !== undefined && typeof runId !== 'string') {
    throw new TypeError(`Cannot ${action}: "runId" must be a string, found ${quote(runId)}`)
  }
}

function requireFields(action: string, given: object, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new TypeError(`Cannot ${action}: expected { ${known.join(', ')} }, found ${quote(given)}`)
  }
  const odd = Object.keys(given).find((key) => !known.includes(key))
  if (odd === undefined) return
  const hint = didYouMean(odd, known) || `; known are ${known.join(', ')}`
  throw new TypeError(`Cannot ${action}: there is no field ${quote(odd)} to give${hint}`)
}

function requireExpected(action: string, value: unknown): void {
  if (value === undefined || value === null) {
    throw new TypeError(`Cannot ${action}: its "value" must be given, found ${value}`)
  }
  try {
    encode(value, 'value')
  } catch (thrown) {
    if (!(thrown instanceof NotDataError)) throw thrown
    throw new TypeError(`Cannot ${action}: ${thrown.message}`)
  }
}

async function log(
  kind: AssessmentWrite['kind'],
  action: string,
  traceId: string,
  entry: FeedbackEntry | ExpectationEntry,
  options: OpenOptions,
): Promise<Assessment> {
  const store = storeToRead(options)
  const { name, value, rationale, spanId, runId, metadata, source = await person() } = entry
  await requirePlace(action, traceId, { spanId, runId }, store)
  return store.logAssessment(traceId, {
    kind,
    name,
    value,
    ...(rationale && { rationale }),
    source: { type: source.type, id: source.id },
    ...(spanId !== undefined && { spanId }),
    ...(runId !== undefined && { runId }),
    ...(metadata && { metadata: present(metadata) }),
    createdAt: nowMs(),
  })
}

/** Nothing may be attached where nobody will find it. */
async function requirePlace(
  action: string,
  traceId: string,
  { spanId, runId }: Pick<{ [K in keyof Said]-?: Said[K] | undefined }, 'spanId' | 'runId'>,
  store: Store,
): Promise<void> {
  const [found]: StoredTrace[] = await Array.fromAsync(
    store.search({ traceId, includeSpans: spanId !== undefined, limit: 1 }),
  )
  if (!found) {
    const message = `Cannot ${action}: ${store.location} has no trace ${quote(traceId)}`
    throw new EvaluationError('TRACE_NOT_FOUND', message, { hint: 'vitest-evaluate search lists the traces' })
  }
  if (spanId !== undefined && toTrace(found).searchSpans({ id: spanId }).length === 0) {
    throw new RangeError(`Cannot ${action}: trace ${quote(traceId)} has no span ${quote(spanId)}`)
  }
  if (runId === undefined) return
  if (!(await store.getRun(runId))) {
    throw new EvaluationError('RUN_NOT_FOUND', `Cannot ${action}: ${store.location} has no run ${quote(runId)}`)
  }
  if ((await store.count({ runId, traceId })) > 0) return
  const message = `Cannot ${action}: run ${quote(runId)} did not evaluate trace ${quote(traceId)}`
  throw new EvaluationError('TRACE_NOT_FOUND', message, { hint: 'without a run it belongs to the trace alone' })
}

async function required(action: string, id: string, store: Store): Promise<Assessment> {
  return (await findAssessment(store, id)) ?? missing(action, store, id)
}

function missing(action: string, store: Store, id: string): never {
  const hint = parseAssessmentId(id)
    ? 'it may have been deleted; vitest-evaluate feedback <trace> lists what there is'
    : 'the id of an assessment is that of its trace with a number, such as tr-….3'
  throw new EvaluationError('ASSESSMENT_NOT_FOUND', `Cannot ${action}: ${store.location} has no such assessment`, {
    hint,
  })
}

function present(metadata: Readonly<Record<string, Primitive>>): Record<string, Primitive> {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined && value !== null))
}
