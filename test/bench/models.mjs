// Measures calls of models through the whole harness: rows, a scorer that asks, limiter, store. The endpoint is a process of its own.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { evaluate, scorer } from '../../dist/src/index.js'
import { currentModels } from '../../dist/src/model.js'
import { openai } from '../../dist/src/models/index.js'

async function withServer(options, work) {
  const server = fork(new URL('./server.mjs', import.meta.url).pathname)
  const folder = mkdtempSync(join(tmpdir(), 'evaluate-bench-'))
  try {
    server.send(options)
    const [{ url }] = await once(server, 'message')
    const result = await work(url, folder)
    server.send('stats')
    const [stats] = await once(server, 'message')
    return { ...result, stats }
  } finally {
    server.kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Evaluates so many rows with one question to the model each. */
async function judged(url, folder, rows, maxConcurrency) {
  const model = openai({ model: 'judge', baseURL: url, apiKey: 'none' })
  const asks = scorer('asks', async ({ inputs, signal }) => {
    const messages = [{ role: 'user', content: `Is ${inputs.i} a number?` }]
    const answer = await currentModels().resolve(model).generate({ messages }, { signal })
    return JSON.parse(answer.text).result
  })
  const started = performance.now()
  const data = Array.from({ length: rows }, (_, i) => ({ inputs: { i }, outputs: i }))
  const run = await evaluate(data, [asks], { store: join(folder, 'store.sqlite'), maxConcurrency, allowFailed: true })
  return { ms: performance.now() - started, errors: rows - run.columns.asks.scored }
}

/** The same calls by the bare client, as fast as it goes: what the machine gives at this moment. */
async function bare(url, rows, maxConcurrency) {
  const { default: OpenAI } = await import('openai')
  const client = new OpenAI({ baseURL: url, apiKey: 'none', maxRetries: 0 })
  const started = performance.now()
  let next = 0
  const lane = async () => {
    while (next < rows) {
      const content = `Is ${next++} a number?`
      await client.chat.completions.create({ model: 'judge', messages: [{ role: 'user', content }] })
    }
  }
  await Promise.all(Array.from({ length: maxConcurrency }, lane))
  return { ms: performance.now() - started }
}

export async function storm({
  calls = 500,
  perSecond = 20,
  retryAfter = 'seconds',
  capacity = perSecond,
  concurrency = 50,
} = {}) {
  const bucket = { perSecond, retryAfter, capacity }
  const { ms, errors, stats } = await withServer({ bucket, latencyMs: 50 }, (url, folder) =>
    judged(url, folder, calls, concurrency),
  )
  const ideal = ((calls - capacity) / perSecond) * 1_000
  const wasted = stats.statuses[429] ?? 0
  if (process.env.BENCH_TRACE) console.log(stats.refused.join(' '))
  console.log(
    `\n${calls} calls, ${perSecond} a second allowed, Retry-After in ${retryAfter}: ${(ms / ideal).toFixed(3)} of the ideal time (at most 1.15), ` +
      `${wasted} wasted = ${((wasted / calls) * 100).toFixed(1)} % (at most 5), ${stats.early} before Retry-After (0), ${errors} failed (0)`,
  )
}

export async function waiting({ calls = 5_000, concurrency = 100, latencyMs = 200 } = {}) {
  const ours = await withServer({ latencyMs }, (url, folder) => judged(url, folder, calls, concurrency))
  const plain = await withServer({ latencyMs }, (url) => bare(url, calls, concurrency))
  const ideal = (calls / concurrency) * latencyMs
  console.log(
    `\n${calls.toLocaleString('en-US')} calls of ${latencyMs} ms, ${concurrency} at once: ${((ideal / ours.ms) * 100).toFixed(1)} % of the ideal throughput ` +
      `(at least 90), bare client ${((ideal / plain.ms) * 100).toFixed(1)} %, ${ours.errors} failed (0)`,
  )
}
