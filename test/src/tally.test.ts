import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Tally, type TallyEntry, type Tolerance } from '../../src/tally.ts'

const STRICT: Tolerance = { allowFailed: 0, minScored: 1 }

function place(index: number) {
  return { index, rowId: `row-${index}`, traceId: `tr-${index}` }
}

function entry(scorer: string, ...values: (number | string | boolean)[]): TallyEntry {
  return { scorer, feedback: values.map((value) => ({ name: scorer, value })), failed: false }
}

function failure(scorer: string, code = 'SCORER_THREW'): TallyEntry {
  return { scorer, feedback: [{ name: scorer, error: { code, message: 'm' } }], failed: true }
}

const problemsOf = (tally: Tally, tolerance: Tolerance) =>
  tally.columns(tolerance).problems.map(({ message }) => message)

test('Tally counts values, missing ones and errors of a column over the rows that did not fail', () => {
  const tally = new Tally([{ name: 's', aggregations: ['mean', 'max'] }])
  tally.addScored(place(0), [entry('s', 1)])
  tally.addScored(place(1), [entry('s')])
  tally.addScored(place(2), [failure('s')])
  tally.addScored(place(3), [entry('s', 4)])
  tally.addFailed(4, { code: 'PREDICT_THREW', message: 'down' })
  const { columns, problems } = tally.columns(STRICT)
  expect(columns).toMatchObject([
    {
      name: 's',
      scorer: 's',
      rows: 4,
      scored: 2,
      missing: 1,
      errors: 1,
      errorCodes: { SCORER_THREW: 1 },
      aggregates: { mean: 2.5, max: 4 },
    },
  ])
  expect(problems).toEqual([
    { code: 'ROWS_FAILED', message: '1 of 5 rows failed (1 × PREDICT_THREW)' },
    { code: 'COLUMN_INCOMPLETE', message: 'column "s" has a value on 2 of 4 rows (1 missing, 1 error)' },
  ])
  expect([tally.done, tally.failed, tally.errors]).toEqual([5, 1, 1])
})

test('Tally spreads the failure of a whole scorer over all of its columns', () => {
  const tally = new Tally([{ name: 's' }, { name: 'other' }])
  const two: TallyEntry = {
    scorer: 's',
    feedback: [
      { name: 'b', value: 1 },
      { name: 'a', value: 2 },
    ],
    failed: false,
  }
  tally.addScored(place(0), [two, entry('other', true)])
  tally.addScored(place(1), [failure('s', 'SCORER_TIMEOUT'), entry('other', true)])
  expect(
    tally.columns(STRICT).columns.map(({ name, scored, errors, errorCodes }) => [name, scored, errors, errorCodes]),
  ).toEqual([
    ['a', 1, 1, { SCORER_TIMEOUT: 1 }],
    ['b', 1, 1, { SCORER_TIMEOUT: 1 }],
    ['other', 2, 0, {}],
  ])
})

test('Tally gives a column to a scorer that never spoke, and one to a column that only some rows have', () => {
  const tally = new Tally([{ name: 'silent' }, { name: 'sometimes' }])
  for (let i = 0; i < 4; i++)
    tally.addScored(place(i), [entry('silent'), i === 2 ? entry('sometimes', 'yes') : entry('sometimes')])
  expect(tally.columns({ ...STRICT, minScored: 0 })).toMatchObject({
    columns: [
      { name: 'silent', kind: 'empty', rows: 4, scored: 0, missing: 4 },
      { name: 'sometimes', kind: 'boolean', rows: 4, scored: 1, missing: 3, passed: 1, aggregates: { mean: 1 } },
    ],
    problems: [],
  })
})

test('Tally measures minScored as a share of the rows that did not fail, without rounding against the user', () => {
  const tally = new Tally([{ name: 's' }])
  for (let i = 0; i < 10; i++) tally.addScored(place(i), [i < 7 ? entry('s', 1) : entry('s')])
  for (let i = 10; i < 30; i++) tally.addFailed(i, { code: 'X', message: '' })
  for (const [minScored, passes] of [
    [0.7, true],
    [0.69, true],
    [0.71, false],
    [1, false],
    [0, true],
  ] as const) {
    expect(problemsOf(tally, { minScored, allowFailed: 20 }).length === 0, String(minScored)).toBe(passes)
  }
})

test('Tally allows as many failed rows as it is told to', () => {
  const tally = new Tally([])
  for (const [i, code] of ['A', 'B', 'A'].entries()) tally.addFailed(i, { code, message: '' })
  expect(problemsOf(tally, { ...STRICT, allowFailed: 2 })).toEqual(['3 of 3 rows failed (1 × B, 2 × A, 2 allowed)'])
  expect(problemsOf(tally, { ...STRICT, allowFailed: 3 })).toEqual([])
  expect(problemsOf(tally, { ...STRICT, allowFailed: Number.POSITIVE_INFINITY })).toEqual([])
  expect(tally.totals(12)).toEqual({ rows: 3, failed: 3, failedCodes: { A: 2, B: 1 }, retries: 0, wallMs: 12 })
})

