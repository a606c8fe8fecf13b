import { open } from 'node:fs/promises'
import type { FileMetaData, ParquetParsers } from 'hyparquet'
import { decompressors, rangesOf } from '../std/ranges.ts'

/** Parquet files read one row group at a time, without losing anything of their values. */

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Times stay microseconds: a Date has milliseconds only. */
const parsers: Partial<ParquetParsers> = {
  timestampFromMilliseconds: (millis) => millis * 1_000n,
  timestampFromMicroseconds: (micros) => micros,
  timestampFromNanoseconds: (nanos) => nanos / 1_000n,
  stringFromBytes: (bytes) => bytes && decoder.decode(bytes),
}

/** One row group: which rows of the file it has, and some of their columns. */
export interface Piece {
  readonly rowStart: number
  readonly rows: readonly Readonly<Record<string, unknown>>[]
}

/**
 * Gives a file row group by row group; a map is what `recordOf` reads.
 * @param columns those to read, as far as they are there; all where they are not given
 * @param wants says of a row group, by its first row and the one after its last, whether it is read at all
 */
export async function* pieces(
  path: string,
  columns?: readonly string[],
  wants: (rowStart: number, rowEnd: number) => boolean = () => true,
): AsyncGenerator<Piece> {
  const { parquetMetadataAsync, parquetReadObjects } = await import('hyparquet')
  const handle = await open(path, 'r')
  try {
    const file = rangesOf(handle, (await handle.stat()).size)
    const metadata = withoutMaps(await parquetMetadataAsync(file))
    const there = new Set(metadata.row_groups[0]?.columns.map(({ meta_data }) => meta_data?.path_in_schema[0]))
    const found = columns?.filter((name) => there.has(name))
    let rowStart = 0
    for (const { num_rows } of metadata.row_groups) {
      const rowEnd = rowStart + Number(num_rows)
      if (wants(rowStart, rowEnd)) {
        const options = { file, metadata, rowStart, rowEnd, parsers, compressors: decompressors }
        yield { rowStart, rows: await parquetReadObjects({ ...options, ...(found && { columns: found }) }) }
      }
      rowStart = rowEnd
    }
  } finally {
    await handle.close()
  }
}

/** The library makes objects of maps, in which a key `__proto__` is lost; a map that nobody calls one comes as the groups it is made of. */
function withoutMaps(metadata: FileMetaData): FileMetaData {
  const isMap = (type: string | undefined): boolean => type === 'MAP' || type === 'MAP_KEY_VALUE'
  const schema = metadata.schema.map((element) => {
    if (!isMap(element.converted_type) && !isMap(element.logical_type?.type)) return element
    const { logical_type: _, converted_type: __, ...group } = element
    return group
  })
  return { ...metadata, schema }
}

/** Gives a map as a record; none for null. */
export function recordOf(cell: unknown): Record<string, string | null> {
  // One repeated group of a key and a value; writers have several names for the three.
  const [entries = []] = Object.values(Object(cell)) as [Record<string, string | null>[]?]
  return Object.fromEntries(entries.map((entry) => Object.values(entry)) as [string, string | null][])
}
