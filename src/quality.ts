import { type DriftOptions, LEAST_REFERENCE } from './drift.ts'
import { didYouMean, EvaluationError, quote } from './errors.ts'
import { ColumnHistory, Frame, type ReferenceValues } from './history.ts'
import type { RunRecord } from './run.ts'
import type { QualityReport, Stretch } from './series.ts'
import { nowMs } from './std/async.ts'
import { plural } from './std/text.ts'
import type { Store } from './store.ts'

/** Quality over time: what registered scorers have said of production, window by window, and whether it has changed. */

/** The earliest so many values of today's judge, the values of a stretch of time, or those of a run's column. */
export type Reference = number | Stretch | RunReference

export interface RunReference {
  readonly run: Pick<RunRecord, 'id' | 'name'>
  /** @default the column of the same name */
  readonly column?: string
  /** Where the run lies. @default the store that is reported on */
  readonly store?: Pick<Store, 'search'>
}

export interface QualityOptions extends DriftOptions {
  readonly experiment: string
  /** Names of registered scorers. @default all */
  readonly scorers?: readonly string[]
  /** Milliseconds since 1970. @default 7 days before `toMs` */
  readonly fromMs?: number
  /** @default now */
  readonly toMs?: number
  /** How long a window is, milliseconds. @default a 24th of the time */
  readonly windowMs?: number
  /** @default 1000 */
  readonly reference?: Reference
}

const WEEK_MS = 7 * 86_400_000
const WINDOWS = 24
const MAX_WINDOWS = 1_000
const REFERENCE = 1_000
/** Traces that are looked at in one go. */
const PAGE = 2_000

/**
 * Reads quality over time. Every value since the reference is looked at for drift, whatever stretch is shown, so that one and the same store always
 * says the same. Memory grows with the numbers that are shown, some 30 bytes for each, not with what is read.
 *
 * Only what stands counts: a person's correction in the place of what the scorer said.
 * @throws RangeError for times, windows, references and rates that cannot be meant
 * @throws EvaluationError SCORER_NOT_FOUND where no such scorer is registered, or none at all
 */
export async function quality(
  store: Pick<Store, 'registrations' | 'scores' | 'search'>,
  options: QualityOptions,
): Promise<QualityReport> {
  const { experiment, reference = REFERENCE } = options
  const frame = framed(options)
  requireReference(options)
  requireDrift(options)
  const scorers = await scorersOf(store, options)
  const given = typeof reference === 'object' && 'run' in reference ? await valuesOf(reference, store) : undefined
  const columns = new Map<string, ColumnHistory>()
  const last = new Map<string, string>()
  const firstMs =
    typeof reference === 'object' && 'fromMs' in reference ? Math.min(reference.fromMs, frame.fromMs) : undefined
  const start = {
    experiment,
    scorers,
    toMs: frame.toMs,
    limit: PAGE,
    ...(firstMs !== undefined && { fromMs: firstMs }),
  }
  let reading: ReturnType<Store['scores']> | undefined = store.scores(start)
  while (reading) {
    const { items, next }: Awaited<typeof reading> = await reading
    // The store reads on meanwhile.
    reading = next && store.scores({ ...start, after: next })
    for (const score of items) {
      const key = JSON.stringify([score.scorer, score.name])
      let column = columns.get(key)
      if (!column) {
        column = new ColumnHistory(score, frame, options, referenceOf(reference, given, score.name))
        columns.set(key, column)
      }
      column.add(score)
      if (last.get(score.scorer) === score.traceId) continue
      last.set(score.scorer, score.traceId)
      frame.speak(score)
    }
  }
  const built = [...columns.values()].map((column) => column.build())
  const speaking = new Set(built.filter(({ column }) => column.rows > 0).map(({ scorer }) => scorer))
  return {
    experiment,
    fromMs: frame.fromMs,
    toMs: frame.toMs,
    windowMs: frame.windowMs,
    reference: inWords(reference),
    columns: built.sort((a, b) => order(a.scorer, b.scorer) || order(a.name, b.name)),
    silent: scorers.filter((name) => !speaking.has(name)),
  }
}

function framed({ fromMs, toMs = nowMs(), windowMs, ...rest }: QualityOptions): Frame {
  const from = fromMs ?? toMs - WEEK_MS
  for (const [name, value] of Object.entries({ fromMs: from, toMs })) {
    if (!Number.isFinite(value))
      throw new RangeError(`${cannot(rest)}: ${name} must be a time in milliseconds, found ${value}`)
  }
  if (!(from < toMs))
    throw new RangeError(
      `${cannot(rest)}: it would begin ${momentText(from)}, which is not before its end ${momentText(toMs)}`,
    )
  const window = windowMs ?? (toMs - from) / WINDOWS
  if (!(window > 0)) throw new RangeError(`${cannot(rest)}: windowMs must be above 0, found ${quote(windowMs)}`)
  const count = Math.ceil((toMs - from) / window)
  if (count > MAX_WINDOWS) {
    throw new RangeError(
      `${cannot(rest)}: ${plural(count, 'window')} are too many, ${MAX_WINDOWS} at most; make them longer`,
    )
  }
  return new Frame({ fromMs: from, toMs }, window)
}

