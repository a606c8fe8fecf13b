import type {
  Examination,
  Lease,
  Unit,
  UnitCount,
  UnitKey,
  UnitOutcome,
  UnitQuery,
  UnitRecord,
  UnitWrite,
} from '../../queue.ts'
import {
  begun,
  claimed,
  counts,
  looked,
  type Move,
  nothingWorked,
  released,
  revived,
  type Standing,
  settled,
  tell,
  type Worked,
} from '../unit.ts'
import { inBytes, type Registrations } from './registry.ts'
import type { Kept, Shelf } from './shelf.ts'

const STATES: readonly UnitRecord['state'][] = ['waiting', 'claimed', 'done', 'dead']

interface Entry extends Standing, UnitKey {
  /** The trace's number, where it is work on a trace. */
  readonly seq: number | undefined
  /** The trace that its assessments belong to. */
  readonly placed: Kept | undefined
}

/** Keeps who scores what. */
export class Units {
  readonly #shelf: Shelf
  readonly #registrations: Registrations
  readonly #entries = new Map<string, Entry>()

  constructor(shelf: Shelf, registrations: Registrations) {
    this.#shelf = shelf
    this.#registrations = registrations
  }

  examine(examination: Examination): Unit[] | undefined {
    if (!this.#registrations.examined(examination)) return undefined
    return this.#take(examination.units, examination.lease, true)
  }

  claim(units: readonly UnitWrite[], lease: Lease): Unit[] {
    return this.#take(units, lease, false)
  }

  claimDue(scorers: readonly number[], lease: Lease, limit: number): Unit[] {
    const isDue = ({ state, dueAt, scorer }: Entry): boolean =>
      (state === 'waiting' || state === 'claimed') && (dueAt as number) <= lease.nowMs && scorers.includes(scorer)
    return this.#sorted(isDue)
      .slice(0, limit)
      .map((entry) => unit(this.#move(entry, claimed(lease))))
  }

  renew({ owner, untilMs }: Lease): void {
    for (const entry of this.#held(owner)) this.#move(entry, { dueAt: untilMs })
  }

  release(owner: string, nowMs: number): number {
    const held = this.#held(owner)
    for (const entry of held) this.#move(entry, released(entry, nowMs))
    return held.length
  }

  settle(outcomes: readonly UnitOutcome[], lease: Lease): number {
    const worked = new Map<number, Worked>()
    let done = 0
    for (const outcome of outcomes) {
      const entry = this.#entries.get(keyOf(outcome))
      if (!entry || !counts(entry, outcome, lease)) continue
      const sum = worked.get(outcome.scorer) ?? nothingWorked()
      worked.set(outcome.scorer, sum)
      tell(sum, outcome)
      const move = settled(entry, outcome, lease.nowMs)
      if (move) this.#move(entry, move, this.#place(entry, outcome))
      else this.#entries.delete(keyOf(entry))
      if (outcome.state === 'done') done++
    }
    for (const [scorer, sum] of worked) this.#registrations.worked(scorer, sum, lease.nowMs)
    return done
  }

  /** Writes the assessments of what is over, and gives the trace that they belong to now. */
  #place({ placed }: Entry, { state, traceId, assessments = [], scorer }: UnitOutcome): Kept | undefined {
    const kept = traceId === undefined || (state !== 'done' && state !== 'dead') ? undefined : this.#shelf.get(traceId)
    const name = this.#registrations.find(scorer)?.name
    if (!kept || name === undefined) return placed
    // A session's first trace may be another one by now.
    if (placed && placed !== kept) this.#shelf.replaceScorer(placed, name, [])
    this.#shelf.replaceScorer(kept, name, assessments)
    return kept
  }

  query({ scorers, state, entities, limit = Number.POSITIVE_INFINITY }: UnitQuery): UnitRecord[] {
    const isWanted = (entry: Entry): boolean =>
      scorers.includes(entry.scorer) &&
      (state ?? entry.state) === entry.state &&
      (entities?.includes(entry.entity) ?? true)
    return this.#sorted(isWanted)
      .slice(0, limit)
      .map((entry) => ({
        ...unit(entry),
        state: entry.state,
        ...(entry.dueAt !== null && { dueAt: entry.dueAt }),
        ...(entry.owner !== null && { owner: entry.owner }),
        ...(entry.error !== null && { error: JSON.parse(entry.error) }),
      }))
  }

  counts(scorers: readonly number[]): UnitCount[] {
    const entries = [...this.#entries.values()].filter(({ scorer }) => scorers.includes(scorer))
    const groups = Map.groupBy(entries, ({ scorer, state }) => scorer * STATES.length + STATES.indexOf(state))
    return [...groups]
      .sort(([a], [b]) => a - b)
      .map(([, group]) => {
        const [{ scorer, state }] = group as [Entry]
        const times = group.flatMap(({ dueAt }) => dueAt ?? [])
        const retrying = group.filter(({ attempts }) => attempts > 0).length
        return {
          scorer,
          state,
          count: group.length,
          ...(state === 'waiting' && { retrying }),
          ...(times.length > 0 && { dueAt: Math.min(...times) }),
        }
      })
  }

  revive(scorers: readonly number[], entity: string | undefined, nowMs: number): number {
    const dead = this.#sorted(
      (entry) => entry.state === 'dead' && scorers.includes(entry.scorer) && (entity ?? entry.entity) === entry.entity,
    )
    for (const entry of dead) this.#move(entry, revived(nowMs))
    return dead.length
  }

  /** Makes what waits, or has failed too often, the newest version's. */
  adopt(older: readonly number[], scorer: number): void {
    const open = this.#sorted(
      ({ state, scorer: of }) => (state === 'waiting' || state === 'dead') && older.includes(of),
    )
    for (const entry of open.sort((a, b) => a.scorer - b.scorer)) {
      const now = { ...entry, scorer }
      if (this.#entries.has(keyOf(now))) continue
      this.#entries.delete(keyOf(entry))
      this.#entries.set(keyOf(now), now)
    }
  }

  /** Forgets the work of scorers that are deleted. */
  drop(scorers: readonly number[]): void {
    for (const [key, { scorer }] of this.#entries) if (scorers.includes(scorer)) this.#entries.delete(key)
  }

  #take(units: readonly UnitWrite[], lease: Lease, reopens: boolean): Unit[] {
    const taken: Unit[] = []
    for (const write of units) {
      const level = this.#registrations.find(write.scorer)?.level
      const seq = level === 'trace' ? this.#shelf.get(write.entity)?.seq : undefined
      // Whoever works for a scorer that has been deleted meanwhile finds nothing.
      if (level === undefined || (level === 'trace' && seq === undefined)) continue
      const there = this.#entries.get(keyOf(write))
      const { scorer, entity } = write
      const before = there ?? { ...begun(write, lease), scorer, entity, seq, placed: undefined }
      const move = there ? looked(there, write, lease, reopens) : before
      if (!move) continue
      const now = this.#move(before, move)
      if (move.state === 'claimed') taken.push(unit(now))
    }
    return taken
  }

  #held(owner: string): Entry[] {
    return this.#sorted((entry) => entry.state === 'claimed' && entry.owner === owner)
  }

  /** What has no time comes first, traces in the order in which they came, then sessions by their ids. */
  #sorted(isWanted: (entry: Entry) => boolean): Entry[] {
    const order = ({ seq }: Entry): number => seq ?? Number.POSITIVE_INFINITY
    return [...this.#entries.values()]
      .filter(isWanted)
      .sort(
        (a, b) =>
          (a.dueAt ?? -1) - (b.dueAt ?? -1) ||
          a.scorer - b.scorer ||
          (order(a) === order(b) ? inBytes(a.entity, b.entity) : order(a) - order(b)),
      )
  }

  #move(entry: Entry, move: Move, placed = entry.placed): Entry {
    const now = { ...entry, ...move, placed }
    this.#entries.set(keyOf(entry), now)
    return now
  }
}

function unit({ scorer, entity, mark, attempts, crashed }: Entry): Unit {
  return { scorer, entity, mark, attempts, crashed }
}

function keyOf({ scorer, entity }: UnitKey): string {
  return `${scorer} ${entity}`
}
