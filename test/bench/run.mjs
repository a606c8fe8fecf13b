// Measures whole commands. Figures of one machine mean little; the ratios, taken in one session, are what counts.
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const rows = Number(process.env.BENCH_ROWS ?? 100_000)

const folder = prepare()

function prepare() {
  mkdirSync(join(root, 'test', '.tmp'), { recursive: true })
  const made = mkdtempSync(join(root, 'test', '.tmp', 'bench-'))
  const ours = join(made, 'node_modules', 'vitest-evaluate')
  cpSync(join(root, 'dist'), join(ours, 'dist'), { recursive: true })
  cpSync(join(root, 'package.json'), join(ours, 'package.json'))
  const write = (name, text) => writeFileSync(join(made, name), text)
  write('package.json', '{ "name": "bench", "type": "module" }')
  write(
    'vitest.config.ts',
    `import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'
export default defineConfig({ plugins: process.env.PLAIN ? [] : [evaluate()], test: { testTimeout: 0 } })
`,
  )
  const data = (n) =>
    `const rows = Array.from({ length: ${n} }, (_, i) => ({ inputs: { question: 'question ' + i + ', forty characters of text or so' } }))
const predict = async (inputs) => inputs
const checks = { same: ({ inputs, outputs }) => inputs === outputs, length: ({ outputs }) => outputs.question.length, kind: () => 'yes' }
`
  const ourTest = (n) => `import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
${data(n)}
test('ours', async ({ evaluate }) => {
  await evaluate(rows, predict, Object.entries(checks).map(([name, fn]) => scorer(name, fn)))
})
`
  const bareTest = (n) => `import { test } from 'vitest'
${data(n)}
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
  write('ours.eval.js', ourTest(rows))
  write('bare.test.js', bareTest(rows))
  write('ours-small.eval.js', ourTest(10))
  write('bare-small.test.js', bareTest(10))
  return made
}

/** Runs a command and gives its wall time and the largest peak memory of any process below it. */
function measure(args, env = {}) {
  return new Promise((done) => {
    const started = performance.now()
    const child = spawn(process.execPath, args, {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let peakMb = 0
    const timer = setInterval(() => {
      for (const pid of tree(child.pid)) peakMb = Math.max(peakMb, highWater(pid))
    }, 20)
    child.stdout.resume()
    child.on('close', (code) => {
      clearInterval(timer)
      if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`)
      done({ ms: performance.now() - started, peakMb })
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

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')

async function compare(title, ours, bare) {
  const runs = { ours: [], bare: [] }
  for (let i = 0; i < rounds; i++) {
    rmSync(join(folder, '.vitest'), { recursive: true, force: true })
    runs.ours.push(await measure(ours))
    runs.bare.push(await measure(bare, { PLAIN: '1' }))
  }
  const ms = { ours: median(runs.ours.map((run) => run.ms)), bare: median(runs.bare.map((run) => run.ms)) }
  const mb = {
    ours: Math.max(...runs.ours.map((run) => run.peakMb)),
    bare: Math.max(...runs.bare.map((run) => run.peakMb)),
  }
  console.log(`\n${title} (median of ${rounds})`)
  console.log(`  evaluated and kept: ${Math.round(ms.ours)} ms, peak ${Math.round(mb.ours)} MB in one process`)
  console.log(`  same loop, nothing kept: ${Math.round(ms.bare)} ms, peak ${Math.round(mb.bare)} MB`)
  return ms
}

try {
  const large = await compare(
    `${rows.toLocaleString('en-US')} rows, 3 scorers, through vitest run`,
    [vitest, 'run', 'ours.eval.js'],
    [vitest, 'run', 'bare.test.js'],
  )
  console.log(
    `  ratio ${(large.ours / large.bare).toFixed(2)}, ${Math.round((rows / large.ours) * 1_000).toLocaleString('en-US')} rows/s with Vitest's start`,
  )
  const small = await compare('10 rows', [vitest, 'run', 'ours-small.eval.js'], [vitest, 'run', 'bare-small.test.js'])
  console.log(`  difference ${Math.round(small.ours - small.bare)} ms`)

  const imports = []
  writeFileSync(
    join(folder, 'import.mjs'),
    "const t = performance.now(); await import('vitest-evaluate'); process.stdout.write(String(performance.now() - t))",
  )
  for (let i = 0; i < Math.max(5, rounds); i++) imports.push(await importMs())
  console.log(`\nimport of vitest-evaluate, cold: ${Math.round(median(imports))} ms (median of ${imports.length})`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function importMs() {
  return new Promise((done) => {
    let text = ''
    const child = spawn(process.execPath, ['import.mjs'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout.on('data', (chunk) => {
      text += chunk
    })
    child.on('close', () => done(Number(text)))
  })
}
