import { expect, test } from 'vitest'
import { runEvaluation } from '../../src/evaluate.ts'
import type { RunRecord } from '../../src/run.ts'
import { scorer } from '../../src/scorer.ts'
import { sleep } from '../../src/std/async.ts'
import { decode } from '../../src/std/json.ts'
import { evaluation, STORES, storedOf } from '../data/evaluation.ts'

const KINDS = Object.entries(STORES)

/** The seven bad rows: each costs exactly its own cell or row. */
const BAD = ['good', 'throws', 'scorer throws', 'NaN', 'undefined', 'hangs', 'function', 'cycle', 'good too'] as const

async function badRows(store = STORES.memory(), maxConcurrency = 4): Promise<RunRecord> {
  return runEvaluation(
    evaluation({
      data: BAD.map((inputs) => ({ inputs })),
      store,
      maxConcurrency,
      predictTimeoutMs: 60,
      predict: async (inputs, { signal }) => {
        if (inputs === 'throws') throw new Error('no answer')
        if (inputs === 'hangs') await sleep(10_000, signal)
        if (inputs === 'function') return { answer: 'x', retry() {} }
        const answer: Record<string, unknown> = { answer: inputs }
        if (inputs === 'cycle') answer.self = { answer }
        return answer
      },
      scorers: [
        scorer('fickle', ({ inputs }) => {
          if (inputs === 'scorer throws') throw new RangeError('out of range')
          if (inputs === 'NaN') return Number.NaN
          return inputs === 'undefined' ? undefined : 0.5
        }),
        scorer('steady', ({ outputs }) => outputs.answer.length > 3),
      ],
    }),
  )
}

test.for(KINDS)(
  'runEvaluation() keeps every other row and cell beside the seven bad ones, and counts each by kind (%s)',
  async ([, make]) => {
    const store = make()
    const run = await badRows(store)
    expect(run.totals).toMatchObject({
      rows: 9,
      failed: 4,
      failedCodes: { OUTPUT_NOT_DATA: 2, PREDICT_THREW: 1, PREDICT_TIMEOUT: 1 },
      retries: 0,
    })
    expect(run.columns).toMatchObject([
      {
        name: 'fickle',
        rows: 5,
        scored: 2,
        missing: 1,
        errors: 2,
        errorCodes: { NOT_A_NUMBER: 1, SCORER_THREW: 1 },
        aggregates: { mean: 0.5 },
      },
      { name: 'steady', rows: 5, scored: 5, missing: 0, errors: 0, passed: 4, aggregates: { mean: 0.8 } },
    ])
    expect(run.problems).toEqual([
      {
        code: 'ROWS_FAILED',
        message: '4 of 9 rows failed (1 × PREDICT_THREW, 1 × PREDICT_TIMEOUT, 2 × OUTPUT_NOT_DATA)',
      },
      { code: 'COLUMN_INCOMPLETE', message: 'column "fickle" has a value on 2 of 5 rows (1 missing, 2 errors)' },
    ])
    const stored = await storedOf(store, run)
    expect(
      stored.map(({ trial, trace, assessments }) => [
        decode(trace.inputs ?? ''),
        trial?.error?.message,
        assessments.length,
      ]),
    ).toEqual([
      ['good', undefined, 2],
      ['throws', 'no answer', 0],
      ['scorer throws', undefined, 2],
      ['NaN', undefined, 2],
      ['undefined', undefined, 1],
      ['hangs', 'did not finish within 60 ms', 0],
      ['function', 'outputs.retry is the function "retry", which cannot be kept', 0],
      ['cycle', 'outputs.self.answer is part of a cycle, which cannot be kept', 0],
      ['good too', undefined, 2],
    ])
    expect(stored[2]?.assessments[0]).toMatchObject({
      name: 'fickle',
      error: { code: 'SCORER_THREW', message: 'out of range', stack: expect.stringContaining('RangeError') },
    })
    expect(stored[3]?.assessments[0]?.error).toMatchObject({ code: 'NOT_A_NUMBER' })
  },
)

