import { expect, test } from 'vitest'
import { type BackfillRecord, type BackfillSettings, planBackfill, runBackfill } from '../../src/backfill.ts'
import { feedback } from '../../src/feedback.ts'
import { Monitor } from '../../src/monitor.ts'
import type { Registration } from '../../src/registration.ts'
import { samplePoint } from '../../src/sampling.ts'
import { type Scorer, scorer } from '../../src/scorer.ts'
import type { ShiftEvent } from '../../src/shift.ts'
import { sleep } from '../../src/std/async.ts'
import type { Store } from '../../src/store.ts'
import {
  arrive,
  backfillSettings,
  catchUp,
  EXPERIMENT,
  production,
  productionStore,
  said,
  settings,
  storeFile,
  traceId,
  watch,
} from '../data/watched.ts'

const many = (n: number, from = 0) => Array.from({ length: n }, (_, i) => production(from + i))

/** A scorer that remembers how often it was asked about what. */
function counting(name = 'counting', work?: (id: string) => unknown) {
  const calls = new Map<string, number>()
  const made = scorer(name, async ({ trace }) => {
    calls.set(trace.id, (calls.get(trace.id) ?? 0) + 1)
    return ((await work?.(trace.id)) ?? true) as boolean
  })
  return { scorer: made, calls }
}

async function filled(scorers: readonly Scorer[], n: number, path?: string) {
  const store = productionStore(path)
  await arrive(store, ...many(n))
  const registrations = await watch(store, scorers)
  return { store, registrations }
}

async function run(
  store: Store,
  scorers: readonly Scorer[],
  registrations: readonly Registration[],
  overrides: Parameters<typeof backfillSettings>[3] = {},
): Promise<BackfillRecord> {
  return runBackfill(await backfillSettings(store, scorers, registrations, overrides))
}

const plan = async (...args: Parameters<typeof run>) => planBackfill(await backfillSettings(...args))
const rates = (sampleRate: number) => [{ name: 'counting', version: 1, sampleRate }]

test('a backfill scores what is there already, once; the second one asks nobody', async () => {
  const { scorer: made, calls } = counting()
  const { store, registrations } = await filled([made], 130)
  const done = await run(store, [made], registrations)
  expect(done).toMatchObject({ status: 'finished', examined: 130, sampled: 130, due: 130, scored: 130 })
  expect([calls.size, ...new Set(calls.values())]).toEqual([130, 1])
  expect((await said(store)).every(({ counting }) => counting === true)).toBe(true)
  expect(await run(store, [made], registrations)).toMatchObject({ status: 'finished', sampled: 130, due: 0, scored: 0 })
  expect([...new Set(calls.values())]).toEqual([1])
  expect((await store.notes('backfill', 'bf-1'))[0]?.data).toMatchObject({ status: 'finished', due: 0 })
  expect(await store.notes('monitor')).toEqual([])
})

test('a backfill takes requests of its time, of its experiment, and nothing that is an evaluation or came later', async () => {
  const { scorer: made, calls } = counting()
  const { store, registrations } = await filled([made], 10)
  await arrive(
    store,
    production(20, { experiment: 'other' }),
    production(21, { metadata: { 'mlflow.sourceRun': 'x' }, requestTimeMs: 1_760_000_000_005 }),
  )
  const time = { startMs: 1_760_000_000_003, endMs: 1_760_000_000_006 }
  const given = await backfillSettings(store, [made], registrations, { record: time })
  await arrive(store, production(30, { requestTimeMs: 1_760_000_000_004 }))
  expect(await runBackfill(given)).toMatchObject({ examined: 4, due: 3, scored: 3 })
  expect([...calls.keys()].sort()).toEqual([3, 4, 5].map(traceId))
})

test("a backfill's rate nests with the monitor's: a higher one adds what is missing", async () => {
  const { scorer: made, calls } = counting()
  const store = productionStore()
  const registrations = await watch(store, [made], { sampleRate: 0.3 })
  await arrive(store, ...many(300))
  const seen = await catchUp(store, [made])
  const all = many(300).filter(({ id }) => samplePoint(id) < 0.7).length
  const expected = all - seen
  const record = { scorers: rates(0.7) }
  const counts = { sampled: all, due: expected }
  expect((await plan(store, [made], registrations, { record })).scorers).toMatchObject([counts])
  expect(await run(store, [made], registrations, { record })).toMatchObject({ ...counts, scored: expected })
  expect([calls.size, ...new Set(calls.values())]).toEqual([all, 1])
})

test('a backfill scores what the filter of a scorer wants, and nothing else', async () => {
  const { scorer: made, calls } = counting()
  const store = productionStore()
  await arrive(store, production(1, { tags: { env: 'prod' } }), production(2))
  const registrations = await watch(store, [made], { filterString: "tag.env = 'prod'" })
  expect(await run(store, [made], registrations)).toMatchObject({ examined: 2, due: 1, scored: 1 })
  expect([...calls.keys()]).toEqual([traceId(1)])
})

