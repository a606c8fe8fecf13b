import { dataLine } from '../../reporters/data.ts'
import { valueText } from '../../reporters/pair.ts'
import { type Cell, type TableColumn, table } from '../../reporters/table.ts'
import { openRun, searchTraces } from '../open.ts'
import { plural } from '../std/text.ts'
import type { Trace } from '../trace.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'

export interface SearchOptions extends Shared {
  readonly run?: string
  readonly experiment?: string
  readonly limit: number
}

/** Finds traces by a filter. */
export async function search(filter: string | undefined, options: SearchOptions, output: Output): Promise<void> {
  const { experiment, limit } = options
  const run = options.run === undefined ? undefined : await openRun(options.run, storeOption(options))
  const found = run
    ? run.search(filter)
    : searchTraces({
        ...(filter !== undefined && { filter }),
        ...(experiment !== undefined && { experiment }),
        ...storeOption(options),
      })
  const count = await found.count()
  const traces: Trace[] = []
  for await (const trace of found) {
    if (traces.push(trace) >= limit) break
  }
  if (options.json) return printJson(output, { count, traces })
  if (traces.length > 0) output.print(tableOf(traces, output).join('\n'))
  output.print(
    `${plural(count, 'trace')}${count > traces.length ? `, ${traces.length} shown; --limit shows more` : ''}`,
  )
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
