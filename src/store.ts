import { type AssessmentChange, type AssessmentWrite, parseAssessmentId } from './assessment.ts'
import { normaliseSpan } from './conventions.ts'
import type { Assessment, AssessmentError } from './feedback.ts'
import type { FilterNode } from './filter.ts'
import type { SortKey, TraceOrder } from './order.ts'
import type { Queue } from './queue.ts'
import type { Registry } from './registry.ts'
import type { RunRecord } from './run.ts'
import { decode, encode, frozen } from './std/json.ts'
import { decodeSpans, encodeSpans, rootSpanId, type Span, Trace, type TraceWrite } from './trace.ts'

export type { AssessmentChange, AssessmentWrite } from './assessment.ts'
export type { TraceWrite } from './trace.ts'

/**
 * Keeps runs, traces and assessments. Data (inputs, outputs, expectations, spans) comes in and goes out as text made by
 * `encode`: whoever makes it pays for it once, and no store can change it.
 */
export interface Store extends Registry, Queue {
  /** The file, or `memory`: for messages and reports. */
  readonly location: string

  /** Makes ready for the first write, where that takes time; opens nothing. */
  prepare?(): void
  createRun(run: RunRecord): Promise<void>
  /**
   * Replaces the record of a run; how many changes to its Feedback are not counted yet (`uncounted`) stays.
   * @param was replaces the whole record, and only while it is still this one
   * @returns false where it is not
   */
  updateRun(run: RunRecord, was?: RunRecord): Promise<boolean>
  getRun(id: string): Promise<RunRecord | undefined>
  /** Gives runs, newest first. */
  listRuns(query?: RunQuery): Promise<RunRecord[]>

  /**
   * Hands one finished trial over. It is kept within 50 ms without being waited for; a promise comes back only when the store has
   * fallen behind, and settles when there is room again.
   * @throws EvaluationError STORE_NOT_WRITABLE when an earlier write failed
   */
  writeTrial(runId: string, trial: TrialWrite): Promise<void> | undefined
  /**
   * Keeps traces that no evaluation made, all or none; several hundred at once go fastest. Writing one that is there already changes nothing.
   * @returns how many were not there yet
   */
  writeTraces(traces: readonly TraceRecord[]): Promise<number>
  /**
   * Settles when everything handed over is safe.
   * @param runId throws only what went wrong with this run
   */
  flush(runId?: string): Promise<void>

  /** Gives traces page by page: those of a run in the order of its rows, others newest first. */
  search(query: TraceQuery): AsyncIterable<StoredTrace>
  count(query: TraceQuery): Promise<number>
  /** Gives the trials of a run without their data, in the order of the rows. */
  trials(runId: string): Promise<readonly TrialPlace[]>

  /**
   * Adds an assessment. One that overrides another makes that one invalid and belongs to the same run, scorer and span; where that one has been
   * overridden before, it takes the place of what stands there now. Within a run a second Feedback of one name on one trace overrides the first, unless a scorer gives it.
   *
   * Whatever changes Feedback of a run, this or the methods below, adds one to the `uncounted` of the run's record; what its scorers add does not.
   * @throws EvaluationError TRACE_NOT_FOUND, RUN_NOT_FOUND; ASSESSMENT_NOT_FOUND when there is none to override on this trace
   */
  logAssessment(traceId: string, assessment: AssessmentWrite): Promise<Assessment>
  /** Changes an assessment where it stands, whether valid or not. Gives undefined when there is none. */
  updateAssessment(id: string, change: AssessmentChange): Promise<Assessment | undefined>
  /**
   * Removes an assessment. What it had overridden is valid again, unless something overrides the removed one: that then overrides what the removed
   * one had. Gives false when there was none.
   */
  deleteAssessment(id: string): Promise<boolean>

  /** Settles when everything is safe and the store has let go of its file. */
  close(): Promise<void>
}

export interface RunQuery {
  readonly experiment?: string
  readonly name?: string
  readonly limit?: number
}

export interface TraceQuery {
  /** Traces that this run evaluated; `feedback.x` in the filter then means this run's. */
  readonly runId?: string
  readonly experiment?: string
  readonly filter?: FilterNode
  readonly traceId?: string
  /** Only these; several hundred at most. */
  readonly traceIds?: readonly string[]
  readonly sessionId?: string
  readonly rowId?: string
  /** Rows from this place on; for searches of a run. */
  readonly fromIndex?: number
  readonly limit?: number
  /** @default true */
  readonly includeSpans?: boolean
  /** @default the order of the rows in a run, elsewhere newest first */
  readonly orderBy?: readonly TraceOrder[]
  /** Only what comes after this place: the `sortKey` of a trace. */
  readonly after?: SortKey
}

/** A trace with what is known about it. */
export interface TraceRecord {
  readonly trace: TraceWrite
  readonly assessments: readonly AssessmentWrite[]
}

