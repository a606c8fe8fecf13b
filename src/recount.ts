import { AGGREGATIONS, type AggregationName } from './column.ts'
import type { Assessment, FeedbackValue } from './feedback.ts'
import { Folding } from './folding.ts'
import { UsageMeter, usageOf } from './meter.ts'
import type { RunRecord } from './run.ts'
import { SESSION_KEY } from './session.ts'
import type { Store } from './store.ts'
import { Tally, type TallyEntry } from './tally.ts'

/**
 * Counts a run again from what its store holds: for runs that ended before they could be counted. Aggregations that were functions
 * are not stored and stay out.
 */
export async function recount(store: Store, run: RunRecord): Promise<RunRecord> {
  const tally = new Tally(
    run.scorers.map(({ name, level, aggregations }) => ({
      name,
      level,
      ...(aggregations && { aggregations: aggregations.filter(isBuiltIn) }),
    })),
  )
  const folding = new Folding(tally, run.repeats)
  let lastMs = run.startedAt
  for await (const { trial, trace, assessments } of store.search({ runId: run.id, includeSpans: false })) {
    if (!trial) continue
    const durationMs = trace.durationNs === undefined ? undefined : trace.durationNs / 1e6
    lastMs = Math.max(lastMs, trace.requestTimeMs + (durationMs ?? 0))
    if (trial.attempts > 0) tally.addAttempts(trial.attempts, trial.status === 'ok' ? durationMs : undefined)
    const row = { traceId: trace.id, rowId: trial.rowId, index: trial.index }
    if (trial.error) folding.addFailed(trial.index, trial.error)
    else folding.addScored(row, entriesOf(run, assessments, undefined))
    const ofSession = assessments.filter(({ metadata }) => metadata && SESSION_KEY in metadata)
    if (ofSession.length > 0) tally.addSession(row, entriesOf(run, ofSession, 'session'))
  }
  folding.end()
  return {
    ...run,
    totals: tally.totals(Math.max(0, lastMs - run.startedAt)),
    worst: tally.worst,
    failures: tally.failures,
    columns: tally.columns({ allowFailed: Number.POSITIVE_INFINITY, minScored: 0 }).columns,
  }
}

/** What `score.ts` says of a scorer that failed as a whole. */
const SCORER_FAILED: ReadonlySet<string | undefined> = new Set(['SCORER_THREW', 'SCORER_TIMEOUT', 'SCORER_RETURN'])

function isBuiltIn(name: string): name is AggregationName {
  return (AGGREGATIONS as readonly string[]).includes(name)
}

function entriesOf(run: RunRecord, assessments: readonly Assessment[], level: 'session' | undefined): TallyEntry[] {
  const scorers = run.scorers.filter((scorer) => scorer.level === level)
  return scorers.map(({ name }) => {
    const feedback = assessments.filter(({ scorer, kind, valid }) => scorer === name && kind === 'feedback' && valid)
    const entries = feedback.map(({ name: column, value, error }) => ({
      name: column,
      ...(value !== undefined && { value: value as FeedbackValue }),
      ...(error && { error }),
    }))
    const meter = new UsageMeter()
    for (const { metadata } of feedback) {
      const usage = usageOf(metadata)
      if (usage) meter.merge(usage)
    }
    const failed = feedback.length === 1 && SCORER_FAILED.has(feedback[0]?.error?.code)
    return { scorer: name, feedback: entries, failed, usage: meter.totals }
  })
}
