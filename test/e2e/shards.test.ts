import { copyFileSync, cpSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { RunRecord } from '../../src/run.ts'
import { type Finished, type Project, project } from './project.ts'

/** Shards: each writes a store of its own; `--merge-reports`, or a command, makes one of them. */

/** Evaluation n has 10 + n rows; of its answers, n + 1 are zero. */
const evaluation = (n: number): string => `
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

test('eval ${n}', async ({ evaluate }) => {
  const rows = Array.from({ length: ${10 + n} }, (_, inputs) => ({ inputs, expectations: { small: inputs <= ${n} } }))
  await evaluate(rows, (i) => (i <= ${n} ? 0 : i), [scorer('zero', ({ outputs }) => outputs === 0)])
})`

const RETRIED = `
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

let attempt = 0
test('retried', { retry: 1 }, async ({ evaluate, expect }) => {
  const of = attempt++
  const first = await evaluate([{ inputs: of }], (n) => n, [scorer('attempt', ({ outputs }) => outputs)])
  await evaluate(first, [scorer('again', () => true)])
  expect(first.metrics['attempt/mean']).toBe(1)
})`

const FAILING = `
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

test('failing', async ({ evaluate }) => {
  await evaluate([{ inputs: 1 }, { inputs: 2 }], (n) => { if (n === 2) throw new Error('down'); return n }, [scorer('one', () => true)])
})`

const files = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`e${i + 1}.eval.ts`, evaluation(i + 1)]))

const records = async (p: Project, ...args: string[]): Promise<RunRecord[]> =>
  JSON.parse((await p.cli('runs', '--json', '--limit', '100', ...args)).stdout)

const names = (runs: readonly RunRecord[]): string[] => runs.map(({ name }) => name).toSorted()

/** Every evaluation's table, with its figures, once. */
function expectTables({ stdout }: Finished, count: number): void {
  for (let n = 1; n <= count; n++) {
    const [, table, ...more] = stdout.split(`\n eval ${n}   `)
    expect([table !== undefined, more.length], `eval ${n} in\n${stdout}`).toEqual([true, 0])
    expect(table).toMatch(new RegExp(`^${10 + n} rows [^]*?\\n zero +${((n + 1) / (10 + n)).toFixed(3)} `))
  }
}

/** Where Vitest puts blobs, which differs between its versions. */
const blobs = (p: Project): string =>
  ['.vitest-reports', join('.vitest', 'blob')].find((name) => existsSync(join(p.folder, name))) as string

test('eight shards, one of them failing, are merged into one report and one store', async () => {
  const p = project(5, { ...files(6), 'e7.eval.ts': RETRIED, 'e8.eval.ts': FAILING })
  const shard = (i: number) => p.vitest('run', `--shard=${i}/8`, '--reporter=blob', '--reporter=default')
  const shards: Finished[] = []
  for (const i of [1, 3, 5, 7]) shards.push(...(await Promise.all([shard(i), shard(i + 1)])))
  expect(shards.map(({ code }) => code).toSorted()).toEqual([0, 0, 0, 0, 0, 0, 0, 1])
  for (const { stdout } of shards) expect(stdout).toMatch(/stored in \.vitest\/evaluate\/shard-\d-of-8\.sqlite as run_/)

  const merged = await p.vitest('run', '--merge-reports', '--reporter=default')
  expect(merged.code, merged.stdout + merged.stderr).toBe(1)
  expect(merged.stderr).toContain('failing: 1 of 2 rows failed (1 × PREDICT_THREW)')
  expect(merged.stderr).not.toContain('Cannot merge')
  expectTables(merged, 6)
  for (const name of ['failing', 'retried', 'retried #2']) {
    expect(merged.stdout.split(`\n ${name}   `), name).toHaveLength(2)
  }
  expect(merged.stdout).toMatch(/\n attempt +1\.000 /)
  expect(merged.stdout).not.toContain('shard-')

  const runs = await records(p)
  const all = [...Array.from({ length: 6 }, (_, i) => `eval ${i + 1}`), 'failing']
  expect(names(runs)).toEqual([...all, 'retried', 'retried', 'retried #2', 'retried #2'].toSorted())
  const [last, first] = runs.filter(({ name }) => name === 'retried')
  expect(last?.supersedes).toBe(first?.id)
  const again = runs.find(({ parentRunId }) => parentRunId === last?.id)
  expect(again?.name).toBe('retried #2')
  expect((await p.cli('show', 'eval 3', '5')).stdout).toContain('small')

  // By command, as often as one likes; what is there already stays as it is.
  const stores = readdirSync(join(p.folder, '.vitest', 'evaluate')).filter((name) => name.startsWith('shard-'))
  expect(stores).toHaveLength(8)
  const paths = stores.map((name) => join('.vitest', 'evaluate', name))
  for (const _ of [1, 2]) {
    const { code, stdout, stderr } = await p.cli('merge', ...paths, '--store', 'merged.sqlite')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toBe(`Merged 11 runs of 8 stores into ${join(p.folder, 'merged.sqlite')}\n`)
    expect(await records(p, '--store', 'merged.sqlite')).toEqual(runs)
    const found = JSON.parse(
      (await p.cli('search', 'feedback.zero = true', '--store', 'merged.sqlite', '--json')).stdout,
    )
    expect(found.count).toBe(2 + 3 + 4 + 5 + 6 + 7)
  }
  const merging = await p.vitest('run', '--merge-reports', '--reporter=default')
  expectTables(merging, 6)
  expect(await records(p)).toEqual(runs)
})

