import type { RunRecord } from './run.ts'
import type { StoredTrace } from './store.ts'

/** A run, readable more than once from the start. */
export interface RunSnapshot {
  readonly record: RunRecord
  /** Gives every trial with its trace and this run's assessments, in the order of the rows. */
  trials(): AsyncIterable<StoredTrace>
}

/** Writes a run to a file of some format. Lossless ones can be opened again as a run. */
export interface Exporter {
  /** File name endings it stands for, with the dot. */
  readonly extensions: readonly string[]
  write(run: RunSnapshot, path: string): Promise<void>
  /** Reads back what `write` made; missing where the format is flat. */
  read?(path: string): Promise<RunSnapshot>
}
