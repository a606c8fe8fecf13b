import { expect, test } from 'vitest'
import type { LanguageModel } from '../../../src/model.ts'
import { languageModel } from '../../../src/models/language.ts'
import { thrownBy } from '../../data/evaluation.ts'
import { ask } from '../../data/model.ts'

/** A model as the SDK makes them. */
function sdkModel(result: (options: any) => unknown, specificationVersion = 'v2'): LanguageModel & { calls: any[] } {
  const calls: any[] = []
  return {
    specificationVersion,
    provider: 'anthropic.messages',
    modelId: 'claude-sonnet-4-5',
    calls,
    async doGenerate(options: any) {
      calls.push(options)
      return result(options)
    },
  }
}
const text = (value: string) => ({ type: 'text', text: value })

test('languageModel() asks as the specification wants it', async () => {
  const model = sdkModel(() => ({ content: [text('yes')], finishReason: 'stop', usage: {} }))
  await languageModel(model).generate({
    messages: [
      { role: 'system', content: 'Judge.' },
      { role: 'user', content: 'Is it?' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'c', name: 'look', arguments: '{"a":1}' }] },
      { role: 'tool', content: 'seen', toolCallId: 'c' },
    ],
    schema: { name: 'verdict', schema: { type: 'object' } },
    tools: [{ name: 'look', description: 'Looks', parameters: { type: 'object' } }],
    parameters: { temperature: 0, topP: 1, maxTokens: 9, seed: 3 },
  })
  const [{ abortSignal, ...options }] = model.calls
  expect(abortSignal).toBeInstanceOf(AbortSignal)
  expect(options).toEqual({
    prompt: [
      { role: 'system', content: 'Judge.' },
      { role: 'user', content: [text('Is it?')] },
      { role: 'assistant', content: [{ type: 'tool-call', toolCallId: 'c', toolName: 'look', input: { a: 1 } }] },
      {
        role: 'tool',
        content: [{ type: 'tool-result', toolCallId: 'c', toolName: 'look', output: { type: 'text', value: 'seen' } }],
      },
    ],
    temperature: 0,
    topP: 1,
    maxOutputTokens: 9,
    seed: 3,
    responseFormat: { type: 'json', schema: { type: 'object' }, name: 'verdict' },
    tools: [{ type: 'function', name: 'look', description: 'Looks', inputSchema: { type: 'object' } }],
    toolChoice: { type: 'auto' },
  })
})

test('languageModel() reads answers of version 2', async () => {
  const model = sdkModel(() => ({
    content: [
      { type: 'reasoning', text: 'hm' },
      text('{"a":'),
      text('1}'),
      { type: 'tool-call', toolCallId: 'c', toolName: 'look', input: '{}' },
    ],
    finishReason: 'tool-calls',
    usage: { inputTokens: 10, outputTokens: 5, totalTokens: 15, reasoningTokens: 2, cachedInputTokens: 4 },
    response: { modelId: 'claude-sonnet-4-5-20250929' },
  }))
  expect(await languageModel(model).generate(ask())).toEqual({
    text: '{"a":1}',
    finishReason: 'tool_calls',
    toolCalls: [{ id: 'c', name: 'look', arguments: '{}' }],
    usage: { inputTokens: 10, outputTokens: 5, cachedTokens: 4, reasoningTokens: 2 },
    model: 'claude-sonnet-4-5-20250929',
  })
})

test('languageModel() reads answers of version 3', async () => {
  const usage = { inputTokens: { total: 10, cacheRead: 4 }, outputTokens: { total: 5, reasoning: 2 } }
  const model = sdkModel(() => ({ content: [text('x')], finishReason: { unified: 'length', raw: 'max' }, usage }), 'v3')
  expect(await languageModel(model).generate(ask())).toMatchObject({
    finishReason: 'length',
    usage: { inputTokens: 10, outputTokens: 5, cachedTokens: 4, reasoningTokens: 2 },
    model: 'anthropic.messages:/claude-sonnet-4-5',
  })
})

test.each([
  ['content-filter', 'content_filter'],
  ['error', 'other'],
  ['unknown', 'other'],
])('languageModel() tells the end %s', async (finishReason, wanted) => {
  const model = sdkModel(() => ({ content: [text('x')], finishReason, usage: {} }))
  const answer = await languageModel(model).generate(ask())
  expect(answer.finishReason).toBe(wanted)
  expect(answer).not.toHaveProperty('usage')
})

test.each<[object, object]>([
  [
    { statusCode: 429, responseHeaders: { 'retry-after': '3' } },
    { code: 'RATE_LIMITED', retryAfterMs: 3_000, transient: true },
  ],
  [{ statusCode: 401 }, { code: 'AUTHENTICATION' }],
  [{ statusCode: 500 }, { code: 'TRANSPORT', transient: true }],
  [{ isRetryable: true }, { code: 'TRANSPORT', transient: true }],
  [{}, { code: 'MODEL_THREW', transient: false }],
])('languageModel() reports an error with %o by its code', async (properties, wanted) => {
  const model = sdkModel(() => {
    throw Object.assign(new Error('the SDK says'), properties)
  })
  expect(await thrownBy(languageModel(model).generate(ask()))).toMatchObject(wanted)
})

test('languageModel() refuses an answer without content', async () => {
  expect(await thrownBy(languageModel(sdkModel(() => ({ text: 'old' }))).generate(ask()))).toMatchObject({
    code: 'MALFORMED_RESPONSE',
  })
})
