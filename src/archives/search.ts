import type { Archive, ArchiveQuery } from '../archival.ts'
import { matches } from '../filter.ts'
import { compareKeys, type SortKey } from '../order.ts'
import type { StoredTrace, TraceQuery } from '../store.ts'
import { filterSubject, orderOf, sortKey } from '../subject.ts'

/** So many traces are sorted in memory at a time, for orders other than by time; for each further so many the table is read again. */
export const SORTED_AT_ONCE = 1_000

/** Gives the traces of an archive that a query finds. */
export async function* search(
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

/** Counts them. */
export async function count(
  archive: Archive,
  { limit = Number.POSITIVE_INFINITY, ...query }: TraceQuery,
): Promise<number> {
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
