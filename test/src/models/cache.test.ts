import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { type ModelAnswer, ModelError, type ModelRequest } from '../../../src/model.ts'
import { ANSWERS_SCHEMA, AnswerCache, answerKey, type CacheLimits, cached } from '../../../src/models/cache.ts'
import { SharedFile } from '../../../src/models/file.ts'
import { folder, thrownBy } from '../../data/evaluation.ts'
import { ask, scripted } from '../../data/model.ts'

const cacheAt = (path: string | undefined, limits?: CacheLimits): AnswerCache =>
  new AnswerCache(new SharedFile(path, ANSWERS_SCHEMA), limits)
const file = (): string => join(folder(), 'answers.sqlite')

const full: Required<Omit<ModelRequest, 'accepts'>> = {
  messages: [
    { role: 'system', content: 'Judge.' },
    { role: 'user', content: 'Is it?' },
    { role: 'assistant', content: '', toolCalls: [{ id: 'c', name: 'look', arguments: '{}' }] },
    { role: 'tool', content: 'seen', toolCallId: 'c' },
  ],
  schema: { name: 'verdict', schema: { type: 'object' } },
  tools: [{ name: 'look', description: 'Looks', parameters: { type: 'object' } }],
  parameters: { temperature: 0, topP: 1, maxTokens: 5, seed: 1, reasoningEffort: 'low' },
  repeat: 0,
  judge: 'v1',
}
const identity = { provider: 'openai', baseURL: 'https://api.openai.com/v1', model: 'gpt-4.1-mini' }

const [system, user, wish, seen] = full.messages as [any, any, any, any]
const MUTATIONS: Record<string, [object, object]> = {
  provider: [{ provider: 'azure' }, {}],
  'base URL': [{ baseURL: 'https://other/v1' }, {}],
  model: [{ model: 'gpt-4.1' }, {}],
  'system message': [{}, { messages: [{ ...system, content: 'Judge!' }, user, wish, seen] }],
  'user message': [{}, { messages: [system, { ...user, content: 'Is it ?' }, wish, seen] }],
  role: [{}, { messages: [system, { ...user, role: 'assistant' }, wish, seen] }],
  'order of messages': [{}, { messages: [user, system, wish, seen] }],
  'tool call': [
    {},
    { messages: [system, user, { ...wish, toolCalls: [{ id: 'c', name: 'look', arguments: '{"a":1}' }] }, seen] },
  ],
  'tool answer': [{}, { messages: [system, user, wish, { ...seen, content: 'not seen' }] }],
  schema: [{}, { schema: { name: 'verdict', schema: { type: 'string' } } }],
  'name of the schema': [{}, { schema: { ...full.schema, name: 'other' } }],
  'description of a tool': [{}, { tools: [{ ...full.tools[0], description: 'Sees' }] }],
  'no tools': [{}, { tools: [] }],
  temperature: [{}, { parameters: { ...full.parameters, temperature: 1 } }],
  'top p': [{}, { parameters: { ...full.parameters, topP: 0.9 } }],
  'most tokens': [{}, { parameters: { ...full.parameters, maxTokens: 6 } }],
  seed: [{}, { parameters: { ...full.parameters, seed: 2 } }],
  'reasoning effort': [{}, { parameters: { ...full.parameters, reasoningEffort: 'high' } }],
  repeat: [{}, { repeat: 1 }],
  'version of the judge': [{}, { judge: 'v2' }],
}

test.each(Object.entries(MUTATIONS))('cached() misses when the %s changes', async (_, [other, change]) => {
  const cache = cacheAt(file())
  const model = scripted(undefined, identity)
  await cached(model, cache).generate(full)
  expect(await cached(model, cache).generate({ ...full })).toMatchObject({ text: 'answer 0', cached: true })
  const changed = scripted(() => ({ text: 'anew' }), { ...identity, ...other })
  expect(await cached(changed, cache).generate({ ...full, ...change })).not.toHaveProperty('cached')
  expect([model.asked.length, changed.asked.length]).toEqual([1, 1])
})

test('answerKey() does not depend on the order of keys, nor on what is not sent', () => {
  const { messages, parameters } = full
  const key = answerKey({ identity }, { messages, parameters })
  const turned = Object.fromEntries(Object.entries(parameters).reverse())
  expect(answerKey({ identity }, { parameters: turned, messages, accepts: () => true })).toBe(key)
  expect(key).toMatch(/^[0-9a-f]{64}$/)
})

test('cached() answers after a restart, from another connection, with usage and cost of the first time', async () => {
  const path = file()
  const usage = { inputTokens: 10, outputTokens: 2 }
  const first = cacheAt(path)
  await cached(
    scripted(() => ({ usage, cost: 0.5 })),
    first,
  ).generate(ask())
  first.flush()
  const model = scripted()
  expect(await cached(model, cacheAt(path)).generate(ask())).toEqual({
    text: 'answer 0',
    finishReason: 'stop',
    toolCalls: [],
    model: 'm',
    usage,
    cost: 0.5,
    cached: true,
  })
  expect(model.asked).toEqual([])
})

