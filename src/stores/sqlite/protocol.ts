import type { EvaluationErrorCode } from '../../errors.ts'
import type { Assessment } from '../../feedback.ts'
import type { Queue } from '../../queue.ts'
import type { Registry } from '../../registry.ts'
import type { RunRecord } from '../../run.ts'
import type { RunQuery, TraceQuery, TrialPlace } from '../../store.ts'
import type { Cursor, Page } from './cursor.ts'
import type { Change } from './ledger.ts'
import type { Tape } from './tape.ts'

/** What is asked of the thread just as it is asked of the store. */
type Forwarded = {
  [Name in keyof (Registry & Queue)]: (
    ...args: Parameters<(Registry & Queue)[Name]>
  ) => Awaited<ReturnType<(Registry & Queue)[Name]>>
}

/** What can be asked of the thread. */
export interface Methods extends Forwarded {
  createRun(run: RunRecord): void
  updateRun(run: RunRecord, was: RunRecord | undefined): boolean
  getRun(id: string): RunRecord | undefined
  listRuns(query: RunQuery): RunRecord[]
  /** Gives how many were not there yet. */
  writeTraces(tape: Tape): number
  logAssessment(traceId: string, tape: Tape, overrides: string | undefined): Assessment
  updateAssessment(id: string, change: Change): Assessment | undefined
  deleteAssessment(id: string): boolean
  page(query: TraceQuery, after: Cursor | undefined, size: number): Page
  count(query: TraceQuery): number
  trials(runId: string): readonly TrialPlace[]
  close(): void
}

/** Trials to write. */
export interface Batch {
  readonly id: number
  readonly tape: Tape
}

export type Message = Batch | { readonly id: number; readonly method: keyof Methods; readonly args: readonly unknown[] }

export interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: { readonly code: EvaluationErrorCode; readonly message: string; readonly hint: string | undefined }
}
