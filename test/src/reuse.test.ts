import { mkdtempSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { overrideFeedback } from '../../src/assess.ts'
import type { EvaluateOptions } from '../../src/options.ts'
import { codeNotices, resumable } from '../../src/reuse.ts'
import type { RunRecord } from '../../src/run.ts'
import { type Scorer, scorer } from '../../src/scorer.ts'
import type { Store } from '../../src/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { evaluate } from '../../src/workspace.ts'
import { thrownBy } from '../data/evaluation.ts'
import { runRecord } from '../data/records.ts'

const STORES: Record<string, () => Store> = {
  memory: () => memory(),
  sqlite: () => sqlite(join(mkdtempSync(join(tmpdir(), 'reuse-')), 'store.sqlite')),
}

const rows = Array.from({ length: 600 }, (_, n) => ({ inputs: { n }, expectations: { even: n % 2 === 0 } }))

/** An app that counts its calls, and ends the evaluation when it has been called often enough. */
function app(calls: number[], stopAfter = Number.POSITIVE_INFINITY) {
  const controller = new AbortController()
  const predict = async ({ n }: { n: number }) => {
    calls.push(n)
    if (calls.length >= stopAfter) controller.abort(new Error('enough'))
    return n * 2
  }
  return { predict, signal: controller.signal }
}

const double = (calls: number[] = []) =>
  scorer({ name: 'double', version: '1' }, ({ inputs, outputs }) => {
    calls.push(inputs.n)
    return outputs === inputs.n * 2
  })
const size = (calls: number[] = [], version = '1') =>
  scorer({ name: 'size', version }, ({ outputs }) => {
    calls.push(outputs)
    return outputs < 600 ? outputs : null
  })

async function interruptedRun(
  store: Store,
  scorers: readonly Scorer[],
  options: EvaluateOptions = {},
): Promise<number[]> {
  const calls: number[] = []
  const { predict, signal } = app(calls, 250)
  const given = { name: 'numbers', store, signal, minScored: 0, ...options }
  await expect(evaluate(rows, predict, scorers, given)).rejects.toMatchObject({ code: 'RUN_INTERRUPTED' })
  return calls
}

for (const [kind, make] of Object.entries(STORES)) {
  test(`evaluate() with resume pays only what an interrupted run has not finished (${kind})`, async () => {
    const store = make()
    const before = await interruptedRun(store, [double(), size()])
    const [cut] = await store.listRuns()
    const calls: number[] = []
    const scored: number[] = []
    const resumed = await evaluate(rows, app(calls).predict, [double(scored), size()], {
      name: 'numbers',
      store,
      resume: true,
      minScored: 0,
    })
    const whole = await evaluate(rows, app([]).predict, [double(), size()], { name: 'whole', store, minScored: 0 })

    const kept = cut?.totals.rows as number
    expect(kept).toBeGreaterThan(200)
    expect(calls).toHaveLength(600 - kept)
    expect(scored).toHaveLength(600 - kept)
    expect(before.length + calls.length - 600).toBeLessThanOrEqual(10)
    expect(resumed.record).toMatchObject({ resumedFrom: cut?.id, status: 'finished' })
    expect(resumed.totals.reused).toEqual({ predictions: kept, scores: kept * 2 })
    expect(resumed.columns).toEqual(whole.columns)
    expect(resumed.record.worst.map(({ index }) => index)).toEqual(whole.record.worst.map(({ index }) => index))
    const plain = async (run: typeof whole) =>
      (await Array.fromAsync(run.rows())).map(({ id, index, inputs, outputs, expectations, feedback }) => ({
        id,
        index,
        inputs,
        outputs,
        expectations,
        feedback: Object.values(feedback).map(({ name, value, rationale }) => ({ name, value, rationale })),
      }))
    expect(await plain(resumed)).toEqual(await plain(whole))
    await store.close()
  })

  test(`evaluate() with resume scores only the column that is new or changed (${kind})`, async () => {
    const store = make()
    const options = { name: 'numbers', store, minScored: 0 } as const
    const first = await evaluate(rows, app([]).predict, [double(), size()], options)
    const calls: number[] = []
    const [kept, changed, added]: [number[], number[], number[]] = [[], [], []]
    const odd = scorer('odd', ({ outputs }) => {
      added.push(outputs)
      return outputs % 4 === 2
    })
    const again = await evaluate(rows, app(calls).predict, [double(kept), size(changed, '2'), odd], {
      ...options,
      resume: true,
    })
    expect([calls.length, kept.length, changed.length, added.length]).toEqual([0, 0, 600, 600])
    expect(again.columns.double).toEqual(first.columns.double)
    expect(again.columns.odd?.passed).toBe(300)
    expect(again.totals.reused).toEqual({ predictions: 600, scores: 600 })
    // The first run stays what it was.
    expect((await Array.fromAsync(first.rows())).some(({ feedback }) => feedback.odd)).toBe(false)
    expect(await again.search('feedback.odd = true').count()).toBe(300)
    await store.close()
  })
}

test('evaluate() with resume tries failed rows and failed cells again, and scores again what has other ground truth', async () => {
  const store = memory()
  const options = { name: 'numbers', store, minScored: 0, allowFailed: true, retries: 0 } as const
  const flaky =
    (down: boolean, calls: number[]) =>
    async ({ n }: { n: number }) => {
      calls.push(n)
      if (down && n < 5) throw new Error('down')
      return n
    }
  const shaky = (down: boolean, calls: number[]) =>
    scorer({ name: 'shaky', version: '1' }, ({ outputs }) => {
      calls.push(outputs)
      if (down && outputs < 8) throw new Error('down')
      return true
    })
  await evaluate(rows.slice(0, 20), flaky(true, []), [shaky(true, [])], options)
  const calls: number[] = []
  const scored: number[] = []
  const mended = rows.slice(0, 20).map((row, n) => (n === 19 ? { ...row, expectations: { even: true } } : row))
  const run = await evaluate(mended, flaky(false, calls), [shaky(false, scored)], { ...options, resume: 'force' })
  expect(calls.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4])
  expect(scored.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 19])
  expect(run.totals).toMatchObject({ rows: 20, failed: 0 })
  expect(run.columns.shaky).toMatchObject({ passed: 20, errors: 0 })
})

