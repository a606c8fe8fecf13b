import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  betaQuantile,
  binomialCdf,
  binomialPmf,
  incompleteBeta,
  logChoose,
  normalCdf,
  normalQuantile,
  root,
  studentP,
  studentQuantile,
} from '../../../src/std/distribution.ts'

const { jStat } = createRequire(import.meta.url)('jstat')

test.each([
  [1, 12.7062047362],
  [2, 4.3026527297],
  [3, 3.1824463053],
  [4, 2.7764451052],
  [9, 2.2621571628],
  [10, 2.228138852],
  [30, 2.0422724563],
  [1000, 1.9623390808],
])('studentQuantile() gives the published 97.5 %% quantile at %d degrees of freedom', (df, t) => {
  expect(studentQuantile(0.975, df)).toBeCloseTo(t, 10)
  expect(studentQuantile(0.025, df)).toBeCloseTo(-t, 10)
  expect(studentP(t, df)).toBeCloseTo(0.05, 10)
})

test('studentQuantile() agrees with jstat, falls with the degrees of freedom, and ends at the normal quantile', () => {
  let previous = Number.POSITIVE_INFINITY
  for (const df of [1, 2, 5, 7, 20, 50, 99, 333, 999, 5_000, 20_000, 100_000, 1_000_000, 10_000_000]) {
    const t = studentQuantile(0.975, df)
    expect(t).toBeLessThan(previous)
    if (df <= 1_000) expect(t).toBeCloseTo(jStat.studentt.inv(0.975, df), 6)
    previous = t
  }
  expect(previous).toBeCloseTo(1.959963984540054, 6)
  expect(studentQuantile(0.5, 7)).toBe(0)
  expect(studentQuantile(0.99999, 1)).toBeCloseTo(Math.tan(Math.PI * 0.49999), 4)
  expect(studentP(Number.POSITIVE_INFINITY, 3)).toBe(0)
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

test('normalQuantile() gives the values of every table, and undoes normalCdf()', () => {
  expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 12)
  expect(normalQuantile(0.95)).toBeCloseTo(1.6448536269514722, 12)
  expect(normalQuantile(0.8)).toBeCloseTo(0.8416212335729143, 12)
  expect(normalQuantile(0.5)).toBeCloseTo(0, 12)
  expect([normalQuantile(0), normalQuantile(1)]).toEqual([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY])
  expect(normalQuantile(Number.NaN)).toBeNaN()
  fc.assert(
    fc.property(fc.double({ min: -8, max: 5, noNaN: true }), (z) => {
      expect(normalQuantile(normalCdf(z))).toBeCloseTo(z, 6)
    }),
  )
})

test('normalCdf() has no seam, and keeps its digits far out', () => {
  expect(normalCdf(-5.0000001)).toBeCloseTo(normalCdf(-4.9999999), 12)
  expect(normalCdf(5.0000001)).toBeCloseTo(normalCdf(4.9999999), 12)
  expect(normalCdf(-10) / 7.61985302416047e-24).toBeCloseTo(1, 10)
  expect(normalCdf(0)).toBe(0.5)
})

test('binomialCdf() is the sum of binomialPmf(), which agrees with jstat', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.double({ min: 0.01, max: 0.99, noNaN: true }), (n, p) => {
      let total = 0
      for (let k = 0; k <= n; k++) {
        const one = binomialPmf(k, n, p)
        expect(one).toBeCloseTo(jStat.binomial.pdf(k, n, p), 9)
        total += one
        expect(binomialCdf(k, n, p)).toBeCloseTo(total, 10)
      }
    }),
  )
  expect(binomialCdf(-1, 3, 0.5)).toBe(0)
  expect([binomialPmf(0, 3, 0), binomialPmf(1, 3, 0), binomialPmf(3, 3, 1)]).toEqual([1, 0, 1])
  expect(Math.exp(logChoose(52, 5))).toBeCloseTo(2_598_960, 3)
})

test('betaQuantile() undoes incompleteBeta()', () => {
  const shape = fc.double({ min: 0.5, max: 100, noNaN: true })
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), shape, shape, (p, a, b) => {
      expect(incompleteBeta(betaQuantile(p, a, b), a, b)).toBeCloseTo(p, 9)
    }),
  )
})

test('root() finds where a rising function is zero, to the last digit', () => {
  expect(root((x) => x * x - 2, 0, 2)).toBeCloseTo(Math.SQRT2, 15)
})
