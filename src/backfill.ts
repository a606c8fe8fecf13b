import { hostname } from 'node:os'
import type { Duty } from './duty.ts'
import { Examiner, type Finding, fewer, worksOf } from './examiner.ts'
import type { Note, Registration } from './registration.ts'
import { type MonitorNote, Shift, type ShiftSettings } from './shift.ts'
import { isAlive } from './std/alive.ts'
import { nowMs, sleep } from './std/async.ts'
import type { Store } from './store.ts'

/** Scoring what is there already. */

/** How a backfill stands; kept in the store, so that it can be taken up again. */
export interface BackfillRecord {
  readonly id: string
  readonly experiment: string
  readonly scorers: readonly { readonly name: string; readonly version: number; readonly sampleRate: number }[]
  /** Requests from here on, and before there, milliseconds since 1970. */
  readonly startMs: number
  readonly endMs: number
  readonly status: 'running' | 'interrupted' | 'finished'
  /** Arrivals up to here have been looked at. */
  readonly position: number
  /** The newest arrival when it began: what comes later is not its business. */
  readonly through: number
  /** Traces that were looked at. */
  readonly examined: number
  /** Traces and sessions, counted per scorer: chosen by rate and filter, and of those not scored before. */
  readonly sampled: number
  readonly due: number
  /** Of those that were due: done by now, by this backfill. */
  readonly scored: number
  readonly createdAt: number
  readonly updatedAt: number
  readonly process: { readonly pid: number; readonly host: string }
}

export interface BackfillSettings extends ShiftSettings {
  readonly seed: string
  readonly sessionBufferMs: number
  readonly record: BackfillRecord
  readonly registrations: readonly Registration[]
  readonly onProgress: (record: BackfillRecord) => void
}

/** What a backfill would do. */
export interface BackfillPlan {
  readonly examined: number
  readonly scorers: readonly {
    readonly name: string
    readonly level: 'trace' | 'session'
    readonly sampled: number
    /** Not scored by this version yet. */
    readonly due: number
    /** What they are likely to cost, US dollars, from what this scorer has cost so far; undefined where that is unknown. */
    readonly usd?: number
  }[]
}

/** Says what a backfill would do; asks no model and changes nothing. */
export async function planBackfill(settings: BackfillSettings): Promise<BackfillPlan> {
  const shift = new Shift(settings)
  await shift.assign(settings.registrations)
  const duties = [...shift.duties.values()]
  const counts = new Map(duties.map(({ registration: { key } }) => [key, { sampled: 0, due: 0 }]))
  const seen = new Set<string>()
  let examined = 0
  for await (const { items, found } of pages(settings, shift, duties, 0)) {
    examined += items.length
    for (const { duty, fresh, due } of await counted(settings, found, seen)) {
      const count = counts.get(duty.registration.key) as { sampled: number; due: number }
      count.sampled += fresh
      count.due += due
    }
  }
  return {
    examined,
    scorers: duties.map(({ registration: { key, name, level, progress } }) => {
      const { sampled, due } = counts.get(key) as { sampled: number; due: number }
      const usd = progress.scored > 0 && progress.usd > 0 ? (progress.usd / progress.scored) * due : undefined
      return { name, level, sampled, due, ...(usd !== undefined && { usd }) }
    }),
  }
}

/**
 * Does a backfill, from where its record stands. What has been scored before is not scored again.
 * @returns the record at its end: `interrupted` when the signal fired, or a scorer cannot work for long
 * @throws what the store throws
 */
export async function runBackfill(settings: BackfillSettings): Promise<BackfillRecord> {
  const { store, signal, pageSize } = settings
  const shift = new Shift(settings)
  let record: BackfillRecord = {
    ...settings.record,
    status: 'running',
    process: { pid: process.pid, host: hostname() },
  }
  const before = record.scored
  let isHeldUp = false
  const change = (changes: Partial<BackfillRecord>): BackfillRecord => {
    record = {
      ...record,
      ...changes,
      scored: Math.min(before + shift.bench.settled, changes.due ?? record.due),
      updatedAt: nowMs(),
    }
    settings.onProgress(record)
    return record
  }
  await store.keepNote(noteOf(record))
  await shift.during(async () => {
    await shift.assign(settings.registrations)
    const duties = [...shift.duties.values()]
    const keys = duties.map(({ registration: { key } }) => key)
    const held = new Held(shift, keys)
    const seen = new Set<string>()
    /** When the last of what only waits is due: sessions that go on, and what has failed before. */
    let lastMs = await lastRetryMs(store, keys)
    const pause = (ms: number): Promise<void> => sleep(ms, signal).catch(() => {})
    for await (const { items, reached, found } of pages(settings, shift, duties, record.position)) {
      if (signal.aborted) break
      const units = found.flatMap((one) => one.units)
      const counts = await counted(settings, found, seen)
      const sampled = counts.reduce((sum, { fresh }) => sum + fresh, record.sampled)
      const next = change({ position: reached, examined: record.examined + items.length, sampled })
      const claimed = await store.claim(units, shift.lease(), noteOf(next))
      const sessions = counts.filter(({ duty }) => duty.registration.level === 'session')
      const due = sessions.reduce((sum, one) => sum + one.due, record.due + claimed.length)
      await store.keepNote(noteOf(change({ due })))
      for (const { dueAt = 0 } of units) lastMs = Math.max(lastMs, dueAt)
      shift.bench.add(worksOf(claimed, found))
      while (
        !signal.aborted &&
        !held.isForLong &&
        (held.isUp || keys.some((key) => shift.bench.load(key) >= shift.subjects.atOnce(pageSize)))
      ) {
        await pause(POLL_MS)
        change({})
      }
      if (held.isForLong) break
    }
    // What waits or failed is taken up in its time, as long as that is worth waiting for.
    while (!signal.aborted) {
      await shift.bench.drained()
      change({})
      if (!held.isForLong && (await shift.takeDue())) continue
      const now = nowMs()
      const retryMs = shift.bench.nextRetryMs ?? Number.POSITIVE_INFINITY
      const untilMs = lastMs > now ? Math.min(retryMs, lastMs) : retryMs
      if (untilMs === Number.POSITIVE_INFINITY) break
      isHeldUp = held.isForLong || untilMs - now > PATIENCE_MS
      if (isHeldUp) break
      await pause(Math.min(Math.max(untilMs - now, POLL_MS), LOOK_MS))
    }
  })
  const ended = change({ status: signal.aborted || isHeldUp ? 'interrupted' : 'finished' })
  await store.keepNote(noteOf(ended))
  return ended
}

