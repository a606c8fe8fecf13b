import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { type Predict, type Prediction, predictRow, retryDelayMs } from '../../src/predict.ts'
import { DeadlineError, sleep } from '../../src/std/async.ts'
import { Watch } from '../../src/std/watch.ts'

interface Options {
  readonly timeoutMs?: number
  readonly retries?: number
  readonly signal?: AbortSignal
}

async function predicted(
  predict: Predict,
  { timeoutMs = 5_000, retries = 2, signal }: Options = {},
): Promise<Prediction> {
  const watch = new Watch(signal)
  try {
    return await predictRow(predict, { inputs: 'in' }, { timeoutMs, retries, watch, signal })
  } finally {
    watch.close()
  }
}

type Reply = (response: ServerResponse, request: IncomingMessage) => void

/** A server on loopback that answers the first call with the first reply, and so on; the last one stays. */
async function serving(...replies: Reply[]): Promise<{ url: string; times: number[]; server: Server }> {
  const times: number[] = []
  const server = createServer((request, response) => {
    times.push(performance.now())
    ;(replies[Math.min(times.length, replies.length) - 1] as Reply)(response, request)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, times, server }
}

const status =
  (code: number, headers: Record<string, string> = {}): Reply =>
  (response) =>
    response.writeHead(code, headers).end('{}')
const ok = status(200)
const cut: Reply = (response) => response.destroy()

/** What an app does: fetch, and throw an error that carries status and headers. */
const asking = (url: string) => async () => {
  const response = await fetch(url, { headers: { connection: 'close' } })
  if (response.ok) return 'answer'
  throw Object.assign(new Error(`HTTP ${response.status}`), { status: response.status, headers: response.headers })
}

test.for([408, 429, 500, 502, 503, 529])('predictRow() calls again after %i', async (code) => {
  const { url, times } = await serving(status(code, { 'retry-after-ms': '20' }), ok)
  expect(await predicted(asking(url))).toMatchObject({ attempts: 2, outputs: 'answer', text: '"answer"' })
  expect(times).toHaveLength(2)
})

test.for([400, 401, 403, 404, 409, 422])('predictRow() does not call again after %i', async (code) => {
  const { url, times } = await serving(status(code, { 'retry-after-ms': '1' }), ok)
  expect(await predicted(asking(url))).toMatchObject({
    attempts: 1,
    error: { code: 'PREDICT_THREW', message: `HTTP ${code}` },
  })
  expect(times).toHaveLength(1)
})

test('predictRow() calls again after faults of the network', async () => {
  const { url, times, server } = await serving(cut, cut, ok)
  expect(await predicted(asking(url))).toMatchObject({ attempts: 3, outputs: 'answer' })
  expect(times).toHaveLength(3)
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
  const refused = await predicted(asking(url), { retries: 1 })
  expect(refused).toMatchObject({ attempts: 2, error: { code: 'PREDICT_THREW', message: 'fetch failed' } })
})

test('predictRow() gives the last error when every call fails, and calls once more than retries', async () => {
  const { url, times } = await serving(status(500, { 'retry-after-ms': '1' }), status(503, { 'retry-after-ms': '1' }))
  expect(await predicted(asking(url), { retries: 3 })).toMatchObject({ attempts: 4, error: { message: 'HTTP 503' } })
  expect(times).toHaveLength(4)
  const once = await serving(status(500))
  expect(await predicted(asking(once.url), { retries: 0 })).toMatchObject({ attempts: 1 })
  expect(once.times).toHaveLength(1)
})

test.for<[string, () => string, number, number]>([
  ['retry-after-ms', () => '333', 333, 333 + 400],
  ['Retry-After', () => '1', 1_000, 1_400],
  ['Retry-After', () => '0.25', 250, 650],
  // A date has whole seconds: between one and two of them are left.
  ['Retry-After', () => new Date(Date.now() + 2_000).toUTCString(), 990, 2_400],
])('predictRow() never calls earlier than %s allows', async ([header, value, least, most]) => {
  let allowedAt = 0
  const { url, times } = await serving((response) => {
    const text = value()
    allowedAt = text.endsWith('GMT') ? Date.parse(text) : 0
    status(429, { [header]: text })(response, undefined as never)
  }, ok)
  let calledAt = 0
  const ask = asking(url)
  const result = await predicted(() => {
    calledAt = Date.now()
    return ask()
  })
  expect(result).toMatchObject({ attempts: 2, outputs: 'answer' })
  const waited = (times[1] as number) - (times[0] as number)
  expect(waited).toBeGreaterThanOrEqual(least)
  expect(waited).toBeLessThan(most)
  expect(calledAt).toBeGreaterThanOrEqual(allowedAt)
})

test('predictRow() gives a row up at once when the server asks for minutes, or the evaluation ends', async () => {
  const { url, times } = await serving(status(429, { 'Retry-After': '3600' }), ok)
  expect(await predicted(asking(url))).toMatchObject({ attempts: 1, error: { message: 'HTTP 429' } })
  expect(times).toHaveLength(1)
  const controller = new AbortController()
  const waiting = await serving(status(429, { 'Retry-After': '60' }), ok)
  setTimeout(() => controller.abort(), 50)
  const started = performance.now()
  await predicted(asking(waiting.url), { signal: controller.signal })
  expect(performance.now() - started).toBeLessThan(1_000)
  expect(waiting.times).toHaveLength(1)
})

test('retryDelayMs() grows with the attempts, and finds status, headers and causes where clients put them', () => {
  const range = (attempt: number, thrown: unknown = { status: 500 }) => {
    const delays = Array.from({ length: 200 }, () => retryDelayMs(thrown, attempt) as number)
    return [Math.min(...delays), Math.max(...delays)] as const
  }
  for (const [attempt, most] of [
    [1, 250],
    [2, 500],
    [3, 1_000],
    [20, 30_000],
  ] as const) {
    const [low, high] = range(attempt)
    expect(low).toBeGreaterThanOrEqual(most / 2)
    expect(high).toBeLessThanOrEqual(most)
    expect(high - low).toBeGreaterThan(most / 8)
  }
  for (const headers of [
    { 'retry-after': '0' },
    { 'retry-after': '' },
    { 'retry-after': 'soon' },
    { 'retry-after-ms': '-5' },
    { 'Retry-After': 'Thu, 01 Jan 1970 00:00:00 GMT' },
  ]) {
    expect(range(1, { status: 429, headers })[0], JSON.stringify(headers)).toBeGreaterThanOrEqual(125)
  }
  expect(retryDelayMs({ statusCode: 429, headers: { 'retry-after': '2' } }, 1)).toBe(2_000)
  expect(retryDelayMs({ response: { status: 503, headers: new Headers({ 'Retry-After': '2' }) } }, 1)).toBe(2_000)
  expect(retryDelayMs({ status: '429', retryAfter: 3 }, 1)).toBe(3_000)
  expect(retryDelayMs(new Error('x', { cause: new Error('y', { cause: { status: 500 } }) }), 1)).toBeGreaterThan(0)
  expect(
    retryDelayMs(Object.assign(new TypeError('fetch failed'), { cause: { code: 'ECONNRESET' } }), 1),
  ).toBeGreaterThan(0)
  expect(retryDelayMs({ name: 'APIConnectionTimeoutError' }, 1)).toBeGreaterThan(0)
})

test("retryDelayMs() never asks for the same answer again when the fault is the app's", () => {
  const cyclic: Record<string, unknown> = {}
  cyclic.cause = cyclic
  const hostile = {
    get status(): never {
      throw new Error('getter')
    },
  }
  const faults = [
    new TypeError('x is not a function'),
    new Error('no'),
    new DeadlineError(5),
    undefined,
    null,
    'text',
    429,
    cyclic,
    hostile,
  ]
  for (const fault of [
    ...faults,
    { status: 404 },
    { status: 600 },
    { code: 'ENOENT' },
    { code: 'UND_ERR_INVALID_ARG' },
    new SyntaxError('JSON'),
  ])
    expect(retryDelayMs(fault, 1)).toBeUndefined()
})

test('predictRow() ends a call that is late, aborts its signal, and does not repeat it', async () => {
  let calls = 0
  const aborted = Promise.withResolvers<unknown>()
  const late = await predicted(
    (_, { signal }) => {
      calls++
      signal.addEventListener('abort', () => aborted.resolve(signal.reason))
      return new Promise(() => {})
    },
    { timeoutMs: 30 },
  )
  expect(late).toMatchObject({
    attempts: 1,
    error: { code: 'PREDICT_TIMEOUT', message: 'did not finish within 30 ms' },
  })
  expect(late.durationMs).toBeGreaterThanOrEqual(29)
  expect(await aborted.promise).toBeInstanceOf(DeadlineError)
  expect(calls).toBe(1)
})

test('predictRow() gives every attempt its own time and its own signal, and 0 means no limit', async () => {
  const signals: AbortSignal[] = []
  const result = await predicted(
    async (_, { signal }) => {
      signals.push(signal)
      await sleep(25)
      if (signals.length < 3) throw { status: 500, headers: { 'retry-after-ms': '5' } }
      return 1
    },
    { timeoutMs: 60 },
  )
  expect(result).toMatchObject({ attempts: 3, outputs: 1 })
  expect(new Set(signals).size).toBe(3)
  expect(result.durationMs).toBeLessThan(60)
  expect(await predicted(() => sleep(30), { timeoutMs: 0 })).toMatchObject({
    attempts: 1,
    text: '{"$type":"undefined"}',
  })
})

test('predictRow() records whatever is thrown, synchronously or not', async () => {
  const proxy = new Proxy(
    {},
    {
      get: () => {
        throw new Error('trap')
      },
    },
  )
  for (const [thrown, message] of [
    [new Error(''), 'Error'],
    ['text', 'text'],
    [undefined, 'undefined'],
    [{ message: 'm' }, 'm'],
    [7, '7'],
    [proxy, 'an empty object'],
  ] as const) {
    const sync: Predict = () => {
      throw thrown
    }
    for (const predict of [sync, async () => sync('', undefined as never)]) {
      expect((await predicted(predict, { retries: 0 })).error).toMatchObject({ code: 'PREDICT_THREW', message })
    }
  }
})

test('predictRow() refuses outputs that are not data by the place of the culprit', async () => {
  const messages = []
  for (const outputs of [
    () => 1,
    { list: [1, Symbol('s')] },
    { later: Promise.resolve(1) },
    {
      get broken(): never {
        throw new Error('no')
      },
    },
  ])
    messages.push((await predicted(() => outputs)).error)
  expect(messages).toMatchObject([
    { code: 'OUTPUT_NOT_DATA', message: 'outputs is a function, which cannot be kept' },
    { code: 'OUTPUT_NOT_DATA', message: 'outputs.list[1] is a symbol, which cannot be kept' },
    { code: 'OUTPUT_NOT_DATA', message: 'outputs.later is a Promise (is an await missing?), which cannot be kept' },
    { code: 'OUTPUT_NOT_DATA', message: 'outputs is an object that throws when it is read (no), which cannot be kept' },
  ])
})

test('predictRow() takes anything that can be awaited', async () => {
  // biome-ignore lint/suspicious/noThenProperty: query builders are such objects
  const thenable = { then: (resolve: (value: string) => void) => void setTimeout(() => resolve('late'), 5) }
  expect(await predicted(() => thenable as unknown as string)).toMatchObject({ outputs: 'late' })
})
