import { expect, test } from 'vitest'
import { toolCallsOf } from '../../src/calls.ts'
import type { Span } from '../../src/span.ts'

const span = (more: Partial<Span>): Span => ({
  id: '00f067aa0ba902b7',
  name: 'step',
  type: 'LLM',
  startTimeNs: 0n,
  status: 'OK',
  attributes: {},
  events: [],
  ...more,
})
const call = { name: 'weather', arguments: { city: 'Paris' } }
const JSON_ARGUMENTS = '{"city":"Paris"}'

test.each<[string, unknown]>([
  [
    'OpenAI chat',
    {
      choices: [{ message: { tool_calls: [{ id: 'c1', function: { name: 'weather', arguments: JSON_ARGUMENTS } }] } }],
    },
  ],
  [
    'OpenAI responses',
    {
      output: [
        { type: 'message' },
        { type: 'function_call', name: 'weather', arguments: JSON_ARGUMENTS, call_id: 'c1' },
      ],
    },
  ],
  [
    'Anthropic',
    {
      content: [
        { type: 'text', text: 'so' },
        { type: 'tool_use', id: 'c1', name: 'weather', input: { city: 'Paris' } },
      ],
    },
  ],
  [
    'GenAI',
    [{ role: 'assistant', parts: [{ type: 'tool_call', id: 'c1', name: 'weather', arguments: { city: 'Paris' } }] }],
  ],
  ['AI SDK', { text: '', toolCalls: [{ toolCallId: 'c1', toolName: 'weather', input: { city: 'Paris' } }] }],
  [
    'LangChain',
    { generations: [[{ message: { tool_calls: [{ name: 'weather', args: { city: 'Paris' }, id: 'c1' }] } }]] },
  ],
])('toolCallsOf() reads what a model of %s asked for', (_, outputs) => {
  expect(toolCallsOf(span({ outputs }))).toEqual([{ ...call, id: 'c1', spanId: '00f067aa0ba902b7' }])
})

test('toolCallsOf() reads Gemini, which gives no ids', () => {
  const outputs = {
    candidates: [{ content: { parts: [{ functionCall: { name: 'weather', args: { city: 'Paris' } } }] } }],
  }
  expect(toolCallsOf(span({ outputs }))).toEqual([{ ...call, spanId: '00f067aa0ba902b7' }])
})

test.each<[string, Span['attributes']]>([
  [
    'OpenInference',
    {
      'output.value': 'free text',
      'llm.output_messages.0.message.tool_calls.0.tool_call.function.name': 'weather',
      'llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments': JSON_ARGUMENTS,
    },
  ],
  [
    'AI SDK',
    { 'ai.response.text': 'so', 'ai.response.toolCalls': `[{"toolName":"weather","args":${JSON_ARGUMENTS}}]` },
  ],
  [
    'GenAI by number',
    {
      'gen_ai.completion.0.tool_calls.0.name': 'weather',
      'gen_ai.completion.0.tool_calls.0.arguments': JSON_ARGUMENTS,
    },
  ],
])('toolCallsOf() finds calls in the attributes of %s', (_, attributes) => {
  expect(toolCallsOf(span({ attributes }))).toEqual([{ ...call, spanId: '00f067aa0ba902b7' }])
})

test('toolCallsOf() takes a TOOL span for the call that it is, with its result', () => {
  const attributes = {
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.name': 'weather',
    'gen_ai.tool.call.id': 'c1',
    'gen_ai.tool.call.arguments': JSON_ARGUMENTS,
    'gen_ai.tool.call.result': '{"t":21.5}',
  }
  expect(toolCallsOf(span({ type: 'UNKNOWN', attributes }))).toEqual([
    { ...call, id: 'c1', result: { t: 21.5 }, spanId: '00f067aa0ba902b7' },
  ])
  expect(toolCallsOf(span({ type: 'TOOL', name: 'execute_tool weather' }))).toEqual([
    { name: 'weather', spanId: '00f067aa0ba902b7' },
  ])
})

test('toolCallsOf() takes no answer for a call, whatever its fields are called', () => {
  const outputs = { content: JSON.stringify({ toolName: 'weather' }), name: 'Ann', arguments: 'none' }
  expect(toolCallsOf(span({ outputs }))).toEqual([])
  expect(toolCallsOf(span({ outputs: { content: [{ type: 'tool-result', toolName: 'weather' }] } }))).toEqual([])
})
