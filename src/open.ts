import { existsSync } from 'node:fs'
import { didYouMean, EvaluationError, quote } from './errors.ts'
import { parseFilter } from './grammar.ts'
import type { Run } from './handle.ts'
import { currentHost } from './host.ts'
import { parseOrder } from './order.ts'
import { openStore } from './place.ts'
import type { RunRecord } from './run.ts'
import type { RunQuery, Store, TraceQuery } from './store.ts'
import { readPageToken, TraceSet } from './traceset.ts'

/** The door to what is stored: runs and traces. */

/** Which store is opened. */
export interface OpenOptions {
  /** @default as for `evaluate` */
  readonly store?: string | Store
}

/** A store for reading: one that is not there is not made. */
export function storeToRead({ store }: OpenOptions): Store {
  const opened = openStore(store, currentHost()?.settings)
  if (opened.location !== 'memory' && !existsSync(opened.location)) {
    throw new EvaluationError(
      'STORE_NOT_READABLE',
      `Cannot open the store "${opened.location}": there is no such file`,
      {
        hint: 'evaluate or monitor something first, or name another store',
      },
    )
  }
  return opened
}

/**
 * Opens a stored run.
 * @param which `latest`, a run's id or the start of one, the name of an evaluation (its newest run), or a file written by `run.export`
 * @throws EvaluationError RUN_NOT_FOUND, STORE_…, SOURCE_…
 */
export async function openRun(which: string, options: OpenOptions = {}): Promise<Run> {
  const { findRun } = await import('./find.ts')
  return findRun(which, () => storeToRead(options))
}

/**
 * Opens what was evaluated last: the newest run of every evaluation, as far as it is of the same commit as the newest of all; the oldest first.
 * Where no commit is known, of every evaluation: one too many is seen, one too few is not.
 * @throws EvaluationError RUN_NOT_FOUND where the store has none
 */
export async function openNewest(options: OpenOptions = {}): Promise<Run[]> {
  const [latest, { handle }] = await Promise.all([openRun('latest', options), import('./find.ts')])
  const commit = latest.record.code?.commit
  const newest = new Map<string, RunRecord>()
  for (const run of await latest.store.listRuns({ experiment: latest.experiment })) {
    const key = JSON.stringify([run.test?.file, run.name])
    if (!newest.has(key)) newest.set(key, run)
  }
  const same = [...newest.values()].filter(({ code }) => commit === undefined || code?.commit === commit)
  return Promise.all(same.reverse().map((record) => handle(record, latest.store)))
}

/** Gives the stored runs, newest first. */
export async function listRuns(query: RunQuery & OpenOptions = {}): Promise<Run[]> {
  const store = storeToRead(query)
  const [records, { handle }] = await Promise.all([store.listRuns(query), import('./find.ts')])
  return Promise.all(records.map((record) => handle(record, store)))
}

/** Which traces are looked for, and where. */
export interface SearchOptions extends OpenOptions {
  /** What to look for: `feedback.safety = 'no' AND tag.env = 'prod'`. */
  readonly filter?: string
  readonly experiment?: string
  /** Only traces that this run evaluated; `feedback.x` then means this run's. */
  readonly runId?: string
  /**
   * `timestamp_ms DESC`, or several such terms, in a list or with commas: attributes of the trace, tags and metadata, ascending unless they say `DESC`. What is missing
   * comes before everything else. @default newest first; in a run the order of its rows
   */
  readonly orderBy?: string | readonly string[]
  /** How many traces there are at most, all pages together; on one page when pages are asked for. */
  readonly maxResults?: number
  /** Where to go on: the `nextPageToken` of a page of the same search. */
  readonly pageToken?: string
  /** False leaves the spans out, which is faster. @default true */
  readonly includeSpans?: boolean
}

/**
 * Searches stored traces; nothing is read before the result is asked for. Valid data for `evaluate`.
 *
 * @example
 * const slow = searchTraces({ filter: "status = 'OK' AND execution_time_ms > 5000", orderBy: 'execution_time_ms DESC' })
 * const { traces, nextPageToken } = await slow.page()
 * @throws EvaluationError FILTER_INVALID with the position of what is wrong, in the filter or in the order
 * @throws TypeError, RangeError for other mistakes in the options, such as a page token of another search
 */
export function searchTraces({ store, ...options }: SearchOptions = {}): TraceSet {
  return new TraceSet(async () => storeToRead(store === undefined ? {} : { store }), toQuery(options))
}

function toQuery(options: Omit<SearchOptions, 'store'>): TraceQuery {
  requireKnown(options)
  const { filter, orderBy, maxResults, pageToken, ...rest } = options
  if (maxResults !== undefined && !(Number.isInteger(maxResults) && maxResults > 0)) {
    throw new RangeError(`Cannot search: maxResults must be a whole number above 0, found ${quote(maxResults)}`)
  }
  const terms = orderBy === undefined || Array.isArray(orderBy) ? orderBy : [orderBy]
  const query: TraceQuery = {
    ...rest,
    ...(filter !== undefined && { filter: parseFilter(filter) }),
    ...(terms && { orderBy: terms.flatMap(parseOrder) }),
    ...(maxResults !== undefined && { limit: maxResults }),
  }
  return pageToken === undefined ? query : { ...query, after: readPageToken(pageToken, query) }
}

const SEARCH_OPTIONS: readonly (keyof Omit<SearchOptions, 'store'>)[] = [
  'filter',
  'experiment',
  'runId',
  'orderBy',
  'maxResults',
  'pageToken',
  'includeSpans',
]

/** A filter that is not called `filter` would find everything. */
function requireKnown(options: object): void {
  const unknown = Object.keys(options).find((key) => !(SEARCH_OPTIONS as readonly string[]).includes(key))
  if (unknown === undefined) return
  throw new TypeError(`Cannot search: unknown option "${unknown}"${didYouMean(unknown, ['store', ...SEARCH_OPTIONS])}`)
}
