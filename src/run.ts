import type { Column } from './column.ts'
import type { BaselineNote, Finding, GateSpec } from './finding.ts'
import type { UsageTotals } from './meter.ts'
import { plural } from './std/text.ts'

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
  /** Digest of everything but the test's own file, committed or not. */
  readonly around?: string
}

/** The CI job that made a run. */
export interface RunJob {
  readonly system: 'github' | 'gitlab' | 'other'
  /** The job's name. */
  readonly job?: string
  /** Where it can be looked at. */
  readonly url?: string
  /** The number of the pull or merge request. */
  readonly request?: number
}

/** How the repeats of a row become one value. `pass@k` and `pass^k`: the chance that any, or that all, of k attempts pass. */
export type Fold = 'mean' | 'majority' | 'all' | 'any' | `pass@${number}` | `pass^${number}`

/** That every row was evaluated several times. */
export interface RunRepeats {
  readonly times: number
  /** For all columns, or by column. @default 'mean' */
  readonly fold?: Fold | Readonly<Record<string, Fold>>
}

/** That a run ended as soon as enough was known. */
export interface RunEarly {
  /** By column, what was decided: the rate is the floor, or as low as was feared. */
  readonly decisions: Readonly<Record<string, 'good' | 'bad'>>
  /** After so many rows. */
  readonly rows: number
  /** Rows that were not run. */
  readonly notRun: number
}

/** Where in Vitest a run came from. */
export interface RunTest {
  /** Path of the test file, relative to Vitest's root. */
  readonly file: string
  readonly name: string
  /** The line that evaluates, from 1. */
  readonly line?: number
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
  readonly code:
    | 'SPANS_MISSING'
    | 'SPANS_LATE'
    | 'ROWS_WITHOUT_SESSION'
    | 'CODE_CHANGED'
    | 'DATA_MENDED'
    | 'STILL_RUNNING'
    | 'PERHAPS_RUNNING'
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
  readonly job?: RunJob
  readonly selection?: RunSelection
  readonly repeats?: RunRepeats
  readonly early?: RunEarly
  /** The tag by which rows belong together. */
  readonly cluster?: string
  readonly gates?: readonly GateSpec[]
  /** What its gates said at its end. */
  readonly findings?: readonly Finding[]
  /** What it was held against. */
  readonly baseline?: BaselineNote
  readonly test?: RunTest
  /** How often its Feedback has been changed since its columns were counted; stores keep it. */
  readonly uncounted?: number
  /** Why it was interrupted or failed; of one that runs, why that is not certain. */
  readonly reason?: string
  readonly process: { readonly pid: number; readonly host: string }
}

/** Gives the record that takes the place of a stored one: changes to its Feedback, of which its writer may not know, stay uncounted. */
export function replacing(stored: RunRecord, run: RunRecord): RunRecord {
  const { uncounted = run.uncounted } = stored
  return uncounted === undefined ? run : { ...run, uncounted }
}

/** Says in words why a run's figures are not final, or gives undefined when they are. */
export function notFinal(run: RunRecord): string | undefined {
  if (run.status === 'running') return run.reason ? `perhaps still running: ${run.reason}` : 'still running'
  if (run.status === 'interrupted' || run.status === 'failed')
    return run.reason ? `${run.status}: ${run.reason}` : run.status
  const { selection, early, uncounted } = run
  if (uncounted) return `not counted: ${plural(uncounted, 'correction')}`
  if (early) return `stopped early: ${early.notRun} rows not run`
  if (!selection) return undefined
  const parts = [
    selection.limit !== undefined && `limit ${selection.limit}`,
    selection.sample !== undefined && `sample of ${selection.sample}, seed ${selection.seed ?? 0}`,
    selection.filter && 'filtered',
  ].filter(Boolean)
  return `not final: ${parts.join(', ')}`
}
