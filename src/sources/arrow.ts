import type { FileHandle } from 'node:fs/promises'
// By its default: naming a function that an older Node lacks would not even load.
import zlib from 'node:zlib'
import { EvaluationError, messageOf, quote } from '../errors.ts'
import { requireSourceOptions, type Source, type SourceOptions, type SourceRecord, toRows } from '../source.ts'
import { fileSource, type SourceFile } from './file.ts'
import { plain } from './plain.ts'

/** A table of apache-arrow, of any version. */
export interface ArrowTable {
  readonly numRows: number
  readonly schema: { readonly fields: readonly unknown[] }
}

/**
 * Gives the rows of an Arrow table, or of an Arrow IPC file (`.arrow`, `.feather`; the file or the stream format), one record batch at a
 * time.
 *
 * Columns find their place by name: `inputs` and `expectations` as structs, or `inputs.question` and the like. Integers of 64 bits are
 * numbers where those can hold them, else BigInt; dates and timestamps are Dates; a null `outputs` means that there is none.
 *
 * @param data a table, or a path relative to the working directory
 * @throws TypeError for data or an option that cannot be meant
 * @throws EvaluationError while it is read: SOURCE_NOT_FOUND, SOURCE_NOT_READABLE, SOURCE_MALFORMED; ROW_INVALID with the row's number
 * from 1
 */
export function arrow<Inputs = any>(
  data: string | URL | ArrowTable,
  options: SourceOptions<Inputs> = {},
): Source<Inputs> {
  if (typeof data === 'string' || data instanceof URL) {
    return fileSource({ word: 'arrow', title: 'Arrow', read }, data, options)
  }
  if (!isArrowTable(data)) {
    throw new TypeError(`Cannot read Arrow: expected the path of a file or an Arrow table, found ${quote(data)}`)
  }
  const name = 'the Arrow table'
  requireSourceOptions(`read ${name}`, options)
  return {
    description: 'arrow table',
    count: data.numRows,
    [Symbol.asyncIterator]: () => toRows(name, tableBatches(name, data), options),
  }
}

/** Says whether a value is an Arrow table of whatever version, by its shape; nothing is loaded for it. */
export function isArrowTable(value: unknown): value is ArrowTable {
  if (typeof value !== 'object' || value === null) return false
  const { numRows, schema, getChildAt } = value as Partial<Batch>
  return typeof numRows === 'number' && Array.isArray(schema?.fields) && typeof getChildAt === 'function'
}

/** What is needed of a table or a record batch. */
interface Batch {
  readonly numRows: number
  readonly schema: { readonly fields: readonly Field[] }
  getChildAt(index: number): { get(row: number): unknown } | null
  readonly batches?: readonly Batch[]
}

interface Field {
  readonly name: string
  readonly type: Type
}

interface Type {
  readonly typeId: number
  readonly scale?: number
  readonly children?: readonly Field[] | null
  /** Of a dictionary: the type of its values. */
  readonly dictionary?: Type
}

async function* tableBatches(name: string, table: ArrowTable): AsyncGenerator<Iterable<SourceRecord>> {
  const { batches = [table as Batch], schema } = table as Batch
  requireNames(schema.fields, (problem) => new EvaluationError('SOURCE_MALFORMED', `Cannot read ${name}: ${problem}`))
  let before = 0
  for (const batch of batches) {
    yield records(batch, before)
    before += batch.numRows
  }
}

function requireNames(fields: readonly Field[], error: (problem: string) => Error): void {
  const names = fields.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) throw error(`two columns are named ${quote(twice)}`)
}

function* records(batch: Batch, before: number): Generator<SourceRecord> {
  const columns = batch.schema.fields.map(({ name, type }, i) => ({ name, type, values: batch.getChildAt(i) }))
  for (let row = 0; row < batch.numRows; row++) {
    const fields = columns.map(({ name, type, values }) => [name, plainOf(values?.get(row), type) ?? undefined])
    yield { fields: Object.fromEntries(fields), where: `row ${before + row + 1}` }
  }
}

