import { expect, test } from 'vitest'
import { Early } from '../../src/early.ts'
import { type EvaluateOptions, evaluate, scorer } from '../../src/index.ts'
import { seeded } from '../../src/std/random.ts'
import { memory } from '../../src/stores/memory.ts'
import { thrownBy } from '../data/evaluation.ts'

const good = scorer('good', ({ outputs }) => outputs)
const rows = Array.from({ length: 2_000 }, (_, n) => ({ inputs: { n } }))
/** An app with this pass rate, and how often it was called. */
function app(rate: number, seed = 1) {
  const next = seeded(seed)
  const passes = rows.map(() => next() < rate)
  const log = { calls: 0 }
  const predict = ({ n }: { n: number }): boolean => {
    log.calls++
    return passes[n] as boolean
  }
  return { log, predict }
}
const run = (rate: number, options: EvaluateOptions = {}) => {
  const { predict, log } = app(rate)
  const gates = { good: { floor: 0.9, early: 0.8 } }
  return evaluate(rows, predict, [good], { store: memory(), gates, ...options }).then((done) => ({ done, log }))
}

test('a gate with "early" ends the run as soon as it is clear, and says how many rows were not run', async () => {
  const { done, log } = await run(0.97)
  expect(log.calls).toBeLessThan(120)
  expect(done.totals.rows).toBe(log.calls)
  expect(done.status).toBe('finished')
  expect(done.record.early).toEqual({ decisions: { good: 'good' }, rows: log.calls, notRun: 2_000 - log.calls })
  expect(done.notFinal).toBe(`stopped early: ${2_000 - log.calls} rows not run`)
  expect(done.record.findings?.[0]).toMatchObject({ verdict: 'pass', rows: log.calls })
  expect(done.record.findings?.[0]?.message).toContain(`, ${(2_000 - log.calls).toLocaleString('en-US')} rows not run)`)
})

test('a gate with "early" fails a broken app after a handful of rows', async () => {
  const { done, log } = await run(0.5, { maxConcurrency: 1 })
  expect(log.calls).toBeLessThan(40)
  expect(done.record.findings?.[0]).toMatchObject({ verdict: 'fail', blocks: true })
  expect(done.record.findings?.[0]?.message).toMatch(
    /^good is as low as 0\.8, wanted at least 0\.9: 0\.\d+ \(\d+ of \d+ rows, [\d,]+ rows not run\)$/,
  )
})

test('rows come in an order by chance, the same one for the same seed, and keep their places', async () => {
  const places = async (seed: number) => {
    const { done } = await run(0.97, { seed, maxConcurrency: 1 })
    return (await Array.fromAsync(done.rows())).map(({ index, inputs }) => {
      expect(index).toBe(inputs.n)
      return index
    })
  }
  const first = await places(0)
  expect(first).toEqual(await places(0))
  expect(first).not.toEqual(await places(1))
  expect(Math.max(...first)).toBeGreaterThan(1_000)
})

test('what is decided does not depend on which row is ready first', async () => {
  const { predict } = app(0.85)
  const later = async (inputs: { n: number }) => {
    await new Promise((done) => setTimeout(done, inputs.n % 7))
    return predict(inputs)
  }
  const gates = { good: { floor: 0.9, early: 0.8 } }
  const decided = async (maxConcurrency: number) => {
    const done = await evaluate(rows.slice(0, 300), later, [good], { store: memory(), gates, maxConcurrency })
    return done.record.early?.decisions
  }
  expect(await decided(1)).toEqual(await decided(16))
})

test('a run whose rows are used up is judged as any other', async () => {
  const { predict } = app(0.86)
  const gates = { good: { floor: 0.9, early: 0.8 } }
  const done = await evaluate(rows.slice(0, 20), predict, [good], { store: memory(), gates })
  expect(done.record).not.toHaveProperty('early')
  expect(done.record.findings?.[0]?.method).toBe('wilson')
})

test('Early counts rows in the order in which they were given, and none that has no verdict', () => {
  const early = new Early([{ column: 'good', good: 0.9, bad: 0.8, alpha: 0.05 }])
  const said = (value: boolean | string) => [
    {
      scorer: good,
      feedback: [{ name: 'good', value, source: { type: 'CODE' as const, id: 'good' } }],
      failed: false,
      durationMs: 0,
    },
  ]
  for (let order = 1; order <= 5; order++) expect(early.add(order, said(false))).toBe(false)
  expect(early.add(0, undefined)).toBe(true)
  expect(early.record(6, 4)).toEqual({ decisions: { good: 'bad' }, rows: 6, notRun: 4 })
  expect(new Early([]).add(0, said(true))).toBe(false)
  const unspoken = new Early([{ column: 'good', good: 0.9, bad: 0.8, alpha: 0.05 }])
  for (let order = 0; order < 100; order++) expect(unspoken.add(order, said('maybe'))).toBe(false)
})

test('several gates with "early" end a run when all are decided, or one is bad', () => {
  const tests = ['a', 'b'].map((column) => ({ column, good: 0.9, bad: 0.8, alpha: 0.05 }))
  const said = (a: boolean, b: boolean) =>
    Object.entries({ a, b }).map(([name, value]) => ({
      scorer: good,
      feedback: [{ name, value, source: { type: 'CODE' as const, id: name } }],
      failed: false,
      durationMs: 0,
    }))
  const bad = new Early(tests)
  const over = [0, 1, 2, 3, 4].map((order) => bad.add(order, said(true, false)))
  expect(over).toEqual([false, false, false, false, true])
  expect(bad.record(5, 0)?.decisions).toEqual({ b: 'bad' })
  const fine = new Early(tests)
  const all = Array.from({ length: 25 }, (_, order) => fine.add(order, said(true, true)))
  expect(all.indexOf(true)).toBe(24)
})

test('"early" is refused where it cannot be', async () => {
  const refused = async (gates: object, options = {}) =>
    (await thrownBy(evaluate(rows, () => true, [good], { gates: gates as never, ...options }))).message
  expect(await refused({ good: { early: 0.8 } })).toBe('Cannot gate "good": "early" needs a floor')
  expect(await refused({ good: { floor: 0.9, early: 0.95 } })).toContain(
    '"early" of the floor of "good" must lie between 0 and the floor',
  )
  expect(await refused({ good: { floor: 1, early: 0.9 } })).toContain('and that below 1')
  expect(await refused({ good: { floor: 0.9, early: 0.8 } }, { repeats: 3 })).toContain(
    'needs rows that are evaluated once',
  )
})
