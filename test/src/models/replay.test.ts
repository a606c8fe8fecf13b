import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ModelError } from '../../../src/model.ts'
import { replay } from '../../../src/models/replay.ts'
import { folder, thrownBy } from '../../data/evaluation.ts'
import { ask, scripted } from '../../data/model.ts'

const file = (): string => join(folder(), 'answers', 'judge.jsonl')

/** Records some answers into a file of its own, as another process would have. */
async function recorded(contents: readonly string[]): Promise<string> {
  const path = file()
  const model = replay(path, { record: scripted((request) => ({ text: `re ${request.messages[0]?.content}` })) })
  for (const content of contents) await model.generate(ask(content))
  const copy = file()
  replay(copy, { record: scripted() }) // Its folder is made only when something is recorded.
  const text = readFileSync(path, 'utf8')
  const fresh = join(folder(), 'judge.jsonl')
  writeFileSync(fresh, text)
  return fresh
}

test('replay() answers from what was recorded, and asks nobody', async () => {
  const path = await recorded(['a', 'b'])
  const model = replay(path)
  model.requireReady()
  expect(await model.generate(ask('b'))).toEqual({
    text: 're b',
    finishReason: 'stop',
    toolCalls: [],
    model: 'm',
    cached: true,
  })
  expect(await model.generate(ask('a'))).toMatchObject({ text: 're a' })
})

test('replay() with a model asks for what is not there, and adds it', async () => {
  const path = await recorded(['a'])
  const inner = scripted()
  const model = replay(path, { record: inner })
  expect(await model.generate(ask('a'))).toMatchObject({ text: 're a', cached: true })
  expect(await model.generate(ask('c'))).toMatchObject({ text: 'answer 0' })
  expect(await model.generate(ask('c'))).toMatchObject({ text: 'answer 0', cached: true })
  expect(inner.asked).toHaveLength(1)
  expect(readFileSync(path, 'utf8').trim().split('\n')).toHaveLength(2)
})

test('replay() refreshes: everything is asked, and the new answer takes the place of the old one', async () => {
  const path = await recorded(['a'])
  const model = replay(path, { record: scripted(() => ({ text: 'new' })), mode: 'refresh' })
  expect(await model.generate(ask('a'))).toMatchObject({ text: 'new' })
  expect(await replay(path).generate(ask('a'))).toMatchObject({ text: 'new' })
})

test('replay() needs a key only where something has to be asked', async () => {
  const keyless = {
    ...scripted(),
    requireReady: () => {
      throw new Error('no key')
    },
  }
  const path = await recorded(['a'])
  expect(() => replay(file(), { record: keyless }).requireReady()).toThrow('no key')
  expect(() => replay(path, { record: keyless, mode: 'refresh' }).requireReady()).toThrow('no key')
  expect(() => replay(path, { record: keyless }).requireReady()).not.toThrow()
})

test("replay() never passes one model's answer off as another's", async () => {
  const path = file()
  await replay(path, { record: scripted(() => ({ text: 'of m' })) }).generate(ask('a'))
  const other = { ...scripted(() => ({ text: 'of n' })), address: 'test:/n' }
  const error = await thrownBy(replay(path, { record: other, mode: 'replay' }).generate(ask('a')))
  expect(error).toMatchObject({ code: 'NOT_RECORDED' })
  expect(error.message).toContain('does not have the answer to this request; it has that of test:/m')
  expect(await replay(path, { record: other }).generate(ask('a'))).toMatchObject({ text: 'of n' })
  expect(await replay(path, { record: scripted() }).generate(ask('a'))).toMatchObject({ text: 'of m', cached: true })
})

test('replay() tells requests apart by everything that is sent, and by the repeat', async () => {
  const path = file()
  const inner = scripted()
  const model = replay(path, { record: inner })
  const variants = [
    ask(),
    { ...ask(), parameters: { temperature: 0 } },
    { ...ask(), parameters: { temperature: 1 } },
    { ...ask(), schema: { name: 's', schema: {} } },
    { ...ask(), tools: [{ name: 't', description: '', parameters: {} }] },
    { ...ask(), repeat: 1 },
  ]
  for (const request of variants) await model.generate(request)
  expect(inner.asked).toHaveLength(variants.length)
  // The judge's version is not sent, so it changes no answer.
  expect(await model.generate({ ...ask(), judge: 'v2', parameters: {} })).toMatchObject({
    text: 'answer 0',
    cached: true,
  })
})

test('replay() says what differs from the nearest recorded request', async () => {
  const path = await recorded(['Is the sky blue?', 'Something else'])
  const error = await thrownBy(replay(path).generate(ask('Is the sky green?')))
  expect(error).toBeInstanceOf(ModelError)
  expect(error.code).toBe('NOT_RECORDED')
  expect(error.message).toContain(`"${path}" does not have the answer to this request`)
  expect(error.message).toContain('the nearest differs at character 18 of its messages')
  expect(error.message).toContain('recorded "user: Is the sky blue?", asked "user: Is the sky green?"')
  const other = await thrownBy(replay(path).generate({ ...ask('Something else'), parameters: { temperature: 1 } }))
  expect(other.message).toContain('the nearest has other parameters: recorded none, asked {"temperature":1}')
})

test('replay() keeps whole lines of several writers, and goes on after one that was killed in the middle of a line', async () => {
  const path = await recorded(['a'])
  appendFileSync(path, '{"key":"torn')
  const model = replay(path, { record: scripted() })
  await Promise.all(Array.from({ length: 20 }, (_, i) => model.generate(ask(`${i} ${'x'.repeat(10_000)}`))))
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
  expect(lines).toHaveLength(22)
  expect(lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line).answer.text)).toHaveLength(21)
})

test.each<[string, string, string]>([
  ['what is not JSON', '{"key":', 'line 2 is not JSON'],
  ['other JSON', '{"hello":1}', 'line 2 is no recorded answer'],
  ['null', 'null', 'line 2 is no recorded answer'],
])('replay() refuses a file with %s', async (_, line, problem) => {
  const path = await recorded(['a'])
  appendFileSync(path, `${line}\n`)
  expect(() => replay(path).requireReady()).toThrow(`Cannot read "${path}" as recorded answers: ${problem}`)
  expect(await thrownBy(replay(path).generate(ask('a')))).toMatchObject({ code: 'SOURCE_MALFORMED' })
})

test('replay() of a file that is not there says how to make it', () => {
  const path = join(folder(), 'none.jsonl')
  expect(() => replay(path).requireReady()).toThrow(
    `Cannot replay "${path}": there is no such file\nHint: record it first`,
  )
  expect(() => replay(path, { record: scripted() }).requireReady()).not.toThrow()
})

test('replay() refuses modes that are none, or have nobody to ask', () => {
  expect(() => replay('a', { mode: 'auto' as never })).toThrow('"mode" must be replay, record, refresh, found "auto"')
  expect(() => replay('a', { mode: 'record' })).toThrow('the mode "record" needs a model to ask')
  expect(() => replay('')).toThrow(TypeError)
})
