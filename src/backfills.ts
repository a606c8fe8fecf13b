import { hostname } from 'node:os'
import {
  type BackfillPlan,
  type BackfillRecord,
  type BackfillSettings,
  isRunning,
  noteOf,
  planBackfill,
  runBackfill,
} from './backfill.ts'
import { EvaluationError, quote } from './errors.ts'
import { experimentName } from './experiment.ts'
import { currentHost } from './host.ts'
import { storeToRead } from './open.ts'
import { requireScoring, type ScoringOptions, shiftSettings, timeOf } from './overseer.ts'
import { placeOf, scorerNotFound } from './registered.ts'
import type { Note, Registration } from './registration.ts'
import { restoreScorer } from './restore.ts'
import { isScorer, type RegisteredScorer } from './scorer.ts'
import { nowMs } from './std/async.ts'
import type { Store } from './store.ts'

export type { BackfillPlan, BackfillRecord } from './backfill.ts'

/** The door to backfills: registered scorers on traces that are there already. */

/** A scorer with a rate of its own for a backfill, as in MLflow. */
export interface BackfillScorerConfig {
  /** A registered scorer, or its name. */
  readonly scorer: string | RegisteredScorer
  /** @default the rate at which it samples now */
  readonly sampleRate?: number
}

/** What a backfill does. */
export interface BackfillOptions extends ScoringOptions {
  readonly scorers: readonly (string | RegisteredScorer | BackfillScorerConfig)[]
  /** Only requests made from then on. @default 7 days ago where there is no `endTime` either, else the beginning */
  readonly startTime?: Date | number | string
  /** Only requests made before then. @default now */
  readonly endTime?: Date | number | string
  /** Is told how far it has come. */
  readonly onProgress?: (record: BackfillRecord) => void
}

/** A backfill that has begun. */
export interface BackfillJob {
  readonly id: string
  /** How far it has come. */
  readonly progress: BackfillRecord
  /** Settles at its end. Rejects with what the store throws. */
  readonly finished: Promise<BackfillRecord>
  /** Ends it soon; it can be taken up again by `resumeBackfill(id)`. */
  interrupt(): Promise<BackfillRecord>
}

const WEEK_MS = 7 * 86_400_000
const OWN = ['scorers', 'startTime', 'endTime', 'onProgress']

/**
 * Scores traces that are there already with registered scorers: in the background of this process, which does not end before it. What a scorer has scored is not scored
 * again, so that a second backfill of the same costs nothing; rates choose the same traces as the monitor's, so that a higher one adds to what was seen.
 *
 * @example
 * const job = await backfillScorers({ scorers: ['safety_check', { scorer: responseLength, sampleRate: 0.9 }] })
 * const { scored } = await job.finished
 * @throws TypeError, RangeError for options that do not fit
 * @throws EvaluationError SCORER_NOT_FOUND with the registered names; MODULE_… when a scorer cannot be made again; STORE_…
 */
export async function backfillScorers(options: BackfillOptions): Promise<BackfillJob> {
  return begin(options, await prepare(options))
}

/**
 * Says what a backfill would do: traces that are due, and what they may cost. Asks no model and changes nothing.
 * @throws as `backfillScorers`
 */
export async function planBackfillScorers(options: BackfillOptions): Promise<BackfillPlan> {
  const { store, record, registrations } = await prepare(options)
  return planBackfill(settingsOf(options, store, record, registrations))
}

/**
 * Takes a backfill up again that was interrupted, from where it stands.
 * @param id @default the newest that was interrupted
 * @throws EvaluationError BACKFILL_NOT_FOUND where there is none, or it has finished or still runs; and as `backfillScorers`
 */
