import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  detectableFall,
  detectableShortfall,
  estimateDifference,
  estimateFigure,
  estimateMean,
  exactly,
  figureOf,
  rowsToDecide,
} from '../../src/estimate.ts'
import { normalQuantile } from '../../src/std/distribution.ts'
import { tango } from '../../src/std/proportion.ts'
import { tInterval, wilson } from '../../src/std/stats.ts'

const numbers = (...values: number[]): Float64Array => Float64Array.from(values)
const passed = (count: number, of: number): Float64Array =>
  Float64Array.from({ length: of }, (_, i) => (i < count ? 1 : 0))
const alpha = 0.05

test('estimateMean() takes Wilson for verdicts and Student for numbers, each end at alpha', () => {
  expect(estimateMean(passed(18, 20), { alpha })).toMatchObject({ value: 0.9, method: 'wilson', n: 20 })
  expect(estimateMean(passed(18, 20), { alpha }).interval).toEqual(wilson(18, 20, 0.9))
  const found = estimateMean(numbers(1, 2, 4), { alpha })
  expect(found.method).toBe('t')
  expect(found.interval?.low).toBeCloseTo(tInterval([1, 2, 4], 0.9)?.low as number, 12)
})

test('estimateMean() of a single number, or a single cluster, has no interval', () => {
  expect(estimateMean(numbers(0.5), { alpha }).interval).toBeUndefined()
  expect(estimateMean(passed(3, 4), { alpha, clusters: ['a', 'a', 'a', 'a'] }).interval).toBeUndefined()
})

test('estimateMean() widens where rows belong together, and not where each stands alone', () => {
  const values = Float64Array.from({ length: 40 }, (_, i) => (i < 30 ? 1 : 0))
  const together = Array.from(values, (_, i) => `c${Math.floor(i / 10)}`)
  const apart = Array.from(values, (_, i) => `c${i}`)
  const width = (clusters?: string[]): number => {
    const { interval } = estimateMean(values, { alpha, clusters })
    return (interval?.high ?? 0) - (interval?.low ?? 0)
  }
  expect(width(together)).toBeGreaterThan(2 * width())
  expect(width(apart)).toBe(width())
})

test('estimateMean() counts a cluster once where nothing varies', () => {
  const clusters = Array.from({ length: 100 }, (_, i) => `c${i % 5}`)
  const { interval } = estimateMean(passed(100, 100), { alpha, clusters })
  expect(interval?.low).toBeCloseTo(wilson(5, 5, 0.9).low, 12)
})

test('estimateDifference() takes Tango for verdicts and Student for numbers', () => {
  const before = numbers(1, 1, 1, 0, 0, 1)
  const after = numbers(1, 0, 1, 1, 1, 1)
  const found = estimateDifference(before, after, { alpha })
  expect(found).toMatchObject({ method: 'tango', n: 6 })
  expect(found.value).toBeCloseTo(1 / 6, 12)
  expect(found.interval).toEqual(tango(2, 1, 6, 0.9))
  expect(estimateDifference(numbers(0.1, 0.4, 0.2), numbers(0.2, 0.2, 0.2), { alpha }).method).toBe('t')
})

test('estimateDifference() is not certain because few rows are the same', () => {
  const same = numbers(0.3, 0.7, 0.4)
  const { interval, value } = estimateDifference(same, same, { alpha })
  expect(value).toBe(0)
  expect(interval?.high).toBeCloseTo(tango(0, 0, 3, 0.9).high, 12)
  const large = numbers(100, 300)
  expect(estimateDifference(large, large, { alpha }).interval?.high).toBeCloseTo(tango(0, 0, 2, 0.9).high * 300, 9)
})

test('estimateDifference() with clusters is at least as wide as without where whole clusters fall', () => {
  const before = passed(60, 60)
  const after = before.map((_, i) => (i < 12 ? 0 : 1))
  const clusters = Array.from(before, (_, i) => `c${Math.floor(i / 6)}`)
  const [plain, wide] = [
    estimateDifference(before, after, { alpha }),
    estimateDifference(before, after, { alpha, clusters }),
  ]
  expect(wide.interval?.low).toBeLessThan(plain.interval?.low as number)
  expect(estimateDifference(before, after, { alpha, clusters: clusters.map(() => 'one') }).interval).toBeUndefined()
})

test('estimateFigure() bootstraps percentiles, alone and paired, and repeats itself', () => {
  const values = Float64Array.from({ length: 200 }, (_, i) => (i * 37) % 200)
  const p90 = figureOf('p90') as (values: Float64Array) => number
  const found = estimateFigure(p90, values, undefined, { alpha })
  expect(found).toEqual(estimateFigure(p90, values, undefined, { alpha }))
  expect(found.interval?.low).toBeLessThan(found.value)
  expect(found.interval?.high).toBeGreaterThan(found.value)
  const shifted = estimateFigure(
    p90,
    values.map((value) => value + 5),
    values,
    { alpha },
  )
  expect(shifted).toMatchObject({ value: 5, interval: { low: 5, high: 5 } })
  expect(figureOf('max')).toBeUndefined()
  expect(figureOf('median')?.(numbers(3, 1, 2))).toBe(2)
  expect(figureOf('variance')?.(numbers(1, 3))).toBe(1)
})

