import { expect, test, vi } from 'vitest'
import type { ModelRequest } from '../../../src/model.ts'
import { openai } from '../../../src/models/openai.ts'
import { type EndpointOptions, endpoint, type Reply, type Script } from '../../data/endpoint.ts'
import { thrownBy } from '../../data/evaluation.ts'

const messages = [{ role: 'user', content: 'Is it?' }] as const
const schema = { name: 'verdict', schema: { type: 'object', properties: { result: { type: 'string' } } } }
const KEY = 'sk-verysecret-0123456789'

async function served(script: Script | string | Reply, options?: EndpointOptions) {
  const server = await endpoint(typeof script === 'function' ? script : () => script, options)
  const ask = (request: Partial<ModelRequest> = {}, context = {}) =>
    openai({ model: 'judge', baseURL: server.url, apiKey: KEY }).generate({ messages, ...request }, context)
  return { server, ask, [Symbol.asyncDispose]: () => server.close() }
}

/** Warnings of the package, which are said once. */
function warnings() {
  return vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
}

test('openai() sends messages, schema, tools and parameters as the protocol has them, with its key and nothing else', async () => {
  await using it = await served('fine')
  vi.stubEnv('OPENAI_ORG_ID', 'org-of-the-environment')
  await it.ask({
    messages: [
      { role: 'system', content: 'Judge.' },
      { role: 'user', content: 'Is it?' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'c1', name: 'look', arguments: '{}' }] },
      { role: 'tool', content: 'seen', toolCallId: 'c1' },
    ],
    schema,
    tools: [{ name: 'look', description: 'Looks', parameters: { type: 'object' } }],
    parameters: { temperature: 0, topP: 0.5, maxTokens: 10, seed: 7, reasoningEffort: 'low' },
    judge: 'v1',
    repeat: 3,
  })
  vi.unstubAllEnvs()
  const { body, headers, path } = it.server.journal[0] as (typeof it.server.journal)[number]
  expect(path).toBe('/v1/chat/completions')
  expect(headers.authorization).toBe(`Bearer ${KEY}`)
  expect(headers['openai-organization']).toBeUndefined()
  expect(body).toEqual({
    model: 'judge',
    messages: [
      { role: 'system', content: 'Judge.' },
      { role: 'user', content: 'Is it?' },
      {
        role: 'assistant',
        content: '',
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'look', arguments: '{}' } }],
      },
      { role: 'tool', content: 'seen', tool_call_id: 'c1' },
    ],
    temperature: 0,
    top_p: 0.5,
    max_tokens: 10,
    seed: 7,
    reasoning_effort: 'low',
    response_format: { type: 'json_schema', json_schema: { name: 'verdict', schema: schema.schema, strict: true } },
    tools: [{ type: 'function', function: { name: 'look', description: 'Looks', parameters: { type: 'object' } } }],
  })
})

test('openai() gives text, usage with its details, and the model that answered', async () => {
  const usage = {
    prompt_tokens: 100,
    completion_tokens: 20,
    prompt_tokens_details: { cached_tokens: 60 },
    completion_tokens_details: { reasoning_tokens: 15 },
  }
  await using it = await served({ text: 'fine', usage, model: 'judge-2026-01-01' })
  expect(await it.ask()).toEqual({
    text: 'fine',
    finishReason: 'stop',
    toolCalls: [],
    usage: { inputTokens: 100, outputTokens: 20, cachedTokens: 60, reasoningTokens: 15 },
    model: 'judge-2026-01-01',
  })
})

test.each<[string, Reply, object]>([
  ['cut off', { text: '{"result":', finishReason: 'length' }, { finishReason: 'length', text: '{"result":' }],
  ['a refusal', { text: null, refusal: 'I will not' }, { finishReason: 'refusal', refusal: 'I will not', text: '' }],
  ['filtered', { text: '', finishReason: 'content_filter' }, { finishReason: 'content_filter' }],
  ['without a reason to end', { text: 'x', finishReason: null }, { finishReason: 'other' }],
  ['of an unknown reason', { text: 'x', finishReason: 'constructor' }, { finishReason: 'other' }],
  ['ended as others say it', { text: 'x', finishReason: 'end_turn' }, { finishReason: 'stop' }],
  [
    'a list of blocks',
    {
      content: [
        { type: 'reasoning', text: 'hm', summary: [{ text: 'no' }] },
        { type: 'text', text: '{"a":' },
        { type: 'text', text: '1}' },
      ],
    },
    { text: '{"a":1}', finishReason: 'stop' },
  ],
  [
    'a refusal among blocks',
    { content: [{ type: 'refusal', refusal: 'No' }] },
    { finishReason: 'refusal', refusal: 'No' },
  ],
  [
    'a wish for tools',
    { text: null, toolCalls: [{ id: 'c', name: 'look', arguments: '{"a":1}' }] },
    { finishReason: 'tool_calls', toolCalls: [{ id: 'c', name: 'look', arguments: '{"a":1}' }] },
  ],
])('openai() tells an answer that is %s', async (_, reply, wanted) => {
  await using it = await served(reply)
  expect(await it.ask()).toMatchObject(wanted)
})

