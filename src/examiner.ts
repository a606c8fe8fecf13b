import type { Duty } from './duty.ts'
import { hasSaid } from './outcome.ts'
import type { Arrival, Lease, Unit, UnitWrite } from './queue.ts'
import { samplePoint } from './sampling.ts'
import { nowMs } from './std/async.ts'
import type { Store, StoredTrace } from './store.ts'
import { type Subjects, TooLong } from './subjects.ts'
import type { Work } from './workbench.ts'

/** Looking through what has arrived: who has to score what, and when. */

export interface ExaminerSettings {
  readonly store: Store
  readonly subjects: Subjects
  /** How long a trace that has not ended has to be quiet until it counts as complete. */
  readonly completionBufferMs: number
  /** The same for sessions. */
  readonly sessionBufferMs: number
  readonly pageSize: number
  readonly seed: string
  /** True where sessions are from before: they have been quiet since their last request, whenever it came. */
  readonly isPast?: boolean
}

/** What looking through a page has found for one scorer. */
export interface Finding {
  readonly duty: Duty
  readonly units: readonly UnitWrite[]
  readonly traces: ReadonlyMap<string, StoredTrace>
  readonly sampled: number
  readonly unfit: number
}

/** What is sampled for one scorer, before its filter has been asked. */
interface Chosen {
  readonly duty: Duty
  readonly units: readonly UnitWrite[]
  readonly due: readonly Arrival[]
  readonly sampled: number
}

export interface Examined {
  /** What is to be done at once. */
  readonly works: readonly Work[]
  /** True where the place has moved. */
  readonly moved: boolean
}

/** A place that lags behind by arrivals of other experiments only is not written each time. */
const WORTH_A_WRITE = 10_000

export class Examiner {
  readonly #settings: ExaminerSettings
  /** Sessions that came without anything that their scorer had to say, as long as it is about those from before. */
  readonly #unspoken = new Set<string>()

  constructor(settings: ExaminerSettings) {
    this.#settings = settings
  }

  /**
   * Looks through one page of arrivals for scorers of one experiment that stand at the same place.
   * @returns undefined where somebody else has moved one of them on meanwhile
   */
  async examine(duties: readonly Duty[], lease: () => Lease): Promise<Examined | undefined> {
    const { store, subjects, pageSize } = this.#settings
    const { experiment, progress } = (duties[0] as Duty).registration
    const from = progress.position
    const { items, reached } = await store.arrivals({ experiment, after: from, limit: subjects.atOnce(pageSize) })
    if (items.length === 0 && reached - from < WORTH_A_WRITE) return { works: [], moved: false }
    const found = await this.found(duties, items, (duty) => duty.registration.sampleRate).catch(fewer)
    if (!found) return this.examine(duties, lease)
    const claimed = await store.examine({
      experiment,
      from,
      to: reached,
      scorers: found.map(({ duty, sampled, unfit }) => ({
        name: duty.registration.name,
        examined: items.length,
        sampled,
        unfit,
      })),
      units: found.flatMap(({ units }) => units),
      lease: lease(),
    })
    return claimed && { works: worksOf(claimed, found), moved: true }
  }

