import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import zlib from 'node:zlib'
import { type ParquetWriteOptions, parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Source } from '../../../src/source.ts'
import { parquet } from '../../../src/sources/parquet.ts'

let folder: string
let path: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parquet-'))
  path = join(folder, 'x.parquet')
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

type Write = Omit<ParquetWriteOptions, 'writer'>

async function write(options: Write): Promise<Buffer> {
  const bytes = Buffer.from(parquetWriteBuffer(options))
  await writeFile(path, bytes)
  return bytes
}

async function fault(source: Source): Promise<Error> {
  const error = await Array.fromAsync(source).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ name: 'EvaluationError' })
  return error as Error
}

const NUMBERS = Array.from({ length: 1_000 }, (_, i) => i)
const TABLE: Write = {
  columnData: [
    { name: 'inputs.q', data: NUMBERS.map((n) => `question ${n % 10}`), type: 'STRING' },
    { name: 'inputs.n', data: NUMBERS, type: 'INT32' },
  ],
}

test('parquet() gives values as plain JavaScript', async () => {
  const at = new Date('2024-02-29T12:34:56.789Z')
  const big = 2n ** 60n
  await write({
    columnData: [
      { name: 'inputs.text', data: ['ä', null], type: 'STRING' },
      { name: 'inputs.flag', data: [true, null], type: 'BOOLEAN' },
      { name: 'inputs.double', data: [0.1, null], type: 'DOUBLE' },
      { name: 'inputs.int', data: [-1n, null], type: 'INT64' },
      { name: 'inputs.big', data: [big, null], type: 'INT64' },
      { name: 'inputs.at', data: [at, null], type: 'TIMESTAMP' },
      { name: 'inputs.json', data: [{ list: [1, { a: null }] }, null], type: 'JSON' },
      { name: 'inputs.variant', data: [{ n: 1, list: ['x'] }, null], type: 'VARIANT' },
      { name: 'outputs', data: [null, 'x'], type: 'STRING' },
    ],
  })
  expect(await Array.fromAsync(parquet(path))).toEqual([
    {
      inputs: {
        text: 'ä',
        flag: true,
        double: 0.1,
        int: -1,
        big,
        at,
        json: { list: [1, { a: null }] },
        variant: { n: 1, list: ['x'] },
      },
    },
    {
      inputs: { text: null, flag: null, double: null, int: null, big: null, at: null, json: null, variant: null },
      outputs: 'x',
    },
  ])
})

test('parquet() gives structs and lists as objects and arrays', async () => {
  const leaf = { repetition_type: 'OPTIONAL' } as const
  await write({
    schema: [
      { name: 'root', num_children: 1 },
      { name: 'inputs', num_children: 2, ...leaf },
      { name: 'question', type: 'BYTE_ARRAY', converted_type: 'UTF8', ...leaf },
      { name: 'ids', num_children: 1, converted_type: 'LIST', ...leaf },
      { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
      { name: 'element', type: 'INT64', ...leaf },
    ],
    columnData: [
      {
        name: 'inputs',
        data: [
          { question: 'a', ids: [1n, 2n ** 60n] },
          { question: null, ids: [] },
        ],
      },
    ],
  })
  expect(await Array.fromAsync(parquet(path))).toEqual([
    { inputs: { question: 'a', ids: [1, 2n ** 60n] } },
    { inputs: { question: null, ids: [] } },
  ])
})

test('parquet() gives a decimal as the number that it spells', async () => {
  const decimal = { type: 'INT32', converted_type: 'DECIMAL', precision: 9, repetition_type: 'OPTIONAL' } as const
  await write({
    schema: [
      { name: 'root', num_children: 2 },
      { name: 'inputs.one', scale: 1, ...decimal },
      { name: 'inputs.two', scale: 2, ...decimal },
    ],
    columnData: [
      { name: 'inputs.one', data: [0.3, null] },
      { name: 'inputs.two', data: [-1.1, 0.07] },
    ],
  })
  expect((await Array.fromAsync(parquet(path))).map((row) => row.inputs)).toEqual([
    { one: 0.3, two: -1.1 },
    { one: null, two: 0.07 },
  ])
})

const compressors = {
  GZIP: (bytes: Uint8Array) => zlib.gzipSync(bytes),
  BROTLI: (bytes: Uint8Array) => zlib.brotliCompressSync(bytes),
  ZSTD: (bytes: Uint8Array) => zlib.zstdCompressSync(bytes),
  LZ4_RAW: (bytes: Uint8Array) => bytes,
}

const codecs = ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'BROTLI', 'ZSTD'] as const

