import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Table, tableFromIPC, tableToIPC, vectorFromArray } from 'apache-arrow'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RunSnapshot } from '../../../src/exporter.ts'
import { arrow, toArrowTable } from '../../../src/exporters/arrow.ts'
import { collect, column, snapshot, stored } from './snapshot.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'arrow-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

const FIXED = [
  ['row_id', 'Utf8'],
  ['index', 'Uint32'],
  ['repeat', 'Uint32'],
  ['status', 'Utf8'],
  ['inputs', 'Utf8'],
  ['outputs', 'Utf8'],
  ['expectations', 'Utf8'],
  ['tags', 'Utf8'],
  ['error', 'Utf8'],
  ['trace_id', 'Utf8'],
  ['request_time', 'Timestamp<MILLISECOND>'],
  ['duration_ms', 'Float64'],
]

function shape(table: Table): string[][] {
  return table.schema.fields.map(({ name, type }) => [name, String(type)])
}

function values(table: Table, name: string): unknown[] {
  return [...(table.getChild(name) ?? [])]
}

const VALUES = [true, 'yes', 0.5, 'blue', ['a', 'b'], undefined]
const run = snapshot(
  [
    ...VALUES.map((value, i) =>
      stored(i, {
        inputs: { question: `q${i}` },
        outputs: `a${i}`,
        expectations: { answer: 'x' },
        trace: { tags: { lang: 'en' } },
        feedback: ['flag', 'amount', 'colour', 'list'].map((name) => ({ name, ...(value !== undefined && { value }) })),
      }),
    ),
    stored(6, {
      inputs: { question: 'q6' },
      trial: { status: 'failed', error: { code: 'HTTP', message: '500' } },
      feedback: [
        { name: 'flag', error: { code: 'SCORER_THREW', message: 'no' } },
        { name: 'colour', value: 'red', valid: false },
      ],
    }),
  ],
  {
    columns: [
      column('flag'),
      column('amount', 'number'),
      column('colour', 'category'),
      column('list', 'structured'),
      column('none', 'empty'),
    ],
  },
)

const read = async (path: string) => (await arrow.read?.(path)) as RunSnapshot

test('toArrowTable() gives typed columns, null where there is no value', async () => {
  const table = await toArrowTable(run)
  expect(shape(table)).toEqual([
    ...FIXED,
    ['flag', 'Bool'],
    ['amount', 'Float64'],
    ['colour', 'Utf8'],
    ['list', 'Utf8'],
    ['none', 'Utf8'],
  ])
  expect(values(table, 'row_id')).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => `row-${i}`))
  expect(values(table, 'index')).toEqual([0, 1, 2, 3, 4, 5, 6])
  expect(values(table, 'status')).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'failed'])
  expect(values(table, 'flag')).toEqual([true, true, null, null, null, null, null])
  expect(values(table, 'amount')).toEqual([1, 1, 0.5, null, null, null, null])
  expect(values(table, 'colour')).toEqual(['true', 'yes', '0.5', 'blue', '["a","b"]', null, null])
  expect(values(table, 'list')).toEqual(['true', 'yes', '0.5', 'blue', '["a","b"]', null, null])
  expect(values(table, 'none')).toEqual([null, null, null, null, null, null, null])
  expect(values(table, 'inputs')[0]).toBe('{"question":"q0"}')
  expect(values(table, 'outputs').slice(5)).toEqual(['"a5"', null])
  expect(values(table, 'expectations').slice(5)).toEqual(['{"answer":"x"}', '{}'])
  expect(values(table, 'tags').slice(5)).toEqual(['{"lang":"en"}', '{}'])
  expect(values(table, 'error').slice(5)).toEqual([null, '{"code":"HTTP","message":"500"}'])
  expect(values(table, 'request_time')[1]).toBe(1_700_000_000_001)
  expect(values(table, 'duration_ms')[0]).toBe(1.5)
})

test('toArrowTable() gives a table without rows its columns too', async () => {
  const table = await toArrowTable(snapshot([], { columns: [column('flag')] }))
  expect(table.numRows).toBe(0)
  expect(shape(table)).toEqual([...FIXED, ['flag', 'Bool']])
})

