import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { Lease } from '../../src/queue.ts'
import { nowMs } from '../../src/std/async.ts'
import type { Store } from '../../src/store.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { deadLetters, survey } from '../../src/survey.ts'
import { folder } from '../data/evaluation.ts'
import { assessmentOf, produce, register } from '../data/production.ts'

const opened: Store[] = []
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})

const HOUR = 3_600_000
const lease = (nowAt = nowMs()): Lease => ({ owner: 'me', nowMs: nowAt, untilMs: nowAt + HOUR })

async function shop(): Promise<Store> {
  const store = sqlite(join(folder(), 'store.sqlite'))
  opened.push(store)
  await register(store, 'shop', 'safe')
  await register(store, 'shop', 'idle')
  await store.configureScorer('shop', 'safe', { sampleRate: 0.5, filterString: "status = 'OK'" })
  return store
}

/** Traces of which one is done, one dead, one to be tried again, one waits and one is in hand. */
async function worked(): Promise<{ readonly store: Store; readonly now: number }> {
  const store = await shop()
  await produce(store, { experiment: 'shop', n: 6, said: () => [] })
  const [safe] = await store.registrations({ name: 'safe' })
  const scorer = safe?.key as number
  const now = nowMs()
  const entity = (i: number) => `tr-p-000000${i}`
  const { head } = await store.arrivals({ experiment: 'shop', limit: 1 })
  const units = await store.examine({
    experiment: 'shop',
    from: safe?.progress.position as number,
    to: head - 1,
    scorers: [{ name: 'safe', examined: 5, sampled: 5, unfit: 0 }],
    units: [0, 1, 2, 3].map((i) => ({ scorer, entity: entity(i), mark: 1 })),
    lease: lease(now),
  })
  expect(units).toHaveLength(4)
  await store.claim([{ scorer, entity: entity(4), mark: 1, dueAt: now - 2 * HOUR }], lease(now))
  await store.settle(
    [
      {
        scorer,
        entity: entity(0),
        mark: 1,
        state: 'done',
        traceId: entity(0),
        assessments: [assessmentOf({ scorer: 'safe', value: true })],
      },
      { scorer, entity: entity(1), mark: 1, state: 'dead', error: { code: 'SCORER_TIMEOUT', message: 'late' } },
      {
        scorer,
        entity: entity(2),
        mark: 1,
        state: 'retry',
        dueAt: now + HOUR,
        error: { code: 'SERVER', message: '503' },
      },
    ],
    lease(now),
  )
  return { store, now }
}

test('survey() says how each scorer stands', async () => {
  const { store, now } = await worked()
  await store.keepNote({
    kind: 'monitor',
    id: 'one',
    data: { pid: 7, host: 'box', startedAt: now - HOUR, beatAt: now, scored: 3 },
  })
  await store.keepNote({ kind: 'monitor', id: 'two', data: { beatAt: now - HOUR } })
  const { scorers, monitors, head } = await survey(store)
  expect(head).toBeGreaterThanOrEqual(6)
  expect(scorers.map(({ registration }) => registration.name)).toEqual(['idle', 'safe'])
  expect(scorers[0]).toMatchObject({ waiting: 0, retrying: 0, claimed: 0, done: 0, dead: 0, lagMs: 0 })
  expect(scorers[1]).toMatchObject({ waiting: 1, retrying: 1, claimed: 1, done: 1, dead: 1 })
  expect(scorers[1]?.registration.progress).toMatchObject({ examined: 5, sampled: 5, scored: 1, errors: 2 })
  // What has been due for two hours.
  expect(scorers[1]?.lagMs).toBeGreaterThanOrEqual(2 * HOUR)
  expect(scorers[1]?.lagMs).toBeLessThan(2 * HOUR + 600_000)
  expect(monitors).toMatchObject([
    { id: 'one', pid: 7, host: 'box', startedMs: now - HOUR, scored: 3, isAlive: true },
    { id: 'two', isAlive: false },
  ])
})

test('survey() counts arrivals that nobody has looked at as lag, unless the scorer is stopped', async () => {
  const store = await shop()
  await produce(store, { experiment: 'shop', n: 2, said: () => [] })
  const { items } = await store.arrivals({ experiment: 'shop', limit: 1 })
  const { scorers, atMs } = await survey(store, { experiment: 'shop', scorer: 'safe' })
  expect(scorers).toHaveLength(1)
  expect(scorers[0]?.lagMs).toBe(Math.max(0, atMs - (items[0]?.at ?? 0)))
  expect((await survey(store, { scorer: 'idle' })).scorers[0]?.lagMs).toBe(0)
})

test('survey() of a store in which nothing is registered is empty', async () => {
  const store = sqlite(join(folder(), 'store.sqlite'))
  opened.push(store)
  expect(await survey(store)).toMatchObject({ scorers: [], monitors: [], head: 0 })
})

test('survey() names what there is where something is not', async () => {
  const store = await shop()
  await expect(survey(store, { experiment: 'shp' })).rejects.toThrow(
    'Cannot tell how monitoring stands: no scorer is registered in "shp" (did you mean "shop"?)\nHint: there is "shop"',
  )
  expect(await survey(store, { experiment: 'shp', isLenient: true })).toMatchObject({ scorers: [] })
  await expect(survey(store, { scorer: 'saef' })).rejects.toThrow(
    'Cannot tell how monitoring stands: no scorer "saef" is registered (did you mean "safe"?)\nHint: there are "idle", "safe"',
  )
})

test('deadLetters() lists what failed too often, and counts it all', async () => {
  const { store } = await worked()
  expect(await deadLetters(store)).toEqual({
    count: 1,
    letters: [
      {
        experiment: 'shop',
        scorer: 'safe',
        version: 1,
        level: 'trace',
        entity: 'tr-p-0000001',
        attempts: 1,
        crashed: false,
        error: { code: 'SCORER_TIMEOUT', message: 'late' },
      },
    ],
  })
  expect(await deadLetters(store, { scorer: 'idle' })).toEqual({ count: 0, letters: [] })
})
