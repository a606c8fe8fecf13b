import { Factuality, init, Levenshtein, NumericDiff } from 'autoevals'
import OpenAI from 'openai'
import { expect, test } from 'vitest'
import { fromAutoevals, Safety } from '../../../src/judges/index.ts'
import { memory } from '../../../src/stores/memory.ts'
import { evaluate } from '../../../src/workspace.ts'
import { endpoint } from '../../data/endpoint.ts'

const rows = [
  { inputs: 'Capital of France?', outputs: 'Paris', expectations: { expected_response: 'Paris' } },
  { inputs: 'Capital of Italy?', outputs: 'Roma', expectations: { expected_response: 'Rome' } },
]

test('scorers of autoevals work as they are, in a run', async () => {
  const run = await evaluate(rows, [fromAutoevals(Levenshtein)], { store: memory() })
  expect(run.columns.Levenshtein).toMatchObject({ kind: 'number', scored: 2, errors: 0 })
  const values = await Array.fromAsync(run.rows(), ({ feedback }) => feedback.Levenshtein?.value)
  expect(values).toEqual([1, 0.75])
})

test('a scorer of autoevals that asks a model asks it over its own client', async () => {
  await using server = await endpoint(() => ({
    text: null,
    toolCalls: [{ name: 'select_choice', arguments: '{"reasons": "the same city", "choice": "C"}' }],
  }))
  init({ client: new OpenAI({ baseURL: server.url, apiKey: 'test' }) as never })
  const factual = fromAutoevals(Factuality, { name: 'factual', args: { model: 'gpt-4.1-mini', useCoT: true } })
  const given = await factual(rows[0] as never)
  expect(given).toMatchObject({ value: 1, rationale: 'the same city', metadata: { choice: 'C' } })
  expect(server.journal[0]?.body.model).toBe('gpt-4.1-mini')
  expect(JSON.stringify(server.journal[0]?.body.messages)).toContain('Capital of France?')
})

test('fromAutoevals() picks what is compared, and tells nothing, errors and nonsense apart', async () => {
  const difference = fromAutoevals(NumericDiff as never, { output: (outputs) => outputs.sum, expectation: 'sum' })
  expect(await difference({ outputs: { sum: 4 }, expectations: { sum: 4 } } as never)).toMatchObject({ value: 1 })
  const like = (given: unknown) => fromAutoevals(async () => given as never, { name: 'x' })({} as never)
  expect(await like({ name: 'x', score: null })).toMatchObject({ value: null })
  expect(await like({ name: 'x', score: 0, error: 'broken' })).toMatchObject({ error: 'broken' })
  expect(await like({ name: 'x', score: 1, metadata: { a: 1, b: { c: 2 }, rationale: 'r' } })).toMatchObject({
    value: 1,
    rationale: 'r',
    metadata: { a: 1 },
  })
  await expect(like(1)).rejects.toThrow('expected { name, score, metadata }, found 1')
  expect(() => fromAutoevals({} as never)).toThrow('expected a scorer of autoevals, found an empty object')
})

test('evaluate() says what to do with a scorer of autoevals, and with a judge that was not called', async () => {
  await expect(evaluate(rows, [Levenshtein as never], { store: memory() })).rejects.toThrow(
    "scorer 1 of 1 is the plain function Levenshtein\nHint: wrap it, fromAutoevals(Levenshtein), imported from 'vitest-evaluate/judges'",
  )
  await expect(evaluate(rows, [Safety as never], { store: memory() })).rejects.toThrow(
    'scorer 1 of 1 is the plain function Safety\nHint: call it, Safety()',
  )
})
