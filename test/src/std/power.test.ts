import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyFails, detectable, passAtK, passHatK, rowsNeeded, varianceLeft } from '../../../src/std/power.ts'

// Miller 2024, its worked example.
test('rowsNeeded() gives 968.9975 rows for three points at a variance of 1/9', () => {
  expect(rowsNeeded(1 / 9, 0.03)).toBeCloseTo(968.9975, 4)
  expect(Math.ceil(rowsNeeded(1 / 9, 0.03))).toBe(969)
})

test.each([
  [1, 0.132733],
  [10, 0.07567],
])('detectable() gives the published difference of 198 rows with %d repeats', (k, difference) => {
  expect(detectable(1 / 9 + (2 * (1 / 6)) / k, 198)).toBeCloseTo(difference, 6)
})

test('detectable() undoes rowsNeeded(), and one side needs fewer rows than two', () => {
  const positive = fc.double({ min: 0.001, max: 10, noNaN: true })
  fc.assert(
    fc.property(positive, positive, (variance, difference) => {
      const demand = { alpha: 0.05, power: 0.9, sides: 1 } as const
      expect(detectable(variance, rowsNeeded(variance, difference, demand), demand)).toBeCloseTo(difference, 9)
      expect(rowsNeeded(variance, difference, demand)).toBeLessThan(rowsNeeded(variance, difference, { power: 0.9 }))
    }),
  )
})

test.each([
  [1, 1],
  [2, 0.6667],
  [4, 0.5],
  [6, 0.4444],
  [10, 0.4],
  [Number.POSITIVE_INFINITY, 0.3333],
])('varianceLeft() gives the published share for %d repeats', (k, share) => {
  expect(varianceLeft(1 / 12, 1 / 6, k)).toBeCloseTo(share, 4)
})

test.each([
  [100, 0.01, 0.634],
  [50, 0.02, 0.6358],
  [20, 0.05, 0.6415],
  [1000, 0.001, 0.6323],
])('anyFails() says how often a suite of %d rows is red at a flake rate of %d', (n, rate, red) => {
  expect(anyFails(n, rate)).toBeCloseTo(red, 4)
})

test.each([
  [10, 3, 1, 0.3, 0.3],
  [10, 3, 5, 0.9166666667, 0],
  [5, 4, 3, 1, 0.4],
  [4, 2, 2, 0.8333333333, 0.1666666667],
  [8, 5, 4, 1, 0.0714285714],
  [3, 2, 2, 1, 0.3333333333],
])('passAtK() and passHatK() of (%d, %d, %d) are the published ones', (attempts, passed, k, any, all) => {
  expect(passAtK(attempts, passed, k)).toBeCloseTo(any, 10)
  expect(passHatK(attempts, passed, k)).toBeCloseTo(all, 10)
})

test('passAtK() and passHatK() are undefined where there are fewer attempts than k', () => {
  expect(passAtK(2, 2, 3)).toBeUndefined()
  expect(passHatK(2, 2, 3)).toBeUndefined()
})

test('passAtK() and passHatK() are the shares of all draws, counted', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 }), fc.nat(10), fc.integer({ min: 1, max: 10 }), (n, passed, k) => {
      fc.pre(passed <= n && k <= n)
      let [draws, any, all] = [0, 0, 0]
      for (let set = 0; set < 2 ** n; set++) {
        const members = Array.from({ length: n }, (_, i) => i).filter((i) => (set >> i) & 1)
        if (members.length !== k) continue
        draws++
        if (members.some((i) => i < passed)) any++
        if (members.every((i) => i < passed)) all++
      }
      expect(passAtK(n, passed, k)).toBeCloseTo(any / draws, 10)
      expect(passHatK(n, passed, k)).toBeCloseTo(all / draws, 10)
    }),
  )
})
