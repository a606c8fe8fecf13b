import { EvaluationError, quote } from '../errors.ts'
import { plural, visible } from '../std/text.ts'
import { importTraces, type TraceFormatName } from '../traces.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'

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
  const report = await importTraces(files, {
    ...storeOption(options),
    ...(experiment !== undefined && { experiment }),
    ...(format !== undefined && { format }),
    ...(from !== undefined && { from: dateOf('--from', from) }),
    ...(to !== undefined && { to: dateOf('--to', to) }),
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

function dateOf(option: string, text: string): Date {
  const time = Date.parse(text)
  if (Number.isFinite(time)) return new Date(time)
  throw new EvaluationError(
    'CONFIG_INVALID',
    `Cannot import traces: ${option} must be a time such as 2026-01-05 or 2026-01-05T12:00Z, found ${quote(text)}`,
  )
}
