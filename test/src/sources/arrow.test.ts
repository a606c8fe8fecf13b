import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import zlib from 'node:zlib'
import * as lib from 'apache-arrow'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Source } from '../../../src/source.ts'
import { arrow, isArrowTable } from '../../../src/sources/arrow.ts'

let folder: string
let path: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'arrow-'))
  path = join(folder, 'x.arrow')
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

function column(values: readonly unknown[], type: lib.DataType): lib.Vector {
  return lib.vectorFromArray(values as unknown[], type)
}

const field = (name: string, type: lib.DataType) => new lib.Field(name, type, true)

const DAY = new Date('2024-02-29T00:00:00Z')
const MOMENT = new Date('2024-02-29T12:34:56Z')
const BIG = 2n ** 60n

/** Every type with a value, what that is in a row, and one that is missing. */
const TYPES: Readonly<Record<string, readonly [column: lib.Vector, value: unknown]>> = {
  bool: [column([true, null], new lib.Bool()), true],
  text: [column(['ä', null], new lib.Utf8()), 'ä'],
  largeText: [column(['ä', null], new lib.LargeUtf8()), 'ä'],
  dictionary: [column(['ä', null], new lib.Dictionary(new lib.Utf8(), new lib.Int32())), 'ä'],
  int8: [column([-1, null], new lib.Int8()), -1],
  int64: [column([-1n, null], new lib.Int64()), -1],
  int64Large: [column([BIG, null], new lib.Int64()), BIG],
  uint64: [column([2n ** 63n, null], new lib.Uint64()), 2n ** 63n],
  float16: [column([1.5, null], new lib.Float16()), 1.5],
  float64: [column([0.1, null], new lib.Float64()), 0.1],
  day: [column([DAY, null], new lib.DateDay()), DAY],
  date: [column([DAY, null], new lib.DateMillisecond()), DAY],
  seconds: [column([MOMENT, null], new lib.TimestampSecond()), MOMENT],
  millis: [column([MOMENT, null], new lib.TimestampMillisecond('Europe/Zurich')), MOMENT],
  micros: [column([MOMENT, null], new lib.TimestampMicrosecond()), MOMENT],
  nanos: [column([MOMENT, null], new lib.TimestampNanosecond()), MOMENT],
  time: [column([7n, null], new lib.TimeMicrosecond()), 7],
  duration: [column([7n, null], new lib.DurationMillisecond()), 7],
  bytes: [column([new Uint8Array([1, 255]), null], new lib.Binary()), new Uint8Array([1, 255])],
  decimal: [column([new Uint32Array([3, 0, 0, 0]), null], new lib.Decimal(1, 10, 128)), 0.3],
  negative: [
    column([new Uint32Array([0xffffcfc7, ...Array(3).fill(0xffffffff)]), null], new lib.Decimal(2, 10, 128)),
    -123.45,
  ],
  list: [column([[1n, null, BIG], null], new lib.List(field('item', new lib.Int64()))), [1, null, BIG]],
  fixed: [column([[1, 2], null], new lib.FixedSizeList(2, field('item', new lib.Float32()))), [1, 2]],
  map: [
    column(
      [{ a: 1n, b: 2n }, null],
      new lib.Map_(
        field('entries', new lib.Struct([field('key', new lib.Utf8()), field('value', new lib.Int64())])) as never,
      ),
    ),
    { a: 1, b: 2 },
  ],
  struct: [
    column(
      [{ at: MOMENT, inner: { list: [{ n: 1n }] }, none: null }, null],
      new lib.Struct([
        field('at', new lib.TimestampSecond()),
        field(
          'inner',
          new lib.Struct([field('list', new lib.List(field('item', new lib.Struct([field('n', new lib.Int64())]))))]),
        ),
        field('none', new lib.Utf8()),
      ]),
    ),
    { at: MOMENT, inner: { list: [{ n: 1 }] }, none: null },
  ],
  null: [column([null, null], new lib.Null()), null],
}

const VALUES = Object.fromEntries(Object.entries(TYPES).map(([name, [, value]]) => [name, value]))
const MISSING = Object.fromEntries(Object.keys(TYPES).map((name) => [name, null]))

