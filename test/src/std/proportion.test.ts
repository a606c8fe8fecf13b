import fc from 'fast-check'
import { expect, test } from 'vitest'
import { normalCdf } from '../../../src/std/distribution.ts'
import {
  clopperPearson,
  mcnemar,
  newcombe,
  newcombePaired,
  tango,
  wilsonCorrected,
} from '../../../src/std/proportion.ts'
import { type Interval, wilson } from '../../../src/std/stats.ts'
import { coverage, METHODS } from '../../bench/coverage.ts'

const close = ({ low, high }: Interval, [wantedLow, wantedHigh]: readonly [number, number], digits: number): void => {
  expect(low).toBeCloseTo(wantedLow, digits)
  expect(high).toBeCloseTo(wantedHigh, digits)
}

// Newcombe 1998, printed to four places.
test.each([
  [81, 263, 0.2535, 0.3682],
  [15, 148, 0.0598, 0.1644],
  [0, 20, 0, 0.2005],
  [1, 29, 0.0018, 0.1963],
])('wilsonCorrected() gives the published interval of %d of %d', (successes, n, low, high) => {
  close(wilsonCorrected(successes, n), [low, high], 4)
})

test('wilsonCorrected() holds the plain interval, and mirrors', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, share) => {
      const successes = Math.round(n * share)
      const [plain, wide, mirrored] = [
        wilson(successes, n),
        wilsonCorrected(successes, n),
        wilsonCorrected(n - successes, n),
      ]
      expect(wide.low).toBeLessThanOrEqual(plain.low + 1e-12)
      expect(wide.high).toBeGreaterThanOrEqual(plain.high - 1e-12)
      expect(mirrored.low).toBeCloseTo(1 - wide.high, 10)
    }),
  )
})

test.each([
  [18, 20, 0.683017286, 0.9876514728],
  [4, 20, 0.0573339971, 0.436614003],
  [0, 30, 0, 0.1157033082],
  [30, 30, 0.8842966918, 1],
  [190, 200, 0.9099724623, 0.9757658345],
  [1, 1, 0.025, 1],
  [0, 1, 0, 0.975],
])('clopperPearson() gives the published interval of %d of %d', (successes, n, low, high) => {
  close(clopperPearson(successes, n), [low, high], 10)
})

test.each([
  [56, 70, 48, 80, 0.0524, 0.3339],
  [9, 10, 3, 10, 0.1705, 0.809],
  [6, 7, 2, 7, 0.0582, 0.8062],
  [5, 56, 0, 29, -0.0381, 0.1926],
  [0, 10, 0, 20, -0.1611, 0.2775],
  [10, 10, 0, 10, 0.6075, 1],
] as const)('newcombe() gives the published interval of %d/%d − %d/%d', (x, n, y, m, low, high) => {
  close(newcombe([x, n], [y, m]), [low, high], 4)
})

test.each([
  [36, 12, 2, 0, 0.0569, 0.3404],
  [20, 12, 2, 16, 0.0562, 0.3292],
  [18, 12, 4, 17, 0.0035, 0.2979],
  [53, 1, 0, 0, -0.0496, 0.0977],
  [30, 0, 0, 20, -0.0404, 0.0404],
] as const)(
  'newcombePaired() gives the published interval of (%d, %d, %d, %d)',
  (both, gained, lost, neither, low, high) => {
    close(newcombePaired({ both, gained, lost, neither }), [low, high], 4)
  },
)

test.each([
  [12, 2, 50, 0.0611, 0.3447],
  [14, 0, 30, 0.3002, 0.6386],
  [0, 0, 50, -0.0713, 0.0713],
  [26, 14, 400, -0.001, 0.0628],
] as const)('tango() gives the published interval of (%d − %d)/%d', (gained, lost, n, low, high) => {
  close(tango(gained, lost, n), [low, high], 4)
})

const pairs = fc
  .tuple(fc.nat(40), fc.nat(40), fc.nat(40), fc.nat(40))
  .filter((counts) => counts.some((count) => count > 0))

