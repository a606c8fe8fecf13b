import fc from 'fast-check'
import { expect, test } from 'vitest'
import { benjaminiHochberg, bonferroni, holm, hommel } from '../../../src/std/multiple.ts'

const near = (actual: readonly number[], wanted: readonly number[], digits = 10): void => {
  expect(actual).toHaveLength(wanted.length)
  for (const [i, p] of wanted.entries()) expect(actual[i]).toBeCloseTo(p, digits)
}

const four = [0.01, 0.04, 0.03, 0.005]
/** Benjamini and Hochberg 1995, their example. */
const fifteen = [
  0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1,
]

test('each adjustment gives the published values', () => {
  near(bonferroni(four), [0.04, 0.16, 0.12, 0.02])
  near(holm(four), [0.03, 0.06, 0.06, 0.02])
  near(benjaminiHochberg(four), [0.02, 0.04, 0.04, 0.02])
  near(hommel(four), [0.03, 0.04, 0.04, 0.02])
})

test('benjaminiHochberg() rejects four where Bonferroni rejects three', () => {
  const adjusted = benjaminiHochberg(fifteen)
  const printed = [
    0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.063857, 0.063857, 0.0645, 0.0765, 0.486, 0.581182, 0.714875, 0.753231,
    0.813214, 1,
  ]
  near(adjusted, printed, 6)
  expect(adjusted.filter((p) => p <= 0.05)).toHaveLength(4)
  expect(bonferroni(fifteen).filter((p) => p <= 0.05)).toHaveLength(3)
})

const ps = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 8 })

/** Hommel's adjustment by its definition: a test is rejected where Simes rejects every set that holds it. */
function closed(values: readonly number[]): number[] {
  const result = values.map(() => 0)
  for (let set = 1; set < 2 ** values.length; set++) {
    const members = Array.from(values.keys()).filter((i) => (set >> i) & 1)
    const sorted = members.map((i) => values[i] as number).sort((a, b) => a - b)
    const simes = Math.min(...sorted.map((p, i) => (p * sorted.length) / (i + 1)))
    for (const i of members) result[i] = Math.max(result[i] as number, simes)
  }
  return result.map((p) => Math.min(1, p))
}

test('hommel() is the closed test of Simes', () => {
  fc.assert(fc.property(ps, (values) => near(hommel(values), closed(values))))
})

test('adjusted values keep their order, are never below their own, and rank Benjamini-Hochberg ≤ Hommel ≤ Holm ≤ Bonferroni', () => {
  fc.assert(
    fc.property(ps, (values) => {
      const all = [values, benjaminiHochberg(values), hommel(values), holm(values), bonferroni(values)]
      for (const i of values.keys()) {
        const column = all.map((list) => list[i] as number)
        for (let j = 1; j < column.length; j++) {
          expect(column[j]).toBeGreaterThanOrEqual((column[j - 1] as number) - 1e-12)
        }
        expect(column.at(-1)).toBeLessThanOrEqual(1)
      }
    }),
  )
  expect([holm([]), hommel([]), benjaminiHochberg([])]).toEqual([[], [], []])
})