  /** Says what there is to do about arrivals. */
  async found(
    duties: readonly Duty[],
    items: readonly Arrival[],
    rateOf: (duty: Duty) => number,
  ): Promise<readonly Finding[]> {
    const scored = items.filter(({ isOwn }) => !isOwn)
    const points = new Map<string, number>()
    const pointOf = (id: string): number => {
      const known = points.get(id) ?? samplePoint(id, this.#settings.seed)
      points.set(id, known)
      return known
    }
    const now = nowMs()
    const chosen = duties.map((duty): Chosen => {
      const rate = rateOf(duty)
      if (duty.registration.level === 'session') {
        const turns = scored.filter(({ sessionId }) => sessionId !== undefined && pointOf(sessionId) < rate)
        return { duty, ...this.#sessions(duty, turns), due: [] }
      }
      return {
        duty,
        ...this.#traces(
          duty,
          scored.filter(({ traceId }) => pointOf(traceId) < rate),
          now,
        ),
      }
    })
    const read = await this.#read(chosen)
    const spoken = await this.#spokenOf(chosen, scored)
    return chosen.map(({ duty, units: found, due, sampled }) => {
      const units = found.map((unit) => (spoken.has(unit) ? { ...unit, isDone: true } : unit))
      const traces = read.get(duty.registration.filterString) ?? new Map()
      const fit = due.filter(({ traceId }) => traces.has(traceId))
      const { key: scorer } = duty.registration
      const ready = fit.map(({ traceId: entity, status }) => ({
        scorer,
        entity,
        mark: status === 'IN_PROGRESS' ? 0 : 1,
        ...(hasSaid(duty, traces.get(entity)?.assessments ?? []) && { isDone: true }),
      }))
      return { duty, units: [...units, ...ready], traces, sampled, unfit: due.length - fit.length }
    })
  }

  /** Reads what is due: scorers with one filter want the same. */
  async #read(chosen: readonly Chosen[]): Promise<Map<string | undefined, ReadonlyMap<string, StoredTrace>>> {
    const read = new Map<string | undefined, ReadonlyMap<string, StoredTrace>>()
    for (const [filter, group] of Map.groupBy(chosen, ({ duty }) => duty.registration.filterString)) {
      const ids = new Set(group.flatMap(({ due }) => due.map(({ traceId }) => traceId)))
      if (ids.size > 0) read.set(filter, await this.#settings.subjects.traces([...ids], (group[0] as Chosen).duty))
    }
    return read
  }

  /**
   * Gives the work on sessions that have come with what their scorer has to say of them. One that is said of a session before its last turn ended is not about
   * the whole of it.
   */
  async #spokenOf(chosen: readonly Chosen[], scored: readonly Arrival[]): Promise<ReadonlySet<UnitWrite>> {
    const spoken = new Set<UnitWrite>()
    const judged = new Set(scored.flatMap(({ isJudged, sessionId = '' }) => (isJudged ? [sessionId] : [])))
    for (const { duty, units } of chosen) {
      if (duty.registration.level !== 'session') continue
      for (const unit of units) {
        const id = `${unit.scorer} ${unit.entity}`
        if (!judged.has(unit.entity) || this.#unspoken.has(id)) continue
        // To read all of a session for every page that has a turn of it would take as long as there are turns, squared.
        const opening = await this.#settings.subjects.opening(unit.entity, duty)
        if (!opening || !hasSaid(duty, opening.assessments)) {
          if (this.#settings.isPast) this.#unspoken.add(id)
          continue
        }
        const turns = await this.#settings.subjects.session(unit.entity, duty)
        const endMs = Math.max(...turns.map(({ trace }) => trace.requestTimeMs + (trace.durationNs ?? 0) / 1e6))
        const said = (turns[0]?.assessments ?? []).filter(({ createdAt }) => createdAt >= endMs)
        if (hasSaid(duty, said)) spoken.add(unit)
      }
    }
    return spoken
  }

  #traces(duty: Duty, sampled: readonly Arrival[], now: number): Omit<Chosen, 'duty'> {
    const { key: scorer } = duty.registration
    const units: UnitWrite[] = []
    const due: Arrival[] = []
    for (const arrival of sampled) {
      const dueAt = arrival.at + this.#settings.completionBufferMs
      if (arrival.status !== 'IN_PROGRESS' || dueAt <= now) due.push(arrival)
      else units.push({ scorer, entity: arrival.traceId, mark: 0, dueAt })
    }
    return { units, due, sampled: sampled.length }
  }

  #sessions(duty: Duty, sampled: readonly Arrival[]): Omit<Chosen, 'duty' | 'due'> {
    const { key: scorer } = duty.registration
    const newest = new Map<string, UnitWrite>()
    const { sessionBufferMs, isPast = false } = this.#settings
    for (const { sessionId, position, at, requestTimeMs } of sampled) {
      const entity = sessionId as string
      const quietMs = isPast ? Math.min(at, requestTimeMs) : at
      const dueAt = Math.max(newest.get(entity)?.dueAt ?? 0, quietMs + sessionBufferMs)
      newest.set(entity, { scorer, entity, mark: position, dueAt })
    }
    return { units: [...newest.values()], sampled: newest.size }
  }
}

/** Joins what was claimed with what was read for it. */
export function worksOf(claimed: readonly Unit[], found: readonly Finding[]): Work[] {
  const byKey = new Map(found.map((one) => [one.duty.registration.key, one]))
  return claimed.flatMap((unit) => {
    const finding = byKey.get(unit.scorer)
    const trace = finding?.traces.get(unit.entity)
    return finding && trace ? [{ unit, duty: finding.duty, traces: [trace] }] : []
  })
}

/** Where traces are too long to be read together, it is done again with fewer of them. */
export function fewer(fault: unknown): undefined {
  if (!(fault instanceof TooLong)) throw fault
}
