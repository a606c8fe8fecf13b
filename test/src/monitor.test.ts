import { expect, test } from 'vitest'
import { feedback } from '../../src/feedback.ts'
import { Monitor } from '../../src/monitor.ts'
import { scorer } from '../../src/scorer.ts'
import type { ShiftEvent } from '../../src/shift.ts'
import { sleep } from '../../src/std/async.ts'
import { encode } from '../../src/std/json.ts'
import {
  arrive,
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

const length = scorer('length', ({ outputs }) => outputs.length)
const polite = scorer('polite', ({ outputs }) => (outputs.includes('because') ? 'yes' : 'no'))

test('a monitor scores what has arrived since its scorers started, and nothing from before', async () => {
  const store = productionStore()
  await arrive(store, production(1))
  await watch(store, [length, polite])
  await arrive(store, production(2), production(3))
  expect(await catchUp(store, [length, polite])).toBe(4)
  expect(await said(store)).toEqual([{}, { length: 9, polite: 'yes' }, { length: 9, polite: 'yes' }])
  const [registration] = await store.registrations({ experiment: EXPERIMENT, name: 'length' })
  expect(registration?.progress).toMatchObject({ examined: 2, sampled: 2, unfit: 0, scored: 2, errors: 0 })
})

test('assessments say which registered scorer gave them, and carry the same digest however often the work is repeated', async () => {
  const given: unknown[] = []
  for (let i = 0; i < 2; i++) {
    const store = productionStore()
    await watch(store, [length])
    await arrive(store, production(1))
    await catchUp(store, [length])
    for await (const { assessments } of store.search({ experiment: EXPERIMENT })) given.push(...assessments)
  }
  expect(given[0]).toMatchObject({
    scorer: 'length',
    source: { type: 'CODE', id: 'length' },
    metadata: { 'vitest-evaluate.scorerVersion': 1, 'vitest-evaluate.unit': expect.stringMatching(/^[0-9a-f]{24}$/) },
  })
  const [first, second] = given as { metadata: Record<string, unknown> }[]
  expect(first?.metadata['vitest-evaluate.unit']).toBe(second?.metadata['vitest-evaluate.unit'])
})

test('traces of evaluations and of scorers are never scored', async () => {
  const store = productionStore()
  await watch(store, [length])
  await arrive(
    store,
    production(1, { metadata: { 'mlflow.sourceRun': 'abc' } }),
    production(2, { tags: { 'mlflow.trace.sourceScorer': 'safety' } }),
    production(3, { metadata: { 'vitest-evaluate.rowId': 'r' } }),
    production(4),
  )
  await catchUp(store, [length])
  expect(await said(store)).toEqual([{}, {}, {}, { length: 9 }])
})

test('a filter chooses among what is sampled, and what it does not want is counted', async () => {
  const store = productionStore()
  await watch(store, [length], { filterString: "tag.env = 'prod'" })
  await watch(store, [polite])
  await arrive(store, production(1, { tags: { env: 'prod' } }), production(2, { tags: { env: 'dev' } }))
  await catchUp(store, [length, polite])
  expect(await said(store)).toEqual([{ length: 9, polite: 'yes' }, { polite: 'yes' }])
  const [registration] = await store.registrations({ experiment: EXPERIMENT, name: 'length' })
  expect(registration?.progress).toMatchObject({ examined: 2, sampled: 2, unfit: 1, scored: 1 })
})

test('samples are nested: what a scorer of a lower rate sees, one of a higher rate sees too', async () => {
  const store = productionStore()
  const names = ['tenth', 'half', 'all'] as const
  const scorers = names.map((name) => scorer(name, () => true))
  for (const [i, rate] of [0.1, 0.5, 1].entries()) await watch(store, [scorers[i] as never], { sampleRate: rate })
  await arrive(store, ...Array.from({ length: 400 }, (_, i) => production(i)))
  await catchUp(store, scorers)
  const all = await said(store)
  const seen = (name: string): number => all.filter((one) => name in one).length
  expect(seen('all')).toBe(400)
  expect(seen('half')).toBeGreaterThan(150)
  expect(seen('half')).toBeLessThan(250)
  expect(seen('tenth')).toBeGreaterThan(15)
  expect(all.filter((one) => 'tenth' in one && !('half' in one))).toEqual([])
})

test('a trace that has not ended waits until it ends, wherever the place of its scorers is by then', async () => {
  const store = productionStore()
  await watch(store, [length])
  const { outputs: _, durationNs: __, ...open } = production(1, { status: 'IN_PROGRESS' })
  await arrive(store, open)
  for (let i = 2; i < 200; i++) await arrive(store, production(i))
  await catchUp(store, [length])
  expect((await said(store))[0]).toEqual({})
  const [standing] = await store.standing([traceId(1)])
  await store.putTraces([{ trace: production(1), was: standing?.position as number }])
  await catchUp(store, [length])
  expect((await said(store))[0]).toEqual({ length: 9 })
})

test('a trace that never ends is scored once it has been quiet, and again should it end after all', async () => {
  const store = productionStore()
  await watch(store, [length])
  await arrive(store, production(1, { status: 'IN_PROGRESS', outputs: encode('so far') }))
  await catchUp(store, [length], { completionBufferMs: 0 })
  expect(await said(store)).toEqual([{ length: 6 }])
  const [standing] = await store.standing([traceId(1)])
  await store.putTraces([{ trace: production(1), was: standing?.position as number }])
  await catchUp(store, [length], { completionBufferMs: 0 })
  expect(await said(store)).toEqual([{ length: 9 }])
})

test('what failed and gave nothing is not scored, unless the filter says which outcomes it wants', async () => {
  const store = productionStore()
  const failed = scorer('failed', ({ trace }) => trace.status === 'ERROR')
  await watch(store, [length])
  await watch(store, [failed], { filterString: "status = 'ERROR'" })
  const { outputs: _, ...broken } = production(1, { status: 'ERROR' })
  await arrive(store, broken, production(2))
  await catchUp(store, [length, failed])
  expect(await said(store)).toEqual([{ failed: true }, { length: 9 }])
})

test('scoring that fails is tried again, and then is a dead letter that can be revived', async () => {
  const store = productionStore()
  let works = false
  let calls = 0
  const shaky = scorer('shaky', ({ inputs }) => {
    calls++
    if (!works && inputs.question === 'why 1') throw new Error('the backend is down')
    return true
  })
  const [registration] = await watch(store, [shaky])
  const key = registration?.key as number
  await arrive(store, production(1), production(2))
  await catchUp(store, [shaky])
  await sleep(20)
  await catchUp(store, [shaky])
  await sleep(20)
  await catchUp(store, [shaky])
  expect(calls).toBe(4)
  expect(await said(store)).toEqual([{ shaky: 'SCORER_THREW' }, { shaky: true }])
  expect(await store.units({ scorers: [key], state: 'dead' })).toMatchObject([
    { entity: traceId(1), attempts: 3, error: { code: 'SCORER_THREW', message: 'the backend is down' } },
  ])
  works = true
  expect(await store.revive([key])).toBe(1)
  await catchUp(store, [shaky])
  expect(await said(store)).toEqual([{ shaky: true }, { shaky: true }])
  expect(await store.units({ scorers: [key], state: 'dead' })).toEqual([])
})

test('a scorer that says nothing of a trace is not asked again', async () => {
  const store = productionStore()
  let calls = 0
  const silent = scorer('silent', () => {
    calls++
    return null
  })
  await watch(store, [silent])
  await arrive(store, production(1))
  await catchUp(store, [silent])
  await catchUp(store, [silent])
  expect(calls).toBe(1)
})

test('two monitors on one store share the work, and do nothing twice', async () => {
  const path = storeFile()
  const [one, two] = [productionStore(path), productionStore(path)]
  const calls = new Map<string, number>()
  const counting = scorer('counting', async ({ trace }) => {
    calls.set(trace.id, (calls.get(trace.id) ?? 0) + 1)
    await sleep(3)
    return true
  })
  await watch(one, [counting])
  await two.registrations()
  await arrive(one, ...Array.from({ length: 600 }, (_, i) => production(i)))
  const shares = await Promise.all([one, two].map((store) => catchUp(store, [counting], { maxConcurrency: 2 })))
  expect(shares.reduce((a, b) => a + b)).toBe(600)
  expect(Math.min(...shares)).toBeGreaterThan(0)
  expect([...calls.values()].filter((n) => n !== 1)).toEqual([])
})

test('a scorer that cannot be made again is held up, and the others go on', async () => {
  const store = productionStore()
  await watch(store, [length, polite])
  await arrive(store, production(1))
  const events: ShiftEvent[] = []
  await catchUp(store, [polite], {
    restore: async ({ name }) => {
      if (name === 'length') throw new Error('there is no module "scorers.ts"')
      return { scorer: polite }
    },
    onEvent: (event) => events.push(event),
  })
  expect(await said(store)).toEqual([{ polite: 'yes' }])
  expect(events).toMatchObject([
    { kind: 'blocked', scorer: 'length', code: 'SCORER_UNAVAILABLE', message: 'there is no module "scorers.ts"' },
  ])
  await catchUp(store, [length, polite])
  expect(await said(store)).toEqual([{ length: 9, polite: 'yes' }])
})

test('a scorer whose model cannot be asked is held up at once: its traces wait, and no try is counted', async () => {
  const store = productionStore()
  let calls = 0
  const judge = scorer('judge', () => {
    calls++
    return feedback({ error: { code: 'AUTHENTICATION', message: 'wrong key' } })
  })
  const [registration] = await watch(store, [judge])
  await arrive(store, ...Array.from({ length: 40 }, (_, i) => production(i)))
  const events: ShiftEvent[] = []
  await catchUp(store, [judge], { maxConcurrency: 1, onEvent: (event) => events.push(event) })
  expect(calls).toBe(1)
  expect(events).toMatchObject([{ kind: 'blocked', code: 'AUTHENTICATION', message: 'wrong key' }])
  const waiting = await store.units({ scorers: [registration?.key as number], state: 'waiting' })
  expect(waiting.length).toBe(40)
  expect(waiting.every(({ attempts }) => attempts === 0)).toBe(true)
})

test('a provider that does not answer holds its scorer up, before everything that is sampled meanwhile is given up', async () => {
  const store = productionStore()
  let calls = 0
  const judge = scorer('judge', () => {
    calls++
    return feedback({ error: { code: 'TRANSPORT', message: 'connection refused' } })
  })
  const [registration] = await watch(store, [judge])
  await arrive(store, ...Array.from({ length: 60 }, (_, i) => production(i)))
  const events: ShiftEvent[] = []
  await catchUp(store, [judge], { maxConcurrency: 1, onEvent: (event) => events.push(event) })
  expect(calls).toBe(10)
  expect(events).toMatchObject([
    { kind: 'failed', scorer: 'judge', code: 'TRANSPORT' },
    { kind: 'blocked', scorer: 'judge', code: 'TRANSPORT', message: 'connection refused' },
  ])
  const waiting = await store.units({ scorers: [registration?.key as number], state: 'waiting' })
  expect(
    waiting
      .map(({ attempts }) => attempts)
      .sort()
      .slice(-10),
  ).toEqual([0, ...Array.from({ length: 9 }, () => 1)])
})

test('a session is scored when it has been quiet, by its first trace, and again when it goes on', async () => {
  const store = productionStore()
  const turns = scorer({ name: 'turns', level: 'session' }, ({ session }) => session.length)
  await watch(store, [turns])
  const turn = (i: number) => production(i, { sessionId: 'talk' })
  await arrive(store, turn(2), turn(1))
  await catchUp(store, [turns])
  expect(await said(store)).toEqual([{}, {}])
  await catchUp(store, [turns], { sessionBufferMs: 0 })
  expect(await said(store)).toEqual([{}, {}])
  const [{ key } = { key: 0 }] = await store.registrations({ name: 'turns' })
  await arrive(store, turn(3))
  await catchUp(store, [turns], { sessionBufferMs: 0 })
  expect(await said(store)).toEqual([{ turns: 3 }, {}, {}])
  // The first turn comes last: the verdict moves there.
  await arrive(store, turn(0))
  await catchUp(store, [turns], { sessionBufferMs: 0 })
  expect(await said(store)).toEqual([{ turns: 4 }, {}, {}, {}])
  expect(await store.units({ scorers: [key] })).toMatchObject([{ entity: 'talk', state: 'done' }])
})

test("a person's correction stays in force when the trace is scored again", async () => {
  const store = productionStore()
  await watch(store, [polite])
  await arrive(store, production(1, { status: 'IN_PROGRESS' }))
  await catchUp(store, [polite], { completionBufferMs: 0 })
  const [found] = await Array.fromAsync(store.search({ experiment: EXPERIMENT }))
  const given = found?.assessments[0]?.id as string
  await store.logAssessment(traceId(1), {
    kind: 'feedback',
    name: 'polite',
    value: 'no',
    source: { type: 'HUMAN', id: 'ann' },
    overrides: given,
    createdAt: 5,
  })
  const [standing] = await store.standing([traceId(1)])
  await store.putTraces([{ trace: production(1), was: standing?.position as number }])
  await catchUp(store, [polite])
  expect(await said(store)).toEqual([{ polite: 'no' }])
})

test('a monitor that is stopped gives back what it has not begun, and another goes on', async () => {
  const store = productionStore()
  const controller = new AbortController()
  let calls = 0
  const slow = scorer('slow', async () => {
    if (++calls === 10) controller.abort(new Error('enough'))
    await sleep(2)
    return true
  })
  await watch(store, [slow])
  await arrive(store, ...Array.from({ length: 100 }, (_, i) => production(i)))
  const monitor = new Monitor(settings(store, [slow], { maxConcurrency: 2, signal: controller.signal }))
  await monitor.run()
  expect(await store.notes('monitor')).toEqual([])
  await catchUp(store, [slow])
  expect((await said(store)).every(({ slow }) => slow === true)).toBe(true)
  expect(calls).toBeLessThan(105)
})
