import type { AssessmentError } from './feedback.ts'
import type { Registration } from './registration.ts'

/** The record of how far monitoring has come: what `monitor status` and the page of metrics show. */

/** A registered scorer at work, all of its versions together. */
export interface ScorerStanding {
  /** The newest version, with its sampling and progress. */
  readonly registration: Registration
  /** Work that waits, without what is tried again. */
  readonly waiting: number
  /** Work that has failed and will be tried again. */
  readonly retrying: number
  /** Work that a monitor has in hand. */
  readonly claimed: number
  readonly done: number
  /** Work that failed too often; `revive` makes it wait again. */
  readonly dead: number
  /** The age of what should have been done by now, milliseconds: of the oldest work that is due, or arrival that nobody has looked at. 0 where there is none. */
  readonly lagMs: number
}

/** A monitor that has said that it runs. */
export interface MonitorState {
  readonly id: string
  readonly pid?: number
  readonly host?: string
  readonly startedMs?: number
  readonly beatMs?: number
  readonly scored?: number
  /** False where it has not been heard of for a while. */
  readonly isAlive: boolean
}

/** How monitoring stands: every registered scorer, and whoever works. */
export interface MonitorStatus {
  /** When it was asked, milliseconds since 1970. */
  readonly atMs: number
  /** The newest place in the store. */
  readonly head: number
  readonly scorers: readonly ScorerStanding[]
  readonly monitors: readonly MonitorState[]
}

/** Work that failed too often. */
export interface DeadLetter {
  readonly experiment: string
  readonly scorer: string
  readonly version: number
  readonly level: Registration['level']
  /** The id of the trace, or of the session. */
  readonly entity: string
  readonly attempts: number
  /** True where whoever worked on it ended in the middle of it. */
  readonly crashed: boolean
  readonly error?: AssessmentError
}

/** What only the process that monitors knows. */
export interface MonitorFigures {
  readonly receiver?: {
    readonly requests: number
    readonly spans: number
    readonly rejected: number
    /** Requests that were told to come again later. */
    readonly deferred: number
    /** Requests that wait for the store. */
    readonly waiting: number
    readonly waitingBytes: number
  }
  /** What judges have spent of the budget since midnight UTC, US dollars; nobody adds up without one. */
  readonly usdToday?: number
  readonly usdBudget?: number
}
