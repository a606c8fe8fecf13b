import { expect, test } from 'vitest'
import type { RunRecord } from '../../src/run.ts'
import { sleep } from '../../src/std/async.ts'
import { type Project, project } from './project.ts'

/** Test runs that are cut off, narrowed down, repeated, or played with: what there is of a run is kept and says what it is. */

const SLOW = (name: string, during = ''): string => `
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

test('${name}', async ({ evaluate }) => {
  ${during}
  const rows = Array.from({ length: 1_000 }, (_, inputs) => ({ inputs }))
  const slow = async (n: number) => new Promise<number>((done) => setTimeout(() => done(n + 1), 5))
  await evaluate(rows, slow, [scorer('next', ({ inputs, outputs }) => outputs === inputs + 1)], { maxConcurrency: 4 })
})`

/** Looks again until the run is what it should be, or a minute has passed. */
async function eventually<T>(look: () => Promise<T>, isSo: (seen: T) => boolean): Promise<T> {
  for (let tries = 0; tries < 300; tries++) {
    const seen = await look()
    if (isSo(seen)) return seen
    await sleep(200)
  }
  throw new Error('it did not happen within a minute')
}

const runs = async (p: Project): Promise<RunRecord[]> => {
  const { code, stdout } = await p.cli('runs', '--json', '--limit', '100')
  return code === 0 ? JSON.parse(stdout) : []
}

async function rowsOf(p: Project, id: string): Promise<number> {
  return JSON.parse((await p.cli('search', '--run', id, '--limit', '5000', '--json')).stdout).count
}

const TIMEOUT = `
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

let calls = 0
test('too slow', { timeout: 600 }, async ({ evaluate }) => {
  const rows = Array.from({ length: 2_000 }, (_, inputs) => ({ inputs }))
  const slow = async (n: number) => { calls++; return new Promise<number>((done) => setTimeout(() => done(n + 1), 5)) }
  await evaluate(rows, slow, [scorer('next', ({ inputs, outputs }) => outputs === inputs + 1)], { maxConcurrency: 4 })
})
test('after', async ({ expect }) => {
  const before = calls
  await new Promise((done) => setTimeout(done, 150))
  expect(before).toBeGreaterThan(40)
  expect(calls).toBe(before)
})`

test.for([5, 4] as const)(
  'an evaluation that Vitest %i cuts off, by a timeout or --bail, stops paying, and its run is kept and shown',
  async (major) => {
    const p = project(major, { 'timeout.eval.ts': TIMEOUT })
    const timeout = await p.vitest('run')
    expect(timeout.code, timeout.stdout).toBe(1)
    expect(timeout.stdout).toMatch(/Tests {2}1 failed \| 1 passed/)
    expect(timeout.stdout).toMatch(/\n too slow {3}\d+ rows .*\n ! INTERRUPTED: Test timed out in 600ms/)
    expect(timeout.stdout).toContain('\n resume: VITEST_EVALUATE_RESUME=1 npx vitest run timeout.eval.ts\n')
    const [slow, ...none] = await runs(p)
    expect(none).toEqual([])
    expect(slow).toMatchObject({ name: 'too slow', status: 'interrupted', totals: { failed: 0 } })
    expect(slow?.totals.rows).toBeGreaterThan(40)
    expect(await rowsOf(p, slow?.id as string)).toBe(slow?.totals.rows)

    const gate = "await new Promise((done) => setTimeout(done, 700)); throw new Error('own gate')"
    const q = project(major, { 'slow.eval.ts': SLOW('slow'), 'gate.eval.ts': SLOW('gate', gate) })
    const bail = await q.vitest('run', '--bail=1', '--maxWorkers=2')
    expect(bail.code, bail.stdout).toBe(1)
    expect(bail.stderr).toContain('own gate')
    expect(bail.stdout).toMatch(/\n slow {3}\d+ rows .*\n ! INTERRUPTED: /)
    const [cut] = await runs(q)
    expect(cut).toMatchObject({ name: 'slow', status: 'interrupted', totals: { failed: 0 } })
    expect(cut?.totals.rows).toBeGreaterThan(20)
    expect(cut?.columns).toMatchObject([{ name: 'next', passed: cut?.totals.rows }])
    expect(await rowsOf(q, cut?.id as string)).toBe(cut?.totals.rows)
  },
)

const RESUMING = `
import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'
export default defineConfig({ plugins: [evaluate({ resume: 'force' })] })
`

