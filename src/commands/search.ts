import { dataLine } from '../../reporters/data.ts'
import { valueText } from '../../reporters/pair.ts'
import { type Cell, type TableColumn, table } from '../../reporters/table.ts'
import { EvaluationError } from '../errors.ts'
import { openRun, searchTraces } from '../open.ts'
import { plural } from '../std/text.ts'
import type { Trace } from '../trace.ts'
import type { TraceSet } from '../traceset.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'

export interface SearchOptions extends Shared {
  readonly run?: string
  readonly experiment?: string
  readonly orderBy?: string
  readonly limit: number
}

/** Finds traces by a filter. */
export async function search(filter: string | undefined, options: SearchOptions, output: Output): Promise<void> {
  const found = await traceSet(filter, options)
  const traces: Trace[] = []
  let fault: unknown
  try {
    for await (const trace of found) {
      if (traces.push(trace) >= options.limit) break
    }
  } catch (error) {
    // What is whole of a damaged store is shown all the same.
    if (traces.length === 0) throw error
    fault = error
  }
  const count = fault ? traces.length : await found.count()
  if (options.json) printJson(output, { count, traces })
  else {
    if (traces.length > 0) output.print(tableOf(traces, output).join('\n'))
    const more = count > traces.length ? `, ${traces.length} shown; --limit shows more` : ''
    output.print(`${plural(count, 'trace')}${more}`)
  }
  if (fault) throw fault
}

async function traceSet(text: string | undefined, options: SearchOptions): Promise<TraceSet> {
  const filter = text === undefined ? {} : { filter: text }
  const { run: which, experiment, orderBy } = options
  const query = { ...filter, ...(orderBy && { orderBy }), ...storeOption(options) }
  if (which === undefined) return searchTraces({ ...query, ...(experiment !== undefined && { experiment }) })
  try {
    const run = await openRun(which, storeOption(options))
    // Refuses Feedback that the run has not.
    const rows = run.search(text)
    return orderBy ? searchTraces({ ...query, runId: run.id }) : rows
  } catch (error) {
    const damaged = error instanceof EvaluationError && error.code === 'STORE_NOT_READABLE'
    if (!damaged || !/^run_[0-9a-f]{18}$/.test(which)) throw error
    return searchTraces({ ...query, runId: which })
  }
}

function tableOf(traces: readonly Trace[], { screen }: Output): string[] {
  const rows = traces.map((trace): Cell[] => [
    trace.id,
    trace.status,
    new Date(trace.requestTimeMs).toISOString().slice(0, 16).replace('T', ' '),
    dataLine(trace.inputs),
    dataLine(trace.outputs),
    trace
      .searchAssessments({ kind: 'feedback' })
      .map((assessment) => `${assessment.name} ${valueText(assessment as Parameters<typeof valueText>[0])}`)
      .join('  '),
  ])
  const columns: TableColumn[] = [
    { header: 'trace' },
    { header: 'status' },
    { header: 'started (UTC)', drop: 1 },
    { header: 'inputs', min: 16 },
    { header: 'outputs', min: 16, drop: 3 },
    { header: 'feedback', min: 16, drop: 2 },
  ]
  return table(rows, { screen, columns })
}
