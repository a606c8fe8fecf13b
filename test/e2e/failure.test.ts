import { expect, test } from 'vitest'
import type { RunRecord } from '../../src/run.ts'
import { project } from './project.ts'

/** What a test run says when evaluations fail, are cut off, or are tried again. */

const SOFT = `
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

const some = scorer('some', ({ outputs }) => (outputs % 2 ? true : null))
const thrower = scorer('thrower', ({ outputs }) => {
  if (outputs === 2) throw new TypeError('bad answer')
  return 1
})
const rows = Array.from({ length: 12 }, (_, i) => ({ inputs: i }))
const shaky = (n: number): number => {
  if (n % 5 === 1) throw new Error('backend is down')
  return n
}

test('soft', async ({ evaluate, expect }) => {
  const run = await evaluate(rows, shaky, [some, thrower])
  console.log('went on with ' + run.totals.rows)
  expect.soft(run.metrics['some/mean'], 'own gate').toBe(0)
})
test('allowed', async ({ evaluate }) => {
  await evaluate(rows, shaky, [some, thrower], { allowFailed: 3, minScored: 0.4 })
})
test('matcher', async ({ evaluate, expect }) => {
  const run = await evaluate(rows, shaky, [thrower], { allowFailed: true, minScored: 0 })
  expect(run).toBeComplete()
  expect({ record: { ...run.record, status: 'interrupted', reason: 'cut' } }).not.toBeComplete()
})`

const HANG = `
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

test('hang', { timeout: 400 }, async ({ evaluate }) => {
  const rows = Array.from({ length: 12 }, (_, i) => ({ inputs: i }))
  await evaluate(rows, (n, { signal }) => (n < 5 ? n : new Promise(() => signal)), [scorer('s', () => true)])
})
test('next', async ({ evaluate }) => {
  await evaluate([{ inputs: 1 }], (n) => n, [scorer('s', () => true)])
})`

const RETRY = `
import { expect, test } from 'vitest'
import { evaluate, scorer } from 'vitest-evaluate'

let attempt = 0
test('retried', { retry: 2 }, async () => {
  attempt++
  const run = await evaluate([{ inputs: attempt }], (n) => n, [scorer('attempt', ({ outputs }) => outputs)])
  expect(run.metrics['attempt/mean']).toBe(3)
})`

const BAD = `
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

test('empty', async ({ evaluate }) => {
  await evaluate([], (n) => n, [scorer('s', () => true)])
})`

test.for([5, 4] as const)(
  'failing evaluations fail their tests under Vitest %i, and keep what they have',
  async (major) => {
    const p = project(major, { 'soft.eval.ts': SOFT, 'hang.eval.ts': HANG, 'retry.test.ts': RETRY, 'bad.eval.ts': BAD })
    const { code, stdout, stderr } = await p.vitest('run')
    const all = stdout + stderr
    expect(code, all).toBe(1)
    expect(all).not.toContain('Unhandled')

    // Soft: the test goes on, its own gate and ours are both reported.
    expect(stdout).toContain('went on with 12')
    expect(stderr).toContain('soft: 3 of 12 rows failed (3 × PREDICT_THREW)')
    expect(stderr).toContain('soft: column "some" has a value on 4 of 9 rows (5 missing, 0 errors)')
    expect(stderr).toContain('soft: column "thrower" has a value on 8 of 9 rows (0 missing, 1 error)')
    expect(stderr).toContain('own gate')
    expect(stdout).toContain('3 × PREDICT_THREW  backend is down')
    expect(stderr).not.toContain('allowed:')
    expect(stderr).not.toMatch(/FAIL .* matcher/)

    // Cut off: what was done is kept, shown and marked; the test after it is not disturbed.
    expect(stderr).toMatch(/FAIL .* hang\.eval\.ts > hang\n/)
    expect(stderr).toContain('Test timed out in 400ms')
    expect(stdout).toMatch(/\n hang {3}5 rows .*\n ! INTERRUPTED: Test timed out in 400ms/)
    expect(stdout).toContain('\n next   1 row ')

    // Tried again: only the last attempt is shown.
    expect(stdout.split('\n retried   ')).toHaveLength(2)
    expect(stdout).toMatch(/\n attempt +3\.000 /)

    expect(stderr).toContain('Cannot evaluate "empty": the data has no rows')
    expect(stdout).toMatch(/Tests {2}3 failed \| 4 passed/)

    const runs: RunRecord[] = JSON.parse((await p.cli('runs', '--json')).stdout)
    expect(runs.map(({ name, status, test }) => [name, status, test?.attempt]).toSorted()).toEqual([
      ['allowed', 'finished', 0],
      ['hang', 'interrupted', 0],
      ['matcher', 'finished', 0],
      ['next', 'finished', 0],
      ['retried', 'finished', 0],
      ['retried', 'finished', 1],
      ['retried', 'finished', 2],
      ['soft', 'finished', 0],
    ])
    const hang = runs.find(({ name }) => name === 'hang')
    expect(hang).toMatchObject({ reason: 'Test timed out in 400ms.', totals: { rows: 5, failed: 0 } })
  },
)
