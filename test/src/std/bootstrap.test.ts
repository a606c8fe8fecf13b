import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bootstrap, signFlip } from '../../../src/std/bootstrap.ts'
import { seeded } from '../../../src/std/random.ts'
import { clusteredInterval, quantile, tInterval } from '../../../src/std/stats.ts'

const next = seeded(11)
const normal = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
const sample = Array.from({ length: 200 }, () => 5 + 2 * normal())

test('bootstrap() of a mean comes close to the t interval, by either method', () => {
  const t = tInterval(sample) as { low: number; high: number }
  for (const method of ['bca', 'percentile'] as const) {
    const found = bootstrap(sample, { method, seed: 1 })
    expect(found?.low).toBeCloseTo(t.low, 1)
    expect(found?.high).toBeCloseTo(t.high, 1)
  }
})

test('bootstrap() gives the same interval for the same seed only', () => {
  expect(bootstrap(sample, { seed: 3, draws: 500 })).toEqual(bootstrap(sample, { seed: 3, draws: 500 }))
  expect(bootstrap(sample, { seed: 3, draws: 500 })).not.toEqual(bootstrap(sample, { seed: 4, draws: 500 }))
})

test('bootstrap() by BCa leans towards the long tail where percentiles do not', () => {
  const skewed = Array.from({ length: 60 }, () => Math.exp(normal()))
  const [bca, plain] = [bootstrap(skewed, { seed: 2 }), bootstrap(skewed, { seed: 2, method: 'percentile' })]
  expect(bca?.high).toBeGreaterThan(plain?.high as number)
  expect(bca?.low).toBeGreaterThan(plain?.low as number)
})

test('bootstrap() takes any figure, and whole clusters', () => {
  const p90 = (values: Float64Array): number => quantile(values.slice().sort(), 0.9)
  const found = bootstrap(sample, { statistic: p90, draws: 2_000 }) as { low: number; high: number }
  const figure = p90(Float64Array.from(sample))
  expect(found.low).toBeLessThan(figure)
  expect(found.high).toBeGreaterThan(figure)
  const clusters = sample.map((_, i) => `c${Math.floor(i / 20)}`)
  const shifted = sample.map((value, i) => value + Math.floor(i / 20))
  const wide = bootstrap(shifted, { clusters, draws: 4_000 }) as { low: number; high: number }
  const t = clusteredInterval(shifted, clusters) as { low: number; high: number }
  expect(Math.abs(wide.high - wide.low - (t.high - t.low)) / (t.high - t.low)).toBeLessThan(0.35)
  expect(bootstrap([1, 2, 3], { clusters: ['a', 'a', 'a'] })).toBeUndefined()
})

test('bootstrap() is undefined below two values and has no width where all agree', () => {
  expect(bootstrap([])).toBeUndefined()
  expect(bootstrap([1])).toBeUndefined()
  expect(bootstrap([2, 2, 2])).toEqual({ low: 2, high: 2 })
})

test('signFlip() is exact for few differences, and counts none that is zero', () => {
  expect(signFlip([1, 1, 1, 1, 1])).toBe(2 / 32)
  expect(signFlip([1, 1, 1, 1, 1, 0, 0])).toBe(2 / 32)
  expect(signFlip([1, -1])).toBe(1)
  expect(signFlip([0, 0])).toBe(1)
  expect(signFlip([])).toBe(1)
})

test('signFlip() is the share of all signs, and much the same where it draws', () => {
  const small = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(small, (values) => {
      expect(signFlip(values.map((v) => -v))).toBeCloseTo(signFlip(values), 12)
      expect(signFlip(values)).toBeGreaterThan(0)
    }),
  )
  const many = [...Array(16).fill(1), ...Array(8).fill(-1)]
  // The two-sided binomial tail of 8 in 24.
  expect(signFlip(many, { draws: 40_000 })).toBeCloseTo(0.1516, 2)
})
