import { expect, test } from 'vitest'
import { EvaluationError } from '../../src/errors.ts'
import { runEvaluation } from '../../src/evaluate.ts'
import { recount, upToDate } from '../../src/recount.ts'
import { notFinal, type RunRecord } from '../../src/run.ts'
import { scorer } from '../../src/scorer.ts'
import { sleep } from '../../src/std/async.ts'
import type { Store } from '../../src/store.ts'
import { Trace } from '../../src/trace.ts'
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

/** One of three conversations of two turns each. */
function traceOf(i: number): Trace {
  return new Trace({
    id: `tr-${String(i).padStart(32, '0')}`,
    experiment: 'exp',
    status: 'OK',
    requestTimeMs: 1_000 + i,
    sessionId: `s${i % 3}`,
    tags: {},
    metadata: {},
    inputs: i,
    outputs: i,
    spans: [],
    assessments: [],
  })
}

const ANN = { type: 'HUMAN', id: 'ann' } as const

/** A finished run of four rows whose judge is silent about the last. */
async function finished(store = STORES.memory()): Promise<RunRecord> {
  const spread = (values: readonly number[]) => Math.max(...values) - Math.min(...values)
  const given = { name: 'share', aggregations: ['mean' as const, spread] }
  const scorers = [
    scorer(given, ({ outputs }) => outputs / 4),
    scorer({ ...given, name: 'other' }, ({ outputs }) => (outputs === 3 ? null : 1)),
  ]
  const data = Array.from({ length: 4 }, (_, inputs) => ({ inputs }))
  return runEvaluation(evaluation({ data, store, predict: (n) => n, scorers }))
}

async function correct(store: Store, run: RunRecord, index: number, name: string, value: unknown): Promise<void> {
  for await (const { trace, trial } of store.search({ runId: run.id })) {
    if (trial?.index !== index) continue
    const write = { kind: 'feedback', name, value, source: ANN, runId: run.id, createdAt: 1 } as const
    await store.logAssessment(trace.id, write)
  }
}

test.for(KINDS)(
  'upToDate() counts the columns again that have changed, and keeps the rest as it is (%s)',
  async ([, make]) => {
    const store = make()
    const run = await finished(store)
    expect(await upToDate(store, run)).toBe(run)
    await correct(store, run, 3, 'share', 0.25)
    const marked = (await store.getRun(run.id)) as RunRecord
    expect(marked).toEqual({ ...run, uncounted: 1 })
    expect(notFinal(marked)).toBe('not counted: 1 correction')
    const now = await upToDate(store, marked)
    expect(now.columns[0]).toMatchObject({ aggregates: { mean: 0.25 }, corrected: 1, lost: ['spread'] })
    expect(now.columns[0]?.aggregates).toEqual({ mean: 0.25 })
    expect(now.columns[1]).toEqual(run.columns[1])
    expect(now).toEqual({ ...run, columns: now.columns, worst: now.worst })
    expect(await store.getRun(run.id)).toEqual(now)
    await correct(store, run, 3, 'share', 0.5)
    const again = await upToDate(store, (await store.getRun(run.id)) as RunRecord)
    expect(again.columns[0]).toMatchObject({ aggregates: { mean: 0.3125 }, lost: ['spread'] })
  },
)

test('upToDate() drops the problem of a column that is complete now, and tells anew that of one that is not', async () => {
  const store = STORES.memory()
  const run = await finished(store)
  const problem = (text: string) => ({ code: 'COLUMN_INCOMPLETE' as const, message: text })
  expect(run.problems).toEqual([problem('column "other" has a value on 3 of 4 rows (1 missing, 0 errors)')])
  const kept = { code: 'ROWS_FAILED' as const, message: 'column "other" has a value on paper' }
  await store.updateRun({ ...run, problems: [kept, ...run.problems, problem('8 more problems of the same kind')] })
  const problemsAfter = async () => (await upToDate(store, (await store.getRun(run.id)) as RunRecord)).problems
  for await (const { assessments } of store.search({ runId: run.id, limit: 1 }))
    await store.deleteAssessment(assessments.find(({ name }) => name === 'other')?.id as string)
  expect(await problemsAfter()).toEqual([
    kept,
    problem('column "other" has a value on 2 of 4 rows (2 missing, 0 errors)'),
    problem('8 more problems of the same kind'),
  ])
  await correct(store, run, 0, 'other', 1)
  await correct(store, run, 3, 'other', 1)
  expect(await problemsAfter()).toEqual([kept, problem('8 more problems of the same kind')])
})

