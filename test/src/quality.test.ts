import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { evaluate, scorer } from '../../src/index.ts'
import { type QualityOptions, quality } from '../../src/quality.ts'
import type { QualityColumn } from '../../src/series.ts'
import { seeded } from '../../src/std/random.ts'
import type { Store } from '../../src/store.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { survey } from '../../src/survey.ts'
import { folder } from '../data/evaluation.ts'
import { type Production, produce, register, START } from '../data/production.ts'
import { arrive, catchUp, EXPERIMENT, production, productionStore, watch } from '../data/watched.ts'

const opened: Store[] = []
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})

const MINUTE = 60_000
const judge = (id: string) => ({ type: 'LLM_JUDGE', id }) as const

async function shop(names: readonly string[], ...parts: readonly Omit<Production, 'experiment'>[]) {
  const store = sqlite(join(folder(), 'store.sqlite'))
  opened.push(store)
  for (const name of names) await register(store, 'shop', name)
  for (const part of parts) await produce(store, { experiment: 'shop', ...part })
  return store
}

/** Reads so many minutes from the start on. */
function read(store: Store, minutes: number, more: Partial<QualityOptions> = {}) {
  return quality(store, { experiment: 'shop', fromMs: START, toMs: START + minutes * MINUTE, ...more })
}
const one = (columns: readonly QualityColumn[], name: string): QualityColumn => {
  const found = columns.find((column) => column.name === name)
  if (!found) throw new Error(`no column ${name}`)
  return found
}

test('quality() counts values, errors and what is missing, window by window', async () => {
  const store = await shop(['safe', 'score', 'tone'], {
    n: 240,
    said: (i) => [
      i % 10 === 0
        ? { scorer: 'safe', error: { code: 'SCORER_TIMEOUT', message: 'late' } }
        : { scorer: 'safe', value: i % 4 === 1 ? 'no' : 'yes' },
      { scorer: 'score', value: i / 240 },
      ...(i % 2 === 0 ? [{ scorer: 'score', name: 'extra', value: true }] : []),
      { scorer: 'tone', value: i < 200 ? 'formal' : 'rude' },
    ],
  })
  const { columns, silent, windowMs } = await read(store, 240)
  expect(columns.map(({ scorer, name }) => [scorer, name])).toEqual([
    ['safe', 'safe'],
    ['score', 'extra'],
    ['score', 'score'],
    ['tone', 'tone'],
  ])
  expect(windowMs).toBe(10 * MINUTE)
  expect(silent).toEqual([])
  const safe = one(columns, 'safe')
  expect(safe.windows).toHaveLength(24)
  expect(safe.column).toMatchObject({
    kind: 'boolean',
    rows: 240,
    scored: 216,
    errors: 24,
    missing: 0,
    errorCodes: { SCORER_TIMEOUT: 24 },
  })
  expect(safe.windows[0]).toMatchObject({
    fromMs: START,
    toMs: START + 10 * MINUTE,
    column: { rows: 10, scored: 9, errors: 1 },
  })
  expect(safe.column.interval?.low).toBeGreaterThan(0.65)
  expect(safe.lagMs).toBe(MINUTE)
  expect(one(columns, 'score').windows[1]?.column.aggregates.mean).toBeCloseTo(14.5 / 240, 12)
  // Its scorer spoke of every trace, and of half of them not under this name.
  expect(one(columns, 'extra').column).toMatchObject({ rows: 240, scored: 120, missing: 120 })
  expect(one(columns, 'tone').windows[23]?.column.counts).toEqual({ rude: 10 })
})

test('quality() leaves out what lies outside the time, other experiments and what evaluations said', async () => {
  const store = await shop(['safe'], { n: 100, said: () => [{ scorer: 'safe', value: true }] })
  await produce(store, { experiment: 'other', n: 50, prefix: 'o', said: () => [{ scorer: 'safe', value: false }] })
  const safe = scorer('safe', () => false)
  await evaluate([{ inputs: 1 }], () => 1, [safe], { store, name: 'nightly', experiment: 'shop' })
  const { columns } = await read(store, 40, { fromMs: START + 10 * MINUTE })
  expect(one(columns, 'safe').column).toMatchObject({ rows: 30, scored: 30, passed: 30 })
  expect(one(columns, 'safe').judges).toMatchObject([{ n: 40 }])
})

