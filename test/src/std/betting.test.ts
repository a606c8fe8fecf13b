import { expect, test } from 'vitest'
import { FallEvidence, lowerBound } from '../../../src/std/betting.ts'
import { clopperPearson } from '../../../src/std/proportion.ts'
import { seeded } from '../../../src/std/random.ts'

const some = (n: number, draw: () => number): Float64Array => Float64Array.from({ length: n }, draw)

test('lowerBound() of verdicts is that of Clopper and Pearson', () => {
  const values = some(200, () => 1).fill(0, 0, 10)
  expect(lowerBound(values, 0.025)).toBeCloseTo(clopperPearson(190, 200).low, 12)
  expect(lowerBound(new Float64Array(20), 0.025)).toBe(0)
  expect(
    lowerBound(
      some(30, () => 1),
      0.025,
    ),
  ).toBeCloseTo(0.8842966918, 9)
  expect(lowerBound(new Float64Array(), 0.025)).toBe(0)
})

test('lowerBound() of other numbers lies below their mean, the nearer the less they spread', () => {
  const next = seeded(1)
  const narrow = lowerBound(
    some(1_000, () => 0.85 + 0.1 * next()),
    0.025,
  )
  const wide = lowerBound(
    some(1_000, () => 0.8 + 0.2 * next()),
    0.025,
  )
  expect(narrow).toBeGreaterThan(0.89)
  expect(narrow).toBeLessThan(0.9)
  expect(wide).toBeGreaterThan(0.88)
  expect(wide).toBeLessThan(narrow)
  expect(
    lowerBound(
      some(1_000, () => 0.4),
      0.025,
    ),
  ).toBeLessThan(0.4)
})

test('lowerBound() lies above the truth no more often than promised', () => {
  const next = seeded(2)
  let above = 0
  // A tenth of nothing among ones and halves: the mean is 0.7.
  for (let i = 0; i < 400; i++) {
    const values = some(300, () => (next() < 0.1 ? 0 : next() < 5 / 9 ? 1 : 0.5))
    if (lowerBound(values, 0.05) > 0.9 * (5 / 9 + 4 / 18)) above++
  }
  expect(above).toBeLessThanOrEqual(20)
})

test('FallEvidence grows with a fall, and is gone soon after it', () => {
  const evidence = new FallEvidence(0.88, 0.025)
  const next = seeded(3)
  const add = (n: number, rate: number): number => {
    let amount = 0
    for (let i = 0; i < n; i++) amount = evidence.add(next() < rate ? 1 : 0)
    return amount
  }
  expect(evidence.isAlarm(add(1_000, 0.9))).toBe(false)
  expect(evidence.isAlarm(add(1_000, 0.7))).toBe(true)
  expect(evidence.isAlarm(add(1_000, 0.9))).toBe(false)
})

test('FallEvidence stays finite whatever comes', () => {
  for (const bound of [0, 0.5, 1]) {
    const evidence = new FallEvidence(bound, 0.025)
    for (let i = 0; i < 5_000; i++) expect(evidence.add(0)).toBeLessThan(1e6)
    for (let i = 0; i < 5_000; i++) expect(evidence.add(1)).toBeGreaterThanOrEqual(0)
  }
})

test('FallEvidence of a bound that is true reaches an alarm no more often than promised within 10,000 values', () => {
  const next = seeded(4)
  let alarms = 0
  for (let time = 0; time < 100; time++) {
    const evidence = new FallEvidence(0.9, 0.05)
    for (let i = 0; i < 10_000; i++) {
      if (!evidence.isAlarm(evidence.add(next() < 0.9 ? 1 : 0))) continue
      alarms++
      break
    }
  }
  // 5 expected at most; 12 or more of 100 would come once in 250 times.
  expect(alarms).toBeLessThan(12)
})