export async function resumeBackfill(
  id: string | undefined,
  options: Omit<BackfillOptions, 'scorers' | 'startTime' | 'endTime' | 'experiment'> = {},
): Promise<BackfillJob> {
  requireScoring(options, ['onProgress'], 'Cannot resume a backfill')
  const store = storeToRead(options)
  const all = await listBackfills({ store })
  const open = all.filter(({ status }) => status === 'interrupted')
  const record = id === undefined ? open[0] : all.find((one) => one.id === id)
  if (record?.status !== 'interrupted') {
    const what =
      id === undefined
        ? 'there is none that was interrupted'
        : record
          ? `it is ${record.status}`
          : 'there is no such backfill'
    throw new EvaluationError(
      'BACKFILL_NOT_FOUND',
      `Cannot resume ${id === undefined ? 'a backfill' : `backfill ${quote(id)}`}: ${what}`,
      {
        hint: open.length > 0 ? `interrupted are ${open.map((one) => one.id).join(', ')}` : undefined,
      },
    )
  }
  const { experiment } = record
  const registrations = await Promise.all(
    record.scorers.map(({ name, version }) => registrationOf(store, experiment, name, version)),
  )
  const [note] = await store.notes('backfill', record.id)
  return begin(options, { store, record, registrations, ...(note && { was: note.data }) })
}

/** Gives the backfills of a store, the newest first; one whose process is gone was interrupted. */
export async function listBackfills({
  store: given,
}: {
  readonly store?: string | Store
} = {}): Promise<BackfillRecord[]> {
  const store = storeToRead(given === undefined ? {} : { store: given })
  const notes = await store.notes('backfill')
  const monitors = await store.notes('monitor')
  return notes
    .map(({ data }) => data as unknown as BackfillRecord)
    .map((record) =>
      record.status === 'running' && !isRunning(record, monitors)
        ? { ...record, status: 'interrupted' as const }
        : record,
    )
    .sort((a, b) => b.createdAt - a.createdAt)
}

function here(): BackfillRecord['process'] {
  return { pid: process.pid, host: hostname() }
}

interface Prepared {
  readonly store: Store
  readonly record: BackfillRecord
  readonly registrations: readonly Registration[]
  /** How it stands in the store, where it is taken up again. */
  readonly was?: Note['data']
}

async function prepare(options: BackfillOptions): Promise<Prepared> {
  const where = 'Cannot backfill'
  requireScoring(options, OWN, where)
  if (!Array.isArray(options.scorers) || options.scorers.length === 0)
    throw new TypeError(
      `${where}: "scorers" must be a list of registered scorers or their names, found ${quote(options.scorers)}`,
    )
  const settings = currentHost()?.settings
  const wanted = options.scorers.map((item) => wantedOf(item, where))
  const own = wanted.map(({ scorer }) =>
    typeof scorer === 'string' ? undefined : placeOf(scorer)?.registration.experiment,
  )
  const experiment = options.experiment ?? own.find((one) => one !== undefined) ?? experimentName(undefined, settings)
  const place = options.store ?? firstStore(wanted)
  const store = storeToRead(place === undefined ? {} : { store: place })
  const registrations: Registration[] = []
  const rates: number[] = []
  for (const { scorer, sampleRate } of wanted) {
    const name = typeof scorer === 'string' ? scorer : scorer.name
    const registration = await registrationOf(store, experiment, name)
    const rate = sampleRate ?? registration.sampleRate
    if (rate === 0)
      throw new RangeError(
        `${where}: scorer ${quote(name)} is not active, and no rate is given for it\nHint: { scorer: ${quote(name)}, sampleRate: 1 }, or start() it`,
      )
    if (registrations.some(({ key }) => key === registration.key))
      throw new TypeError(`${where}: scorer ${quote(name)} is there twice`)
    registrations.push(registration)
    rates.push(rate)
  }
  const { startMs, endMs } = spanOf(options, where)
  const { head } = await store.arrivals({ experiment, limit: 1 })
  const now = nowMs()
  const record: BackfillRecord = {
    id: `bf-${now.toString(36)}${Math.random().toString(36).slice(2, 6)}`,
    experiment,
    scorers: registrations.map(({ name, version }, i) => ({ name, version, sampleRate: rates[i] as number })),
    startMs,
    endMs,
    status: 'running',
    position: 0,
    through: head,
    examined: 0,
    sampled: 0,
    due: 0,
    scored: 0,
    createdAt: now,
    updatedAt: now,
    process: here(),
  }
  return { store, record, registrations }
}