/** Ids of the format's types, the same in every version of the library. */
const DECIMAL = 7
const DATE = 8
const TIMESTAMP = 10
const LISTS: readonly number[] = [12, 16, 21]
const STRUCT = 13
const MAP = 17
const DICTIONARY = -1

function plainOf(value: unknown, type: Type): unknown {
  if (value === null || value === undefined) return null
  const { typeId, children } = type
  if (typeId === DICTIONARY && type.dictionary) return plainOf(value, type.dictionary)
  // Old versions give Dates, new ones milliseconds.
  if (typeId === DATE || typeId === TIMESTAMP) return value instanceof Date ? value : new Date(Number(value))
  if (typeId === DECIMAL) return decimal(value as ArrayLike<number>, type.scale ?? 0)
  if (LISTS.includes(typeId)) {
    const item = children?.[0]?.type as Type
    return Array.from(value as Iterable<unknown>, (one) => plainOf(one, item))
  }
  if (typeId === STRUCT || typeId === MAP) {
    const ofMap = typeId === MAP ? children?.[0]?.type.children?.[1]?.type : undefined
    const pairs = Array.from(value as Iterable<[unknown, unknown]>, ([key, one], i) => [
      String(key),
      plainOf(one, ofMap ?? (children?.[i]?.type as Type)),
    ])
    return Object.fromEntries(pairs)
  }
  return plain(value)
}

/** Words of 32 bits, the lowest first, in two's complement. */
function decimal(words: ArrayLike<number>, scale: number): number {
  let digits = 0n
  for (let i = words.length - 1; i >= 0; i--) digits = (digits << 32n) | BigInt((words[i] as number) >>> 0)
  return Number(`${BigInt.asIntN(words.length * 32, digits)}e${-scale}`)
}

const MAGIC = 'ARROW1'
const FEATHER_1 = 'FEA1'
/** What every message of the stream format begins with. */
const CONTINUATION = 0xffffffff

async function* read(file: SourceFile): AsyncGenerator<Iterable<SourceRecord>> {
  await requireFormat(file)
  const { compressionRegistry, CompressionType, RecordBatchReader } = await import('apache-arrow')
  if (typeof zlib.zstdDecompressSync === 'function' && !compressionRegistry.get(CompressionType.ZSTD)) {
    compressionRegistry.set(CompressionType.ZSTD, { decode: (bytes) => zlib.zstdDecompressSync(bytes) })
  }
  let before = 0
  try {
    const reader = await RecordBatchReader.from(file.handle as FileHandle)
    await reader.open()
    requireNames(reader.schema.fields as readonly Field[], file.malformed)
    for await (const batch of reader) {
      yield records(batch as Batch, before)
      before += batch.numRows
    }
  } catch (cause) {
    throw translated(file, cause, before)
  }
}

async function requireFormat(file: SourceFile): Promise<void> {
  const { handle, size } = file
  const ends = Buffer.alloc(16)
  await handle.read(ends, 0, 8, 0)
  await handle.read(ends, 8, MAGIC.length, Math.max(0, size - MAGIC.length))
  if (ends.toString('latin1', 0, MAGIC.length) === MAGIC) {
    if (ends.toString('latin1', 8, 8 + MAGIC.length) === MAGIC && size > 2 * MAGIC.length) return
    throw file.malformed('it is cut off: the footer is missing', 'copy or write it again')
  }
  if (ends.toString('latin1', 0, FEATHER_1.length) === FEATHER_1) {
    throw file.unreadable('it is Feather of version 1', 'write it as version 2, which is an Arrow file')
  }
  if (size === 0) throw file.malformed('it is empty')
  if (ends.readUInt32LE(0) !== CONTINUATION) throw file.malformed('it is not an Arrow file')
}

function translated(file: SourceFile, cause: unknown, rows: number): unknown {
  if (cause instanceof EvaluationError || (cause as NodeJS.ErrnoException | undefined)?.syscall) return cause
  const message = messageOf(cause)
  if (message.includes('codec not found')) {
    return file.unreadable(
      'it is compressed in a way that cannot be undone here',
      'write it uncompressed or with zstd',
      cause,
    )
  }
  return file.malformed(`it is damaged after row ${rows}: ${message}`, 'copy or write it again', cause)
}