function everything(): lib.Table {
  return new lib.Table(Object.fromEntries(Object.entries(TYPES).map(([name, [vector]]) => [`inputs.${name}`, vector])))
}

const texts = (...values: (string | null)[]) => column(values, new lib.Utf8())

async function fault(source: Source): Promise<Error> {
  const error = await Array.fromAsync(source).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ name: 'EvaluationError' })
  return error as Error
}

test('arrow() gives the values of a table as plain JavaScript', async () => {
  expect(await Array.fromAsync(arrow(everything()))).toEqual([{ inputs: VALUES }, { inputs: MISSING }])
})

test.each(['file', 'stream'] as const)('arrow() gives the same values from a file in the %s format', async (format) => {
  await writeFile(path, lib.tableToIPC(everything(), format))
  expect(await Array.fromAsync(arrow(path))).toEqual([{ inputs: VALUES }, { inputs: MISSING }])
})

test('arrow() takes inputs and expectations as structs, and counts the rows of a table', async () => {
  const struct = new lib.Struct([field('q', new lib.Utf8()), field('n', new lib.Int64())])
  const answer = new lib.Struct([field('answer', new lib.Utf8())])
  const table = new lib.Table({
    inputs: column(
      [
        { q: 'a', n: 1n },
        { q: 'b', n: 2n },
      ],
      struct,
    ),
    expectations: column([{ answer: 'x' }, null], answer),
  })
  const source = arrow(table)
  expect([source.count, source.description, source.files]).toEqual([2, 'arrow table', undefined])
  const rows = [{ inputs: { q: 'a', n: 1 }, expectations: { answer: 'x' } }, { inputs: { q: 'b', n: 2 } }]
  expect(await Array.fromAsync(source)).toEqual(rows)
  expect(await Array.fromAsync(source)).toEqual(rows)
})

test('arrow() takes a null in "outputs" for no outputs', async () => {
  const table = new lib.Table({ 'inputs.q': texts('a', 'b'), outputs: texts(null, ''), 'tags.t': texts(null, 'x') })
  expect(await Array.fromAsync(arrow(table))).toEqual([
    { inputs: { q: 'a' }, tags: {} },
    { inputs: { q: 'b' }, outputs: '', tags: { t: 'x' } },
  ])
})