test.each(codecs.filter((codec) => codec !== 'ZSTD' || zlib.zstdCompressSync))(
  'parquet() reads what %s made',
  async (codec) => {
    await write({ ...TABLE, codec, compressors })
    const rows = await Array.fromAsync(parquet(path))
    expect(rows).toEqual(NUMBERS.map((n) => ({ inputs: { q: `question ${n % 10}`, n } })))
  },
)

test('parquet() names a compression that it cannot undo', async () => {
  await write({ ...TABLE, codec: 'LZ4_RAW', compressors })
  expect(await fault(parquet(path))).toMatchObject({
    code: 'SOURCE_NOT_READABLE',
    message: expect.stringContaining('as Parquet: it is compressed by LZ4_RAW, which cannot be undone here'),
    hint: 'write it with snappy, zstd, gzip or brotli',
  })
})

test('parquet() reads row groups in order, one at a time, and numbers rows through', async () => {
  const bytes = await write({ ...TABLE, rowGroupSize: 300 })
  const numbers = (await Array.fromAsync(parquet(path))).map((row) => row.inputs.n)
  expect(numbers).toEqual(NUMBERS)
  // The third group is destroyed while the file is read: rows of the first two must still come.
  const seen: number[] = []
  const read = async () => {
    for await (const row of parquet(path)) {
      if (seen.length === 0) await writeFile(path, Buffer.concat([bytes.subarray(0, 4), bytes.subarray(4).fill(0xff)]))
      seen.push(row.inputs.n)
    }
  }
  await expect(read()).rejects.toMatchObject({
    code: 'SOURCE_MALFORMED',
    message: expect.stringContaining('row group 2 of 4 is damaged: '),
  })
  expect(seen).toEqual(NUMBERS.slice(0, 300))
})

test('parquet() gives the number of a row that is wrong, over all groups', async () => {
  await write({ columnData: [{ name: 'inputs', data: NUMBERS, type: 'INT32' }], rowGroupSize: 300 })
  const schema = {
    '~standard': {
      version: 1,
      vendor: 'own',
      validate: (value: unknown) => {
        const row = value as { inputs: number }
        return row.inputs === 650 ? { issues: [{ message: 'no', path: ['inputs'] }] } : { value: row }
      },
    },
  } as const
  expect((await fault(parquet(path, { schema }))).message).toMatch(/as Parquet: row 651: "inputs": no$/)
})

test.each([
  ['', 'SOURCE_MALFORMED', 'it is empty'],
  ['PA', 'SOURCE_MALFORMED', 'it is not a Parquet file'],
  ['a,b\n1,2\n', 'SOURCE_MALFORMED', 'it is not a Parquet file'],
  ['PAR1', 'SOURCE_MALFORMED', 'it is cut off: the footer is missing'],
  ['PAR1....PAR', 'SOURCE_MALFORMED', 'it is cut off: the footer is missing'],
  ['PARE....PARE', 'SOURCE_NOT_READABLE', 'it is encrypted'],
])('parquet() refuses a file that holds %j', async (content, code, problem) => {
  await writeFile(path, content)
  const error = await fault(parquet(path))
  expect(error).toMatchObject({ code })
  expect(error.message.split('\n')[0]).toBe(`Cannot read ${JSON.stringify(path)} as Parquet: ${problem}`)
})

test('parquet() says that a footer is damaged', async () => {
  const bytes = await write(TABLE)
  bytes.fill(0xff, bytes.length - 60, bytes.length - 8)
  await writeFile(path, bytes)
  expect(await fault(parquet(path))).toMatchObject({
    code: 'SOURCE_MALFORMED',
    message: expect.stringContaining('as Parquet: its footer is damaged: '),
  })
  bytes.writeUInt32LE(0x7fffffff, bytes.length - 8)
  await writeFile(path, bytes)
  expect(await fault(parquet(path))).toMatchObject({ code: 'SOURCE_MALFORMED' })
})
