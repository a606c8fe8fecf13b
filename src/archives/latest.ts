import { join } from 'node:path'
import type { ArchivedTrace, ArchiveQuery } from '../archival.ts'
import { EvaluationError, messageOf } from '../errors.ts'
import type { Add } from './actions.ts'
import { type Cells, dayOf, fromCells, PARTITION } from './columns.ts'
import { isMissing, unreadable } from './fault.ts'
import { pieces } from './pieces.ts'

/** Reads the latest version of every trace: once for where it stands, and once to give it. */

/** Where the latest version of a trace stands. */
interface Place {
  version: bigint
  file: number
  row: number
  ms: number
  fits: boolean
}

interface DataFile {
  readonly path: string
  readonly day: string | null
  /** No version in it is higher. */
  readonly newest: bigint | undefined
  readonly inRange: boolean
}

/** So many traces are put into order at once. */
const CHUNK = 500

/**
 * Gives what fits the query.
 * @throws EvaluationError ARCHIVE_NOT_READABLE
 */
export async function* latest(
  location: string,
  adds: Iterable<Add>,
  query: ArchiveQuery,
): AsyncGenerator<ArchivedTrace> {
  const files = filesOf(location, adds, query)
  const places = await placesIn(location, files, query)
  if (!query.newestFirst) {
    const byFile = Map.groupBy(places.values(), ({ file }) => file)
    for (const [nth, file] of files.entries()) {
      for await (const [, trace] of rowsOf(location, file, byFile.get(nth))) yield trace
    }
    return
  }
  const ordered = newestFirst(places, query)
  for (let at = 0; at < ordered.length; at += CHUNK) {
    const chunk = ordered.slice(at, at + CHUNK)
    const found = new Map<Place, ArchivedTrace>()
    for (const [nth, wanted] of Map.groupBy(chunk, ({ file }) => file)) {
      for await (const [place, trace] of rowsOf(location, files[nth] as DataFile, wanted)) found.set(place, trace)
    }
    for (const place of chunk) yield found.get(place) as ArchivedTrace
  }
}

/** Counts what fits the query. @throws EvaluationError ARCHIVE_NOT_READABLE */
export async function countLatest(location: string, adds: Iterable<Add>, query: ArchiveQuery): Promise<number> {
  return (await placesIn(location, filesOf(location, adds, query), query)).size
}

function filesOf(location: string, adds: Iterable<Add>, query: ArchiveQuery): DataFile[] {
  return Array.from(adds, (add) => dataFile(location, add, query)).sort((a, b) => compare(a.day ?? '', b.day ?? ''))
}

function newestFirst(places: ReadonlyMap<string, Place>, { behind }: ArchiveQuery): Place[] {
  const order = (a: readonly [number, string], b: readonly [number, string]): number =>
    b[0] - a[0] || (a[1] === b[1] ? 0 : Buffer.compare(Buffer.from(a[1]), Buffer.from(b[1])))
  return Array.from(places, ([id, place]) => ({ place, key: [place.ms, id] as const }))
    .filter(({ key }) => !behind || order(key, behind) > 0)
    .sort((a, b) => order(a.key, b.key))
    .map(({ place }) => place)
}

