import { qualityMarkdown, renderQuality } from '../../reporters/quality.ts'
import { renderDeadLetters, renderStatus } from '../../reporters/status.ts'
import type { DriftOptions } from '../drift.ts'
import { quote } from '../errors.ts'
import { openRun } from '../open.ts'
import type { Reference } from '../quality.ts'
import { type ReadQualityOptions, readDeadLetters, readQuality, readStatus } from '../seen.ts'
import type { QualityReport } from '../series.ts'
import { nowMs } from '../std/async.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'
import { writeText } from './report.ts'
import { lapse, timeIn } from './time.ts'

export interface MonitorReportOptions extends Shared, Omit<DriftOptions, 'range'> {
  readonly experiment?: string
  /** Registered scorers; all where there is none. */
  readonly scorer?: readonly string[]
  /** `7d`, `12h`, `30m` ago, or a time such as `2026-01-05` or `2026-01-05T12:00Z`. */
  readonly from?: string
  readonly to?: string
  /** How long a window is: `1d`, `6h`. */
  readonly window?: string
  /** `500` (the first so many values), `2026-01-01..2026-01-08`, or `run:latest`, `run:nightly/column`. */
  readonly reference?: string
  /** Where a column's numbers lie: `0..100`. */
  readonly range?: string
  readonly format?: 'text' | 'markdown' | 'json'
  /** A file instead of the screen. */
  readonly output?: string
  /** What too few values mean for the exit code. @default 'ok' */
  readonly notEnough?: 'ok' | 'fail'
}

/** What the report says to the shell. */
export const REPORT_CODES = { ok: 0, drift: 1, notEnough: 2, error: 3 } as const

/**
 * Shows quality over time.
 * @returns 0; 1 where drift raises an alarm; with `notEnough: 'fail'` 2 where no scorer has said anything, or there is too little of any column to tell.
 * What is thrown is for 3
 * @throws RangeError for options that cannot be meant; EvaluationError SCORER_NOT_FOUND, RUN_NOT_FOUND, EXPORT_FAILED, STORE_…
 */
export async function monitorReport(options: MonitorReportOptions, output: Output): Promise<number> {
  const report = await readQuality(await wanted(options))
  const verdict = verdictOf(report, options)
  const format = options.json ? 'json' : (options.format ?? 'text')
  const print = options.output === undefined ? output.print : undefined
  if (format === 'json') {
    const whole = { verdict, code: REPORT_CODES[verdict], ...report }
    if (print) printJson(output, whole)
    else await writeText(options.output as string, `${JSON.stringify(whole, null, 2)}\n`)
  } else {
    const plain = { ...output.screen, colors: output.screen.colors && print !== undefined }
    const text = format === 'markdown' ? qualityMarkdown(report) : `${renderQuality(report, plain)}\n`
    if (print) print(text.trimEnd())
    else await writeText(options.output as string, text)
  }
  if (options.output !== undefined) output.print(`Wrote the report of "${report.experiment}" to ${options.output}`)
  return REPORT_CODES[verdict]
}

function verdictOf(
  { columns }: QualityReport,
  { notEnough = 'ok' }: MonitorReportOptions,
): 'ok' | 'drift' | 'notEnough' {
  if (columns.some(({ drift }) => drift.isAlarm)) return 'drift'
  const isEnough = columns.length > 0 && columns.every(({ drift }) => drift.verdict !== 'not enough')
  return isEnough || notEnough === 'ok' ? 'ok' : 'notEnough'
}

async function wanted(options: MonitorReportOptions): Promise<ReadQualityOptions> {
  const { experiment, scorer = [], from, to, window, reference, range, alpha, tolerance, alarm } = options
  const now = nowMs()
  return {
    ...storeOption(options),
    ...(experiment !== undefined && { experiment }),
    ...(scorer.length > 0 && { scorers: scorer }),
    ...(from !== undefined && { fromMs: timeOf('--from', from, now) }),
    toMs: to === undefined ? now : timeOf('--to', to, now),
    ...(window !== undefined && { windowMs: lapseOf('--window', window) }),
    ...(reference !== undefined && { reference: await referenceOf(reference, options, now) }),
    ...(range !== undefined && { range: rangeOf(range) }),
    ...(alpha !== undefined && { alpha }),
    ...(tolerance !== undefined && { tolerance }),
    ...(alarm !== undefined && { alarm }),
  }
}

function lapseOf(option: string, text: string): number {
  const ms = lapse(text)
  if (ms === undefined || ms === 0) {
    throw new RangeError(`Cannot report quality: ${option} must be a time such as 6h or 1d, found ${quote(text)}`)
  }
  return ms
}

function timeOf(option: string, text: string, now: number): number {
  return timeIn(`Cannot report quality: ${option}`, text, now)
}

async function referenceOf(text: string, options: MonitorReportOptions, now: number): Promise<Reference> {
  if (/^\d+$/.test(text)) return Number(text)
  if (text.startsWith('run:')) {
    const [which = '', ...column] = text.slice('run:'.length).split('/')
    const run = await openRun(which, storeOption(options))
    return { run: run.record, store: run.store, ...(column.length > 0 && { column: column.join('/') }) }
  }
  const [from, to, ...more] = text.split('..')
  if (from === undefined || to === undefined || more.length > 0) {
    throw new RangeError(
      `Cannot report quality: --reference must be a number of values, two times as 2026-01-01..2026-01-08, or run:latest, found ${quote(text)}`,
    )
  }
  return { fromMs: timeOf('--reference', from, now), toMs: timeOf('--reference', to, now) }
}

function rangeOf(text: string): readonly [number, number] {
  const [low, high, ...more] = text.split('..').map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
  if (low === undefined || high === undefined || more.length > 0 || !Number.isFinite(low) || !Number.isFinite(high)) {
    throw new RangeError(`Cannot report quality: --range must be two numbers such as 0..100, found ${quote(text)}`)
  }
  return [low, high]
}

export interface MonitorStatusOptions extends Shared {
  readonly experiment?: string
  readonly scorer?: string
}

/** Shows how far monitoring has come. @throws EvaluationError SCORER_NOT_FOUND, STORE_… */
export async function monitorStatus(options: MonitorStatusOptions, output: Output): Promise<void> {
  const status = await readStatus(asked(options))
  if (options.json) printJson(output, status)
  else output.print(renderStatus(status, output.screen))
}

/** Lists what failed too often. @throws EvaluationError SCORER_NOT_FOUND, STORE_… */
export async function deadLetters(
  options: MonitorStatusOptions & { readonly limit?: number },
  output: Output,
): Promise<void> {
  const { limit } = options
  const { letters, count } = await readDeadLetters({ ...asked(options), ...(limit !== undefined && { limit }) })
  if (options.json) printJson(output, { count, letters })
  else output.print(renderDeadLetters(letters, count, output.screen))
}

function asked({ experiment, scorer, ...rest }: MonitorStatusOptions) {
  return {
    ...storeOption(rest),
    ...(experiment !== undefined && { experiment }),
    ...(scorer !== undefined && { scorer }),
  }
}
