// Measures a store of many traces: writing, opening, searching. The base is plain node:sqlite writing the same bytes in the same session.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { root } from './project.mjs'

const built = (path) => import(pathToFileURL(join(root, 'dist', 'src', path)).href)
const { sqlite } = await built('stores/sqlite.js')
const { parseFilter } = await built('grammar.js')
const { encodeSpans } = await built('span.js')

const BATCH = 500
const START = Date.UTC(2026, 0, 1)
const WORDS = 'the quick brown fox jumps over a lazy dog while nobody looks at any of them'.split(' ')

/** A trace of 5 spans, about 4 kB of text, as an app with a retriever and a model makes them. */
function traceOf(i) {
  const text = (n) => Array.from({ length: n }, (_, k) => WORDS[(i * 7 + k * k) % WORDS.length]).join(' ')
  const span = (k, name, type, attributes, extra) => ({
    id: `${i.toString(16).padStart(12, '0')}${k.toString(16).padStart(4, '0')}`,
    ...(k > 0 && { parentId: `${i.toString(16).padStart(12, '0')}0000` }),
    name,
    type,
    startTimeNs: BigInt(START + i) * 1_000_000n,
    endTimeNs: BigInt(START + i + 5) * 1_000_000n,
    status: 'OK',
    attributes,
    events: [],
    ...extra,
  })
  const inputs = JSON.stringify({ question: text(20) })
  const outputs = JSON.stringify(text(40))
  const spans = encodeSpans([
    span(0, 'answer', 'CHAIN', { 'service.name': 'shop' }, { inputs: { question: text(20) }, outputs: text(40) }),
    span(1, 'search', 'RETRIEVER', { 'db.system': 'pg' }, { outputs: [text(60), text(60)] }),
    span(2, 'rerank', 'RERANKER', { 'rerank.top': i % 9 }),
    span(
      3,
      'chat',
      'CHAT_MODEL',
      { 'gen_ai.request.model': `model-${i % 40}`, 'gen_ai.usage.input_tokens': i % 999 },
      { inputs: text(120), outputs: text(60) },
    ),
    span(4, 'check', 'GUARDRAIL', {}, { outputs: true }),
  ])
  const trace = {
    id: `tr-${(START + i).toString(16).padStart(12, '0')}${randomBytes(10).toString('hex')}`,
    experiment: 'shop',
    name: 'answer',
    status: i % 50 === 0 ? 'ERROR' : 'OK',
    requestTimeMs: START + i,
    requestTimeSubNs: 0,
    durationNs: 5_000_000 + (i % 1_000) * 1_000,
    tags: { env: i % 3 ? 'prod' : 'dev', user: `u${i % 5_000}` },
    metadata: { version: `v${i % 7}` },
    inputs,
    outputs,
    spans,
  }
  const feedback = (name, value) => ({
    kind: 'feedback',
    name,
    value,
    source: { type: 'LLM_JUDGE', id: 'judge' },
    createdAt: START + i,
  })
  return { trace, assessments: [feedback('x', i % 20 ? 'yes' : 'no'), feedback('score', (i % 100) / 100)] }
}

