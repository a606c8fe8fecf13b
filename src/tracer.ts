import { messageOf, quote } from './errors.ts'
import { here, type MutableSpan, within } from './recorder.ts'
import { isThenable, nowNs } from './std/async.ts'
import { newSpanId } from './std/random.ts'
import type { SpanType } from './trace.ts'

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
 * @throws TypeError for a name that is no string, and where there is no function
 */
export function span<T>(name: string, fn: (span: OpenSpan) => T): T
export function span<T>(name: string, options: SpanOptions, fn: (span: OpenSpan) => T): T
export function span<T>(name: string, second: SpanOptions | ((span: OpenSpan) => T), third?: (span: OpenSpan) => T): T {
  const [options, fn] = typeof second === 'function' ? [{}, second] : [second ?? {}, third as (span: OpenSpan) => T]
  if (typeof name !== 'string')
    throw new TypeError(`Cannot open a span: its name must be a string, found ${quote(name)}`)
  if (typeof fn !== 'function') {
    throw new TypeError(
      `Cannot open the span ${quote(name)}: expected a function to run, found ${quote(third ?? second)}`,
    )
  }
  const place = here()
  if (!place) return fn(NO_SPAN)
  const record: MutableSpan = {
    id: newSpanId(),
    parentId: place.spanId,
    name,
    type: options.type ?? 'UNKNOWN',
    startTimeNs: nowNs(),
    status: 'UNSET',
    attributes: { ...options.attributes },
    events: [],
    ...('inputs' in options && { inputs: options.inputs }),
  }
  place.recorder.add(record.id, record)
  return within({ recorder: place.recorder, spanId: record.id }, () => observe(record, fn))
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
 * several as a list). In the place of a method it passes `this` on.
 * @throws TypeError for something that is no function
 */
export function trace<Args extends unknown[], Result>(
  fn: (...args: Args) => Result,
  options: TraceOptions = {},
): (...args: Args) => Result {
  if (typeof fn !== 'function') throw new TypeError(`Cannot trace ${quote(fn)}: expected a function`)
  const { name = fn.name || 'anonymous', ...rest } = options
  return function (this: unknown, ...args) {
    return span(name, { ...rest, inputs: args.length === 1 ? args[0] : args }, () => fn.apply(this, args))
  }
}