/** Reads rows of a file, no more than a piece of it at a time. */
async function* rowsOf(
  location: string,
  file: DataFile,
  wanted: readonly Place[] = [],
): AsyncGenerator<[Place, ArchivedTrace]> {
  if (wanted.length === 0) return
  const places = new Map(wanted.map((place) => [place.row, place]))
  const rows = [...places.keys()].sort((a, b) => a - b)
  let next = 0
  const wants = (start: number, end: number): boolean => {
    while ((rows[next] ?? start) < start) next++
    return (rows[next] ?? end) < end
  }
  for await (const { rowStart, rows: found } of read(location, file, undefined, wants)) {
    for (const [i, cells] of found.entries()) {
      const place = places.get(rowStart + i)
      if (place) yield [place, trace(location, file, cells, place.row)]
    }
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function dataFile(location: string, { path, partitionValues, stats }: Add, { from, to }: ArchiveQuery): DataFile {
  const day = partitionValues[PARTITION] ?? null
  return {
    path: join(location, decoded(location, path)),
    day,
    newest: newestOf(stats),
    inRange:
      day === null ||
      ((from === undefined || day >= (dayOf(from) ?? day)) && (to === undefined || day <= (dayOf(to) ?? day))),
  }
}

function decoded(location: string, path: string): string {
  try {
    return decodeURIComponent(path)
  } catch (cause) {
    throw unreadable(location, `its log names a file "${path}", which is no URI`, cause)
  }
}

function newestOf(stats: string | null | undefined): bigint | undefined {
  try {
    const { version } = JSON.parse(stats as string).maxValues
    return Number.isSafeInteger(version) ? BigInt(version) : undefined
  } catch {
    return undefined
  }
}

/** Gives where to read what fits, by id. */
async function placesIn(
  location: string,
  files: readonly DataFile[],
  query: ArchiveQuery,
): Promise<Map<string, Place>> {
  const ids = query.ids && new Set(query.ids)
  const places = new Map<string, Place>()
  for (const [nth, file] of files.entries()) {
    if (!file.inRange) continue
    await look(location, nth, file, (id, place, cells) => {
      if (ids && !ids.has(id)) return
      const there = places.get(id)
      if (!there || there.version < place.version) places.set(id, { ...place, fits: fits(place, cells, query) })
    })
  }
  await forgetOutdated(location, files, places)
  for (const [id, place] of places) if (!place.fits) places.delete(id)
  return places
}

/** A later version may have an earlier request time, since spans arrive late, and so stand under another day. */
async function forgetOutdated(location: string, files: readonly DataFile[], places: Map<string, Place>): Promise<void> {
  const others = [...files.entries()].filter(([, { inRange }]) => !inRange)
  if (others.length === 0 || places.size === 0) return
  let oldest: bigint | undefined
  for (const { version } of places.values()) if (oldest === undefined || version < oldest) oldest = version
  for (const [nth, file] of others) {
    if (file.newest !== undefined && file.newest <= (oldest as bigint)) continue
    await look(location, nth, file, (id, { version }) => {
      const there = places.get(id)
      if (there && there.version < version) places.set(id, { ...there, version, fits: false })
    })
  }
}

function fits({ ms }: Place, cells: Cells, { experiment, from, to }: ArchiveQuery): boolean {
  if (experiment !== undefined && cells.experiment !== experiment) return false
  return (from === undefined || ms >= from) && (to === undefined || ms < to)
}

async function look(
  location: string,
  nth: number,
  file: DataFile,
  see: (id: string, place: Place, cells: Cells) => void,
): Promise<void> {
  for await (const { rowStart, rows } of read(location, file, ['trace_id', 'version', 'experiment', 'request_time'])) {
    for (const [i, cells] of rows.entries()) {
      const { trace_id: id, version } = cells
      if (typeof id !== 'string' || typeof version !== 'bigint')
        throw unreadable(location, `row ${rowStart + i + 1} of "${file.path}" has no trace_id or no version`)
      const ms = Math.floor(Number(cells.request_time) / 1_000)
      see(id, { version, file: nth, row: rowStart + i, ms, fits: true }, cells)
    }
  }
}

async function* read(
  location: string,
  file: DataFile,
  columns?: readonly string[],
  wants?: (a: number, b: number) => boolean,
) {
  try {
    yield* pieces(file.path, columns, wants)
  } catch (cause) {
    if (cause instanceof EvaluationError) throw cause
    const problem = isMissing(cause)
      ? `its file "${file.path}" is missing`
      : `"${file.path}" cannot be read: ${messageOf(cause)}`
    throw unreadable(location, problem, cause)
  }
}

function trace(location: string, file: DataFile, cells: Cells, row: number): ArchivedTrace {
  try {
    return fromCells(cells)
  } catch (cause) {
    throw unreadable(location, `row ${row + 1} of "${file.path}" is damaged: ${messageOf(cause)}`, cause)
  }
}