test('a plan says what there is to do and what it may cost, and changes nothing', async () => {
  const { scorer: made, calls } = counting()
  const { store, registrations } = await filled([made], 60)
  const first = registrations[0] as Registration
  const costly = [{ ...first, progress: { ...first.progress, scored: 4, usd: 0.2 } }]
  const planned = await plan(store, [made], costly)
  expect(planned).toEqual({
    examined: 60,
    scorers: [{ name: 'counting', level: 'trace', sampled: 60, due: 60, usd: expect.closeTo(3) }],
  })
  expect(calls.size).toBe(0)
  expect(await store.units({ scorers: [first.key] })).toEqual([])
  expect([...(await store.notes('backfill')), ...(await store.notes('monitor'))]).toEqual([])
  await run(store, [made], registrations)
  expect((await plan(store, [made], registrations)).scorers).toMatchObject([{ sampled: 60, due: 0 }])
})

test('a backfill that is interrupted goes on where it stands, and does nothing twice', async () => {
  const controller = new AbortController()
  const { scorer: made, calls } = counting('counting', async () => {
    if (calls.size === 70) controller.abort(new Error('enough'))
    await sleep(2)
    return true
  })
  const { store, registrations } = await filled([made], 300)
  const stopped = await run(store, [made], registrations, { signal: controller.signal, maxConcurrency: 4 })
  expect(stopped.status).toBe('interrupted')
  expect(stopped.scored).toBeLessThan(90)
  expect(stopped.position).toBeLessThan(300)
  expect((await store.notes('backfill', 'bf-1'))[0]?.data).toEqual({ ...stopped })
  const done = await run(store, [made], registrations, { record: stopped })
  expect(done).toMatchObject({ status: 'finished', examined: 300, sampled: 300, due: 300, scored: 300 })
  expect(calls.size).toBe(300)
  expect([...calls.values()].filter((n) => n > 1).length).toBeLessThanOrEqual(4)
  expect((await said(store)).every(({ counting }) => counting === true)).toBe(true)
})

test('what fails is tried again and is a dead letter in the end; the rest is scored', async () => {
  let flaky = 0
  const { scorer: made, calls } = counting('counting', (id) => {
    if (id === traceId(1)) throw new Error('never')
    if (id === traceId(2) && flaky++ < 1) throw new Error('once')
    return true
  })
  const { store, registrations } = await filled([made], 4)
  expect(await run(store, [made], registrations)).toMatchObject({ status: 'finished', due: 4, scored: 3 })
  expect([...calls.entries()].sort()).toEqual([0, 1, 2, 3].map((i) => [traceId(i), [1, 3, 2, 1][i]]))
  expect((await said(store)).map(({ counting }) => counting)).toEqual([true, 'SCORER_THREW', true, true])
  const dead = await store.units({ scorers: [registrations[0]?.key as number], state: 'dead' })
  expect(dead).toMatchObject([{ entity: traceId(1), attempts: 3, error: { message: 'never' } }])
  expect(await run(store, [made], registrations)).toMatchObject({ due: 0 })
})

test('what failed before, and waits to be tried again, is waited for by whoever comes next', async () => {
  const controller = new AbortController()
  let works = false
  const { scorer: made } = counting('counting', () => {
    if (!works) {
      setTimeout(() => controller.abort(new Error('enough')), 60)
      throw new Error('down')
    }
    return true
  })
  const { store, registrations } = await filled([made], 1)
  const policy = { maxAttempts: 3, backoffMs: 400, maxBackoffMs: 400 }
  const stopped = await run(store, [made], registrations, { policy, signal: controller.signal })
  expect(stopped.status).toBe('interrupted')
  works = true
  expect(await run(store, [made], registrations, { policy, record: stopped })).toMatchObject({ due: 1, scored: 1 })
})

test('a scorer that is held up is not asked again and again, and what cannot go on for long is interrupted', async () => {
  const { scorer: made, calls } = counting('counting', () =>
    feedback({ error: { code: 'BUDGET_EXCEEDED', message: 'the day is spent' } }),
  )
  const { store, registrations } = await filled([made], 300)
  const events: ShiftEvent[] = []
  const record = await run(store, [made], registrations, { maxConcurrency: 1, onEvent: (event) => events.push(event) })
  expect(record).toMatchObject({ status: 'interrupted', scored: 0 })
  expect(calls.size).toBe(1)
  expect(events).toMatchObject([{ kind: 'blocked', code: 'BUDGET_EXCEEDED' }])
})