test('Tally says of an aggregation that failed which it was and why, and keeps the others', () => {
  function broken(): number {
    throw new Error('no')
  }
  const tally = new Tally([
    {
      name: 's',
      aggregations: [
        'mean',
        broken,
        function infinite() {
          return 1 / 0
        },
      ],
    },
  ])
  tally.addScored(place(0), [entry('s', 2)])
  const { columns, problems } = tally.columns(STRICT)
  expect(columns[0]?.aggregates).toEqual({ mean: 2 })
  expect(problems).toEqual([
    { code: 'AGGREGATION_FAILED', message: 'Aggregation "broken" of column "s" failed: no' },
    { code: 'AGGREGATION_FAILED', message: 'Aggregation "infinite" of column "s" failed: gave Infinity' },
  ])
})

test('Tally groups failed rows by code and message, the most frequent first, and stays small', () => {
  const tally = new Tally([])
  for (let i = 0; i < 40_000; i++)
    tally.addFailed(i, {
      code: 'PREDICT_THREW',
      message:
        i % 2
          ? `same, after ${i} ms`
          : `unique ${i.toString(26).replace(/\d/g, (digit) => 'qrstuvwxyz'[Number(digit)] as string)}`,
    })
  const [first, second] = tally.failures
  expect(first).toEqual({ code: 'PREDICT_THREW', message: 'same, after 1 ms', count: 20_000, indexes: [1, 3, 5, 7, 9] })
  expect(second).toMatchObject({ message: 'various', count: 10_001 })
  expect(tally.failures).toHaveLength(20)
  expect(tally.failures.reduce((sum, { count }) => sum + count, 0)).toBe(20_000 + 10_001 + 18)
})

test('Tally ranks rows with most failed Feedback worst, then the lowest scores, then the first', () => {
  const tally = new Tally([{ name: 'a' }, { name: 'b' }])
  const rows: [TallyEntry, TallyEntry][] = [
    [entry('a', true), entry('b', 0.9)],
    [entry('a', false), entry('b', 0.9)],
    [entry('a', true), entry('b', 0.1)],
    [entry('a', 'no'), failure('b')],
    [entry('a', 'yes'), entry('b', 1)],
    [entry('a', false), entry('b', 0.2)],
    [entry('a', 'angry'), entry('b', 400)],
    [entry('a', false), entry('b', 0.9)],
  ]
  rows.forEach((entries, i) => {
    tally.addScored(place(i), entries)
  })
  expect(tally.worst.map(({ index }) => index)).toEqual([3, 5, 1])
})

test('Tally gives quantiles of the latencies of calls that succeeded, and counts repeated calls of all', () => {
  const tally = new Tally([])
  for (let i = 1; i <= 101; i++) tally.addAttempts(1, i)
  tally.addAttempts(3, undefined)
  expect(tally.totals(0)).toMatchObject({
    retries: 2,
    predictLatencyMs: { p50: 51, p90: 91, p95: 96, p99: 100, max: 101 },
  })
})

const valueArb = fc.oneof(
  fc.double({ min: -1, max: 1, noNaN: true }),
  fc.boolean(),
  fc.constantFrom('yes', 'no', 'Pass', 'kind', '__proto__'),
)
const rowArb = fc.oneof(
  { weight: 1, arbitrary: fc.record({ code: fc.constantFrom('A', 'B'), message: fc.constantFrom('x', 'y') }) },
  {
    weight: 5,
    arbitrary: fc.array(fc.option(fc.oneof(valueArb, fc.constant(null)), { nil: undefined }), {
      minLength: 2,
      maxLength: 2,
    }),
  },
)

test('Tally gives the same whatever the order in which rows arrive', () => {
  const scorers = [{ name: 'a', aggregations: ['mean', 'variance', 'p90'] as const }, { name: 'b' }]
  fc.assert(
    fc.property(
      fc.array(rowArb, { maxLength: 60 }),
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
      (rows, dice) => {
        const outcome = (order: readonly number[]): unknown => {
          const tally = new Tally(scorers)
          for (const i of order) {
            const row = rows[i] as (typeof rows)[number]
            if (!Array.isArray(row)) tally.addFailed(i, row)
            else {
              const entries = row.map((value, s) => {
                const name = ['a', 'b'][s] as string
                return value === undefined ? entry(name) : value === null ? failure(name) : entry(name, value)
              })
              tally.addScored(place(i), entries)
            }
            tally.addAttempts(1 + (i % 3), i / 7)
          }
          return JSON.stringify([tally.columns(STRICT), tally.totals(1), tally.worst, tally.failures])
        }
        const order = rows.map((_, i) => i)
        const keys = order.map(() => dice.next().value as number)
        const shuffled = order.toSorted((x, y) => (keys[x] as number) - (keys[y] as number))
        expect(outcome(shuffled)).toBe(outcome(order))
      },
    ),
  )
})