const OWN_STORE = `
import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'
export default defineConfig({ plugins: [evaluate({ store: 'kept/here.sqlite' })] })
`

test.for([5, 4] as const)(
  'shards of several checkouts with a store of their own choice are merged under Vitest %i, also where one did not come along',
  async (major) => {
    const made = { ...files(4), 'vitest.config.ts': OWN_STORE }
    const home = project(major, made)
    const shard = async (i: number): Promise<Project> => {
      const p = project(major, made)
      const { code, stdout, stderr } = await p.vitest('run', `--shard=${i}/4`, '--reporter=blob', '--reporter=default')
      expect([code, stderr], stdout).toEqual([0, ''])
      expect(stdout).toContain(`stored in kept/here-shard-${i}-of-4.sqlite as run_`)
      // No log beside it: whoever takes the file has everything.
      expect(readdirSync(join(p.folder, 'kept')).toSorted()).toEqual(['.gitignore', `here-shard-${i}-of-4.sqlite`])
      return p
    }
    const checkouts = [...(await Promise.all([shard(1), shard(2)])), ...(await Promise.all([shard(3), shard(4)]))]
    for (const p of checkouts) {
      cpSync(join(p.folder, blobs(p)), join(home.folder, blobs(p)), { recursive: true })
      cpSync(join(p.folder, 'kept'), join(home.folder, 'kept'), { recursive: true })
      rmSync(p.folder, { recursive: true })
    }
    const away = join('kept', 'here-shard-4-of-4.sqlite')
    copyFileSync(join(home.folder, away), join(home.folder, 'elsewhere'))
    rmSync(join(home.folder, away))

    const merged = await home.vitest('run', '--merge-reports', '--reporter=default')
    // Vitest 4 itself finds no modules of other checkouts (vitest-dev/vitest#10347), but reports their tests.
    expect(merged.code, merged.stdout + merged.stderr).toBe(major === 5 ? 0 : 1)
    expect(merged.stdout.match(/stored in kept\/here\.sqlite as run_/g)).toHaveLength(3)
    expect(merged.stderr).toMatch(
      /Cannot merge run run_\w+ \(eval \d\): Cannot open the store ".*here-shard-4-of-4\.sqlite"/,
    )
    expect(merged.stdout).toMatch(/\neval \d: 1\d rows, 0 failed\. Cannot open the store/)
    expect(await records(home, '--store', 'kept/here.sqlite')).toHaveLength(3)

    copyFileSync(join(home.folder, 'elsewhere'), join(home.folder, away))
    expectTables(await home.vitest('run', '--merge-reports', '--reporter=default'), 4)
    expect(names(await records(home, '--store', 'kept/here.sqlite'))).toEqual(['eval 1', 'eval 2', 'eval 3', 'eval 4'])
  },
)
