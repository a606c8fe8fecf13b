import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { evaluate, scorer } from '../../../src/index.ts'
import { openStore } from '../../../src/place.ts'
import { folder } from '../../data/evaluation.ts'
import { cli } from '../../data/terminal.ts'

beforeEach(() => {
  for (const name of ['CI', 'GITHUB_ACTIONS', 'GITLAB_CI', 'VITEST_EVALUATE_BASELINE']) vi.stubEnv(name, '')
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const rows = Array.from({ length: 100 }, (_, n) => ({ id: `q-${n + 1}`, inputs: { n } }))
const good = scorer('good', ({ outputs }) => outputs)
const run = (failures: number, options: object) =>
  evaluate(rows, ({ n }: { n: number }) => n >= failures, [good], { name: 'app', ...options })

async function runs(gates?: object) {
  const store = join(folder(), 'store.sqlite')
  const options = { store, ...(gates && { gates }) }
  const [before, after] = [await run(0, { store }), await run(30, { ...options, baseline: false })]
  const ask = (...args: string[]) => cli(['gate', ...args, '--store', store])
  return { store, before, after, ask }
}

test('gate asks the gates that a run has kept, and says later what it would have said then', async () => {
  const { store, before, ask } = await runs()
  const after = await run(30, { store, gates: { good: { floor: 0.6, margin: 0.03 } }, baseline: before.id })
  const { code, out, err } = await ask(after.id, '--json')
  expect(err).toBe('')
  const said = JSON.parse(out)
  expect(said).toMatchObject({ verdict: 'fail', code: 1, runs: [{ run: after.id, name: 'app' }] })
  expect(said.runs[0].findings).toEqual(JSON.parse(JSON.stringify(after.record.findings)))
  expect(said.runs[0].baseline).toEqual(after.record.baseline)
  expect(code).toBe(1)
})

test('gate opens the file that a run was held against, and takes no other in its place', async () => {
  const { before } = await runs()
  const [at, file] = [folder(), join(folder(), 'baseline.jsonl')]
  await before.export(file)
  const store = join(at, 'fresh.sqlite')
  const after = await run(30, { store, gates: { good: { margin: 0.03 } }, baseline: file })
  const ask = () => cli(['gate', after.id, '--store', store, '--json'])
  expect(JSON.parse((await ask()).out).runs[0].findings).toEqual(JSON.parse(JSON.stringify(after.record.findings)))
  rmSync(file)
  const { code, err } = await ask()
  expect(code).toBe(3)
  expect(err).toContain(`Cannot find the baseline ${before.id}: neither the store nor its file has it`)
})

test('gate holds a run against the one that is named, and prints what reviewers need', async () => {
  const { before, after, ask } = await runs({ good: { margin: 0.03 } })
  const { code, out } = await ask('latest', '--baseline', before.id)
  expect(code).toBe(1)
  const shown = out.replaceAll(before.id, 'run_before').replaceAll(after.id, 'run_after')
  await expect(shown).toMatchFileSnapshot('../../golden/gate-100.txt')
  expect((await ask('latest', '--no-baseline')).code).toBe(0)
})

test.for([
  ['good:floor=0.5', 0],
  ['good:floor=0.9', 1],
  ['good:floor=0.7', 0],
  ['good:ceiling=0.9', 0],
  ['good:must', 1],
  ['good:must=feedback.good = true', 0],
  ['good:improve', 0],
  ['budget:errorRate=0', 0],
  ['god:floor=0.5', 1],
] as const)('gate %s ends with %d', async ([gate, wanted]) => {
  const { ask } = await runs()
  const { code, out, err } = await ask('--gate', gate, '--no-baseline')
  expect(code, out + err).toBe(wanted)
})

test('gate ends with 2 where a gate cannot tell and that counts as failure, and a failed gate goes before', async () => {
  const { ask } = await runs()
  expect((await ask('--gate', 'good:floor=0.7')).code).toBe(0)
  expect((await ask('--gate', 'good:floor=0.7', '--inconclusive', 'fail')).code).toBe(2)
  const both = await ask('--gate', 'good:floor=0.7', '--gate', 'good:floor=0.9', '--inconclusive', 'fail')
  expect(both.code).toBe(1)
  expect(both.out).toContain('Gates: 1 failed, 1 inconclusive')
})

test.for<[readonly string[], string]>([
  [['nowhere'], 'Cannot open run "nowhere"'],
  [['latest'], 'Cannot gate run_'],
  [['--gate', 'good'], 'Cannot read the gate "good": expected <column>:<rule>=<value>, such as correct:floor=0.9'],
  [['--gate', 'good:flor=1'], 'there is no rule "flor" (did you mean "floor"?)'],
  [['--gate', 'good:floor=high'], '"floor" needs a number, found "high"'],
  [['--gate', 'budget:speed=1'], 'a budget has no "speed"'],
  [['--gate', 'good:must=tag.'], 'Cannot'],
  [['--gate', 'good:floor=1', '--baseline', 'nowhere', '--gate', 'good:margin=1'], 'Cannot open run "nowhere"'],
  [['--inconclusive', 'ignore'], 'Allowed choices are warn, fail'],
  [['--speed'], "unknown option '--speed'"],
])('gate %j ends with 3, and says why on stderr', async ([args, message]) => {
  const { ask } = await runs()
  const { code, out, err } = await ask(...args)
  expect([code, out]).toEqual([3, ''])
  expect(err).toContain(message)
})

test('gate of a run that was cut off ends with 3: it says nothing of the rows it has not seen', async () => {
  const { store, after, ask } = await runs()
  await openStore(store).updateRun({ ...after.record, status: 'interrupted' })
  const { code, err } = await ask(after.id, '--gate', 'good:floor=0.1')
  expect(code).toBe(3)
  expect(err).toContain(`Cannot gate ${after.id}: it is interrupted`)
})

test('gate asks several runs, and the worst decides', async () => {
  const { before, after, ask } = await runs()
  const { code, out } = await ask(before.id, after.id, '--gate', 'good:floor=0.9', '--json')
  expect(code).toBe(1)
  expect(JSON.parse(out).runs.map(({ findings }: any) => findings[0].verdict)).toEqual(['pass', 'fail'])
})