function cannot({ experiment }: Pick<QualityOptions, 'experiment'>): string {
  return `Cannot report the quality of ${quote(experiment)}`
}

function momentText(timeMs: number): string {
  const date = new Date(timeMs)
  return Number.isNaN(date.getTime()) ? String(timeMs) : date.toISOString()
}

function requireReference(options: QualityOptions): void {
  const { reference = REFERENCE } = options
  if (typeof reference === 'number' && !(Number.isInteger(reference) && reference >= LEAST_REFERENCE)) {
    throw new RangeError(
      `${cannot(options)}: reference must be a whole number from ${LEAST_REFERENCE} on, found ${quote(reference)}`,
    )
  }
  if (typeof reference === 'object' && 'fromMs' in reference && !(reference.fromMs < reference.toMs)) {
    throw new RangeError(
      `${cannot(options)}: the reference begins ${momentText(reference.fromMs)}, which is not before its end ${momentText(reference.toMs)}`,
    )
  }
}

function requireDrift(options: QualityOptions): void {
  const { alpha = 0.05, tolerance = 0, range, alarm } = options
  const fail = (problem: string): never => {
    throw new RangeError(`${cannot(options)}: ${problem}`)
  }
  if (!(alpha > 0 && alpha < 1)) fail(`alpha must lie between 0 and 1, found ${quote(alpha)}`)
  if (!(tolerance >= 0)) fail(`tolerance must be 0 or more, found ${quote(tolerance)}`)
  if (range && !(range[0] < range[1])) fail(`the range must rise, found ${range.join(' to ')}`)
  if (alarm !== undefined && !ALARMS.includes(alarm))
    fail(`alarm must be ${ALARMS.map(quote).join(' or ')}, found ${quote(alarm)}`)
}

const ALARMS: readonly string[] = ['fall', 'rise', 'both']

/** Gives the names of the registered scorers that are asked for. */
async function scorersOf(
  store: Pick<Store, 'registrations'>,
  { experiment, scorers }: QualityOptions,
): Promise<readonly string[]> {
  const registered = (await store.registrations({ experiment })).map(({ name }) => name)
  if (registered.length === 0) {
    const experiments = new Set((await store.registrations()).map((one) => one.experiment))
    const near = didYouMean(experiment, experiments)
    const known = [...experiments].slice(0, 10).map(quote).join(', ')
    throw new EvaluationError('SCORER_NOT_FOUND', `${cannot({ experiment })}: no scorer is registered there${near}`, {
      hint:
        known === ''
          ? 'register one and start it: scorer.register({ name }), then .start({ samplingConfig })'
          : `there are some in ${known}`,
    })
  }
  const unknown = scorers?.find((name) => !registered.includes(name))
  if (unknown !== undefined) {
    throw new EvaluationError(
      'SCORER_NOT_FOUND',
      `${cannot({ experiment })}: no scorer ${quote(unknown)} is registered${didYouMean(unknown, registered)}`,
      { hint: `registered are ${registered.slice(0, 20).map(quote).join(', ')}` },
    )
  }
  return scorers ?? registered
}

/** Gives the values of a run's columns, by name. */
async function valuesOf({ run, store }: RunReference, here: Pick<Store, 'search'>): Promise<Map<string, unknown[]>> {
  const values = new Map<string, unknown[]>()
  for await (const { assessments } of (store ?? here).search({ runId: run.id, includeSpans: false })) {
    for (const { kind, name, value, valid, error } of assessments) {
      if (kind !== 'feedback' || !valid || error || value === undefined) continue
      const list = values.get(name) ?? []
      values.set(name, list)
      list.push(value)
    }
  }
  return values
}

function referenceOf(
  reference: Reference,
  given: ReadonlyMap<string, readonly unknown[]> | undefined,
  name: string,
): ReferenceValues {
  if (typeof reference === 'number') return { kind: 'first', n: reference }
  if ('fromMs' in reference) return { kind: 'stretch', ...reference }
  return { kind: 'given', values: given?.get(reference.column ?? name) ?? [] }
}

function inWords(reference: Reference): string {
  if (typeof reference === 'number') return `the first ${plural(reference, 'value')} of today's judge`
  if ('run' in reference) {
    const column = reference.column === undefined ? '' : `, column "${reference.column}"`
    return `run ${reference.run.id} of "${reference.run.name}"${column}`
  }
  return `${momentText(reference.fromMs)} to ${momentText(reference.toMs)}`
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
