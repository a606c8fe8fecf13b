import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cohenKappa, fleissKappa, krippendorffAlpha, shareOf } from '../../../src/std/agreement.ts'

test.each([
  [
    [
      [20, 5],
      [10, 15],
    ],
    0.4,
  ],
  [
    [
      [45, 15],
      [25, 15],
    ],
    0.1304,
  ],
  [
    [
      [25, 35],
      [5, 35],
    ],
    0.2593,
  ],
  [
    [
      [0, 4, 1],
      [0, 8, 0],
      [0, 1, 5],
    ],
    0.4842,
  ],
])('cohenKappa() gives the published value for %j', (matrix, kappa) => {
  expect(cohenKappa(matrix).value).toBeCloseTo(kappa, 4)
})

test('cohenKappa() gives standard error and interval of Fleiss, Cohen and Everitt', () => {
  const { standardError, interval, observed, expected } = cohenKappa([
    [20, 5],
    [10, 15],
  ])
  expect(standardError).toBeCloseTo(0.127, 4)
  expect(interval?.low).toBeCloseTo(0.1511, 4)
  expect(interval?.high).toBeCloseTo(0.6489, 4)
  expect(observed).toBeCloseTo(0.7, 12)
  expect(expected).toBeCloseTo(0.5, 12)
})

test('cohenKappa() has no value where chance explains everything', () => {
  expect(cohenKappa([])).toMatchObject({ value: undefined, interval: undefined })
  expect(cohenKappa([[0]]).value).toBeUndefined()
  expect(
    cohenKappa([
      [7, 0],
      [0, 0],
    ]),
  ).toMatchObject({ value: undefined, observed: 1, expected: 1 })
})

test('cohenKappa() refuses a matrix that is not square', () => {
  expect(() => cohenKappa([[1, 2]])).toThrow('Cannot compute kappa: the matrix is not square')
})

const square = fc
  .integer({ min: 2, max: 4 })
  .chain((k) => fc.array(fc.array(fc.nat(20), { minLength: k, maxLength: k }), { minLength: k, maxLength: k }))

test('cohenKappa() is symmetric in its raters, and at most 1', () => {
  fc.assert(
    fc.property(square, (matrix) => {
      const turned = matrix.map((_, i) => matrix.map((row) => row[i] as number))
      const [a, b] = [cohenKappa(matrix), cohenKappa(turned)]
      expect(a.value === undefined).toBe(b.value === undefined)
      if (a.value === undefined || b.value === undefined) return
      expect(a.value).toBeCloseTo(b.value, 10)
      expect(a.standardError).toBeCloseTo(b.standardError as number, 8)
      expect(a.value).toBeLessThanOrEqual(1 + 1e-12)
    }),
  )
})

/** Ten items, fourteen raters, five categories. */
const TEXTBOOK = `0 0 0 0 14; 0 2 6 4 2; 0 0 3 5 6; 0 3 9 2 0; 2 2 8 1 1; 7 7 0 0 0; 3 2 6 3 0; 2 5 3 2 2; 6 5 2 1 0; 0 2 2 3 7`
/** Fleiss 1971: thirty patients, six psychiatrists, five diagnoses. */
const PATIENTS = `0 0 0 6 0; 0 3 0 0 3; 0 1 4 0 1; 0 0 0 0 6; 0 3 0 3 0; 2 0 4 0 0; 0 0 4 0 2; 2 0 3 1 0; 2 0 0 4 0; 0 0 0 0 6;
1 0 0 5 0; 1 1 0 4 0; 0 3 3 0 0; 1 0 0 5 0; 0 2 0 3 1; 0 0 5 0 1; 3 0 0 1 2; 5 1 0 0 0; 0 2 0 4 0; 1 0 2 0 3;
0 0 0 0 6; 0 1 0 5 0; 0 2 0 1 3; 2 0 0 4 0; 1 0 0 4 1; 0 5 0 1 0; 4 0 0 0 2; 0 2 0 4 0; 1 0 5 0 0; 0 0 0 0 6`
const table = (text: string) => text.split(';').map((row) => row.trim().split(/\s+/).map(Number))

test.each([
  ['the textbook table', TEXTBOOK, 0.2099307],
  ['Fleiss 1971', PATIENTS, 0.4302445],
])('fleissKappa() gives the published value for %s', (_, text, kappa) => {
  expect(fleissKappa(table(text))).toBeCloseTo(kappa, 7)
})

test('fleissKappa() refuses uneven and single ratings, and has no value of nothing', () => {
  expect(() => fleissKappa([[2, 0], [1]])).toThrow('Cannot compute kappa: item 2 has another number of ratings')
  expect(() => fleissKappa([[1, 0]])).toThrow('Cannot compute kappa: it takes two ratings per item, found 1')
  expect(fleissKappa([])).toBeUndefined()
  expect(fleissKappa([[3, 0]])).toBeUndefined()
})

/** Krippendorff 2011, section E: four observers, twelve units, with gaps. */
const UNITS = [
  [1, 1, 1],
  [2, 2, 3, 2],
  [3, 3, 3, 3],
  [3, 3, 3, 3],
  [2, 2, 2, 2],
  [1, 2, 3, 4],
  [4, 4, 4, 4],
  [1, 1, 2, 1],
  [2, 2, 2, 2],
  [5, 5, 5],
  [1, 1],
  [3],
]

test.each([
  ['nominal', 0.7434211],
  ['ordinal', 0.8153875],
  ['interval', 0.8491071],
  ['ratio', 0.7974028],
] as const)('krippendorffAlpha() gives the published %s value', (level, alpha) => {
  expect(krippendorffAlpha(UNITS, level)).toBeCloseTo(alpha, 7)
})

test.each<[string, number[][], 'nominal' | 'ordinal' | 'interval', number]>([
  [
    'nominal',
    [
      [1, 1, 1],
      [0, 0, 0],
      [1, 1, 1],
      [0, 0, 1],
    ],
    'nominal',
    1 - 132 / 420,
  ],
  [
    'uneven',
    [
      [1, 1, 0],
      [0, 0],
    ],
    'nominal',
    1 / 3,
  ],
  [
    'interval',
    [
      [1, 2],
      [3, 4],
      [1, 1],
    ],
    'interval',
    19 / 24,
  ],
  [
    'ordinal',
    [
      [1, 1],
      [3, 4],
      [5, 5],
    ],
    'ordinal',
    94 / 99,
  ],
  [
    'total disagreement',
    [
      [0, 1],
      [1, 0],
      [0, 1],
      [1, 0],
    ],
    'nominal',
    -0.75,
  ],
  [
    'equal ratings',
    [
      [2, 2],
      [2, 2, 2],
    ],
    'interval',
    1,
  ],
])('krippendorffAlpha() gives the known value: %s', (_, units, level, alpha) => {
  expect(krippendorffAlpha(units, level)).toBeCloseTo(alpha, 12)
})

test('krippendorffAlpha() has no value where no unit has two ratings', () => {
  expect(krippendorffAlpha([])).toBeUndefined()
  expect(krippendorffAlpha([[1], [2], []])).toBeUndefined()
})

test('shareOf() gives a share with Wilson interval, and no value of nothing', () => {
  const share = shareOf(18, 20)
  expect(share.value).toBe(0.9)
  expect(share.interval.low).toBeCloseTo(0.6989663548, 10)
  expect(share.interval.high).toBeCloseTo(0.9721335188, 10)
  expect(shareOf(0, 0)).toEqual({ value: undefined, count: 0, of: 0, interval: { low: 0, high: 1 } })
})