test('evaluate() with resume refuses code that has changed, and takes it with force', async () => {
  const store = memory()
  await interruptedRun(store, [double()])
  const other = async ({ n }: { n: number }) => n + n
  const options = { name: 'numbers', store, minScored: 0 } as const
  await expect(evaluate(rows, other, [double()], { ...options, resume: true })).rejects.toMatchObject({
    code: 'RESUME_REFUSED',
    message: expect.stringContaining('the predict function has changed'),
    hint: expect.stringContaining("resume: 'force'"),
  })
  const forced = await evaluate(rows, other, [double()], { ...options, resume: 'force' })
  expect(forced.totals.reused?.predictions).toBeGreaterThan(200)
  expect(forced.totals.rows).toBe(600)
  const said = [
    {
      code: 'CODE_CHANGED',
      message: expect.stringMatching(
        /^finished cells of run_\w+ were taken over by force: the predict function has changed$/,
      ),
    },
  ]
  expect(forced.record.notices).toEqual(said)
  // What was forced once stays known: its cells are not those of this code.
  const after = await evaluate(rows, other, [double()], { ...options, resume: true })
  expect(after.totals.reused?.predictions).toBe(600)
  expect(after.record.notices).toEqual(said)
  expect((await evaluate(rows.slice(0, 3), other, [double()], options)).record.notices).toBeUndefined()
})

test('evaluate() with resume goes on after a second interruption with what both runs have', async () => {
  const store = memory()
  const first = await interruptedRun(store, [double()])
  const second = await interruptedRun(store, [double()], { resume: true })
  const calls: number[] = []
  await evaluate(rows, app(calls).predict, [double()], { name: 'numbers', store, resume: true, minScored: 0 })
  expect(first.length + second.length + calls.length).toBeLessThanOrEqual(620)
})

test('evaluate() with resume has nothing to take over when there is no run of the name', async () => {
  const calls: number[] = []
  const run = await evaluate(rows.slice(0, 3), app(calls).predict, [double()], {
    name: 'new',
    store: memory(),
    resume: true,
  })
  expect(calls).toHaveLength(3)
  expect(run.totals.reused).toBeUndefined()
})

test('evaluate() with resume obeys VITEST_EVALUATE_RESUME unless the option says otherwise', async () => {
  const store = memory()
  const options = { name: 'numbers', store } as const
  await evaluate(rows.slice(0, 3), app([]).predict, [double()], options)
  process.env.VITEST_EVALUATE_RESUME = '1'
  try {
    const calls: number[] = []
    await evaluate(rows.slice(0, 3), app(calls).predict, [double()], options)
    expect(calls).toHaveLength(0)
    await evaluate(rows.slice(0, 3), app(calls).predict, [double()], { ...options, resume: false })
    expect(calls).toHaveLength(3)
    process.env.VITEST_EVALUATE_RESUME = '0'
    await evaluate(rows.slice(0, 3), app(calls).predict, [double()], options)
    expect(calls).toHaveLength(6)
    process.env.VITEST_EVALUATE_RESUME = 'forse'
    const thrown = await thrownBy(evaluate(rows.slice(0, 3), app(calls).predict, [double()], options))
    expect(`${thrown.code}: ${thrown.message}`).toBe(
      'CONFIG_INVALID: Cannot evaluate: VITEST_EVALUATE_RESUME must be 1, 0 or force, found "forse" (did you mean "force"?)',
    )
    expect(calls).toHaveLength(6)
  } finally {
    delete process.env.VITEST_EVALUATE_RESUME
  }
})