test('arrow() reads tables, slices and files of many batches in order', async () => {
  const parts = [0, 3, 6].map(
    (start) => new lib.Table({ 'inputs.n': column([start, start + 1, start + 2], new lib.Int32()) }),
  )
  const table = (parts[0] as lib.Table).concat(...parts.slice(1))
  expect(table.batches).toHaveLength(3)
  const numbers = async (source: Source) => (await Array.fromAsync(source)).map((row) => row.inputs.n)
  expect(await numbers(arrow(table))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  expect(await numbers(arrow(table.slice(2, 7)))).toEqual([2, 3, 4, 5, 6])
  for (const format of ['file', 'stream'] as const) {
    await writeFile(path, lib.tableToIPC(table, format))
    expect(await numbers(arrow(path))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  }
  const bad = arrow(table, { columns: { inputs: ['m'] } })
  expect((await fault(bad)).message).toMatch(/^Cannot read the Arrow table: row 1: there is no column "m"/)
})

test('arrow() reads a table of another version by its shape', async () => {
  const values = [new Date(5), null]
  const table = {
    numRows: 2,
    schema: { fields: [{ name: 'inputs.at', type: { typeId: 10 } }] },
    getChildAt: () => ({ get: (row: number) => values[row] }),
  }
  expect(isArrowTable(table)).toBe(true)
  expect(await Array.fromAsync(arrow(table))).toEqual([{ inputs: { at: new Date(5) } }, { inputs: { at: null } }])
})

test('arrow() gives bytes of their own', async () => {
  const table = new lib.Table({ 'inputs.bytes': column([new Uint8Array([1]), new Uint8Array([2])], new lib.Binary()) })
  const [first] = await Array.fromAsync(arrow(table))
  expect(first?.inputs.bytes.buffer.byteLength).toBe(1)
})

test('arrow() refuses two columns of one name', async () => {
  const { numRows, schema, getChildAt } = new lib.Table({ 'inputs.a': texts('x') })
  const twice = { numRows, schema: { fields: [...schema.fields, ...schema.fields] }, getChildAt }
  expect(await fault(arrow(twice))).toMatchObject({
    code: 'SOURCE_MALFORMED',
    message: 'Cannot read the Arrow table: two columns are named "inputs.a"',
  })
})

/** Writes a table with a codec that is only there while it is written. */
function compressed(
  table: lib.Table,
  type: lib.CompressionType,
  encode: (bytes: Uint8Array) => Uint8Array,
): Uint8Array {
  const { compressionRegistry: registry } = lib
  const none = null as unknown as Parameters<typeof registry.set>[1]
  const kept = registry.get(type) ?? none
  registry.set(type, { encode })
  try {
    return lib.tableToIPC(table, 'file', type)
  } finally {
    registry.set(type, kept)
  }
}

test.skipIf(!zlib.zstdCompressSync)('arrow() reads a file compressed by Zstandard', async () => {
  const table = new lib.Table({ 'inputs.q': texts('a'.repeat(5_000)) })
  await writeFile(
    path,
    compressed(table, lib.CompressionType.ZSTD, (bytes) => zlib.zstdCompressSync(bytes)),
  )
  expect(await Array.fromAsync(arrow(path))).toEqual([{ inputs: { q: 'a'.repeat(5_000) } }])
})

test('arrow() says of other compressions that it cannot undo them', async () => {
  const frame = new Uint8Array([0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0, 0])
  const table = new lib.Table({ 'inputs.q': texts('a'.repeat(5_000)) })
  await writeFile(
    path,
    compressed(table, lib.CompressionType.LZ4_FRAME, () => frame),
  )
  expect(await fault(arrow(path))).toMatchObject({
    code: 'SOURCE_NOT_READABLE',
    hint: 'write it uncompressed or with zstd',
    message: expect.stringContaining('as Arrow: it is compressed in a way that cannot be undone here'),
  })
})

test('arrow() refuses a stream that stops within a message', async () => {
  const parts = [0, 1].map((n) => new lib.Table({ 'inputs.n': column(Array(100).fill(n), new lib.Int32()) }))
  const bytes = lib.tableToIPC((parts[0] as lib.Table).concat(parts[1] as lib.Table), 'stream')
  for (const length of [6, 40, bytes.length - 60, bytes.length - 300]) {
    await writeFile(path, bytes.subarray(0, length))
    expect([length, await fault(arrow(path))]).toMatchObject([length, { code: 'SOURCE_MALFORMED' }])
  }
})

test.each([
  ['', 'SOURCE_MALFORMED', 'it is empty'],
  ['a,b\n1,2\n', 'SOURCE_MALFORMED', 'it is not an Arrow file'],
  ['ARROW1', 'SOURCE_MALFORMED', 'it is cut off: the footer is missing'],
  ['FEA1........FEA1', 'SOURCE_NOT_READABLE', 'it is Feather of version 1'],
])('arrow() refuses a file that holds %j', async (content, code, problem) => {
  await writeFile(path, content)
  const error = await fault(arrow(path))
  expect(error).toMatchObject({ code })
  expect(error.message.split('\n')[0]).toBe(`Cannot read ${JSON.stringify(path)} as Arrow: ${problem}`)
})

test('isArrowTable() knows tables and batches from everything else', () => {
  const table = everything()
  expect([table, table.batches[0]].map(isArrowTable)).toEqual([true, true])
  const others = [
    null,
    undefined,
    7,
    'x',
    [],
    {},
    new Map(),
    arrow('x'),
    table.schema,
    table.getChildAt(0),
    { numRows: 1 },
  ]
  expect(others.map(isArrowTable)).toEqual(others.map(() => false))
})

test('arrow() refuses data that is neither path nor table', () => {
  expect(() => arrow([{ inputs: 1 }] as never)).toThrow(
    new TypeError('Cannot read Arrow: expected the path of a file or an Arrow table, found an array of 1'),
  )
  expect(() => arrow(everything(), { column: {} } as never)).toThrow(
    /Cannot read the Arrow table: unknown option "column"/,
  )
})
