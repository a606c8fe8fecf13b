import type { Assessment } from './feedback.ts'
import { decode, encode } from './std/json.ts'

/** The record of one execution: OpenTelemetry's meaning, MLflow's span types. */

/** What a span did. Any other word is allowed. */
export type SpanType =
  | 'LLM'
  | 'CHAIN'
  | 'AGENT'
  | 'TOOL'
  | 'CHAT_MODEL'
  | 'RETRIEVER'
  | 'PARSER'
  | 'EMBEDDING'
  | 'RERANKER'
  | 'MEMORY'
  | 'UNKNOWN'
  | 'WORKFLOW'
  | 'TASK'
  | 'GUARDRAIL'
  | 'EVALUATOR'
  | (string & {})

/** How an execution ended, if it has. */
export type TraceStatus = 'OK' | 'ERROR' | 'IN_PROGRESS'

/** Something that happened at one moment of a span. */
export interface SpanEvent {
  readonly name: string
  readonly timeNs: bigint
  readonly attributes: Readonly<Record<string, unknown>>
}

/** One step of an execution. */
export interface Span {
  /** 16 hex digits. */
  readonly id: string
  readonly parentId?: string
  readonly name: string
  readonly type: SpanType
  /** Nanoseconds since 1970. */
  readonly startTimeNs: bigint
  /** Nanoseconds since 1970; missing while the span runs. */
  readonly endTimeNs?: bigint
  readonly status: 'UNSET' | 'OK' | 'ERROR'
  readonly statusMessage?: string
  readonly inputs?: unknown
  readonly outputs?: unknown
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: readonly SpanEvent[]
}

/** Gives how long a span took in milliseconds, or undefined while it runs. */
export function spanDurationMs(span: Span): number | undefined {
  return span.endTimeNs === undefined ? undefined : Number(span.endTimeNs - span.startTimeNs) / 1e6
}

/** What a trace is made of. */
export interface TraceData {
  /** `tr-` and 32 hex digits for traces recorded here; imported ones keep their own. */
  readonly id: string
  readonly name?: string
  readonly experiment: string
  readonly status: TraceStatus
  /** Milliseconds since 1970. */
  readonly requestTimeMs: number
  readonly durationMs?: number
  readonly sessionId?: string
  readonly tags: Readonly<Record<string, string>>
  readonly metadata: Readonly<Record<string, string>>
  readonly inputs?: unknown
  readonly outputs?: unknown
  readonly spans: readonly Span[]
  readonly assessments: readonly Assessment[]
  /** The id of the row it is the record of, when an evaluation made it. */
  readonly rowId?: string
  /** The run that it was read from. */
  readonly runId?: string
}

/** What a span has to fit. */
export interface SpanQuery {
  readonly type?: SpanType | RegExp
  readonly name?: string | RegExp
  readonly id?: string
}

/** What an assessment has to fit. */
export interface AssessmentQuery {
  readonly name?: string
  readonly kind?: 'feedback' | 'expectation'
  readonly spanId?: string
  readonly runId?: string
  /** Also those that another one has replaced. @default false */
  readonly all?: boolean
}

/** The parts of a trace that are read only when somebody asks for them. */
interface TraceParts {
  inputs(): unknown
  outputs(): unknown
  spans(trace: Trace): readonly Span[]
}

/** A trace and the questions scorers ask of it. Read from a store or handed to a scorer, neither it nor its data can be changed. */
export class Trace implements TraceData {
  declare readonly id: string
  declare readonly name?: string
  declare readonly experiment: string
  declare readonly status: TraceStatus
  declare readonly requestTimeMs: number
  declare readonly durationMs?: number
  declare readonly sessionId?: string
  declare readonly tags: Readonly<Record<string, string>>
  declare readonly metadata: Readonly<Record<string, string>>
  declare readonly inputs?: unknown
  declare readonly outputs?: unknown
  /** In recorded order. */
  declare readonly spans: readonly Span[]
  declare readonly assessments: readonly Assessment[]
  declare readonly rowId?: string
  declare readonly runId?: string

  #parts: TraceParts | undefined
  readonly #read: { inputs?: unknown; outputs?: unknown; spans?: readonly Span[] } = {}

