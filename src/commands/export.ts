import { exportTraces, type TraceExportOptions } from '../archive.ts'
import { openRun, searchTraces } from '../open.ts'
import { plural } from '../std/text.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'

export interface ExportOptions extends Shared, TraceExportOptions {
  readonly filter?: string
  readonly experiment?: string
}

/** Stands for all traces of the store where a run is asked for. */
const ALL = 'all'

/**
 * Writes a run to a file, whose ending chooses the format; or, with `format`, the traces of a run or of the whole store.
 * @throws TypeError for a choice of traces without `format`
 */
export async function exportRun(which: string, path: string, options: ExportOptions, output: Output): Promise<void> {
  if (options.format !== undefined) return exportFound(which, path, options, output)
  if (options.filter !== undefined || options.experiment !== undefined || which === ALL) {
    const why = 'a whole run is exported by its file ending, and cannot be chosen from'
    throw new TypeError(
      `Cannot export a part of the traces: ${why}\nHint: --format otlp or --format mlflow exports traces`,
    )
  }
  const run = await openRun(which, storeOption(options))
  await run.export(path)
  const { rows } = run.totals
  if (options.json) return printJson(output, { run: run.id, path, rows })
  output.print(`Wrote ${plural(rows, 'row')} of ${run.id} to ${path}`)
}

async function exportFound(which: string, path: string, options: ExportOptions, output: Output): Promise<void> {
  const { filter, experiment, format } = options
  const run = which === ALL ? undefined : await openRun(which, storeOption(options))
  const found = run
    ? run.search(filter)
    : searchTraces({
        ...(filter !== undefined && { filter }),
        ...(experiment !== undefined && { experiment }),
        ...storeOption(options),
      })
  const traces = await exportTraces(found, path, format === undefined ? {} : { format })
  if (options.json) return printJson(output, { ...(run && { run: run.id }), path, format, traces })
  output.print(`Wrote ${plural(traces, 'trace')}${run ? ` of ${run.id}` : ''} to ${path} as ${format}`)
}
