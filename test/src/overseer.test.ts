import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Guidelines, Safety } from '../../src/judges/index.ts'
import { monitorTraces } from '../../src/overseer.ts'
import type { ShiftEvent } from '../../src/shift.ts'
import { encode } from '../../src/std/json.ts'
import { spentToday } from '../../src/supply.ts'
import { endpoint } from '../data/endpoint.ts'
import { arrive, EXPERIMENT, production, productionStore, said } from '../data/watched.ts'

const VERDICT = { rationale: 'nothing harmful', value: 'yes' }

beforeEach(() => {
  vi.stubEnv('OPENAI_API_KEY', 'key')
})
afterEach(() => {
  vi.unstubAllEnvs()
})

test('a registered judge is made again by its name, and asks the model of its registration', async () => {
  await using server = await endpoint(() => ({ json: VERDICT }))
  vi.stubEnv('OPENAI_BASE_URL', server.url)
  const store = productionStore()
  const safety = await Safety({ model: 'openai:/gpt-4.1-nano' }).register({
    name: 'safety_check',
    experiment: EXPERIMENT,
    store,
  })
  await safety.start({ samplingConfig: { sampleRate: 1 } })
  await arrive(store, production(1), production(2))
  expect(await monitorTraces({ store, once: true })).toBe(2)
  expect(await said(store)).toEqual([{ safety_check: 'yes' }, { safety_check: 'yes' }])
  expect(server.journal.map(({ body }) => body.model)).toEqual(['gpt-4.1-nano', 'gpt-4.1-nano'])
  const [first] = await Array.fromAsync(store.search({ experiment: EXPERIMENT, limit: 1 }))
  expect(first?.assessments[0]).toMatchObject({
    source: { type: 'LLM_JUDGE', id: 'openai:/gpt-4.1-nano' },
    scorer: 'safety_check',
  })
})

test('a budget is one a day: when it is spent the judge waits until the next, and nothing counts as failed', async () => {
  await using server = await endpoint(() => ({
    json: VERDICT,
    usage: { prompt_tokens: 400, completion_tokens: 20, total_tokens: 420 },
  }))
  vi.stubEnv('OPENAI_BASE_URL', server.url)
  const store = productionStore()
  const judge = Guidelines({ name: 'english', guidelines: ['The answer is in English'], model: 'openai:/gpt-4.1-mini' })
  const english = await judge.register({ experiment: EXPERIMENT, store })
  await english.start({ samplingConfig: { sampleRate: 1 } })
  await arrive(store, ...Array.from({ length: 30 }, (_, i) => production(i, { outputs: encode(`because of ${i}`) })))
  const events: ShiftEvent[] = []
  const options = {
    store,
    once: true,
    budget: 0.003,
    maxConcurrency: 1,
    onEvent: (event: ShiftEvent) => events.push(event),
  }
  const scored = await monitorTraces(options)
  expect(scored).toBeGreaterThan(2)
  expect(scored).toBeLessThan(20)
  expect(events).toMatchObject([{ kind: 'blocked', scorer: 'english', code: 'BUDGET_EXCEEDED' }])
  const [blocked] = events as (ShiftEvent & { kind: 'blocked' })[]
  expect(blocked?.untilMs).toBe((Math.floor(Date.now() / 86_400_000) + 1) * 86_400_000)
  const [{ key, progress } = { key: 0, progress: undefined }] = await store.registrations({ name: 'english' })
  expect(progress).toMatchObject({ errors: 0, scored })
  expect(progress?.usd).toBeGreaterThan(0.0005)
  const waiting = await store.units({ scorers: [key], state: 'waiting' })
  expect(waiting.length).toBe(30 - scored)
  expect(new Set(waiting.map(({ attempts }) => attempts))).toEqual(new Set([0]))
  // The day's budget is shared by all monitors of the store.
  const calls = server.journal.length
  expect(await monitorTraces(options)).toBe(0)
  expect(server.journal.length).toBe(calls)
  // And whoever looks at it, in any process, sees what they have spent together.
  const { usdToday, usdBudget } = spentToday(options.budget, store.location)
  expect(usdBudget).toBe(0.003)
  expect(usdToday).toBeCloseTo(progress?.usd ?? 0, 8)
})

test.each([
  [{ maxConcurrency: 0 }, /"maxConcurrency" must be an integer from 1, found 0/],
  [{ scorerTimeoutMs: -1 }, /"scorerTimeoutMs" must be an integer from 0/],
  [{ concurency: 3 }, /unknown option "concurency"/],
])('monitorTraces() refuses %o', async (options, sentence) => {
  await expect(monitorTraces({ store: productionStore(), once: true, ...options } as never)).rejects.toThrow(sentence)
})
