import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { EvaluationError } from '../../src/errors.ts'
import { evaluate, scorer } from '../../src/index.ts'
import { type ReceiveOptions, type Receiver, receiveTraces } from '../../src/receiver.ts'
import { type Store, toTrace } from '../../src/store.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import type { Trace } from '../../src/trace.ts'

interface Place {
  readonly receiver: Receiver
  readonly store: Store
  readonly path: string
}

async function place(options: Omit<ReceiveOptions, 'store'> = {}, wrap = (store: Store) => store): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 've-receiver-'))
  const path = join(folder, 'store.sqlite')
  const store = sqlite(path)
  const receiver = await receiveTraces({ store: wrap(store), experiment: 'shop', port: 0, ...options })
  onTestFinished(async () => {
    await receiver.close()
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return { receiver, store, path }
}

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const hex = (letter: string) => letter.repeat(16)
const span = (letter: string, parent?: string, more: object = {}) => ({
  traceId: TRACE,
  spanId: hex(letter),
  ...(parent !== undefined && { parentSpanId: hex(parent) }),
  name: letter,
  kind: 1,
  startTimeUnixNano: '1700000000000000000',
  endTimeUnixNano: '1700000000500000000',
  attributes: [{ key: 'letter', value: { stringValue: letter } }],
  status: { code: 1 },
  ...more,
})
const exported = (spans: readonly unknown[], resource: readonly unknown[] = []) => ({
  resourceSpans: [{ resource: { attributes: resource }, scopeSpans: [{ scope: { name: 'app' }, spans }] }],
})
const named = (key: string, text: string) => ({ key, value: { stringValue: text } })

interface Sent {
  readonly status: number
  readonly body: unknown
  readonly headers: Headers
}

async function send(
  { url }: Receiver,
  body: unknown,
  headers: Record<string, string> = {},
  path = '/v1/traces',
): Promise<Sent> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body:
      body instanceof Uint8Array
        ? (body as Uint8Array<ArrayBuffer>)
        : typeof body === 'string'
          ? body
          : JSON.stringify(body),
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  const isJson = response.headers.get('content-type') === 'application/json'
  return { status: response.status, body: isJson ? JSON.parse(String(bytes)) : bytes, headers: response.headers }
}

async function all(store: Store): Promise<Trace[]> {
  return (await Array.fromAsync(store.search({}))).map(toTrace)
}

/** The message of the fields that `google.rpc.Status` and `ExportTraceServiceResponse` have, which are few and short. */
const textIn = (bytes: unknown) => String(bytes).replace(/[^\x20-\x7e]+/g, '|')

/** `exported([span('a')])`, as an SDK writes it in protobuf. */
function protobufOf(letters: string, traceId = TRACE): Buffer {
  const field = (number: number, bytes: Buffer) => {
    const head = [number * 8 + 2]
    for (let n = bytes.length; ; n >>= 7) {
      head.push(n > 0x7f ? (n & 0x7f) | 0x80 : n)
      if (n <= 0x7f) break
    }
    return Buffer.concat([Buffer.from(head), bytes])
  }
  const time = (number: number, ns: bigint) => {
    const bytes = Buffer.alloc(9)
    bytes[0] = number * 8 + 1
    bytes.writeBigUInt64LE(ns, 1)
    return bytes
  }
  const spans = [...letters].map((letter, i) =>
    field(
      2,
      Buffer.concat([
        field(1, Buffer.from(traceId, 'hex')),
        field(2, Buffer.from(hex(letter), 'hex')),
        ...(i > 0 ? [field(4, Buffer.from(hex(letters[0] as string), 'hex'))] : []),
        field(5, Buffer.from(letter)),
        time(7, 1_700_000_000_000_000_000n),
        time(8, 1_700_000_000_500_000_000n),
      ]),
    ),
  )
  return field(1, field(2, Buffer.concat(spans)))
}

const PROTOBUF = { 'content-type': 'application/x-protobuf' }