test('quality() holds values against the earliest ones, whatever stretch is shown', async () => {
  const next = seeded(1)
  const store = await shop(['safe'], {
    n: 2_000,
    said: (i) => [{ scorer: 'safe', value: next() < (i < 1_000 ? 0.9 : 0.7) }],
  })
  const whole = one((await read(store, 2_000, { reference: 500 })).columns, 'safe')
  expect(whole.drift).toMatchObject({ verdict: 'fall', isAlarm: true, reference: { n: 500, fromMs: START }, n: 1_500 })
  expect(whole.drift.found?.timeMs).toBeGreaterThan(START + 1_000 * MINUTE)
  expect(whole.drift.found?.timeMs).toBeLessThan(START + 1_300 * MINUTE)
  const late = one((await read(store, 2_000, { reference: 500, fromMs: START + 1_900 * MINUTE })).columns, 'safe')
  expect(late.drift).toEqual(whole.drift)
  expect(late.change?.n).toBe(100)
  expect(late.change?.value).toBeLessThan(-0.1)
  expect(late.change?.interval?.high).toBeLessThan(0)
  // Nothing had happened yet.
  expect(one((await read(store, 1_000, { reference: 500 })).columns, 'safe').drift).toMatchObject({ verdict: 'ok' })
})

test('quality() calls a change of the judge no drift', async () => {
  const next = seeded(2)
  const store = await shop(['safe'], {
    n: 3_000,
    said: (i) => [
      i < 1_500
        ? { scorer: 'safe', value: next() < 0.95, version: 1, source: judge('openai:/old') }
        : { scorer: 'safe', value: next() < 0.7, version: 2, source: judge('openai:/new') },
    ],
  })
  const early = one((await read(store, 1_700, { reference: 500 })).columns, 'safe')
  expect(early.drift).toMatchObject({ verdict: 'not enough', reason: 'the reference has 200 of 500 values' })
  expect(early.change).toBeUndefined()
  const later = one((await read(store, 3_000, { reference: 500 })).columns, 'safe')
  expect(later.drift).toMatchObject({ verdict: 'ok', reference: { n: 500, fromMs: START + 1_500 * MINUTE } })
  expect(later.judges).toMatchObject([
    { version: 1, source: { id: 'openai:/old' }, n: 1_500, firstMs: START },
    { version: 2, source: { id: 'openai:/new' }, n: 1_500, firstMs: START + 1_500 * MINUTE },
  ])
})

test('quality() takes another model of the same version for another judge, and stragglers of the old one to the old', async () => {
  const store = await shop(['safe'], {
    n: 400,
    said: (i) => [{ scorer: 'safe', value: true, source: judge(i < 200 || i === 250 ? 'openai:/old' : 'openai:/new') }],
  })
  const { judges, drift } = one((await read(store, 400, { reference: 100 })).columns, 'safe')
  expect(judges).toMatchObject([
    { source: { id: 'openai:/old' }, n: 201 },
    { source: { id: 'openai:/new' }, n: 199 },
  ])
  expect(drift).toMatchObject({ verdict: 'ok', n: 99 })
})

test('quality() counts a person’s word in the place of the scorer’s, in the same series', async () => {
  const store = await shop(['safe'], {
    n: 60,
    said: () => [{ scorer: 'safe', value: false, version: 3, source: judge('openai:/judge') }],
  })
  let corrected = 0
  for await (const { trace, assessments } of store.search({ experiment: 'shop' })) {
    const [wrong] = assessments
    if (corrected === 12 || !wrong) break
    await store.logAssessment(trace.id, {
      kind: 'feedback',
      name: 'safe',
      value: true,
      source: { type: 'HUMAN', id: 'ann' },
      overrides: wrong.id,
      createdAt: START,
    })
    corrected++
  }
  const safe = one((await read(store, 60, { reference: 30 })).columns, 'safe')
  expect(safe).toMatchObject({ corrected: 12, column: { scored: 60, passed: 12 } })
  expect(safe.judges).toMatchObject([
    { version: 3, source: { type: 'LLM_JUDGE', id: 'openai:/judge' }, n: 60, mean: expect.closeTo(0.2, 12) },
  ])
})

test('quality() holds values against a stretch of time, or against a run', async () => {
  const next = seeded(3)
  const store = await shop(['safe'], {
    n: 1_500,
    said: (i) => [{ scorer: 'safe', value: next() < (i < 600 ? 0.9 : 0.6) }],
  })
  const stretch = { fromMs: START + 100 * MINUTE, toMs: START + 500 * MINUTE }
  const after = one((await read(store, 1_500, { reference: stretch })).columns, 'safe')
  expect(after.drift).toMatchObject({ verdict: 'fall', reference: { n: 400 }, n: 1_000 })
  const none = one((await read(store, 1_500, { reference: { fromMs: 0, toMs: 1 } })).columns, 'safe')
  expect(none.drift).toMatchObject({ verdict: 'not enough', reason: 'the reference has 0 of 30 values' })

  const rows = Array.from({ length: 200 }, (_, i) => ({ inputs: i }))
  const { record } = await evaluate(rows, (i: number) => i, [scorer('safe', ({ outputs }) => outputs % 20 > 0)], {
    store,
    name: 'nightly',
  })
  const report = await read(store, 500, { reference: { run: record } })
  expect(report.reference).toBe(`run ${record.id} of "nightly"`)
  expect(one(report.columns, 'safe').drift).toMatchObject({ verdict: 'ok', reference: { n: 200, mean: 0.95 }, n: 500 })
  expect(one((await read(store, 1_500, { reference: { run: record } })).columns, 'safe').drift).toMatchObject({
    verdict: 'fall',
  })
  const missing = await read(store, 500, { reference: { run: record, column: 'nothing' } })
  expect(one(missing.columns, 'safe').drift.verdict).toBe('not enough')
})