test('openai() leaves usage out where the endpoint does not say it, or says nonsense', async () => {
  for (const usage of [
    null,
    { prompt_tokens: -1, completion_tokens: 1 },
    { prompt_tokens: '5', completion_tokens: 1 },
  ]) {
    await using it = await served({ text: 'x', usage })
    expect(await it.ask()).not.toHaveProperty('usage')
  }
})

test.each<[string, Reply, object]>([
  [
    'a wrong key',
    { status: 401, text: `Incorrect API key provided: ${KEY}` },
    { code: 'AUTHENTICATION', transient: false },
  ],
  ['a forbidden model', { status: 403, text: 'no' }, { code: 'AUTHENTICATION' }],
  ['an unknown model', { status: 404, text: 'no such model' }, { code: 'MODEL_NOT_FOUND' }],
  ['a bad request', { status: 400, text: 'bad' }, { code: 'REFUSED_REQUEST', transient: false }],
  [
    'too many calls',
    { status: 429, headers: { 'retry-after': '7' } },
    { code: 'RATE_LIMITED', transient: true, retryAfterMs: 7_000, status: 429 },
  ],
  ['a server fault', { status: 503 }, { code: 'TRANSPORT', transient: true }],
  ['a gateway fault in HTML', { status: 502, raw: '<html>Bad gateway</html>' }, { code: 'TRANSPORT' }],
  ['a closed connection', { fault: 'reset' }, { code: 'TRANSPORT', transient: true }],
  ['a body that breaks off', { text: 'x'.repeat(500), fault: 'cut' }, { code: 'TRANSPORT', transient: true }],
  ['half a JSON', { raw: '{"choices":[{"mess' }, { code: 'TRANSPORT', transient: true }],
  [
    'HTML with status 200',
    { raw: '<html></html>', headers: { 'content-type': 'text/html' } },
    { code: 'MALFORMED_RESPONSE' },
  ],
  ['no choices', { choices: false }, { code: 'MALFORMED_RESPONSE' }],
  ['JSON of something else', { raw: '{"hello":1}' }, { code: 'MALFORMED_RESPONSE' }],
  ['null', { raw: 'null' }, { code: 'MALFORMED_RESPONSE' }],
  ['an error with status 200', { raw: '{"error":{"code":429,"message":"slow down"}}' }, { code: 'RATE_LIMITED' }],
])('openai() reports %s by its code, and never its key', async (_, reply, wanted) => {
  await using it = await served(reply)
  const error = await thrownBy(it.ask())
  expect(error).toMatchObject({ name: 'ModelError', ...wanted })
  expect(`${error.stack}${JSON.stringify(error)}${error.cause}`).not.toContain(KEY)
  expect(it.server.journal).toHaveLength(1)
})

test('openai() reports a quota that is used up as nothing that waiting would mend', async () => {
  const raw = JSON.stringify({ error: { message: 'You exceeded your quota', code: 'insufficient_quota' } })
  await using it = await served({ status: 429, raw })
  expect(await thrownBy(it.ask())).toMatchObject({ code: 'RATE_LIMITED', transient: false })
})

test('openai() gives a filter of Azure that steps in before the model as a filtered answer', async () => {
  const raw = JSON.stringify({ error: { message: 'filtered', code: 'content_filter' } })
  await using it = await served({ status: 400, raw })
  expect(await it.ask()).toMatchObject({ finishReason: 'content_filter', text: '' })
})

test('openai() gives up after its time, and at once when it is told to', async () => {
  await using it = await served({ fault: 'stall' })
  const started = performance.now()
  expect(await thrownBy(it.ask({}, { timeoutMs: 50 }))).toMatchObject({ code: 'TIMEOUT', transient: true })
  const signal = AbortSignal.timeout(50)
  expect(await thrownBy(it.ask({}, { signal }))).toMatchObject({ code: 'ABORTED', transient: false })
  expect(await thrownBy(it.ask({}, { signal }))).toMatchObject({ code: 'ABORTED' })
  expect(performance.now() - started).toBeLessThan(2_000)
})

test('openai() reports an address where nobody listens', async () => {
  const server = await endpoint()
  await server.close()
  const model = openai({ model: 'judge', baseURL: server.url, apiKey: null })
  const error = await thrownBy(model.generate({ messages }))
  expect(error).toMatchObject({ code: 'TRANSPORT', transient: true })
  expect(error.message).toMatch(/^Cannot ask openai:\/judge: Connection error \(.*ECONNREFUSED.*\)\nHint: /)
  expect(error.message).toContain(`it was asked at ${server.url}`)
})

