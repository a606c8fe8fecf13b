import {
  type BackfillJob,
  type BackfillOptions,
  type BackfillPlan,
  type BackfillRecord,
  backfillScorers,
  listBackfills,
  planBackfillScorers,
  resumeBackfill,
} from '../backfills.ts'
import { EvaluationError, quote } from '../errors.ts'
import { openStore } from '../place.ts'
import type { ShiftEvent } from '../shift.ts'
import { nowMs } from '../std/async.ts'
import { duration, plural, visible } from '../std/text.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'
import { timeIn } from './time.ts'

/** What `vitest-evaluate backfill` takes. */
export interface BackfillCommandOptions extends Shared {
  readonly experiment?: string
  readonly root?: string
  readonly from?: string
  readonly to?: string
  readonly dryRun?: boolean
  readonly resume?: string | true
  readonly list?: boolean
  readonly concurrency?: number
  readonly budget?: number
  readonly judgeModel?: string
}

const SAY_EVERY_MS = 5_000

/**
 * Scores traces that are there already.
 * @param scorers names of registered scorers, each with a rate of its own where it is written `name=0.9`
 * @returns 0 when it has finished, 1 when it was interrupted
 */
export async function backfill(
  scorers: readonly string[],
  options: BackfillCommandOptions,
  output: Output,
): Promise<number> {
  if (options.list) return list(options, output)
  const alone =
    options.resume &&
    (scorers.length > 0 ||
      options.from !== undefined ||
      options.to !== undefined ||
      options.experiment !== undefined ||
      options.dryRun)
  if (alone)
    throw new EvaluationError(
      'CONFIG_INVALID',
      'Cannot resume a backfill: it knows its scorers, its experiment and its time, and --resume stands without them',
    )
  const said = (event: ShiftEvent): void => {
    if (!options.json)
      output.print(
        event.kind === 'blocked'
          ? `${visible(event.scorer)} is held up: ${visible(event.message)}`
          : visible(event.message),
      )
  }
  const scoring = { ...scoringOf(options), onEvent: said }
  try {
    if (options.dryRun) {
      const plan = await planBackfillScorers({ ...scoring, scorers: scorersOf(scorers) })
      if (options.json) printJson(output, plan)
      else printPlan(plan, output)
      return 0
    }
    const job = options.resume
      ? await resumeBackfill(options.resume === true ? undefined : options.resume, scoring)
      : await backfillScorers({ ...scoring, scorers: scorersOf(scorers) })
    return await follow(job, options, output)
  } finally {
    await openStore(options.store).close()
  }
}

/** Prints how it goes; the first Ctrl-C lets what is in work end, the second one does not. */
async function follow(job: BackfillJob, options: BackfillCommandOptions, output: Output): Promise<number> {
  const started = Date.now()
  let signals = 0
  const onSignal = (): void => {
    if (++signals > 1) process.exit(130)
    void job.interrupt().catch(() => {})
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)
  if (!options.json)
    output.print(
      `Backfill ${job.id} of ${job.progress.scorers.map(({ name, sampleRate }) => `${visible(name)} (${sampleRate})`).join(', ')}`,
    )
  const telling = setInterval(() => {
    if (!options.json) output.print(progressText(job.progress))
  }, SAY_EVERY_MS)
  try {
    const record = await job.finished
    if (options.json) printJson(output, record)
    else printEnd(record, Date.now() - started, output)
    return record.status === 'finished' ? 0 : 1
  } finally {
    clearInterval(telling)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal)
  }
}

function scorersOf(texts: readonly string[]): BackfillOptions['scorers'] {
  if (texts.length === 0) {
    throw new EvaluationError('CONFIG_INVALID', 'Cannot backfill: no scorer is named', {
      hint: 'vitest-evaluate backfill safety_check response_length=0.9; `monitor scorers` lists those that are registered',
    })
  }
  return texts.map((text) => {
    const at = text.lastIndexOf('=')
    if (at <= 0) return text
    const [scorer, rate] = [text.slice(0, at), Number(text.slice(at + 1))]
    if (!(rate > 0 && rate <= 1)) {
      throw new EvaluationError(
        'CONFIG_INVALID',
        `Cannot backfill: the rate of ${quote(scorer)} must be above 0 and at most 1, found ${quote(text.slice(at + 1))}`,
      )
    }
    return { scorer, sampleRate: rate }
  })
}

function scoringOf(options: BackfillCommandOptions): Omit<BackfillOptions, 'scorers'> {
  const now = nowMs()
  const { experiment, root, from, to, concurrency, budget, judgeModel } = options
  return {
    ...storeOption(options),
    ...(experiment !== undefined && { experiment }),
    ...(root !== undefined && { root }),
    ...(from !== undefined && { startTime: timeIn('Cannot backfill: --from', from, now) }),
    ...(to !== undefined && { endTime: timeIn('Cannot backfill: --to', to, now) }),
    ...(concurrency !== undefined && { maxConcurrency: concurrency }),
    ...(budget !== undefined && { budget }),
    ...(judgeModel !== undefined && { judgeModel }),
  }
}

async function list(options: BackfillCommandOptions, output: Output): Promise<number> {
  const all = await listBackfills(storeOption(options))
  if (options.json) printJson(output, all)
  else if (all.length === 0) output.print('There are no backfills')
  else {
    for (const record of all) {
      const names = record.scorers.map(({ name }) => visible(name)).join(', ')
      output.print(
        `${record.id}  ${record.status}  ${new Date(record.createdAt).toISOString()}  ${names}: ${progressText(record)}`,
      )
    }
  }
  return 0
}

function printPlan({ examined, scorers }: BackfillPlan, output: Output): void {
  output.print(`${plural(examined, 'trace')} in that time`)
  for (const { name, level, sampled, due, usd } of scorers) {
    const unit = level === 'session' ? 'session' : 'trace'
    const cost = usd === undefined ? '' : `, about ${usd.toFixed(2)} USD`
    output.print(
      `  ${visible(name)}: ${plural(due, unit)} to score of ${sampled} chosen, ${sampled - due} scored before${cost}`,
    )
  }
  output.print('Nothing was asked or changed (dry run)')
}

function progressText({ examined, due, scored }: BackfillRecord): string {
  return `${plural(examined, 'trace')} looked at, ${scored} of ${plural(due, 'score')} done`
}

function printEnd(record: BackfillRecord, ms: number, output: Output): void {
  output.print(
    `${record.status === 'finished' ? 'Finished' : 'Interrupted'} after ${duration(ms)}: ${progressText(record)}`,
  )
  const before = record.sampled - record.due
  if (before > 0) output.print(`${plural(before, 'score')} ${before === 1 ? 'was' : 'were'} there before`)
  const left = record.due - record.scored
  if (left > 0 && record.status === 'finished')
    output.print(
      `${plural(left, 'score')} failed, or came from somebody else: vitest-evaluate monitor dead lists failures`,
    )
  if (record.status !== 'finished') output.print(`Go on with: vitest-evaluate backfill --resume ${record.id}`)
}