test.each<[string, Partial<ModelAnswer>]>([
  ['cut off', { finishReason: 'length' }],
  ['refused', { finishReason: 'refusal', refusal: 'no' }],
  ['filtered', { finishReason: 'content_filter' }],
  ['ended otherwise', { finishReason: 'other' }],
  ['empty', { text: '  \n' }],
  ['a wish for no tool', { finishReason: 'tool_calls', text: '' }],
])('cached() never keeps an answer that is %s', async (_, answer) => {
  const cache = cacheAt(file())
  const model = scripted(() => answer)
  for (let i = 0; i < 2; i++) expect(await cached(model, cache).generate(ask())).toMatchObject(answer)
  cache.flush()
  await cached(model, cache).generate(ask())
  expect(model.asked).toHaveLength(3)
})

test('cached() never keeps an error, nor what its asker cannot use', async () => {
  const cache = cacheAt(file())
  const model = scripted((_, nth) => {
    if (nth === 0) throw new ModelError('TRANSPORT', 'gone')
    return { text: `answer ${nth}` }
  })
  expect(await thrownBy(cached(model, cache).generate(ask()))).toMatchObject({ code: 'TRANSPORT' })
  const accepts = ({ text }: ModelAnswer) => text === 'answer 2'
  expect(await cached(model, cache).generate({ ...ask(), accepts })).toMatchObject({ text: 'answer 1' })
  expect(await cached(model, cache).generate({ ...ask(), accepts })).toMatchObject({ text: 'answer 2' })
  expect(await cached(model, cache).generate(ask())).toMatchObject({ text: 'answer 2', cached: true })
})

test('cached() makes one call of equal requests at the same time', async () => {
  const go = Promise.withResolvers<void>()
  const model = scripted(async () => {
    await go.promise
    return {}
  })
  const asking = cached(model, cacheAt(file()))
  const all = Promise.all(Array.from({ length: 50 }, () => asking.generate(ask())))
  const other = asking.generate(ask('Is that?'))
  go.resolve()
  const answers = await all
  await other
  expect(model.asked).toHaveLength(2)
  expect(answers.filter((answer) => answer.cached)).toHaveLength(49)
})

test('cached() does not let one abort, error or refusal stand for the others that asked the same', async () => {
  const model = scripted(async (_, nth, { signal }) => {
    if (nth > 0) return { text: 'fine' }
    await new Promise((resolve) => signal?.addEventListener('abort', resolve))
    throw new ModelError('ABORTED', 'stopped')
  })
  const asking = cached(model, cacheAt(file()))
  const stop = new AbortController()
  const first = asking.generate(ask(), { signal: stop.signal })
  const second = asking.generate(ask())
  stop.abort()
  expect(await thrownBy(first)).toMatchObject({ code: 'ABORTED' })
  expect(await second).toMatchObject({ text: 'fine' })
})

test('cached() keeps within its size, and throws away what was not used for longest', async () => {
  const path = file()
  const cache = cacheAt(path, { maxSize: 10_000 })
  const model = cached(
    scripted((_, nth) => ({ text: `${nth} ${'x'.repeat(400)}` })),
    cache,
  )
  for (let i = 0; i < 40; i++) {
    await model.generate(ask(`${i}`))
    cache.flush()
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  // Another process looks at the size when it first writes.
  const other = cacheAt(path, { maxSize: 10_000 })
  other.set('z', { text: 'z', finishReason: 'stop', toolCalls: [], model: 'm' })
  other.flush()
  const has = async (i: number) => (await cached(scripted(), other).generate(ask(`${i}`))).cached === true
  expect(await has(39)).toBe(true)
  expect(await has(0)).toBe(false)
  const size = new SharedFile(path, '').get<{ size: number }>('SELECT total(size) AS size FROM answers')?.size
  expect(size).toBeLessThan(10_000)
})

test('cached() forgets what is too old', async () => {
  const path = file()
  const cache = cacheAt(path)
  await cached(scripted(), cache).generate(ask())
  cache.flush()
  const model = scripted()
  await new Promise((resolve) => setTimeout(resolve, 5))
  await cached(model, cacheAt(path, { maxAgeMs: 1 })).generate(ask())
  expect(model.asked).toHaveLength(1)
})

test('cached() starts over with a file that is no database, and works without any', async () => {
  const path = file()
  writeFileSync(path, 'not a database '.repeat(1_000))
  const cache = cacheAt(path)
  await cached(scripted(), cache).generate(ask())
  cache.flush()
  expect(await cached(scripted(), cacheAt(path)).generate(ask())).toMatchObject({ cached: true })
  const said = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const nowhere = cacheAt(join(path, 'below', 'answers.sqlite'))
  const model = scripted()
  for (let i = 0; i < 2; i++) await cached(model, nowhere).generate(ask())
  nowhere.flush()
  expect(model.asked).toHaveLength(1)
  expect(said).toHaveBeenCalledOnce()
  expect(said.mock.calls[0]?.[0]).toContain('cannot be used, so this process keeps to itself')
})

test('cached() shares a file with other processes that write at the same time', async () => {
  const path = file()
  const writers = Array.from({ length: 4 }, (_, i) =>
    fork(new URL('../../data/writer.ts', import.meta.url), [path, String(i)], { stdio: 'inherit' }),
  )
  const codes = await Promise.all(writers.map(async (writer) => (await once(writer, 'exit'))[0]))
  expect(codes).toEqual([0, 0, 0, 0])
  const model = scripted()
  const cache = cacheAt(path)
  for (let i = 0; i < 400; i++) expect(await cached(model, cache).generate(ask(`${i}`))).toMatchObject({ cached: true })
})