test('openai() asks without structured output where the endpoint has none, tells the schema in words, and remembers', async () => {
  const said = warnings()
  await using it = await served('{"result":"yes"}', { rejects: ['json_schema', 'json_object'] })
  const model = openai({ model: 'judge', baseURL: it.server.url, apiKey: null })
  const first = await model.generate({ messages, schema })
  expect(first.text).toBe('{"result":"yes"}')
  expect(it.server.journal.map(({ body }) => body.response_format?.type)).toEqual([
    'json_schema',
    'json_object',
    undefined,
  ])
  expect(it.server.journal[2]?.body.messages[0]).toEqual({
    role: 'system',
    content: expect.stringContaining('{"type":"object","properties":{"result":{"type":"string"}}}'),
  })
  await model.generate({ messages, schema })
  expect(it.server.journal).toHaveLength(4)
  expect(said.mock.calls.map(([text]) => text)).toEqual([
    'openai:/judge does not take response_format json_schema: it is asked without',
    'openai:/judge does not take response_format json_object: it is asked without',
  ])
})

test('openai() does not give structured output up for one schema that the endpoint does not like', async () => {
  const said = warnings()
  await using it = await served((body) =>
    body.response_format?.json_schema?.name === 'bad'
      ? { status: 400, text: "Invalid schema for response_format 'bad'" }
      : 'fine',
  )
  const model = openai({ model: 'judge', baseURL: it.server.url, apiKey: null })
  await model.generate({ messages, schema: { ...schema, name: 'bad' } })
  await model.generate({ messages, schema })
  expect(it.server.journal.map(({ body }) => body.response_format?.type)).toEqual([
    'json_schema',
    'json_object',
    'json_schema',
  ])
  expect(said).not.toHaveBeenCalled()
})

test('openai() leaves out parameters that the endpoint says it does not take, and says so once', async () => {
  const said = warnings()
  await using it = await served('fine', { rejects: ['temperature', 'seed', 'max_tokens'] })
  const model = openai({ model: 'judge', baseURL: it.server.url, apiKey: null })
  const parameters = { temperature: 0, seed: 1, topP: 0.9, maxTokens: 50 }
  await model.generate({ messages, parameters })
  await model.generate({ messages, parameters })
  expect(it.server.statuses()).toEqual({ 200: 2, 400: 3 })
  const { temperature, seed, max_tokens, ...sent }: Record<string, unknown> = it.server.journal.at(-1)?.body ?? {}
  expect([temperature, seed, max_tokens]).toEqual([undefined, undefined, undefined])
  expect(sent).toMatchObject({ top_p: 0.9, max_completion_tokens: 50 })
  expect(said.mock.calls.map(([text]) => text)).toEqual([
    'openai:/judge does not take temperature: it is asked without',
    'openai:/judge does not take seed: it is asked without',
  ])
})

test('openai() drops nothing where a 400 is about something else', async () => {
  await using it = await served({
    status: 400,
    text: 'The temperature of the debate is too high: maximum context length exceeded',
  })
  expect(await thrownBy(it.ask({ parameters: { temperature: 0 } }))).toMatchObject({ code: 'REFUSED_REQUEST' })
  expect(it.server.journal).toHaveLength(1)
})

test('openai() works where the globals are those of a browser', async () => {
  await using it = await served('fine')
  for (const name of ['window', 'document', 'navigator']) vi.stubGlobal(name, { userAgent: 'jsdom' })
  expect(await it.ask()).toMatchObject({ text: 'fine' })
  vi.unstubAllGlobals()
})

test('openai() sends headers and query of its own, and no key where there is none', async () => {
  await using server = await endpoint()
  const model = openai({
    model: 'm',
    baseURL: server.url,
    apiKey: null,
    headers: { 'x-team': 'evals' },
    query: { 'api-version': '1' },
    organization: 'org',
  })
  await model.generate({ messages })
  const { headers, path } = server.journal[0] as (typeof server.journal)[number]
  expect(path).toBe('/v1/chat/completions?api-version=1')
  expect(headers).toMatchObject({ 'x-team': 'evals', 'openai-organization': 'org' })
  expect(headers.authorization).toBeUndefined()
})

test('openai() refuses what is no model, and shows no password of a URL', () => {
  expect(() => openai({ model: '' })).toThrow('Cannot make a model: "model" must name one, found ""')
  expect(() => openai({ model: 'm', baseUrl: 'x' } as never)).toThrow('unknown option "baseUrl"')
  expect(() => openai({ model: 'm', baseURL: 'ftp://me:hidden@host' })).toThrow('found "ftp://host"')
  const { identity } = openai({ model: 'm', baseURL: 'https://me:hidden@host/v1/', apiKey: 'k' })
  expect(identity).toEqual({ provider: 'openai', baseURL: 'https://host/v1', model: 'm' })
})

test('openai() says which variable is missing before anything is asked', async () => {
  vi.stubEnv('OPENAI_API_KEY', undefined)
  const model = openai({ model: 'gpt-4.1-mini' })
  vi.unstubAllEnvs()
  expect(() => model.requireReady?.()).toThrow(
    'Cannot ask openai:/gpt-4.1-mini: OPENAI_API_KEY is not set\nHint: set OPENAI_API_KEY, or give apiKey: openai({ model, apiKey })',
  )
  expect(await thrownBy(model.generate({ messages }))).toMatchObject({
    code: 'CONFIG_INVALID',
    message:
      'Cannot ask openai:/gpt-4.1-mini: OPENAI_API_KEY is not set\nHint: set OPENAI_API_KEY, or give apiKey: openai({ model, apiKey })',
  })
})