test('quality() reads more than a page, traces of one moment too, in order', async () => {
  const store = await shop(['safe'], { n: 4_500, everyMs: 0, said: (i) => [{ scorer: 'safe', value: i }] })
  const { column, judges } = one((await read(store, 1)).columns, 'safe')
  expect(column).toMatchObject({ rows: 4_500, scored: 4_500, aggregates: { mean: 4_499 / 2 } })
  expect(judges).toMatchObject([{ n: 4_500 }])
})

test('quality() names registered scorers that have said nothing', async () => {
  const store = await shop(['safe', 'mute'], { n: 10, said: () => [{ scorer: 'safe', value: true }] })
  expect(await read(store, 10)).toMatchObject({ silent: ['mute'] })
  expect(await read(store, 10, { scorers: ['mute'] })).toMatchObject({ silent: ['mute'], columns: [] })
})

test('quality() says which scorers and experiments there are', async () => {
  const store = await shop(['safe'])
  await expect(quality(store, { experiment: 'shp' })).rejects.toThrow(
    'Cannot report the quality of "shp": no scorer is registered there (did you mean "shop"?)\nHint: there are some in "shop"',
  )
  await expect(read(store, 1, { scorers: ['saef'] })).rejects.toThrow(
    'Cannot report the quality of "shop": no scorer "saef" is registered (did you mean "safe"?)\nHint: registered are "safe"',
  )
  const empty = await shop([])
  await expect(quality(empty, { experiment: 'shop' })).rejects.toMatchObject({
    code: 'SCORER_NOT_FOUND',
    hint: 'register one and start it: scorer.register({ name }), then .start({ samplingConfig })',
  })
})

test.each([
  [{ fromMs: 2, toMs: 1 }, 'which is not before its end'],
  [{ fromMs: Number.NaN }, 'fromMs must be a time in milliseconds, found NaN'],
  [{ windowMs: 0 }, 'windowMs must be above 0, found 0'],
  [{ fromMs: 0, toMs: 1e12, windowMs: 1 }, 'windows are too many, 1000 at most'],
  [{ reference: 29 }, 'reference must be a whole number from 30 on, found 29'],
  [{ reference: 30.5 }, 'reference must be a whole number from 30 on, found 30.5'],
  [{ reference: { fromMs: 5, toMs: 5 } }, 'the reference begins 1970-01-01T00:00:00.005Z, which is not before its end'],
  [{ alpha: 0 }, 'alpha must lie between 0 and 1, found 0'],
  [{ tolerance: -1 }, 'tolerance must be 0 or more, found -1'],
  [{ range: [1, 1] as const }, 'the range must rise, found 1 to 1'],
  [{ alarm: 'drop' as never }, 'alarm must be "fall" or "rise" or "both", found "drop"'],
])('quality() refuses options that cannot be meant: %j', async (options, problem) => {
  const store = sqlite(join(folder(), 'store.sqlite'))
  const asked = quality(store, { experiment: 'shop', ...options })
  await expect(asked).rejects.toThrow(RangeError)
  await expect(asked).rejects.toThrow(problem)
})

test('quality() and survey() tell what a monitor has done', async () => {
  const store = productionStore()
  const late = scorer('late', () => {
    throw new Error('boom')
  })
  const polite = scorer('polite', ({ outputs }) => (outputs.length > 0 ? 'yes' : 'no'))
  await watch(store, [polite, late])
  await arrive(store, ...Array.from({ length: 40 }, (_, i) => production(i)))
  await catchUp(store, [polite, late])
  const { scorers } = await survey(store, { experiment: EXPERIMENT })
  expect(scorers.map(({ registration, done, dead }) => [registration.name, done, dead])).toEqual([
    ['late', 0, 40],
    ['polite', 40, 0],
  ])
  const { columns } = await quality(store, { experiment: EXPERIMENT, fromMs: 0, toMs: 1e13, windowMs: 1e13 })
  expect(one(columns, 'polite')).toMatchObject({
    column: { kind: 'boolean', scored: 40, passed: 40, missing: 0 },
    judges: [{ version: 1, source: { type: 'CODE', id: 'polite' }, n: 40 }],
  })
  expect(one(columns, 'late').column).toMatchObject({ scored: 0, errors: 40, errorCodes: { SCORER_THREW: 40 } })
})
