import type { Assessment } from './feedback.ts'
import { matches } from './filter.ts'
import { parseFilter } from './grammar.ts'
import { usageOf } from './meter.ts'
import type { RunRecord } from './run.ts'
import { isQuarantined, type Sheet, SheetBuilder, type SheetEntry } from './sheet.ts'
import { canonical, sha256 } from './std/json.ts'
import { type Store, type StoredTrace, toTrace } from './store.ts'
import { filterSubject } from './subject.ts'

/** What a sheet has to tell beside the values. */
export interface Wanted {
  /** Filters: which rows they find. */
  readonly filters?: readonly string[]
  /** What the run has cost, for which spans have to be read. */
  readonly cost?: boolean
}

/**
 * Reads a run's values row by row.
 * @throws EvaluationError FILTER_INVALID
 */
export async function tabulate(
  store: Store,
  run: RunRecord,
  { filters = [], cost = false }: Wanted = {},
): Promise<Sheet> {
  const parsed = filters.map((filter) => ({ filter, node: parseFilter(filter) }))
  const builder = new SheetBuilder(run, filters)
  for await (const stored of store.search({ runId: run.id, includeSpans: cost })) {
    if (stored.trial && isQuarantined(stored.trace.tags, run.startedAt)) {
      builder.leaveOut(stored.trial.rowId)
      continue
    }
    const subject = filterSubject(stored, [run.id])
    const found = parsed.filter(({ node }) => matches(node, subject)).map(({ filter }) => filter)
    if (stored.trial) builder.add(entryOf(run, stored, found, cost))
  }
  return builder.build()
}

function entryOf(run: RunRecord, stored: StoredTrace, found: readonly string[], priced: boolean): SheetEntry {
  const { trial, trace, assessments } = stored
  const { rowId, index, status, attempts } = trial as NonNullable<StoredTrace['trial']>
  const feedback = assessments.filter(({ kind, valid }) => kind === 'feedback' && valid)
  const cluster = run.cluster === undefined ? undefined : trace.tags[run.cluster]
  const cost = priced ? costOf(stored, feedback) : undefined
  const timed = attempts > 0 && status === 'ok' && trace.durationNs !== undefined
  return {
    rowId,
    traceId: trace.id,
    index,
    failed: status === 'failed',
    truth: truthOf(assessments),
    tags: trace.tags,
    found,
    feedback: feedback.map(({ name, value, error, source }) => ({
      name,
      value,
      ...(error && { error }),
      source: source.type === 'CODE' ? 'CODE' : `${source.type} ${source.id}`,
    })),
    ...(cluster !== undefined && { cluster }),
    ...(timed && { latencyMs: (trace.durationNs as number) / 1e6 }),
    ...(cost !== undefined && { cost }),
  }
}

/** The digest of a row's ground truth; that of code is nobody's business here. */
function truthOf(assessments: readonly Assessment[]): string {
  const truth = assessments.filter(({ kind, valid }) => kind === 'expectation' && valid)
  if (truth.length === 0) return ''
  return sha256(canonical(Object.fromEntries(truth.map(({ name, value }) => [name, value])))).slice(0, 16)
}

/** What the spans of a row say that they have cost, and what its judges say; NaN where a call was paid at a price that nobody knows. */
function costOf(stored: StoredTrace, feedback: readonly Assessment[]): number | undefined {
  const judged = feedback.map(({ metadata }) => {
    const usage = usageOf(metadata)
    return usage && (usage.unknownCost > 0 ? Number.NaN : usage.cost)
  })
  const costs = [toTrace(stored).tokenUsage.cost, ...judged].filter((cost) => cost !== undefined)
  return costs.length === 0 ? undefined : costs.reduce((a, b) => a + b, 0)
}
