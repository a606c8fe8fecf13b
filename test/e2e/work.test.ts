import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { RunRecord } from '../../src/run.ts'
import { type Project, project } from './project.ts'

/** The main job, on both majors: evaluate, see tables, chain in the same test, another file, another process, and look closer. */

const ANSWER = `
export async function answer({ q }: { q: string }): Promise<string> {
  return q.length > 11 ? q.slice(0, 5) : q.toUpperCase()
}`

const BOT = `
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
import { answer } from './answer.ts'

const complete = scorer('complete', ({ inputs, outputs }) => outputs.length === inputs.q.length)
const loud = scorer('loud', ({ outputs }) => outputs === outputs.toUpperCase())

test('support bot', async ({ evaluate, expect }) => {
  const rows = Array.from({ length: 12 }, (_, i) => ({ inputs: { q: 'question ' + (i + 5) }, tags: { n: String(i) } }))
  const run = await evaluate(rows, answer, [complete, loud])
  expect(run.metrics['complete/mean']).toBe(1)
  const quiet = run.search('feedback.loud = false')
  expect(await quiet.count()).toBe(0)
  const some = run.search('feedback.loud = true').filter((trace) => Number(trace.tags.n) < 3)
  const again = await evaluate(some, async ({ q }) => q + '!', [loud])
  expect(again.parentRunId).toBe(run.id)
  expect(again.totals.rows).toBe(3)
})`

const CONCURRENT = `
import { test } from 'vitest'
import { evaluate, scorer } from 'vitest-evaluate'

const right = scorer('right', ({ inputs, outputs }) => inputs === outputs)
test.concurrent('plain one', async ({ expect }) => expect(await deepInside(20)).toBe('plain one'))
test.concurrent('plain two', async ({ expect }) => expect(await deepInside(10)).toBe('plain two'))
test.concurrent('plain three', async ({ expect }) => expect(await deepInside(5)).toBe('plain three'))

async function deepInside(ms: number) {
  await new Promise((done) => setTimeout(done, ms))
  const run = await evaluate([{ inputs: ms }], async (inputs) => inputs, [right])
  if (run.name !== run.record.test?.name) throw new Error('bound to another test')
  return run.name
}`

const CHAIN = `
import { expect } from 'vitest'
import { openRun, scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

test('chained elsewhere', async ({ evaluate }) => {
  const before = await openRun('support bot')
  const run = await evaluate(before.search("tag.n IN ('1', '2')"), async ({ q }) => q, [scorer('loud', () => true)])
  expect(run.parentRunId).toBe(before.id)
  expect(run.totals.rows).toBe(2)
})`

const SCRIPT = `
import { evaluate, openRun, scorer } from 'vitest-evaluate'
const before = await openRun('latest')
const run = await evaluate(before, async ({ q }) => q.length, [scorer('long', ({ outputs }) => outputs > 5)], { name: 'script' })
console.log(JSON.stringify({ before: before.name, parent: run.parentRunId === before.id, rows: run.totals.rows, long: run.metrics['long/mean'], experiment: run.experiment }))`

const records = async (p: Project): Promise<RunRecord[]> => JSON.parse((await p.cli('runs', '--json')).stdout)

test.for([5, 4] as const)('the main job works under Vitest %i', async (major) => {
  const p = project(major, {
    'answer.ts': ANSWER,
    'bot.eval.ts': BOT,
    'chain.eval.ts': CHAIN,
    'concurrent.test.ts': CONCURRENT,
    'script.mjs': SCRIPT,
  })
  const store = join(p.folder, '.vitest', 'evaluate', 'store.sqlite')

  const listed = await p.vitest('list')
  expect(listed.code, listed.stderr).toBe(0)
  expect(listed.stdout).toContain('bot.eval.ts > support bot')
  expect(listed.stdout).toContain('concurrent.test.ts > plain one')
  expect(existsSync(join(p.folder, '.vitest'))).toBe(false)

  const missing = await p.cli('runs')
  expect([missing.code, missing.stdout]).toEqual([1, ''])
  expect(missing.stderr).toContain('there is no such file\nHint: evaluate or monitor something first')

  const first = await p.vitest('run', 'bot', 'concurrent')
  expect(first.code, first.stdout + first.stderr).toBe(0)
  expect(first.stderr).toBe('')
  for (const name of ['support bot', 'support bot #2', 'plain one', 'plain two', 'plain three']) {
    expect(first.stdout.split(`\n ${name}   `), name).toHaveLength(2)
  }
  expect(existsSync(store)).toBe(true)
  const runs = await records(p)
  expect(runs.map(({ name, test, experiment }) => [name, test?.file, test?.name, experiment]).toSorted()).toEqual([
    ['plain one', 'concurrent.test.ts', 'plain one', 'tiny'],
    ['plain three', 'concurrent.test.ts', 'plain three', 'tiny'],
    ['plain two', 'concurrent.test.ts', 'plain two', 'tiny'],
    ['support bot #2', 'bot.eval.ts', 'support bot', 'tiny'],
    ['support bot', 'bot.eval.ts', 'support bot', 'tiny'],
  ])
  for (const run of runs) expect(run).toMatchObject({ status: 'finished', problems: [] })

  const chained = await p.vitest('run', '--project', 'evals', 'chain', 'concurrent')
  expect(chained.code, chained.stdout + chained.stderr).toBe(0)
  expect(chained.stdout).toContain('chained elsewhere')
  expect(chained.stdout).not.toContain('plain one')

  const script = await p.node('script.mjs')
  expect(script.stderr).toBe('')
  expect(JSON.parse(script.stdout)).toEqual({
    before: 'chained elsewhere',
    parent: true,
    rows: 2,
    long: 1,
    experiment: 'tiny',
  })
  const [last, elsewhere, ...others] = await records(p)
  expect([last?.name, elsewhere?.name, others.length]).toEqual(['script', 'chained elsewhere', 5])
  expect(last?.parentRunId).toBe(elsewhere?.id)

  const show = await p.cli('show', 'support bot', '3')
  expect([show.code, show.stderr]).toEqual([0, ''])
  for (const text of ['question 7', 'QUESTION 7', 'complete', 'loud']) expect(show.stdout).toContain(text)
  const latest = await p.cli('show', 'latest', '2')
  expect(latest.stdout).toContain('question 7')
  expect(latest.stdout).toContain(elsewhere?.id)
  expect((await p.cli('show', 'latest', '3')).stderr).toContain('there is no such row')

  const search = await p.cli('search', "tag.n = '2'", '--json')
  expect(JSON.parse(search.stdout).count).toBe(4)
  const bad = await p.cli('search', 'tag.n ~ 2')
  expect([bad.code, bad.stdout]).toEqual([1, ''])
  expect(bad.stderr).toContain('Cannot read the filter at position 7')

  const exported = await p.cli('export', 'support bot', 'bot.jsonl')
  expect(exported.stdout).toBe(`Wrote 12 rows of ${runs.find(({ name }) => name === 'support bot')?.id} to bot.jsonl\n`)
  expect(readFileSync(join(p.folder, 'bot.jsonl'), 'utf8').trim().split('\n').length).toBeGreaterThanOrEqual(13)
  const reopened = await p.cli('show', 'bot.jsonl', '3')
  expect(reopened.stdout).toContain('QUESTION 7')
})
