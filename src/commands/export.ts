import { openRun } from '../open.ts'
import { plural } from '../std/text.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'

/** Writes a run to a file; the format follows the file's ending. */
export async function exportRun(which: string, path: string, options: Shared, output: Output): Promise<void> {
  const run = await openRun(which, storeOption(options))
  await run.export(path)
  const { rows } = run.totals
  if (options.json) return printJson(output, { run: run.id, path, rows })
  output.print(`Wrote ${plural(rows, 'row')} of ${run.id} to ${path}`)
}