test('upToDate() shows what a store that may not be written amounts to', async () => {
  const store = STORES.memory()
  const run = await finished(store)
  await correct(store, run, 3, 'share', 0.25)
  const marked = (await store.getRun(run.id)) as RunRecord
  const refusing = (code: 'STORE_NOT_WRITABLE' | 'STORE_TOO_NEW') =>
    new Proxy(store, {
      get: (target, key) =>
        key === 'updateRun'
          ? async () => {
              throw new EvaluationError(code, 'no')
            }
          : Reflect.get(target, key).bind?.(target),
    })
  expect((await upToDate(refusing('STORE_NOT_WRITABLE'), marked)).columns[0]?.aggregates.mean).toBe(0.25)
  expect(await thrownBy(upToDate(refusing('STORE_TOO_NEW'), marked))).toMatchObject({ code: 'STORE_TOO_NEW' })
  expect(await store.getRun(run.id)).toEqual(marked)
})

test('upToDate() counts again when something changes meanwhile, and does not chase it for ever', async () => {
  const store = STORES.memory()
  const run = await finished(store)
  await correct(store, run, 0, 'share', 1)
  let counts = 0
  const restless = (changes: number): Store =>
    new Proxy(store, {
      get(target, key) {
        if (key !== 'updateRun') return Reflect.get(target, key).bind?.(target)
        return async (record: RunRecord, was?: RunRecord) => {
          if (counts++ < changes) await correct(store, run, counts % 4, 'other', counts)
          return target.updateRun(record, was)
        }
      },
    })
  const marked = async () => (await store.getRun(run.id)) as RunRecord
  const once = await upToDate(restless(1), await marked())
  expect(counts).toBe(2)
  expect(once.columns[1]?.aggregates.mean).toBe(1)
  expect(await marked()).toEqual(once)
  await correct(store, run, 0, 'share', 0.5)
  counts = 0
  const { columns } = await upToDate(restless(100), await marked())
  expect(counts).toBe(3)
  expect(columns[0]?.aggregates.mean).toBe(0.5)
  expect((await marked()).uncounted).toBe(4)
})

test.for(KINDS)('upToDate() follows a correction of what was said of a session (%s)', async ([, make]) => {
  const store = make()
  const data = Array.from({ length: 6 }, (_, i) => ({ inputs: i, trace: traceOf(i) }))
  const scorers = [
    scorer('safe', () => true),
    scorer({ name: 'solved', level: 'session' }, ({ session }) => session.length > 2),
  ]
  const run = await runEvaluation(evaluation({ data, store, scorers }))
  expect((await store.getRun(run.id))?.uncounted).toBeUndefined()
  expect(run.columns[1]).toMatchObject({ level: 'session', rows: 3, scored: 3, passed: 0 })
  await correct(store, run, 0, 'solved', true)
  const now = await upToDate(store, (await store.getRun(run.id)) as RunRecord)
  expect(now.columns[1]).toMatchObject({ level: 'session', rows: 3, scored: 3, passed: 1, corrected: 1 })
  expect(now.columns[0]).toEqual(run.columns[0])
  expect(now.totals).toEqual(run.totals)
})

test('upToDate() keeps what a judge has cost when a person corrects it', async () => {
  const store = STORES.memory()
  const usage = { calls: 1, cachedCalls: 0, inputTokens: 7, outputTokens: 3, cachedTokens: 0, reasoningTokens: 0 }
  const spent = { ...usage, cost: 0.1, savedCost: 0, unknownCost: 0 }
  const run = await finished(store)
  const columns = run.columns.map((column) => ({ ...column, usage: spent }))
  await store.updateRun({ ...run, columns })
  await correct(store, run, 3, 'share', 0.25)
  const now = await upToDate(store, (await store.getRun(run.id)) as RunRecord)
  expect(now.columns.map((column) => column.usage)).toEqual([spent, spent])
  expect(now.columns[1]).toEqual(columns[1])
})
