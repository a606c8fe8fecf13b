import { gather } from '../../reporters/report.ts'
import { renderRow, type ShownRow } from '../../reporters/row.ts'
import { renderRun } from '../../reporters/terminal.ts'
import { EvaluationError, quote } from '../errors.ts'
import type { Run } from '../handle.ts'
import { openRun, storeToRead } from '../open.ts'
import { storePlace } from '../place.ts'
import { type StoredTrace, toTrace } from '../store.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'

/**
 * Shows a run, or one row of it with everything there is to know about it.
 * @param what a run (`latest`, id, name, exported file) or a trace id
 * @param row the row's number from 1, or its id
 */
export async function show(what: string, row: string | undefined, options: Shared, output: Output): Promise<void> {
  if (what.startsWith('tr-') && row === undefined) return showTrace(what, options, output)
  const run = await openRun(what, storeOption(options))
  if (row !== undefined) return showRow(run, await rowOf(run, row), options, output)
  if (options.json) return printJson(output, run.record)
  output.print(renderRun(await gather(run.record, run.store, storePlace(run.store)), output.screen))
}

async function showTrace(traceId: string, options: Shared, output: Output): Promise<void> {
  const store = storeToRead(storeOption(options))
  const found = await first(store.search({ traceId }))
  if (!found)
    throw new EvaluationError('TRACE_NOT_FOUND', `Cannot show ${quote(traceId)}: ${store.location} has no such trace`)
  const runId = found.assessments.find((assessment) => assessment.runId !== undefined)?.runId
  if (runId === undefined) return print({ trace: toTrace(found) }, undefined, options, output)
  const run = await openRun(runId, storeOption(options))
  const inRun = await first(run.store.search({ runId, traceId }))
  return inRun ? showRow(run, inRun, options, output) : print({ trace: toTrace(found) }, undefined, options, output)
}

async function rowOf(run: Run, row: string): Promise<StoredTrace> {
  const byId = await first(run.store.search({ runId: run.id, rowId: row }))
  if (byId) return byId
  const wanted = Number(row)
  if (Number.isInteger(wanted) && wanted >= 1) {
    const found = await first(run.store.search({ runId: run.id, fromIndex: wanted - 1, limit: 1 }))
    if (found?.trial?.index === wanted - 1) return found
  }
  throw new EvaluationError('TRACE_NOT_FOUND', `Cannot show row ${quote(row)} of ${run.id}: there is no such row`, {
    hint: `rows are numbered from 1 to ${run.totals.rows}, or named by their id`,
  })
}

async function showRow(run: Run, stored: StoredTrace, options: Shared, output: Output): Promise<void> {
  print(shown(run, stored), await pairOf(run, stored), options, output)
}

function print(row: ShownRow, pair: ShownRow | undefined, options: Shared, output: Output): void {
  const both = { ...row, ...(pair && { pair }) }
  if (options.json) printJson(output, both)
  else output.print(renderRow(both, output.screen))
}

function shown(run: Run, stored: StoredTrace): ShownRow {
  return { run: run.record, trace: toTrace(stored), ...(stored.trial && { trial: stored.trial }) }
}

/** The same row in the run that this one evaluated again, else in the run of the same name before it. */
async function pairOf(run: Run, { trial }: StoredTrace): Promise<ShownRow | undefined> {
  if (!trial) return undefined
  const { store, record } = run
  const earlier = (await store.listRuns({ name: record.name, experiment: record.experiment })).find(
    ({ startedAt, id }) => startedAt <= record.startedAt && id < record.id,
  )
  const other = (record.parentRunId && (await store.getRun(record.parentRunId))) || earlier
  const stored = other && (await first(store.search({ runId: other.id, rowId: trial.rowId })))
  return stored && { run: other, trace: toTrace(stored), ...(stored.trial && { trial: stored.trial }) }
}

async function first(found: AsyncIterable<StoredTrace>): Promise<StoredTrace | undefined> {
  for await (const stored of found) return stored
  return undefined
}
