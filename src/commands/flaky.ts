import { type Cell, table } from '../../reporters/table.ts'
import { EvaluationError } from '../errors.ts'
import { flakes } from '../flakiness.ts'
import { openRun } from '../open.ts'
import { plural } from '../std/text.ts'
import { tabulate } from '../tabulate.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'

export interface FlakyOptions extends Shared {
  /** How many runs are looked at, the newest first. */
  readonly runs: number
  readonly limit: number
}

/** Shows the rows of an evaluation whose verdicts differ from run to run. */
export async function flaky(which: string, options: FlakyOptions, output: Output): Promise<void> {
  const { record, store } = await openRun(which, storeOption(options))
  const all = await store.listRuns({ name: record.name, experiment: record.experiment })
  const runs = all
    .filter(({ status, test }) => status === 'finished' && test?.file === record.test?.file)
    .slice(0, options.runs)
  if (runs.length < 2) {
    throw new EvaluationError(
      'RUN_NOT_FOUND',
      `Cannot tell which rows of "${record.name}" are flaky: there is one run`,
      {
        hint: 'evaluate again, or with repeats',
      },
    )
  }
  const sheets = []
  for (const run of runs) sheets.push(await tabulate(store, run))
  const found = flakes(sheets)
  if (options.json) return printJson(output, { runs: runs.map(({ id }) => id), rows: found })
  const shown = found.slice(0, options.limit)
  if (shown.length > 0) {
    const rows = shown.map(({ rowId, column, passed, runs: times, interval, unstable }): Cell[] => [
      rowId,
      column,
      `${Number(passed.toFixed(2))} of ${times}`,
      `${interval.low.toFixed(2)} – ${interval.high.toFixed(2)}`,
      unstable ? 'unstable' : '',
    ])
    const columns = [
      { header: 'row', min: 12 },
      { header: 'column', min: 8 },
      { header: 'passed', align: 'right' as const },
      { header: '95 % interval', align: 'right' as const, drop: 1 },
      { header: '' },
    ]
    output.print(table(rows, { screen: output.screen, columns }).join('\n'))
  }
  const unstable = found.filter((one) => one.unstable).length
  const more = found.length > shown.length ? `, ${shown.length} shown; --limit shows more` : ''
  output.print(
    `${plural(found.length, 'verdict differs', 'verdicts differ')} over ${plural(runs.length, 'run')}, ${unstable} unstable${more}`,
  )
}
