import fc from 'fast-check'
import { expect, test } from 'vitest'
import { answered, grant, HOLDER_MS, isStale, newPlan, type Plan, refused } from '../../../src/models/pace.ts'

const SELF = { id: 'a', count: 0 }
const T = 1_700_000_000_000

test('grant() spreads the first calls, and then grows with every one of them', () => {
  const plan = newPlan(T)
  expect(grant(plan, T, SELF, 100, 100).launches).toBe(1)
  let now = T
  let launched = 1
  while (now < T + 1_000) {
    now += 1
    const { launches } = grant(plan, now, { id: 'a', count: 0 }, 100, 100)
    answered(plan, launches)
    launched += launches
    if (now === T + 100) expect(launched).toBeLessThan(20)
  }
  expect(launched).toBeGreaterThan(200)
})

test('grant() lets at most 20 go before anything has come back, and at most as many as may be at once', () => {
  const plan = newPlan(T)
  let count = 0
  for (let now = T; now < T + 5_000; now++) count += grant(plan, now, { id: 'a', count }, 500, 100).launches
  expect(count).toBe(20)
  answered(plan, 1_000)
  for (let now = T + 5_000; now < T + 10_000; now++) count += grant(plan, now, { id: 'a', count }, 500, 100).launches
  expect(count).toBe(100)
  expect(grant(plan, T + 10_000, { id: 'a', count }, 1, 100)).toMatchObject({ launches: 0, full: true })
})

test('grant() counts the calls of other processes, and forgets those that are not heard of any more', () => {
  const plan = newPlan(T)
  plan.holders.b = { count: 5, at: T }
  expect(grant(plan, T, SELF, 1, 5)).toMatchObject({ launches: 0, full: true })
  expect(grant(plan, T + HOLDER_MS + 1, SELF, 1, 5)).toMatchObject({ launches: 1 })
  expect(plan.holders).toEqual({ a: { count: 1, at: T + HOLDER_MS + 1 } })
})

test('refused() closes until the time that was asked for, the latest of several', () => {
  const plan = newPlan(T)
  grant(plan, T, SELF, 1, 100)
  refused(plan, T + 10, T, 5_000)
  refused(plan, T + 20, T, 1_000)
  expect(grant(plan, T + 5_009, SELF, 1, 100).launches).toBe(0)
  expect(grant(plan, T + 5_020, SELF, 1, 100).launches).toBe(1)
})

test('refused() without a time waits longer from one refusal to the next', () => {
  const plan = newPlan(T)
  let now = T
  const pauses: number[] = []
  for (let i = 0; i < 9; i++) {
    refused(plan, now, now, undefined)
    pauses.push(plan.closedUntil - now)
    now = plan.closedUntil + 1
  }
  expect(pauses.map((ms) => Math.round(ms / 500))).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60])
})

test('refused() takes the refusals of one moment for one', () => {
  const plan = newPlan(T)
  for (let i = 0; i < 10; i++) refused(plan, T + 10 + i, T, 100)
  expect(plan.cuts).toBe(1)
})

test('isStale() forgets what was learned more than ten minutes ago', () => {
  const plan = newPlan(T)
  refused(plan, T, T, 1_000)
  expect(isStale(plan, T + 600_000)).toBe(false)
  expect(isStale(plan, T + 602_000)).toBe(true)
})

/** An endpoint with a token bucket, and a client that goes by the plan; time is made up. */
function simulate({ perSecond, capacity, retryAfterMs, latencyMs = 50, calls = 500 }: Record<string, number>) {
  const plan: Plan = newPlan(T)
  const events: { at: number; run: () => void }[] = []
  let tokens = capacity as number
  let filledAt = T
  let left = calls
  let [done, wasted, early, inWork, closedUntil] = [0, 0, 0, 0, 0]
  let now = T
  const later = (ms: number, run: () => void) => events.push({ at: now + ms, run })
  const launch = () => {
    const launchedAt = now
    left--
    inWork++
    if (now < closedUntil) early++
    later(1, () => {
      tokens = Math.min(capacity as number, tokens + ((now - filledAt) / 1_000) * (perSecond as number))
      filledAt = now
      if (tokens >= 1) {
        tokens--
        later(latencyMs, () => {
          inWork--
          done++
          answered(plan, 1)
        })
        return
      }
      wasted++
      const waitMs = retryAfterMs ?? 1_000
      later(5, () => {
        closedUntil = Math.max(closedUntil, now - 5 + waitMs)
        inWork--
        left++
        refused(plan, now, launchedAt, waitMs)
      })
    })
  }
  while (done < calls && now < T + 1_000_000) {
    const { launches } = grant(plan, now, { id: 'a', count: inWork }, Math.min(left, 50 - inWork), 100)
    for (let i = 0; i < launches; i++) launch()
    now++
    for (const event of events.filter(({ at }) => at <= now)) {
      events.splice(events.indexOf(event), 1)
      event.run()
    }
  }
  const ideal = ((calls - (capacity as number)) / (perSecond as number)) * 1_000
  return { ratio: (now - T) / ideal, wasted: wasted / calls, early, done }
}

test.each([
  { perSecond: 20, capacity: 20, retryAfterMs: 1_000 },
  { perSecond: 20, capacity: 40, retryAfterMs: 1_000 },
  { perSecond: 20, capacity: 20, retryAfterMs: 50 },
  { perSecond: 50, capacity: 50, retryAfterMs: 1_000, calls: 1_500 },
  { perSecond: 5, capacity: 10, retryAfterMs: 1_000, calls: 200 },
])('a plan finds the rate of an endpoint with %o', (bucket) => {
  const { ratio, wasted, early, done } = simulate(bucket)
  expect(done).toBe(bucket.calls ?? 500)
  expect(ratio).toBeLessThan(1.15)
  expect(wasted).toBeLessThan(0.05)
  expect(early).toBe(0)
})

test('a plan gets through whatever the endpoint is like, and never goes before it may', () => {
  fc.assert(
    fc.property(
      fc.record({
        perSecond: fc.integer({ min: 2, max: 200 }),
        capacity: fc.integer({ min: 1, max: 60 }),
        retryAfterMs: fc.integer({ min: 1, max: 3_000 }),
        latencyMs: fc.integer({ min: 1, max: 500 }),
      }),
      (bucket) => {
        const { done, early, wasted } = simulate({ ...bucket, calls: 150 })
        expect(done).toBe(150)
        expect(early).toBe(0)
        expect(wasted).toBeLessThan(1)
      },
    ),
    { numRuns: 60, seed: 7 },
  )
})