test('detectableFall() is what a fall has to be so that its test finds it in more than four of five cases', () => {
  const found = { value: 0, error: 0.02, n: 500, method: 't' as const }
  const [a, b] = [normalQuantile(0.95), normalQuantile(0.83)]
  expect(detectableFall(found, 0.01, alpha)).toBeCloseTo((a + b) * 0.02, 9)
  // A fall within a wide margin fails nobody, however certain.
  expect(detectableFall(found, 0.2, alpha)).toBeCloseTo(0.2 - (a - b) * 0.02, 9)
  expect(detectableFall({ ...found, n: 1 }, 0.01, alpha)).toBeUndefined()
  expect(detectableFall({ ...found, error: Number.NaN }, 0.01, alpha)).toBeUndefined()
})

test('detectableFall() and detectableShortfall() of verdicts shrink with the rows, and are none where no fall could be seen', () => {
  const fall = (n: number): number | undefined =>
    detectableFall({ value: 0, error: Math.sqrt(0.1 / n), n, method: 'tango' }, 0.02, alpha)
  expect(fall(1_000)).toBeLessThan(fall(200) as number)
  expect(fall(2)).toBeUndefined()
  const shortfall = (n: number): number | undefined =>
    detectableShortfall({ value: 0.95, error: 0, n, method: 'wilson' }, 0.9, alpha)
  expect(shortfall(1_000)).toBeLessThan(shortfall(100) as number)
  expect(shortfall(1)).toBeUndefined()
  // Two rows, none of which passes, are still compatible with a rate of one in three.
  expect(detectableShortfall({ value: 0.5, error: 0, n: 2, method: 'wilson' }, 0.3, alpha)).toBeUndefined()
})

test('rowsToDecide() asks for more rows the nearer the bound is, for none at the bound itself', () => {
  const found = estimateMean(passed(90, 100), { alpha })
  expect(rowsToDecide(found, 0.05, alpha)).toBeGreaterThan(rowsToDecide(found, 0.1, alpha) as number)
  expect(rowsToDecide(found, 0, alpha)).toBeUndefined()
  expect(rowsToDecide(found, 1e-9, alpha)).toBeUndefined()
  expect(rowsToDecide(exactly(1, 5), Number.NaN, alpha)).toBeUndefined()
})

test('rowsToDecide() is enough where every row is the same', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), fc.double({ min: 0.02, max: 0.4, noNaN: true }), (n, margin) => {
      const found = estimateDifference(passed(n, n), passed(n, n), { alpha })
      fc.pre((found.interval?.low ?? 0) <= -margin)
      const rows = rowsToDecide(found, margin, alpha) as number
      expect(rows).toBeGreaterThan(n)
      const enough = estimateDifference(passed(rows, rows), passed(rows, rows), { alpha })
      expect(enough.interval?.low).toBeGreaterThan(-margin - 1e-9)
    }),
  )
})

test('detectableFall() and rowsToDecide() of clusters in which nothing has changed go by what the clusters are worth', () => {
  const clusters = Array.from({ length: 100 }, (_, i) => `d${Math.floor(i / 5)}`)
  const still = estimateDifference(passed(100, 100), passed(100, 100), { alpha, clusters })
  expect(still).toMatchObject({ method: 'clustered', n: 100, weight: 20, error: 0 })
  const fewer = estimateDifference(passed(20, 20), passed(20, 20), { alpha })
  expect(detectableFall(still, 0.03, alpha)).toBeCloseTo(detectableFall(fewer, 0.03, alpha) as number, 9)
  const [needed, alone] = [rowsToDecide(still, 0.03, alpha), rowsToDecide(fewer, 0.03, alpha)] as [number, number]
  expect(needed / alone).toBeCloseTo(5, 1)
})

test('estimateMean() of numbers that are all the same leaves room for others, the less the more rows there are', () => {
  const same = (n: number) => new Float64Array(n).fill(0.9)
  const [few, many] = [estimateMean(same(2), { alpha }), estimateMean(same(200), { alpha })]
  expect(few.interval?.low).toBeCloseTo(0.9 - wilson(0, 2, 0.9).high, 12)
  expect(few.interval?.high).toBe(1)
  expect(many.interval?.low).toBeGreaterThan(0.88)
  expect(detectableShortfall(few, 0.85, alpha)).toBeUndefined()
  const clusters = Array.from({ length: 200 }, (_, i) => `d${i % 2}`)
  expect(estimateMean(same(200), { alpha, clusters }).interval).toEqual(few.interval)
})
