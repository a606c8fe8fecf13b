import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Aggregation, type Column, ColumnBuilder, metricsOf, passValue } from '../../src/column.ts'
import type { Feedback } from '../../src/feedback.ts'

type Cell = Feedback['value'] | null | Error

interface Options {
  readonly aggregations?: readonly Aggregation[]
  readonly rows?: number
  readonly scorerErrors?: ReadonlyMap<string, number>
  readonly order?: readonly number[]
}

function build(cells: readonly Cell[], options: Options = {}): { column: Column; problems: string[] } {
  const builder = new ColumnBuilder('c', 's')
  for (const i of options.order ?? cells.keys()) {
    const cell = cells[i] as Cell
    if (cell instanceof Error) builder.add(i, { error: { code: cell.message, message: 'x' } })
    else builder.add(i, cell === null || cell === undefined ? {} : { value: cell })
  }
  const problems: string[] = []
  const errors = options.scorerErrors ?? new Map()
  const column = builder.build(options.rows ?? cells.length, errors, options.aggregations ?? ['mean'], (problem) =>
    problems.push(problem),
  )
  return { column, problems }
}

test('ColumnBuilder counts booleans as 1 and 0, with Wilson’s interval', () => {
  const { column } = build([true, true, true, false])
  expect(column).toMatchObject({ name: 'c', scorer: 's', kind: 'boolean', rows: 4, scored: 4, passed: 3 })
  expect(column.aggregates.mean).toBe(0.75)
  expect(column.interval?.low).toBeCloseTo(0.30064, 4)
  expect(column.interval?.high).toBeCloseTo(0.95441, 4)
  expect(column.counts).toBeUndefined()
})

test.each([[['yes', 'no', 'YES']], [['true', 'false', 'True']], [['pass', 'fail', 'Pass']], [['yes', false, 'pass']]])(
  'ColumnBuilder takes %j for passed and failed',
  (cells) => {
    const { column } = build(cells)
    expect(column).toMatchObject({ kind: 'boolean', passed: 2, scored: 3 })
    expect(column.aggregates.mean).toBeCloseTo(2 / 3, 12)
  },
)

test('ColumnBuilder makes a category of yes and no with a third value', () => {
  const { column } = build(['yes', 'no', 'yes', 'unsure', true])
  expect(column).toMatchObject({ kind: 'category', scored: 5, otherValues: 0, aggregates: {} })
  expect(Object.entries(column.counts ?? {})).toEqual([
    ['yes', 2],
    ['no', 1],
    ['true', 1],
    ['unsure', 1],
  ])
  expect(column).not.toHaveProperty('passed')
  expect(column).not.toHaveProperty('interval')
})

test('ColumnBuilder counts numbers and structured values among categories', () => {
  const { column } = build(['a', 1, 2, ['x'], '(number)'])
  expect(column.kind).toBe('category')
  expect(Object.entries(column.counts ?? {})).toEqual([
    ['(number)', 3],
    ['(structured)', 1],
    ['a', 1],
  ])
})

test('ColumnBuilder gives every aggregation of numbers', () => {
  const { column } = build([4, 1, 3, 2], { aggregations: ['mean', 'min', 'max', 'median', 'variance', 'p90'] })
  expect(column.kind).toBe('number')
  expect(column.aggregates).toEqual({ mean: 2.5, min: 1, max: 4, median: 2.5, variance: 1.25, p90: 3.7 })
  expect(column.interval?.low).toBeCloseTo(2.5 - 3.1824463053 * Math.sqrt(5 / 12), 9)
})

test('ColumnBuilder gives one number no interval, and no value no aggregate', () => {
  expect(build([5]).column).toMatchObject({ kind: 'number', aggregates: { mean: 5 } })
  expect(build([5]).column).not.toHaveProperty('interval')
  const { column } = build([null, undefined])
  expect(column).toEqual({
    name: 'c',
    kind: 'empty',
    scorer: 's',
    rows: 2,
    scored: 0,
    missing: 2,
    errors: 0,
    errorCodes: {},
    aggregates: {},
  })
})

test('ColumnBuilder keeps structured values out of every aggregate', () => {
  expect(build([['a'], { b: 1 }]).column).toMatchObject({ kind: 'structured', scored: 2, aggregates: {} })
  const { column } = build([true, false, ['x'], ['y']])
  expect(column).toMatchObject({ kind: 'boolean', scored: 4, passed: 1, aggregates: { mean: 0.5 } })
  expect(column.interval?.high).toBeCloseTo(build([true, false]).column.interval?.high as number, 12)
})

