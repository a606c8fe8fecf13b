import { expect, test } from 'vitest'
import { repository } from '../data/repository.ts'
import { project } from './project.ts'

/** What a test run, and then the gate command, say of gates. */

const EVAL = `
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
import { floor } from 'vitest-evaluate/gates'

const rows = Array.from({ length: 200 }, (_, n) => ({ inputs: n }))
const good = scorer('good', ({ outputs }) => outputs)
const app = (n) => n >= Number(process.env.FAILURES ?? 0)

test('gated', async ({ evaluate }) => {
  await evaluate(rows, app, [good], {
    baseline: process.env.AGAINST ?? false,
    gates: { good: { floor: 0.9, margin: 0.02 }, god: { floor: 0.5 } },
  })
  console.log('went on')
})
test('undecided', async ({ evaluate }) => {
  await evaluate(rows.slice(0, 10), app, [good], { gates: { good: { floor: 0.9 } } })
})
test('strict', async ({ evaluate }) => {
  await evaluate(rows.slice(0, 10), app, [good], { gates: [floor('good', 0.9)], inconclusive: 'fail' })
})
test('matcher', async ({ evaluate, expect }) => {
  const run = await evaluate(rows, app, [good])
  await expect(run).toPass({ good: { floor: 0.9 } })
  await expect(run).not.toPass({ good: { ceiling: 0.5 } })
  await expect(run).toPass({ good: { margin: 0.1 } }, { baseline: run })
  await expect.soft(run).toPass({ good: { ceiling: 0.4 } })
  await expect(expect(run).toPass({})).rejects.toThrow('Cannot ask gates: there is none')
  await expect(expect(run).toPass({ good: { margin: 0.1 } })).rejects.toThrow('and there is none')
  expect(run.metrics['good/mean']).toBe(1)
})`

const HOSTILE = `
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
const name = '\\u001b[31mred\\u202e'
test('hostile', async ({ evaluate }) => {
  await evaluate([{ inputs: 1 }], () => null, [scorer(name, () => false)], { gates: { [name]: { must: true } } })
})`

const CONFIG = `import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'
export default defineConfig({ plugins: [evaluate({ gates: { budget: { errorRate: 0 } } })] })
`

test.for([5, 4] as const)(
  'under Vitest %i each gate that fails is a soft error of its own; later the command says the same',
  async (major) => {
    const p = project(major, { 'app.eval.ts': EVAL, 'vitest.config.ts': CONFIG })
    const { code, stdout, stderr } = await p.vitest('run')
    const all = stdout + stderr
    expect(code, all).toBe(1)
    expect(stdout).toContain('went on')
    expect(stderr).toContain('gated: there is no column "god" (did you mean "good"?)')
    expect(stderr).toContain('strict: good may or may not be at least 0.9: 1,')
    expect(stderr).toContain('matcher: good is 1, between')
    expect(stderr).not.toMatch(/FAIL .* undecided/)
    expect(stdout).toContain('Gates: 1 failed, 1 inconclusive, 2 passed')
    expect(stdout).toContain('? good has no baseline: none is wanted')
    expect(stdout).toContain('the share of rows with an error is 0, at most 0 (200 of 200 rows)')

    // The line that evaluates, not the one where its test begins.
    const line = EVAL.split('\n').findIndex((text) => text.includes('evaluate(rows, app, [good], {')) + 1
    const annotations = await p.cli('report', 'gated', '--format', 'annotations')
    expect(annotations.stdout).toContain(
      `::error file=app.eval.ts,line=${line},title=gated%3A floor of god::there is no column`,
    )

    const gate = await p.cli('gate', 'gated')
    expect(gate.code, gate.stderr).toBe(1)
    expect(gate.stdout).toContain('✗ there is no column "god" (did you mean "good"?)')
    expect((await p.cli('gate', 'strict')).code).toBe(2)
    expect((await p.cli('gate', 'undecided')).code).toBe(0)
    expect((await p.cli('gate', 'nowhere')).code).toBe(3)
  },
)

test('a gate of a column with a hostile name fails without steering the terminal', async () => {
  const p = project(5, { 'app.eval.ts': HOSTILE, 'vitest.config.ts': CONFIG })
  const { code, stderr } = await p.vitest('run')
  expect(code).toBe(1)
  expect(stderr).toContain('hostile: \\u001b[31mred\\u202e does not pass on 1 of 1 row')
  expect(stderr).not.toContain('\u001b[31mred')
})

const PLAIN = `
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
const rows = Array.from({ length: 200 }, (_, n) => ({ inputs: n }))
test('app', async ({ evaluate }) => {
  await evaluate(rows, (n) => n >= FAILURES, [scorer('good', ({ outputs }) => outputs)], { gates: { good: { margin: 0.02 } } })
})`

test('a committed baseline file gates a checkout without any store', async () => {
  const p = project(5, {
    'app.eval.ts': PLAIN.replace('FAILURES', '0'),
    'vitest.config.ts': CONFIG.replace('{ gates: { budget: { errorRate: 0 } } }', "{ baseline: 'baseline.jsonl' }"),
  })
  const missing = await p.vitest('run')
  expect(missing.code).toBe(1)
  expect(missing.stderr).toContain('Cannot open the baseline "baseline.jsonl": there is no such file')
  p.write({ 'vitest.config.ts': CONFIG })
  expect((await p.vitest('run')).code).toBe(0)
  expect((await p.cli('export', 'latest', 'baseline.jsonl')).code).toBe(0)
  p.write({
    'app.eval.ts': PLAIN.replace('FAILURES', '30'),
    'vitest.config.ts': CONFIG.replace(
      '{ gates: { budget: { errorRate: 0 } } }',
      "{ baseline: 'baseline.jsonl', store: 'fresh.sqlite' }",
    ),
  })
  const { code, stderr, stdout } = await p.vitest('run')
  expect(code).toBe(1)
  expect(stderr).toContain('app: good has become worse: 0.85 after 1')
  expect(stdout).toContain('given as baseline.jsonl')
})

test('shards find their baselines in the store of the whole, and a gate of the configuration that guards nothing is said', async () => {
  const p = project(5, {
    'app.eval.ts': PLAIN.replace('FAILURES', '0'),
    'other.eval.ts': PLAIN.replace('FAILURES', '0').replace("test('app'", "test('other'"),
    'vitest.config.ts': CONFIG.replace(
      '{ gates: { budget: { errorRate: 0 } } }',
      '{ gates: { goood: { floor: 0.5 } } }',
    ),
    '.gitignore': 'node_modules\n.vitest\n',
  })
  const repo = repository(p.folder)
  repo.commit('one')
  repo.git('add', '.')
  repo.git('commit', '--quiet', '-m', 'all')
  const first = await p.vitest('run')
  expect(first.code, first.stderr).toBe(0)
  expect(first.stdout).toContain(
    '! the gate of "goood" guards nothing: no evaluation here has such a column (did you mean "good"?)',
  )
  repo.git('checkout', '--quiet', '-b', 'change')
  p.write({
    'app.eval.ts': PLAIN.replace('FAILURES', '30'),
    'other.eval.ts': PLAIN.replace('FAILURES', '40').replace("test('app'", "test('other'"),
  })
  repo.git('commit', '--quiet', '-am', 'worse')
  for (const shard of ['1/2', '2/2']) {
    const { code, stdout, stderr } = await p.vitest('run', `--shard=${shard}`)
    expect(code, stdout + stderr).toBe(1)
    expect(stderr).toContain('good has become worse')
    expect(stdout).toContain('the commit that the change is')
  }
})
