// A project to measure in: the built package, and evaluations of several sizes.
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))
export const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')

const CHECKS = `const predict = async (inputs) => inputs
const checks = { same: ({ inputs, outputs }) => inputs.question === outputs.question, length: ({ outputs }) => outputs.question.length, kind: () => 'yes' }
`
const ROW = "{ inputs: { question: 'question ' + i + ', forty characters of text or so' } }"
const array = (n) => `const rows = Array.from({ length: ${n} }, (_, i) => (${ROW}))\n`
const generator = (n) => `const rows = (function* () { for (let i = 0; i < ${n}; i++) yield ${ROW} })()\n`

const ours = (rows) => `import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
${rows}${CHECKS}
test('ours', async ({ evaluate }) => {
  await evaluate(rows, predict, Object.entries(checks).map(([name, fn]) => scorer(name, fn)))
})
`

/** The same with spans of the app's own, two a row: through OpenTelemetry's API, or through `span()`. */
const traced = (rows, imports, predict) =>
  ours(rows)
    .replace('import { test }', `${imports}\nimport { test }`)
    .replace('const predict = async (inputs) => inputs', predict)
const otel = (rows) =>
  traced(
    rows,
    "import { trace } from '@opentelemetry/api'\nconst tracer = trace.getTracer('bench')",
    `const predict = (inputs) => tracer.startActiveSpan('answer', async (outer) => {
  tracer.startActiveSpan('chat', { attributes: { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'm', 'gen_ai.usage.input_tokens': 10 } }, (inner) => inner.end())
  outer.end()
  return inputs
})`,
  )
const spans = (rows) =>
  traced(
    rows,
    "import { span } from 'vitest-evaluate'",
    `const predict = (inputs) => span('answer', async () => {
  span('chat', { type: 'CHAT_MODEL', attributes: { 'gen_ai.request.model': 'm', 'gen_ai.usage.input_tokens': 10 } }, () => 'x')
  return inputs
})`,
  )

const bare = (rows) => `import { test } from 'vitest'
${rows}${CHECKS}
test('bare', async () => {
  const sums = { same: 0, length: 0, kind: 0 }
  let next = 0
  const lane = async () => {
    while (next < rows.length) {
      const { inputs } = rows[next++]
      const outputs = await predict(inputs)
      for (const name of Object.keys(checks)) sums[name] += Number(checks[name]({ inputs, outputs }) === true)
    }
  }
  await Promise.all(Array.from({ length: 10 }, lane))
})
`

const waiting = `import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
const wait = (value) => new Promise((done) => setTimeout(done, 50, value))
test('waiting', async ({ evaluate }) => {
  const rows = Array.from({ length: 2000 }, (_, i) => ({ inputs: { i } }))
  const run = await evaluate(rows, ({ i }) => wait(i), [scorer('late', () => wait(true)), scorer('later', () => wait(true))], { maxConcurrency: 50 })
  console.log('waited ' + run.totals.wallMs)
})
`

