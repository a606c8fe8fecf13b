import { ColumnBuilder, passValue } from './column.ts'
import { type DriftOptions, DriftWatch, LEAST_REFERENCE } from './drift.ts'
import { didYouMean, EvaluationError, quote } from './errors.ts'
import type { RunRecord } from './run.ts'
import type { JudgeSeries, QualityColumn, QualityReport, Score, Stretch } from './series.ts'
import { nowMs } from './std/async.ts'
import { differenceInterval, Moments } from './std/moments.ts'
import type { Store } from './store.ts'

/** Quality over time: what registered scorers have said of production, window by window, and whether it has changed. */

/** The earliest so many values of today's judge, the values of a stretch of time, or those of a run's column of the same name. */
export type Reference = number | Stretch | { readonly run: RunRecord; readonly column?: string }

export interface QualityOptions extends DriftOptions {
  readonly experiment: string
  /** Names of registered scorers. @default all */
  readonly scorers?: readonly string[]
  /** Milliseconds since 1970. @default 7 days before `toMs` */
  readonly fromMs?: number
  /** @default now */
  readonly toMs?: number
  /** How long a window is, milliseconds. @default a 24th of the time */
  readonly windowMs?: number
  /** @default 1000 */
  readonly reference?: Reference
}

const WEEK_MS = 7 * 86_400_000
const WINDOWS = 24
const MAX_WINDOWS = 1_000
const REFERENCE = 1_000
/** Traces that are looked at in one go. */
const PAGE = 2_000

/**
 * Reads quality over time. Every value since the reference is looked at for drift, whatever stretch is shown, so that one and the same store always
 * says the same; memory grows with what is shown (some 30 bytes for each number), not with what is read.
 *
 * Only what stands counts: a person's correction in the place of what the scorer said.
 * @throws RangeError for times, windows and references that cannot be meant
 * @throws EvaluationError SCORER_NOT_FOUND where no such scorer is registered, or none at all
 */
export async function quality(
  store: Pick<Store, 'registrations' | 'scores' | 'search'>,
  options: QualityOptions,
): Promise<QualityReport> {
  const { experiment, reference = REFERENCE } = options
  const { fromMs, toMs, windowMs } = framed(options)
  requireReference(reference)
  requireDrift(options)
  const scorers = await scorersOf(store, options)
  const before = typeof reference === 'object' && 'run' in reference ? await valuesOf(store, reference.run) : undefined
  const columns = new Map<string, Gathering>()
  const last = new Map<string, string>()
  const isStretch = typeof reference === 'object' && 'fromMs' in reference
  let after: Awaited<ReturnType<Store['scores']>>['next']
  do {
    const page = await store.scores({
      experiment,
      scorers,
      ...(isStretch && { fromMs: Math.min(fromMs, reference.fromMs) }),
      toMs,
      ...(after && { after }),
      limit: PAGE,
    })
    for (const score of page.items) {
      const key = JSON.stringify([score.scorer, score.name])
      let column = columns.get(key)
      if (!column) {
        column = new Gathering(score, { ...options, fromMs, toMs, windowMs, reference, before })
        columns.set(key, column)
      }
      column.add(score)
      const isNext = last.get(score.scorer) !== score.traceId
      last.set(score.scorer, score.traceId)
      if (isNext) spoken(columns, score, Math.floor((score.requestTimeMs - fromMs) / windowMs))
    }
    after = page.next
  } while (after)
  const built = [...columns.values()].map((column) => column.build(rowsOf.get(columns)?.get(column.scorer) ?? []))
  return { experiment, fromMs, toMs, windowMs, reference: inWords(reference), columns: built, silent: [] }
}
