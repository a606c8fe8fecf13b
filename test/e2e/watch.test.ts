import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { RunRecord } from '../../src/run.ts'
import { sleep } from '../../src/std/async.ts'
import { type Project, project, type Started } from './project.ts'

/** Watch mode: a data file belongs to the evaluation that reads it. */

const EVALUATION = (name: string, file: string): string => `
import { csv, scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

test('${name}', async ({ evaluate }) => {
  await evaluate(csv('${file}'), async ({ n }) => Number(n), [scorer('big', ({ outputs }) => outputs > 10)])
})`

const POLLING = `
import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'
export default defineConfig({
  plugins: [evaluate()],
  server: { watch: { usePolling: true, interval: 100 } },
})
`

async function eventually(started: Started, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (await isSo()) return
    if (started.process.exitCode !== null) break
    await sleep(100)
  }
  throw new Error(`It did not happen; this is what was printed:\n${started.output()}`)
}

const runs = async (p: Project): Promise<RunRecord[]> => JSON.parse((await p.cli('runs', '--json')).stdout)

test.for([5, 4] as const)(
  'a change of a data file runs the evaluation again that reads it under Vitest %i, and only that one',
  async (major) => {
    const p = project(major, {
      'vitest.config.ts': POLLING,
      'asked.eval.ts': EVALUATION('asked', 'data/questions.csv'),
      'other.eval.ts': EVALUATION('other', 'other.csv'),
      'data/questions.csv': 'no header at all\n',
      'other.csv': 'inputs.n\n7\n',
    })
    const started = p.start('--watch')
    const times = (text: string): number => started.output().split(text).length - 1
    await eventually(started, () => times('ing for file changes') === 1)
    expect([times('\n asked   '), times('\n other   1 row ')], started.output()).toEqual([0, 1])

    // Also where no run came of it, for the file was malformed, or is not there any more.
    const file = join(p.folder, 'data', 'questions.csv')
    for (const [rows, count] of [
      ['inputs.n\n5\n50\n', 2],
      ['inputs.n\n5\n50\n60\n', 3],
      [undefined, 0],
      ['inputs.n\n1\n2\n3\n4\n5\n', 5],
    ] as const) {
      const rounds = times('ing for file changes')
      if (rows === undefined) {
        rmSync(file)
        await sleep(500)
        continue
      }
      writeFileSync(file, rows)
      await eventually(started, () => times('ing for file changes') > rounds)
      expect(times(`\n asked   ${count} rows`), started.output()).toBe(1)
    }
    expect(times('\n other   1 row ')).toBe(1)
    const kept = await runs(p)
    expect(kept.map(({ name, totals }) => [name, totals.rows]).toSorted()).toEqual([
      ['asked', 2],
      ['asked', 3],
      ['asked', 5],
      ['other', 1],
    ])
    for (const run of kept) expect(run).toMatchObject({ status: 'finished', process: { pid: expect.any(Number) } })

    // The store, which each run writes, is nobody's data.
    const rounds = times('ing for file changes')
    await sleep(1_000)
    expect(times('ing for file changes')).toBe(rounds)

    started.process.kill('SIGTERM')
    await started.ended
  },
)

const OF_TRACES = `
import { scorer, traces } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

test('observed', async ({ evaluate }) => {
  await evaluate(traces('traces/**/*.json'), [scorer('named', ({ trace }) => trace.name !== undefined)])
})`

const traceFile = (digit: string): string => {
  const context = { traceId: digit.repeat(32), spanId: 'a'.repeat(16) }
  return JSON.stringify([{ name: digit, spanContext: context, startTime: [1, 0], endTime: [2, 0], attributes: {} }])
}

test.for([5, 4] as const)(
  'a new file that fits a glob of traces, or a change of one, runs the evaluation again under Vitest %i, and no other file does',
  async (major) => {
    const p = project(major, {
      'vitest.config.ts': POLLING,
      'observed.eval.ts': OF_TRACES,
      'traces/1.json': traceFile('1'),
    })
    const started = p.start('--watch')
    const times = (text: string): number => started.output().split(text).length - 1
    await eventually(started, () => times('ing for file changes') === 1)
    expect(times('\n observed   1 row '), started.output()).toBe(1)
    for (const [file, digit, rows] of [
      ['traces/2.json', '2', '2 rows'],
      ['traces/new/3.json', '3', '3 rows'],
      ['traces/2.json', '1', '2 rows'],
    ] as const) {
      const [rounds, shown] = [times('ing for file changes'), times(`\n observed   ${rows}`)]
      p.write({ [file]: traceFile(digit) })
      await eventually(started, () => times('ing for file changes') > rounds)
      expect(times(`\n observed   ${rows}`), started.output()).toBe(shown + 1)
    }
    const rounds = times('ing for file changes')
    p.write({ 'traces/notes.txt': 'nothing', 'elsewhere/4.json': traceFile('4') })
    await sleep(1_000)
    expect(times('ing for file changes')).toBe(rounds)
    started.process.kill('SIGTERM')
    await started.ended
  },
)
