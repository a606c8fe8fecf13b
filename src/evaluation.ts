import type { EarlyTest } from './early.ts'
import type { Cluster, Selection } from './feed.ts'
import type { GateSpec } from './finding.ts'
import type { Progress } from './handoff.ts'
import type { Predict } from './predict.ts'
import type { Reuse } from './reuse.ts'
import type { RunCode, RunJob, RunNotice, RunRecord, RunRepeats, RunTest } from './run.ts'
import type { Scorer } from './scorer.ts'
import type { Store } from './store.ts'
import type { Tolerance } from './tally.ts'

/** Everything that is settled before an evaluation starts. */
export interface Evaluation {
  readonly data: Iterable<unknown> | AsyncIterable<unknown>
  /** How many rows there are, where the source knows. */
  readonly count?: number | undefined
  readonly predict?: Predict | undefined
  readonly scorers: readonly Scorer[]
  readonly store: Store
  readonly name: string
  readonly experiment: string
  readonly tags: Readonly<Record<string, string>>
  readonly selection: Selection
  readonly tolerance: Tolerance
  /** Rows in work at once. */
  readonly maxConcurrency: number
  readonly predictTimeoutMs: number
  readonly scorerTimeoutMs: number
  readonly retries: number
  readonly parentRunId?: string | undefined
  readonly test?: RunTest | undefined
  readonly signal?: AbortSignal | undefined
  readonly host: string
  /** Finished cells of earlier runs, and the newest of those runs. */
  readonly reuse?: Reuse | undefined
  readonly resumedFrom?: string | undefined
  readonly supersedes?: string | undefined
  readonly notices?: readonly RunNotice[] | undefined
  /** What is known of the code at the start; the rest comes once git has answered, and nobody waits for it before the end. */
  readonly code?: RunCode | undefined
  readonly laterCode?: Promise<RunCode> | undefined
  readonly job?: RunJob | undefined
  /** Every row is evaluated so many times, and its repeats are folded into one. */
  readonly repeats?: RunRepeats | undefined
  readonly cluster?: Cluster | undefined
  readonly gates?: readonly GateSpec[] | undefined
  /** Ends the run as soon as all of these are decided. */
  readonly early?: readonly EarlyTest[] | undefined
  /** Adds what is to be said of a run whose rows are all kept and counted. */
  readonly judge?: ((run: RunRecord) => Promise<Partial<RunRecord>>) | undefined
  readonly onStart?: ((run: RunRecord) => void) | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Called with the record of a run that has begun, however it ended. */
  readonly onEnd?: ((run: RunRecord) => void) | undefined
}
