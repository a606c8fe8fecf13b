import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { sleep } from '../../src/std/async.ts'
import { encode } from '../../src/std/json.ts'
import type { Store } from '../../src/store.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { outage } from '../data/outage.ts'
import { arrive, production } from '../data/watched.ts'
import { ROOT } from './project.ts'

/** The monitor as a process: the built package, a folder with a module of scorers, traces over HTTP. */

const MAIN = join(ROOT, 'dist/src/main.js')

const SCORERS = `import { scorer } from 'vitest-evaluate'
export const length = scorer('length', ({ outputs }) => String(outputs).length)
export const fragile = scorer('fragile', ({ outputs }) => {
  if (String(outputs).includes('exit')) process.exit(0)
  if (String(outputs).includes('kill')) process.kill(process.pid, 'SIGKILL')
  if (String(outputs).includes('hang')) for (;;);
  return true
})
export const careless = scorer('careless', ({ outputs }) => {
  if (String(outputs).includes('later')) setTimeout(() => { throw new Error('later') })
  return true
})
`

interface Shop {
  readonly folder: string
  readonly file: string
  open(): Store
  cli(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }>
  monitor(...args: string[]): Promise<Watching>
}

interface Watching {
  readonly process: ChildProcess
  readonly url: string
  output(): string
  readonly ended: Promise<number | null>
}

function shop(): Shop {
  const folder = mkdtempSync(join(tmpdir(), 'shop-'))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(ROOT, join(folder, 'node_modules/vitest-evaluate'))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'shop', type: 'module' }))
  writeFileSync(join(folder, 'scorers.mjs'), SCORERS)
  const file = join(folder, '.vitest/evaluate/store.sqlite')
  const stores: Store[] = []
  const processes: ChildProcess[] = []
  onTestFinished(async () => {
    for (const child of processes) child.kill('SIGKILL')
    for (const store of stores) await store.close()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  })
  const run = (...args: string[]) => {
    const child = spawn(process.execPath, [MAIN, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    processes.push(child)
    const [out, err]: [string[], string[]] = [[], []]
    child.stdout.on('data', (chunk) => out.push(String(chunk)))
    child.stderr.on('data', (chunk) => err.push(String(chunk)))
    const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
    return { child, out, err, ended }
  }
  return {
    folder,
    file,
    open: () => {
      const store = sqlite(file, { create: false })
      stores.push(store)
      return store
    },
    cli: async (...args) => {
      const { out, err, ended } = run(...args)
      return { code: await ended, stdout: out.join(''), stderr: err.join('') }
    },
    monitor: async (...args) => {
      const { child, out, err, ended } = run('monitor', '--port', '0', ...args)
      const output = (): string => out.join('') + err.join('')
      const found = () => /Receives traces on (\S+)\/v1\/traces/.exec(output())?.[1]
      await until(() => found() !== undefined || child.exitCode !== null, output)
      return { process: child, url: found() ?? '', output, ended }
    },
  }
}

async function until(isTrue: () => boolean | Promise<boolean>, describe: () => string, ms = 60_000): Promise<void> {
  for (const started = Date.now(); !(await isTrue()); await sleep(50)) {
    if (Date.now() - started > ms) throw new Error(`It has not happened. ${describe()}`)
  }
}

/** The process that scores. */
function workerOf({ process: { pid } }: Watching): number | undefined {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  return children.map(Number)[0]
}

/** Sends one trace for each answer, as an app's exporter does. */
async function send(url: string, answers: readonly string[]): Promise<void> {
  const start = BigInt(Date.now()) * 1_000_000n
  const spans = answers.map((answer, i) => ({
    traceId: (i + 1).toString(16).padStart(32, '0'),
    spanId: (i + 1).toString(16).padStart(16, '0'),
    name: 'answer',
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + 5_000_000n),
    attributes: [
      { key: 'mlflow.spanInputs', value: { stringValue: '"why"' } },
      { key: 'mlflow.spanOutputs', value: { stringValue: JSON.stringify(answer) } },
    ],
    status: { code: 1 },
  }))
  const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ scope: { name: 'app' }, spans }] }] })
  const response = await fetch(`${url}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  expect(response.status).toBe(200)
}

/** What was said of each trace, in the order of the answers. */
async function said(store: Store): Promise<Record<string, unknown>[]> {
  const found = await Array.fromAsync(store.search({ experiment: 'shop' }))
  return found
    .sort((a, b) => a.trace.id.localeCompare(b.trace.id))
    .map(({ assessments }) =>
      Object.fromEntries(assessments.map(({ name, value, error }) => [name, error?.code ?? value])),
    )
}

test('monitor receives traces, scores them, shows how far it is, and ends when it is told to', async () => {
  const { cli, monitor, open } = shop()
  expect((await cli('monitor', 'register', 'scorers.mjs', '--rate', '1')).stdout).toContain(
    'length (version 1): active, rate 1',
  )
  const watching = await monitor('--budget', '5')
  await send(watching.url, ['because', 'no'])
  const store = open()
  await until(async () => (await said(store)).every((one) => 'length' in one && 'careless' in one), watching.output)
  expect(await said(store)).toEqual([
    { length: 7, fragile: true, careless: true },
    { length: 2, fragile: true, careless: true },
  ])
  const metrics = await (await fetch(`${watching.url}/metrics`)).text()
  expect(metrics).toContain('vitest_evaluate_monitor_scored_total{experiment="shop",scorer="length"} 2')
  expect(metrics).toMatch(/_usd_today 0\n[\s\S]*_usd_budget 5\n/)
  expect((await cli('monitor', 'status')).stdout).toMatch(/length/)
  watching.process.kill('SIGTERM')
  expect(await watching.ended).toBe(0)
  expect(watching.output()).toContain('Ended')
  expect(await store.notes('monitor')).toEqual([])
}, 120_000)

test('a scorer that ends or holds up its process costs its own trace only', async () => {
  const { cli, monitor, open } = shop()
  await cli('monitor', 'register', 'scorers.mjs', '--rate', '1')
  const watching = await monitor('--hang-timeout', '2')
  await send(watching.url, ['well', 'exit', 'kill', 'hang', 'later', 'fine'])
  const store = open()
  await until(async () => (await said(store)).every((one) => Object.keys(one).length === 3), watching.output, 110_000)
  expect(await said(store)).toEqual([
    { length: 4, fragile: true, careless: true },
    { length: 4, fragile: 'SCORER_CRASHED', careless: true },
    { length: 4, fragile: 'SCORER_CRASHED', careless: true },
    { length: 4, fragile: 'SCORER_HUNG', careless: true },
    { length: 5, fragile: true, careless: true },
    { length: 4, fragile: true, careless: true },
  ])
  expect(watching.output()).toContain('Something that a scorer left running failed: later')
  const dead = JSON.parse((await cli('monitor', 'dead', '--json')).stdout)
  expect(dead.count).toBe(3)
  expect(JSON.stringify(dead)).toContain('gave no sign of life for 2 s')
  watching.process.kill('SIGTERM')
  expect(await watching.ended).toBe(0)
}, 180_000)

test('monitor --once says with 1 that a scorer was held up', async () => {
  const { cli, folder } = shop()
  await cli('monitor', 'register', 'scorers.mjs', '--rate', '1')
  rmSync(join(folder, 'scorers.mjs'))
  const { code, stdout } = await cli('monitor', '--once')
  expect(stdout).toContain('held up: ')
  expect(stdout).toContain('there is no module')
  expect(code).toBe(1)
}, 60_000)

test('monitor --once scores what was beside a scorer that ended its process, too', async () => {
  const { cli, open } = shop()
  await cli('monitor', 'register', 'scorers.mjs', '--rate', '1')
  const store = open()
  await arrive(store, ...['well', 'exit', 'fine'].map((answer, i) => production(i, { outputs: encode(answer) })))
  const { stdout } = await cli('monitor', '--once')
  expect(await said(store)).toEqual([
    { length: 4, fragile: true, careless: true },
    { length: 4, fragile: 'SCORER_CRASHED', careless: true },
    { length: 4, fragile: true, careless: true },
  ])
  expect(stdout).toMatch(/Ended: [1-9]\d* scores?/)
}, 120_000)

test('a monitor that is stopped together with its process takes nobody for hung when both go on', async () => {
  const { cli, monitor } = shop()
  await cli('monitor', 'register', 'scorers.mjs', '--rate', '1')
  const watching = await monitor('--hang-timeout', '2')
  await until(() => workerOf(watching) !== undefined, watching.output)
  const pids = [watching.process.pid as number, workerOf(watching) as number]
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  await sleep(3_500)
  for (const pid of pids.toReversed()) process.kill(pid, 'SIGCONT')
  await sleep(1_500)
  expect(watching.output()).not.toContain('no sign of life')
  watching.process.kill('SIGTERM')
  expect(await watching.ended).toBe(0)
}, 60_000)

test('the process that scores ends with the monitor that started it, however that ends', async () => {
  const { cli, monitor } = shop()
  await cli('monitor', 'register', 'scorers.mjs', '--rate', '1')
  const watching = await monitor()
  await until(() => workerOf(watching) !== undefined, watching.output)
  const child = workerOf(watching)
  watching.process.kill('SIGKILL')
  await watching.ended
  const isGone = (): boolean => {
    try {
      return /^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${child}/stat`, 'utf8'))
    } catch {
      return true
    }
  }
  await until(isGone, () => `process ${child} is still there`)
}, 120_000)