function wantedOf(item: unknown, where: string): BackfillScorerConfig {
  const isBare = typeof item === 'string' || isScorer(item)
  const config = (isBare ? { scorer: item } : (item ?? {})) as BackfillScorerConfig
  const { scorer, sampleRate } = config
  if (typeof scorer !== 'string' && !isScorer(scorer))
    throw new TypeError(
      `${where}: expected the name of a registered scorer, one itself, or { scorer, sampleRate }, found ${quote(item)}`,
    )
  if (typeof scorer !== 'string' && !placeOf(scorer))
    throw new TypeError(
      `${where}: scorer ${quote((scorer as { name: string }).name)} is not registered\nHint: await scorer.register(), and pass what it gives`,
    )
  if (sampleRate !== undefined && !(sampleRate > 0 && sampleRate <= 1))
    throw new RangeError(`${where}: "sampleRate" must be above 0 and at most 1, found ${quote(sampleRate)}`)
  return config
}

function firstStore(wanted: readonly BackfillScorerConfig[]): Store | undefined {
  for (const { scorer } of wanted) {
    const place = typeof scorer === 'string' ? undefined : placeOf(scorer)
    if (place) return place.store
  }
  return undefined
}

function spanOf({ startTime, endTime }: BackfillOptions, where: string): { startMs: number; endMs: number } {
  const endMs = timeOf(endTime, 'endTime', where) ?? nowMs()
  const startMs = timeOf(startTime, 'startTime', where) ?? (endTime === undefined ? endMs - WEEK_MS : 0)
  if (startMs < endMs) return { startMs, endMs }
  const [from, to] = [startMs, endMs].map((ms) => new Date(ms).toISOString())
  throw new RangeError(`${where}: "startTime" must come before "endTime", found ${from} and ${to}`)
}

async function registrationOf(store: Store, experiment: string, name: string, version?: number): Promise<Registration> {
  const [found] = await store.registrations({ experiment, name, ...(version !== undefined && { version }) })
  if (!found) throw await scorerNotFound(name, experiment, store)
  return found
}

function settingsOf(
  options: Omit<BackfillOptions, 'scorers'>,
  store: Store,
  record: BackfillRecord,
  registrations: readonly Registration[],
): BackfillSettings {
  return { ...shiftSettings(options, store, 4), record, registrations, onProgress: options.onProgress ?? (() => {}) }
}

/** A scorer that cannot be made again is found out before anything is done. */
async function begin(
  options: Omit<BackfillOptions, 'scorers'>,
  { store, record, registrations, was }: Prepared,
): Promise<BackfillJob> {
  const { root, signal, onProgress } = options
  for (const registration of registrations) {
    const { scorer } = await restoreScorer(registration, { store, ...(root !== undefined && { root }) })
    ;(scorer as { requireReady?(): void }).requireReady?.()
  }
  if (
    was &&
    !(await store.keepNote(noteOf({ ...record, status: 'running', process: here(), updatedAt: nowMs() }), was))
  )
    throw new EvaluationError(
      'BACKFILL_NOT_FOUND',
      `Cannot resume backfill ${quote(record.id)}: somebody else has just taken it up`,
    )
  const controller = new AbortController()
  let progress = record
  const settings = {
    ...settingsOf(options, store, record, registrations),
    signal: signal ? AbortSignal.any([signal, controller.signal]) : controller.signal,
    onProgress: (next: BackfillRecord) => {
      progress = next
      onProgress?.(next)
    },
  }
  const finished = runBackfill(settings)
  // Whoever asks for it later is told all the same.
  finished.catch(() => {})
  return {
    id: record.id,
    get progress() {
      return progress
    },
    finished,
    interrupt: () => {
      controller.abort(new Error('interrupted'))
      return finished
    },
  }
}
