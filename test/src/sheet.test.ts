import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Fold } from '../../src/run.ts'
import { fold, foldOf, SheetBuilder } from '../../src/sheet.ts'
import { runRecord } from '../data/records.ts'
import { sheetOf } from '../data/sheet.ts'

const T = true
const F = false

test.each<[Fold, readonly (boolean | number | string)[], number]>([
  ['mean', [T, F, T, T], 0.75],
  ['majority', [T, F, 'yes'], 1],
  ['majority', [T, F], 0],
  ['all', [T, 'pass'], 1],
  ['all', [T, F], 0],
  ['any', [F, T], 1],
  ['any', [F, 'no'], 0],
  ['pass@1', [T, F, F], 1 / 3],
  ['pass@2', [T, T, F, F], 0.8333333333],
  ['pass^2', [T, T, F, F], 0.1666666667],
  ['pass@3', [T, T], Number.NaN],
  ['mean', [], Number.NaN],
  ['all', [1, 0.5], 0.75],
  ['majority', [120, 140], 130],
])('fold() by %s of %j is %d', (how, values, wanted) => {
  if (Number.isNaN(wanted)) expect(fold(values, how)).toBeNaN()
  else expect(fold(values, how)).toBeCloseTo(wanted, 10)
})

test('fold() does not depend on the order of repeats, and rises with every pass', () => {
  const folds: Fold[] = ['mean', 'majority', 'all', 'any', 'pass@2', 'pass^2']
  const verdicts = fc.array(fc.boolean(), { minLength: 2, maxLength: 9 })
  fc.assert(
    fc.property(verdicts, fc.constantFrom(...folds), (values, how) => {
      expect(fold([...values].reverse(), how)).toBeCloseTo(fold(values, how), 12)
      const better = values.map((value, i) => i === 0 || value)
      expect(fold(better, how)).toBeGreaterThanOrEqual(fold(values, how) - 1e-12)
    }),
  )
})

test("foldOf() is the column's own, else the one of all, else the mean", () => {
  expect(foldOf(runRecord(), 'a')).toBe('mean')
  expect(foldOf(runRecord({ repeats: { times: 3 } }), 'a')).toBe('mean')
  expect(foldOf(runRecord({ repeats: { times: 3, fold: 'all' } }), 'a')).toBe('all')
  const own = runRecord({ repeats: { times: 3, fold: { a: 'any' } } })
  expect([foldOf(own, 'a'), foldOf(own, 'b')]).toEqual(['any', 'mean'])
})

test('SheetBuilder makes one row of its repeats; a row has failed when all of them have', () => {
  const builder = new SheetBuilder(runRecord({ repeats: { times: 2, fold: 'all' } }))
  const base = { traceId: 'tr-a', index: 0, truth: '', tags: {}, found: [] }
  const feedback = (value: unknown) => [{ name: 'good', value, source: 'CODE' }]
  builder.add({ ...base, rowId: 'a', failed: true, feedback: [] })
  builder.add({ ...base, rowId: 'a', failed: false, feedback: feedback(true) })
  builder.add({ ...base, rowId: 'b', failed: false, feedback: feedback('yes'), index: 1 })
  builder.add({ ...base, rowId: 'b', failed: false, feedback: feedback(false), index: 1 })
  builder.add({ ...base, rowId: 'c', failed: true, feedback: [], index: 2 })
  const sheet = builder.build()
  expect(sheet.rows.map(({ rowId, failed }) => [rowId, failed])).toEqual([
    ['a', false],
    ['b', false],
    ['c', true],
  ])
  expect([...(sheet.columns.get('good')?.values ?? [])]).toEqual([1, 0, Number.NaN])
})

test('SheetBuilder counts errors, other values and costs, and takes neither for a number', () => {
  const sheet = sheetOf({
    columns: { mixed: [1, 'formal', new Error('x'), undefined, [1], true] },
    cost: 0.6,
    failed: [3],
    latencies: [1, 2],
  })
  const column = sheet.columns.get('mixed')
  expect([...(column?.values ?? [])]).toEqual([1, Number.NaN, Number.NaN, Number.NaN, Number.NaN, 1])
  expect(column).toMatchObject({ given: 4, errors: 1 })
  expect(sheet.erred).toBe(2)
  expect(sheet.cost).toBeCloseTo(0.6, 12)
  expect([...sheet.latencies]).toEqual([1, 2])
})
