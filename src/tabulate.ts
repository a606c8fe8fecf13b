import type { Assessment } from './feedback.ts'
import { matches } from './filter.ts'
import { parseFilter } from './grammar.ts'
import type { RunRecord } from './run.ts'
import { isQuarantined, type Sheet, SheetBuilder, type SheetEntry } from './sheet.ts'
import { canonical, sha256 } from './std/json.ts'
import type { Store, StoredTrace } from './store.ts'
import { filterSubject } from './subject.ts'

/**
 * Reads a run's values row by row.
 * @param filters which rows they find is told in the sheet
 * @throws EvaluationError FILTER_INVALID
 */
export async function tabulate(store: Store, run: RunRecord, filters: readonly string[] = []): Promise<Sheet> {
  const parsed = filters.map((filter) => ({ filter, node: parseFilter(filter) }))
  const builder = new SheetBuilder(run, filters)
  for await (const stored of store.search({ runId: run.id, includeSpans: false })) {
    if (stored.trial && isQuarantined(stored.trace.tags, run.startedAt)) {
      builder.leaveOut(stored.trial.rowId)
      continue
    }
    const subject = filterSubject(stored, [run.id])
    const found = parsed.filter(({ node }) => matches(node, subject)).map(({ filter }) => filter)
    if (stored.trial) builder.add(entryOf(run, stored, found))
  }
  return builder.build()
}

function entryOf(run: RunRecord, { trial, trace, assessments }: StoredTrace, found: readonly string[]): SheetEntry {
  const { rowId, index, status, attempts } = trial as NonNullable<StoredTrace['trial']>
  const feedback = assessments.filter(({ kind, valid }) => kind === 'feedback' && valid)
  const cluster = run.cluster === undefined ? undefined : trace.tags[run.cluster]
  const cost = costOf(trace.metadata, feedback)
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

/** What a trace says that it has cost, and what its judges say. */
function costOf(metadata: Readonly<Record<string, string>>, feedback: readonly Assessment[]): number | undefined {
  const given = [metadata.cost, ...feedback.map((one) => one.metadata?.cost)]
  const costs = given
    .filter((cost) => cost !== undefined && cost !== '')
    .map(Number)
    .filter(Number.isFinite)
  return costs.length === 0 ? undefined : costs.reduce((a, b) => a + b, 0)
}
