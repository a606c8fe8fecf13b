import type { Interval } from './std/stats.ts'

/** The record of a check of anchors: whether a judge still says of the same traces what it said of them first. */

/** One column of a scorer, on the traces that have a value both times. What people have corrected counts as the judge said it. */
export interface AnchorColumn {
  readonly name: string
  /** Traces with a value both times. */
  readonly n: number
  /** Of how many of them it says something else now. */
  readonly differ: number
  /** Means then and now; missing for words that are no verdicts. */
  readonly before?: number
  readonly after?: number
  /** Now less then; each end of the interval is wrong once in 200 looks. */
  readonly difference?: { readonly value: number; readonly interval?: Interval }
  /**
   * `changed` where the mean has moved, or where the judge says something else of more than a fifth of all traces; both hardly by chance. `unknown` for fewer
   * than 10 traces.
   */
  readonly verdict: 'same' | 'changed' | 'unknown'
}

/** How a judge stands by its anchors. */
export interface AnchorCheck {
  readonly scorer: string
  /** `first`: its first verdicts, with nothing to hold them against. */
  readonly verdict: 'first' | 'same' | 'changed' | 'unknown'
  /** Why it could not be asked at all. */
  readonly problem?: string
  /** Why it may not be what was registered. */
  readonly notice?: string
  /** How many traces are its anchors. */
  readonly traces: number
  /** The run of the check, … */
  readonly runId?: string
  readonly atMs?: number
  /** … and that of the first verdicts. */
  readonly firstRunId?: string
  readonly firstMs?: number
  readonly columns: readonly AnchorColumn[]
  /** Traces that it could not judge now. */
  readonly errors: number
}
