import type { AnchorCheck } from './anchor.ts'
import type { Column } from './column.ts'
import type { Drift } from './drift.ts'
import type { AssessmentError, AssessmentSource } from './feedback.ts'
import type { Interval } from './std/stats.ts'

/** The record of quality over time: what registered scorers have said of production. */

/** What stands of one registered scorer's word on one trace: its newest, or a person's in its place. */
export interface Score {
  readonly traceId: string
  /** Milliseconds since 1970. */
  readonly requestTimeMs: number
  /** The registered scorer. */
  readonly scorer: string
  /** The Feedback's name; most scorers have one, their own. */
  readonly name: string
  /** Missing where there is an error, or nothing to say. */
  readonly value?: unknown
  readonly error?: AssessmentError
  /** The version of the registered scorer; missing where its assessment does not say. */
  readonly version?: number
  /** Who judged: of a value that a person has corrected, who did before. */
  readonly source: AssessmentSource
  /** True where a person has given another value. */
  readonly isCorrected: boolean
}

/** Where reading goes on: behind this trace. */
export interface ScorePlace {
  readonly requestTimeMs: number
  readonly seq: number
}

export interface ScoreQuery {
  readonly experiment: string
  /** Names of registered scorers. */
  readonly scorers: readonly string[]
  /** Only traces whose request was made from `fromMs` on, and before `toMs`. */
  readonly fromMs?: number
  readonly toMs?: number
  readonly after?: ScorePlace
  /** How many traces are looked at, scored or not. */
  readonly limit: number
}

/** Some of what was said, in the order of the requests. */
export interface ScorePage {
  readonly items: readonly Score[]
  /** Missing on the last page. */
  readonly next?: ScorePlace
}

/** A stretch of time, its end left out; milliseconds since 1970. */
export interface Stretch {
  readonly fromMs: number
  readonly toMs: number
}

/** One stretch with what was said of the traces whose request was made in it. */
export interface QualityWindow extends Stretch {
  /** `rows` counts the traces that its scorer spoke of. */
  readonly column: Column
}

/** Values of one judge: another version of the scorer or another model may judge otherwise, so that theirs are not held against these. */
export interface JudgeSeries {
  /** Missing where the assessments do not say. */
  readonly version?: number
  readonly source: AssessmentSource
  /** Values, errors left out. */
  readonly n: number
  readonly mean?: number
  /** Times of the first and of the last request. */
  readonly firstMs: number
  readonly lastMs: number
}

/** All that was said under one name by one registered scorer. */
export interface QualityColumn {
  readonly scorer: string
  readonly name: string
  /** All windows together. */
  readonly column: Column
  readonly windows: readonly QualityWindow[]
  /** How many of the values people gave in place of the scorer's. */
  readonly corrected: number
  /** What today's judge gave after the reference, less the reference's mean; with a 95 % interval. */
  readonly change?: { readonly value: number; readonly interval?: Interval; readonly n: number }
  /** Who judged, in the order of their first values: today's is the last one. Since the beginning, as far back as was read. */
  readonly judges: readonly JudgeSeries[]
  readonly drift: Drift
  /** How far the newest request that was scored lies before the end of the report, milliseconds. */
  readonly lagMs?: number
}

/** Quality over time of an experiment. */
export interface QualityReport extends Stretch {
  readonly experiment: string
  /** What a window lasts, milliseconds. */
  readonly windowMs: number
  /** What is held against what: for people. */
  readonly reference: string
  readonly columns: readonly QualityColumn[]
  /** Registered scorers that have said nothing in this time. */
  readonly silent: readonly string[]
  /** How judges stood by their anchors when they were checked last; missing where none was. */
  readonly anchors?: readonly AnchorCheck[]
}
