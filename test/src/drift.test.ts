import { expect, test } from 'vitest'
import { type DriftOptions, DriftWatch } from '../../src/drift.ts'
import { seeded } from '../../src/std/random.ts'
import { falseAlarms, medianDelay, STREAMS, type Stream } from '../bench/streams.ts'

const stream = (name: string): { before: Stream; after: Stream } => STREAMS[name] as (typeof STREAMS)[string]

/** A watch with a reference, and what comes after. */
function watched(before: readonly unknown[], after: readonly unknown[], options?: DriftOptions) {
  const watch = new DriftWatch(undefined, options)
  before.forEach((value, i) => {
    watch.refer({ value, timeMs: i })
  })
  watch.settle()
  after.forEach((value, i) => {
    watch.add({ value, timeMs: 1_000_000 + i, traceId: `tr-${i}` })
  })
  return watch.result()
}
const passing = (rate: number, n: number, seed = 1): boolean[] => {
  const next = seeded(seed)
  return Array.from({ length: n }, () => next() < rate)
}

test.each(['verdict 0.9', 'verdict 0.5', 'verdict 0.99', 'score 0.9'])(
  'DriftWatch raises few false alarms over 10,000 looks: %s',
  (name) => {
    // 2 expected at most of 40; 7 or more would come once in 200 times.
    expect(falseAlarms(stream(name).before, 10_000, { seed: 11, times: 40 })).toBeLessThan(7)
  },
)

test('DriftWatch finds a fall from 0.9 to 0.8 against 1,000 values within 300, median', () => {
  const { before, after } = stream('verdict 0.9')
  expect(medianDelay(before, after, 0, { seed: 12, times: 101 })).toBeLessThan(300)
})

test('DriftWatch finds a fall that begins late, too', () => {
  const { before, after } = stream('verdict 0.9')
  expect(medianDelay(before, after, 8_000, { seed: 13, times: 41 })).toBeLessThan(500)
  const score = stream('score 0.9')
  expect(medianDelay(score.before, score.after, 2_000, { seed: 14, times: 41 })).toBeLessThan(60)
})

test('DriftWatch says what has fallen, when it was found, and that it is an alarm', () => {
  const drift = watched(passing(0.9, 1_000), passing(0.7, 600, 2))
  expect(drift).toMatchObject({ verdict: 'fall', isAlarm: true, reference: { n: 1_000, fromMs: 0, toMs: 999 }, n: 600 })
  expect(drift.reference.mean).toBeCloseTo(0.9, 1)
  expect(drift.evidence).toBeGreaterThanOrEqual(1)
  expect(drift.found?.traceId).toBe(`tr-${(drift.found?.n ?? 0) - 1}`)
  expect(drift.found?.n).toBeLessThan(200)
})

test('DriftWatch tells a rise without an alarm, unless it is asked to', () => {
  const [before, after] = [passing(0.7, 1_000), passing(0.95, 600, 2)]
  expect(watched(before, after)).toMatchObject({ verdict: 'rise', isAlarm: false })
  expect(watched(before, after, { alarm: 'rise' })).toMatchObject({ verdict: 'rise', isAlarm: true })
  expect(watched(before, after, { alarm: 'both' })).toMatchObject({ verdict: 'rise', isAlarm: true })
  expect(watched(passing(0.9, 1_000), passing(0.7, 600), { alarm: 'both' })).toMatchObject({
    verdict: 'fall',
    isAlarm: true,
  })
})

test('DriftWatch lets a fall within the tolerance be', () => {
  const [before, after] = [passing(0.9, 1_000), passing(0.8, 1_500, 2)]
  expect(watched(before, after).isAlarm).toBe(true)
  expect(watched(before, after, { tolerance: 0.12 })).toMatchObject({ verdict: 'ok', isAlarm: false })
})

