import { join } from 'node:path'
import { expect, test } from 'vitest'
import { archiveTraces, enableTraceArchival } from '../../src/archiving.ts'
import { runBackfill } from '../../src/backfill.ts'
import { deltaTraces, evaluate, importTraces, scorer, searchTraces } from '../../src/index.ts'
import type { Store } from '../../src/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { folder, thrownBy } from '../data/evaluation.ts'
import { cli } from '../data/terminal.ts'
import {
  arrive,
  backfillSettings,
  catchUp,
  EXPERIMENT,
  production,
  productionStore,
  said,
  storeFile,
  traceId,
  watch,
} from '../data/watched.ts'

const experiment = EXPERIMENT
const length = scorer('length', ({ outputs }) => outputs.length)

/** A table with what production wrote and a monitor said, and people put in its place. */
async function filled(): Promise<{ readonly table: string; readonly store: Store }> {
  const store = productionStore()
  const table = join(folder(), 'traces')
  await watch(store, [length])
  await arrive(store, production(1), production(2, { tags: { env: 'prod' } }), production(3, { sessionId: 's' }))
  await catchUp(store, [length])
  const [stored] = await Array.fromAsync(store.search({ traceId: traceId(1) }))
  const overrides = stored?.assessments[0]?.id as string
  const source = { type: 'HUMAN', id: 'ann' } as const
  await store.logAssessment(traceId(1), { kind: 'feedback', name: 'length', value: 4, source, overrides, createdAt: 5 })
  await enableTraceArchival({ store, experiment, table })
  await archiveTraces({ store })
  return { table, store }
}

test('deltaTraces() is data of an evaluation', async () => {
  const { table } = await filled()
  const env = scorer('env', ({ trace }) => trace.tags.env === 'prod')
  const run = await evaluate(deltaTraces(table), [env, length], { store: memory() })
  expect(run.totals.rows).toBe(3)
  expect(run.metrics).toMatchObject({ 'env/mean': 1 / 3, 'length/mean': 9 })
  const narrow = await evaluate(deltaTraces(table, { filter: "tag.env = 'prod'" }), [env], { store: memory() })
  expect(narrow.metrics['env/mean']).toBe(1)
  expect(deltaTraces(table).description).toBe(`archived traces ${table}`)
  expect(() => deltaTraces(table, { filters: 'x' } as never)).toThrow('did you mean "filter"')
})

test('importTraces() of an archive brings traces back as they were, with the history of their assessments; again changes nothing', async () => {
  const { table, store } = await filled()
  const fresh = productionStore()
  const report = await importTraces(table, { store: fresh })
  expect(report).toMatchObject({ experiment, imported: 3, known: 0, spans: 3, assessments: 4, mended: [] })
  expect(report.files).toEqual([{ path: table, formats: ['delta'], spans: 3 }])
  const [before, now] = await Promise.all([store, fresh].map((one) => Array.fromAsync(one.search({ experiment }))))
  expect(now).toEqual(before)
  expect((await fresh.arrivals({ experiment, limit: 10 })).items).toHaveLength(3)
  expect(await importTraces(table, { store: fresh })).toMatchObject({ imported: 0, known: 3, mended: [] })
  expect(await Array.fromAsync(fresh.search({ experiment }))).toEqual(before)
})

test('importTraces() of an archive takes those of an experiment, of some days, or that fit', async () => {
  const { table } = await filled()
  const count = async (options: object) =>
    (await importTraces(table, { store: productionStore(), ...options })).imported
  expect(await count({ experiment: 'other' })).toBe(0)
  expect(await count({ experiment })).toBe(3)
  expect(await count({ filter: "tag.env = 'prod'" })).toBe(1)
  expect(await count({ from: 1_760_000_000_002, to: new Date(1_760_000_000_003) })).toBe(1)
})

test('importTraces() says what the archive has beyond the store', async () => {
  const { table, store } = await filled()
  const other = productionStore()
  await arrive(other, production(1))
  expect((await importTraces(table, { store: other })).mended).toEqual([
    `trace ${traceId(1)}: it is in the store already, without 2 assessments of the archive: left out`,
  ])
  expect(await importTraces(table, { store })).toMatchObject({ imported: 0, known: 3, mended: [] })
})

test.each<[string, (table: string) => Promise<unknown>, RegExp]>([
  [
    'files and archives at once',
    (table) => importTraces([table, 'x.json'], { store: memory() }),
    /^Cannot import "x.json" and the archive ".*" at once/,
  ],
  ['a format of files', (table) => importTraces(table, { store: memory(), format: 'otlp' }), /"format" is for files/],
  [
    'a filter for files',
    () => importTraces('x.json', { store: memory(), filter: 'x' }),
    /^Cannot import traces: "filter" is for archives, and "x.json" is none$/,
  ],
  [
    'a filter that does not parse',
    (table) => importTraces(table, { store: memory(), filter: 'tag.x ~' }),
    /^Cannot read the filter at position/,
  ],
  [
    'a time that is none',
    (table) => importTraces(table, { store: memory(), from: 'x' as never }),
    /"from" must be a Date or milliseconds/,
  ],
])('importTraces() refuses %s', async (_, work, message) => {
  const { table } = await filled()
  expect((await thrownBy(work(table))).message).toMatch(message)
})

