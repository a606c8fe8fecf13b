import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Archive, ArchiveQuery } from '../archival.ts'
import { EvaluationError } from '../errors.ts'
import { matches } from '../filter.ts'
import { compareKeys, type SortKey } from '../order.ts'
import type { Store, StoredTrace, TraceQuery } from '../store.ts'
import { filterSubject, orderOf, sortKey } from '../subject.ts'
import { delta } from './delta.ts'

/** So many traces are sorted in memory at a time, for orders other than by time; for each further so many the table is read again. */
export const SORTED_AT_ONCE = 1_000

/** True for the folder of a Delta table. */
export function isArchive(path: string): boolean {
  return existsSync(join(path, '_delta_log'))
}

/**
 * Gives the traces of a Delta table as a store that can be searched and not written: the latest version of each, newest first. They belong to no run.
 * No more is held in memory than their ids and some hundreds of them, or `SORTED_AT_ONCE` for an order of one's own.
 *
 * Its methods throw EvaluationError: ARCHIVE_NOT_READABLE, ARCHIVE_UNFIT; STORE_NOT_WRITABLE for all that writes; CONFIG_INVALID for what needs scorers.
 */
export function archiveStore(path: string): Store {
  const archive = delta(path)
  const { location } = archive
  const write = async (): Promise<never> => {
    throw new EvaluationError(
      'STORE_NOT_WRITABLE',
      `Cannot write to the archive "${location}": as a store it is only read`,
      {
        hint: 'name another store; importTraces() brings archived traces into one',
      },
    )
  }
  const watch = async (): Promise<never> => {
    throw new EvaluationError(
      'CONFIG_INVALID',
      `Cannot monitor the archive "${location}": it keeps traces and no scorers`,
      {
        hint: 'import its traces into a store, and backfill those',
      },
    )
  }
  return {
    location,
    search: (query) => search(archive, query),
    count: (query) => count(archive, query),
    getRun: async () => undefined,
    listRuns: async () => [],
    trials: async () => [],
    flush: async () => {},
    close: async () => {},

    createRun: write,
    updateRun: write,
    writeTrial: write,
    writeTraces: write,
    logAssessment: write,
    updateAssessment: write,
    deleteAssessment: write,
    putTraces: write,
    registerScorer: write,
    configureScorer: write,
    deleteScorer: write,
    keepNote: write,
    dropNote: write,

    registrations: watch,
    notes: watch,
    standing: watch,
    arrivals: watch,
    examine: watch,
    claim: watch,
    claimDue: watch,
    renew: watch,
    release: watch,
    settle: watch,
    units: watch,
    countUnits: watch,
    scores: watch,
    revive: watch,
  }
}

async function* search(
  archive: Archive,
  { limit = Number.POSITIVE_INFINITY, includeSpans = true, ...query }: TraceQuery,
): AsyncGenerator<StoredTrace> {
  let left = limit
  if (left <= 0) return
  for await (const stored of query.orderBy ? sorted(archive, query, limit) : found(archive, query)) {
    yield includeSpans ? stored : { ...stored, trace: { ...stored.trace, spans: '' } }
    if (--left <= 0) return
  }
}

async function count(archive: Archive, { limit = Number.POSITIVE_INFINITY, ...query }: TraceQuery): Promise<number> {
  const { filter, sessionId, after } = query
  if (ofRun(query)) return 0
  const isPlain = !filter && sessionId === undefined && !after
  if (isPlain) return Math.min(limit, await archive.count(archiveQuery(query)))
  let n = 0
  for await (const _ of search(archive, { ...query, limit })) n++
  return n
}

/** Gives what fits, newest first. */
async function* found(archive: Archive, query: TraceQuery): AsyncGenerator<StoredTrace> {
  if (ofRun(query)) return
  const { filter, sessionId, orderBy, after } = query
  const behind = orderBy ? undefined : (after as [number, string] | undefined)
  const read = { ...archiveQuery(query), newestFirst: !orderBy, ...(behind && { behind }) }
  for await (const { stored } of archive.read(read)) {
    if (sessionId !== undefined && stored.trace.sessionId !== sessionId) continue
    if (!filter || matches(filter, filterSubject(stored, []))) yield stored
  }
}

/** Gives what fits in an order of one's own: the first ones of all, then the first of those behind them, and so on. */
async function* sorted(archive: Archive, query: TraceQuery, limit: number): AsyncGenerator<StoredTrace> {
  const terms = orderOf(query)
  const size = Math.min(limit, SORTED_AT_ONCE)
  for (let after: SortKey | undefined = query.after; ; ) {
    let first: { readonly key: SortKey; readonly stored: StoredTrace }[] = []
    const cut = (): void => {
      first = first.sort((a, b) => compareKeys(a.key, b.key, terms)).slice(0, size)
    }
    for await (const stored of found(archive, query)) {
      const key = sortKey(stored, query)
      if (after && compareKeys(key, after, terms) <= 0) continue
      first.push({ key, stored })
      if (first.length >= 2 * size) cut()
    }
    cut()
    yield* first.map(({ stored }) => stored)
    after = first.at(-1)?.key
    if (first.length < size) return
  }
}

/** Archived traces are nobody's rows. */
function ofRun({ runId, rowId }: TraceQuery): boolean {
  return runId !== undefined || rowId !== undefined
}

function archiveQuery({ experiment, traceId, traceIds }: TraceQuery): ArchiveQuery {
  const ids = traceId === undefined ? traceIds : (traceIds ?? [traceId]).filter((id) => id === traceId)
  return { ...(experiment !== undefined && { experiment }), ...(ids && { ids }) }
}
