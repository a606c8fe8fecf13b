import { around, surround } from './ambience.ts'
import { sessionOf } from './conventions.ts'
import { messageOf } from './errors.ts'
import { momentOf, monotonicMs } from './std/async.ts'
import { encode } from './std/json.ts'
import { newTraceId } from './std/random.ts'
import { encodeSpans, rootSpanId, type Span } from './trace.ts'

/**
 * Records what happens inside one row. Which trace is being recorded follows asynchronous calls, so that the app can open spans without
 * handing anything around.
 */

/** Where running code stands: in which trace, below which span. */
export interface Place {
  readonly recorder: TraceRecorder
  readonly spanId: string
}

/** What shows places to OpenTelemetry and sees its spans, while an evaluation listens. */
export interface Bridge {
  /** The place as OpenTelemetry's context tells it: it knows of spans that `span()` does not. */
  here(own: Place | undefined): Place | undefined
  /** Runs a function below the place, and so that OpenTelemetry takes the place's span for the active one. */
  within<T>(place: Place, fn: () => T): T
}

interface Holder {
  /** Traces that are being recorded and that OpenTelemetry knows of, by its trace id. */
  readonly live: Map<string, TraceRecorder>
  bridge?: Bridge | undefined
}

// On globalThis, because a test run may load this module twice: once for the app, once for the fixture.
const KEY = Symbol.for('vitest-evaluate.tracer')
const global = globalThis as { [KEY]?: Holder }
global[KEY] ??= { live: new Map() }
const holder = global[KEY]

/** Sets or takes away what stands between `span()` and OpenTelemetry. */
export function setBridge(bridge: Bridge | undefined): void {
  holder.bridge = bridge
}

/** Gives the place of the running code as `within` has set it. */
export function ownPlace(): Place | undefined {
  return around().place as Place | undefined
}

/** Gives the place of the running code. */
export function here(): Place | undefined {
  const own = ownPlace()
  return holder.bridge ? holder.bridge.here(own) : own
}

/** Gives the place where a trace begins, by its 32 hex digits, while it is being recorded and OpenTelemetry has been told of it. */
export function livePlace(traceId: string): Place | undefined {
  return holder.live.get(traceId)?.place
}

/** Runs a function so that what it opens, however deep, belongs below the place. */
export function within<T>(place: Place, fn: () => T): T {
  const { bridge } = holder
  return bridge ? bridge.within(place, fn) : surround({ ...around(), place }, fn)
}

/** Counts what came of the spans of a run's rows. */
export class Recording {
  /** Calls that were recorded. */
  calls = 0
  /** Spans that came through OpenTelemetry. */
  arrived = 0
  /** Spans that began after the trace of their row had ended: they are in none. */
  late = 0
}

/** A span that somebody else keeps, and that is read when its trace ends. */
export interface ForeignSpan {
  readonly ended: boolean
  read(): Span
}

/** A span while it is being filled in. */
export type MutableSpan = { -readonly [Key in keyof Span]: Span[Key] }

/** One trace while it is being recorded. Its root span is implied. */
export class TraceRecorder {
  readonly id: string = newTraceId()
  readonly started: number = monotonicMs()
  readonly #recording: Recording | undefined
  readonly #spans = new Map<string, MutableSpan | ForeignSpan>()
  #closed = false
  #announced = false

  constructor(recording?: Recording) {
    this.#recording = recording
  }

  /** Where it begins: at its root span. */
  get place(): Place {
    return { recorder: this, spanId: rootSpanId(this.id) }
  }

  /** Runs a function so that every span it opens, however deep, lands in this trace. */
  run<T>(fn: () => T): T {
    if (this.#recording) this.#recording.calls++
    return within(this.place, fn)
  }

  /** Gives its id as OpenTelemetry has it, by which `livePlace` finds it from now on. */
  announce(): string {
    const traceId = this.id.slice(3)
    if (!this.#announced && !this.#closed) {
      this.#announced = true
      holder.live.set(traceId, this)
    }
    return traceId
  }

  /** True for its root and for every span that it has recorded. */
  knows(spanId: string): boolean {
    return this.#spans.has(spanId) || spanId === rootSpanId(this.id)
  }

  /** Takes a span in; gives false where it comes too late, which is counted. */
  add(spanId: string, span: MutableSpan | ForeignSpan): boolean {
    const recording = this.#recording
    if (this.#closed) {
      if (recording) recording.late++
      return false
    }
    this.#spans.set(spanId, span)
    if (recording && 'read' in span) recording.arrived++
    return true
  }

  /** True while a span has not ended. */
  get waits(): boolean {
    for (const span of this.#spans.values()) {
      if ('read' in span ? !span.ended : span.endTimeNs === undefined) return true
    }
    return false
  }

  /** What begins from now on is late. */
  close(): void {
    this.#closed = true
    if (this.#announced) holder.live.delete(this.id.slice(3))
  }

  /** What a TraceWrite needs of time and spans. */
  finish(durationMs: number): {
    requestTimeMs: number
    requestTimeSubNs: number
    durationNs: number
    sessionId?: string
    spans: string
  } {
    this.close()
    const { ms, subNs } = momentOf(this.started)
    const spans = Array.from(this.#spans.values(), (span) => ('read' in span ? span.read() : span))
    const sessionId = spans.map(({ attributes }) => sessionOf(attributes)).find((id) => id !== undefined)
    return {
      requestTimeMs: ms,
      requestTimeSubNs: subNs,
      durationNs: Math.round(durationMs * 1e6),
      ...(sessionId !== undefined && { sessionId }),
      spans: spans.length === 0 ? '' : `[${spans.map(spanText).join(',')}]`,
    }
  }
}

/** A span's data may be anything; what cannot be kept is replaced by a note, since it must not cost the row. */
function spanText(span: Span): string {
  try {
    return encodeSpans([span]).slice(1, -1)
  } catch {
    const keepable = {
      ...span,
      ...('inputs' in span && { inputs: kept(span.inputs) }),
      ...('outputs' in span && { outputs: kept(span.outputs) }),
      attributes: keptFields(span.attributes),
      events: span.events.map((event) => ({ ...event, attributes: keptFields(event.attributes) })),
    }
    return encodeSpans([keepable]).slice(1, -1)
  }
}

function kept(value: unknown): unknown {
  try {
    encode(value)
    return value
  } catch (error) {
    return `(not kept: ${messageOf(error)})`
  }
}

function keptFields(fields: Span['attributes']): Span['attributes'] {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, kept(value)]))
}
