import { AsyncLocalStorage } from 'node:async_hooks'
import { messageOf } from './errors.ts'
import { isThenable, momentOf, monotonicMs, nowNs } from './std/async.ts'
import { encode } from './std/json.ts'
import { newSpanId, newTraceId } from './std/random.ts'
import { encodeSpans, rootSpanId, type Span, type SpanType } from './trace.ts'

/**
 * Records what happens inside one row. Which trace is being recorded is the one ambient thing there is: it follows asynchronous
 * calls, so that the app can open spans without handing anything around.
 */

interface Active {
  readonly recorder: TraceRecorder
  readonly spanId: string
}

// On globalThis, because a test run may load this module twice: once for the app, once for the fixture.
const KEY = Symbol.for('vitest-evaluate.tracer')
const holder = globalThis as { [KEY]?: AsyncLocalStorage<Active> }
holder[KEY] ??= new AsyncLocalStorage<Active>()
const storage = holder[KEY]

type MutableSpan = { -readonly [Key in keyof Span]: Span[Key] }

/** One trace while it is being recorded. Its root span is implied. */
export class TraceRecorder {
  readonly id: string = newTraceId()
  readonly started: number = monotonicMs()
  readonly spans: MutableSpan[] = []

  /** Runs a function so that every span it opens, however deep, lands in this trace. */
  run<T>(fn: () => T): T {
    return storage.run({ recorder: this, spanId: rootSpanId(this.id) }, fn)
  }

  /** What a TraceWrite needs of time and spans. */
  finish(durationMs: number): { requestTimeMs: number; requestTimeSubNs: number; durationNs: number; spans: string } {
    const { ms, subNs } = momentOf(this.started)
    const spans = this.spans.length === 0 ? '' : encodeSpans(this.spans.map(keepable))
    return { requestTimeMs: ms, requestTimeSubNs: subNs, durationNs: Math.round(durationMs * 1e6), spans }
  }
}

/** A span's data may be anything; what cannot be kept is replaced by a note, since it must not cost the row. */
function keepable(span: Span): Span {
  const keep = (value: unknown): unknown => {
    try {
      encode(value)
      return value
    } catch (error) {
      return `(not kept: ${messageOf(error)})`
    }
  }
  return {
    ...span,
    ...('inputs' in span && { inputs: keep(span.inputs) }),
    ...('outputs' in span && { outputs: keep(span.outputs) }),
    attributes: keep(span.attributes) as Span['attributes'],
  }
}

/** What a span is besides its name. */
export interface SpanOptions {
  /** @default 'UNKNOWN' */
  readonly type?: SpanType
  readonly inputs?: unknown
  readonly attributes?: Readonly<Record<string, unknown>>
}

/** A span while it runs. */
export interface OpenSpan {
  setInputs(inputs: unknown): void
  /** Overrides what the function returns. */
  setOutputs(outputs: unknown): void
  setAttributes(attributes: Readonly<Record<string, unknown>>): void
}

const NO_SPAN: OpenSpan = { setInputs() {}, setOutputs() {}, setAttributes() {} }

/**
 * Runs a function as a span of the row that is being evaluated: its time, its result or its error are recorded under the span that is
 * open around it. Outside an evaluation it only runs the function.
 *
 * @example
 * const documents = await span('search', { type: 'RETRIEVER', inputs: { query } }, () => index.search(query))
 */
export function span<T>(name: string, fn: (span: OpenSpan) => T): T
export function span<T>(name: string, options: SpanOptions, fn: (span: OpenSpan) => T): T
export function span<T>(name: string, second: SpanOptions | ((span: OpenSpan) => T), third?: (span: OpenSpan) => T): T {
  const [options, fn] = typeof second === 'function' ? [{}, second] : [second, third as (span: OpenSpan) => T]
  const active = storage.getStore()
  if (!active) return fn(NO_SPAN)
  const record: MutableSpan = {
    id: newSpanId(),
    parentId: active.spanId,
    name,
    type: options.type ?? 'UNKNOWN',
    startTimeNs: nowNs(),
    status: 'UNSET',
    attributes: { ...options.attributes },
    events: [],
    ...('inputs' in options && { inputs: options.inputs }),
  }
  active.recorder.spans.push(record)
  return storage.run({ recorder: active.recorder, spanId: record.id }, () => observe(record, fn))
}

function observe<T>(record: MutableSpan, fn: (span: OpenSpan) => T): T {
  let stated = false
  const open: OpenSpan = {
    setInputs(inputs) {
      record.inputs = inputs
    },
    setOutputs(outputs) {
      stated = true
      record.outputs = outputs
    },
    setAttributes(attributes) {
      record.attributes = { ...record.attributes, ...attributes }
    },
  }
  const end = (outputs: unknown): void => {
    if (!stated) record.outputs = outputs
    record.status = 'OK'
    record.endTimeNs = nowNs()
  }
  const fail = (thrown: unknown): void => {
    record.status = 'ERROR'
    record.statusMessage = messageOf(thrown)
    record.endTimeNs = nowNs()
    const attributes = {
      'exception.type': thrown instanceof Error ? thrown.name : typeof thrown,
      'exception.message': messageOf(thrown),
      ...(thrown instanceof Error && thrown.stack && { 'exception.stacktrace': thrown.stack }),
    }
    record.events = [...record.events, { name: 'exception', timeNs: record.endTimeNs, attributes }]
  }
  try {
    const result = fn(open)
    if (!isThenable(result)) {
      end(result)
      return result
    }
    return result.then(
      (value) => {
        end(value)
        return value
      },
      (thrown) => {
        fail(thrown)
        throw thrown
      },
    ) as T
  } catch (thrown) {
    fail(thrown)
    throw thrown
  }
}

/** How a traced function's spans look. */
export interface TraceOptions {
  /** @default the function's name */
  readonly name?: string
  /** @default 'UNKNOWN' */
  readonly type?: SpanType
  readonly attributes?: Readonly<Record<string, unknown>>
}

/**
 * Gives a function that does the same and records every call as a span, with its arguments as inputs (a single argument by itself,
 * several as a list).
 */
export function trace<Args extends unknown[], Result>(
  fn: (...args: Args) => Result,
  options: TraceOptions = {},
): (...args: Args) => Result {
  const { name = fn.name || 'anonymous', ...rest } = options
  return (...args) => span(name, { ...rest, inputs: args.length === 1 ? args[0] : args }, () => fn(...args))
}