test('tango() and newcombePaired() hold the difference, stay in −1 to 1, and mirror', () => {
  fc.assert(
    fc.property(pairs, ([both, gained, lost, neither]) => {
      const n = both + gained + lost + neither
      const difference = (gained - lost) / n
      const mirror = { both, gained: lost, lost: gained, neither }
      for (const [one, other] of [
        [tango(gained, lost, n), tango(lost, gained, n)],
        [newcombePaired({ both, gained, lost, neither }), newcombePaired(mirror)],
      ] as const) {
        expect(one.low).toBeLessThanOrEqual(difference + 1e-9)
        expect(one.high).toBeGreaterThanOrEqual(difference - 1e-9)
        expect(one.low).toBeGreaterThanOrEqual(-1 - 1e-9)
        expect(one.high).toBeLessThanOrEqual(1 + 1e-9)
        expect(one.low).toBeCloseTo(-other.high, 9)
      }
    }),
  )
})

test('tango() says nothing of nothing, and reaches the end where every row changed', () => {
  expect(tango(0, 0, 0)).toEqual({ low: -1, high: 1 })
  expect(tango(7, 0, 7).high).toBe(1)
  expect(tango(0, 7, 7).low).toBe(-1)
  expect(tango(7, 0, 7).low).toBeGreaterThan(0)
})

test.each([
  [10, 3, 0.09228515625, 0.0573730469],
  [0, 5, 0.0625, 0.03125],
  [0, 6, 0.03125, 0.015625],
  [1, 9, 0.021484375, 0.01171875],
  [2, 1, 1, 0.625],
  [30, 10, 0.0022214338, 0.001450491],
  [26, 14, 0.0806904678, 0.059583888],
])('mcnemar() gives the published exact and mid p of %d against %d', (gained, lost, exact, mid) => {
  expect(mcnemar(gained, lost).exact).toBeCloseTo(exact, 10)
  expect(mcnemar(gained, lost).mid).toBeCloseTo(mid, 10)
  expect(mcnemar(lost, gained)).toEqual(mcnemar(gained, lost))
})

test('mcnemar() gives the published exact p and χ² of the other vectors', () => {
  expect(mcnemar(10, 3).chiCorrected).toBeCloseTo(2.7692308, 7)
  expect(mcnemar(30, 10).chiCorrected).toBeCloseTo(9.025, 12)
  const much = mcnemar(121, 59)
  expect(much.exact).toBeCloseTo(4.434449264e-6, 15)
  expect(much.chi).toBeCloseTo(21.355556, 6)
  expect(much.chiCorrected).toBeCloseTo(20.672222, 6)
  expect(2 * normalCdf(-Math.sqrt(much.chiCorrected))).toBeCloseTo(5.450095e-6, 12)
  expect(mcnemar(70, 59).exact).toBeCloseTo(0.3786876627, 10)
  expect(mcnemar(80, 59).exact).toBeCloseTo(0.089452315, 10)
  expect(mcnemar(10, 10).exact).toBe(1)
  expect(mcnemar(0, 0)).toEqual({ exact: 1, mid: 1, chi: 0, chiCorrected: 0 })
})

// Wald, Student's t, Wilson, Clopper-Pearson, Jeffreys: how often a nominal 95 % holds the rate. Computed apart, by numeric integration.
test.each([
  [10, 0.9, 0.64969, 0.64969, 0.92981, 0.9872, 0.9872],
  [20, 0.95, 0.63894, 0.64118, 0.92452, 0.9841, 0.9841],
  [30, 0.95, 0.78208, 0.78479, 0.93923, 0.98436, 0.98436],
  [50, 0.95, 0.91987, 0.91987, 0.96222, 0.98821, 0.88528],
  [100, 0.98, 0.86645, 0.86645, 0.94917, 0.98452, 0.98452],
  [300, 0.95, 0.92568, 0.92568, 0.95485, 0.96719, 0.93675],
])('of %d rows at a rate of %d the intervals cover as they should, to 1e-4', (n, p, ...wanted) => {
  const found = Object.entries(METHODS).map(([name, method]) => ({ name, share: coverage(method, n, p) }))
  expect(found).toHaveLength(wanted.length)
  for (const [i, { name, share }] of found.entries()) {
    expect(Math.abs(share - (wanted[i] as number)), name).toBeLessThan(1e-4)
  }
})
