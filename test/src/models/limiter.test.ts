import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SharedFile } from '../../../src/models/file.ts'
import { limited } from '../../../src/models/limited.ts'
import { LIMITS_SCHEMA, Limiter } from '../../../src/models/limiter.ts'
import { openai } from '../../../src/models/openai.ts'
import type { Asked } from '../../data/asker.ts'
import { endpoint } from '../../data/endpoint.ts'
import { folder, thrownBy } from '../../data/evaluation.ts'
import { ask, scripted } from '../../data/model.ts'

const limiterAt = (path: string | undefined, most = 100, id?: string): Limiter =>
  new Limiter(new SharedFile(path, LIMITS_SCHEMA), 'endpoint', most, id)
const file = (): string => join(folder(), 'limits.sqlite')

test('Limiter never has more calls in work than it may, over all that share its file', async () => {
  const path = file()
  let [current, peak] = [0, 0]
  const model = scripted(async () => {
    peak = Math.max(peak, ++current)
    await new Promise((resolve) => setTimeout(resolve, 20))
    current--
    return {}
  })
  const sharing = ['a', 'b', 'c'].map((id) => limited(model, limiterAt(path, 5, id), 0))
  await Promise.all(sharing.flatMap((one) => Array.from({ length: 10 }, () => one.generate(ask()))))
  expect(model.asked).toHaveLength(30)
  expect(peak).toBeLessThanOrEqual(5)
  expect(peak).toBeGreaterThan(2)
})

test('Limiter gives the places of a process that died to others, after a while', async () => {
  const path = file()
  const dead = limiterAt(path, 1, 'dead')
  await dead.acquire()
  // Nobody hears of it again: its heart would have beaten within 5 s.
  const shared = new SharedFile(path, LIMITS_SCHEMA)
  shared.transaction((it) => {
    const plan = JSON.parse(it.statement('SELECT plan FROM plans').get()?.plan as string)
    plan.holders.dead.at -= 16_000
    it.statement('UPDATE plans SET plan = ?').run(JSON.stringify(plan))
  })
  const started = performance.now()
  await limiterAt(path, 1, 'alive').acquire()
  expect(performance.now() - started).toBeLessThan(1_000)
  dead.release()
})

test('Limiter lets nobody go before a time that another process was told', async () => {
  const path = file()
  const [a, b] = [limiterAt(path, 10, 'a'), limiterAt(path, 10, 'b')]
  a.refused(await a.acquire(), 400)
  const told = performance.now()
  await b.acquire()
  expect(performance.now() - told).toBeGreaterThanOrEqual(400)
  a.release()
  b.release()
})

test('Limiter ends a wait that is aborted, and goes on with the next', async () => {
  const limiter = limiterAt(undefined, 1)
  await limiter.acquire()
  const stop = new AbortController()
  const waiting = limiter.acquire(stop.signal)
  const next = limiter.acquire()
  stop.abort(new Error('enough'))
  expect(await thrownBy(waiting)).toMatchObject({ message: 'enough' })
  expect(await thrownBy(limiter.acquire(stop.signal))).toMatchObject({ message: 'enough' })
  limiter.release()
  await next
  limiter.release()
})

test('Limiter works by itself where there is no file', async () => {
  const model = limited(scripted(), limiterAt(undefined), 0)
  for (let i = 0; i < 5; i++) expect(await model.generate(ask())).toMatchObject({ text: `answer ${i}` })
})

test('limited() comes through a storm of 429 without a failure, and never before Retry-After', {
  timeout: 60_000,
}, async () => {
  await using server = await endpoint(() => 'ok', { latencyMs: 20, bucket: { perSecond: 40 } })
  const model = limited(openai({ model: 'm', baseURL: server.url, apiKey: null }), limiterAt(file()), 2)
  const started = performance.now()
  await Promise.all(Array.from({ length: 200 }, (_, i) => model.generate(ask(`${i}`))))
  const ms = performance.now() - started
  const { 200: answered, 429: refused = 0 } = server.statuses()
  expect(answered).toBe(200)
  expect(server.early).toBe(0)
  // The bench has the figures; here nothing may be far off, on any machine.
  expect(refused).toBeLessThan(80)
  expect(ms).toBeLessThan(4_000 * 2)
})

test('limited() keeps the rate of an endpoint with several processes at once', { timeout: 60_000 }, async () => {
  await using server = await endpoint(() => 'ok', { latencyMs: 20, bucket: { perSecond: 40 } })
  const path = file()
  const askers = [0, 1, 2].map(() =>
    fork(new URL('../../data/asker.ts', import.meta.url), [path, server.url, '60'], { stdio: 'inherit' }),
  )
  const all = await Promise.all(askers.map(async (asker): Promise<Asked> => (await once(asker, 'message'))[0]))
  expect(server.statuses()[200]).toBe(180)
  expect(server.statuses()[429] ?? 0).toBeLessThan(90)
  const refusals = all.flatMap((asked) => asked.refusals)
  const launches = all.flatMap((asked) => asked.launches)
  expect(refusals.length).toBeGreaterThan(0)
  // What one process knows all know, at once.
  const early = launches.filter((at) => refusals.some(({ knownAt, until }) => at > knownAt + 5 && at < until))
  expect(early).toEqual([])
})