  static readonly #fields: PropertyDescriptorMap & ThisType<Trace> = {
    inputs: {
      get() {
        const read = this.#read
        if (!('inputs' in read)) read.inputs = this.#parts?.inputs()
        return read.inputs
      },
      enumerable: true,
    },
    outputs: {
      get() {
        const read = this.#read
        if (!('outputs' in read)) read.outputs = this.#parts?.outputs()
        return read.outputs
      },
      enumerable: true,
    },
    spans: {
      get() {
        const read = this.#read
        read.spans ??= this.#parts?.spans(this) ?? []
        return read.spans
      },
      enumerable: true,
    },
  }

  constructor(data: TraceData) {
    Object.assign(this, data)
  }

  /** Gives a trace that reads inputs, outputs and spans once, when they are looked at. */
  static lazy(data: Omit<TraceData, 'inputs' | 'outputs' | 'spans'>, parts: TraceParts): Trace {
    const trace = new Trace(data as TraceData)
    trace.#parts = parts
    // Fields of the trace itself, so that copies and comparisons see them.
    Object.defineProperties(trace, Trace.#fields)
    Object.freeze(trace)
    return trace
  }

  /** What `console.log` shows: the data, read. */
  [Symbol.for('nodejs.util.inspect.custom')](
    _depth: number,
    options: object,
    inspect: (value: unknown, options: object) => string,
  ): string {
    return `Trace ${inspect({ ...this }, options)}`
  }

  /** The first span without a parent. */
  get root(): Span | undefined {
    return this.spans.find((span) => span.parentId === undefined)
  }

  /** Gives the spans that fit every given condition, in recorded order. Strings match whole, a RegExp anywhere. */
  searchSpans(query: SpanQuery = {}): Span[] {
    return this.spans.filter(
      (span) =>
        fits(span.type, query.type) && fits(span.name, query.name) && (query.id === undefined || span.id === query.id),
    )
  }

  /** Gives the assessments that fit every given condition; without `all` only valid ones. */
  searchAssessments(query: AssessmentQuery = {}): Assessment[] {
    return this.assessments.filter(
      (assessment) =>
        (query.all || assessment.valid) &&
        (query.name === undefined || assessment.name === query.name) &&
        (query.kind === undefined || assessment.kind === query.kind) &&
        (query.spanId === undefined || assessment.spanId === query.spanId) &&
        (query.runId === undefined || assessment.runId === query.runId),
    )
  }

  /** The ground truth on the trace: the newest valid expectation of each name. */
  get expectations(): Record<string, unknown> {
    const newest = new Map<string, Assessment>()
    for (const assessment of this.searchAssessments({ kind: 'expectation' })) {
      const { name, createdAt } = assessment
      if (createdAt >= (newest.get(name)?.createdAt ?? Number.NEGATIVE_INFINITY)) newest.set(name, assessment)
    }
    return Object.fromEntries(Array.from(newest, ([name, { value }]) => [name, value]))
  }
}

function fits(text: string, wanted: string | RegExp | undefined): boolean {
  if (wanted === undefined) return true
  return typeof wanted === 'string' ? text === wanted : text.search(wanted) >= 0
}

/** Spans as the store keeps them: plain JSON with nanoseconds as text, since they do not fit a double. */
interface SpanText extends Omit<Span, 'startTimeNs' | 'endTimeNs' | 'events'> {
  readonly startTimeNs: string
  readonly endTimeNs?: string
  readonly events?: readonly { readonly name: string; readonly timeNs: string; readonly attributes: object }[]
}

/** Gives the text of spans for the store. */
export function encodeSpans(spans: readonly Span[]): string {
  return encode(
    spans.map(({ startTimeNs, endTimeNs, events, ...rest }) => ({
      ...rest,
      startTimeNs: String(startTimeNs),
      ...(endTimeNs !== undefined && { endTimeNs: String(endTimeNs) }),
      ...(events.length > 0 && { events: events.map((event) => ({ ...event, timeNs: String(event.timeNs) })) }),
    })),
  )
}

/** Reads back what `encodeSpans` wrote. */
export function decodeSpans(text: string): Span[] {
  return (decode(text) as SpanText[]).map(({ startTimeNs, endTimeNs, events = [], ...rest }) => ({
    ...rest,
    startTimeNs: BigInt(startTimeNs),
    ...(endTimeNs !== undefined && { endTimeNs: BigInt(endTimeNs) }),
    events: events.map((event) => ({
      ...event,
      timeNs: BigInt(event.timeNs),
      attributes: event.attributes as Record<string, unknown>,
    })),
  }))
}

/** Gives the id of the root span of a trace recorded here: the random half of the trace id. */
export function rootSpanId(traceId: string): string {
  return traceId.slice(-16).padStart(16, '0')
}