test.for([
  ['SIGINT', 5, 'it alone'],
  ['SIGINT', 5, 'its whole group, as Ctrl-C does'],
  ['SIGINT', 4, 'its whole group, as Ctrl-C does'],
  ['SIGTERM', 5, 'it alone'],
  ['SIGTERM', 4, 'it alone'],
] as const)(
  '%s to Vitest %i, %s, leaves a run that reads as interrupted, nobody who pays on, and something to resume',
  async ([signal, major, whom]) => {
    const p = project(major, { 'vitest.config.ts': RESUMING, 'slow.eval.ts': SLOW('slow') })
    const started = p.start('run')
    const [running] = await eventually(
      () => runs(p),
      ([run]) => (run?.totals.rows ?? 0) > 50,
    )
    expect(running?.status).toBe('running')
    const pid = started.process.pid as number
    process.kill(whom === 'it alone' ? pid : -pid, signal)
    expect((await started.ended).code).toBe(signal === 'SIGINT' ? 130 : 143)
    const [cut] = await eventually(
      () => runs(p),
      ([run]) => run?.status === 'interrupted',
    )
    // Vitest 4 leaves its workers behind, who have to notice.
    if (major === 4 && whom === 'it alone') expect(cut?.reason).toBe('Vitest has ended')
    const rows = cut?.totals.rows as number
    expect(rows).toBeGreaterThan(50)
    expect(rows).toBeLessThan(1_000)
    await sleep(300)
    expect(await rowsOf(p, cut?.id as string)).toBe(rows)

    const { code, stdout } = await p.vitest('run')
    expect(code, stdout).toBe(0)
    const [resumed, before] = await runs(p)
    expect(resumed).toMatchObject({ status: 'finished', resumedFrom: before?.id, totals: { rows: 1_000 } })
    expect(resumed?.totals.reused?.predictions).toBe(rows)
  },
)

test.for([5, 4] as const)(
  'Vitest %i that a signal ends says how far each evaluation got and how it is resumed, and nothing of those that were done',
  async (major) => {
    const slower = SLOW('slower', "await evaluate([{ inputs: 1 }], (n) => n, [scorer('s', () => true)])").replace(
      'n + 1), 5',
      'n + 1), 40',
    )
    const p = project(major, { 'nested/slower.eval.ts': slower })
    const started = p.start('run')
    await eventually(
      async () => started.output(),
      (output) => /slower #2: \d+ of 1,000 rows/.test(output),
    )
    process.kill(-(started.process.pid as number), 'SIGINT')
    const { code, stdout } = await started.ended
    expect(code).toBe(130)
    const said =
      / ! slower #2: interrupted after at least (\d+) of 1,000 rows · resume: (VITEST_EVALUATE_RESUME=1 npx vitest run nested\/slower\.eval\.ts)\n/
    const [, rows] = said.exec(stdout) ?? []
    expect(Number(rows), stdout).toBeGreaterThan(90)
    expect(stdout.match(/interrupted after/g)).toHaveLength(1)
    const [cut] = await eventually(
      () => runs(p),
      ([run]) => run?.status === 'interrupted',
    )
    expect(cut?.totals.rows).toBeGreaterThanOrEqual(Number(rows))
  },
)

const LITTLE_MEMORY = `
import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'
export default defineConfig({ plugins: [evaluate()], test: { execArgv: ['--max-old-space-size=96'] } })
`

test.for([
  [5, 'dies', "setTimeout(() => process.kill(process.pid, 'SIGKILL'), 1_000)"],
  [4, 'dies', "setTimeout(() => process.kill(process.pid, 'SIGKILL'), 1_000)"],
  [
    5,
    'runs out of memory',
    'const hoard: unknown[] = []; setTimeout(() => { for (;;) hoard.push(Array.from({ length: 200_000 }, (_, i) => ({ i }))) }, 700)',
  ],
] as const)(
  'a worker of Vitest %i that %s takes nothing with it but its own evaluation, whose rows are kept',
  async ([major, _, die]) => {
    const p = project(major, {
      'vitest.config.ts': LITTLE_MEMORY,
      'dying.eval.ts': SLOW('dying', die),
      'other.eval.ts': SLOW('other'),
    })
    const { code, stdout, stderr } = await p.vitest('run', '--maxWorkers=2')
    expect(code, stdout).toBe(1)
    expect(stderr).toContain('Worker exited unexpectedly')
    expect(stdout, stderr).toContain('\n other   1,000 rows')
    const found = await eventually(
      () => runs(p),
      (seen) => seen.every(({ status }) => status !== 'running'),
    )
    const dying = found.find(({ name }) => name === 'dying')
    expect(found.map(({ name, status }) => [name, status]).toSorted()).toEqual([
      ['dying', 'interrupted'],
      ['other', 'finished'],
    ])
    expect(dying?.totals.rows).toBeGreaterThan(0)
    expect(await rowsOf(p, dying?.id as string)).toBe(dying?.totals.rows)
  },
)

const RETRIED = `
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

let attempt = 0
test('tried again', { retry: 2 }, async ({ evaluate, expect }) => {
  attempt++
  const run = await evaluate([{ inputs: 'same' }], () => attempt, [scorer('attempt', ({ outputs }) => outputs)], { resume: true })
  expect(run.totals.reused).toBeUndefined()
  expect(run.metrics['attempt/mean']).toBe(3)
})
test('passed over', async ({ evaluate }) => {
  await evaluate([{ inputs: 1 }], (n) => n, [scorer('s', () => true)])
})`

