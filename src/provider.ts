import type * as Otel from '@opentelemetry/api'
import { around, surround } from './ambience.ts'
import { endSpan, type OtelSpan, PLACE, placeIn, takeSpan } from './processor.ts'
import type { Place } from './recorder.ts'
import { momentOf, monotonicMs } from './std/async.ts'
import { newSpanId } from './std/random.ts'

/**
 * The least that OpenTelemetry's API needs to record: for apps that have no SDK, or none in their tests. Nothing is exported, and outside a
 * row nothing is recorded.
 */

export type Api = typeof Otel

/** Hands out tracers. Once retired they pass on to whatever provider the app has by then. */
export class LightTracerProvider implements Otel.TracerProvider {
  readonly #api: Api
  #retired = false

  constructor(api: Api) {
    this.#api = api
  }

  get retired(): boolean {
    return this.#retired
  }

  retire(): void {
    this.#retired = true
  }

  getTracer(name: string, version?: string, options?: Otel.TracerOptions): Otel.Tracer {
    const elsewhere = (): Otel.Tracer => this.#api.trace.getTracerProvider().getTracer(name, version, options)
    const scope = version === undefined ? { name } : { name, version }
    return new LightTracer(this.#api, scope, () => (this.#retired ? elsewhere() : undefined))
  }
}

class LightTracer implements Otel.Tracer {
  readonly #api: Api
  readonly #scope: Scope
  readonly #elsewhere: () => Otel.Tracer | undefined

  constructor(api: Api, scope: Scope, elsewhere: () => Otel.Tracer | undefined) {
    this.#api = api
    this.#scope = scope
    this.#elsewhere = elsewhere
  }

  startSpan(name: string, options: Otel.SpanOptions = {}, context = this.#api.context.active()): Otel.Span {
    const other = this.#elsewhere()
    if (other) return other.startSpan(name, options, context)
    const { trace, INVALID_SPAN_CONTEXT } = this.#api
    const parent = options.root ? undefined : trace.getSpanContext(context)
    const place = placeIn(context, parent)
    if (!place) return trace.wrapSpanContext(parent ?? INVALID_SPAN_CONTEXT)
    const ids = { traceId: place.recorder.announce(), spanId: newSpanId(), traceFlags: 1 }
    const span = new LightSpan(name, ids, options, parent, this.#scope)
    takeSpan(span, context)
    return span
  }

  startActiveSpan<F extends (span: Otel.Span) => unknown>(name: string, ...rest: unknown[]): ReturnType<F> {
    const { context, trace } = this.#api
    const fn = rest.pop() as F
    const [options, given] = rest as [Otel.SpanOptions | undefined, Otel.Context | undefined]
    const around = given ?? context.active()
    const span = this.startSpan(name, options ?? {}, around)
    return context.with(trace.setSpan(around, span), () => fn(span)) as ReturnType<F>
  }
}

type HrTime = [number, number]

/** The library that a tracer was handed out to. */
interface Scope {
  readonly name: string
  readonly version?: string
}

class LightSpan implements Otel.Span, OtelSpan {
  name: string
  readonly kind: number
  readonly startTime: HrTime
  endTime: HrTime = [0, 0]
  ended = false
  status: Otel.SpanStatus = { code: 0 }
  readonly attributes: Otel.Attributes = {}
  readonly events: { name: string; time: HrTime; attributes?: object }[] = []
  readonly links: Otel.Link[] = []
  readonly parentSpanContext: Otel.SpanContext | undefined
  readonly instrumentationScope: Scope
  readonly #ids: Otel.SpanContext

  constructor(
    name: string,
    ids: Otel.SpanContext,
    options: Otel.SpanOptions,
    parent: Otel.SpanContext | undefined,
    scope: Scope,
  ) {
    this.name = name
    this.#ids = ids
    this.kind = options.kind ?? 0
    this.startTime = hrTime(options.startTime)
    this.parentSpanContext = parent
    this.instrumentationScope = scope
    this.addLinks(options.links ?? [])
    this.setAttributes(options.attributes ?? {})
  }

  spanContext(): Otel.SpanContext {
    return this.#ids
  }

  setAttribute(key: string, value: Otel.AttributeValue): this {
    if (!this.ended && value !== undefined && value !== null) this.attributes[key] = value
    return this
  }

  setAttributes(attributes: Otel.Attributes): this {
    for (const [key, value] of Object.entries(attributes)) this.setAttribute(key, value as Otel.AttributeValue)
    return this
  }

  addEvent(name: string, second?: Otel.Attributes | Otel.TimeInput, third?: Otel.TimeInput): this {
    const isTime = typeof second === 'number' || Array.isArray(second) || second instanceof Date
    const attributes = isTime ? {} : { ...(second as Otel.Attributes) }
    if (!this.ended) this.events.push({ name, time: hrTime(isTime ? (second as Otel.TimeInput) : third), attributes })
    return this
  }