test('ColumnBuilder counts missing and errors by code, most frequent first, the whole scorer’s included', () => {
  const cells = [1, null, new Error('B'), new Error('A'), new Error('B'), new Error('__proto__')]
  const { column } = build(cells, { rows: 10, scorerErrors: new Map([['A', 2]]) })
  expect(column).toMatchObject({ rows: 10, scored: 1, errors: 6, missing: 3 })
  expect(Object.entries(column.errorCodes)).toEqual([
    ['A', 3],
    ['B', 2],
    ['__proto__', 1],
  ])
  expect(column.scored + column.missing + column.errors).toBe(column.rows)
})

test('ColumnBuilder gives the same bytes in whatever order the rows finish', () => {
  const cell: fc.Arbitrary<Cell> = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }),
    fc.boolean(),
    fc.constantFrom<Cell>('yes', 'no', 'maybe', 'x', null, ['l']),
    fc.constantFrom('E1', 'E2', 'E3').map((code) => new Error(code)),
  )
  const cells = fc.oneof(
    fc.array(cell, { maxLength: 40 }),
    fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { maxLength: 200 }),
  )
  const shuffled = cells.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray([...list.keys()], { minLength: list.length })),
  )
  const aggregations: Aggregation[] = [
    'mean',
    'variance',
    'p90',
    'median',
    function first(values) {
      return values[0] ?? 0
    },
  ]
  fc.assert(
    fc.property(shuffled, ([list, order]) => {
      expect(JSON.stringify(build(list, { order, aggregations }))).toBe(JSON.stringify(build(list, { aggregations })))
    }),
    { numRuns: 300 },
  )
})

test('ColumnBuilder shows a hundred values and counts the rest', () => {
  const cells = Array.from({ length: 250 }, (_, i) => `v${i % 150}`)
  const { column } = build(cells)
  expect(Object.keys(column.counts ?? {})).toHaveLength(100)
  expect(Object.values(column.counts ?? {}).every((count) => count === 2)).toBe(true)
  expect(column.otherValues).toBe(50)
})

test('ColumnBuilder counts values called __proto__ and constructor', () => {
  const { column } = build(['__proto__', 'constructor', '__proto__'])
  expect(Object.entries(column.counts ?? {})).toEqual([
    ['__proto__', 2],
    ['constructor', 1],
  ])
})

test('ColumnBuilder takes custom aggregations by name, each with numbers of its own', () => {
  const spoil = function spoil(values: readonly number[]): number {
    ;(values as number[]).fill(99)
    return 0
  }
  const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
  const { column, problems } = build([1, 2, true], { aggregations: [spoil, total, 'max'] })
  expect(column.aggregates).toEqual({ spoil: 0, total: 4, max: 2 })
  expect(problems).toEqual([])
})

test('ColumnBuilder reports an aggregation that fails and keeps the others', () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const aggregations: Aggregation[] = [
    function boom() {
      throw new Error('no')
    },
    function nan() {
      return Number.NaN
    },
    async function later() {
      return 1
    } as never,
    function odd() {
      throw proxy
    },
    'mean',
  ]
  const { column, problems } = build([1, 2], { aggregations })
  expect(column.aggregates).toEqual({ mean: 1.5 })
  expect(problems).toEqual([
    'Aggregation "boom" of column "c" failed: no',
    'Aggregation "nan" of column "c" failed: gave NaN',
    'Aggregation "later" of column "c" failed: gave a Promise',
    'Aggregation "odd" of column "c" failed: a value that cannot be described',
  ])
})

test('ColumnBuilder reports an aggregate that does not fit a double, and gives no interval then', () => {
  const { column, problems } = build([1.7e308, -1.7e308], { aggregations: ['mean', 'variance'] })
  expect(column.aggregates).toEqual({ mean: 0 })
  expect(column).not.toHaveProperty('interval')
  expect(problems).toEqual(['Aggregation "variance" of column "c" failed: gave Infinity'])
})

test.each<[unknown, number | undefined]>([
  [true, 1],
  [false, 0],
  ['Yes', 1],
  ['FAIL', 0],
  ['maybe', undefined],
  ['', undefined],
  [1, undefined],
  [null, undefined],
])('passValue(%j) is %s', (value, wanted) => {
  expect(passValue(value)).toBe(wanted)
})

test('metricsOf() names aggregates as MLflow does, whatever a column is called', () => {
  const columns = ['exact', '__proto__'].map((name) => ({
    ...build([1, 2], { aggregations: ['mean', 'max'] }).column,
    name,
  }))
  expect(Object.entries(metricsOf(columns))).toEqual([
    ['exact/mean', 1.5],
    ['exact/max', 2],
    ['__proto__/mean', 1.5],
    ['__proto__/max', 2],
  ])
})
