import { quote } from '../errors.ts'
import type { ScorerArgs } from '../scorer.ts'
import { duration } from '../std/text.ts'
import { type SpanQuery, spanDurationMs } from '../trace.ts'
import { amount, type ReadyOptions, type Rule, settle } from './options.ts'
import { type ReadyScorer, ready, Unscored, verdict } from './ready.ts'

/** What is timed, and against what. */
export interface LatencyOptions extends ReadyOptions {
  /** The longest time that is fast enough, milliseconds. */
  readonly maxMs?: number
  /** Looks at the slowest finished span that fits, such as `{ type: 'CHAT_MODEL' }`, in place of the whole trace. */
  readonly span?: SpanQuery
}

/**
 * Measures without a bound, judges with one: gives how long the row took in milliseconds (column `latency_ms`), or, with `maxMs`, `yes` when
 * it took at most that long, else `no` (column `latency_within`). No expectation is read.
 *
 * The time is the trace's own; where predict was retried, that of the last try. A row that brought its outputs was not timed here, and gets an error, as does
 * one without a span that fits.
 *
 * @throws TypeError, RangeError for options that do not fit
 */
export function latency(options?: LatencyOptions): ReadyScorer {
  const bounded = options?.maxMs !== undefined
  const defaults = { name: bounded ? 'latency_within' : 'latency_ms' }
  const settings = settle('latency', options, defaults, { maxMs: amount, span: spanQuery })
  const { maxMs, span } = settings
  return ready('latency', settings, ({ trace }) => {
    const tookMs = span ? slowest(trace, span) : whole(trace)
    if (maxMs === undefined) return { value: tookMs }
    return verdict(tookMs <= maxMs, `Took ${duration(tookMs)}, at most ${duration(maxMs)} wanted`)
  })
}

function whole(trace: ScorerArgs['trace'] | undefined): number {
  if (!trace) throw new Unscored('TRACE_MISSING', 'there is no trace to read the time from')
  const tookMs = trace.durationMs ?? (trace.root && spanDurationMs(trace.root))
  if (tookMs === undefined) throw new Unscored('TRACE_UNTIMED', 'the trace does not say how long it took')
  return tookMs
}

function slowest(trace: ScorerArgs['trace'] | undefined, query: SpanQuery): number {
  if (!trace) throw new Unscored('TRACE_MISSING', 'there is no trace to read spans from')
  const times = trace.searchSpans(query).map(spanDurationMs)
  const finished = times.filter((ms) => ms !== undefined)
  if (finished.length > 0) return finished.reduce((a, b) => Math.max(a, b))
  const wanted = Object.entries(query).map(([key, value]) => `${key} ${quote(String(value))}`)
  throw new Unscored('SPAN_MISSING', `the trace has no finished span with ${wanted.join(' and ')}`)
}

const SPAN_KEYS = ['type', 'name', 'id']

const spanQuery: Rule = (value, what) => {
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : []
  const fits = (item: unknown): boolean => typeof item === 'string' || item instanceof RegExp
  if (keys.length > 0 && keys.every((key) => SPAN_KEYS.includes(key) && fits((value as Record<string, unknown>)[key])))
    return
  throw new TypeError(`${what} must be an object with type, name or id, found ${quote(value)}`)
}
