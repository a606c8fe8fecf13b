import { expect, test } from 'vitest'
import { runEvaluation } from '../../src/evaluate.ts'
import { recount } from '../../src/recount.ts'
import type { RunRecord } from '../../src/run.ts'
import { scorer } from '../../src/scorer.ts'
import { sleep } from '../../src/std/async.ts'
import { evaluation, STORES, thrownBy } from '../data/evaluation.ts'

const KINDS = Object.entries(STORES)

/** A run with something of everything that can be counted. */
async function interrupted(store = STORES.memory()): Promise<RunRecord> {
  const controller = new AbortController()
  const thrown = await thrownBy(
    runEvaluation(
      evaluation({
        data: Array.from({ length: 200 }, (_, inputs) => ({ inputs })),
        store,
        signal: controller.signal,
        scorerTimeoutMs: 20,
        predict: async (n) => {
          await sleep(n % 4)
          if (n % 11 === 0) throw new Error(`down ${n % 2}`)
          if (n === 120) controller.abort(new Error('enough'))
          return n
        },
        scorers: [
          scorer({ name: 'number', aggregations: ['mean', 'variance', 'p90'] }, ({ outputs }) =>
            outputs % 7 === 0 ? Number.NaN : outputs / 7,
          ),
          scorer('moody', async ({ outputs }) => {
            if (outputs % 5 === 0) throw new Error('moody')
            if (outputs === 13) await sleep(1_000)
            return outputs % 5 === 1 ? null : outputs % 5 === 2 ? 'yes' : ('no' as const)
          }),
          scorer('pair', ({ outputs }) => {
            if (outputs % 9 === 0)
              return [
                { name: 'left', value: 1 },
                { name: 'left', value: 2 },
              ]
            if (outputs % 9 === 1) return { what: 1 } as never
            return [
              { name: 'left', value: outputs % 2 },
              { name: 'right', value: ['a', 'b', '__proto__'][outputs % 3] as string },
            ]
          }),
          scorer('own error', ({ outputs }) =>
            outputs % 2
              ? { name: 'odd', error: { code: 'SCORER_SAYS', message: 'm' } }
              : { name: 'odd', value: { k: 1 } },
          ),
        ],
      }),
    ),
  )
  return (await store.getRun(thrown.runId)) as RunRecord
}

test.for(KINDS)('recount() of an interrupted run gives what was counted while it ran (%s)', async ([, make]) => {
  const store = make()
  const run = await interrupted(store)
  expect(run.status).toBe('interrupted')
  expect(run.totals.rows).toBeGreaterThan(100)
  const started = { ...run, totals: { ...run.totals, rows: 0, failed: 0 }, columns: [], worst: [], failures: [] }
  const counted = await recount(store, started)
  expect(counted.columns).toEqual(run.columns)
  expect(counted.columns.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
    'number number',
    'moody boolean',
    'left number',
    'pair empty',
    'right category',
    'odd structured',
  ])
  for (const { rows, scored, missing, errors } of counted.columns) expect(scored + missing + errors).toBe(rows)
  expect(counted.worst).toEqual(run.worst)
  expect(counted.failures).toEqual(run.failures)
  const { wallMs, predictLatencyMs, ...totals } = run.totals
  expect(counted.totals).toMatchObject(totals)
  for (const [key, value] of Object.entries(predictLatencyMs ?? {}))
    expect(counted.totals.predictLatencyMs?.[key as 'max']).toBeCloseTo(value, 5)
  expect(counted.totals.wallMs).toBeGreaterThan(0)
  expect(counted.totals.wallMs).toBeLessThan(wallMs + 10)
})

test('recount() leaves out aggregations that were functions, since they are not stored', async () => {
  const store = STORES.memory()
  const given = {
    name: 's',
    aggregations: [
      'max' as const,
      function spread(values: readonly number[]) {
        return values.length
      },
    ],
  }
  const data = [{ inputs: 1 }, { inputs: 2 }]
  const run = await runEvaluation(
    evaluation({ data, store, predict: (n) => n, scorers: [scorer(given, ({ outputs }) => outputs)] }),
  )
  expect(run.columns[0]?.aggregates).toEqual({ max: 2, spread: 2 })
  expect((await recount(store, run)).columns[0]?.aggregates).toEqual({ max: 2 })
})

test('recount() of a run without rows gives its empty columns', async () => {
  const store = STORES.memory()
  const [run] = [await interrupted(store)]
  const empty = { ...run, id: 'run_empty' }
  await store.createRun(empty)
  const counted = await recount(store, empty)
  expect(counted.totals).toEqual({ rows: 0, failed: 0, failedCodes: {}, retries: 0, wallMs: 0 })
  expect(counted.columns.map(({ name, kind, rows }) => [name, kind, rows])).toEqual(
    ['number', 'moody', 'pair', 'own error'].map((name) => [name, 'empty', 0]),
  )
})
