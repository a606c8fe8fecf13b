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
  fits: boolean
}

interface DataFile {
  readonly path: string
  readonly day: string | null
  /** No version in it is higher. */
  readonly newest: bigint | undefined
  readonly inRange: boolean
}

/**
 * Gives what fits the query, day by day.
 * @throws EvaluationError ARCHIVE_NOT_READABLE
 */
export async function* latest(
  location: string,
  adds: Iterable<Add>,
  query: ArchiveQuery,
): AsyncGenerator<ArchivedTrace> {
  const files = Array.from(adds, (add) => dataFile(location, add, query))
  files.sort((a, b) => compare(a.day ?? '', b.day ?? ''))
  const places = await placesIn(location, files, query)
  for (const [nth, file] of files.entries()) {
    const rows = places.get(nth)
    if (!rows) continue
    rows.sort((a, b) => a - b)
    const wanted = new Set(rows)
    let next = 0
    const wants = (start: number, end: number): boolean => {
      while ((rows[next] ?? start) < start) next++
      return (rows[next] ?? end) < end
    }
    for await (const { rowStart, rows: found } of read(location, file, undefined, wants)) {
      for (const [i, cells] of found.entries()) {
        if (wanted.has(rowStart + i)) yield trace(location, file, cells, rowStart + i)
      }
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

/** Gives the rows to read, by file. */
async function placesIn(
  location: string,
  files: readonly DataFile[],
  query: ArchiveQuery,
): Promise<Map<number, number[]>> {
  const ids = query.ids && new Set(query.ids)
  const places = new Map<string, Place>()
  for (const [nth, file] of files.entries()) {
    if (!file.inRange) continue
    await look(location, nth, file, (id, place, cells) => {
      if (ids && !ids.has(id)) return
      const there = places.get(id)
      if (!there || there.version < place.version) places.set(id, { ...place, fits: fits(cells, query) })
    })
  }
  await forgetOutdated(location, files, places)
  const byFile = new Map<number, number[]>()
  for (const { file, row, fits: wanted } of places.values()) {
    if (!wanted) continue
    const rows = byFile.get(file)
    if (rows) rows.push(row)
    else byFile.set(file, [row])
  }
  return byFile
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

function fits(cells: Cells, { experiment, from, to }: ArchiveQuery): boolean {
  if (experiment !== undefined && cells.experiment !== experiment) return false
  const ms = Number(cells.request_time) / 1_000
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
      see(id, { version, file: nth, row: rowStart + i, fits: true }, cells)
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
