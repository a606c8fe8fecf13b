import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runEvaluation } from '../../src/evaluate.ts'
import { Folding } from '../../src/folding.ts'
import { recount } from '../../src/recount.ts'
import { Reuse } from '../../src/reuse.ts'
import type { Fold, RunRecord } from '../../src/run.ts'
import { scorer } from '../../src/scorer.ts'
import type { Store } from '../../src/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { tabulate } from '../../src/tabulate.ts'
import { Tally, type TallyEntry } from '../../src/tally.ts'
import { TraceSet } from '../../src/traceset.ts'
import { evaluation, STORES, storedOf } from '../data/evaluation.ts'

const rows = Array.from({ length: 6 }, (_, n) => ({ inputs: { n } }))
/** An app whose n-th row passes n of its first five times. */
const shaky = () => {
  const calls = new Map<number, number>()
  return ({ n }: { n: number }): boolean => {
    const call = calls.get(n) ?? 0
    calls.set(n, call + 1)
    return call < n
  }
}
const good = scorer('good', ({ outputs }) => outputs)
const run = (store: Store, fold?: Fold, more = {}): Promise<RunRecord> =>
  runEvaluation(
    evaluation({
      data: rows,
      predict: shaky(),
      scorers: [good],
      store,
      repeats: { times: 5, ...(fold && { fold }) },
      ...more,
    }),
  )

for (const [kind, make] of Object.entries(STORES)) {
  test(`evaluate with repeats counts rows, and keeps every repeat (${kind})`, async () => {
    const store = make()
    const record = await run(store)
    expect(record).toMatchObject({ totals: { rows: 6, failed: 0 }, repeats: { times: 5 } })
    expect(record.columns[0]).toMatchObject({
      name: 'good',
      kind: 'number',
      rows: 6,
      scored: 6,
      aggregates: { mean: 0.5 },
    })
    const stored = await storedOf(store, record)
    expect(stored.map(({ trial }) => [trial?.index, trial?.repeat])).toEqual(
      rows.flatMap((_, i) => [0, 1, 2, 3, 4].map((repeat) => [i, repeat])),
    )
    expect(new Set(stored.map(({ trial }) => trial?.rowId)).size).toBe(6)
    expect(new Set(stored.map(({ trace }) => trace.id)).size).toBe(30)
  })

  test(`recount() and tabulate() fold as the run did (${kind})`, async () => {
    for (const fold of ['mean', 'majority', 'all', 'any', 'pass@2', 'pass^2'] as const) {
      const store = make()
      const record = await run(store, fold)
      const again = await recount(store, { ...record, columns: [] })
      expect(again.columns).toEqual(record.columns)
      expect(again.totals.rows).toBe(6)
      const sheet = await tabulate(store, record)
      const values = [...(sheet.columns.get('good')?.values ?? [])]
      expect(values.reduce((a, b) => a + b, 0) / 6).toBeCloseTo(record.columns[0]?.aggregates.mean as number, 12)
    }
  })

  test(`repeats are taken over each on its own (${kind})`, async () => {
    const store = make()
    const before = await run(store, 'all')
    let calls = 0
    const again = await run(store, 'all', {
      predict: () => ++calls,
      reuse: await Reuse.of(store, [before], [good]),
    })
    expect(calls).toBe(0)
    expect(again.columns).toEqual(before.columns)
    expect(again.totals.reused).toEqual({ predictions: 30, scores: 30 })
  })

  test(`recorded traces are scored several times, each time as a trace of its own (${kind})`, async () => {
    const store = make()
    const before = await runEvaluation(evaluation({ data: rows, predict: ({ n }) => n, scorers: [], store }))
    let draws = 0
    const drawn = scorer('drawn', () => draws++ % 2 === 0)
    const data = new TraceSet(async () => store, { runId: before.id })
    const record = await runEvaluation(evaluation({ data, scorers: [drawn], store, repeats: { times: 2 } }))
    expect(record.columns[0]).toMatchObject({ scored: 6, aggregates: { mean: 0.5 } })
    const stored = await storedOf(store, record)
    expect(stored.map(({ assessments }) => assessments.length)).toEqual(new Array(12).fill(1))
  })
}

test('columns of verdicts stay verdicts where repeats are folded into one', async () => {
  const all = await run(memory(), 'all')
  expect(all.columns[0]).toMatchObject({ kind: 'boolean', passed: 1, scored: 6 })
  expect((await run(memory(), 'any')).columns[0]).toMatchObject({ kind: 'boolean', passed: 5 })
  expect((await run(memory(), 'majority')).columns[0]).toMatchObject({ kind: 'boolean', passed: 3 })
})

