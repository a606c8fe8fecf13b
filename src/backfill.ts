import { hostname } from 'node:os'
import type { Duty } from './duty.ts'
import { Examiner, worksOf } from './examiner.ts'
import type { Arrival } from './queue.ts'
import type { Note, Registration } from './registration.ts'
import { Shift, type ShiftSettings } from './shift.ts'
import { nowMs, sleep } from './std/async.ts'

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
  const sessions = new Set<string>()
  let examined = 0
  for await (const { items } of pages(settings, 0)) {
    examined += items.length
    for (const { duty, units } of await chosen(settings, shift, duties, items)) {
      const { key, level } = duty.registration
      const fresh = level === 'trace' ? units : units.filter(({ entity }) => isNew(sessions, `${key} ${entity}`))
      const there = await settings.store.units({ scorers: [key], entities: fresh.map(({ entity }) => entity) })
      const known = new Set(there.filter(({ state }) => state !== 'waiting').map(({ entity }) => entity))
      const count = counts.get(key) as { sampled: number; due: number }
      count.sampled += fresh.length
      count.due += fresh.filter(({ entity }) => !known.has(entity)).length
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
    record = { ...record, ...changes, scored: before + shift.bench.settled, updatedAt: nowMs() }
    settings.onProgress(record)
    return record
  }
  await store.keepNote(noteOf(record))
  await shift.during(async () => {
    await shift.assign(settings.registrations)
    const duties = [...shift.duties.values()]
    for await (const { items, reached } of pages(settings, record.position)) {
      if (signal.aborted) break
      const found = await chosen(settings, shift, duties, items)
      const units = found.flatMap((one) => one.units)
      const next = { position: reached, examined: record.examined + items.length }
      const claimed = await store.claim(
        units,
        shift.lease(),
        noteOf(change({ ...next, sampled: record.sampled + units.length })),
      )
      change({ due: record.due + claimed.length })
      shift.bench.add(worksOf(claimed, found))
      while (!signal.aborted && duties.some(({ registration: { key } }) => shift.bench.load(key) >= pageSize)) {
        await sleep(POLL_MS, signal).catch(() => {})
        change({})
      }
    }
    // What failed is tried again in its time, as long as that is worth waiting for.
    while (!signal.aborted) {
      await shift.bench.drained()
      change({})
      if (await shift.takeDue()) continue
      const wait = (shift.bench.nextRetryMs ?? Number.POSITIVE_INFINITY) - nowMs()
      isHeldUp = wait > PATIENCE_MS && wait < Number.POSITIVE_INFINITY
      if (wait > PATIENCE_MS) break
      await sleep(Math.max(wait, POLL_MS), signal).catch(() => {})
    }
  })
  const ended = change({ status: signal.aborted || isHeldUp ? 'interrupted' : 'finished' })
  await store.keepNote(noteOf(ended))
  return ended
}

const POLL_MS = 20
/** What can go on only after so long, as when the day's budget is spent, is left for another time. */
const PATIENCE_MS = 16 * 60_000

export function noteOf(record: BackfillRecord): Note {
  return { kind: 'backfill', id: record.id, data: { ...record } }
}

async function* pages({ store, record, pageSize }: BackfillSettings, after: number) {
  const { experiment, startMs: fromMs, endMs: toMs, through } = record
  for (let from = after; from < through; ) {
    const page = await store.arrivals({ experiment, after: from, through, fromMs, toMs, limit: pageSize })
    yield page
    if (page.reached <= from) return
    from = page.reached
  }
}

/** A session that was there before counts as complete: it is due at once, unless it is still being spoken. */
function chosen(settings: BackfillSettings, shift: Shift, duties: readonly Duty[], items: readonly Arrival[]) {
  const rates = new Map(settings.record.scorers.map(({ name, sampleRate }) => [name, sampleRate]))
  const examiner = new Examiner({ ...settings, subjects: shift.subjects, completionBufferMs: 0 })
  return examiner.found(duties, items, ({ registration }) => rates.get(registration.name) ?? 0)
}

function isNew(seen: Set<string>, id: string): boolean {
  const { size } = seen
  return seen.add(id).size > size
}
