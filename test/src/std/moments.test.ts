import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { differenceInterval, Moments } from '../../../src/std/moments.ts'
import { newcombe } from '../../../src/std/proportion.ts'
import { type Interval, mean, standardError } from '../../../src/std/stats.ts'

const { jStat } = createRequire(import.meta.url)('jstat')

const of = (values: readonly number[]): Moments => {
  const moments = new Moments()
  for (const value of values) moments.add(value)
  return moments
}

test('Moments are those of the values all at once', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1_000, max: 1_000 }), { minLength: 2 }), (values) => {
      const moments = of(values)
      expect(moments.n).toBe(values.length)
      expect(moments.mean).toBeCloseTo(mean(values), 8)
      expect(Math.sqrt(moments.variance / moments.n)).toBeCloseTo(standardError(values), 8)
    }),
  )
  expect(of([]).variance).toBeNaN()
  expect(of([1, 0]).areVerdicts).toBe(true)
  expect(of([1, 0.5]).areVerdicts).toBe(false)
})

test('differenceInterval() of verdicts is Newcombe’s', () => {
  const verdicts = (passed: number, n: number) => of(Array.from({ length: n }, (_, i) => Number(i < passed)))
  expect(differenceInterval(verdicts(56, 70), verdicts(48, 80))).toEqual(newcombe([56, 70], [48, 80]))
})

test('differenceInterval() of numbers is Welch’s', () => {
  // A published example: t −2.46 with 25.0 degrees of freedom.
  const a = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4]
  const b = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4]
  const { low, high } = differenceInterval(of(a), of(b)) as Interval
  const [center, half] = [(low + high) / 2, (high - low) / 2]
  expect(center).toBeCloseTo(mean(a) - mean(b), 12)
  expect((center * jStat.studentt.inv(0.975, 25)) / half).toBeCloseTo(-2.46, 2)
})

test('differenceInterval() needs values that vary', () => {
  expect(differenceInterval(of([]), of([1, 0]))).toBeUndefined()
  expect(differenceInterval(of([0.5]), of([0.2, 0.4]))).toBeUndefined()
  expect(differenceInterval(of([0.5, 0.5]), of([0.4, 0.4]))).toBeUndefined()
})
