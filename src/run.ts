import type { Column } from './column.ts'
import type { UsageTotals } from './meter.ts'

/** One evaluation, finished or not: what the store keeps of it beside its rows. */

/** How far a run got: `interrupted` ended early with what was done, `failed` ended on a fault of its surroundings. */
export type RunStatus = 'running' | 'finished' | 'interrupted' | 'failed'

/** Percentiles of latency, milliseconds. */
export interface LatencySummary {
  readonly p50: number
  readonly p90: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/** What a run amounts to as a whole. */
export interface RunTotals {
  readonly rows: number
  /** Rows whose predict failed; they stay out of every mean. */
  readonly failed: number
  /** Failed rows by error code. */
  readonly failedCodes: Readonly<Record<string, number>>
  /** Calls of predict that were repeated after a fault of the infrastructure. */
  readonly retries: number
  readonly wallMs: number
  /** What was taken over from an earlier run instead of being paid again. */
  readonly reused?: { readonly predictions: number; readonly scores: number }
  /** What scorers asked models for; missing where they asked none. */
  readonly usage?: UsageTotals
  /** Milliseconds per predict call that succeeded. */
  readonly predictLatencyMs?: LatencySummary
}

/** Why a run's figures are not those of the whole data: they were cut on purpose. */
export interface RunSelection {
  readonly limit?: number
  readonly sample?: number
  readonly seed?: number
  readonly filter?: true
}

/** A scorer as its run remembers it. */
export interface RunScorer {
  readonly name: string
  readonly version: string
  readonly description?: string
  /** What it scores, where that is not the single trace. */
  readonly level?: 'session'
  /** Names of the aggregations asked for, where they are not the default. */
  readonly aggregations?: readonly string[]
}

/** The code that a run evaluated. */
export interface RunCode {
  /** Digest of the predict function's source; missing where there was none. It cannot see what the function calls. */
  readonly predict?: string
  readonly commit?: string
  readonly branch?: string
  /** Digest of what was not committed; missing in a clean tree. */
  readonly changes?: string
}

/** Where in Vitest a run came from. */
export interface RunTest {
  /** Path of the test file, relative to Vitest's root. */
  readonly file: string
  readonly name: string
  /** How many times the test had been retried before. */
  readonly attempt: number
  readonly repeat: number
}

/** Something that makes a run fail although every row is accounted for. */
export interface RunProblem {
  readonly code: 'ROWS_FAILED' | 'COLUMN_INCOMPLETE' | 'NAME_COLLISION' | 'AGGREGATION_FAILED'
  readonly message: string
}

/** Something worth knowing that does not make a run fail. */
export interface RunNotice {
  readonly code: 'SPANS_MISSING' | 'SPANS_LATE' | 'ROWS_WITHOUT_SESSION' | 'CODE_CHANGED'
  readonly message: string
}

/** A row worth looking at first. */
export interface WorstRow {
  readonly traceId: string
  readonly rowId: string
  /** Place in the data, from 0. */
  readonly index: number
}

/** Rows whose predict failed alike. */
export interface FailureGroup {
  readonly code: string
  readonly message: string
  readonly count: number
  /** Places of the first of them, from 0. */
  readonly indexes: readonly number[]
}

export const RUN_SCHEMA_VERSION = 1

/** What the store keeps of a run. */
export interface RunRecord {
  readonly schemaVersion: number
  readonly id: string
  readonly name: string
  readonly experiment: string
  readonly status: RunStatus
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly endedAt?: number
  readonly tags: Readonly<Record<string, string>>
  readonly scorers: readonly RunScorer[]
  readonly totals: RunTotals
  readonly columns: readonly Column[]
  readonly problems: readonly RunProblem[]
  readonly notices?: readonly RunNotice[]
  /** At most three: most failed or errored Feedback first, then the lowest scores between 0 and 1. */
  readonly worst: readonly WorstRow[]
  /** The most frequent first, at most twenty. */
  readonly failures: readonly FailureGroup[]
  /** The run whose rows this one evaluated again. */
  readonly parentRunId?: string
  /** The run whose finished cells this one took over. */
  readonly resumedFrom?: string
  /** The run of an earlier attempt of the same test, which this one takes the place of. */
  readonly supersedes?: string
  /** The code that was evaluated, as far as it is known. */
  readonly code?: RunCode
  readonly selection?: RunSelection
  readonly test?: RunTest
  /** Why it was interrupted or failed. */
  readonly reason?: string
  readonly process: { readonly pid: number; readonly host: string }
}

/** Says in words why a run's figures are not final, or gives undefined when they are. */
export function notFinal(run: RunRecord): string | undefined {
  if (run.status === 'running') return 'still running'
  if (run.status === 'interrupted' || run.status === 'failed')
    return run.reason ? `${run.status}: ${run.reason}` : run.status
  const { selection } = run
  if (!selection) return undefined
  const parts = [
    selection.limit !== undefined && `limit ${selection.limit}`,
    selection.sample !== undefined && `sample of ${selection.sample}, seed ${selection.seed ?? 0}`,
    selection.filter && 'filtered',
  ].filter(Boolean)
  return `not final: ${parts.join(', ')}`
}