test('DriftWatch takes an alarm back when its reason is gone, and says so', () => {
  const after = [...passing(0.6, 500, 2), ...passing(0.9, 2_000, 3)]
  const drift = watched(passing(0.9, 1_000), after)
  expect(drift).toMatchObject({ verdict: 'ok', isAlarm: false })
  expect(drift.endedMs).toBeGreaterThan(1_000_500)
  expect(drift.endedMs).toBeLessThan(1_001_500)
})

test('DriftWatch is a function of the values in their order', () => {
  const [before, after] = [passing(0.9, 500), passing(0.75, 700, 5)]
  expect(watched(before, after)).toEqual(watched(before, after))
})

test('DriftWatch names the label whose share has changed', () => {
  const words = (formal: number, n: number, seed: number) =>
    passing(formal, n, seed).map((is, i) => (is ? 'formal' : i % 5 === 0 ? 'rude' : 'casual'))
  const drift = watched(words(0.8, 1_000, 1), words(0.5, 800, 2))
  expect(drift).toMatchObject({
    verdict: 'mix',
    isAlarm: true,
    label: { name: expect.stringMatching(/formal|casual/) },
  })
  expect(drift.reference.mean).toBeUndefined()
  expect(watched(words(0.8, 1_000, 1), words(0.8, 2_000, 2))).toMatchObject({ verdict: 'ok' })
  const strange = watched(
    words(0.8, 1_000, 1),
    Array.from({ length: 200 }, () => 'unheard of'),
  )
  expect(strange).toMatchObject({ verdict: 'mix', isAlarm: true })
})

test('DriftWatch takes numbers of any size by the range of the first tenth, or by one that is given', () => {
  const next = seeded(6)
  const lengths = (middle: number, n: number) => Array.from({ length: n }, () => middle * (0.5 + next()))
  expect(watched(lengths(400, 1_000), lengths(300, 500))).toMatchObject({ verdict: 'fall', isAlarm: true })
  expect(watched(lengths(400, 1_000), lengths(400, 3_000))).toMatchObject({ verdict: 'ok' })
  expect(watched(lengths(400, 1_000), lengths(300, 500), { range: [0, 1_000] })).toMatchObject({ verdict: 'fall' })
  // What lies outside counts as the end of the range, and breaks nothing.
  expect(watched(lengths(400, 1_000), [1e300, -1e300, 400]).evidence).toBeLessThan(1)
})

test('DriftWatch watches values that never vary', () => {
  const same = (value: number, n: number) => Array.from({ length: n }, () => value)
  expect(watched(same(1, 1_000), same(1, 5_000))).toMatchObject({ verdict: 'ok' })
  expect(watched(same(1, 1_000), same(0, 10))).toMatchObject({ verdict: 'fall' })
  expect(watched(same(7, 1_000), same(7, 5_000))).toMatchObject({ verdict: 'ok' })
  expect(watched(same(7, 1_000), same(5, 100))).toMatchObject({ verdict: 'fall' })
  expect(watched(same(0, 1_000), same(0, 5_000))).toMatchObject({ verdict: 'ok' })
})

test('DriftWatch gives no verdict where there is too little', () => {
  expect(watched(passing(0.9, 29), passing(0.1, 500))).toMatchObject({
    verdict: 'not enough',
    isAlarm: false,
    reason: 'the reference has 29 of 30 values',
  })
  expect(watched(passing(0.9, 50), [])).toMatchObject({
    verdict: 'not enough',
    reason: 'no values since the reference',
  })
  const unsettled = new DriftWatch(1_000)
  unsettled.refer({ value: true, timeMs: 0 })
  expect(unsettled.result()).toMatchObject({ verdict: 'not enough', reason: 'the reference has 1 of 1,000 values' })
})

test('DriftWatch passes over what is no verdict, number or word', () => {
  const watch = new DriftWatch(30)
  expect(watch.refer({ value: { a: 1 }, timeMs: 0 })).toBe(false)
  expect(watch.refer({ value: undefined, timeMs: 0 })).toBe(false)
  const drift = watched(passing(0.9, 100), [{ a: 1 }, 'unsure', undefined, true])
  expect(drift.n).toBe(1)
})
