// Measures the receiver: spans per second that are safe in the store, and its memory where the store is slow. The receiver has a process of its own.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './project.mjs'

const url = (path) => pathToFileURL(join(root, 'dist', 'src', path)).href
const { receiveTraces } = await import(url('receiver.js'))
const { sqlite } = await import(url('stores/sqlite.js'))
const { readRequest } = await import(url('formats/otlp.js'))
const { protobuf } = await import(url('formats/protobuf.js'))
const { assemble } = await import(url('formats/assemble.js'))
const { Trace } = await import(url('trace.js'))

const SPANS = 512
const WORDS = 'the quick brown fox jumps over a lazy dog while nobody looks at any of them'.split(' ')

const text = (i, n) => Array.from({ length: n }, (_, k) => WORDS[(i * 7 + k * k) % WORDS.length]).join(' ')
const hex = (n, digits) => n.toString(16).padStart(digits, '0')
const pair = (key, value) => ({
  key,
  value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
})

/** A span of an app with a retriever and a model; five make a trace, the root comes last, as it ends last. */
function spanOf(n) {
  const [trace, k] = [Math.floor(n / 5) + 1, 4 - (n % 5)]
  const start = 1_750_000_000_000_000_000n + BigInt(n) * 1_000_000n
  return {
    traceId: hex(trace, 32),
    spanId: hex(trace * 8 + k + 1, 16),
    ...(k > 0 && { parentSpanId: hex(trace * 8 + 1, 16) }),
    name: ['answer', 'search', 'rerank', 'chat', 'check'][k],
    kind: 1,
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + 5_000_000n),
    attributes: [
      pair('gen_ai.operation.name', k === 3 ? 'chat' : 'other'),
      pair('gen_ai.request.model', `model-${n % 40}`),
      pair('gen_ai.usage.input_tokens', n % 999),
      pair('input.value', text(n, 20)),
      pair('output.value', text(n + 1, 40)),
      pair('user.id', `u${trace % 5_000}`),
    ],
    status: { code: 1 },
  }
}

const RESOURCE = { attributes: [pair('service.name', 'shop'), pair('process.pid', 7), pair('host.name', 'web-1')] }

function requestOf(i) {
  const spans = Array.from({ length: SPANS }, (_, k) => spanOf(i * SPANS + k))
  return { resourceSpans: [{ resource: RESOURCE, scopeSpans: [{ scope: { name: 'app' }, spans }] }] }
}

async function bodyOf(i, encoding) {
  const request = requestOf(i)
  if (encoding === 'application/json') return Buffer.from(JSON.stringify(request))
  // As bytes, our own writer of files has them; its whole traces are cut into requests all the same.
  const { traces } = assemble(readRequest(request))
  return Buffer.from(await protobuf.write(traces.map((one) => new Trace(one))))
}

/** Sends until it is taken, as an exporter does. */
async function deliver(base, type, body, tally, until = Number.POSITIVE_INFINITY) {
  while (performance.now() < until) {
    const response = await fetch(`${base}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    }).catch(() => undefined)
    const answer = await response?.text()
    tally[response?.status ?? 'none'] = (tally[response?.status ?? 'none'] ?? 0) + 1
    if (response?.status === 200) {
      if (type === 'application/json' && answer !== '{}') throw new Error(answer)
      return
    }
    await new Promise((done) => setTimeout(done, 50 * Math.random()))
  }
}

/** A process with a receiver, whose store may be slow. */
async function started(path, slowMs) {
  const child = spawn(process.execPath, ['--expose-gc', import.meta.filename, 'serve', path, String(slowMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const base = await new Promise((done, fail) => {
    child.stdout.once('data', (line) => done(String(line).trim()))
    child.once('exit', () => fail(new Error('the receiver ended')))
  })
  const peakMb = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1_024
  const end = () => new Promise((done) => child.once('exit', done).kill('SIGTERM'))
  return { base, peakMb, end }
}

async function serve([path, slowMs]) {
  const store = sqlite(path)
  const slow = Number(slowMs)
  if (slow > 0) {
    const standing = store.standing.bind(store)
    store.standing = async (ids) => {
      await new Promise((done) => setTimeout(done, slow))
      return standing(ids)
    }
  }
  const receiver = await receiveTraces({ store, experiment: 'shop', port: 0 })
  console.log(receiver.url)
  process.once('SIGTERM', async () => {
    await receiver.close()
    await store.close()
    process.exit()
  })
}

async function sustained(type, requests) {
  const folder = mkdtempSync(join(tmpdir(), 've-receiver-'))
  const path = join(folder, 'store.sqlite')
  try {
    const bodies = await Promise.all(Array.from({ length: requests }, (_, i) => bodyOf(i, type)))
    const { base, peakMb, end } = await started(path, 0)
    const tally = {}
    const began = performance.now()
    let next = 0
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        while (next < requests) await deliver(base, type, bodies[next++], tally)
      }),
    )
    const seconds = (performance.now() - began) / 1_000
    const peak = peakMb()
    await end()
    const store = sqlite(path)
    const seen = new Set()
    for await (const { trace } of store.search({})) for (const { id } of JSON.parse(trace.spans)) seen.add(id)
    await store.close()
    const sent = requests * SPANS
    const mb = bodies.reduce((sum, { length }) => sum + length, 0) / 1e6
    console.log(
      `  ${type.padEnd(24)}  ${Math.round(sent / seconds).toLocaleString('en-US')} spans/s (at least 2,000)   ${(mb / seconds).toFixed(1)} MB/s   lost ${sent - seen.size}   peak ${Math.round(peak)} MB   answers ${JSON.stringify(tally)}`,
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Many clients that never wait, and a store that takes its time. */
async function slow(seconds) {
  const folder = mkdtempSync(join(tmpdir(), 've-receiver-'))
  try {
    const bodies = await Promise.all(Array.from({ length: 64 }, (_, i) => bodyOf(i, 'application/json')))
    const { base, peakMb, end } = await started(join(folder, 'store.sqlite'), 2_000)
    const tally = {}
    const until = performance.now() + seconds * 1_000
    const clients = 400
    await Promise.all(
      Array.from({ length: clients }, async (_, i) => {
        for (let k = i; performance.now() < until; k++) {
          await deliver(base, 'application/json', bodies[k % bodies.length], tally, until)
        }
      }),
    )
    const peak = peakMb()
    console.log(
      `  a store that takes 2 s for every 400 traces, ${clients} clients, ${seconds} s: peak ${Math.round(peak)} MB   answers ${JSON.stringify(tally)}`,
    )
    await end()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export async function receiverBench() {
  console.log(`\nreceiver, requests of ${SPANS} spans, traces of 5`)
  const requests = Number(process.env.BENCH_REQUESTS ?? 120)
  for (const type of ['application/json', 'application/x-protobuf']) await sustained(type, requests)
  await slow(Number(process.env.BENCH_SECONDS ?? 15))
}

if (process.argv[2] === 'serve') await serve(process.argv.slice(3))
