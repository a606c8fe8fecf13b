import { join } from 'node:path'
import type { RunRecord, RunStatus } from './run.ts'

/** The one small record that crosses from a worker to the main process, in `task.meta`: plain JSON, never a row. */

export const HANDOFF_KEY = 'vitest-evaluate'
/** Beside it, the data files that a test's evaluations read: in watch mode they trigger it again, even if no run came of it. */
export const FILES_KEY = 'vitest-evaluate:files'

export interface Handoff {
  readonly runId: string
  readonly name: string
  readonly status: RunStatus
  /** Path of the store, relative to Vitest's root where it lies below it. */
  readonly store: string
  readonly attempt: number
  readonly repeat: number
  readonly rows: number
  readonly failed: number
  /** The first metrics, for reports that have no access to the store. */
  readonly metrics: Readonly<Record<string, number>>
}

const MAX_METRICS = 50
const MAX_NAME = 200

export function toHandoff(run: RunRecord, store: string): Handoff {
  const metrics: Record<string, number> = {}
  let left = MAX_METRICS
  for (const column of run.columns) {
    for (const [aggregation, value] of Object.entries(column.aggregates)) {
      const key = `${column.name}/${aggregation}`
      if (left-- > 0 && key.length <= MAX_NAME) metrics[key] = value
    }
  }
  return {
    runId: run.id,
    name: run.name.slice(0, MAX_NAME),
    status: run.status,
    store,
    attempt: run.test?.attempt ?? 0,
    repeat: run.test?.repeat ?? 0,
    rows: run.totals.rows,
    failed: run.totals.failed,
    metrics,
  }
}

/** What a worker says while it evaluates. */
export interface Progress {
  readonly runId: string
  readonly name: string
  readonly done: number
  /** Missing while the source has not said how many rows it has. */
  readonly total?: number
  readonly failed: number
  readonly errors: number
  readonly elapsedMs: number
}

/** The type of the test artifact that carries progress. */
export const PROGRESS = 'vitest-evaluate:progress'

export interface ProgressArtifact {
  type: typeof PROGRESS
  progress: Progress
}

/** Where a store is when nobody says otherwise, from the root. */
export const DEFAULT_STORE: string = join('.vitest', 'evaluate', 'store.sqlite')
