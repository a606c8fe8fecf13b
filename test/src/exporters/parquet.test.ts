import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RunSnapshot } from '../../../src/exporter.ts'
import { parquet } from '../../../src/exporters/parquet.ts'
import { column, snapshot, stored } from './snapshot.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parquet-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function written(run: RunSnapshot) {
  const path = join(folder, 'run.parquet')
  await parquet.write(run, path)
  const bytes = await readFile(path)
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  const metadata = parquetMetadata(file)
  const types = metadata.schema.slice(1).map(({ name, type, converted_type }) => [name, converted_type ?? type])
  return { metadata, types, records: await parquetReadObjects({ file }) }
}

test('parquet writes typed columns, null where there is no value', async () => {
  const { types, records } = await written(
    snapshot(
      [
        stored(0, {
          inputs: { question: '=1+1', n: -3, flag: true, mixed: 1 },
          outputs: { text: 'a\0b' },
          expectations: { answer: 'x' },
          trace: { tags: { lang: 'en' } },
          feedback: [
            { name: 'polite', value: true, rationale: 'why' },
            { name: 'length', value: 2.5 },
            { name: 'safety', value: 'yes' },
          ],
        }),
        stored(1, {
          inputs: { question: '', n: Number.NaN, mixed: 'one' },
          trial: { status: 'failed', error: { code: 'HTTP', message: '500' } },
          feedback: [{ name: 'polite', error: { code: 'SCORER_THREW', message: 'no' } }],
        }),
      ],
      { columns: ['polite', 'length', 'safety', 'silent'].map((name) => column(name)) },
    ),
  )
  expect(Object.fromEntries(types)).toEqual({
    id: 'UTF8',
    index: 'DOUBLE',
    repeat: 'DOUBLE',
    status: 'UTF8',
    'inputs.question': 'UTF8',
    'inputs.n': 'DOUBLE',
    'inputs.flag': 'BOOLEAN',
    'inputs.mixed': 'UTF8',
    'outputs.text': 'UTF8',
    'expectations.answer': 'UTF8',
    'tags.lang': 'UTF8',
    'feedback.polite': 'BOOLEAN',
    'feedback.polite.rationale': 'UTF8',
    'feedback.polite.error': 'UTF8',
    'feedback.length': 'DOUBLE',
    'feedback.length.rationale': 'UTF8',
    'feedback.length.error': 'UTF8',
    'feedback.safety': 'UTF8',
    'feedback.safety.rationale': 'UTF8',
    'feedback.safety.error': 'UTF8',
    'feedback.silent': 'UTF8',
    'feedback.silent.rationale': 'UTF8',
    'feedback.silent.error': 'UTF8',
    error: 'UTF8',
    trace_id: 'UTF8',
    duration_ms: 'DOUBLE',
  })
  expect(records).toMatchObject([
    {
      id: 'row-0',
      index: 0,
      'inputs.question': '=1+1',
      'inputs.n': -3,
      'inputs.flag': true,
      'inputs.mixed': '1',
      'outputs.text': 'a\0b',
      'expectations.answer': 'x',
      'feedback.polite': true,
      'feedback.polite.rationale': 'why',
      'feedback.length': 2.5,
      'feedback.safety': 'yes',
      duration_ms: 1.5,
    },
    {
      status: 'failed',
      'inputs.question': '',
      'inputs.n': Number.NaN,
      'inputs.flag': null,
      'inputs.mixed': 'one',
      'outputs.text': null,
      'feedback.polite': null,
      'feedback.polite.error': 'SCORER_THREW: no',
      'feedback.silent': null,
      error: 'HTTP: 500',
    },
  ])
})

test('parquet takes a run without trials, with the columns of the run', async () => {
  const { metadata, types, records } = await written(snapshot([], { columns: [column('polite')] }))
  expect(records).toEqual([])
  expect(metadata.num_rows).toBe(0n)
  expect(types.map(([name]) => name)).toContain('feedback.polite')
})

test('parquet writes row groups of bounded size, in order', async () => {
  const many: RunSnapshot = {
    ...snapshot([]),
    async *trials() {
      for (let i = 0; i < 11_000; i++)
        yield stored(i, { inputs: { i }, feedback: [{ name: 'even', value: i % 2 === 0 }] })
    },
  }
  const { metadata, records } = await written(many)
  expect(metadata.row_groups.map(({ num_rows }) => Number(num_rows))).toEqual([5_000, 5_000, 1_000])
  expect(records.every((record, i) => record['inputs.i'] === i && record['feedback.even'] === (i % 2 === 0))).toBe(true)

  const text = 'x'.repeat(6_000_000)
  const large = await written(snapshot([0, 1, 2, 3].map((i) => stored(i, { outputs: text }))))
  expect(large.metadata.row_groups.map(({ num_rows }) => Number(num_rows))).toEqual([3, 1])
})

test('parquet survives names that are hostile', async () => {
  const names = ['__proto__', 'constructor', 'a\nb', '"', 'n'.repeat(10_000), '\ud800', '\ud801', 'x', 'x.error', '']
  const feedback = names.map((name, value) => ({ name, value }))
  const { records } = await written(snapshot([stored(0, { feedback })]))
  const kept = ['__proto__', 'constructor', 'a\nb', '"', 'n'.repeat(10_000), '\ufffd', '\ufffd#2', 'x', 'x.error#2', '']
  expect(kept.map((name) => records[0]?.[`feedback.${name}`])).toEqual(names.map((_, i) => i))
})

test('parquet gives back texts, numbers and booleans exactly', async () => {
  const row = fc.record(
    { text: fc.string({ unit: 'binary' }), n: fc.double(), flag: fc.boolean() },
    { noNullPrototype: true },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 40 }), async (rows) => {
      const { records } = await written(snapshot(rows.map((inputs, i) => stored(i, { inputs }))))
      expect(records.map((record) => [record['inputs.text'], record['inputs.n'], record['inputs.flag']])).toEqual(
        rows.map(({ text, n, flag }) => [text.toWellFormed(), n, flag]),
      )
    }),
    { numRuns: 100 },
  )
})
