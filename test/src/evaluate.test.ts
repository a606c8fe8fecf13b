import { afterEach, expect, test, vi } from 'vitest'
import { runEvaluation } from '../../src/evaluate.ts'
import type { Progress } from '../../src/handoff.ts'
import type { RunRecord } from '../../src/run.ts'
import { notFinal } from '../../src/run.ts'
import { scorer } from '../../src/scorer.ts'
import { sleep } from '../../src/std/async.ts'
import { evaluation, STORES, storedOf, thrownBy } from '../data/evaluation.ts'

afterEach(() => {
  vi.useRealTimers()
})

const rows = (count: number) => Array.from({ length: count }, (_, i) => ({ inputs: { n: i } }))
const KINDS = Object.entries(STORES)

test.for(KINDS)('runEvaluation() calls predict exactly once per row, with no trial call (%s)', async ([, store]) => {
  const called: number[] = []
  const run = await runEvaluation(
    evaluation({
      data: rows(25),
      store: store(),
      predict: async ({ n }) => {
        called.push(n)
        await sleep(1)
        return n
      },
    }),
  )
  expect(called.toSorted((a, b) => a - b)).toEqual(rows(25).map(({ inputs }) => inputs.n))
  expect(run).toMatchObject({ status: 'finished', totals: { rows: 25, failed: 0, retries: 0 } })
})

test('runEvaluation() takes a predict that is not asynchronous, and calls it with inputs, row and a signal', async () => {
  const seen: unknown[][] = []
  const [row] = [{ id: 'a', inputs: 'hello', tags: { t: 'x' } }]
  await runEvaluation(
    evaluation({
      data: [row],
      predict: (inputs, context) => {
        seen.push([inputs, context.row, context.signal.aborted])
        return inputs.length
      },
      scorers: [scorer('five', ({ outputs }) => outputs === 5)],
    }),
  )
  expect(seen).toEqual([['hello', row, false]])
})

test.for([1, 3, 16])(
  'runEvaluation() keeps at most maxConcurrency = %i rows in work, and uses them all',
  async (maxConcurrency) => {
    let inWork = 0
    let most = 0
    await runEvaluation(
      evaluation({
        data: rows(50),
        maxConcurrency,
        predict: async () => {
          most = Math.max(most, ++inWork)
          await sleep(2)
          inWork--
        },
      }),
    )
    expect(most).toBe(maxConcurrency)
  },
)

test.for(KINDS)(
  'runEvaluation() scores rows that bring their outputs without calling anything (%s)',
  async ([, store]) => {
    const kept = store()
    const run = await runEvaluation(
      evaluation({
        data: [{ inputs: 1, outputs: 'yes' }, { inputs: 2, outputs: null }, { outputs: 'alone' }, { inputs: 4 }],
        store: kept,
        scorers: [scorer('given', ({ outputs }) => outputs !== null)],
      }),
    )
    expect(run.totals).toMatchObject({ rows: 4, failed: 1, failedCodes: { OUTPUTS_MISSING: 1 } })
    expect(run.totals).not.toHaveProperty('predictLatencyMs')
    expect(run.columns[0]).toMatchObject({ rows: 3, scored: 3, passed: 2 })
    const stored = await storedOf(kept, run)
    expect(stored.map(({ trial, trace }) => [trial?.attempts, trial?.status, trace.durationNs])).toEqual([
      [0, 'ok', undefined],
      [0, 'ok', undefined],
      [0, 'ok', undefined],
      [0, 'failed', undefined],
    ])
  },
)

