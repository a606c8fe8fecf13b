// Measures monitoring: what sampling decides in a second, and what three code scorers score, in this process.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './project.mjs'

const url = (path) => pathToFileURL(join(root, 'dist', 'src', path)).href
const { samplePoint } = await import(url('sampling.js'))
const { monitorTraces, registerScorers } = await import(url('monitoring.js'))
const { sqlite } = await import(url('stores/sqlite.js'))

const DECISIONS = 1_000_000
const TRACES = Number(process.env.BENCH_TRACES ?? 100_000)
const BATCH = 500
const EXPERIMENT = 'shop'

const SCORERS = `import { scorer } from '${url('index.js')}'
export const length = scorer('length', ({ outputs }) => outputs.response.length)
export const polite = scorer('polite', ({ outputs }) => outputs.response.includes('please'))
export const asked = scorer('asked', async ({ inputs }) => inputs.question.length > 8)
`

const round = (n) => Math.round(n).toLocaleString('en-US')
const idOf = (i) => `tr-${i.toString(16).padStart(32, '0')}`

function sampling() {
  const started = performance.now()
  let taken = 0
  for (let i = 0; i < DECISIONS; i++) if (samplePoint(idOf(i)) < 0.1) taken++
  return { taken, rate: DECISIONS / ((performance.now() - started) / 1e3) }
}

function record(i) {
  const inputs = JSON.stringify({ question: `why ${i}`, text: 'x'.repeat(300) })
  const outputs = JSON.stringify({ response: `${'because '.repeat(20)}${i}` })
  const times = { requestTimeMs: 1.7e12 + i, requestTimeSubNs: 0, durationNs: 5e6 }
  const head = { id: idOf(i), experiment: EXPERIMENT, name: 'answer', status: 'OK', ...times }
  return { trace: { ...head, tags: { env: 'prod' }, metadata: {}, inputs, outputs, spans: '' }, assessments: [] }
}

async function scoring() {
  const folder = mkdtempSync(join(tmpdir(), 'bench-monitor-'))
  const file = join(folder, 'scorers.mjs')
  writeFileSync(file, SCORERS)
  const store = sqlite(join(folder, 'store.sqlite'))
  try {
    for (const one of await registerScorers(file, { experiment: EXPERIMENT, store }))
      await one.start({ samplingConfig: { sampleRate: 1 } })
    for (let at = 0; at < TRACES; at += BATCH)
      await store.writeTraces(Array.from({ length: Math.min(BATCH, TRACES - at) }, (_, k) => record(at + k)))
    const started = performance.now()
    const scored = await monitorTraces({ store, once: true })
    return { scored, ms: performance.now() - started }
  } finally {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

export async function monitorBench() {
  sampling()
  const { taken, rate } = sampling()
  console.log(
    `\nsampling: ${round(rate)} decisions/s (at least 200,000); ${round(taken)} of ${round(DECISIONS)} at rate 0.1`,
  )
  const { scored, ms } = await scoring()
  console.log(
    `scoring ${round(TRACES)} stored traces with 3 code scorers: ${round(ms)} ms, ${round((TRACES / ms) * 1_000)} traces/s (at least 5,000), ${round(scored)} scores`,
  )
}