test('the worst repeat of a row stands for it among the worst rows', async () => {
  const store = memory()
  const { worst, id } = await run(store, 'all')
  for (const { traceId } of worst) {
    const [stored] = await Array.fromAsync(store.search({ runId: id, traceId }))
    expect(stored?.assessments.find(({ kind }) => kind === 'feedback')?.value).toBe(false)
  }
  expect(worst).toHaveLength(3)
})

test('any concurrency, and any kind of source, folds to the same columns', async () => {
  const results = await Promise.all(
    [1, 3, 16].flatMap((maxConcurrency) =>
      [
        rows,
        (async function* () {
          yield* rows
        })(),
      ].map((data) => run(memory(), 'majority', { maxConcurrency, data })),
    ),
  )
  for (const { columns } of results) expect(columns).toEqual(results[0]?.columns)
})

test('rows of equal inputs stay apart, and each has its repeats', async () => {
  const store = memory()
  const record = await runEvaluation(
    evaluation({
      data: [{ inputs: 1 }, { inputs: 1 }],
      predict: () => true,
      scorers: [good],
      store,
      repeats: { times: 3 },
    }),
  )
  const ids = (await store.trials(record.id)).map(({ rowId }) => rowId)
  expect(new Set(ids).size).toBe(2)
  expect(ids[3]).toBe(`${ids[0]}#2`)
})

test('a row that fails in some of its repeats is counted, and said', async () => {
  let calls = 0
  const failing = () => {
    if (++calls % 3 === 0) throw new Error('down')
    return true
  }
  const settings = { data: rows, predict: failing, scorers: [good], maxConcurrency: 1, repeats: { times: 3 } }
  const record = await runEvaluation(evaluation(settings))
  expect(record.totals).toMatchObject({ rows: 6, failed: 0 })
  expect(record.columns[0]).toMatchObject({ scored: 6, aggregates: { mean: 1 } })
  expect(record.problems).toEqual([
    { code: 'ROWS_FAILED', message: '6 of 6 rows failed in some of their repeats (6 × PREDICT_THREW)' },
  ])
  calls = 0
  const allowed = await runEvaluation(evaluation({ ...settings, tolerance: { allowFailed: 6, minScored: 1 } }))
  expect(allowed.problems).toEqual([])
})

const told = (index: number, ...said: TallyEntry['feedback'][]) => {
  const tally = new Tally([{ name: 's' }])
  const folding = new Folding(tally, { times: said.length, fold: 'majority' })
  for (const feedback of said)
    folding.addScored({ index, rowId: 'r', traceId: 't' }, [{ scorer: 's', failed: false, feedback }])
  return tally.columns({ allowFailed: 0, minScored: 0 }).columns[0]
}
const word = (value: string | boolean) => [{ name: 's', value }]
const error = [{ name: 's', error: { code: 'X', message: 'x' } }]

test('Folding takes the most frequent of other values, and an error only where nothing else was said', () => {
  expect(told(0, word('formal'), word('casual'), word('formal'))?.counts).toEqual({ formal: 1 })
  expect(told(0, word('b'), word('a'))?.counts).toEqual({ a: 1 })
  expect(told(0, error, word(true), word(true))).toMatchObject({ scored: 1, errors: 0, passed: 1 })
  expect(told(0, error, error)).toMatchObject({ scored: 0, errors: 1 })
  expect(told(0, [], word(true))).toMatchObject({ scored: 1, missing: 0 })
  expect(told(0, [], [])).toMatchObject({ scored: 0, missing: 1 })
})

test('Folding does not depend on the order of arrival, and counts rows that were cut off', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }), (values) => {
      const [one, other] = [values, [...values].reverse()].map((list) => told(0, ...list.map(word)))
      expect(one).toEqual(other)
    }),
  )
  const tally = new Tally([{ name: 's' }])
  const folding = new Folding(tally, { times: 3 })
  folding.addScored({ index: 0, rowId: 'r', traceId: 't' }, [{ scorer: 's', failed: false, feedback: word(true) }])
  folding.addFailed(1, { code: 'X', message: 'x' })
  expect(tally.done).toBe(0)
  folding.end()
  expect([tally.done, tally.failed]).toEqual([2, 1])
})
