import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Row, RowIdentity, toRow } from '../../src/row.ts'
import { NotDataError } from '../../src/std/json.ts'
import { Trace, type TraceData } from '../../src/trace.ts'

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

function trace(more: Partial<TraceData> = {}): Trace {
  return new Trace({
    id: 'tr-1',
    experiment: 'e',
    status: 'OK',
    requestTimeMs: 1,
    tags: { env: 'prod' },
    metadata: {},
    spans: [],
    assessments: [],
    inputs: { q: 1 },
    outputs: 'one',
    ...more,
  })
}

function identify(rows: readonly Row[]): string[] {
  const identity = new RowIdentity()
  return rows.map((row) => identity.identify(row))
}

test('toRow() gives a row as it is', () => {
  const row = { id: 'a', inputs: { q: 1 }, outputs: 'x', expectations: { answer: 'x' }, tags: { lang: 'de' } }
  expect(toRow(row, 0)).toBe(row)
  expect(toRow({ outputs: undefined }, 0)).toEqual({ outputs: undefined })
})

const hint = '\nHint: what predict is called with goes under "inputs", as in { inputs: { question: "…" } }'
const wanted = 'expected an object with "inputs", "outputs" or "trace", found '

test.each<[unknown, string]>([
  ['text', `${wanted}"text"`],
  [null, `${wanted}null`],
  [undefined, `${wanted}undefined`],
  [5, `${wanted}5`],
  [[1, 2], `${wanted}an array of 2`],
  [function load() {}, `${wanted}function load`],
  [{}, `expected "inputs", "outputs" or "trace", found an empty object${hint}`],
  [{ question: 'Why?' }, `expected "inputs", "outputs" or "trace", found an object with question${hint}`],
  [{ inputs: 1, id: 5 }, '"id" must be a string that is not empty, found 5'],
  [{ inputs: 1, id: '' }, '"id" must be a string that is not empty, found ""'],
  [{ inputs: 1, expectations: 'yes' }, '"expectations" must be an object of names and values, found "yes"'],
  [{ inputs: 1, expectations: [1] }, '"expectations" must be an object of names and values, found an array of 1'],
  [{ inputs: 1, tags: 'de' }, '"tags" must be an object of names and values, found "de"'],
  [{ inputs: 1, tags: { n: 5 } }, 'tag "n" must be a string, found 5'],
  [{ trace: { id: 'tr-1' } }, '"trace" must be a Trace, found an object with id'],
  [{ trace: null }, '"trace" must be a Trace, found null'],
])('toRow() of %j says what is wrong and where', (item, problem) => {
  expect(() => toRow(item, 13)).toThrow(new TypeError(`Cannot evaluate row 14: ${problem}`))
})

test('toRow() of a trace takes inputs, outputs, expectations, tags and id from it', () => {
  const recorded = trace({
    rowId: 'row-7',
    assessments: [
      {
        id: '1',
        kind: 'expectation',
        name: 'answer',
        value: 'eins',
        traceId: 'tr-1',
        source: { type: 'HUMAN', id: 'ann' },
        createdAt: 1,
        updatedAt: 1,
        valid: true,
      },
    ],
  })
  const row = { id: 'row-7', inputs: { q: 1 }, outputs: 'one', expectations: { answer: 'eins' }, tags: { env: 'prod' } }
  expect(toRow(recorded, 0)).toStrictEqual({ ...row, trace: recorded })
  expect(toRow({ trace: recorded }, 0)).toStrictEqual({ ...row, trace: recorded })
})

test('toRow() prefers what the row states to what its trace remembers', () => {
  const recorded = trace({ rowId: 'old' })
  const stated = { id: 'new', inputs: 'i', outputs: null, expectations: { a: 1 }, tags: {} }
  expect(toRow({ ...stated, trace: recorded }, 0)).toStrictEqual({ ...stated, trace: recorded })
})

test('toRow() gives no outputs for a trace that failed', () => {
  const row = toRow(trace({ status: 'ERROR', outputs: undefined }), 0)
  expect('outputs' in row).toBe(false)
  expect('id' in row).toBe(false)
})

test('RowIdentity takes the own id, else the digest of the canonical inputs, else of the outputs', () => {
  expect(identify([{ id: 'mine', inputs: 1 }, { inputs: { b: 1, a: 'x' } }, { outputs: 'o' }])).toEqual([
    'mine',
    digest('{"a":"x","b":1}'),
    digest('"o"'),
  ])
})

test('RowIdentity does not depend on the order of keys, outputs or expectations', () => {
  const [a, b] = [
    { inputs: { x: 1, y: [2] }, outputs: 'o' },
    { inputs: { y: [2], x: 1 }, expectations: { e: 1 } },
  ]
  expect(identify([a])).toEqual(identify([b]))
})

test('RowIdentity numbers rows of one id in their order', () => {
  const d = digest('{"q":1}')
  expect(identify([{ inputs: { q: 1 } }, { inputs: { q: 1 } }, { inputs: { q: 2 } }, { inputs: { q: 1 } }])).toEqual([
    d,
    `${d}#2`,
    digest('{"q":2}'),
    `${d}#3`,
  ])
  expect(identify([{ id: 'a' }, { id: 'a' }, { id: 'a' }])).toEqual(['a', 'a#2', 'a#3'])
})

test('RowIdentity never gives one id twice, also where rows of an earlier run meet new ones', () => {
  const d = digest('{"q":1}')
  expect(identify([{ id: d }, { inputs: { q: 1 } }])).toEqual([d, `${d}#2`])
  expect(identify([{ id: 'a#2' }, { id: 'a' }, { id: 'a' }])).toEqual(['a#2', 'a', 'a#3'])
  const id = fc.constantFrom('a', 'b', 'a#2', 'a#2#2', 'a#3', 'b#2')
  fc.assert(
    fc.property(fc.array(id, { maxLength: 30 }), (given) => {
      const ids = identify(given.map((one) => ({ id: one })))
      expect(new Set(ids).size).toBe(ids.length)
    }),
  )
})

test('RowIdentity counts as a map does, also past many thousand rows', () => {
  const identity = new RowIdentity()
  const seen = new Map<string, number>()
  for (let i = 0; i < 30_000; i++) {
    const n = i < 20_000 ? i : (i * 7_919) % 20_000
    const base = digest(`{"n":${n}}`)
    const nth = (seen.get(base) ?? 0) + 1
    seen.set(base, nth)
    const id = identity.identify({ inputs: { n } })
    if (id !== (nth === 1 ? base : `${base}#${nth}`)) expect.fail(`row ${i} became ${id}`)
  }
  expect(seen.size).toBe(20_000)
})

test('RowIdentity refuses inputs that are not data', () => {
  expect(() => identify([{ inputs: { fn: () => 1 } }])).toThrow(NotDataError)
})

test('RowIdentity takes rows without any inputs apart', () => {
  const d = digest('{"$type":"undefined"}')
  expect(identify([{ inputs: undefined }, { inputs: undefined }])).toEqual([d, `${d}#2`])
})
