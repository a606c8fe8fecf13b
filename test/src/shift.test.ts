import { expect, test } from 'vitest'
import { EvaluationError } from '../../src/errors.ts'
import { Monitor } from '../../src/monitor.ts'
import { scorer } from '../../src/scorer.ts'
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
