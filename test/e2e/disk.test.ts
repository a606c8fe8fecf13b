import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { RunRecord } from '../../src/run.ts'
import { MAJORS, type Project, project } from './project.ts'

/** Disks that are full, or that may only be read: real ones, which only one shell and its children can see. */

const UNSHARE = ['--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])]
const MOUNT = 'mount -t tmpfs -o size=600k,mode=777 tmpfs disk'

function canMount(folder: string): boolean {
  return spawnSync('unshare', [...UNSHARE, 'sh', '-c', MOUNT], { cwd: folder }).status === 0
}

const CONFIG = (store: string): string => `
import { defineConfig } from 'vitest/config'
export default defineConfig({
  test: {
    include: ['**/*.eval.ts'],
    reporters: ['default', ['vitest-evaluate/reporter', { store: '${store}', resume: 'force' }]],
  },
})`

const FILLING = `
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

const ok = scorer('ok', () => true)
const noise = (n: number) => Array.from({ length: 60 }, (_, i) => Math.sin(n * 61 + i).toString(36)).join()

test('small', async ({ evaluate }) => {
  await evaluate([{ inputs: 1 }, { inputs: 2 }], async (n) => n, [ok])
})
test('large', async ({ evaluate }) => {
  let calls = 0
  const predict = async (n: number) => {
    calls++
    await new Promise((done) => setTimeout(done, 1))
    return noise(n)
  }
  const rows = Array.from({ length: 1_000 }, (_, inputs) => ({ inputs }))
  await evaluate(rows, predict, [ok]).finally(() => console.log('called ' + calls + ' times'))
})`

/** Fills the disk, tries to write more to it, keeps what is on it, and evaluates once more where nothing may be written. */
const SCRIPT = `${MOUNT} || exit 77
cli="$1 node_modules/vitest-evaluate/dist/src/main.js"
$1 $2 run; echo "full: $?"
$cli export large disk/large.csv --store disk/store.sqlite; echo "export: $?"
$cli merge disk/store.sqlite --store disk/merged.sqlite; echo "merge: $?"
ls -A disk > listing
cp -r disk saved
mount -o remount,ro disk
echo READ-ONLY; echo READ-ONLY >&2
$1 $2 run; echo "read-only: $?"
$cli runs --store disk/store.sqlite --json > listed; echo "runs: $?"
`

const records = async (p: Project, store: string): Promise<RunRecord[]> =>
  JSON.parse((await p.cli('runs', '--json', '--store', store)).stdout)

const summaries = (runs: readonly RunRecord[]) => runs.map(({ name, status, totals }) => [name, status, totals.rows])

test.for([5, 4] as const)(
  'a disk that is full, or read-only, fails the evaluation under Vitest %i with one error, and costs nothing that was committed',
  async (major, { skip }) => {
    const p = project(major, { 'vitest.config.ts': CONFIG('disk/store.sqlite'), 'filling.eval.ts': FILLING })
    mkdirSync(join(p.folder, 'disk'))
    if (!canMount(p.folder)) skip('nothing may be mounted here')
    const vitest = join(MAJORS[major], 'vitest.mjs')
    const done = await p.program('unshare', ...UNSHARE, 'sh', '-c', SCRIPT, 'sh', process.execPath, vitest)
    const [full = '', readOnly = ''] = done.stdout.split('READ-ONLY\n')
    const [errors = '', errorsAfter = ''] = done.stderr.split('READ-ONLY\n')

    expect(full).toContain('\nfull: 1\n')
    expect(full).toMatch(/Tests {2}1 failed \| 1 passed/)
    expect(errors).not.toContain('Unhandled')
    expect(errors.match(/ FAIL /g)).toHaveLength(1)
    expect(errors).toMatch(
      /EvaluationError: Cannot write to the store ".*disk\/store\.sqlite": (database or disk is full|disk I\/O error)\nHint: what was done before that, [\d,]+ rows, is kept in run_/,
    )
    const before = await records(p, 'saved/store.sqlite')
    const [large, small] = before
    // The mark may not have found room either: then it is the process that is gone.
    expect(large).toMatchObject({ name: 'large', status: expect.stringMatching(/^(failed|interrupted)$/) })
    expect(small).toMatchObject({ name: 'small', status: 'finished', totals: { rows: 2 } })
    const kept = large?.totals.rows as number
    const called = Number(full.match(/called (\d+) times/)?.[1])
    expect(kept).toBeGreaterThan(20)
    expect(kept).toBeLessThan(called)
    expect(called).toBeLessThan(1_000)
    const found = await p.cli('search', '--run', large?.id as string, '--store', 'saved/store.sqlite', '--json')
    expect(JSON.parse(found.stdout).count).toBe(kept)
    expect(errors).toContain(`what was done before that, ${kept} rows, is kept in ${large?.id}`)
    expect(full).toMatch(new RegExp(`\\n large {3}${kept} rows `))

    // Nobody is left with half a file.
    expect(full).toContain('\nexport: 1\n')
    expect(errors).toMatch(/\nCannot export to "disk\/large\.csv": ENOSPC: .*\n/)
    expect(full).toContain('\nmerge: 1\n')
    expect(errors).toMatch(/\nCannot (open|write to) the store ".*disk\/merged\.sqlite": .*\n/)
    expect(readFileSync(join(p.folder, 'listing'), 'utf8')).not.toMatch(/\.csv|\.tmp/)

    expect(readOnly).toContain('read-only: 1\n')
    expect(readOnly).toMatch(/Tests {2}2 failed/)
    expect(readOnly).toContain('called 0 times')
    expect(errorsAfter).toMatch(
      /Cannot write to the store ".*disk\/store\.sqlite": attempt to write a readonly database/,
    )
    expect(readOnly).toContain('runs: 0\n')
    expect(summaries(JSON.parse(readFileSync(join(p.folder, 'listed'), 'utf8')))).toEqual(summaries(before))

    // With room again, only what is missing is paid.
    p.write({ 'vitest.config.ts': CONFIG('saved/store.sqlite') })
    const again = await p.vitest('run')
    expect(again.code, again.stdout + again.stderr).toBe(0)
    expect(again.stdout).toContain(`called ${1_000 - kept} times`)
    expect(summaries(await records(p, 'saved/store.sqlite'))).toEqual([
      ['large', 'finished', 1_000],
      ['small', 'finished', 2],
      ...summaries(before),
    ])
  },
)
