import { didYouMean, quote } from '../errors.ts'
import { matches } from '../filter.ts'
import { parseFilter } from '../grammar.ts'
import type { StoredTrace } from '../store.ts'
import { filterSubject } from '../subject.ts'
import { delta } from './delta.ts'

/** Which archived traces to read. */
export interface DeltaTracesOptions {
  readonly experiment?: string
  /** Request times from this one on; a number is milliseconds since 1970. */
  readonly from?: Date | number
  /** Request times before this one. */
  readonly to?: Date | number
  /** As for a search of a store, except that archived traces belong to no run. */
  readonly filter?: string
}

const OPTIONS: readonly (keyof DeltaTracesOptions)[] = ['experiment', 'from', 'to', 'filter']

/**
 * Gives the traces of an archive, the latest version of each, with the assessments they had then: read when they are asked for, day by day, as often
 * as they are asked for. No more than a piece of one data file, and the ids, are held in memory.
 *
 * @param path the folder of a Delta table, relative to the working directory
 * @throws TypeError, RangeError for a path or an option that cannot be meant
 * @throws EvaluationError FILTER_INVALID; ARCHIVE_UNFIT and ARCHIVE_NOT_READABLE while they are read
 */
export function deltaTraces(path: string | URL, options: DeltaTracesOptions = {}): AsyncIterable<StoredTrace> {
  const unknown = Object.keys(options).find((key) => !(OPTIONS as readonly string[]).includes(key))
  if (unknown !== undefined)
    throw new TypeError(`Cannot read archived traces: unknown option "${unknown}"${didYouMean(unknown, OPTIONS)}`)
  const { experiment } = options
  const from = timeOf('from', options.from)
  const to = timeOf('to', options.to)
  const filter = options.filter === undefined ? undefined : parseFilter(options.filter)
  const archive = delta(path)
  return {
    async *[Symbol.asyncIterator]() {
      const query = {
        ...(experiment !== undefined && { experiment }),
        ...(from !== undefined && { from }),
        ...(to !== undefined && { to }),
      }
      for await (const { stored } of archive.read(query)) {
        if (!filter || matches(filter, filterSubject(stored, []))) yield stored
      }
    },
  }
}

function timeOf(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined
  const ms = value instanceof Date ? value.getTime() : value
  if (typeof ms === 'number' && !Number.isNaN(ms)) return ms
  throw new TypeError(`Cannot read archived traces: "${name}" must be a Date or milliseconds, found ${quote(value)}`)
}
