import { writeFile } from 'node:fs/promises'
import { renderAnnotations } from '../../reporters/annotations.ts'
import { renderJUnit } from '../../reporters/junit.ts'
import { renderMarkdown, SUMMARY_BYTES } from '../../reporters/markdown.ts'
import { renderMetrics } from '../../reporters/metrics.ts'
import { gather } from '../../reporters/report.ts'
import { EvaluationError, messageOf } from '../errors.ts'
import { openNewest, openRun } from '../open.ts'
import { storePlace } from '../place.ts'
import type { RunReport } from '../reporter.ts'
import { visibleJson } from '../std/text.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'

/** What a report may be. */
export const FORMATS: readonly Format[] = ['markdown', 'annotations', 'junit', 'metrics', 'json']
export type Format = 'markdown' | 'annotations' | 'junit' | 'metrics' | 'json'

export interface ReportOptions extends Shared {
  readonly format: Format
  readonly output?: string
}

const RENDER: Readonly<Record<Format, (reports: readonly RunReport[]) => string>> = {
  markdown: (reports) => renderMarkdown(reports, { maxBytes: SUMMARY_BYTES }),
  annotations: renderAnnotations,
  junit: renderJUnit,
  metrics: renderMetrics,
  json: (reports) =>
    visibleJson(
      JSON.stringify(
        reports.map(({ run }) => run),
        null,
        2,
      ),
    ),
}

/** Writes runs for where changes are reviewed. @throws EvaluationError EXPORT_FAILED */
export async function report(which: readonly string[], options: ReportOptions, output: Output): Promise<void> {
  const reports = await reportsOf(which, options)
  const { output: path } = options
  const format = options.json ? 'json' : options.format
  const text = RENDER[format](reports)
  if (path === undefined) {
    if (text !== '') output.print(text.trimEnd())
    return
  }
  await writeText(path, text)
  if (options.json) printJson(output, { format, path, runs: reports.map(({ run }) => run.id) })
  else output.print(`Wrote ${format} of ${reports.map(({ run }) => run.id).join(', ')} to ${path}`)
}

/** Gathers the runs that are named, or what was evaluated last. */
export async function reportsOf(which: readonly string[], options: Shared): Promise<RunReport[]> {
  const runs =
    which.length > 0
      ? await Promise.all(which.map((one) => openRun(one, storeOption(options))))
      : await openNewest(storeOption(options))
  return Promise.all(runs.map(({ record, store }) => gather(record, store, storePlace(store))))
}

/** @throws EvaluationError EXPORT_FAILED */
export async function writeText(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text)
  } catch (cause) {
    throw new EvaluationError('EXPORT_FAILED', `Cannot write "${path}": ${messageOf(cause)}`, { cause })
  }
}