test('arrow writes what any Arrow reader opens, with the run in the metadata of the schema', async () => {
  const path = join(folder, 'run.arrow')
  await arrow.write(run, path)
  const table = tableFromIPC(await readFile(path))
  expect(table.numRows).toBe(7)
  expect(shape(table).at(-1)).toEqual(['record', 'Utf8'])
  expect(values(table, 'flag')).toEqual([true, true, null, null, null, null, null])
  expect(JSON.parse(table.schema.metadata.get('vitest-evaluate.run') as string)).toEqual({
    format: 'vitest-evaluate run',
    version: 1,
    run: run.record,
  })
  expect(values(table, 'record')[0]).not.toContain('q0')
})

test('arrow keeps columns apart whose names are taken or cannot be told apart in UTF-8', async () => {
  const names = ['index', 'record', 'feedback.index', '__proto__', 'toString', '\ud800', '\ud801', '']
  const path = join(folder, 'names.arrow')
  const named = snapshot([stored(0, { feedback: names.map((name, value) => ({ name, value })) })], {
    columns: names.map((name) => column(name, 'number')),
  })
  await arrow.write(named, path)
  const table = tableFromIPC(await readFile(path))
  const fields = table.schema.fields.slice(FIXED.length, -1).map(({ name }) => name)
  expect(fields).toEqual([
    'feedback.index',
    'feedback.record',
    'feedback.feedback.index',
    '__proto__',
    'toString',
    '\ufffd',
    'feedback.\ufffd',
    'feedback.',
  ])
  expect(fields.map((name) => values(table, name)[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  expect(await collect((await read(path)).trials())).toEqual(await collect(named.trials()))
})

test('arrow writes and reads many rows in batches, in order', async () => {
  const many: RunSnapshot = {
    ...run,
    async *trials() {
      for (let i = 0; i < 5_000; i++)
        yield stored(i, { inputs: { i }, feedback: [{ name: 'flag', value: i % 2 === 0 }] })
    },
  }
  const path = join(folder, 'many.arrow')
  await arrow.write(many, path)
  const table = tableFromIPC(await readFile(path))
  expect(table.batches.map(({ numRows }) => numRows)).toEqual([2_000, 2_000, 1_000])
  let i = 0
  for await (const { trial, trace } of (await read(path)).trials()) {
    if (trial?.index !== i || trace.inputs !== `{"i":${i}}`) throw new Error(`row ${i} is wrong`)
    i++
  }
  expect(i).toBe(5_000)
})

test('arrow cuts batches by size too', async () => {
  const path = join(folder, 'large.arrow')
  const text = 'x'.repeat(6_000_000)
  await arrow.write(snapshot([0, 1, 2, 3].map((i) => stored(i, { outputs: text }))), path)
  expect(tableFromIPC(await readFile(path)).batches.map(({ numRows }) => numRows)).toEqual([3, 1])
})

test('arrow read() refuses an Arrow file that holds no run, and one whose records are gone', async () => {
  const path = join(folder, 'other.arrow')
  await writeFile(path, tableToIPC(new Table({ a: vectorFromArray([1, 2]) }), 'file'))
  await expect(arrow.read?.(path)).rejects.toMatchObject({
    code: 'SOURCE_MALFORMED',
    message: expect.stringContaining('as a run: it holds no run'),
    hint: expect.stringContaining('run.export()'),
  })
  await writeFile(path, tableToIPC(await toArrowTable(run), 'file'))
  const reopened = await read(path)
  expect(reopened.record).toEqual(run.record)
  await expect(collect(reopened.trials())).rejects.toMatchObject({
    code: 'SOURCE_MALFORMED',
    message: `Cannot read ${JSON.stringify(path)} as a run: row 1 has no record`,
  })
})

test('arrow read() says that a file is cut off, or no Arrow file', async () => {
  const path = join(folder, 'cut.arrow')
  await arrow.write(run, path)
  const bytes = await readFile(path)
  await writeFile(path, bytes.subarray(0, bytes.length - 3))
  await expect(arrow.read?.(path)).rejects.toThrow(/as a run: it is cut off$/)
  await writeFile(path, 'a,b\n1,2\n')
  await expect(arrow.read?.(path)).rejects.toThrow(/as a run: it is not an Arrow file$/)
})
