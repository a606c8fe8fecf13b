import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { type SourceOptions, toRows } from '../../src/source.ts'

type Fields = Readonly<Record<string, unknown>>

function rows(fields: readonly Fields[], options: SourceOptions = {}) {
  const records = fields.map((one, i) => ({ fields: one, where: `row ${i + 1}` }))
  return Array.fromAsync(toRows('"x" as Test', records, options))
}

async function refusal(fields: Fields, options?: SourceOptions): Promise<string> {
  const error = await rows([fields], options).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ name: 'EvaluationError', code: 'ROW_INVALID' })
  return (error as Error).message.replace('Cannot read "x" as Test: row 1: ', '')
}

test('toRows() passes a row that has its parts whole', async () => {
  const row = { id: 'a', inputs: { n: 1 }, outputs: [1], expectations: { a: { b: 1 } }, tags: { x: 'y' } }
  expect(await rows([row])).toEqual([row])
})

test('toRows() keeps only the first dot of a name', async () => {
  expect(await rows([{ 'inputs.user.name': 'x', 'outputs.a': 1 }])).toEqual([
    { inputs: { 'user.name': 'x' }, outputs: { a: 1 } },
  ])
})

test('toRows() makes a text of an id, and takes an empty one for none', async () => {
  const ids = [7, 'a', '', null, undefined, 7n]
  expect((await rows(ids.map((id) => ({ id, inputs: 1 })))).map(({ id }) => id)).toEqual([
    '7',
    'a',
    undefined,
    undefined,
    undefined,
    '7',
  ])
  expect(await refusal({ id: { a: 1 }, inputs: 1 })).toBe('"id" must be a text or a number, found an object with a')
})

test('toRows() makes texts of tags and leaves out those that are null', async () => {
  expect(await rows([{ inputs: 1, tags: { n: 1, b: true, none: null } }])).toEqual([
    { inputs: 1, tags: { n: '1', b: 'true' } },
  ])
  expect(await refusal({ inputs: 1, 'tags.list': [1] })).toBe('tag "list" must be a text, found an array of 1')
})

test('toRows() keeps a null that is a value, and leaves out a part that the source has not', async () => {
  expect(await rows([{ inputs: null, outputs: null, expectations: null }])).toEqual([{ inputs: null, outputs: null }])
  expect(await rows([{ inputs: { a: null }, outputs: undefined, expectations: undefined }])).toEqual([
    { inputs: { a: null } },
  ])
  expect(await rows([{ 'inputs.a': undefined, 'inputs.b': 1 }])).toEqual([{ inputs: { a: null, b: 1 } }])
  const columns = { inputs: ['a', 'b'], outputs: 'c' }
  expect(await rows([{ a: undefined, b: 1, c: undefined }], { columns })).toEqual([{ inputs: { a: null, b: 1 } }])
})

test('toRows() refuses ground truth and tags without names', async () => {
  expect(await refusal({ inputs: 1, expectations: 'Paris' })).toBe(
    '"expectations" must be an object of names and values, found "Paris"\n' +
      'Hint: give each its own column, named "expectations.…"',
  )
  expect(await refusal({ inputs: 1, tags: ['a'] })).toMatch(/^"tags" must be an object .* found an array of 1/)
})

test('toRows() refuses a part that is there whole and in pieces', async () => {
  expect(await refusal({ inputs: 'a', 'inputs.question': 'b' })).toBe(
    'there is a column "inputs" and a column "inputs.question"',
  )
  expect(await rows([{ inputs: null, 'inputs.question': 'b' }])).toEqual([{ inputs: { question: 'b' } }])
})

test('toRows() refuses what has neither inputs nor outputs', async () => {
  expect(await refusal({ id: '1', 'expectations.answer': 'a' })).toMatch(/^it has neither "inputs" nor "outputs"\nHint/)
  expect(await refusal({})).toMatch(/^it has neither "inputs" nor "outputs"/)
})

test('toRows() tells a name that is nearly a part of a row', async () => {
  expect(await refusal({ 'input.question': '?', 'inputs.': 1 })).toMatch(
    /^column "input.question" has no place in a row \(did you mean "inputs"\?\)\nHint: name it "inputs.question"/,
  )
  expect(await refusal({ inputs: 1, 'outputs.': 1 })).toMatch(/^column "outputs\." has no place/)
})

test('toRows() is not misled by the names of object members', async () => {
  const [row] = await rows([{ 'inputs.__proto__': 'a', 'inputs.constructor': 'b', 'tags.__proto__': 'c' }])
  expect(Object.entries(row?.inputs)).toEqual([
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ])
  expect(Object.entries(row?.tags ?? {})).toEqual([['__proto__', 'c']])
  expect(await refusal({ inputs: 1, toString: 2 })).toMatch(/^column "toString" has no place/)
  expect(await refusal({ a: 1 }, { columns: { inputs: ['toString'] } })).toMatch(/^there is no column "toString"/)
})

test('toRows() gives the schema the plain record where no column is part of a row', async () => {
  const seen: unknown[] = []
  const schema = z.any().transform((value) => {
    seen.push(value)
    return { inputs: value }
  })
  await rows(
    [
      { status: 'open', error: undefined },
      { 'inputs.a': 1, status: 'ok' },
      { 'inputs.a': 1, b: 2 },
    ],
    {
      schema,
    },
  )
  expect(seen).toEqual([{ status: 'open', error: null }, { inputs: { a: 1 } }, { 'inputs.a': 1, b: 2 }])
})

test('toRows() says what a schema found, how often, and when it threw', async () => {
  const schema = z.object({ inputs: z.object({ list: z.array(z.number()), b: z.number() }) })
  expect(await refusal({ inputs: { list: [1, 'x'] } }, { schema })).toMatch(/^"inputs\.list\.1": .* \(and 1 more\)$/)
  const broken = z.any().transform((): { inputs: number } => {
    throw new Error('no')
  })
  expect(await refusal({ inputs: 1 }, { schema: broken })).toBe('the schema threw: no')
  const steps = {
    '~standard': {
      version: 1,
      vendor: 'own',
      validate: () => ({ issues: [{ message: 'bad', path: [{ key: 'inputs' }, 0] }] }),
    },
  } as const
  expect(await refusal({ inputs: 1 }, { schema: steps })).toBe('"inputs.0": bad')
})

test('toRows() puts every named value where its name says', async () => {
  const part = fc.constantFrom('inputs', 'outputs', 'expectations')
  const key = fc.string({ minLength: 1, maxLength: 5 })
  const entry = fc.tuple(part, key, fc.jsonValue())
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(entry, { selector: ([p, k]) => `${p}.${k}`, minLength: 1 }), async (entries) => {
      fc.pre(entries.some(([p]) => p !== 'expectations'))
      const fields = Object.fromEntries(entries.map(([p, k, value]) => [`${p}.${k}`, value]))
      const [row] = await rows([fields])
      const back = (['inputs', 'outputs', 'expectations'] as const).flatMap((p) =>
        Object.entries(row?.[p] ?? {}).map(([k, value]) => [`${p}.${k}`, value]),
      )
      expect(Object.fromEntries(back)).toEqual(fields)
    }),
  )
})