test('runEvaluation() goes on under fake timers', async () => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'setInterval', 'Date', 'performance', 'queueMicrotask'],
  })
  for (const make of Object.values(STORES)) {
    const store = make()
    const started = process.hrtime.bigint()
    const run = await runEvaluation(
      evaluation({
        data: rows(40),
        store,
        predictTimeoutMs: 50,
        retries: 1,
        predict: async ({ n }) => {
          if (n === 3) throw Object.assign(new Error('busy'), { status: 503, headers: { 'retry-after-ms': '30' } })
          if (n === 4) await new Promise(() => {})
          const until = process.hrtime.bigint() + 1_000_000n
          while (process.hrtime.bigint() < until);
          return n
        },
      }),
    )
    const tookMs = Number(process.hrtime.bigint() - started) / 1e6
    expect(run.totals).toMatchObject({ rows: 40, failed: 2, retries: 1 })
    expect(run.totals.wallMs).toBeGreaterThan(30)
    expect(run.totals.wallMs).toBeLessThanOrEqual(tookMs)
  }
})

test.for(KINDS)(
  'runEvaluation() that is aborted keeps what is done, marks the run and names it (%s)',
  async ([, make]) => {
    const store = make()
    const controller = new AbortController()
    const signals: boolean[] = []
    const thrown = await thrownBy(
      runEvaluation(
        evaluation({
          data: rows(100),
          store,
          signal: controller.signal,
          predict: async ({ n }, { signal }) => {
            if (n < 10) return n
            if (n === 12) setTimeout(() => controller.abort(new Error('enough\nfor today')), 5)
            await sleep(10_000, signal).catch(() => signals.push(signal.aborted))
            return n
          },
        }),
      ),
    )
    expect(thrown).toMatchObject({
      code: 'RUN_INTERRUPTED',
      message: expect.stringContaining('Evaluation "evaluation" was interrupted after 10 rows: enough\n'),
      cause: expect.objectContaining({ message: 'enough\nfor today' }),
    })
    const run = (await store.getRun(thrown.runId)) as RunRecord
    expect(run).toMatchObject({ status: 'interrupted', reason: 'enough', totals: { rows: 10, failed: 0 } })
    expect(notFinal(run)).toBe('interrupted: enough')
    expect((await storedOf(store, run)).map(({ trial }) => trial?.index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(signals).toEqual([true, true, true, true])
  },
)

test('runEvaluation() that is aborted before its first row leaves no run', async () => {
  const store = STORES.memory()
  const given = { data: rows(1), store, predict: () => 1 }
  const before = await thrownBy(runEvaluation(evaluation({ ...given, signal: AbortSignal.abort(new Error('no')) })))
  expect(before).toMatchObject({ code: 'RUN_INTERRUPTED', runId: undefined })
  expect(before.message).toBe('Evaluation "evaluation" was interrupted before its first row: no')
  const controller = new AbortController()
  async function* never(): AsyncGenerator<never> {
    await new Promise(() => {})
  }
  const work = thrownBy(runEvaluation(evaluation({ ...given, data: never(), signal: controller.signal })))
  controller.abort('late')
  expect((await work).message).toContain('before its first row: late')
  expect(await store.listRuns()).toEqual([])
})

test.for(KINDS)(
  'runEvaluation() keeps the rows before a source breaks off, and names the run (%s)',
  async ([, make]) => {
    const store = make()
    const cause = new Error('connection lost')
    async function* source() {
      yield* rows(7)
      throw cause
    }
    const thrown = await thrownBy(
      runEvaluation(evaluation({ data: source(), store, predict: async ({ n }) => sleep(5).then(() => n) })),
    )
    expect(thrown).toMatchObject({ name: 'EvaluationError', code: 'RUN_FAILED', cause })
    expect(thrown.message).toBe(`connection lost\nHint: what was done before that, 7 rows, is kept in ${thrown.runId}`)
    const run = (await store.getRun(thrown.runId)) as RunRecord
    expect(run).toMatchObject({ status: 'failed', reason: 'connection lost', totals: { rows: 7 } })
    expect(await storedOf(store, run)).toHaveLength(7)
  },
)

test("runEvaluation() takes whatever a source throws for a fault, and an item that is no row for the caller's", async () => {
  for (const [broken, code, text] of [
    [undefined, 'RUN_FAILED', 'undefined'],
    [0, 'RUN_FAILED', '0'],
    ['gone', 'RUN_FAILED', 'gone'],
  ] as const) {
    function* source() {
      yield* rows(2)
      throw broken
    }
    const thrown = await thrownBy(runEvaluation(evaluation({ data: source(), predict: () => 1 })))
    expect([thrown.code, thrown.message.split('\n')[0]]).toEqual([code, text])
  }
  const thrown = await thrownBy(runEvaluation(evaluation({ data: [...rows(3), 'text'], predict: () => 1 })))
  expect(thrown).toMatchObject({ code: 'ROW_INVALID', runId: expect.stringMatching(/^run_/) })
  expect(thrown.message).toContain(
    'Cannot evaluate row 4: expected an object with "inputs", "outputs" or "trace", found "text"',
  )
})

test('runEvaluation() refuses data without rows, and rows that nothing can answer, before anything is stored', async () => {
  const store = STORES.memory()
  const refused = async (given: Parameters<typeof evaluation>[0]) =>
    (await thrownBy(runEvaluation(evaluation({ ...given, store })))).message
  expect(await refused({ data: [] })).toBe('Cannot evaluate "evaluation": the data has no rows')
  expect(await refused({ data: rows(3), predict: () => 1, selection: { filter: () => false } })).toBe(
    'Cannot evaluate "evaluation": the filter leaves no row',
  )
  expect(await refused({ data: rows(3) })).toContain('Cannot evaluate row 1: it has no "outputs"')
  expect(await refused({ data: [7] })).toContain('Cannot evaluate row 1: expected an object')
  expect(await store.listRuns()).toEqual([])
})

test('runEvaluation() reports a store that fails midway with the run, and stops calling predict', async () => {
  const store = STORES.memory()
  let written = 0
  let called = 0
  const failing = new Proxy(store, {
    get: (target, key) => {
      if (key === 'writeTrial')
        return (...args: Parameters<typeof store.writeTrial>) => {
          if (++written > 5) throw new Error('disk full')
          return target.writeTrial(...args)
        }
      const value = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const thrown = await thrownBy(
    runEvaluation(
      evaluation({
        data: rows(500),
        store: failing,
        predict: async () => sleep(1).then(() => ++called),
        scorers: [scorer('s', () => true)],
      }),
    ),
  )
  expect(thrown).toMatchObject({ code: 'RUN_FAILED', runId: expect.stringMatching(/^run_/) })
  expect(called).toBeLessThan(20)
  const run = (await store.getRun(thrown.runId)) as RunRecord
  expect(run).toMatchObject({ status: 'failed', reason: 'disk full' })
  // What is said to be kept is what is there, not what was paid for.
  expect(await storedOf(store, run)).toHaveLength(5)
  expect(run).toMatchObject({ totals: { rows: 5 }, columns: [{ name: 's', rows: 5, passed: 5 }], problems: [] })
  expect(thrown.message).toBe(`disk full\nHint: what was done before that, 5 rows, is kept in ${run.id}`)
})

test('runEvaluation() says how far it is, at the end with everything', async () => {
  const seen: Progress[] = []
  const ends: RunRecord[] = []
  const run = await runEvaluation(
    evaluation({
      data: rows(60),
      count: 60,
      selection: { limit: 50 },
      predict: async ({ n }) => {
        await sleep(4)
        if (n === 1) throw new Error('x')
        return n
      },
      scorers: [
        scorer('bad', ({ outputs }) => {
          if (outputs === 2) throw new Error('y')
          return true
        }),
      ],
      onProgress: (progress) => seen.push(progress),
      onEnd: (record) => ends.push(record),
    }),
  )
  expect(seen.length).toBeGreaterThan(2)
  expect(seen.map(({ done }) => done)).toEqual(seen.map(({ done }) => done).toSorted((a, b) => a - b))
  expect(seen.at(-1)).toMatchObject({ runId: run.id, name: 'evaluation', done: 50, total: 50, failed: 1, errors: 1 })
  expect(ends).toEqual([run])
})