test('monitors that are killed again and again miss nothing and do nothing twice', async () => {
  const report = await outage({ root: ROOT, traces: 3_000, kills: 3 })
  expect(report).toMatchObject({ missed: 0, doubled: 0, uncalled: 0, wrong: 0, kills: 3 })
  expect(report.due).toBeGreaterThan(2_500)
}, 180_000)

test.each([
  [['monitor', '--host', '0.0.0.0'], /everybody who reaches it could write traces/],
  [['monitor', 'start', 'nobody'], /there is no such file|Scheduled scorer "nobody" not found/],
  [['monitor', 'register', 'missing.mjs'], /there is no module/],
  [['monitor', 'register', 'scorers.mjs', '--rate', '1.5'], /must be a number from 0 to 1/],
  [['monitor', 'register', 'scorers.mjs', '--filter', 'tag.env ='], /Cannot read the filter at position \d+/],
  [['backfill', 'nobody'], /there is no such file/],
  [['backfill'], /no scorer is named/],
  [['backfill', '--resume', 'bf-1'], /there is no such file/],
])('%s is refused in one sentence', async (args, sentence) => {
  const { cli } = shop()
  const { code, stderr } = await cli(...args)
  expect([code, stderr]).toEqual([1, expect.stringMatching(sentence)])
  expect(stderr).not.toMatch(/\n\s+at /)
})
