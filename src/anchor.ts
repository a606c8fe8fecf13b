import type { Interval } from './std/stats.ts'

/** The record of a check of anchors: whether a judge still says of the same traces what it said of them first. */

/** One column of a scorer, on the traces that have a value both times. */
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
  /** `unknown` for words that are no verdicts, and for too few traces. */
  readonly verdict: 'same' | 'changed' | 'unknown'
}

/** How a judge stands by its anchors. */
export interface AnchorCheck {
  readonly scorer: string
  /** `first`: its first verdicts, with nothing to hold them against. */
  readonly verdict: 'first' | 'same' | 'changed' | 'unknown'
  /** How many traces are its anchors. */
  readonly traces: number
  /** The run of the check, … */
  readonly runId: string
  readonly atMs: number
  /** … and that of the first verdicts. */
  readonly firstRunId: string
  readonly firstMs: number
  readonly columns: readonly AnchorColumn[]
  /** Traces that it could not judge now. */
  readonly errors: number
}