/** The same bytes, in one table with the same number of indexes, by plain node:sqlite. */
function raw(path, count) {
  const db = new DatabaseSync(path)
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
    CREATE TABLE traces (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, experiment TEXT, name TEXT, status TEXT, ms INTEGER, duration INTEGER, inputs TEXT, outputs TEXT, spans TEXT);
    CREATE INDEX newest ON traces (ms, experiment);
    CREATE TABLE labels (trace INTEGER, kind INTEGER, key TEXT, value TEXT, PRIMARY KEY (trace, kind, key)) WITHOUT ROWID;
    CREATE INDEX by_label ON labels (key, kind, value);
    CREATE TABLE assessments (trace INTEGER, ordinal INTEGER, kind INTEGER, name TEXT, value, source TEXT, created INTEGER, PRIMARY KEY (trace, ordinal)) WITHOUT ROWID;
    CREATE INDEX by_value ON assessments (name, kind, value);`)
  const trace = db.prepare(
    'INSERT INTO traces (id, experiment, name, status, ms, duration, inputs, outputs, spans) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  )
  const label = db.prepare('INSERT INTO labels VALUES (?, ?, ?, ?)')
  const assessment = db.prepare('INSERT INTO assessments VALUES (?, ?, ?, ?, ?, ?, ?)')
  let ms = 0
  for (let from = 0; from < count; from += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, k) => traceOf(from + k))
    const started = performance.now()
    db.exec('BEGIN IMMEDIATE')
    for (const { trace: t, assessments } of batch) {
      const { lastInsertRowid: seq } = trace.run(
        t.id,
        t.experiment,
        t.name,
        t.status,
        t.requestTimeMs,
        t.durationNs,
        t.inputs,
        t.outputs,
        t.spans,
      )
      for (const [key, value] of Object.entries(t.tags)) label.run(seq, 0, key, value)
      for (const [key, value] of Object.entries(t.metadata)) label.run(seq, 1, key, value)
      for (const [k, a] of assessments.entries()) assessment.run(seq, k, 0, a.name, a.value, a.source.id, a.createdAt)
    }
    db.exec('COMMIT')
    ms += performance.now() - started
  }
  db.close()
  return ms
}

async function timed(work) {
  const started = performance.now()
  const result = await work()
  return { ms: performance.now() - started, result }
}

const first100 = (store, text, extra = {}) =>
  timed(async () => (await Array.fromAsync(store.search({ filter: parseFilter(text), limit: 100, ...extra }))).length)

/** Prints the figures for a store of so many traces. */
export async function searchBench(count) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-search-'))
  try {
    const rawMs = raw(join(folder, 'raw.sqlite'), count)
    const path = join(folder, 'store.sqlite')
    let store = sqlite(path)
    await store.listRuns()
    let ms = 0
    for (let from = 0; from < count; from += 2 * BATCH) {
      // Two batches at once, as an importer does: one is made into text while the other is written.
      const batches = [0, BATCH].map((more) => Array.from({ length: BATCH }, (_, k) => traceOf(from + more + k)))
      const { ms: took } = await timed(() => Promise.all(batches.map((batch) => store.writeTraces(batch))))
      ms += took
    }
    await store.close()
    const rate = (took) => Math.round((count / took) * 1_000).toLocaleString('en-US')
    console.log(
      `\n${count.toLocaleString('en-US')} traces of 5 spans, ${Math.round(traceOf(1).trace.spans.length / 1_024)} kB each; the file has ${Math.round(statSync(path).size / 1e6)} MB`,
    )
    console.log(`  raw node:sqlite           ${rate(rawMs)} traces/s`)
    console.log(`  store                     ${rate(ms)} traces/s, ${(rawMs / ms).toFixed(2)} of raw (at least 0.7)`)
    store = sqlite(path)
    const opened = await timed(() => store.listRuns())
    console.log(`  open                      ${Math.round(opened.ms)} ms (at most 100)`)
    const queries = [
      ["feedback.x = 'no' AND tag.env = 'prod'", count > 500_000 ? 200 : 30],
      [`status = 'ERROR' AND timestamp_ms > ${START + count / 2} AND tag.user = 'u50' AND feedback.score < 0.3`, 1_000],
      ["tag.user = 'u77'", undefined],
      ["status = 'ERROR'", undefined],
      ["span.attributes.`gen_ai.request.model` LIKE '%model-39%'", undefined],
    ]
    for (const [text, most] of queries) {
      await first100(store, text)
      const { ms: took, result } = await first100(store, text)
      console.log(`  ${text}: ${took.toFixed(1)} ms for ${result}${most ? ` (at most ${most})` : ''}`)
    }
    const like = "span.attributes.`gen_ai.request.model` LIKE '%el-9'"
    const all = await timed(() => store.count({ filter: parseFilter(like) }))
    console.log(`  count of ${like}: ${Math.round(all.ms)} ms for ${all.result} (over all, at most 5000 at 100,000)`)
    await store.close()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) await searchBench(Number(process.argv[2] ?? 100_000))