/** One row's outcome in one run. */
export interface TrialWrite {
  readonly index: number
  readonly repeat: number
  readonly rowId: string
  readonly status: 'ok' | 'failed'
  readonly error?: AssessmentError
  /** Calls of predict, the repeated ones included; 0 where there was none. */
  readonly attempts: number
  /** The trace whose row this one evaluates again. */
  readonly parentTraceId?: string
  /** The row's trace; one that the store already has is only linked to the run. */
  readonly trace: TraceWrite
  /** Expectations that such a trace already has, with the same value, are not kept twice. */
  readonly assessments: readonly AssessmentWrite[]
}

export interface StoredTrial extends Omit<TrialWrite, 'trace' | 'assessments'> {
  readonly runId: string
}

/** Where a row stands in a run, and how it ended. */
export type TrialPlace = Pick<TrialWrite, 'index' | 'repeat' | 'rowId' | 'status'>

/** What a search finds. */
export interface StoredTrace {
  readonly trace: TraceWrite
  /** The trial of the run that was searched; none outside a run. */
  readonly trial?: StoredTrial
  /** Inside a run: this run's, and the trace's expectations. */
  readonly assessments: readonly Assessment[]
}

/** Gives the trace as scorers and users see it. */
export function toTrace({ trace, trial, assessments }: StoredTrace): Trace {
  return readTrace(trace, frozen(assessments), trial)
}

/** Gives the trace of a record: its data is read when somebody asks for it, and nobody can change what another one sees. */
export function readTrace(trace: TraceWrite, assessments: readonly Assessment[], trial?: StoredTrial): Trace {
  const read = (text: string | undefined): unknown => (text === undefined ? undefined : frozen(decode(text)))
  const { id, name, experiment, status, requestTimeMs, durationNs, sessionId, tags, metadata } = trace
  const data = {
    id,
    ...(name !== undefined && { name }),
    experiment,
    status,
    requestTimeMs,
    ...(durationNs !== undefined && { durationMs: durationNs / 1e6 }),
    ...(sessionId !== undefined && { sessionId }),
    tags: Object.freeze({ ...tags }),
    metadata: Object.freeze({ ...metadata }),
    assessments,
    ...(trial && { rowId: trial.rowId, runId: trial.runId }),
  }
  return Trace.lazy(data, {
    inputs: () => read(trace.inputs),
    outputs: () => read(trace.outputs),
    spans: ({ inputs, outputs }) => frozen(spansOf(trace, inputs, outputs)),
  })
}

/** Gives a trace that was handed in as data the form a store takes. @throws NotDataError */
export function toTraceWrite(trace: Trace): TraceWrite {
  const { id, experiment, name, status, requestTimeMs, durationMs, sessionId, tags, metadata, spans } = trace
  return {
    id,
    experiment,
    ...(name !== undefined && { name }),
    status,
    requestTimeMs,
    requestTimeSubNs: 0,
    ...(durationMs !== undefined && { durationNs: Math.round(durationMs * 1e6) }),
    ...(sessionId !== undefined && { sessionId }),
    tags,
    metadata,
    ...(trace.inputs !== undefined && { inputs: encode(trace.inputs) }),
    ...(trace.outputs !== undefined && { outputs: encode(trace.outputs) }),
    spans: encodeSpans(spans),
  }
}

/** Gives the spans of a trace as they are kept, with the root that is implied. */
export function storedSpans(trace: TraceWrite): Span[] {
  const { inputs, outputs } = trace
  return spansOf(
    trace,
    inputs === undefined ? undefined : decode(inputs),
    outputs === undefined ? undefined : decode(outputs),
  )
}

function spansOf(trace: TraceWrite, inputs: unknown, outputs: unknown): Span[] {
  const spans = trace.spans === '' ? [] : decodeSpans(trace.spans).map(normaliseSpan)
  return spans.some((span) => span.parentId === undefined) ? spans : [impliedRoot(trace, inputs, outputs), ...spans]
}

/** The root span of a row is not stored: everything about it stands in the trace. */
function impliedRoot(trace: TraceWrite, inputs: unknown, outputs: unknown): Span {
  const startTimeNs = BigInt(trace.requestTimeMs) * 1_000_000n + BigInt(trace.requestTimeSubNs)
  return {
    id: rootSpanId(trace.id),
    name: trace.name ?? 'row',
    type: 'CHAIN',
    startTimeNs,
    ...(trace.durationNs !== undefined && { endTimeNs: startTimeNs + BigInt(trace.durationNs) }),
    status: trace.status === 'IN_PROGRESS' ? 'UNSET' : trace.status,
    inputs,
    outputs,
    attributes: {},
    events: [],
  }
}

/** Gives an assessment by its id, as it stands in a store. */
export async function findAssessment(store: Pick<Store, 'search'>, id: string): Promise<Assessment | undefined> {
  const { traceId } = parseAssessmentId(id) ?? {}
  if (traceId === undefined) return undefined
  for await (const { assessments } of store.search({ traceId, includeSpans: false })) {
    return assessments.find((one) => one.id === id)
  }
  return undefined
}

/** Inside a run there are this run's Feedback and the trace's expectations; elsewhere everything. */
export function inScope(assessment: Pick<Assessment, 'kind' | 'runId'>, runId: string | undefined): boolean {
  return runId === undefined || assessment.kind === 'expectation' || assessment.runId === runId
}
