import type { Interval } from './std/stats.ts'

/** What a gate says of a run. */

/** `inconclusive`: the run has too few rows, or nothing to be compared with, to tell. */
export type Verdict = 'pass' | 'fail' | 'inconclusive'

/** A gate as a run keeps it: plain data, so that the same can be asked again later. */
export interface GateSpec {
  readonly kind: 'floor' | 'ceiling' | 'margin' | 'improve' | 'must' | 'budget'
  /** `<column>/<aggregation>`; for a budget what it bounds, such as `latencyP95Ms`. */
  readonly metric: string
  /** The bound, the margin, or by how much more than nothing it has to be better. */
  readonly value?: number
  /** `must`: which rows have to pass each, as a filter; all of them without one. */
  readonly where?: string
  /** @default 'higher' */
  readonly better?: 'higher' | 'lower'
  /** How often the gate may be wrong where the truth lies at its bound. @default 0.04 */
  readonly alpha?: number
  /** The share of all rows, 0 to 1, that need a value. */
  readonly minScored?: number
  /** Compares the figure itself, without an allowance for chance. */
  readonly exact?: boolean
  /** `floor`: ends the run as soon as it is clear whether the rate is the floor or as low as this. */
  readonly early?: number
  /** What becomes of the test when the gate cannot tell. @default 'warn' */
  readonly inconclusive?: 'warn' | 'fail'
}

/**
 * How often a gate may be wrong, unless it says otherwise. Less than the customary 0.05: a reserve for figures that are only about normal, so
 * that of neutral changes fewer than one in twenty fails.
 */
export const DEFAULT_ALPHA = 0.04

/** Why a verdict is what it is, where it does not follow from the figures alone. */
export type FindingReason =
  | 'UNKNOWN_METRIC'
  | 'NO_ROWS'
  | 'TOO_FEW_SCORED'
  | 'TOO_FEW_ROWS'
  | 'FIRST_RUN'
  | 'NOT_COMPARABLE'
  | 'NOT_KNOWN'

/** How an interval was made. */
export type Method = 'wilson' | 'tango' | 't' | 'clustered' | 'bootstrap' | 'exact'

/** A row that a finding points at. */
export interface FindingRow {
  readonly rowId: string
  readonly traceId: string
  /** Place in the data, from 0. */
  readonly index: number
}

/** The verdict of one gate on one run. */
export interface Finding {
  readonly gate: GateSpec
  readonly verdict: Verdict
  /** Whether it makes the test, or the gate command, fail. */
  readonly blocks: boolean
  readonly reason?: FindingReason
  /** One sentence for people. */
  readonly message: string
  /** The run's own figure. */
  readonly figure?: number
  /** The baseline's, over the same rows. */
  readonly baseline?: number
  /** What was held against the bound: the figure, or its difference from the baseline's. */
  readonly estimate?: number
  /** Each end is certain at 1 − alpha. */
  readonly interval?: Interval
  readonly method?: Method
  /** How many rows it rests on, … */
  readonly rows: number
  /** … of how many. */
  readonly of: number
  /** Rows that are in quarantine and count nowhere above. */
  readonly quarantined?: number
  /** The smallest change for the worse that this run would show in four of five cases. */
  readonly detectable?: number
  /** About how many rows would decide, as things look. */
  readonly needed?: number
  /** The rows to look at, at most twenty: those that have to pass and do not, those that passed in the baseline. */
  readonly worst?: readonly FindingRow[]
  /** How many such rows there are. */
  readonly worstCount?: number
}

/** Where a run's baseline came from. */
export interface BaselineNote {
  readonly how: 'given' | 'base' | 'ancestor' | 'stale' | 'none'
  readonly runId?: string
  readonly commit?: string
  /** The file that it was opened from. */
  readonly file?: string
  /** In words: `run of the merge base 1a2b3c4d`. */
  readonly note: string
}

/** The findings that make a run fail. */
export function blocking(findings: readonly Finding[] | undefined): Finding[] {
  return (findings ?? []).filter(({ blocks }) => blocks)
}

/** What all findings together say: the worst of them. */
export function overall(findings: readonly Finding[]): Verdict {
  if (findings.some(({ verdict }) => verdict === 'fail')) return 'fail'
  return findings.some(({ verdict }) => verdict === 'inconclusive') ? 'inconclusive' : 'pass'
}
