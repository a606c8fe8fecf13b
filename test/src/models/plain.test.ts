import OpenAI from 'openai'
import { expect, test } from 'vitest'
import { clientModel, functionModel } from '../../../src/models/plain.ts'
import { endpoint } from '../../data/endpoint.ts'
import { thrownBy } from '../../data/evaluation.ts'
import { ask } from '../../data/model.ts'

test('functionModel() takes a function of messages', async () => {
  const model = functionModel(function shout([first]) {
    return first?.content.toUpperCase() ?? ''
  })
  expect(model.address).toBe('function:/shout')
  expect(await model.generate(ask('is it?'))).toEqual({
    text: 'IS IT?',
    finishReason: 'stop',
    toolCalls: [],
    model: 'function:/shout',
  })
})

test('functionModel() hands the request and a signal on', async () => {
  const seen: unknown[] = []
  const model = functionModel(async (_, { schema, parameters, signal }) => {
    seen.push(schema, parameters, signal instanceof AbortSignal)
    return 'x'
  })
  await model.generate({ ...ask(), schema: { name: 's', schema: {} }, parameters: { seed: 1 } })
  expect(seen).toEqual([{ name: 's', schema: {} }, { seed: 1 }, true])
})

test('functionModel() says that its answers cannot be kept: what a function calls cannot be seen', () => {
  expect(functionModel(() => 'a').opaque).toBe(true)
})

test.each<[string, () => unknown, object]>([
  [
    'throws',
    () => Promise.reject(new Error('broken')),
    { code: 'MODEL_THREW', message: 'Cannot ask function:/anonymous: broken' },
  ],
  [
    'throws at once',
    () => {
      throw new Error('broken')
    },
    { code: 'MODEL_THREW' },
  ],
  [
    'meets 429',
    () => Promise.reject({ status: 429, headers: { 'retry-after-ms': '20' } }),
    { code: 'RATE_LIMITED', retryAfterMs: 20 },
  ],
  ['gives no text', () => ({ text: 'x' }), { code: 'MALFORMED_RESPONSE' }],
  ['hangs', () => new Promise(() => {}), { code: 'TIMEOUT' }],
])('functionModel() reports a function that %s', async (_, fn, wanted) => {
  expect(await thrownBy(functionModel(fn as () => string).generate(ask(), { timeoutMs: 30 }))).toMatchObject(wanted)
})

test('clientModel() asks through a client of the user', async () => {
  await using server = await endpoint(() => 'fine')
  const client = new OpenAI({ baseURL: server.url, apiKey: 'sk-mine-12345678', maxRetries: 0 })
  const model = clientModel({ client, model: 'judge' })
  expect(model.identity).toEqual({ provider: 'client', baseURL: server.url, model: 'judge' })
  expect(await model.generate(ask())).toMatchObject({ text: 'fine', usage: { outputTokens: 2 } })
  expect(server.journal[0]?.headers.authorization).toBe('Bearer sk-mine-12345678')
})
