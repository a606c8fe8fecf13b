import {
  type ArchivalRecord,
  type ArchivalReport,
  archiveTraces,
  disableTraceArchival,
  enableTraceArchival,
  listArchivals,
} from '../archiving.ts'
import { EvaluationError } from '../errors.ts'
import { getScorer, listScorers, registerScorers, replayDeadLetters } from '../monitoring.ts'
import { openStore } from '../place.ts'
import type { RegisteredScorer } from '../scorer.ts'
import { plural, visible } from '../std/text.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'
import { deadLetters, type MonitorStatusOptions } from './quality.ts'

/** Managing registered scorers and archives from the shell. */

export interface ScorersOptions extends Shared {
  readonly experiment?: string
}

export interface StartOptions extends ScorersOptions {
  readonly rate?: number
  readonly filter?: string
}

function placeOf(options: ScorersOptions): { store?: string; experiment?: string } {
  return { ...storeOption(options), ...(options.experiment !== undefined && { experiment: options.experiment }) }
}

/** Prints every registered scorer of an experiment. */
export async function scorers(options: ScorersOptions, output: Output): Promise<void> {
  print(await listScorers(placeOf(options)), options, output)
}

/** Registers every scorer that a module exports; with a rate they start, too. */
export async function registerModule(module: string, options: StartOptions, output: Output): Promise<void> {
  const registered = await registerScorers(module, placeOf(options))
  const { rate, filter } = options
  const samplingConfig = samplingOf(options)
  const changed = async (one: RegisteredScorer): Promise<RegisteredScorer> => {
    if (rate !== undefined) return one.start({ samplingConfig })
    // A filter alone starts nothing.
    return filter === undefined ? one : one.update({ samplingConfig })
  }
  print(await Promise.all(registered.map(changed)), options, output)
}

/** Starts a registered scorer, or changes what it sees. */
export async function startScorer(name: string, options: StartOptions, output: Output): Promise<void> {
  const found = await getScorer({ name, ...placeOf(options) })
  const samplingConfig = samplingOf(options)
  const isActive = (found.sampleRate ?? 0) > 0 && Object.keys(samplingConfig).length > 0
  print([await (isActive ? found.update({ samplingConfig }) : found.start({ samplingConfig }))], options, output)
}

export async function stopScorer(name: string, options: ScorersOptions, output: Output): Promise<void> {
  print([await (await getScorer({ name, ...placeOf(options) })).stop()], options, output)
}

export async function dropScorer(name: string, options: ScorersOptions, output: Output): Promise<void> {
  print([await (await getScorer({ name, ...placeOf(options) })).delete()], options, output)
}

function samplingOf({ rate, filter }: StartOptions): { sampleRate?: number; filterString?: string | null } {
  return {
    ...(rate !== undefined && { sampleRate: rate }),
    ...(filter !== undefined && { filterString: filter === '' ? null : filter }),
  }
}

function print(all: readonly RegisteredScorer[], options: Shared, output: Output): void {
  const known = all.map(
    ({ name, registeredVersion: version, experiment, status, sampleRate, filterString, level }) => ({
      name,
      version,
      experiment,
      status,
      sampleRate,
      ...(filterString !== undefined && { filterString }),
      level: level ?? 'trace',
    }),
  )
  if (options.json) printJson(output, known)
  else if (known.length === 0) output.print('No scorer is registered: vitest-evaluate monitor register scorers.ts')
  else {
    for (const { name, version, status, sampleRate, filterString } of known) {
      const filter = filterString === undefined ? '' : `, where ${visible(filterString)}`
      output.print(`${visible(name)} (version ${version}): ${status.toLowerCase()}, rate ${sampleRate}${filter}`)
    }
  }
}

export interface LettersOptions extends MonitorStatusOptions {
  readonly limit?: number
  readonly replay?: boolean
  readonly trace?: string
}

/** Lists dead letters, or makes them wait for a monitor again. */
export async function letters(options: LettersOptions, output: Output): Promise<void> {
  if (!options.replay) return deadLetters(options, output)
  const { scorer, trace } = options
  const count = await replayDeadLetters({
    ...placeOf(options),
    ...(scorer !== undefined && { scorer }),
    ...(trace !== undefined && { traceId: trace }),
  })
  if (options.json) printJson(output, { revived: count })
  else
    output.print(
      count === 0 ? 'There are no dead letters' : `${plural(count, 'unit')} wait again; a monitor takes them up`,
    )
}

export interface ArchiveOptions extends ScorersOptions {
  readonly every?: number
  readonly off?: boolean
  readonly now?: boolean
}

/** Switches the archive of an experiment on or off, appends now, or says how archives stand. */
export async function archive(table: string | undefined, options: ArchiveOptions, output: Output): Promise<void> {
  const { off = false, now = false, every } = options
  const refuse = (problem: string): never => {
    throw new EvaluationError('CONFIG_INVALID', `Cannot archive traces: ${problem}`)
  }
  if (off && (table !== undefined || now)) refuse('--off stands alone')
  if (every !== undefined && table === undefined) refuse('--every says how often, and the folder says where: name it')
  const place = placeOf(options)
  const lines: string[] = []
  const known: Record<string, unknown> = {}
  try {
    if (table !== undefined) {
      const record = await enableTraceArchival({
        table,
        ...(every !== undefined && { everyMinutes: every }),
        ...place,
      })
      known.archival = record
      lines.push(
        `Traces of ${visible(record.experiment)} are archived to ${visible(record.table)} every ${record.everyMinutes} min, by a monitor`,
      )
    }
    if (off) {
      known.wasOn = await disableTraceArchival(place)
      lines.push(known.wasOn ? 'The archive is off; what is in the table stays' : 'The archive was not on')
    }
    if (now) {
      const reports = await archiveTraces(place)
      known.reports = reports
      lines.push(...(reports.length > 0 ? reports.map(archivedText) : [NONE]))
    }
    if (table === undefined && !off && !now) {
      const all = await listArchivals(storeOption(options))
      known.archivals = all
      lines.push(...(all.length > 0 ? all.map(standText) : [NONE]))
    }
  } finally {
    await openStore(options.store).close()
  }
  if (options.json) printJson(output, known)
  else output.print(lines.join('\n'))
}

const NONE = 'No archive is on: vitest-evaluate monitor archive <folder>'

function standText({ experiment, enabled, rows, table, lastAt }: ArchivalRecord): string {
  const last = lastAt === 0 ? '' : `, last looked at ${new Date(lastAt).toISOString()}`
  return `${visible(experiment)}: ${enabled ? 'on' : 'off'}, ${plural(rows, 'row')} in ${visible(table)}${last}`
}

function archivedText({ rows, table, lost = 0, isBusy }: ArchivalReport): string {
  if (isBusy) return `Another process is appending to ${visible(table)} just now`
  const gone = lost === 0 ? '' : `; ${plural(lost, 'trace')} cannot be read in the store any more`
  return `Archived ${plural(rows, 'row')} to ${visible(table)}${gone}`
}