test('evaluate() with resume takes a verdict over as a person has corrected it', async () => {
  const store = memory()
  const options = { name: 'numbers', store, minScored: 0 }
  const first = await evaluate(rows.slice(0, 3), app([]).predict, [double(), size()], options)
  const [row] = await Array.fromAsync(first.rows())
  const source = { type: 'HUMAN', id: 'ann' } as const
  await overrideFeedback(row?.feedback.double?.id as string, { value: false, source, rationale: 'no' }, { store })
  const calls: number[] = []
  const again = await evaluate(rows.slice(0, 3), app(calls).predict, [double(calls), size(calls)], {
    ...options,
    resume: true,
  })
  expect(calls).toEqual([])
  expect(again.metrics).toEqual({ 'double/mean': 2 / 3, 'size/mean': 2 })
  const [taken] = await Array.fromAsync(again.rows())
  expect(taken?.feedback.double).toMatchObject({ value: false, source, rationale: 'no', scorer: 'double', valid: true })
})

test('resumable() takes nothing over from an evaluation of the same name in another file', async () => {
  const store = memory()
  const of = (file: string) => ({ file, name: 'bot', attempt: 0, repeat: 0 })
  await store.createRun(runRecord({ id: 'run_a', name: 'bot', status: 'finished', test: of('a.eval.ts') }))
  const found = async (test?: ReturnType<typeof of>) =>
    (await resumable(store, { name: 'bot', experiment: 'exp', ...(test && { test }) }, () => false)).sources.map(
      ({ id }) => id,
    )
  expect(await found(of('a.eval.ts'))).toEqual(['run_a'])
  expect(await found(of('b.eval.ts'))).toEqual([])
  expect(await found()).toEqual([])
})

test('evaluate() with resume says which run of the name is still going, and takes over what went before it', async () => {
  const store = memory()
  const options = { name: 'numbers', store, minScored: 0 }
  await interruptedRun(store, [double()])
  const [cut] = await store.listRuns()
  const going = { id: 'run_going', name: 'numbers', experiment: cut?.experiment as string, startedAt: Date.now() + 1 }
  await store.createRun(runRecord({ ...going, process: { pid: process.pid, host: hostname() } }))
  const calls: number[] = []
  const run = await evaluate(rows, app(calls).predict, [double()], { ...options, resume: true })
  expect(run.record.resumedFrom).toBe(cut?.id)
  expect(run.totals.reused?.predictions).toBe(600 - calls.length)
  const message = `run_going of this name is still going (process ${process.pid} on "${hostname()}"): none of its cells could be taken over`
  expect(run.record.notices).toEqual([{ code: 'STILL_RUNNING', message }])
  const afresh = await evaluate(rows.slice(0, 3), app([]).predict, [double()], options)
  expect(afresh.record.notices).toBeUndefined()
})

test('evaluate() with resume takes over what another machine has left as running, and says so', async () => {
  const store = memory()
  const options = { name: 'numbers', store, minScored: 0 }
  await interruptedRun(store, [double()])
  const [cut] = await store.listRuns()
  const { reason: _, ...running } = { ...(cut as RunRecord), process: { pid: 1, host: 'elsewhere' } }
  await store.updateRun({ ...running, status: 'running' })
  const calls: number[] = []
  const run = await evaluate(rows, app(calls).predict, [double()], { ...options, resume: true })
  expect(calls.length).toBeLessThan(400)
  expect(run.record).toMatchObject({
    resumedFrom: cut?.id,
    notices: [{ code: 'PERHAPS_RUNNING', message: expect.stringContaining(`${cut?.id} were taken over, which may`) }],
  })
})

test("codeNotices() takes a change of the test's own file for none", () => {
  const run = runRecord({ code: { predict: 'p', commit: 'a', changes: 'b', around: 'same' } })
  expect(codeNotices(run, { predict: 'p', commit: 'c', around: 'same' }, false)).toEqual([])
  for (const now of [
    { predict: 'p', commit: 'c', around: 'other' },
    { predict: 'q', commit: 'a', changes: 'b', around: 'same' },
    { predict: 'p', commit: 'c' },
  ]) {
    expect(() => codeNotices(run, now, false)).toThrow('Cannot resume "evaluation" from run_a: ')
  }
})
