import { normaliseSpan } from './conventions.ts'
import { messageOf } from './errors.ts'
import { livePlace, ownPlace, type Place, type TraceRecorder } from './recorder.ts'
import { nowNs } from './std/async.ts'
import type { Span, SpanEvent } from './trace.ts'

/** Seconds and nanoseconds. */
type HrTime = readonly [number, number]

/** The instrumentation that a span comes from. */
interface Scope {
  readonly name: string
  readonly version?: string | undefined
}

/** A span as OpenTelemetry's SDKs hand it to processors, as far as it is read here: majors 1, 2 and 3 alike. */
export interface OtelSpan {
  spanContext(): { readonly traceId: string; readonly spanId: string }
  readonly name: string
  readonly kind?: number
  readonly startTime: HrTime
  readonly endTime: HrTime
  readonly status: { readonly code: number; readonly message?: string | undefined }
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: readonly { readonly name: string; readonly time: HrTime; readonly attributes?: object | undefined }[]
  readonly links?: readonly { readonly context: { readonly traceId: string; readonly spanId: string } }[]
  /** SDK 2 and 3. */
  readonly instrumentationScope?: Scope | undefined
  /** SDK 1. */
  readonly instrumentationLibrary?: Scope | undefined
  /** SDK 2 and 3. */
  readonly parentSpanContext?: { readonly spanId: string } | undefined
  /** SDK 1. */
  readonly parentSpanId?: string | undefined
}

/** What is read of OpenTelemetry's context. */
export interface OtelContext {
  getValue(key: symbol): unknown
}

/** Under which a context carries the place of the row. */
export const PLACE: unique symbol = Symbol.for('vitest-evaluate.place')

/**
 * Gives the place that a context leads to: by the row that it carries, by its trace, or, where the app has lost the context on the way, by the
 * asynchronous call that is running.
 */
export function placeIn(
  context: OtelContext,
  active: { readonly traceId: string; readonly spanId: string } | undefined,
  own: Place | undefined = ownPlace(),
): Place | undefined {
  const carried = context.getValue(PLACE) as Place | undefined
  const place = carried ?? (active && livePlace(active.traceId)) ?? own
  if (!place || !active || active.spanId === place.spanId || !place.recorder.knows(active.spanId)) return place
  return { recorder: place.recorder, spanId: active.spanId }
}

// On globalThis, because the app's instrumentation and the evaluation may have loaded this module each for itself.
const KEY = Symbol.for('vitest-evaluate.processor')
const holder = globalThis as { [KEY]?: { made: number; readonly open: Map<string, Taken> } }
holder[KEY] ??= { made: 0, open: new Map() }
const state = holder[KEY]

/** Tells whether the app has made a processor of ours. */
export function hasProcessor(): boolean {
  return state.made > 0
}

/** A span on its way; what its end hands over may be another object, where the app has changed it. */
class Taken {
  readonly #parentId: string
  #span: OtelSpan
  #ended = false

  constructor(span: OtelSpan, parentId: string) {
    this.#span = span
    this.#parentId = parentId
  }

  get ended(): boolean {
    return this.#ended
  }

  end(span: OtelSpan): void {
    this.#span = span
    this.#ended = true
  }

  read(): Span {
    if (!this.#ended) state.open.delete(this.#span.spanContext().spanId)
    try {
      return normaliseSpan(toSpan(this.#span, this.#parentId, this.#ended))
    } catch (thrown) {
      // What an app puts into its spans must not cost the row.
      return unreadable(this.#span, this.#parentId, thrown)
    }
  }
}

/** Takes a span that begins into the trace of its row, if it belongs to one. */
export function takeSpan(span: OtelSpan, context: OtelContext): TraceRecorder | undefined {
  const { traceId, spanId } = span.spanContext()
  const parentId = span.parentSpanContext?.spanId ?? span.parentSpanId
  const place = placeIn(context, parentId === undefined ? undefined : { traceId, spanId: parentId })
  if (!place) return undefined
  const taken = new Taken(span, place.spanId)
  if (place.recorder.add(spanId, taken)) state.open.set(spanId, taken)
  return place.recorder
}

/** Takes note of a span's end. */
export function endSpan(span: OtelSpan): void {
  const { spanId } = span.spanContext()
  state.open.get(spanId)?.end(span)
  state.open.delete(spanId)
}

/**
 * A span processor for apps with a tracer provider of their own: what their instrumentation emits while a row is being evaluated lands in the
 * row's trace as well; everything else it leaves alone. Works with the OpenTelemetry SDK of the majors 1, 2 and 3.
 *
 * @example
 * const provider = new NodeTracerProvider({ spanProcessors: [yourProcessor, new EvaluateSpanProcessor()] })
 */
export class EvaluateSpanProcessor {
  constructor() {
    state.made++
  }

  onStart(span: OtelSpan, parentContext: OtelContext): void {
    takeSpan(span, parentContext)
  }

  onEnd(span: OtelSpan): void {
    endSpan(span)
  }

  /** Settles at once: nothing is held back. */
  async forceFlush(): Promise<void> {}

  /** Settles at once: there is nothing to let go of. */
  async shutdown(): Promise<void> {}
}

const STATUS = ['UNSET', 'OK', 'ERROR'] as const

function toSpan(span: OtelSpan, parentId: string, ended: boolean): Span {
  const { name, startTime, endTime, status, attributes } = span
  return {
    id: span.spanContext().spanId,
    parentId,
    name,
    type: 'UNKNOWN',
    startTimeNs: nanoseconds(startTime),
    ...(ended && { endTimeNs: nanoseconds(endTime) }),
    status: STATUS[status.code] ?? 'UNSET',
    ...(status.message && { statusMessage: status.message }),
    attributes: { ...attributes, ...besides(span) },
    events: span.events.map(
      ({ name, time, attributes = {} }): SpanEvent => ({
        name,
        timeNs: nanoseconds(time),
        attributes: attributes as SpanEvent['attributes'],
      }),
    ),
  }
}

const KINDS = ['INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER']

/** What OpenTelemetry says of a span beside its attributes, under the names that imports use for it. */
function besides({ kind = 0, links = [], ...span }: OtelSpan): Record<string, unknown> {
  const { name, version } = span.instrumentationScope ?? span.instrumentationLibrary ?? {}
  return {
    ...(name && { 'otel.scope.name': name }),
    ...(version && { 'otel.scope.version': version }),
    ...(kind > 0 && { 'otel.kind': KINDS[kind] ?? kind }),
    ...(links.length > 0 && {
      'otel.links': links.map(({ context: { traceId, spanId } }) => ({ traceId, spanId })),
    }),
  }
}

function unreadable(span: OtelSpan, parentId: string, thrown: unknown): Span {
  return {
    id: span.spanContext().spanId,
    parentId,
    name: String(span.name),
    type: 'UNKNOWN',
    startTimeNs: nowNs(),
    status: 'UNSET',
    attributes: { 'vitest-evaluate.problem': `the span cannot be read: ${messageOf(thrown)}` },
    events: [],
  }
}

function nanoseconds([seconds, rest]: HrTime): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(rest)
}
