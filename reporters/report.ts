import { passValue } from '../src/column.ts'
import type { RowReport, RunReport } from '../src/reporter.ts'
import type { RunRecord, WorstRow } from '../src/run.ts'
import type { Store } from '../src/store.ts'

/** The part of a store that a report reads. */
type Rows = Pick<Store, 'getRun' | 'search'>

/** Gathers what a report shows of a run: a few rows by id, whatever the run's size. */
export async function gather(run: RunRecord, store: Rows, place: string): Promise<RunReport> {
  const worst: RowReport[] = []
  for (const row of run.worst) {
    const report = await rowReport(run, row, store)
    if (report) worst.push(report)
  }
  const parent = run.parentRunId === undefined ? undefined : await store.getRun(run.parentRunId)
  return { run, worst, failures: run.failures, store: place, ...(parent && { parentName: parent.name }) }
}

async function rowReport(
  run: RunRecord,
  { traceId, rowId, index }: WorstRow,
  store: Rows,
): Promise<RowReport | undefined> {
  for await (const { trace, assessments } of store.search({ runId: run.id, traceId, includeSpans: false })) {
    const feedback = assessments
      .filter(({ kind, valid, value, error }) => kind === 'feedback' && valid && goodness(value, error) < 1)
      .sort((a, b) => goodness(a.value, a.error) - goodness(b.value, b.error))
      .map(({ name, value, rationale, error }) => ({
        name,
        value,
        ...(rationale !== undefined && { rationale }),
        ...(error && { error }),
      }))
    return { rowId, traceId, index, inputs: trace.inputs ?? '', outputs: trace.outputs ?? '', feedback }
  }
  return undefined
}

/** 1 for what is fine, 0 for what failed; a score between 0 and 1 is its own measure. */
function goodness(value: unknown, error: unknown): number {
  if (error) return -1
  if (typeof value === 'number') return value >= 0 && value < 1 ? value : 1
  return passValue(value) ?? 1
}
