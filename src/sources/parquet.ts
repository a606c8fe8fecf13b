import type { AsyncBuffer, FileMetaData, SchemaTree } from 'hyparquet'
import { messageOf } from '../errors.ts'
import type { Source, SourceOptions, SourceRecord } from '../source.ts'
import { decompressors, rangesOf } from '../std/ranges.ts'
import { fileSource, type SourceFile } from './file.ts'
import { plain } from './plain.ts'

/**
 * Gives the rows of a Parquet file, one row group at a time. Compressed by Snappy, gzip, Brotli, or Zstandard (Node 22.15).
 *
 * Columns find their place by name: `inputs` and `expectations` as structs, or `inputs.question` and the like. Integers of 64 bits are
 * numbers where those can hold them, else BigInt; timestamps are Dates; a null `outputs` means that there is none.
 *
 * @param path relative to the working directory
 * @throws TypeError for a path or an option that cannot be meant
 * @throws EvaluationError while it is read: SOURCE_NOT_FOUND, SOURCE_NOT_READABLE, SOURCE_MALFORMED; ROW_INVALID with the row's number
 * from 1
 */
export function parquet<Inputs = any>(path: string | URL, options: SourceOptions<Inputs> = {}): Source<Inputs> {
  return fileSource({ word: 'parquet', title: 'Parquet', read }, path, options)
}

const MAGIC = 'PAR1'

async function* read(file: SourceFile): AsyncGenerator<Iterable<SourceRecord>> {
  const { parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import('hyparquet')
  const buffer = rangesOf(file.handle, file.size)
  await requireMagic(file, buffer)
  const metadata = await understood(file, 'its footer is damaged', () => parquetMetadataAsync(buffer))
  requireCodecs(file, metadata)
  const decimals = decimalScales(parquetSchema(metadata))
  let rowStart = 0
  for (const [i, group] of metadata.row_groups.entries()) {
    const rowEnd = rowStart + Number(group.num_rows)
    const rows = await understood(file, `row group ${i + 1} of ${metadata.row_groups.length} is damaged`, () =>
      parquetReadObjects({ file: buffer, metadata, rowStart, rowEnd, compressors: decompressors }),
    )
    yield records(rows, rowStart, decimals)
    rowStart = rowEnd
  }
}

function* records(
  rows: readonly Record<string, unknown>[],
  before: number,
  decimals: ReadonlyMap<string, number>,
): Generator<SourceRecord> {
  for (const [i, row] of rows.entries()) {
    const fields = Object.entries(row).map(([name, value]) => {
      const scale = decimals.get(name)
      // The library multiplies by a power of ten, which makes 0.30000000000000004 of 0.3.
      if (scale !== undefined && typeof value === 'number') return [name, Number(value.toFixed(scale))]
      return [name, plain(value) ?? undefined]
    })
    yield { fields: Object.fromEntries(fields), where: `row ${before + i + 1}` }
  }
}

async function requireMagic(file: SourceFile, buffer: AsyncBuffer): Promise<void> {
  const { size } = file
  const textOf = async (start: number, end: number) => Buffer.from(await buffer.slice(start, end)).toString('latin1')
  const first = await textOf(0, Math.min(size, MAGIC.length))
  if (first === 'PARE') throw file.unreadable('it is encrypted')
  if (first !== MAGIC) throw file.malformed(size === 0 ? 'it is empty' : 'it is not a Parquet file')
  const last = size < 12 ? '' : await textOf(size - MAGIC.length, size)
  if (last !== MAGIC) throw file.malformed('it is cut off: the footer is missing', 'copy or write it again')
}

function requireCodecs(file: SourceFile, { row_groups }: FileMetaData): void {
  for (const { columns } of row_groups) {
    for (const { meta_data } of columns) {
      const codec = meta_data?.codec ?? 'UNCOMPRESSED'
      if (codec === 'UNCOMPRESSED' || codec === 'SNAPPY' || decompressors[codec]) continue
      const hint = codec === 'ZSTD' ? 'Node can from 22.15 on' : 'write it with snappy, zstd, gzip or brotli'
      throw file.unreadable(`it is compressed by ${codec}, which cannot be undone here`, hint)
    }
  }
}

function decimalScales({ children }: SchemaTree): Map<string, number> {
  const decimals = children.filter(({ element }) => element.converted_type === 'DECIMAL')
  return new Map(decimals.map(({ element: { name, scale = 0 } }) => [name, scale]))
}

async function understood<T>(file: SourceFile, problem: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException | undefined)?.syscall !== undefined) throw cause
    throw file.malformed(`${problem}: ${messageOf(cause)}`, 'copy or write it again', cause)
  }
}