const POLL_MS = 20
/** Whoever runs says so far more often. */
const SILENCE_MS = 3 * 60_000
const LOOK_MS = 1_000
/** What can go on only after so long, as when the day's budget is spent, is left for another time. */
const PATIENCE_MS = 16 * 60_000
/** A scorer that is held up again and again, as by a wrong key, ends it after so long without any success. */
const HELD_PATIENCE_MS = 5 * 60_000

/** Whether scorers are held up: then nothing more is claimed. */
class Held {
  readonly #shift: Shift
  readonly #keys: readonly number[]
  #settled = 0
  /** When it was held up first since something was done last. */
  #sinceMs = 0

  constructor(shift: Shift, keys: readonly number[]) {
    this.#shift = shift
    this.#keys = keys
  }

  get isUp(): boolean {
    return this.#keys.some((key) => this.#shift.isBlocked(key))
  }

  get isForLong(): boolean {
    const now = nowMs()
    const { settled } = this.#shift.bench
    const untilMs = Math.max(...this.#keys.map((key) => this.#shift.blockedUntil(key)))
    if (settled > this.#settled) this.#sinceMs = 0
    this.#settled = settled
    if (untilMs <= now) return false
    this.#sinceMs ||= now
    return untilMs - now > PATIENCE_MS || now - this.#sinceMs > HELD_PATIENCE_MS
  }
}

async function lastRetryMs(store: Store, scorers: readonly number[]): Promise<number> {
  const counts = await store.countUnits(scorers)
  if (!counts.some(({ retrying = 0 }) => retrying > 0)) return 0
  const waiting = await store.units({ scorers, state: 'waiting' })
  return waiting.reduce((last, { attempts, dueAt = 0 }) => (attempts > 0 ? Math.max(last, dueAt) : last), 0)
}

/** Counts what was chosen, and what of it has not been scored before; sessions only when they are seen first. */
async function counted(settings: BackfillSettings, found: readonly Finding[], seen: Set<string>) {
  const counts: { readonly duty: Duty; readonly fresh: number; readonly due: number }[] = []
  for (const { duty, units } of found) {
    const { key, level } = duty.registration
    const fresh = level === 'trace' ? units : units.filter(({ entity }) => isNew(seen, `${key} ${entity}`))
    const there = await settings.store.units({ scorers: [key], entities: fresh.map(({ entity }) => entity) })
    const known = new Set(there.filter(({ state }) => state !== 'waiting').map(({ entity }) => entity))
    const due = fresh.filter(({ entity, isDone }) => !isDone && !known.has(entity)).length
    counts.push({ duty, fresh: fresh.length, due })
  }
  return counts
}

/**
 * Whether a backfill that has begun still runs. Of another machine, as each container is one, nothing is known but whether it gives signs of life.
 * @param monitors the notes of those who are at work
 */
export function isRunning({ process, updatedAt }: BackfillRecord, monitors: readonly Note[]): boolean {
  const beats = monitors.map(({ data }) => data as unknown as MonitorNote)
  const own = beats.filter(({ pid, host }) => pid === process.pid && host === process.host)
  return isAlive(process, updatedAt) ?? nowMs() - Math.max(updatedAt, ...own.map(({ beatAt }) => beatAt)) < SILENCE_MS
}

export function noteOf(record: BackfillRecord): Note {
  return { kind: 'backfill', id: record.id, data: { ...record } }
}

/** Gives what there is to do, page by page. */
async function* pages(settings: BackfillSettings, shift: Shift, duties: readonly Duty[], after: number) {
  const { store, record, pageSize } = settings
  const { experiment, startMs: fromMs, endMs: toMs, through } = record
  const rates = new Map(record.scorers.map(({ name, sampleRate }) => [name, sampleRate]))
  const rateOf = ({ registration }: Duty): number => rates.get(registration.name) ?? 0
  // A session that was there before counts as complete: it is due at once, unless it is still being spoken.
  const examiner = new Examiner({ ...settings, subjects: shift.subjects, completionBufferMs: 0, isPast: true })
  for (let from = after; from < through; ) {
    const limit = shift.subjects.atOnce(pageSize)
    const { items, reached } = await store.arrivals({ experiment, after: from, through, fromMs, toMs, limit })
    const found = await examiner.found(duties, items, rateOf).catch(fewer)
    if (!found) continue
    yield { items, reached, found }
    if (reached <= from) return
    from = reached
  }
}

function isNew(seen: Set<string>, id: string): boolean {
  const { size } = seen
  return seen.add(id).size > size
}
