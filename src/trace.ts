import { type ToolCall, toolCallsAmong } from './calls.ts'
import { documentsAmong, type FoundDocument } from './documents.ts'
import type { Assessment } from './feedback.ts'
import type { Span, SpanType } from './span.ts'
import { type TraceUsage, usageTotals } from './usage.ts'

export {
  decodeSpans,
  encodeSpans,
  type Span,
  type SpanEvent,
  type SpanType,
  spanDurationMs,
} from './span.ts'

/** The record of one execution: OpenTelemetry's meaning, MLflow's span types. */

/** How an execution ended, if it has. */
export type TraceStatus = 'OK' | 'ERROR' | 'IN_PROGRESS'

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

/** A trace on its way into the store. */
export interface TraceWrite {
  readonly id: string
  readonly experiment: string
  readonly name?: string
  readonly status: TraceStatus
  /** Milliseconds since 1970. */
  readonly requestTimeMs: number
  /** What the start has beyond `requestTimeMs`, nanoseconds, 0 to 999,999. */
  readonly requestTimeSubNs: number
  readonly durationNs?: number
  readonly sessionId?: string
  readonly tags: Readonly<Record<string, string>>
  readonly metadata: Readonly<Record<string, string>>
  /** Encoded; missing where the trace has none. */
  readonly inputs?: string
  readonly outputs?: string
  /** Encoded spans; the root may be left out, and an empty text stands for a trace with nothing but its root. */
  readonly spans: string
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

  static readonly #fields: Readonly<Record<'inputs' | 'outputs' | 'spans', PropertyDescriptor & ThisType<Trace>>> = {
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
    // Fields of the trace itself, so that copies and comparisons see them. One by one: all at once takes twice as long, and every row has a trace.
    Object.defineProperty(trace, 'inputs', Trace.#fields.inputs)
    Object.defineProperty(trace, 'outputs', Trace.#fields.outputs)
    Object.defineProperty(trace, 'spans', Trace.#fields.spans)
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

  /** The spans without a parent, or whose parent is not here: imported traces may have several. In recorded order. */
  get roots(): readonly Span[] {
    const ids = new Set(this.spans.map(({ id }) => id))
    return this.spans.filter(({ parentId }) => parentId === undefined || !ids.has(parentId))
  }

  /** The first span without a parent, else the first whose parent is not here. */
  get root(): Span | undefined {
    return this.spans.find((span) => span.parentId === undefined) ?? this.roots[0]
  }

  /** What the app was asked: the trace's inputs, else those of its root. */
  get request(): unknown {
    return this.inputs ?? this.root?.inputs
  }

  /** What the app answered: the trace's outputs, else those of its root. */
  get response(): unknown {
    return this.outputs ?? this.root?.outputs
  }

  /** Tokens and cost of all its spans; an outer span that sums up its inner ones is not counted again. */
  get tokenUsage(): TraceUsage {
    return usageTotals(this.spans)
  }

  /** Gives the tools that were called, or that a model wanted called, once each. */
  toolCalls(): ToolCall[] {
    return toolCallsAmong(this.spans)
  }

  /**
   * Gives what the spans of type RETRIEVER found.
   * @throws TypeError that names the span and what was found, when its outputs hold no documents that can be read: an empty context would
   * look like a fault of the app
   */
  retrievedDocuments(): FoundDocument[] {
    return documentsAmong(this.spans)
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

/** Gives the id of the root span of a trace recorded here: the random half of the trace id. */
export function rootSpanId(traceId: string): string {
  return traceId.slice(-16).padStart(16, '0')
}
