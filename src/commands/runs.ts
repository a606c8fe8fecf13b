import { type Cell, type TableColumn, table } from '../../reporters/table.ts'
import type { Run } from '../handle.ts'
import { listRuns } from '../open.ts'
import { duration, plural } from '../std/text.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'

export interface RunsOptions extends Shared {
  readonly experiment?: string
  readonly name?: string
  readonly limit: number
}

/** Lists runs, newest first. */
export async function runs(options: RunsOptions, output: Output): Promise<void> {
  const { experiment, name, limit } = options
  const query = { ...(experiment !== undefined && { experiment }), ...(name !== undefined && { name }) }
  const oneMore = await listRuns({ ...query, limit: limit + 1, ...storeOption(options) })
  const found = oneMore.slice(0, limit)
  if (options.json)
    return printJson(
      output,
      found.map(({ record }) => record),
    )
  if (found.length === 0) return output.print('No runs')
  const columns: TableColumn[] = [
    { header: 'run' },
    { header: 'name', min: 10 },
    { header: 'started (UTC)', drop: 2 },
    { header: 'status' },
    { header: 'rows', align: 'right' },
    { header: 'failed', align: 'right' },
    { header: 'took', align: 'right', drop: 1 },
    { header: 'metrics', drop: 3, min: 12 },
  ]
  const lines = table(found.map(line), { screen: output.screen, columns })
  output.print(lines.join('\n'))
  if (oneMore.length > limit) output.print(`The newest ${plural(limit, 'run')}; --limit shows more`)
}

function line(run: Run): Cell[] {
  const { totals, record } = run
  const metrics = Object.entries(run.metrics)
    .slice(0, 3)
    .map(([key, value]) => `${key.replace(/\/mean$/, '')} ${Number(value.toPrecision(3))}`)
  const status = run.status === 'running' && record.reason !== undefined ? 'running?' : run.status
  const mark = record.selection ? `${status} (not final)` : status
  return [
    run.id,
    run.name,
    new Date(record.startedAt).toISOString().slice(0, 16).replace('T', ' '),
    mark,
    String(totals.rows),
    totals.failed > 0 ? String(totals.failed) : '·',
    duration(totals.wallMs),
    metrics.join('  '),
  ]
}