describe('receiveTraces()', () => {
  test('keeps what comes as JSON, plain and packed', async () => {
    const { receiver, store } = await place()
    const body = JSON.stringify(exported([span('a'), span('b', 'a')], [named('service.name', 'bot')]))
    expect(await send(receiver, body)).toMatchObject({ status: 200, body: {} })
    const [trace] = await all(store)
    expect(trace).toMatchObject({
      id: `tr-${TRACE}`,
      experiment: 'shop',
      name: 'a',
      status: 'OK',
      durationMs: 500,
      metadata: { 'resource.service.name': 'bot' },
    })
    expect(trace?.spans.map(({ name, parentId }) => [name, parentId])).toEqual([
      ['a', undefined],
      ['b', hex('a')],
    ])
    for (const [packing, packed] of [
      ['gzip', gzipSync(body)],
      ['deflate', deflateSync(body)],
    ] as const) {
      expect(await send(receiver, packed, { 'content-encoding': packing })).toMatchObject({ status: 200, body: {} })
    }
    expect(await all(store)).toEqual([trace])
    expect(receiver.counts).toMatchObject({
      requests: 3,
      spans: 6,
      added: 1,
      grown: 0,
      refused: 0,
      waiting: 0,
      waitingBytes: 0,
    })
  })

  test('keeps what comes as protobuf, and answers in it', async () => {
    const { receiver, store } = await place()
    const sent = await send(receiver, gzipSync(protobufOf('abc')), { ...PROTOBUF, 'content-encoding': 'gzip' })
    expect(sent.status).toBe(200)
    expect(sent.headers.get('content-type')).toBe('application/x-protobuf')
    expect(sent.body).toEqual(Buffer.alloc(0))
    const [trace] = await all(store)
    expect(trace?.spans.map(({ name, parentId }) => [name, parentId])).toEqual([
      ['a', undefined],
      ['b', hex('a')],
      ['c', hex('a')],
    ])
    expect(await send(receiver, '', PROTOBUF)).toMatchObject({ status: 200 })
  })

  test('joins the spans of a trace that come in several requests, in any order, at once and twice', async () => {
    const { receiver, store } = await place()
    const parts = [
      [span('c', 'b')],
      [span('b', 'a'), span('c', 'b')],
      [span('a')],
      [span('d', 'a')],
      [span('a'), span('d', 'a')],
    ]
    const sent = await Promise.all(parts.map((part) => send(receiver, exported(part))))
    expect(sent.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    for (const part of parts) await send(receiver, exported(part))
    const [trace, ...others] = await all(store)
    expect(others).toEqual([])
    expect(trace?.spans.map(({ name, parentId }) => [name, parentId])).toEqual([
      ['a', undefined],
      ['b', hex('a')],
      ['c', hex('b')],
      ['d', hex('a')],
    ])
    const { items } = await store.arrivals({ experiment: 'shop', limit: 10 })
    expect(items).toMatchObject([{ traceId: `tr-${TRACE}`, status: 'OK', isOwn: false }])
  })

  test('takes the good spans of a request and says which are not, in both encodings', async () => {
    const { receiver, store } = await place()
    const deep = JSON.parse(`${'['.repeat(1_200)}${']'.repeat(1_200)}`)
    const bad = [
      span('b', 'a', { spanId: 'xyz' }),
      span('c', 'a', { startTimeUnixNano: 0, endTimeUnixNano: 0 }),
      span('d', 'a', { attributes: [named('mlflow.spanInputs', JSON.stringify(deep))] }),
    ]
    expect((await send(receiver, exported([span('a'), ...bad]))).body).toEqual({
      partialSuccess: {
        rejectedSpans: '3',
        errorMessage:
          'Cannot keep span 2 ("b"): span id must be 16 hex digits or 8 bytes in base64, found "xyz", and 2 spans more',
      },
    })
    expect((await all(store))[0]?.spans.map(({ name }) => name)).toEqual(['a'])
    const { status, body } = await send(receiver, protobufOf('e', '00'.repeat(16)), PROTOBUF)
    expect(status).toBe(200)
    // Field 1: { 1: one span, 2: why }.
    const why = 'Cannot keep span 1 ("e"): trace id is all zeros'
    expect(body).toEqual(Buffer.from([0x0a, why.length + 4, 0x08, 1, 0x12, why.length, ...Buffer.from(why)]))
    expect(receiver.counts).toMatchObject({ spans: 1, rejected: 4, added: 1 })
  })

  test.each<[string, Record<string, string>, unknown, number, string]>([
    [
      'no JSON',
      {},
      '{"resourceSpans": [}',
      400,
      'Cannot read the request as OTLP JSON: it is not JSON: unexpected "}" at character 20',
    ],
    ['nothing', {}, '', 400, 'Cannot read the request as OTLP JSON: it is not JSON: unexpected end at character 1'],
    ['a list', {}, '[]', 400, 'Cannot read the request as OTLP JSON: it must be an object, found an array of 0'],
    [
      'no list',
      {},
      '{"resourceSpans":7}',
      400,
      'Cannot read the request as OTLP JSON: "resourceSpans" must be a list, found 7',
    ],
    ['no UTF-8', {}, Buffer.from([0x7b, 0xff, 0x7d]), 400, 'Cannot read the request as OTLP JSON: it is not UTF-8'],
    ['depth', {}, '['.repeat(200_000), 400, 'Cannot read the request as OTLP JSON: it is not'],
    [
      'no gzip',
      { 'content-encoding': 'gzip' },
      '{}',
      400,
      'Cannot read the request as OTLP JSON: its gzip is damaged: incorrect header check',
    ],
    [
      'half of gzip',
      { 'content-encoding': 'gzip' },
      gzipSync('{"a":"b"}').subarray(0, 15),
      400,
      'its gzip is damaged: unexpected end of file',
    ],
    [
      'a bomb',
      { 'content-encoding': 'gzip' },
      gzipSync(Buffer.alloc(300_000_000)),
      413,
      'it unpacks to more than 67108864 bytes',
    ],
    [
      'an unknown type',
      { 'content-type': 'text/plain' },
      '{}',
      415,
      'Cannot read the request: its content type must be application/json or application/x-protobuf, found "text/plain"',
    ],
    [
      'an unknown packing',
      { 'content-encoding': 'br' },
      '{}',
      415,
      'Cannot unpack the request: its content encoding must be gzip, deflate or identity, found "br"',
    ],
  ])('refuses %s, and keeps on', async (_, headers, body, status, message) => {
    const { receiver } = await place()
    const sent = await send(receiver, body, headers)
    expect(sent.status).toBe(status)
    expect(sent.body).toMatchObject({ code: status === 413 ? 8 : 3, message: expect.stringContaining(message) })
    expect(await send(receiver, exported([span('a')]))).toMatchObject({ status: 200 })
    expect(receiver.counts).toMatchObject({ requests: 2, refused: 1, waiting: 0, waitingBytes: 0 })
  })

  test('refuses garbage in protobuf in protobuf', async () => {
    const { receiver } = await place()
    const whole = protobufOf('ab')
    for (const body of [Buffer.from([0xff, 0xff, 0xff]), whole.subarray(0, 30), Buffer.from('{"resourceSpans":[]}')]) {
      const sent = await send(receiver, body, PROTOBUF)
      expect([sent.status, sent.headers.get('content-type')]).toEqual([400, 'application/x-protobuf'])
      expect(textIn(sent.body)).toMatch(/Cannot read the request as OTLP protobuf: (at byte \d+: |Expected varint)/)
    }
  })

  test('refuses 100 MB at once, whether they are announced or not, and keeps nothing of them', async () => {
    const { receiver } = await place()
    const piece = Buffer.alloc(1_000_000)
    const post = (headers: Record<string, string | number>) =>
      new Promise<{ status: number; peak: number }>((resolve, reject) => {
        let peak = 0
        const to = request(`${receiver.url}/v1/traces`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
        })
        to.on('response', (response) => resolve({ status: response.statusCode ?? 0, peak }))
        to.on('error', reject)
        Readable.from(
          (function* () {
            for (let i = 0; i < 100; i++) {
              peak = Math.max(peak, receiver.counts.waitingBytes)
              yield piece
            }
          })(),
        ).pipe(to)
      })
    expect(await post({ 'content-length': 100_000_000 })).toMatchObject({ status: 413, peak: 0 })
    const { status, peak } = await post({ 'transfer-encoding': 'chunked' })
    expect(status).toBe(413)
    expect(peak).toBeLessThanOrEqual(20 * 1_048_576)
    expect(receiver.counts).toMatchObject({ refused: 2, waitingBytes: 0, waiting: 0 })
  })

  test('forgets an upload that breaks off', async () => {
    const { receiver } = await place()
    const { port } = new URL(receiver.url)
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(
      'POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"resourceSpans"',
    )
    await expect.poll(() => receiver.counts).toMatchObject({ waiting: 1, waitingBytes: 16 })
    socket.destroy()
    await expect.poll(() => receiver.counts).toMatchObject({ waiting: 0, waitingBytes: 0, refused: 1 })
  })

  test('asks for its token, of traces and of pages', async () => {
    const { receiver, store } = await place({
      token: 'secret',
      pages: { '/metrics': () => ({ type: 'text/plain', body: 'up 1\n' }) },
    })
    const body = exported([span('a')])
    for (const authorization of [undefined, 'Bearer wrong', 'secret', 'Basic secret', 'Bearer secret2']) {
      const sent = await send(receiver, body, authorization === undefined ? {} : { authorization })
      expect([sent.status, sent.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    }
    expect(await store.count({})).toBe(0)
    expect(await send(receiver, body, { authorization: 'Bearer secret' })).toMatchObject({ status: 200 })
    expect((await fetch(`${receiver.url}/metrics`)).status).toBe(401)
    expect(await (await fetch(`${receiver.url}/metrics`, { headers: { authorization: 'Bearer secret' } })).text()).toBe(
      'up 1\n',
    )
    expect((await fetch(`${receiver.url}/health`)).status).toBe(200)
  })

  test.each([
    ['POST', '/v1/metrics', 404, 'Cannot take metrics: this receiver keeps traces only, by POST to /v1/traces'],
    ['POST', '/v1/logs', 404, 'Cannot take logs: this receiver keeps traces only, by POST to /v1/traces'],
    ['POST', '/', 404, 'Cannot find "/": here are POST /v1/traces, GET /health, GET /page'],
    ['GET', '/v1/traces?x', 405, 'Cannot GET /v1/traces: traces are sent there by POST'],
    ['DELETE', '/page', 405, 'Cannot DELETE /page: it is there to GET'],
  ])('answers %s %s with %i', async (method, path, status, message) => {
    const { receiver } = await place({ pages: { '/page': () => ({ type: 'text/plain', body: '' }) } })
    const response = await fetch(receiver.url + path, { method })
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ message })
  })

  test('answers with 500 where a page fails, and goes on', async () => {
    const fails = () => Promise.reject(new Error('no figures'))
    const { receiver } = await place({ pages: { '/metrics': fails } })
    const response = await fetch(`${receiver.url}/metrics`)
    expect([response.status, await response.text()]).toEqual([500, 'no figures'])
    expect(await send(receiver, exported([span('a')]))).toMatchObject({ status: 200 })
  })

  test('finds the experiment in the resource, the headers, or its own', async () => {
    const { receiver, store } = await place()
    const sent = (n: number, key?: string, headers = {}) => {
      const one = span('a', undefined, { traceId: TRACE.replace(/^../, `1${n}`) })
      return send(receiver, exported([one], key ? [named(key, 'by resource')] : []), headers)
    }
    await sent(0)
    await sent(1, undefined, { 'x-experiment': 'by header' })
    await sent(2, undefined, { 'x-mlflow-experiment-id': 'by id', 'x-experiment': 'by header' })
    await sent(3, 'mlflow.experiment.name', { 'x-experiment': 'by header' })
    await sent(4, 'vitest-evaluate.experiment')
    const found = (await all(store)).map(({ id, experiment }) => [id.slice(3, 5), experiment]).sort()
    expect(found).toEqual([
      ['10', 'shop'],
      ['11', 'by header'],
      ['12', 'by id'],
      ['13', 'by resource'],
      ['14', 'by resource'],
    ])
  })

  test('leaves traces of evaluations alone, and spans of rows that are still being evaluated', async () => {
    const { receiver, store } = await place()
    await evaluate([{ inputs: { n: 1 }, outputs: 1 }], [scorer('x', () => true)], { store })
    const [before] = await all(store)
    if (!before) throw new Error('no trace')
    const late = span('a', undefined, { traceId: before.id.slice(3) })
    const marked = span('b', undefined, { traceState: 'other=1,vitest-evaluate=row' })
    expect(await send(receiver, exported([late, marked]))).toMatchObject({ status: 200, body: {} })
    expect(await all(store)).toEqual([before])
    expect(receiver.counts).toMatchObject({ evaluated: 2, spans: 0, added: 0 })
  })

  test('says 503 while another one holds the lock of the store, and keeps what comes again', async () => {
    const { receiver, store, path } = await place({ limits: { patienceMs: 200 } })
    await send(receiver, exported([span('a')]))
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    const sent = await send(receiver, exported([span('b', 'a')]))
    expect(sent).toMatchObject({
      status: 503,
      body: { code: 14, message: 'Cannot keep the traces now: the store is slow or locked' },
    })
    expect(sent.headers.get('retry-after')).toBe('1')
    other.exec('ROLLBACK')
    other.close()
    await expect.poll(async () => (await send(receiver, exported([span('b', 'a')]))).status).toBe(200)
    expect((await all(store))[0]?.spans.map(({ name }) => name)).toEqual(['a', 'b'])
    expect(receiver.counts).toMatchObject({ waiting: 0, waitingBytes: 0 })
  })

  test('says 503 with the reason of a store that refuses', async () => {
    const refusal = new EvaluationError(
      'STORE_LOCKED',
      'Cannot write to the store "x": another process holds its lock',
      { hint: 'wait' },
    )
    const { receiver } = await place({}, (store) =>
      Object.assign(Object.create(store), { putTraces: () => Promise.reject(refusal), standing: async () => [] }),
    )
    const sent = await send(receiver, exported([span('a')]))
    expect(sent).toMatchObject({
      status: 503,
      body: { message: 'Cannot keep the traces now: Cannot write to the store "x": another process holds its lock' },
    })
    expect(receiver.counts).toMatchObject({ deferred: 1, spans: 0, waiting: 0 })
  })

  test('lets no more wait than it was told, and takes them when there is room', async () => {
    const gate = Promise.withResolvers<void>()
    const { receiver, store } = await place({ limits: { waitingRequests: 3 } }, (store) =>
      Object.assign(Object.create(store), {
        standing: (ids: readonly string[]) => gate.promise.then(() => store.standing(ids)),
        putTraces: (changes: Parameters<Store['putTraces']>[0]) => store.putTraces(changes),
      }),
    )
    const first = ['a', 'b', 'c'].map((letter) => send(receiver, exported([span(letter, 'e')])))
    await expect.poll(() => receiver.counts.waiting).toBe(3)
    const more = await send(receiver, exported([span('d', 'e')]))
    expect(more).toMatchObject({
      status: 429,
      body: { code: 8, message: 'Cannot take the request now: too many wait for the store' },
    })
    expect(more.headers.get('retry-after')).toBe('1')
    gate.resolve()
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200, 200])
    expect(await send(receiver, exported([span('d', 'e')]))).toMatchObject({ status: 200 })
    expect((await all(store))[0]?.spans).toHaveLength(4)
  })

  test('lets no more bytes wait than it was told', async () => {
    const gate = Promise.withResolvers<void>()
    const { receiver } = await place({ limits: { waitingBytes: 100_000 } }, (store) =>
      Object.assign(Object.create(store), {
        standing: (ids: readonly string[]) => gate.promise.then(() => store.standing(ids)),
        putTraces: (changes: Parameters<Store['putTraces']>[0]) => store.putTraces(changes),
      }),
    )
    const long = exported([span('a', undefined, { attributes: [named('text', 'x'.repeat(60_000))] })])
    const first = send(receiver, long)
    await expect.poll(() => receiver.counts.waitingBytes).toBeGreaterThan(60_000)
    expect(await send(receiver, long)).toMatchObject({ status: 429 })
    gate.resolve()
    expect(await first).toMatchObject({ status: 200 })
    expect(await send(receiver, long)).toMatchObject({ status: 200 })
    expect(receiver.counts).toMatchObject({ deferred: 1, waitingBytes: 0 })
  })

  test('keeps what has come when it ends, and takes nothing more', async () => {
    const { receiver, store } = await place({}, (store) =>
      Object.assign(Object.create(store), {
        standing: (ids: readonly string[]) => pause(200).then(() => store.standing(ids)),
        putTraces: (changes: Parameters<Store['putTraces']>[0]) => store.putTraces(changes),
      }),
    )
    const sent = send(receiver, exported([span('a')]))
    await expect.poll(() => receiver.counts.waiting).toBe(1)
    await receiver.close()
    expect(await sent).toMatchObject({ status: 200 })
    expect(await store.count({})).toBe(1)
    await expect(send(receiver, exported([span('b')]))).rejects.toThrow()
    await receiver.close()
  })

  test('refuses options that cannot be meant', async () => {
    const refused = (options: unknown) => expect(receiveTraces(options as ReceiveOptions)).rejects
    await refused({ host: '0.0.0.0' }).toThrow(
      new TypeError(
        'Cannot receive traces: on "0.0.0.0" everybody who reaches it could write traces\nHint: give a token that senders have to show, or listen on 127.0.0.1',
      ),
    )
    await refused({ prot: 1 }).toThrow('Cannot receive traces: unknown option "prot" (did you mean "port"?)')
    await refused({ port: 70_000 }).toThrow(
      new RangeError('Cannot receive traces: "port" must be a number from 0 to 65535, found 70000'),
    )
    await refused({ token: '' }).toThrow('"token" must be a text of visible ASCII characters without spaces')
    await refused({ limits: { bodyByte: 1 } }).toThrow('unknown limit "bodyByte" (did you mean "bodyBytes"?)')
    await refused({ limits: { bodyBytes: 0 } }).toThrow('the limit "bodyBytes" must be a whole number above 0, found 0')
    const { receiver, store } = await place()
    const { port } = new URL(receiver.url)
    const taken = await receiveTraces({ store, port: Number(port) }).catch((error: unknown) => error)
    expect(taken).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(
        /^Cannot receive traces on 127\.0\.0\.1:\d+: something else listens there\nHint: /,
      ),
    })
  })
})
