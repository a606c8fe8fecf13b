import type { AssessmentWrite } from './assessment.ts'
import type { AssessmentError } from './feedback.ts'
import type { Note } from './registration.ts'
import type { ScorePage, ScoreQuery } from './series.ts'
import type { TraceStatus, TraceWrite } from './trace.ts'

/**
 * The part of a store that production traces arrive in, and that says who scores which of them. A unit is one registered scorer's work on one
 * trace or session: it is there from the moment that the trace was examined until it is done, so that nothing is lost and nothing done twice, however often
 * whoever works is killed.
 */

/** A trace that no evaluation made, as it came into the store. */
export interface Arrival {
  /** Numbers grow with every arrival, and with every span that comes later: what came after a place is always beyond it. */
  readonly position: number
  readonly traceId: string
  readonly status: TraceStatus
  readonly sessionId?: string
  readonly requestTimeMs: number
  /** When the last of its spans came, milliseconds since 1970. */
  readonly at: number
  /** True for traces of evaluations and of scorers, wherever they came from: they are never scored. */
  readonly isOwn: boolean
  /** True where it has assessments: of those that come back from an archive, scorers may have spoken already. */
  readonly isJudged?: true
}

export interface ArrivalQuery {
  readonly experiment: string
  /** Only what came after this place. @default 0 */
  readonly after?: number
  /** Only what came up to this place. */
  readonly through?: number
  /** Only traces whose request was made from `fromMs` on, and before `toMs`. */
  readonly fromMs?: number
  readonly toMs?: number
  /** `change` orders by the last change instead, assessments included. @default 'arrival' */
  readonly by?: 'arrival' | 'change'
  readonly limit: number
}

export interface Arrivals {
  readonly items: readonly Arrival[]
  /** The last place that was looked at: that of the last item, or `head` where there are no more. */
  readonly reached: number
  /** The newest place in the whole store. */
  readonly head: number
}

/** A trace whose spans may have come in several parts. */
export interface StandingTrace {
  readonly trace: TraceWrite
  /** Its place; missing where an evaluation made it. */
  readonly position?: number
}

/** A trace with the spans that have come by now. */
export interface TraceChange {
  readonly trace: TraceWrite
  /** The place of what it was made from; missing where it was not there. */
  readonly was?: number
}

/** Which work is meant: the key of a registration, and the id of a trace or session. */
export interface UnitKey {
  readonly scorer: number
  readonly entity: string
}

/** Work that examining has found. */
export interface UnitWrite extends UnitKey {
  /**
   * Grows when there is more to score than before: work that is done with a lower mark is to be done again. For a trace 1 when it has ended, 0
   * before; for a session the place of its newest arrival.
   */
  readonly mark: number
  /** Claimed for whoever examines where it is due at once; otherwise it waits until then, milliseconds since 1970. */
  readonly dueAt?: number
  /** True where the trace came with what the scorer has to say of it: work that is not there yet is done, and is neither claimed nor paid for. */
  readonly isDone?: boolean
}

/** Work that somebody has claimed. */
export interface Unit extends UnitKey {
  readonly mark: number
  /** Failures so far. */
  readonly attempts: number
  /** True where whoever had it last ended in the middle of it. */
  readonly crashed: boolean
}

export interface Lease {
  readonly owner: string
  readonly nowMs: number
  /** Until when others keep away, unless it is renewed. */
  readonly untilMs: number
}

/** One step of looking through arrivals, kept whole or not at all. */
export interface Examination {
  readonly experiment: string
  /** The place that all of them stand at; where one has moved on meanwhile, somebody else has examined. */
  readonly from: number
  readonly to: number
  readonly scorers: readonly {
    readonly name: string
    readonly examined: number
    readonly sampled: number
    readonly unfit: number
  }[]
  readonly units: readonly UnitWrite[]
  readonly lease: Lease
}

/** What became of a unit. */
export interface UnitOutcome extends UnitKey {
  readonly mark: number
  /** `unfit`: its filter does not want it; `free`: given back as it was. */
  readonly state: 'done' | 'retry' | 'dead' | 'unfit' | 'free'
  /** When to try again, milliseconds since 1970. */
  readonly dueAt?: number
  /** Whoever worked on it ended. */
  readonly crashed?: boolean
  readonly error?: AssessmentError
  /** The trace that the assessments belong to. */
  readonly traceId?: string
  /** Each takes the place of what the same scorer has said under that name before. */
  readonly assessments?: readonly AssessmentWrite[]
  readonly usd?: number
}

/** Work as it stands. */
export interface UnitRecord extends Unit {
  readonly state: 'waiting' | 'claimed' | 'done' | 'dead'
  readonly dueAt?: number
  readonly owner?: string
  readonly error?: AssessmentError
}

export interface UnitQuery {
  readonly scorers: readonly number[]
  readonly state?: UnitRecord['state']
  /** Only the work on these; several hundred at most. */
  readonly entities?: readonly string[]
  readonly limit?: number
}

/** How much work of a scorer stands where. */
export interface UnitCount {
  readonly scorer: number
  readonly state: UnitRecord['state']
  readonly count: number
  /** Of what waits: how much has failed before. */
  readonly retrying?: number
  /** The earliest time at which any of it is or was due. */
  readonly dueAt?: number
}

export interface Queue {
  /** Gives traces as they are now, for those ids that are there. */
  standing(traceIds: readonly string[]): Promise<StandingTrace[]>
  /**
   * Writes traces that have come, or come further, all in one go. One that has been changed by somebody else meanwhile stays as it is.
   * @returns the ids of those
   */
  putTraces(changes: readonly TraceChange[]): Promise<string[]>
  /** Gives arrivals in order. */
  arrivals(query: ArrivalQuery): Promise<Arrivals>

  /** Keeps what looking through arrivals has found, and moves the scorers' places on. @returns what was claimed, or undefined where somebody else has examined */
  examine(examination: Examination): Promise<Unit[] | undefined>
  /** Claims work regardless of places, for a backfill: what is done, dead or claimed by others stays. @param note is kept in the same step */
  claim(units: readonly UnitWrite[], lease: Lease, note?: Note): Promise<Unit[]>
  /** Claims what waits and is due, or was claimed by somebody whose lease has ended; what is due first comes first. */
  claimDue(scorers: readonly number[], lease: Lease, limit: number): Promise<Unit[]>
  /** Keeps away others for longer. */
  renew(lease: Lease): Promise<void>
  /** Gives back what an owner holds, as it was. @returns how many */
  release(owner: string): Promise<number>
  /**
   * Keeps what became of units, each with its assessments in one step. What somebody else has done meanwhile stays as it is.
   * @returns how many were done now
   */
  settle(outcomes: readonly UnitOutcome[], lease: Lease): Promise<number>
  units(query: UnitQuery): Promise<UnitRecord[]>
  countUnits(scorers: readonly number[]): Promise<UnitCount[]>
  /**
   * Gives what registered scorers have said of traces, as far as it stands, in the order of the requests; what evaluations said is left out. A page may be
   * empty and still not be the last one.
   */
  scores(query: ScoreQuery): Promise<ScorePage>
  /** Makes dead work wait again, due now. @returns how many */
  revive(scorers: readonly number[], entity?: string): Promise<number>
}