test('a trace that comes back is not paid for again by a scorer that has spoken of it, and only by others', async () => {
  const { table } = await filled()
  const fresh = productionStore()
  let calls = 0
  const again = scorer('length', ({ outputs }) => {
    calls++
    return outputs.length
  })
  const polite = scorer('polite', () => 'yes')
  const [registration] = await watch(fresh, [again, polite])
  await importTraces(table, { store: fresh })
  await arrive(fresh, production(4))
  await catchUp(fresh, [again, polite])
  expect(calls).toBe(1)
  expect(await said(fresh)).toEqual([
    { length: 4, polite: 'yes' },
    { length: 9, polite: 'yes' },
    { length: 9, polite: 'yes' },
    { length: 9, polite: 'yes' },
  ])
  const units = await fresh.units({ scorers: [registration?.key as number], state: 'done' })
  expect(units).toHaveLength(4)
  // Another version of it has not spoken yet.
  const recipe = { kind: 'module', module: 'scorers.ts', export: 'length', digest: 'changed' } as const
  await fresh.registerScorer({ experiment, name: 'length', recipe, digest: 'other', level: 'trace', registeredAt: 2 })
  await arrive(fresh, production(5))
  await catchUp(fresh, [again, polite])
  expect(calls).toBe(2)
})

test('a session that comes back is not paid for again, unless it has gone on since', async () => {
  let calls = 0
  const turns = scorer({ name: 'turns', level: 'session' }, ({ session }) => {
    calls++
    return session.length
  })
  const store = productionStore()
  const table = join(folder(), 'traces')
  const turn = (i: number, sessionId: string, more = {}) => production(i, { sessionId, ...more })
  await watch(store, [turns])
  await arrive(store, turn(1, 'a'), turn(2, 'a'), turn(3, 'b'))
  await catchUp(store, [turns], { sessionBufferMs: 0 })
  await arrive(store, turn(4, 'b', { requestTimeMs: Date.now() + 1 }), turn(5, 'c'))
  await enableTraceArchival({ store, experiment, table })
  await archiveTraces({ store })
  expect(calls).toBe(2)
  const fresh = productionStore()
  const registrations = await watch(fresh, [turns])
  await importTraces(table, { store: fresh })
  const given = await backfillSettings(fresh, [turns], registrations, {
    sessionBufferMs: 0,
    record: { endMs: Date.now() + 9e3 },
  })
  expect(await runBackfill(given)).toMatchObject({ status: 'finished', sampled: 3, due: 2, scored: 2 })
  expect(calls).toBe(4)
  expect((await said(fresh)).map(({ turns }) => turns)).toEqual([2, undefined, 2, undefined, 1])
  await catchUp(fresh, [turns], { sessionBufferMs: 0 })
  expect(calls).toBe(4)
})

test('an archive of two stores: what one brought back and archived again counts, whatever its numbers are', async () => {
  const { table } = await filled()
  const fresh = productionStore()
  await importTraces(table, { store: fresh })
  await enableTraceArchival({ store: fresh, experiment, table })
  const source = { type: 'HUMAN', id: 'bea' } as const
  await fresh.logAssessment(traceId(2), { kind: 'feedback', name: 'liked', value: true, source, createdAt: 9 })
  await archiveTraces({ store: fresh })
  expect(await searchTraces({ store: table, filter: 'feedback.liked = true' }).count()).toBe(1)
})

test('import <archive> brings traces back, with --from --to --experiment --filter --json', async () => {
  const { table } = await filled()
  const store = storeFile()
  const { code, out, err } = await cli(['import', table, '--store', store])
  expect([code, err]).toEqual([0, ''])
  expect(out).toBe(`Imported 3 traces (3 spans, 4 assessments) into ${store}, experiment shop\n`)
  expect((await cli(['import', table, '--store', store])).out).toContain('3 traces were there already')
  const json = async (...args: string[]) =>
    JSON.parse((await cli(['import', table, '--json', '--store', storeFile(), ...args])).out).imported
  expect(await json('--filter', "tag.env = 'prod'")).toBe(1)
  expect(await json('--from', '2025-10-09', '--to', '2025-10-10')).toBe(3)
  expect(await json('--to', '2025-10-09')).toBe(0)
  expect(await json('--experiment', 'none')).toBe(0)
  expect((await cli(['import', table, '--from', 'soon', '--store', store])).err).toMatch(
    /--from must be a time such as/,
  )
})
