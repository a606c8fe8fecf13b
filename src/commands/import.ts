import { nowMs } from '../std/async.ts'
import { plural, visible } from '../std/text.ts'
import { importTraces, type TraceFormatName } from '../traces.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'
import { timeIn } from './time.ts'

export interface ImportOptions extends Shared {
  readonly experiment?: string
  readonly format?: TraceFormatName
  readonly from?: string
  readonly to?: string
  readonly filter?: string
}

/** So many of the things that were mended are printed; all of them with `--json`. */
const SHOWN = 20

/** Brings traces of files or archives into the store. */
export async function importFiles(files: readonly string[], options: ImportOptions, output: Output): Promise<void> {
  const { experiment, format, from, to, filter } = options
  const now = nowMs()
  const report = await importTraces(files, {
    ...storeOption(options),
    ...(experiment !== undefined && { experiment }),
    ...(format !== undefined && { format }),
    ...(from !== undefined && { from: timeIn('Cannot import traces: --from', from, now) }),
    ...(to !== undefined && { to: timeIn('Cannot import traces: --to', to, now) }),
    ...(filter !== undefined && { filter }),
  })
  if (options.json) return printJson(output, report)
  const { imported, known, spans, assessments, mended } = report
  const held = `${plural(spans, 'span')}, ${plural(assessments, 'assessment')}`
  output.print(
    `Imported ${plural(imported, 'trace')}${imported > 0 ? ` (${held})` : ''} into ${report.store}${report.experiment === '' ? '' : `, experiment ${visible(report.experiment)}`}`,
  )
  if (known > 0) output.print(`${plural(known, 'trace')} ${known === 1 ? 'was' : 'were'} there already`)
  if (mended.length === 0) return
  output.print(`Not taken over as it was:`)
  for (const note of mended.slice(0, SHOWN)) output.print(`  ${visible(note)}`)
  if (mended.length > SHOWN) output.print(`  and ${mended.length - SHOWN} more; --json lists them`)
}
