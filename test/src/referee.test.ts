import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Host, Settings } from '../../src/host.ts'
import { withHost } from '../../src/host.ts'
import { type EvaluateOptions, evaluate, feedback, type Run, scorer, span } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { folder, thrownBy } from '../data/evaluation.ts'
import { repository } from '../data/repository.ts'

beforeEach(() => {
  for (const name of ['CI', 'GITHUB_ACTIONS', 'GITLAB_CI', 'VITEST_EVALUATE_BASELINE', 'VITEST_EVALUATE_INCONCLUSIVE'])
    vi.stubEnv(name, '')
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const rows = Array.from({ length: 200 }, (_, n) => ({ inputs: { n }, tags: { critical: n < 3 ? 'yes' : 'no' } }))
/** An app that fails on the first so many rows. */
const app =
  (failures: number) =>
  ({ n }: { n: number }): boolean =>
    n >= failures
const good = scorer('good', ({ outputs }) => outputs)

const store = () => ({ store: memory(), name: 'app' })
const verdicts = ({ record }: Run) => record.findings?.map(({ gate, verdict }) => `${gate.kind} ${verdict}`)

test('evaluate() asks its gates at the end, and keeps gates and findings with the run', async () => {
  const options = {
    ...store(),
    gates: { good: { floor: 0.8, must: "tag.critical = 'yes'" }, gud: { floor: 1 }, budget: { errorRate: 0 } },
  } as const
  const run = await evaluate(rows, app(2), [good], options)
  expect(verdicts(run)).toEqual(['floor pass', 'must fail', 'floor fail', 'budget pass'])
  expect(run.record.findings?.[1]).toMatchObject({ rows: 3, of: 200, worstCount: 2 })
  expect(run.record.findings?.[2]?.message).toBe('there is no column "gud" (did you mean "good"?)')
  expect(run.record.gates?.map(({ kind }) => kind)).toEqual(['floor', 'must', 'floor', 'budget'])
  expect(await options.store.getRun(run.id)).toEqual(run.record)
  expect(run.record).not.toHaveProperty('baseline')
})

test('evaluate() refuses a gate or a baseline that cannot be one before anything is called', async () => {
  let calls = 0
  const counting = () => ++calls
  const mistake = await thrownBy(evaluate(rows, counting, [good], { gates: { good: { flor: 1 } as object } }))
  expect(mistake.message).toBe('Cannot gate "good": unknown rule "flor" (did you mean "floor"?)')
  const gone = await thrownBy(
    evaluate(rows, counting, [good], { ...store(), gates: { good: { margin: 0.1 } }, baseline: 'run_gone' }),
  )
  expect(gone.code).toBe('RUN_NOT_FOUND')
  expect(calls).toBe(0)
})

test('evaluate() holds a run against a run, an id, a name or an exported file', async () => {
  const options = store()
  const before = await evaluate(rows, app(0), [good], options)
  const file = join(folder(), 'baseline.jsonl')
  await before.export(file)
  for (const baseline of [before, before.id, 'app', file]) {
    const own = { ...options, name: 'later', gates: { good: { margin: 0.03 } }, baseline }
    const run = await evaluate(rows, app(40), [good], own)
    expect(verdicts(run)).toEqual(['margin fail'])
    expect(run.record.baseline).toMatchObject({ how: 'given', runId: before.id })
    expect(run.record.findings?.[0]).toMatchObject({
      baseline: 1,
      figure: 0.8,
      rows: 200,
      blocks: true,
      worstCount: 40,
    })
    expect(verdicts(await evaluate(rows, app(0), [good], own))).toEqual(['margin pass'])
  }
  const none = await evaluate(rows, app(40), [good], { ...options, gates: { good: { margin: 0.03 } }, baseline: false })
  expect(none.record).toMatchObject({ baseline: { how: 'none' }, findings: [{ reason: 'FIRST_RUN', blocks: false }] })
})

test('a committed baseline file needs no store that knows it', async () => {
  const before = await evaluate(rows, app(0), [good], store())
  const file = join(folder(), 'baseline.jsonl')
  await before.export(file)
  const gates = { good: { margin: 0.03 } }
  const run = await evaluate(rows, app(40), [good], { ...store(), gates, baseline: file })
  expect(verdicts(run)).toEqual(['margin fail'])
  vi.stubEnv('VITEST_EVALUATE_BASELINE', file)
  expect(verdicts(await evaluate(rows, app(40), [good], { ...store(), gates }))).toEqual(['margin fail'])
})

test('a baseline file that is not there is said before anything runs, and the first one can be made', async () => {
  const root = folder()
  let calls = 0
  const within = () =>
    withHost(host({ root }), () =>
      evaluate(rows, () => ++calls > 0, [good], {
        ...store(),
        gates: { good: { margin: 0.1 } },
        baseline: 'base.jsonl',
      }),
    )
  const missing = await thrownBy(within())
  expect(missing.message).toBe(
    'Cannot open the baseline "base.jsonl": there is no such file\n' +
      'Hint: evaluate once with VITEST_EVALUATE_BASELINE=none, then make it: vitest-evaluate export latest base.jsonl',
  )
  expect(calls).toBe(0)
  vi.stubEnv('VITEST_EVALUATE_BASELINE', 'none')
  const first = await within()
  expect(first.record.baseline?.how).toBe('none')
  await first.export(join(root, 'base.jsonl'))
  vi.stubEnv('VITEST_EVALUATE_BASELINE', '')
  expect(verdicts(await within())).toEqual(['margin pass'])
})

/** A host as the plugin makes it. */
function host(settings: Settings): Host {
  return {
    settings,
    test: { file: 'a.eval.ts', name: 'a test', attempt: 0, repeat: 0 },
    signal: new AbortController().signal,
    superseded: () => undefined,
    opened: () => undefined,
    track: () => undefined,
    nextName: () => 'a test',
    reads: () => undefined,
    started: () => undefined,
    progress: () => undefined,
    ended: () => undefined,
  }
}

test('evaluate() finds the run of the commit where the branch parted, and says how it came by it', async () => {
  const repo = repository()
  const commit = repo.commit('one')
  const options = { ...store(), gates: { good: { margin: 0.03 } } }
  const within = (failures: number, more: EvaluateOptions = {}) =>
    withHost(host({ root: repo.folder }), () => evaluate(rows, app(failures), [good], { ...options, ...more }))
  const first = await within(0)
  expect(first.record).toMatchObject({
    code: { commit, branch: 'main' },
    baseline: { how: 'none', note: 'no earlier run of committed code is stored' },
    findings: [{ reason: 'FIRST_RUN' }],
  })
  repo.git('checkout', '--quiet', '-b', 'change')
  repo.commit('two')
  const second = await within(40)
  expect(second.record).toMatchObject({
    baseline: { how: 'base', runId: first.id, commit },
    findings: [{ verdict: 'fail' }],
  })
  expect((await within(40, { baseline: false })).record.baseline?.how).toBe('none')
})

test('evaluate() records the CI job and takes its branch where the checkout has none', async () => {
  const repo = repository()
  repo.commit('one')
  repo.git('checkout', '--quiet', '--detach')
  vi.stubEnv('GITHUB_ACTIONS', 'true')
  vi.stubEnv('GITHUB_JOB', 'evals')
  vi.stubEnv('GITHUB_HEAD_REF', 'change')
  vi.stubEnv('GITHUB_BASE_REF', 'main')
  const run = await withHost(host({ root: repo.folder }), () => evaluate(rows.slice(0, 1), app(0), [good], store()))
  expect(run.record.job).toEqual({ system: 'github', job: 'evals' })
  expect(run.record.code).toMatchObject({ branch: 'change' })
})

test('gates of the plugin hold where their column is and nothing else is said, with the policy of the plugin', async () => {
  const settings: Settings = {
    gates: { good: { floor: 0.99 }, other: { floor: 1 }, budget: { errorRate: 0 } },
    inconclusive: 'fail',
  }
  const asked = async (options: EvaluateOptions = {}) => {
    const run = await withHost(host(settings), () => evaluate(rows, app(1), [good], { ...store(), ...options }))
    return run.record.findings?.map(({ gate, blocks }) => [gate.metric, gate.value, blocks])
  }
  expect(await asked()).toEqual([
    ['good', 0.99, true],
    ['errorRate', 0, false],
  ])
  expect(await asked({ inconclusive: 'warn' })).toEqual([
    ['good', 0.99, false],
    ['errorRate', 0, false],
  ])
  vi.stubEnv('VITEST_EVALUATE_INCONCLUSIVE', 'warn')
  expect((await asked())?.[0]?.[2]).toBe(false)
  expect(await asked({ gates: { 'good/mean': { floor: 0.5 } } })).toEqual([
    ['good/mean', 0.5, false],
    ['errorRate', 0, false],
  ])
})

test('a changed scorer refuses the comparison, or has the answers of the baseline scored again', async () => {
  const options = { ...store(), gates: { good: { margin: 0.03 }, same: { margin: 0.03 } } }
  let asked = 0
  const same = scorer('same', () => {
    asked++
    return true
  })
  const before = await evaluate(rows, app(10), [good, same], options)
  const strict = scorer('good', ({ inputs }) => inputs.n >= 60)
  const own = { ...options, baseline: before }
  const refused = await evaluate(rows, app(10), [strict, same], own)
  expect(refused.record.findings?.[0]).toMatchObject({ reason: 'NOT_COMPARABLE', blocks: false })
  expect(refused.record.findings?.[0]?.message).toContain('scorer "good" has changed')
  asked = 0
  const rescored = await evaluate(rows, app(10), [strict, same], { ...own, rescore: true })
  expect(rescored.record.findings?.map(({ verdict, baseline }) => [verdict, baseline])).toEqual([
    ['pass', 0.7],
    ['pass', 1],
  ])
  // What has not changed is not paid again: these are the calls of the run itself.
  expect(asked).toBe(200)
  expect(rescored.record.baseline).toMatchObject({ how: 'given', note: 'given, scored again' })
  const again = await options.store.getRun(rescored.record.baseline?.runId as string)
  expect(again).toMatchObject({
    parentRunId: before.id,
    tags: { rescored: before.id },
    totals: { reused: { scores: 200 } },
  })
})

test('rows of a cluster are counted together, by the tag that is named', async () => {
  const data = rows.map((row) => ({ ...row, tags: { document: String(Math.floor(row.inputs.n / 20)) } }))
  const gates = { good: { floor: 0.8 } }
  const [apart, together] = [
    await evaluate(data, app(20), [good], { ...store(), gates }),
    await evaluate(data, app(20), [good], { ...store(), gates, cluster: 'document' }),
  ]
  expect(apart.record.findings?.[0]).toMatchObject({ verdict: 'pass', method: 'wilson' })
  expect(together.record).toMatchObject({
    cluster: 'document',
    findings: [{ verdict: 'inconclusive', method: 'clustered' }],
  })
})

test('cluster may be a function of the row, whose word is kept as a tag; a row that belongs nowhere is refused', async () => {
  const options = { ...store(), gates: { good: { floor: 0.8 } } }
  const cluster = ({ inputs }: { inputs?: { n: number } }) => `doc ${Math.floor((inputs?.n ?? 0) / 20)}`
  const run = await evaluate(rows, app(20), [good], { ...options, cluster })
  expect(run.record).toMatchObject({ cluster: 'cluster', findings: [{ method: 'clustered' }] })
  expect(await run.search("tag.cluster = 'doc 3'").count()).toBe(20)
  const again = await evaluate(run, [good], { ...options, cluster: () => 'one' })
  expect(again.record.findings?.[0]).toMatchObject({ reason: 'TOO_FEW_ROWS', method: 'clustered' })
  const lost = await thrownBy(evaluate(rows, app(0), [good], { ...options, cluster: 'document' }))
  expect(lost.message).toContain('Cannot evaluate row 1: it has no tag "document", and rows are clustered by it')
  const odd = await thrownBy(evaluate(rows, app(0), [good], { ...options, cluster: () => 5 as never }))
  expect(odd.message).toContain('Cannot evaluate row 1: "cluster" gave 5')
})

test('rows in quarantine run and are reported, but gates do not count them before their day has ended', async () => {
  const day = (ms: number): string => new Date(Date.now() + ms).toISOString().slice(0, 10)
  const tagged = (quarantine: string) => rows.map((row) => (row.inputs.n < 5 ? { ...row, tags: { quarantine } } : row))
  const asked = async (quarantine: string) => {
    const run = await evaluate(tagged(quarantine), app(5), [good], { ...store(), gates: { good: { must: true } } })
    expect(run.totals.rows).toBe(200)
    return run.record.findings?.[0]
  }
  for (const quarantine of [day(0), day(86_400_000)]) {
    expect(await asked(quarantine)).toMatchObject({ verdict: 'pass', rows: 195, of: 195, quarantined: 5 })
  }
  for (const quarantine of [day(-86_400_000), 'soon', '']) {
    expect(await asked(quarantine)).toMatchObject({ verdict: 'fail', rows: 200, of: 200, worstCount: 5 })
  }
})

test('a budget of cost adds up what spans and judges state, and cannot tell where none does', async () => {
  const gates = { budget: { cost: 1 } }
  const data = rows.slice(0, 10)
  const priced = ({ n }: { n: number }) =>
    span('call', { type: 'CHAT_MODEL', attributes: { cost: 0.05 } }, () => n >= 0)
  const judged = scorer('good', ({ outputs }) =>
    feedback({ value: outputs, metadata: { 'model.calls': 1, 'model.cost': 0.01 } }),
  )
  const run = await evaluate(data, priced, [judged], { ...store(), gates })
  expect(run.record.findings?.[0]).toMatchObject({ verdict: 'pass' })
  expect(run.record.findings?.[0]?.figure).toBeCloseTo(0.6, 9)
  const unpriced = scorer('good', ({ outputs }) =>
    feedback({ value: outputs, metadata: { 'model.calls': 1, 'model.unknownCost': 1 } }),
  )
  const unsure = await evaluate(data, priced, [unpriced], { ...store(), gates })
  expect(unsure.record.findings?.[0]).toMatchObject({ verdict: 'inconclusive', reason: 'NOT_KNOWN' })
  const free = await evaluate(data, app(0), [good], { ...store(), gates })
  expect(free.record.findings?.[0]).toMatchObject({ verdict: 'inconclusive', reason: 'NOT_KNOWN' })
})

test('scorers of sessions go neither with repeats nor with an early end', async () => {
  const whole = scorer({ name: 'whole', level: 'session' }, () => true)
  const refused = async (options: EvaluateOptions) => (await thrownBy(evaluate(rows, app(0), [whole], options))).message
  expect(await refused({ repeats: 2 })).toBe(
    'Cannot evaluate: scorer "whole" judges whole sessions, for which rows cannot be repeated',
  )
  expect(await refused({ gates: { whole: { floor: 0.9, early: 0.8 } } })).toContain('for which a run cannot end early')
})