  addLink(link: Otel.Link): this {
    return this.addLinks([link])
  }

  addLinks(links: readonly Otel.Link[]): this {
    if (!this.ended) this.links.push(...links)
    return this
  }

  setStatus(status: Otel.SpanStatus): this {
    if (!this.ended) this.status = { ...status }
    return this
  }

  updateName(name: string): this {
    if (!this.ended) this.name = name
    return this
  }

  recordException(exception: Otel.Exception, time?: Otel.TimeInput): void {
    const { name, code, message, stack } =
      typeof exception === 'string' ? ({ message: exception } as Exclude<Otel.Exception, string>) : exception
    const type = code === undefined ? name : String(code)
    const attributes = {
      ...(type !== undefined && { 'exception.type': type }),
      ...(message !== undefined && { 'exception.message': message }),
      ...(stack !== undefined && { 'exception.stacktrace': stack }),
    }
    this.addEvent('exception', attributes, time)
  }

  isRecording(): boolean {
    return !this.ended
  }

  end(time?: Otel.TimeInput): void {
    if (this.ended) return
    this.endTime = hrTime(time)
    this.ended = true
    endSpan(this)
  }
}

/** More milliseconds than a process runs: such a number counts from 1970. */
const EPOCH_MS = 1e11

/** Reads what OpenTelemetry takes for a time: a pair, a date, milliseconds since 1970 or since the process began; now, where there is none. */
function hrTime(time?: Otel.TimeInput): HrTime {
  if (Array.isArray(time)) return [time[0], time[1]]
  const given = time instanceof Date ? time.getTime() : time
  if (given === undefined || !Number.isFinite(given) || given < 0) return split(momentOf(monotonicMs()))
  if (given < EPOCH_MS) return split(momentOf(given))
  const ms = Math.floor(given)
  return split({ ms, subNs: Math.min(999_999, Math.round((given - ms) * 1e6)) })
}

function split({ ms, subNs }: { readonly ms: number; readonly subNs: number }): HrTime {
  return [Math.floor(ms / 1_000), (ms % 1_000) * 1_000_000 + subNs]
}

/** What is kept of a context. */
interface Standing {
  readonly context: Otel.Context
  /** The last one that the app has set itself. */
  readonly base: Otel.Context
}

/** Goes with every span below a row, also into what the app exports: a receiver of ours leaves to the run what belongs to its rows. */
const OF_ROW = 'vitest-evaluate=row'

/** Gives the context in which a place's span is the active one. */
export function contextOf({ trace, createTraceState }: Api, place: Place, base: Otel.Context): Otel.Context {
  const traceState = createTraceState(OF_ROW)
  const ids = { traceId: place.recorder.announce(), spanId: place.spanId, traceFlags: 1, traceState }
  return trace.setSpanContext(base.setValue(PLACE, place), ids)
}

/** The context of a place, made when somebody asks for it: most rows never do. */
class PlaceContext implements Standing {
  readonly base: Otel.Context
  readonly #api: Api
  readonly #place: Place
  #made: Otel.Context | undefined

  constructor(api: Api, place: Place, base: Otel.Context) {
    this.#api = api
    this.#place = place
    this.base = base
  }

  get context(): Otel.Context {
    this.#made ??= contextOf(this.#api, this.#place, this.base)
    return this.#made
  }
}

/** Keeps OpenTelemetry's context across asynchronous calls, for apps that have nothing of the kind. */
export class LightContextManager implements Otel.ContextManager {
  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
  }

  active(): Otel.Context {
    return this.#standing?.context ?? this.#api.ROOT_CONTEXT
  }

  get #standing(): Standing | undefined {
    return around().context as Standing | undefined
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Otel.Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return stand({ context, base: context }, () => fn.apply(thisArg, args))
  }

  /** Runs a function below a place, whose span is the active one there. */
  within<T>(place: Place, fn: () => T): T {
    const base = this.#standing?.base ?? this.#api.ROOT_CONTEXT
    return surround({ ...around(), place, context: new PlaceContext(this.#api, place, base) }, fn)
  }

  bind<T>(context: Otel.Context, target: T): T {
    if (typeof target !== 'function') return target
    const bound = function (this: unknown, ...args: unknown[]): unknown {
      return stand({ context, base: context }, () => target.apply(this, args))
    }
    Object.defineProperty(bound, 'length', { value: target.length, configurable: true })
    return bound as T
  }

  enable(): this {
    return this
  }

  disable(): this {
    return this
  }
}

function stand<T>(context: Standing, fn: () => T): T {
  return surround({ ...around(), context }, fn)
}
