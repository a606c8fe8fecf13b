import { expect, test } from 'vitest'
import { rowsNeeded } from '../../../src/std/power.ts'
import { seeded } from '../../../src/std/random.ts'
import { logEvidence, Sprt } from '../../../src/std/sequential.ts'

const design = { good: 0.9, bad: 0.8, alpha: 0.05, beta: 0.05 }

test('Sprt has the published bounds, steps and expected rows', () => {
  const sprt = new Sprt(design)
  expect(sprt.bounds.bad).toBeCloseTo(2.9444, 4)
  expect(sprt.bounds.good).toBeCloseTo(-2.9444, 4)
  expect(sprt.step.pass).toBeCloseTo(-0.117783, 6)
  expect(sprt.step.fail).toBeCloseTo(Math.LN2, 12)
  expect(Sprt.expected(design).good).toBeCloseTo(72.23, 2)
  expect(Sprt.expected(design).bad).toBeCloseTo(59.68, 2)
})

test('the fixed design beside it needs 132.6 rows', () => {
  const z = 1.6448536269514722
  expect((z * (Math.sqrt(0.9 * 0.1) + Math.sqrt(0.8 * 0.2))) ** 2 / 0.1 ** 2).toBeCloseTo(132.6, 1)
  expect(rowsNeeded(0.09, 0.1, { power: 0.95, sides: 1 })).toBeLessThan(132.6)
})

test('Sprt decides once, and stays so', () => {
  const sprt = new Sprt(design)
  for (let i = 0; i < 4; i++) expect(sprt.add(false)).toBeUndefined()
  expect(sprt.add(false)).toBe('bad')
  for (let i = 0; i < 500; i++) expect(sprt.add(true)).toBe('bad')
  const fine = new Sprt(design)
  let rows = 0
  while (fine.add(true) === undefined) rows++
  expect(rows).toBe(24)
})

test('logEvidence() grows against a rate that is wrong and stays small where it is right', () => {
  expect(logEvidence(0, 0, 0.9)).toBe(0)
  expect(logEvidence(0, 10, 0.9)).toBeGreaterThan(Math.log(20))
  expect(logEvidence(9, 1, 0.9)).toBeLessThan(0)
  expect(logEvidence(5, 0, 1)).toBeLessThan(0)
  expect(logEvidence(5, 1, 1)).toBe(Number.POSITIVE_INFINITY)
})

test('logEvidence() is looked at a thousand times with at most five false alarms in a hundred, and finds a drop of ten points', () => {
  const next = seeded(7)
  const firstAlarm = (rate: number): number => {
    let passed = 0
    for (let n = 1; n <= 1_000; n++) {
      if (next() < rate) passed++
      if (logEvidence(passed, n - passed, 0.9) >= Math.log(20)) return n
    }
    return Number.POSITIVE_INFINITY
  }
  const alarms = Array.from({ length: 400 }, () => firstAlarm(0.9)).filter(Number.isFinite)
  expect(alarms.length / 400).toBeLessThan(0.05)
  const found = Array.from({ length: 200 }, () => firstAlarm(0.8))
  expect(found.filter(Number.isFinite)).toHaveLength(200)
  expect(found.reduce((a, b) => a + b, 0) / 200).toBeLessThan(150)
})