/** The records of the large run, written by plain node:sqlite in one process: what keeping them costs at least. */
const raw = (n) => `import { DatabaseSync } from 'node:sqlite'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
rmSync('raw.sqlite', { force: true })
const db = new DatabaseSync('raw.sqlite')
db.exec(\`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
CREATE TABLE traces (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, experiment INTEGER, name TEXT, status TEXT, ms INTEGER, sub INTEGER, duration INTEGER, inputs TEXT, outputs TEXT);
CREATE INDEX newest ON traces (experiment, ms);
CREATE TABLE trials (run INTEGER, position INTEGER, repeat INTEGER, trace INTEGER, row_id TEXT, failed INTEGER, attempts INTEGER, digest TEXT, PRIMARY KEY (run, position, repeat)) WITHOUT ROWID;
CREATE INDEX of_trace ON trials (trace);
CREATE TABLE assessments (trace INTEGER, ordinal INTEGER, kind INTEGER, name INTEGER, type INTEGER, num REAL, text TEXT, valid INTEGER, run INTEGER, scorer INTEGER, duration REAL, created INTEGER, updated INTEGER, extra TEXT, PRIMARY KEY (trace, ordinal)) WITHOUT ROWID;
CREATE INDEX by_value ON assessments (name, kind, type, num, substr(text, 1, 40));\`)
const trace = db.prepare('INSERT INTO traces (id, experiment, name, status, ms, sub, duration, inputs, outputs) VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?)')
const trial = db.prepare('INSERT INTO trials VALUES (1, ?, 0, ?, ?, 0, 1, ?)')
const assessment = db.prepare('INSERT INTO assessments VALUES (?, ?, 0, ?, ?, ?, ?, 1, 1, ?, 0.01, ?, ?, NULL)')
for (let from = 0; from < ${n}; from += 1000) {
  db.exec('BEGIN IMMEDIATE')
  for (let i = from; i < Math.min(${n}, from + 1000); i++) {
    const text = JSON.stringify({ question: 'question ' + i + ', forty characters of text or so' })
    const id = Date.now().toString(16).padStart(12, '0') + randomBytes(10).toString('hex')
    trace.run('tr-' + id, 'predict', 'OK', Date.now(), i % 1e6, 1000, text, text)
    trial.run(i, i + 1, id + id, id + id)
    assessment.run(i + 1, 0, 1, 1, 1, null, 1, Date.now(), Date.now())
    assessment.run(i + 1, 1, 2, 2, 48, null, 2, Date.now(), Date.now())
    assessment.run(i + 1, 2, 3, 3, null, 'yes', 3, Date.now(), Date.now())
  }
  db.exec('COMMIT')
}
db.close()
`

export function prepare(rows) {
  mkdirSync(join(root, 'test', '.tmp'), { recursive: true })
  const folder = mkdtempSync(join(root, 'test', '.tmp', 'bench-'))
  const target = join(folder, 'node_modules', 'vitest-evaluate')
  cpSync(join(root, 'dist'), join(target, 'dist'), { recursive: true })
  cpSync(join(root, 'package.json'), join(target, 'package.json'))
  const files = {
    'package.json': '{ "name": "bench", "type": "module" }',
    'vitest.config.ts': `import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'
export default defineConfig({ plugins: process.env.PLAIN ? [] : [evaluate()], test: { testTimeout: 0 } })
`,
    'ours.eval.js': ours(array(rows)),
    'otel.eval.js': otel(array(rows)),
    'spans.eval.js': spans(array(rows)),
    'bare.test.js': bare(array(rows)),
    'ours-small.eval.js': ours(array(10)),
    'bare-small.test.js': bare(array(10)),
    'million.eval.js': ours(generator(1_000_000)),
    'waiting.eval.js': waiting,
    'raw.js': raw(rows),
    'reopen.js': `import { openRun } from 'vitest-evaluate'
const run = await openRun('ours')
console.log((await run.search('feedback.length < 45').toArray()).length)
`,
    'import.js': "const t = performance.now(); await import('vitest-evaluate'); console.log(performance.now() - t)\n",
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

/**
 * Runs a command and gives its wall time, what it printed, and the largest peak memory of any process below it. To look at all threads so often
 * takes a fifth of a core: `peak: false` leaves it, where the time of something short is wanted.
 */
export function measure(folder, args, env = {}, { peak = true } = {}) {
  return new Promise((done, fail) => {
    const started = performance.now()
    const options = {
      cwd: folder,
      env: { ...process.env, NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    }
    const child = spawn(process.execPath, args, options)
    let text = ''
    let peakMb = 0
    const look = () => {
      for (const pid of tree(child.pid)) peakMb = Math.max(peakMb, highWater(pid))
    }
    const timer = peak ? setInterval(look, 20) : undefined
    child.stdout.on('data', (chunk) => {
      text += chunk
    })
    child.on('close', (code) => {
      clearInterval(timer)
      if (code === 0) done({ ms: performance.now() - started, peakMb, text })
      else fail(new Error(`${args.join(' ')} ended with ${code}\n${text}`))
    })
  })
}

function tree(pid) {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
    )
    return [pid, ...children.flatMap((child) => tree(Number(child)))]
  } catch {
    return []
  }
}

function highWater(pid) {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}
