import { createRequire } from 'node:module'
import fc from 'fast-check'
import * as simple from 'simple-statistics'
import { expect, test } from 'vitest'
import {
  clusteredError,
  clusteredInterval,
  designEffect,
  mean,
  quantile,
  standardError,
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

// Miller 2024 (arXiv 2411.00640); Inspect AI's own test rounds the last one to 0.645.
const inClusters = Array.from({ length: 20 }, (_, i) => i)
const four = inClusters.map((i) => `cluster ${i % 4}`)

test('clusteredError() is the closed form with C/(C − 1), beside the other forms in print', () => {
  const naive = standardError(inClusters)
  const error = clusteredError(inClusters, four) as number
  expect(naive).toBeCloseTo(1.3228756555, 10)
  expect(error).toBeCloseTo(0.6454972244, 10)
  const closed = error * Math.sqrt(3 / 4)
  expect(closed).toBeCloseTo(0.5590169944, 10)
  const center = mean(inClusters)
  let products = 0
  for (const i of inClusters)
    for (const j of inClusters) if (i !== j && i % 4 === j % 4) products += (i - center) * (j - center)
  expect(Math.sqrt(naive ** 2 + products / 400)).toBeCloseTo(0.632455532, 10)
  expect(designEffect(inClusters, four)).toBeCloseTo((0.6454972244 / 1.3228756555) ** 2, 9)
})

test('clusteredError() is undefined for one cluster, and the plain one where every value is its own', () => {
  expect(clusteredError([1, 2, 3], ['a', 'a', 'a'])).toBeUndefined()
  expect(clusteredInterval([1, 2, 3], ['a', 'a', 'a'])).toBeUndefined()
  expect(designEffect([1, 1], ['a', 'b'])).toBeUndefined()
  fc.assert(
    fc.property(numbers, (values) => {
      const apart = values.map((_, i) => String(i))
      near(clusteredError(values, apart) as number, standardError(values), 1e6)
      near(clusteredInterval(values, apart)?.low as number, tInterval(values)?.low as number, 1e6)
    }),
  )
})

test('wilson() and tInterval() narrow with their level', () => {
  expect(wilson(18, 20, 0.9).low).toBeGreaterThan(wilson(18, 20).low)
  const [low, high] = [tInterval([1, 2, 4], 0.9), tInterval([1, 2, 4], 0.99)]
  expect(low?.low).toBeGreaterThan(high?.low as number)
})

test('the worked example of 400 paired rows has its published error and interval', () => {
  const differences = [...Array(26).fill(1), ...Array(14).fill(-1), ...Array(360).fill(0)]
  expect(mean(differences)).toBeCloseTo(0.03, 12)
  expect(standardError(differences)).toBeCloseTo(0.01576, 5)
  const population = Math.sqrt(variance(differences) / 400)
  expect(population).toBeCloseTo(0.01574, 5)
  expect(0.03 / population).toBeCloseTo(1.906, 3)
  expect(0.03 - 1.959963984540054 * standardError(differences)).toBeCloseTo(-0.0009, 4)
  expect(0.03 + 1.959963984540054 * standardError(differences)).toBeCloseTo(0.0609, 4)
})

test('the published paired results follow from their errors', () => {
  const [a, b] = [Math.sqrt((0.655 * 0.345) / 5000), Math.sqrt((0.63 * 0.37) / 5000)]
  expect(a).toBeCloseTo(0.006723, 6)
  expect(b).toBeCloseTo(0.006828, 6)
  expect(Math.hypot(a, b)).toBeCloseTo(0.009582, 6)
  expect(Math.sqrt(a * a + b * b - a * b)).toBeCloseTo(0.006776, 6)
  const printed = [
    [2.5, 0.7, 1.1, 3.9],
    [-3.1, 2.1, -7.2, 1.0],
    [-2.7, 1.7, -6.0, 0.6],
  ] as const
  for (const [difference, error, low, high] of printed) {
    expect(difference - 1.959963984540054 * error).toBeCloseTo(low, 1)
    expect(difference + 1.959963984540054 * error).toBeCloseTo(high, 1)
  }
})
