import { expect, test } from 'vitest'
import { normaliseSpan, sessionOf, typeOf, userOf } from '../../src/conventions.ts'
import type { Span } from '../../src/span.ts'

const span = (attributes: Span['attributes'], more: Partial<Span> = {}): Span => ({
  id: '00f067aa0ba902b7',
  name: 'step',
  type: 'UNKNOWN',
  startTimeNs: 1n,
  status: 'OK',
  attributes,
  events: [],
  ...more,
})
const event = (name: string, attributes: Span['attributes']) => ({ name, timeNs: 1n, attributes })

test.each<[string, Span['attributes'], string | undefined]>([
  ['MLflow', { 'mlflow.spanType': '"AGENT"' }, 'AGENT'],
  ['MLflow, sent by OTLP', { 'mlflow.spanType': 'MY_STEP' }, 'MY_STEP'],
  ['OpenInference', { 'openinference.span.kind': 'RETRIEVER' }, 'RETRIEVER'],
  ['GenAI', { 'gen_ai.operation.name': 'chat' }, 'CHAT_MODEL'],
  ['GenAI tool', { 'gen_ai.operation.name': 'execute_tool' }, 'TOOL'],
  ['AI SDK', { 'ai.operationId': 'ai.generateText.doGenerate' }, 'LLM'],
  ['AI SDK embedding', { 'ai.operationId': 'ai.embed.doEmbed' }, 'EMBEDDING'],
  ['Traceloop', { 'traceloop.span.kind': 'workflow' }, 'WORKFLOW'],
  ['Langfuse', { 'langfuse.observation.type': 'generation' }, 'LLM'],
  ['two conventions', { 'gen_ai.operation.name': 'novel', 'ai.operationId': 'ai.toolCall' }, 'TOOL'],
  ['no table, but a name of Object', { 'gen_ai.operation.name': 'constructor' }, undefined],
  ['none', { 'http.method': 'GET' }, undefined],
])('typeOf() reads %s', (_, attributes, type) => {
  expect(typeOf(attributes)).toBe(type)
})

test.each<[string, Span, unknown, unknown]>([
  ['MLflow', span({ 'mlflow.spanInputs': '{"q": "hi"}', 'mlflow.spanOutputs': '"yo"' }), { q: 'hi' }, 'yo'],
  [
    'OpenInference by mime type',
    span({ 'input.value': '{"q":1}', 'input.mime_type': 'application/json', 'output.value': '{"a":1}' }),
    { q: 1 },
    '{"a":1}',
  ],
  [
    'OpenInference messages',
    span({
      'llm.input_messages.1.message.role': 'user',
      'llm.input_messages.0.message.role': 'system',
      'llm.input_messages.0.message.content': 'Be kind',
      'llm.input_messages.1.message.contents.0.message_content.type': 'text',
      'llm.output_messages.0.message.tool_calls.0.tool_call.function.name': 'f',
    }),
    [
      { role: 'system', content: 'Be kind' },
      { role: 'user', contents: [{ type: 'text' }] },
    ],
    [{ tool_calls: [{ function: { name: 'f' } }] }],
  ],
  [
    'GenAI messages',
    span({ 'gen_ai.input.messages': '[{"role":"user"}]', 'gen_ai.output.messages': [{ role: 'assistant' }] }),
    [{ role: 'user' }],
    [{ role: 'assistant' }],
  ],
  [
    'GenAI prompts by number',
    span({ 'gen_ai.prompt.0.role': 'user', 'gen_ai.prompt.0.content': 'hi', 'gen_ai.completion.0.content': 'yo' }),
    [{ role: 'user', content: 'hi' }],
    [{ content: 'yo' }],
  ],
  [
    'GenAI events',
    span(
      {},
      {
        events: [
          event('gen_ai.system.message', { content: 'Be kind', 'gen_ai.system': 'openai' }),
          event('gen_ai.user.message', { content: 'hi' }),
          event('gen_ai.choice', { index: 0, message: '{"role":"assistant","content":"yo"}' }),
        ],
      },
    ),
    [
      { role: 'system', content: 'Be kind' },
      { role: 'user', content: 'hi' },
    ],
    [{ index: 0, message: { role: 'assistant', content: 'yo' } }],
  ],
  [
    'AI SDK text, which is never parsed',
    span({ 'ai.prompt': '{"prompt":"hi"}', 'ai.response.text': '{"not":"parsed"}' }),
    { prompt: 'hi' },
    '{"not":"parsed"}',
  ],
  [
    'AI SDK text with tool calls',
    span({ 'ai.response.text': 'so', 'ai.response.toolCalls': '[{"toolName":"f"}]' }),
    undefined,
    { text: 'so', toolCalls: [{ toolName: 'f' }] },
  ],
  ['AI SDK embeddings', span({ 'ai.values': ['"a"', '"b"'], 'ai.embeddings': ['[1]', '[2]'] }), ['a', 'b'], [[1], [2]]],
  ['what is stated itself', span({ 'input.value': 'no' }, { inputs: null, outputs: 0 }), null, 0],
  [
    'broken JSON',
    span({ 'mlflow.spanInputs': '{"q', 'output.value': '[', 'output.mime_type': 'application/json' }),
    '{"q',
    '[',
  ],
])('normaliseSpan() reads inputs and outputs of %s', (_, given, inputs, outputs) => {
  const normal = normaliseSpan(given)
  expect([normal.inputs, normal.outputs]).toEqual([inputs, outputs])
  expect(normal.attributes).toBe(given.attributes)
  expect(normaliseSpan(normal)).toEqual(normal)
})

test('normaliseSpan() gives the span itself where there is nothing to add', () => {
  const plain = span({ 'http.method': 'GET' }, { type: 'TOOL' })
  expect(normaliseSpan(plain)).toBe(plain)
})

test('normaliseSpan() takes no harm from hostile names', () => {
  const hostile = span({
    'llm.input_messages.__proto__.polluted': 'yes',
    'llm.input_messages.constructor.prototype.polluted': 'yes',
    [`gen_ai.prompt.${'x.'.repeat(100_000)}y`]: 1,
    'gen_ai.completion.999999999.content': 'far',
    'gen_ai.completion.0': 'a leaf',
    'gen_ai.completion.0.content': 'and a branch',
  })
  expect(normaliseSpan(hostile).outputs).toEqual([{ content: 'and a branch' }, { content: 'far' }])
  expect(({} as { polluted?: string }).polluted).toBeUndefined()
})

test('sessionOf() and userOf() read the names in use', () => {
  expect(sessionOf({ 'gen_ai.conversation.id': 's1' })).toBe('s1')
  expect(sessionOf({ 'mlflow.trace.session': '"s2"' })).toBe('s2')
  expect(userOf({ 'langfuse.user.id': 'u1' })).toBe('u1')
  expect(sessionOf({ 'session.id': '' })).toBeUndefined()
})
