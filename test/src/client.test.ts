import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { traceOpenAI } from '../../src/client.ts'
import { TraceRecorder } from '../../src/recorder.ts'
import { nextTurn } from '../../src/std/async.ts'
import { decodeSpans, type Span } from '../../src/trace.ts'

const USAGE = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 }
const MESSAGE = { role: 'assistant', content: 'Hello there', refusal: null }
const COMPLETION = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'small-2026',
  choices: [{ index: 0, message: MESSAGE, finish_reason: 'stop', logprobs: null }],
  usage: USAGE,
}
const chunk = (delta: object, more: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'small-2026',
  choices: [{ index: 0, delta, finish_reason: null, ...more }],
})
const TOOL = { index: 0, id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":' } }
const CHUNKS = [
  chunk({ role: 'assistant', content: 'Hel' }),
  chunk({ content: 'lo' }),
  chunk({ tool_calls: [TOOL] }),
  chunk({ tool_calls: [{ index: 0, function: { arguments: '"Paris"}' } }] }, { finish_reason: 'tool_calls' }),
  { ...chunk({}), choices: [], usage: USAGE },
]
const RESPONSE = {
  id: 'resp_1',
  object: 'response',
  model: 'small-2026',
  status: 'completed',
  output: [
    { type: 'message', id: 'm', role: 'assistant', content: [{ type: 'output_text', text: 'Hi', annotations: [] }] },
  ],
  usage: {
    input_tokens: 3,
    output_tokens: 2,
    total_tokens: 5,
    input_tokens_details: { cached_tokens: 1 },
    output_tokens_details: { reasoning_tokens: 2 },
  },
}
const EVENTS = [
  { type: 'response.created', sequence_number: 0, response: { ...RESPONSE, output: [], status: 'in_progress' } },
  {
    type: 'response.output_text.delta',
    sequence_number: 1,
    item_id: 'm',
    output_index: 0,
    content_index: 0,
    delta: 'Hi',
  },
  { type: 'response.completed', sequence_number: 2, response: RESPONSE },
]

/** Speaks as much of the protocol as the client needs; what it answers goes by the model's name. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = ''
  for await (const part of request) text += part
  const body = JSON.parse(text)
  if (body.model === 'broken') {
    response.writeHead(400, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ error: { message: 'no such model', type: 'invalid_request_error' } }))
    return
  }
  if (body.stream) {
    const events: readonly object[] = request.url === '/v1/responses' ? EVENTS : CHUNKS
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const event of events) response.write(`data: ${JSON.stringify(event)}\n\n`)
    response.end('data: [DONE]\n\n')
    return
  }
  const embeddings = { object: 'list', model: 'vectors', usage: { prompt_tokens: 4, total_tokens: 4 } }
  const data = [{ object: 'embedding', index: 0, embedding: [0.5, 0.25, 0.125] }]
  const answers: Record<string, object> = {
    '/v1/chat/completions': COMPLETION,
    '/v1/responses': RESPONSE,
    '/v1/embeddings': { ...embeddings, data },
  }
  response.writeHead(200, { 'content-type': 'application/json', 'x-request-id': 'req_1' })
  response.end(JSON.stringify(answers[request.url as string]))
}

const server = createServer((request, response) => void answer(request, response))
let plain: OpenAI
let client: OpenAI

beforeAll(async () => {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  plain = new OpenAI({ apiKey: 'none', baseURL: `http://127.0.0.1:${port}/v1`, maxRetries: 0 })
  client = traceOpenAI(plain)
})
afterAll(() => new Promise((closed) => server.close(closed)))

async function recorded<T>(fn: () => Promise<T>): Promise<{ result: T; spans: Span[] }> {
  const recorder = new TraceRecorder()
  const result = await recorder.run(fn)
  if (recorder.waits) await nextTurn()
  const { spans } = recorder.finish(1)
  return { result, spans: spans === '' ? [] : decodeSpans(spans) }
}

const messages = [{ role: 'user', content: 'Hi' }] as const

test('traceOpenAI() records a chat completion with inputs, outputs, model and tokens, and changes nothing of it', async () => {
  const body = { model: 'small', messages: [...messages], temperature: 0 }
  const { result, spans } = await recorded(async () => client.chat.completions.create(body))
  expect(result).toEqual(await plain.chat.completions.create(body))
  expect(result._request_id).toBe('req_1')
  expect(spans).toMatchObject([
    {
      name: 'chat small',
      type: 'CHAT_MODEL',
      status: 'OK',
      inputs: body,
      outputs: COMPLETION,
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': 'small',
        'gen_ai.response.model': 'small-2026',
        'gen_ai.response.id': 'chatcmpl-1',
        'gen_ai.usage.input_tokens': 7,
        'gen_ai.usage.output_tokens': 5,
      },
    },
  ])
})

test('traceOpenAI() records a streamed completion put together, and hands every chunk on', async () => {
  const { result, spans } = await recorded(async () => {
    const stream = await client.chat.completions.create({
      model: 'small',
      messages: [...messages],
      stream: true,
      stream_options: { include_usage: true },
    })
    return Array.fromAsync(stream)
  })
  expect(result).toEqual(CHUNKS)
  const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Paris"}' } }
  expect(spans).toMatchObject([
    {
      status: 'OK',
      outputs: {
        model: 'small-2026',
        choices: [
          {
            index: 0,
            finish_reason: 'tool_calls',
            message: { role: 'assistant', content: 'Hello', tool_calls: [call] },
          },
        ],
      },
      attributes: { 'gen_ai.usage.input_tokens': 7, 'gen_ai.usage.output_tokens': 5 },
    },
  ])
})

test('traceOpenAI() records what a stream gave before it was left, and both branches of a tee get everything', async () => {
  const open = () => client.chat.completions.create({ model: 'small', messages: [...messages], stream: true })
  const left = await recorded(async () => {
    for await (const part of await open()) if (part.choices[0]?.delta.content === 'lo') break
  })
  expect(left.spans).toMatchObject([{ status: 'OK', outputs: { choices: [{ message: { content: 'Hello' } }] } }])

  const teed = await recorded(async () => {
    const [a, b] = (await open()).tee()
    return [await Array.fromAsync(a), await Array.fromAsync(b)]
  })
  expect(teed.result).toEqual([CHUNKS, CHUNKS])
  expect(teed.spans).toMatchObject([{ status: 'OK' }])
})

test('traceOpenAI() passes errors on as they are, and records them', async () => {
  const call = () => client.chat.completions.create({ model: 'broken', messages: [...messages] })
  const { result, spans } = await recorded(() => call().then(undefined, (thrown: unknown) => thrown))
  expect(result).toBeInstanceOf(OpenAI.BadRequestError)
  expect(spans).toMatchObject([
    { status: 'ERROR', statusMessage: expect.stringContaining('no such model'), events: [{ name: 'exception' }] },
  ])
})

test('traceOpenAI() leaves the raw response to whoever asks for it', async () => {
  const body = { model: 'small', messages: [...messages] }
  const { result, spans } = await recorded(async () => {
    const raw = await client.chat.completions.create(body).asResponse()
    const { data, request_id } = await client.chat.completions.create(body).withResponse()
    return { raw: await raw.json(), data, request_id }
  })
  expect(result.raw).toEqual(COMPLETION)
  expect(result.data.choices[0]?.message.content).toBe('Hello there')
  expect(result.request_id).toBe('req_1')
  expect(spans.map((one) => [one.name, 'endTimeNs' in one])).toEqual([
    ['chat small', false],
    ['chat small', true],
  ])
})

test('traceOpenAI() records responses, streamed ones too', async () => {
  const once = await recorded(async () => client.responses.create({ model: 'small', input: 'Hi' }))
  expect(once.result.output_text).toBe('Hi')
  const attributes = {
    'gen_ai.usage.input_tokens': 3,
    'gen_ai.usage.output_tokens': 2,
    'gen_ai.usage.cache_read.input_tokens': 1,
    'gen_ai.usage.reasoning.output_tokens': 2,
  }
  expect(once.spans).toMatchObject([{ type: 'CHAT_MODEL', outputs: { id: 'resp_1' }, attributes }])

  const streamed = await recorded(async () => {
    return Array.fromAsync(await client.responses.create({ model: 'small', input: 'Hi', stream: true }))
  })
  expect(streamed.result).toHaveLength(3)
  expect(streamed.spans).toMatchObject([{ outputs: { id: 'resp_1', status: 'completed' }, attributes }])
})

test('traceOpenAI() keeps the sizes of embeddings, not the vectors', async () => {
  const { result, spans } = await recorded(async () => {
    return client.embeddings.create({ model: 'vectors', input: 'a', encoding_format: 'float' })
  })
  expect(result.data[0]?.embedding).toEqual([0.5, 0.25, 0.125])
  expect(spans).toMatchObject([
    {
      name: 'embeddings vectors',
      type: 'EMBEDDING',
      outputs: { data: [{ index: 0, dimensions: 3 }] },
      attributes: { 'gen_ai.usage.input_tokens': 4 },
    },
  ])
  expect(JSON.stringify(spans[0]?.outputs)).not.toContain('0.125')
})

test('traceOpenAI() records the calls that the helpers of the client are made of, once each', async () => {
  const body = { model: 'small', messages: [...messages] }
  const { result, spans } = await recorded(async () => {
    const parsed = await client.chat.completions.parse(body)
    const streamed = await client.chat.completions.stream(body).finalMessage()
    return [parsed.choices[0]?.message.content, streamed.content]
  })
  expect(result).toEqual(['Hello there', 'Hello'])
  expect(spans.map(({ name, status }) => [name, status])).toEqual([
    ['chat small', 'OK'],
    ['chat small', 'OK'],
  ])
})

test('traceOpenAI() gives a client that is the same for everything else, and records nothing outside a row', async () => {
  expect(client).toBeInstanceOf(OpenAI)
  expect(client.chat.completions).toBe(client.chat.completions)
  expect(client.baseURL).toBe(plain.baseURL)
  expect(client.buildURL('/x', null)).toBe(plain.buildURL('/x', null))
  const body = { model: 'small', messages: [...messages] }
  expect(await client.chat.completions.create(body)).toEqual(COMPLETION)
  const { spans } = await recorded(async () => client.withOptions({ timeout: 9_000 }).chat.completions.create(body))
  expect(spans).toHaveLength(1)
})

test('traceOpenAI() records a client that only looks like one', async () => {
  const fake = traceOpenAI({
    chat: { completions: { create: async (body: { model: string }) => ({ model: body.model, choices: [] }) } },
  })
  const { result, spans } = await recorded(() => fake.chat.completions.create({ model: 'm' }))
  expect(result).toEqual({ model: 'm', choices: [] })
  expect(spans).toMatchObject([{ name: 'chat m', outputs: { choices: [] } }])
  const throws = traceOpenAI({ embeddings: { create: (): never => raise(new RangeError('at once')) } })
  const failed = await recorded(async () => {
    expect(() => throws.embeddings.create()).toThrow('at once')
  })
  expect(failed.spans).toMatchObject([{ name: 'embeddings', status: 'ERROR', statusMessage: 'at once' }])
})

function raise(error: Error): never {
  throw error
}

test('traceOpenAI() refuses what is no client', () => {
  for (const no of [undefined, null, 'key', {}, OpenAI]) {
    expect(() => traceOpenAI(no as unknown as object)).toThrow(
      /^Cannot trace the client: expected one of the openai package/,
    )
  }
})