/** Everything that may differ between two runs of the same rows. */
function withoutClocks(value: unknown): unknown {
  const clock =
    /^(id|traceId|runId|createdAt|updatedAt|startedAt|endedAt|wallMs|predictLatencyMs|requestTimeMs|requestTimeSubNs|durationNs|durationMs|startTimeNs|endTimeNs|stack|process)$/
  return JSON.parse(
    JSON.stringify(value, (key, item) =>
      clock.test(key) ? undefined : typeof item === 'bigint' ? String(item) : item,
    ),
  )
}

test.for(KINDS)(
  'runEvaluation() gives the same record and the same rows whatever the concurrency and the order (%s)',
  async ([, make]) => {
    const results: unknown[] = []
    for (const maxConcurrency of [1, 2, 16]) {
      const store = make()
      const run = await runEvaluation(
        evaluation({
          data: Array.from({ length: 120 }, (_, i) => ({
            inputs: { n: i % 40 },
            expectations: { half: i / 2, note: `é${i}` },
            tags: { parity: i % 2 ? 'odd' : 'even' },
          })),
          store,
          maxConcurrency,
          predict: async ({ n }, { row }) => {
            await sleep((row.expectations?.half * 7919 * maxConcurrency) % 5)
            if (n % 13 === 5) throw new Error(`down ${n % 3}`)
            return { value: n / 3 }
          },
          scorers: [
            scorer(
              { name: 'value', aggregations: ['mean', 'variance', 'median', 'p90', 'min', 'max'] },
              ({ outputs }) => outputs.value * 0.1,
            ),
            scorer('tone', async ({ inputs }) => {
              await sleep(inputs.n % 3)
              return ['kind', 'rude', 'neutral'][inputs.n % 3]
            }),
            scorer('several', ({ inputs }) =>
              inputs.n % 4 === 0
                ? [
                    { name: 'b', value: 'yes' },
                    { name: 'a', value: inputs.n },
                  ]
                : inputs.n % 4 === 1
                  ? null
                  : { name: 'c', error: 'odd' },
            ),
          ],
        }),
      )
      expect(run.totals.rows).toBe(120)
      results.push(withoutClocks([run, await storedOf(store, run)]))
    }
    const normal = (text: string): string =>
      text.replaceAll(/tr-[0-9a-f]{32}/g, 'tr').replaceAll(/run_[0-9a-f]{18}/g, 'run')
    const [one, two, sixteen] = results.map((result) => normal(JSON.stringify(result)))
    expect(two).toBe(one)
    expect(sixteen).toBe(one)
  },
)

test.for(KINDS)('runEvaluation() keeps the legal extremes (%s)', async ([, make]) => {
  const store = make()
  const names = ['__proto__', '../x', `long ${'ä\n\0"'.repeat(2_500)}`, 'constructor']
  const big = 'x\u{1F600}'.repeat(5_000_000)
  const outputs = [undefined, 2n ** 70n, big, new Map([['k', new Date(0)]])]
  const ids = [...names]
  const tags = Object.fromEntries(names.map((name) => [name, name]))
  const run = await runEvaluation(
    evaluation({
      data: ids.map((id, i) => ({ id, inputs: i, tags })),
      store,
      name: names.join('|'),
      tags,
      experiment: '__proto__',
      predict: (i) => outputs[i],
      scorers: names.map((name) =>
        scorer(name, ({ inputs }) => (inputs === 0 ? name : { value: inputs, rationale: name })),
      ),
    }),
  )
  expect(run.problems).toEqual([])
  expect(run.columns.map(({ name, scored }) => [name, scored])).toEqual(names.map((name) => [name, 4]))
  const again = (await store.getRun(run.id)) as RunRecord
  expect(again).toEqual(run)
  expect(again.name).toBe(names.join('|'))
  expect(Object.entries(again.tags)).toEqual(Object.entries(tags))
  expect((await store.listRuns({ experiment: '__proto__' })).map(({ id }) => id)).toEqual([run.id])
  const stored = await storedOf(store, run)
  expect(stored.map(({ trial }) => trial?.rowId)).toEqual(ids)
  expect(stored.map(({ trace }) => decode(trace.outputs ?? '""'))).toEqual(outputs)
  for (const { trace, assessments } of stored) {
    expect(new Map(Object.entries(trace.tags))).toEqual(new Map(Object.entries(tags)))
    expect(assessments.map(({ name }) => name)).toEqual(names)
  }
  expect(stored[1]?.assessments.map(({ rationale }) => rationale)).toEqual(names)
})
