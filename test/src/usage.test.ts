import { expect, test } from 'vitest'
import type { Span } from '../../src/span.ts'
import { usageOf, usageTotals } from '../../src/usage.ts'

const span = (id: string, parentId: string | undefined, attributes: Span['attributes']): Span => ({
  id,
  ...(parentId !== undefined && { parentId }),
  name: id,
  type: 'LLM',
  startTimeNs: 0n,
  status: 'OK',
  attributes,
  events: [],
})

test.each<[string, Span['attributes'], unknown]>([
  [
    'GenAI',
    {
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'gpt-4o',
      'gen_ai.response.model': 'gpt-4o-2024',
      'gen_ai.usage.input_tokens': 10,
      'gen_ai.usage.output_tokens': 5,
      'gen_ai.usage.cache_read.input_tokens': 3,
    },
    { provider: 'openai', model: 'gpt-4o-2024', inputTokens: 10, outputTokens: 5, totalTokens: 15, cachedTokens: 3 },
  ],
  [
    'MLflow',
    {
      'mlflow.chat.tokenUsage': '{"input_tokens": 1, "output_tokens": 2, "total_tokens": 4}',
      'mlflow.llm.model': '"m"',
      'mlflow.llm.cost': { input_cost: 0.1, total_cost: 0.25 },
    },
    { model: 'm', inputTokens: 1, outputTokens: 2, totalTokens: 4, cost: 0.25 },
  ],
  [
    'OpenInference',
    {
      'llm.model_name': 'm',
      'llm.token_count.prompt': 7,
      'llm.token_count.completion_details.reasoning': 2,
      'llm.cost.total': 0.5,
    },
    { model: 'm', inputTokens: 7, totalTokens: 7, reasoningTokens: 2, cost: 0.5 },
  ],
  [
    'AI SDK',
    { 'ai.model.id': 'm', 'ai.model.provider': 'p', 'ai.usage.promptTokens': 3, 'ai.usage.completionTokens': '4' },
    { model: 'm', provider: 'p', inputTokens: 3, outputTokens: 4, totalTokens: 7 },
  ],
  [
    'our own names',
    { model: 'm', inputTokens: 1, outputTokens: 0 },
    { model: 'm', inputTokens: 1, outputTokens: 0, totalTokens: 1 },
  ],
  ['figures that are none', { inputTokens: 'many', outputTokens: Number.NaN, model: 7 }, undefined],
  ['nothing', { 'http.method': 'GET' }, undefined],
])('usageOf() reads %s', (_, attributes, usage) => {
  expect(usageOf({ attributes })).toEqual(usage)
})

test('usageTotals() counts what an outer span sums up only once', () => {
  const spans = [
    span('agent', undefined, { 'ai.usage.inputTokens': 30, 'ai.usage.outputTokens': 9, cost: 1.5 }),
    span('step', 'agent', {}),
    span('call 1', 'step', { 'gen_ai.usage.input_tokens': 10, 'gen_ai.usage.output_tokens': 4 }),
    span('call 2', 'step', { 'gen_ai.usage.input_tokens': 20, 'gen_ai.usage.output_tokens': 5 }),
  ]
  expect(usageTotals(spans)).toEqual({ inputTokens: 30, outputTokens: 9, totalTokens: 39, cost: 1.5 })
})

test('usageTotals() ends where parents form a cycle, and counts nothing where nothing is stated', () => {
  expect(usageTotals([span('a', 'b', {}), span('b', 'a', {}), span('c', 'a', { inputTokens: 1 })])).toEqual({
    inputTokens: 1,
    totalTokens: 1,
  })
  expect(usageTotals([span('a', undefined, {})])).toEqual({})
})