const FAKED = `
import { vi } from 'vitest'
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

test('faked', async ({ evaluate, expect }) => {
  vi.useFakeTimers({ now: 0 })
  const rows = Array.from({ length: 1_500 }, (_, inputs) => ({ inputs }))
  const predict = async (n: number) => (n === 7 ? new Promise<number>(() => {}) : Date.now() + n)
  const run = await evaluate(rows, predict, [scorer('same', ({ inputs, outputs }) => inputs === outputs)], {
    predictTimeoutMs: 100,
    allowFailed: 1,
  })
  expect(run.totals.failedCodes).toEqual({ PREDICT_TIMEOUT: 1 })
  expect(run.metrics['same/mean']).toBe(1)
  expect(await run.search('feedback.same = true').count()).toBe(1_499)
  expect(run.record.startedAt).toBeGreaterThan(1_700_000_000_000)
  expect(run.totals.wallMs).toBeGreaterThanOrEqual(100)
  vi.useRealTimers()
})`

const BESIDE = `
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

const mine = (name: string) => scorer('mine', ({ outputs }) => outputs === name)
test.concurrent.for(['left', 'right'])('%s', async (name, { evaluate, expect }) => {
  const slow = async () => new Promise<string>((done) => setTimeout(() => done(name), 3))
  const rows = (count: number) => Array.from({ length: count }, (_, inputs) => ({ inputs }))
  const [many, few] = await Promise.all([evaluate(rows(40), slow, [mine(name)]), evaluate(rows(7), slow, [mine(name)])])
  expect([many.name, few.name]).toEqual([name, name + ' #2'])
  expect([many.metrics['mine/mean'], few.metrics['mine/mean']]).toEqual([1, 1])
})`

const PROJECTS = `
import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'
export default defineConfig({
  plugins: [evaluate()],
  test: {
    projects: [
      { extends: true, test: { name: 'unit', include: ['unit/*.ts'], testTimeout: 4_000 } },
      { extends: true, test: { name: 'slow', include: ['slow/*.ts'] } },
    ],
  },
})`

const PLAIN = (name: string): string => `
import { expect, test } from 'vitest'
import { evaluate, scorer } from 'vitest-evaluate'

test('${name}', async () => {
  const run = await evaluate([{ inputs: 1 }], (n) => n, [scorer('s', () => true)])
  expect(run.name).toBe('${name}')
})`

test.for([5, 4] as const)(
  'retries, -t, fake timers, concurrent tests and projects under Vitest %i run, keep and print what they should',
  async (major) => {
    const p = project(major, {
      'vitest.config.ts': PROJECTS,
      'retried.eval.ts': RETRIED,
      'faked.eval.ts': FAKED,
      'beside.eval.ts': BESIDE,
      'unit/plain.ts': PLAIN('unit'),
      'slow/plain.ts': PLAIN('slow'),
    })
    const all = await p.vitest('run')
    expect(all.code, all.stdout + all.stderr).toBe(0)
    const stored = await runs(p)
    expect(stored.map(({ name, status }) => `${name} ${status}`).toSorted()).toEqual([
      'faked finished',
      'left #2 finished',
      'left finished',
      'passed over finished',
      'right #2 finished',
      'right finished',
      'slow finished',
      'tried again finished',
      'tried again finished',
      'tried again finished',
      'unit finished',
    ])
    for (const [name, rows] of [
      ['left', 40],
      ['left #2', 7],
      ['right', 40],
      ['right #2', 7],
    ] as const) {
      const run = stored.find((one) => one.name === name)
      expect([run?.test?.name, run?.totals.rows]).toEqual([name.replace(' #2', ''), rows])
      if (name === 'left #2') expect(await rowsOf(p, run?.id as string)).toBe(rows)
    }
    const [third, second, first] = stored.filter(({ name }) => name === 'tried again')
    expect([first?.supersedes, second?.supersedes, third?.supersedes]).toEqual([undefined, first?.id, second?.id])
    expect([first, second, third].map((run) => [run?.test?.attempt, run?.resumedFrom])).toEqual([
      [0, undefined],
      [1, undefined],
      [2, undefined],
    ])
    for (const name of [
      'faked',
      'left',
      'left #2',
      'right',
      'right #2',
      'passed over',
      'slow',
      'tried again',
      'unit',
    ]) {
      expect(all.stdout.split(`\n ${name}   `), name).toHaveLength(2)
    }
    expect(all.stdout).toMatch(/\n attempt +3\.000 /)

    const named = await p.vitest('run', '-t', 'passed')
    expect(named.code, named.stdout + named.stderr).toBe(0)
    expect(named.stdout).toContain('\n passed over   1 row ')
    expect(named.stdout).not.toContain('\n tried again   ')
    expect(await runs(p)).toHaveLength(stored.length + 1)

    const unit = await p.vitest('run', '--project', 'unit')
    expect(unit.code, unit.stdout + unit.stderr).toBe(0)
    expect(unit.stdout.match(/stored in/g)).toHaveLength(1)
    expect(unit.stdout).toContain('\n unit   1 row ')
  },
)
