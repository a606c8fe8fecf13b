import type { AssessmentError } from './feedback.ts'
import type { FailureGroup, RunRecord } from './run.ts'

/** Where a report is printed: handed in, so that a report is a function of records and screen. */
export interface Screen {
  /** Columns of characters. */
  readonly width: number
  readonly colors: boolean
  /** False where blocks cannot be drawn. @default true */
  readonly blocks?: boolean
}

/** What a report shows of one row. */
export interface RowReport {
  readonly rowId: string
  readonly traceId: string
  /** Position in the data, from 0. */
  readonly index: number
  readonly inputs: string
  readonly outputs: string
  /** The Feedback that put the row here, worst first. */
  readonly feedback: readonly {
    readonly name: string
    readonly value?: unknown
    readonly rationale?: string
    readonly error?: AssessmentError
  }[]
}

/** Everything a report needs; of fixed size whatever the number of rows. */
export interface RunReport {
  readonly run: RunRecord
  readonly worst: readonly RowReport[]
  readonly failures: readonly FailureGroup[]
  /** The store's place as a person would type it. */
  readonly store: string
  /** The run whose rows this one evaluated again, as far as the store knows it. */
  readonly parentName?: string
}

/** Renders one run. */
export type Render = (report: RunReport, screen: Screen) => string
