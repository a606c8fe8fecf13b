import { createRequire } from 'node:module'
import fc from 'fast-check'
import * as simple from 'simple-statistics'
import { expect, test } from 'vitest'
import {
  incompleteBeta,
  mean,
  quantile,
  standardError,
  studentT975,
  sum,
  tInterval,
  variance,
  wilson,
} from '../../../src/std/stats.ts'

const { jStat } = createRequire(import.meta.url)('jstat')
const numbers = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 200 })
const near = (actual: number, expected: number, scale = 1): void => {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(expected), scale))
}

// Newcombe 1998, table I; R's binom.
test.each([
  [81, 263, 0.2552885199, 0.366209577],
  [15, 148, 0.0623863995, 0.1604872417],
  [0, 20, 0, 0.1611251581],
  [1, 29, 0.0061132143, 0.1717552188],
  [18, 20, 0.6989663548, 0.9721335188],
  [4, 20, 0.0806576626, 0.4160174323],
  [190, 200, 0.9104218519, 0.9726173544],
  [0, 1, 0, 0.7934506856],
  [1, 1, 0.2065493144, 1],
  [0, 10, 0, 0.2775327999],
  [10, 10, 0.7224672001, 1],
  [480, 500, 0.9390264042, 0.9739592026],
])('wilson() gives the published interval of %d of %d', (successes, n, low, high) => {
  const interval = wilson(successes, n)
  expect(interval.low).toBeCloseTo(low, 10)
  expect(interval.high).toBeCloseTo(high, 10)
})

test('wilson() holds the proportion, stays in 0 to 1, mirrors, and says nothing of nothing', () => {
  expect(wilson(0, 0)).toEqual({ low: 0, high: 1 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, share) => {
      const successes = Math.round(n * share)
      const { low, high } = wilson(successes, n)
      const mirrored = wilson(n - successes, n)
      expect(low).toBeGreaterThanOrEqual(0)
      expect(high).toBeLessThanOrEqual(1)
      expect(low).toBeLessThanOrEqual(successes / n)
      expect(high).toBeGreaterThanOrEqual(successes / n)
      expect(mirrored.low).toBeCloseTo(1 - high, 12)
    }),
  )
})

test.each([
  [1, 12.7062047362],
  [2, 4.3026527297],
  [3, 3.1824463053],
  [4, 2.7764451052],
  [9, 2.2621571628],
  [10, 2.228138852],
  [30, 2.0422724563],
  [1000, 1.9623390808],
])('studentT975() gives the published quantile at %d degrees of freedom', (df, t) => {
  expect(studentT975(df)).toBeCloseTo(t, 10)
})

test('studentT975() agrees with jstat, falls with the degrees of freedom, and ends at the normal quantile', () => {
  let previous = Number.POSITIVE_INFINITY
  for (const df of [1, 2, 5, 7, 20, 50, 99, 333, 999, 5_000, 20_000, 100_000, 1_000_000, 10_000_000]) {
    const t = studentT975(df)
    expect(t).toBeLessThan(previous)
    if (df <= 1_000) expect(t).toBeCloseTo(jStat.studentt.inv(0.975, df), 6)
    previous = t
  }
  expect(previous).toBeCloseTo(1.959963984540054, 6)
})

test('incompleteBeta() agrees with jstat', () => {
  const shape = fc.double({ min: 0.5, max: 200, noNaN: true })
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), shape, shape, (x, a, b) => {
      expect(incompleteBeta(x, a, b)).toBeCloseTo(jStat.ibeta(x, a, b), 7)
    }),
  )
  expect(incompleteBeta(0, 2, 3)).toBe(0)
  expect(incompleteBeta(1, 2, 3)).toBe(1)
})

test('tInterval() gives the interval of 0 to 9', () => {
  const values = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
  expect(standardError(values)).toBeCloseTo(0.9574271078, 10)
  expect(tInterval(values)?.low).toBeCloseTo(2.3341494103, 10)
  expect(tInterval(values)?.high).toBeCloseTo(6.6658505897, 10)
})

test('tInterval() is undefined below two values and has no width where all agree', () => {
  expect(tInterval([])).toBeUndefined()
  expect(tInterval([3])).toBeUndefined()
  expect(tInterval([0.5, 0.5, 0.5])).toEqual({ low: 0.5, high: 0.5 })
})

test('tInterval() agrees with jstat', () => {
  fc.assert(
    fc.property(numbers, (values) => {
      const { low, high } = tInterval(values) ?? { low: Number.NaN, high: Number.NaN }
      const center = simple.mean(values)
      const half =
        (jStat.studentt.inv(0.975, values.length - 1) * simple.sampleStandardDeviation(values)) /
        Math.sqrt(values.length)
      expect(Math.abs(low - (center - half))).toBeLessThanOrEqual(1e-6 * Math.max(1, half, Math.abs(center)))
      expect(Math.abs(high - (center + half))).toBeLessThanOrEqual(1e-6 * Math.max(1, half, Math.abs(center)))
    }),
  )
})

test('mean(), variance(), standardError() agree with simple-statistics', () => {
  fc.assert(
    fc.property(numbers, (values) => {
      near(sum(values), simple.sum(values), 1e6)
      near(mean(values), simple.mean(values), 1e6)
      near(variance(values), simple.variance(values), simple.variance(values))
      near(standardError(values), simple.sampleStandardDeviation(values) / Math.sqrt(values.length), 1e6)
    }),
  )
})

test('quantile() interpolates as NumPy does', () => {
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5)
  expect(quantile([1, 2, 3, 4], 0.9)).toBeCloseTo(3.7, 12)
  expect(quantile([7], 0.9)).toBe(7)
  expect(quantile([1, 2, 3], 0)).toBe(1)
  expect(quantile([1, 2, 3], 1)).toBe(3)
  expect(quantile([], 0.5)).toBeNaN()
  fc.assert(
    fc.property(numbers, (values) => {
      const sorted = Float64Array.from(values).sort()
      near(quantile(sorted, 0.5), simple.medianSorted([...sorted]), 1e6)
      near(quantile(sorted, 0.9), jStat.quantiles([...sorted], [0.9], 1, 1)[0], 1e6)
    }),
  )
})

test('sum() does not lose what is small beside what is large', () => {
  expect(sum([1, 1e100, 1, -1e100])).toBe(2)
  expect(sum(Array.from({ length: 1_000_000 }, () => 0.1))).toBe(100_000)
  expect(sum([])).toBe(0)
})

test('mean() of numbers near the largest double is finite', () => {
  expect(mean([1.7e308, 1.7e308])).toBe(1.7e308)
  expect(mean([Number.MAX_VALUE, Number.MAX_VALUE, -Number.MAX_VALUE])).toBeCloseTo(Number.MAX_VALUE / 3, -300)
})

test('mean() of nothing is NaN, standardError() of one value too', () => {
  expect(mean([])).toBeNaN()
  expect(standardError([1])).toBeNaN()
})