test('what was held up goes on at once where it can, as with another budget', async () => {
  let isSpent = true
  const judge = scorer('judge', () =>
    isSpent ? feedback({ error: { code: 'BUDGET_EXCEEDED', message: 'the day is spent' } }) : 1,
  )
  const { store, registrations } = await filled([judge], 20)
  const stopped = await runBackfill(await backfillSettings(store, [judge], registrations))
  expect(stopped).toMatchObject({ status: 'interrupted', due: 20, scored: 0 })
  isSpent = false
  const ended = await runBackfill(await backfillSettings(store, [judge], registrations, { record: stopped }))
  expect(ended).toMatchObject({ status: 'finished', due: 20, scored: 20 })
})

test('sessions from before are scored whole, those that are still being spoken when they are quiet', async () => {
  const turns = scorer({ name: 'turns', level: 'session' }, ({ session }) => session.length)
  const store = productionStore()
  const now = Date.now()
  await arrive(
    store,
    ...Array.from({ length: 120 }, (_, i) => production(i, { sessionId: `s${i % 3}` })),
    production(200, { sessionId: 'now', requestTimeMs: now }),
    production(201),
  )
  const registrations = await watch(store, [turns])
  const given = { sessionBufferMs: 1_500, record: { endMs: now + 1_000 } }
  expect((await plan(store, [turns], registrations, given)).scorers).toMatchObject([
    { level: 'session', sampled: 4, due: 4 },
  ])
  const done = await run(store, [turns], registrations, given)
  expect(done).toMatchObject({ status: 'finished', examined: 122, sampled: 4, due: 4, scored: 4 })
  expect(Date.now() - now).toBeGreaterThanOrEqual(1_500)
  const lengths = (await said(store)).flatMap(({ turns }) => turns ?? [])
  expect(lengths).toEqual([40, 40, 40, 1])
  expect(await run(store, [turns], registrations, given)).toMatchObject({ sampled: 4, due: 0, scored: 0 })
})

test('sessions are not read whole for every page that has some of their turns, because others have judged those', async () => {
  const turns = scorer({ name: 'turns', level: 'session' }, ({ session }) => session.length)
  const store = productionStore()
  const registrations = await watch(store, [turns])
  const judged = { kind: 'feedback', name: 'x', value: 1, source: { type: 'CODE', id: 'x' }, createdAt: 1 } as const
  const all = Array.from({ length: 300 }, (_, i) => production(i, { sessionId: `s-${i % 3}` }))
  await store.writeTraces(all.map((trace) => ({ trace, assessments: [judged] })))
  let read = 0
  const counted = new Proxy(store, {
    get(target, key) {
      if (key !== 'search') return Reflect.get(target, key).bind?.(target) ?? Reflect.get(target, key)
      return async function* (query: Parameters<Store['search']>[0]) {
        for await (const one of target.search(query)) {
          read++
          yield one
        }
      }
    },
  })
  expect(await plan(counted, [turns], registrations)).toMatchObject({
    examined: 300,
    scorers: [{ sampled: 3, due: 3 }],
  })
  expect(read).toBe(3)
})

test('a monitor at the same time does nothing that a backfill does, and the other way round', async () => {
  const path = storeFile()
  const { scorer: made, calls } = counting('counting', () => sleep(3))
  const { store, registrations } = await filled([made], 300, path)
  const other = productionStore(path)
  const controller = new AbortController()
  const monitor = new Monitor(settings(other, [made], { signal: controller.signal }))
  const running = monitor.run()
  await arrive(other, ...many(300, 300))
  const given = await backfillSettings(store, [made], registrations)
  await arrive(other, ...many(100, 600))
  expect((await runBackfill(given)).status).toBe('finished')
  while ((await said(store)).some(({ counting }) => counting === undefined)) await sleep(20)
  controller.abort(new Error('enough'))
  await running
  expect(calls.size).toBe(700)
  expect([...calls.values()].filter((n) => n !== 1)).toEqual([])
})

test('two backfills at once share the work, and do nothing twice', async () => {
  const path = storeFile()
  const { scorer: made, calls } = counting('counting', () => sleep(2))
  const { store, registrations } = await filled([made], 300, path)
  const other = productionStore(path)
  const both: BackfillSettings[] = await Promise.all(
    [store, other].map((one, i) => backfillSettings(one, [made], registrations, { record: { id: `bf-${i}` } })),
  )
  const records = await Promise.all(both.map(runBackfill))
  expect(records.map(({ status }) => status)).toEqual(['finished', 'finished'])
  expect(records.reduce((sum, { scored }) => sum + scored, 0)).toBe(300)
  expect([...calls.values()].filter((n) => n !== 1)).toEqual([])
  expect(await store.arrivals({ experiment: EXPERIMENT, limit: 1 })).toMatchObject({ items: [{ traceId: traceId(0) }] })
})
