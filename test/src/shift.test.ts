import { expect, test } from 'vitest'
import { EvaluationError } from '../../src/errors.ts'
import { Monitor } from '../../src/monitor.ts'
import { scorer } from '../../src/scorer.ts'
import { sleep } from '../../src/std/async.ts'
import { encode } from '../../src/std/json.ts'
import type { Store } from '../../src/store.ts'
import {
  arrive,
  catchUp,
  EXPERIMENT,
  production,
  productionStore,
  said,
  settings,
  traceId,
  watch,
} from '../data/watched.ts'

const length = scorer('length', ({ outputs }) => outputs.length)
const turns = scorer({ name: 'turns', level: 'session' }, ({ session }) => session.length)

/** A store that cannot be read at first. */
function failing(store: Store, times: number, fault: () => Error): Store {
  let left = times
  return new Proxy(store, {
    get(target, key) {
      if (key === 'search' && left-- > 0)
        return async function* () {
          yield await Promise.reject(fault())
        }
      const value = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

const ioError = () => new EvaluationError('STORE_NOT_READABLE', 'Cannot read the store "x": disk I/O error')

test('work that was claimed and cannot be read is given back, and done when it can', async () => {
  const store = productionStore()
  await watch(store, [turns, length])
  await arrive(store, production(1, { sessionId: 's' }), production(2, { sessionId: 's' }))
  await store.claim(
    (await store.registrations({ experiment: EXPERIMENT })).map(({ key, level }) => ({
      scorer: key,
      entity: level === 'session' ? 's' : traceId(1),
      mark: 1,
      dueAt: 1,
    })),
    { owner: 'nobody', nowMs: 1, untilMs: 1 },
  )
  for (const { name } of await store.registrations({ experiment: EXPERIMENT }))
    await store.examine({
      experiment: EXPERIMENT,
      from: 0,
      to: 2,
      scorers: [{ name, examined: 2, sampled: 1, unfit: 0 }],
      units: [],
      lease: { owner: 'nobody', nowMs: 1, untilMs: 1 },
    })
  const controller = new AbortController()
  const events: string[] = []
  const broken = failing(store, 2, () => new EvaluationError('STORE_LOCKED', 'Cannot read: locked'))
  const monitor = new Monitor(
    settings(broken, [turns, length], {
      signal: controller.signal,
      onEvent: (event) => event.kind === 'fault' && events.push(event.message),
    }),
  )
  const running = monitor.run()
  await expect.poll(() => monitor.scored, { timeout: 3_000 }).toBe(2)
  controller.abort(new Error('enough'))
  await running
  expect(events).toContain('Cannot read: locked')
})

test('a disk that cannot be read just now makes no trace unfit', async () => {
  const store = productionStore()
  await watch(store, [length])
  await arrive(store, production(1), production(2))
  await expect(catchUp(failing(store, 1, ioError), [length])).rejects.toThrow('disk I/O error')
  expect(await catchUp(store, [length])).toBe(2)
  const [registration] = await store.registrations({ experiment: EXPERIMENT })
  expect(registration?.progress).toMatchObject({ examined: 2, unfit: 0, scored: 2 })
})

test('long sessions are not all held at once', async () => {
  const store = productionStore()
  await watch(store, [turns])
  const outputs = encode('x'.repeat(1_000_000))
  for (let i = 0; i < 40; i++)
    await arrive(store, ...[0, 1, 2, 3].map((n) => production(4 * i + n, { sessionId: `s-${i}`, outputs })))
  const [{ key } = { key: 0 }] = await store.registrations({ experiment: EXPERIMENT })
  let most = 0
  const counting = scorer({ name: 'turns', level: 'session' }, async ({ session }) => {
    const counts = await store.countUnits([key])
    most = Math.max(most, counts.find(({ state }) => state === 'claimed')?.count ?? 0)
    return session.length
  })
  expect(await catchUp(store, [counting], { sessionBufferMs: 0, maxConcurrency: 1, pageSize: 200 })).toBe(40)
  expect(most).toBeLessThanOrEqual(25)
  expect((await said(store)).filter((one) => one.turns === 4)).toHaveLength(40)
})

test('whoever was kept from renewing its claims for too long lets go of what it has not begun', async () => {
  const store = productionStore()
  await watch(store, [length])
  await arrive(store, ...Array.from({ length: 40 }, (_, i) => production(i)))
  let isCut = false
  const calls: string[] = []
  const gate = Promise.withResolvers<void>()
  const slow = scorer('length', async ({ trace }) => {
    calls.push(trace.id)
    await gate.promise
    return 1
  })
  const cut = new Proxy(store, {
    get(target, key) {
      const value = Reflect.get(target, key)
      if (['renew', 'claimDue', 'settle'].includes(key as string))
        return (...args: unknown[]) => (isCut ? Promise.reject(new Error('cut off')) : value.apply(target, args))
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const controller = new AbortController()
  const monitor = new Monitor(settings(cut, [slow], { leaseMs: 300, maxConcurrency: 2, signal: controller.signal }))
  const running = monitor.run()
  await expect.poll(() => calls.length).toBe(2)
  isCut = true
  await sleep(450)
  const other = scorer('length', ({ trace }) => {
    calls.push(trace.id)
    return 1
  })
  expect(await catchUp(store, [other], { leaseMs: 60_000 })).toBe(40)
  isCut = false
  await sleep(700)
  gate.resolve()
  await sleep(100)
  controller.abort(new Error('enough'))
  await running
  expect(calls).toHaveLength(42)
})

test('a store that cannot be written to ends a monitor that catches up, with what it said', async () => {
  const store = productionStore()
  await watch(store, [length])
  await arrive(store, production(1))
  let asked = 0
  const full = new Proxy(store, {
    get(target, key) {
      const value = Reflect.get(target, key)
      if (key === 'settle') return () => Promise.reject(new Error('disk full'))
      if (key === 'claimDue' && ++asked > 0) return () => Promise.reject(new Error('disk full'))
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  await expect(catchUp(full, [length])).rejects.toThrow('disk full')
  expect(asked).toBe(1)
  expect(await catchUp(store, [length])).toBe(1)
}, 20_000)

test('that a module has changed, or is gone, is told once, and what was loaded of it works on', async () => {
  const store = productionStore()
  await watch(store, [length])
  await arrive(store, production(1))
  const told: unknown[] = []
  for (const noticeOf of [
    () => 'module "scorers.ts" has changed',
    () => {
      throw new Error('there is no module "scorers.ts"')
    },
  ]) {
    const controller = new AbortController()
    const monitor = new Monitor(
      settings(store, [length], {
        noticeOf,
        signal: controller.signal,
        onEvent: (event) => {
          told.push(event)
          controller.abort(new Error('enough'))
        },
      }),
    )
    await monitor.run()
  }
  expect(told).toEqual([
    { kind: 'notice', scorer: 'length', message: 'module "scorers.ts" has changed' },
    { kind: 'notice', scorer: 'length', message: 'there is no module "scorers.ts"' },
  ])
  expect(await said(store)).toEqual([{ length: 9 }])
})
