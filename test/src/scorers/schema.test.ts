import { expect, test } from 'vitest'
import { z } from 'zod'
import { type JsonSchemaData, jsonSchema } from '../../../src/scorers/index.ts'
import type { StandardSchema } from '../../../src/source.ts'

const order = z.object({ city: z.string(), items: z.array(z.object({ price: z.number() })) })

test('jsonSchema() parses text and checks data as it is', async () => {
  const scorer = jsonSchema(order)
  expect(await scorer({ outputs: '{"city":"Paris","items":[{"price":1}]}' })).toMatchObject({ value: 'yes' })
  expect(await scorer({ outputs: { city: 'Paris', items: [] } })).toMatchObject({ value: 'yes' })
  expect(await scorer({ outputs: 'Paris' })).toMatchObject({
    value: 'no',
    rationale: expect.stringMatching(/^Not JSON: /),
  })
})

test('jsonSchema() tells the path of the first issue and how many more there are', async () => {
  const scorer = jsonSchema(order)
  expect(await scorer({ outputs: '{"city":"Paris","items":[{"price":1},{"price":"2"}]}' })).toMatchObject({
    value: 'no',
    rationale: 'items[1].price: Invalid input: expected number, received string',
  })
  expect(await scorer({ outputs: {} })).toMatchObject({ rationale: expect.stringMatching(/^city: .+ \(and 1 more\)$/) })
  expect(await scorer({ outputs: '[]' })).toMatchObject({
    rationale: expect.stringMatching(/^Invalid input: expected object/),
  })
})

test('jsonSchema() with a synchronous schema answers at once', () => {
  expect(jsonSchema(order)({ outputs: '{}' })).not.toBeInstanceOf(Promise)
})

test('jsonSchema() waits for an asynchronous schema', async () => {
  const scorer = jsonSchema(z.object({ a: z.number().refine(async (a) => a > 1) }))
  expect(await scorer({ outputs: '{"a":2}' })).toMatchObject({ value: 'yes' })
  expect(await scorer({ outputs: '{"a":1}' })).toMatchObject({ value: 'no', rationale: 'a: Invalid input' })
})

test('jsonSchema() takes any Standard Schema, with paths of keys and of segments', async () => {
  const schema: StandardSchema<string> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) =>
        typeof value === 'string' ? { value } : { issues: [{ message: 'no text', path: [{ key: 'a' }, 0, 'b'] }] },
    },
  }
  expect(await jsonSchema(schema)({ outputs: '"x"' })).toMatchObject({ value: 'yes' })
  expect(await jsonSchema(schema)({ outputs: '1' })).toMatchObject({ value: 'no', rationale: 'a[0].b: no text' })
})

test('jsonSchema() reads a JSON Schema given as plain data, and leaves it alone', async () => {
  const data: JsonSchemaData = Object.freeze({
    type: 'object',
    properties: Object.freeze({ a: Object.freeze({ type: 'integer' }) }),
    required: Object.freeze(['a']),
  })
  const scorer = jsonSchema(data)
  expect(await scorer({ outputs: '{"a":1}' })).toMatchObject({ value: 'yes' })
  expect(await scorer({ outputs: '{"a":1.5}' })).toMatchObject({
    value: 'no',
    rationale: expect.stringMatching(/^a: /),
  })
  expect(await scorer({ outputs: '{}' })).toMatchObject({ value: 'no' })
})

test('jsonSchema() gives an error for a JSON Schema that cannot be read, on every row', async () => {
  const scorer = jsonSchema({ type: 'nonsense' })
  for (const _ of [1, 2]) {
    expect(await scorer({ outputs: '{}' })).toMatchObject({
      error: { code: 'SCHEMA_INVALID', message: 'the JSON Schema cannot be read: Unsupported type: nonsense' },
    })
  }
})

test('jsonSchema() has a version for each schema, the same for equal ones and after use', async () => {
  const make = [
    () => z.object({ a: z.number() }),
    () => z.object({ a: z.string() }),
    () => z.object({ b: z.number() }),
    () => z.object({ a: z.number().min(3) }),
    () => z.object({ a: z.number().min(4) }),
    () => z.object({ a: z.number() }).refine((value) => value.a > 1),
    () => z.object({ a: z.number() }).refine((value) => value.a > 2),
    () => z.enum(['x', 'y']),
    () => z.enum(['x', 'z']),
    () => z.strictObject({ a: z.number() }),
    () => ({ type: 'object' }),
    () => ({ type: 'array' }),
  ]
  const versions = make.map((schema) => jsonSchema(schema()).version)
  expect(new Set(versions).size).toBe(make.length)
  expect(make.map((schema) => jsonSchema(schema()).version)).toEqual(versions)
  const used = make[3]?.() as z.ZodType
  used.safeParse({ a: 5 })
  expect(jsonSchema(used).version).toBe(versions[3])
})

test('jsonSchema() tells apart schemas that share their parts differently', () => {
  const [x, y] = [z.string(), z.number()]
  const one = jsonSchema(z.object({ a: x, b: y, c: x })).version
  expect(jsonSchema(z.object({ a: x, b: y, c: y })).version).not.toBe(one)
})

test('jsonSchema() takes a recursive schema', async () => {
  const node = z.object({
    name: z.string(),
    get children() {
      return z.array(node)
    },
  })
  const scorer = jsonSchema(node)
  expect(scorer.version).toBe(jsonSchema(node).version)
  expect(await scorer({ outputs: { name: 'a', children: [{ name: 'b', children: [] }] } })).toMatchObject({
    value: 'yes',
  })
})

test.each([undefined, null, 'object', [], 7])('jsonSchema() refuses %s for a schema', (schema) => {
  expect(() => jsonSchema(schema as any)).toThrow(/^Cannot make jsonSchema\(\): expected a schema, found /)
})
