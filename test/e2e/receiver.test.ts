import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { receiveTraces } from '../../src/receiver.ts'
import { toTrace } from '../../src/store.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import type { Trace } from '../../src/trace.ts'
import { type Project, project, ROOT } from './project.ts'

/** The receiver with real SDKs that send to it, and with an end that comes in the middle. */

function app(packages: readonly string[], files: Readonly<Record<string, string>>): Project {
  const made = project(5, files)
  for (const name of packages) {
    const place = join(made.folder, 'node_modules', name)
    mkdirSync(dirname(place), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), place)
  }
  return made
}

async function receiving() {
  const folder = mkdtempSync(join(tmpdir(), 've-receiver-'))
  const store = sqlite(join(folder, 'store.sqlite'))
  const receiver = await receiveTraces({ store, experiment: 'shop', port: 0 })
  onTestFinished(async () => {
    await receiver.close()
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const traces = async (): Promise<Trace[]> => (await Array.fromAsync(store.search({}))).map(toTrace)
  return { receiver, store, traces }
}

const API = '@opentelemetry/api'
const SDK = '@opentelemetry/sdk-node'
const TRACE = '@opentelemetry/sdk-trace'

/** Requests of 3 spans, so that no trace of 5 comes in one. */
const setup = (exporter: string, options: string) => `import { NodeSDK } from '${SDK}'
import { BatchSpanProcessor } from '${TRACE}'
import { OTLPTraceExporter } from '${exporter}'
export const start = (url, more = []) => {
  const exporter = new OTLPTraceExporter({ url: url + '/v1/traces', concurrencyLimit: 1000, ${options} })
  const batches = new BatchSpanProcessor({ exporter, maxExportBatchSize: 3, scheduledDelayMillis: 20, maxQueueSize: 10000 })
  const sdk = new NodeSDK({ serviceName: 'bot', spanProcessors: [batches, ...more] })
  sdk.start()
  return sdk
}
`

const ANSWER = `import { SpanStatusCode, trace } from '@opentelemetry/api'
const tracer = trace.getTracer('bot', '2.0')
const pause = (ms) => new Promise((done) => setTimeout(done, ms))
export const answer = (n) => tracer.startActiveSpan('answer', { attributes: { 'session.id': 's' + (n % 5), 'input.value': 'question ' + n } }, async (root) => {
  await tracer.startActiveSpan('search', async (span) => {
    await tracer.startActiveSpan('embed', async (inner) => { await pause(n % 7); inner.end() })
    span.end()
  })
  await tracer.startActiveSpan('chat', { attributes: { 'gen_ai.operation.name': 'chat', 'gen_ai.usage.input_tokens': n } }, async (span) => { await pause(n % 3); span.addEvent('token'); span.end() })
  const fails = tracer.startSpan('fails')
  fails.recordException(new RangeError('too far'))
  fails.setStatus({ code: SpanStatusCode.ERROR, message: 'too far' })
  fails.end()
  root.setAttribute('output.value', 'answer ' + n)
  root.end()
  return n
})
`

test.each([
  ['JSON', '@opentelemetry/exporter-trace-otlp-http', ''],
  ['JSON in gzip', '@opentelemetry/exporter-trace-otlp-http', "compression: 'gzip'"],
  ['protobuf', '@opentelemetry/exporter-trace-otlp-proto', ''],
  ['protobuf in gzip', '@opentelemetry/exporter-trace-otlp-proto', "compression: 'gzip'"],
])('an app on the OpenTelemetry Node SDK sends %s, a trace in several requests', async (_, exporter, options) => {
  const { receiver, traces, store } = await receiving()
  const main = `import { start } from './setup.js'
const sdk = start(process.argv[2])
const { answer } = await import('./answer.js')
await Promise.all(Array.from({ length: 40 }, (_, n) => answer(n)))
await sdk.shutdown()
`
  const made = app([API, SDK, TRACE, exporter], {
    'main.js': main,
    'setup.js': setup(exporter, options),
    'answer.js': ANSWER,
  })
  expect(await made.node('main.js', receiver.url)).toEqual({ code: 0, stdout: '', stderr: '' })
  const found = await traces()
  expect(found).toHaveLength(40)
  expect(new Set(found.map(({ inputs }) => inputs)).size).toBe(40)
  for (const trace of found) {
    const name = new Map(trace.spans.map((one) => [one.id, one.name]))
    const tree = trace.spans.map((one) => `${name.get(one.parentId ?? '') ?? '-'} > ${one.name}`).sort()
    expect(tree).toEqual(['- > answer', 'answer > chat', 'answer > fails', 'answer > search', 'search > embed'])
    const n = String(trace.inputs).replace('question ', '')
    expect(trace).toMatchObject({
      name: 'answer',
      status: 'OK',
      outputs: `answer ${n}`,
      sessionId: `s${Number(n) % 5}`,
      experiment: 'shop',
    })
    expect(trace.metadata['resource.service.name']).toBe('bot')
    expect(trace.searchSpans({ name: 'chat' })).toMatchObject([{ type: 'CHAT_MODEL', events: [{ name: 'token' }] }])
    expect(trace.searchSpans({ name: 'fails' })).toMatchObject([{ status: 'ERROR', statusMessage: 'too far' }])
    expect(trace.spans.some(({ attributes }) => 'otel.parent_span_id' in attributes)).toBe(false)
  }
  expect(receiver.counts).toMatchObject({ spans: 200, rejected: 0, refused: 0, deferred: 0, added: 40, waiting: 0 })
  expect(receiver.counts.requests).toBeGreaterThan(60)
  const { items } = await store.arrivals({ experiment: 'shop', limit: 100 })
  expect(items.filter(({ isOwn, status }) => !isOwn && status === 'OK')).toHaveLength(40)
})

test('what an app under evaluation sends of its rows is left to their run', async () => {
  const { receiver, traces } = await receiving()
  const exporter = '@opentelemetry/exporter-trace-otlp-http'
  const main = `import { start } from './setup.js'
import { EvaluateSpanProcessor } from 'vitest-evaluate/otel'
const sdk = start(process.argv[2], [new EvaluateSpanProcessor()])
const { answer } = await import('./answer.js')
const { evaluate, scorer } = await import('vitest-evaluate')
const rows = Array.from({ length: 20 }, (_, n) => ({ inputs: { n } }))
const run = await evaluate(rows, ({ n }) => answer(n), [scorer('same', ({ inputs, outputs }) => inputs.n === outputs)], { store: process.argv[3] })
await answer(99)
await sdk.shutdown()
console.log(run.metrics['same/mean'])
`
  const made = app([API, SDK, TRACE, exporter], {
    'main.js': main,
    'setup.js': setup(exporter, ''),
    'answer.js': ANSWER,
  })
  expect(await made.node('main.js', receiver.url, receiver.store)).toEqual({ code: 0, stdout: '1\n', stderr: '' })
  const found = await traces()
  expect(found).toHaveLength(21)
  const [own, rows] = [found.filter(({ name }) => name === 'answer'), found.filter(({ spans }) => spans.length === 6)]
  expect(own.map(({ inputs }) => inputs)).toEqual(['question 99'])
  expect(rows.map(({ inputs }) => inputs)).toEqual(
    expect.arrayContaining(Array.from({ length: 20 }, (_, n) => ({ n }))),
  )
  expect(receiver.counts).toMatchObject({ evaluated: 100, spans: 5, added: 1 })
})

const SERVE = `const [url, stores, path] = process.argv.slice(1)
const { receiveTraces } = await import(url)
const { sqlite } = await import(stores)
const receiver = await receiveTraces({ store: sqlite(path), experiment: 'shop', port: 0 })
console.log(receiver.url)
`

async function served(path: string): Promise<{ child: ChildProcess; url: string }> {
  const file = (name: string) => new URL(`../../dist/src/${name}`, import.meta.url).href
  const args = ['--input-type=module', '-e', SERVE, file('receiver.js'), file('stores/sqlite.js'), path]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [line] = await once(child.stdout, 'data')
  return { child, url: String(line).trim() }
}

test('a receiver that is killed again and again has lost no span that it had answered for, and none is there twice', async () => {
  const folder = mkdtempSync(join(tmpdir(), 've-receiver-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'store.sqlite')
  let current = await served(path)
  const hex = (n: number, digits: number) => n.toString(16).padStart(digits, '0')
  // 600 requests of 20 spans; the spans of one trace are five requests apart.
  const bodyOf = (request: number) => {
    const spans = Array.from({ length: 20 }, (_, i) => {
      const [trace, k] = [Math.floor(request / 5) * 20 + i + 1, request % 5]
      return {
        traceId: hex(trace, 32),
        spanId: hex(trace * 8 + k + 1, 16),
        ...(k < 4 && { parentSpanId: hex(trace * 8 + 5, 16) }),
        name: `step ${k}`,
        startTimeUnixNano: '1700000000000000000',
        endTimeUnixNano: '1700000000000000001',
      }
    })
    return JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] })
  }
  let next = 0
  let answered = 0
  const safeBeforeKill: number[] = []
  const client = async () => {
    while (next < 600) {
      const request = next++
      for (let done = false; !done; ) {
        const headers = { 'content-type': 'application/json' }
        const sent = { method: 'POST', headers, body: bodyOf(request) }
        const status = await fetch(`${current.url}/v1/traces`, sent).then(
          (response) => response.status,
          () => 0,
        )
        done = status === 200
        if (done) answered++
        else await pause(20)
      }
    }
  }
  const kills = (async () => {
    for (let i = 1; i <= 6; i++) {
      while (answered < i * 90) await pause(1)
      const gone = once(current.child, 'exit')
      current.child.kill('SIGKILL')
      await gone
      safeBeforeKill.push(answered)
      current = await served(path)
    }
  })()
  await Promise.all([...Array.from({ length: 8 }, client), kills])
  expect(answered).toBe(600)
  expect(safeBeforeKill).toHaveLength(6)
  const gone = once(current.child, 'exit')
  current.child.kill('SIGKILL')
  await gone
  const store = sqlite(path)
  onTestFinished(() => store.close())
  const found = (await Array.fromAsync(store.search({}))).map(toTrace)
  expect(found).toHaveLength(2_400)
  for (const trace of found) {
    expect(trace.spans.map(({ name }) => name).sort()).toEqual(['step 0', 'step 1', 'step 2', 'step 3', 'step 4'])
    expect(trace.status).toBe('OK')
    expect(trace.spans.filter(({ parentId }) => parentId === undefined)).toHaveLength(1)
  }
})
