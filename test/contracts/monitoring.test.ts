import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Lease, UnitOutcome, UnitWrite } from '../../src/queue.ts'
import type { Registration, RegistrationWrite } from '../../src/registration.ts'
import { encode } from '../../src/std/json.ts'
import type { AssessmentWrite, Store, TraceWrite } from '../../src/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { corrected, lease, registration, said, trace } from '../data/monitored.ts'
import { runRecord } from '../data/records.ts'

/** What stores promise to monitoring, asked of every kind. */

const KINDS: Record<string, () => Store> = {
  memory: () => memory(),
  sqlite: () => sqlite(join(mkdtempSync(join(tmpdir(), 'monitoring-')), 'store.sqlite')),
}

function each(criterion: string, check: (store: Store) => Promise<void>): void {
  for (const [kind, make] of Object.entries(KINDS)) {
    test(`${kind} ${criterion}`, async () => {
      const store = make()
      try {
        await check(store)
      } finally {
        await store.close()
      }
    })
  }
}

/** Adds traces as an import does. */
async function arrive(store: Store, ...traces: TraceWrite[]): Promise<void> {
  await store.writeTraces(traces.map((one) => ({ trace: one, assessments: [] })))
}

async function active(store: Store, name: string, overrides: Partial<RegistrationWrite> = {}): Promise<Registration> {
  await store.registerScorer(registration(name, overrides))
  return (await store.configureScorer('exp', name, { sampleRate: 1 })) as Registration
}

const ids = async (store: Store, query: object = {}): Promise<string[]> =>
  (await store.arrivals({ experiment: 'exp', limit: 100, ...query })).items.map(({ traceId }) => traceId)

/** The valid Feedback of a trace: name, value, and the id of what it stands in the place of. */
async function inForce(store: Store, traceId: string): Promise<unknown[]> {
  for await (const { assessments } of store.search({ traceId })) {
    return assessments.filter(({ valid }) => valid).map(({ name, value, overrides }) => [name, value, overrides])
  }
  return []
}

async function states(store: Store, scorers: readonly number[]): Promise<unknown[]> {
  return (await store.units({ scorers })).map(({ entity, state, mark, attempts }) => [entity, state, mark, attempts])
}

each('numbers the versions of a name, and adds none for a digest that is the newest already', async (store) => {
  const first = await store.registerScorer(registration('safety', { description: 'd', aggregations: ['mean'] }))
  expect(first).toEqual({
    ...registration('safety', { description: 'd', aggregations: ['mean'] }),
    key: first.key,
    version: 1,
    sampleRate: 0,
    progress: { position: 0, examined: 0, sampled: 0, unfit: 0, scored: 0, errors: 0, usd: 0, lastAt: 0 },
  })
  const recipe = { kind: 'judge', factory: 'Safety', options: { timeoutMs: 5 } } as const
  const again = await store.registerScorer(registration('safety', { recipe }))
  expect([again.key, again.version, again.recipe]).toEqual([first.key, 1, recipe])
  const second = await store.registerScorer(registration('safety', { digest: 'd2' }))
  expect([second.version, second.key > first.key]).toEqual([2, true])
  // Going back is a change like any other.
  expect((await store.registerScorer(registration('safety'))).version).toBe(3)
})

each('gives registrations by name: the newest of each, one version, or all', async (store) => {
  for (const name of ['b', 'a', 'ä', 'B']) await store.registerScorer(registration(name))
  await store.registerScorer(registration('a', { digest: 'd2' }))
  await store.registerScorer(registration('c', { experiment: 'other' }))
  const names = async (query?: Parameters<Store['registrations']>[0]) =>
    (await store.registrations(query)).map(({ name, version }) => `${name}${version}`)
  expect(await names({ experiment: 'exp' })).toEqual(['B1', 'a2', 'b1', 'ä1'])
  expect(await names()).toEqual(['B1', 'a2', 'b1', 'c1', 'ä1'])
  expect(await names({ experiment: 'exp', name: 'a', version: 'all' })).toEqual(['a1', 'a2'])
  expect(await names({ experiment: 'exp', name: 'a', version: 1 })).toEqual(['a1'])
  expect(await names({ experiment: 'exp', name: 'a', version: 3 })).toEqual([])
  expect(await names({ experiment: 'nowhere' })).toEqual([])
})

each('keeps sampling by name: what is not given stays, an undefined filter goes', async (store) => {
  await store.registerScorer(registration('safety'))
  expect(await store.configureScorer('exp', 'nobody', { sampleRate: 1 })).toBeUndefined()
  const started = await store.configureScorer('exp', 'safety', { sampleRate: 0.5, filterString: "status = 'OK'" })
  expect(started).toMatchObject({ sampleRate: 0.5, filterString: "status = 'OK'", startedAt: expect.any(Number) })
  expect(await store.configureScorer('exp', 'safety', { sampleRate: 0.7 })).toEqual({ ...started, sampleRate: 0.7 })
  const { filterString: _, ...bare } = started as Registration
  expect(await store.configureScorer('exp', 'safety', { filterString: undefined })).toEqual({
    ...bare,
    sampleRate: 0.7,
  })
  const next = await store.registerScorer(registration('safety', { digest: 'd2' }))
  expect([next.version, next.sampleRate]).toEqual([2, 0.7])
})

each(
  'begins a scorer that starts with what arrives from then on, and lets one that is changed stand',
  async (store) => {
    await arrive(store, trace('tr-1'), trace('tr-2'))
    await store.registerScorer(registration('safety'))
    const position = async () => (await store.registrations({ name: 'safety' }))[0]?.progress.position
    expect(await position()).toBe(0)
    await store.configureScorer('exp', 'safety', { sampleRate: 0.5 })
    const { head } = await store.arrivals({ experiment: 'exp', limit: 1 })
    expect(await position()).toBe(head)
    await arrive(store, trace('tr-3'))
    await store.configureScorer('exp', 'safety', { sampleRate: 1 })
    expect(await position()).toBe(head)
    await store.configureScorer('exp', 'safety', { sampleRate: 0 })
    await store.configureScorer('exp', 'safety', { sampleRate: 1 })
    expect(await position()).toBe(head + 1)
  },
)

each('deletes one version or all, with their work; what they have said stays', async (store) => {
  await arrive(store, trace('tr-1'))
  const first = await active(store, 's')
  await store.claim([{ scorer: first.key, entity: 'tr-1', mark: 1 }], lease('me'))
  const outcome = { scorer: first.key, entity: 'tr-1', mark: 1, state: 'done', traceId: 'tr-1' } as const
  await store.settle([{ ...outcome, assessments: [said('s', 'yes')] }], lease('me'))
  await store.registerScorer(registration('s', { digest: 'd2' }))
  await store.registerScorer(registration('s', { digest: 'd3' }))
  expect(await store.deleteScorer('exp', 's', 1)).toBe(1)
  expect(await store.deleteScorer('exp', 's', 1)).toBe(0)
  expect(await store.units({ scorers: [first.key] })).toEqual([])
  expect((await store.registrations({ name: 's', version: 'all' })).map(({ version }) => version)).toEqual([2, 3])
  expect(await store.deleteScorer('exp', 's')).toBe(2)
  expect(await store.deleteScorer('exp', 's')).toBe(0)
  expect(await store.registrations()).toEqual([])
  expect(await inForce(store, 'tr-1')).toEqual([['s', 'yes', undefined]])
  expect((await store.registerScorer(registration('s'))).key).toBeGreaterThan(first.key + 2)
})

each('keeps notes while they are what they were', async (store) => {
  const note = (data: object) => ({ kind: 'backfill', id: 'b1', data: data as Record<string, unknown> }) as const
  expect(await store.keepNote(note({ a: 1 }), null)).toBe(true)
  expect(await store.keepNote(note({ a: 2 }), null)).toBe(false)
  expect(await store.keepNote(note({ a: 2 }), { a: 5 })).toBe(false)
  expect(await store.keepNote(note({ a: 2 }), { a: 1 })).toBe(true)
  expect(await store.keepNote(note({ a: 3 }))).toBe(true)
  expect(await store.keepNote({ kind: 'backfill', id: 'b2', data: {} }, { a: 1 })).toBe(false)
  await store.keepNote({ kind: 'backfill', id: 'a', data: {} })
  await store.keepNote({ kind: 'monitor', id: 'b1', data: {} })
  expect((await store.notes('backfill')).map(({ id }) => id)).toEqual(['a', 'b1'])
  expect(await store.notes('backfill', 'b1')).toEqual([note({ a: 3 })])
  expect(await store.dropNote('backfill', 'b1')).toBe(true)
  expect(await store.dropNote('backfill', 'b1')).toBe(false)
  expect(await store.notes('monitor')).toHaveLength(1)
})

each('gives arrivals in order, page by page, with what sampling has to know', async (store) => {
  await arrive(store, trace('tr-a', { requestTimeMs: 30, sessionId: 's1' }), trace('tr-b', { requestTimeMs: 10 }))
  await arrive(store, trace('tr-x', { experiment: 'other' }))
  await arrive(store, trace('tr-c', { requestTimeMs: 20, status: 'IN_PROGRESS' }), trace('tr-a'))
  const all = await store.arrivals({ experiment: 'exp', limit: 10 })
  const [a, b, c] = all.items.map(({ position }) => position) as [number, number, number]
  expect(a < b && b < c).toBe(true)
  const at = expect.any(Number)
  expect(all.items).toEqual([
    { position: a, traceId: 'tr-a', status: 'OK', sessionId: 's1', requestTimeMs: 30, at, isOwn: false },
    { position: b, traceId: 'tr-b', status: 'OK', requestTimeMs: 10, at, isOwn: false },
    { position: c, traceId: 'tr-c', status: 'IN_PROGRESS', requestTimeMs: 20, at, isOwn: false },
  ])
  expect(Math.abs((all.items[0]?.at ?? 0) - Date.now())).toBeLessThan(60_000)
  expect([all.reached, all.head]).toEqual([c, c])
  expect(await store.arrivals({ experiment: 'exp', limit: 2 })).toMatchObject({ reached: b, head: c })
  expect(await ids(store, { after: b })).toEqual(['tr-c'])
  expect(await store.arrivals({ experiment: 'exp', through: b, limit: 10 })).toMatchObject({ reached: b, head: c })
  expect(await ids(store, { fromMs: 10, toMs: 30 })).toEqual(['tr-b', 'tr-c'])
  // An experiment without traces has been looked through all the same.
  expect(await store.arrivals({ experiment: 'nowhere', limit: 10 })).toEqual({ items: [], reached: c, head: c })
  expect(await store.arrivals({ experiment: 'exp', after: c, limit: 10 })).toEqual({ items: [], reached: c, head: c })
})

each('lets a trace grow: it arrives again, and keeps what was said of it', async (store) => {
  expect(
    await store.putTraces([{ trace: trace('tr-1', { status: 'IN_PROGRESS' }) }, { trace: trace('tr-2') }]),
  ).toEqual([])
  await store.logAssessment('tr-1', said('s', 'yes'))
  const [standing] = await store.standing(['tr-1', 'tr-9'])
  expect(standing).toEqual({ trace: trace('tr-1', { status: 'IN_PROGRESS' }), position: 1 })
  const grown = trace('tr-1', { tags: { env: 'prod' }, outputs: encode('and more'), spans: '' })
  expect(await store.putTraces([{ trace: grown, was: 1 }])).toEqual([])
  expect(await ids(store)).toEqual(['tr-2', 'tr-1'])
  const [after] = await store.standing(['tr-1'])
  expect(after?.trace).toEqual(grown)
  expect(await inForce(store, 'tr-1')).toEqual([['s', 'yes', undefined]])
})

each('leaves a trace as it is that somebody else has changed meanwhile', async (store) => {
  await store.putTraces([{ trace: trace('tr-1') }])
  await store.createRun(runRecord())
  await store.writeTrial('run_a', evaluated('tr-e'))
  await store.flush()
  const late = trace('tr-1', { outputs: encode('late') })
  const refused = await store.putTraces([
    { trace: late },
    { trace: late, was: 7 },
    { trace: trace('tr-new', { outputs: encode('x') }), was: 1 },
    { trace: trace('tr-e') },
    { trace: trace('tr-e'), was: 1 },
    { trace: trace('tr-3') },
  ])
  expect(refused).toEqual(['tr-1', 'tr-1', 'tr-new', 'tr-e', 'tr-e'])
  expect((await store.standing(['tr-1']))[0]?.trace.outputs).toBe(encode('because'))
  expect((await store.standing(['tr-e']))[0]).toEqual({ trace: trace('tr-e') })
  expect(await ids(store)).toEqual(['tr-1', 'tr-3'])
})

function evaluated(id: string, attempts = 1, more: Partial<TraceWrite> = {}) {
  const place = { index: 0, repeat: 0, rowId: 'r', status: 'ok' } as const
  return { ...place, attempts, trace: trace(id, more), assessments: [] }
}

each(
  'never gives traces of evaluations as arrivals, and knows which arrivals are nobody’s but its own',
  async (store) => {
    await store.createRun(runRecord())
    await store.writeTrial('run_a', evaluated('tr-row'))
    await store.flush()
    await arrive(store, trace('tr-row'), trace('tr-plain'), trace('tr-rescored'), trace('tr-called'))
    const own: Partial<TraceWrite>[] = [
      { metadata: { 'mlflow.sourceRun': 'r' } },
      { metadata: { 'vitest-evaluate.rowId': 'r' } },
      { tags: { 'mlflow.trace.sourceScorer': 's' } },
      { metadata: { 'mlflow.trace.sourceScorer': 's' } },
    ]
    await arrive(
      store,
      ...own.map((labels, i) => trace(`tr-own-${i}`, labels)),
      trace('tr-tag', { tags: { 'mlflow.sourceRun': 'r' } }),
    )
    // Scored again without calling the app, and with.
    await store.writeTrial('run_a', { ...evaluated('tr-rescored', 0), index: 1 })
    await store.writeTrial('run_a', { ...evaluated('tr-called', 1), index: 2 })
    await store.flush()
    const { items } = await store.arrivals({ experiment: 'exp', limit: 100 })
    expect(items.map(({ traceId, isOwn }) => [traceId, isOwn])).toEqual([
      ['tr-plain', false],
      ['tr-rescored', false],
      ['tr-called', true],
      ...own.map((_, i) => [`tr-own-${i}`, true]),
      ['tr-tag', false],
    ])
  },
)

each('orders by change as well: what is said, corrected or taken back counts', async (store) => {
  await arrive(store, trace('tr-1'), trace('tr-2'), trace('tr-3'))
  const changed = () => ids(store, { by: 'change' })
  const logged = await store.logAssessment('tr-1', said('s', 1))
  expect(await changed()).toEqual(['tr-2', 'tr-3', 'tr-1'])
  const other = await store.logAssessment('tr-2', said('s', 1))
  expect(await changed()).toEqual(['tr-3', 'tr-1', 'tr-2'])
  await store.updateAssessment(logged.id, { value: 2, updatedAt: 6 })
  expect(await changed()).toEqual(['tr-3', 'tr-2', 'tr-1'])
  await store.deleteAssessment(other.id)
  expect(await changed()).toEqual(['tr-3', 'tr-1', 'tr-2'])
  expect(await ids(store)).toEqual(['tr-1', 'tr-2', 'tr-3'])
  const { head } = await store.arrivals({ experiment: 'exp', limit: 1 })
  expect(head).toBe(7)
  await store.putTraces([{ trace: trace('tr-3'), was: 3 }])
  expect([await ids(store), await changed()]).toEqual([
    ['tr-1', 'tr-2', 'tr-3'],
    ['tr-1', 'tr-2', 'tr-3'],
  ])
})

each('examines once: what was found is claimed, and the places move on together', async (store) => {
  await arrive(store, trace('tr-1'), trace('tr-2'))
  const a = await active(store, 'a')
  const b = await active(store, 'b')
  const from = a.progress.position
  await arrive(store, trace('tr-3'), trace('tr-4'), trace('tr-5'))
  const examination = {
    experiment: 'exp',
    from,
    to: from + 3,
    scorers: [
      { name: 'a', examined: 3, sampled: 2, unfit: 1 },
      { name: 'b', examined: 3, sampled: 1, unfit: 0 },
    ],
    units: [
      { scorer: a.key, entity: 'tr-3', mark: 1 },
      { scorer: a.key, entity: 'tr-4', mark: 0, dueAt: 5_000 },
      { scorer: b.key, entity: 'tr-3', mark: 1 },
      { scorer: b.key, entity: 'tr-gone', mark: 1 },
      { scorer: 99, entity: 'tr-3', mark: 1 },
    ],
    lease: lease('me'),
  }
  expect(await store.examine(examination)).toEqual([
    { scorer: a.key, entity: 'tr-3', mark: 1, attempts: 0, crashed: false },
    { scorer: b.key, entity: 'tr-3', mark: 1, attempts: 0, crashed: false },
  ])
  expect((await store.registrations({ name: 'a' }))[0]?.progress).toMatchObject({
    position: from + 3,
    examined: 3,
    sampled: 2,
    unfit: 1,
  })
  // Somebody else was quicker.
  expect(await store.examine({ ...examination, lease: lease('other') })).toBeUndefined()
  expect(
    await store.examine({ ...examination, scorers: [{ name: 'nobody', examined: 0, sampled: 0, unfit: 0 }] }),
  ).toBeUndefined()
  expect(await store.units({ scorers: [a.key] })).toEqual([
    {
      scorer: a.key,
      entity: 'tr-3',
      mark: 1,
      attempts: 0,
      crashed: false,
      state: 'claimed',
      dueAt: 1_100,
      owner: 'me',
    },
    { scorer: a.key, entity: 'tr-4', mark: 0, attempts: 0, crashed: false, state: 'waiting', dueAt: 5_000 },
  ])
  expect(await store.units({ scorers: [99] })).toEqual([])
})

/** Examines with nothing but units: the place of the scorer stays. */
async function look(store: Store, { name, progress }: Registration, units: UnitWrite[], by: Lease) {
  const { position } = (await store.registrations({ name }))[0]?.progress ?? progress
  const scorers = [{ name, examined: 0, sampled: 0, unfit: 0 }]
  return store.examine({ experiment: 'exp', from: position, to: position, scorers, units, lease: by })
}

each('does again what is over where there is more to score, and puts off what waits', async (store) => {
  const session = await active(store, 's', { level: 'session' })
  const unit = (mark: number, dueAt?: number) => [
    { scorer: session.key, entity: 'chat', mark, ...(dueAt !== undefined && { dueAt }) },
  ]
  expect(await look(store, session, unit(1, 2_000), lease('me'))).toEqual([])
  expect(await look(store, session, unit(2, 3_000), lease('me'))).toEqual([])
  expect(await store.units({ scorers: [session.key] })).toMatchObject([{ mark: 2, dueAt: 3_000, state: 'waiting' }])
  expect(await store.claimDue([session.key], lease('me', 2_999), 5)).toEqual([])
  expect(await store.claimDue([session.key], lease('me', 3_000), 5)).toMatchObject([{ entity: 'chat', mark: 2 }])
  // It goes on while it is scored.
  expect(await look(store, session, unit(3, 9_000), lease('you'))).toEqual([])
  const done: UnitOutcome = { scorer: session.key, entity: 'chat', mark: 2, state: 'done' }
  expect(await store.settle([done], lease('me'))).toBe(1)
  expect(await store.units({ scorers: [session.key] })).toMatchObject([{ mark: 3, dueAt: 9_000, state: 'waiting' }])
  expect(await store.claimDue([session.key], lease('me', 9_000), 5)).toMatchObject([{ mark: 3 }])
  expect(await store.settle([{ ...done, mark: 3 }], lease('me'))).toBe(1)
  expect(await states(store, [session.key])).toEqual([['chat', 'done', 3, 0]])
  // The same mark is done already; a backfill leaves it so at any mark.
  expect(await look(store, session, unit(3), lease('me'))).toEqual([])
  expect(await store.claim(unit(4), lease('me'))).toEqual([])
  expect(await look(store, session, unit(4), lease('me'))).toMatchObject([{ mark: 4 }])
  expect((await store.registrations({ name: 's' }))[0]?.progress.scored).toBe(2)
})

each('takes work as done that came with its result, unless there is such work already', async (store) => {
  const a = await active(store, 'a')
  await store.writeTraces([{ trace: trace('tr-1'), assessments: [said('a', 1)] }])
  await arrive(store, trace('tr-2'))
  const arrivals = await store.arrivals({ experiment: 'exp', limit: 10 })
  expect(arrivals.items.map(({ isJudged }) => isJudged)).toEqual([true, undefined])
  const units = (mark: number) => ['tr-1', 'tr-2'].map((entity) => ({ scorer: a.key, entity, mark, isDone: true }))
  expect(await store.claim([{ scorer: a.key, entity: 'tr-2', mark: 0 }], lease('me'))).toHaveLength(1)
  await store.release('me')
  expect(await look(store, a, units(1), lease('me'))).toMatchObject([{ entity: 'tr-2', mark: 1 }])
  expect((await store.units({ scorers: [a.key] })).map(({ entity, state }) => [entity, state]).sort()).toEqual([
    ['tr-1', 'done'],
    ['tr-2', 'claimed'],
  ])
  // It has grown since: what was said is not the whole of it.
  expect(await look(store, a, units(2), lease('me'))).toMatchObject([{ entity: 'tr-1', mark: 2 }])
})

each('puts a trace that is not at its end off for as long as it grows', async (store) => {
  const a = await active(store, 'a')
  await arrive(store, trace('tr-1', { status: 'IN_PROGRESS' }))
  const unit = (mark: number, dueAt?: number) => [
    { scorer: a.key, entity: 'tr-1', mark, ...(dueAt !== undefined && { dueAt }) },
  ]
  await look(store, a, unit(0, 2_000), lease('me'))
  await look(store, a, unit(0, 2_500), lease('me'))
  expect(await store.units({ scorers: [a.key] })).toMatchObject([{ mark: 0, dueAt: 2_500 }])
  await look(store, a, unit(0, 2_100), lease('me'))
  expect(await store.units({ scorers: [a.key] })).toMatchObject([{ mark: 0, dueAt: 2_500 }])
  expect(await look(store, a, unit(1), lease('me'))).toMatchObject([{ mark: 1 }])
})

each('claims for a backfill what nobody has, and keeps its note in the same step', async (store) => {
  await arrive(store, ...['tr-1', 'tr-2', 'tr-3', 'tr-4', 'tr-5'].map((id) => trace(id)))
  const { key } = await store.registerScorer(registration('a'))
  const units = (...entities: string[]) => entities.map((entity) => ({ scorer: key, entity, mark: 1 }))
  await store.claim(units('tr-1', 'tr-2', 'tr-3'), lease('other'))
  await store.settle(
    [
      { scorer: key, entity: 'tr-1', mark: 1, state: 'done' },
      { scorer: key, entity: 'tr-2', mark: 1, state: 'dead' },
    ],
    lease('other'),
  )
  await store.claim([{ scorer: key, entity: 'tr-4', mark: 0, dueAt: 900 }], lease('other'))
  const note = { kind: 'backfill', id: 'b', data: { place: 5 } } as const
  const claimed = await store.claim(units('tr-1', 'tr-2', 'tr-3', 'tr-4', 'tr-5'), lease('me'), note)
  expect(claimed.map(({ entity, mark }) => [entity, mark])).toEqual([
    ['tr-4', 1],
    ['tr-5', 1],
  ])
  expect(await store.notes('backfill', 'b')).toEqual([note])
})

each('claims what is due first, and what somebody’s lease has ended on', async (store) => {
  const a = await store.registerScorer(registration('a'))
  const b = await store.registerScorer(registration('b'))
  await arrive(store, ...['tr-1', 'tr-2', 'tr-3'].map((id) => trace(id)))
  await store.claim(
    [
      { scorer: a.key, entity: 'tr-1', mark: 1, dueAt: 300 },
      { scorer: a.key, entity: 'tr-2', mark: 1, dueAt: 100 },
      { scorer: b.key, entity: 'tr-2', mark: 1, dueAt: 200 },
    ],
    lease('x', 0),
  )
  await store.claim([{ scorer: a.key, entity: 'tr-3', mark: 1 }], lease('gone', 0, 150))
  const claim = async (scorers: number[], nowMs: number, limit: number) =>
    (await store.claimDue(scorers, lease('me', nowMs), limit)).map(({ scorer, entity }) => [scorer, entity])
  expect(await claim([a.key, b.key], 99, 9)).toEqual([])
  expect(await claim([b.key], 150, 9)).toEqual([])
  expect(await claim([a.key, b.key], 250, 2)).toEqual([
    [a.key, 'tr-2'],
    [a.key, 'tr-3'],
  ])
  expect(await claim([a.key, b.key], 300, 9)).toEqual([
    [b.key, 'tr-2'],
    [a.key, 'tr-1'],
  ])
  expect(await claim([a.key, b.key], 300, 9)).toEqual([])
  expect(await store.claimDue([], lease('me', 9_999), 9)).toEqual([])
})

each('keeps others away while a lease is renewed, and gives back what is released', async (store) => {
  const { key } = await store.registerScorer(registration('a'))
  await arrive(store, trace('tr-1'), trace('tr-2'))
  const units = ['tr-1', 'tr-2'].map((entity) => ({ scorer: key, entity, mark: 1 }))
  await store.claim(units, lease('me', 0, 100))
  await store.renew(lease('nobody', 50, 900))
  await store.renew(lease('me', 50, 500))
  expect(await store.claimDue([key], lease('you', 400), 9)).toEqual([])
  await store.settle([{ scorer: key, entity: 'tr-1', mark: 1, state: 'done' }], lease('me'))
  expect(await store.release('me')).toBe(1)
  expect(await store.release('me')).toBe(0)
  const [waiting] = await store.units({ scorers: [key], state: 'waiting' })
  expect(waiting).toMatchObject({ entity: 'tr-2', attempts: 0 })
  expect(waiting).not.toHaveProperty('owner')
  expect(await store.claimDue([key], lease('you', Date.now() + 1), 9)).toMatchObject([{ entity: 'tr-2' }])
})

each('does each unit once, whoever finishes it', async (store) => {
  const { key } = await store.registerScorer(registration('s'))
  await arrive(store, trace('tr-1'))
  await store.claim([{ scorer: key, entity: 'tr-1', mark: 1 }], lease('slow', 0, 100))
  await store.claimDue([key], lease('quick', 200), 9)
  const done = (value: string): UnitOutcome => ({
    scorer: key,
    entity: 'tr-1',
    mark: 1,
    state: 'done',
    traceId: 'tr-1',
    assessments: [said('s', value)],
    usd: 0.5,
  })
  // It has lost the unit, but was first; a failure would not count.
  expect(await store.settle([{ scorer: key, entity: 'tr-1', mark: 1, state: 'dead' }], lease('slow', 300))).toBe(0)
  expect(await store.settle([done('slow')], lease('slow', 300))).toBe(1)
  expect(await store.settle([done('quick')], lease('quick', 301))).toBe(0)
  expect(
    await store.settle(
      [
        { ...done('x'), scorer: 99 },
        { ...done('x'), entity: 'tr-9' },
      ],
      lease('quick'),
    ),
  ).toBe(0)
  expect(await inForce(store, 'tr-1')).toEqual([['s', 'slow', undefined]])
  const { progress } = (await store.registrations({ name: 's' }))[0] as Registration
  expect(progress).toMatchObject({ scored: 1, errors: 0, usd: 0.5, lastAt: 300 })
})

each('tries again, gives up, gives back and forgets, each as its outcome says', async (store) => {
  const { key } = await store.registerScorer(registration('s'))
  await arrive(store, ...['tr-1', 'tr-2', 'tr-3', 'tr-4'].map((id) => trace(id)))
  const entities = ['tr-1', 'tr-2', 'tr-3', 'tr-4']
  await store.claim(
    entities.map((entity) => ({ scorer: key, entity, mark: 1 })),
    lease('me'),
  )
  const error = { code: 'SCORER_THREW', message: 'boom' }
  const outcome = (entity: string, rest: Omit<UnitOutcome, 'scorer' | 'entity' | 'mark'>): UnitOutcome => ({
    scorer: key,
    entity,
    mark: 1,
    ...rest,
  })
  const failed = said('s', undefined, { error })
  expect(
    await store.settle(
      [
        outcome('tr-1', { state: 'retry', dueAt: 7_000, error, usd: 1 }),
        outcome('tr-2', { state: 'dead', error, crashed: true, traceId: 'tr-2', assessments: [failed] }),
        outcome('tr-3', { state: 'free' }),
        outcome('tr-4', { state: 'unfit' }),
      ],
      lease('me', 2_000),
    ),
  ).toBe(0)
  const unit = { scorer: key, mark: 1, crashed: false }
  expect(await store.units({ scorers: [key] })).toEqual([
    { ...unit, entity: 'tr-2', attempts: 1, crashed: true, state: 'dead', error },
    { ...unit, entity: 'tr-3', attempts: 0, state: 'waiting', dueAt: 2_000 },
    { ...unit, entity: 'tr-1', attempts: 1, state: 'waiting', dueAt: 7_000, error },
  ])
  expect((await store.registrations({ name: 's' }))[0]?.progress).toMatchObject({
    scored: 0,
    errors: 2,
    unfit: 1,
    usd: 1,
    lastAt: 0,
  })
  for await (const { assessments } of store.search({ traceId: 'tr-2' })) expect(assessments).toMatchObject([{ error }])
  expect(await store.countUnits([key, 99])).toEqual([
    { scorer: key, state: 'waiting', count: 2, retrying: 1, dueAt: 2_000 },
    { scorer: key, state: 'dead', count: 1 },
  ])
  expect(await store.units({ scorers: [key], limit: 1 })).toHaveLength(1)
  expect(await store.units({ scorers: [key], entities: ['tr-1'] })).toHaveLength(1)
  expect(await store.units({ scorers: [key], entities: ['tr-1', 'tr-2', 'tr-9'] })).toHaveLength(2)
  // A second failure counts on, a success forgets them.
  await store.claimDue([key], lease('me', 7_000), 9)
  await store.settle([outcome('tr-1', { state: 'retry', dueAt: 8_000, crashed: true })], lease('me', 7_000))
  expect(await store.units({ scorers: [key], entities: ['tr-1'] })).toMatchObject([
    { attempts: 2, crashed: true, error },
  ])
  await store.claimDue([key], lease('me', 8_000), 9)
  await store.settle([outcome('tr-1', { state: 'done' })], lease('me', 8_000))
  expect(await store.units({ scorers: [key], entities: ['tr-1'] })).toEqual([
    { ...unit, entity: 'tr-1', attempts: 0, state: 'done' },
  ])
})

each('revives what is dead, all of it or one', async (store) => {
  const { key } = await store.registerScorer(registration('s'))
  await arrive(store, trace('tr-1'), trace('tr-2'))
  await store.claim(
    ['tr-1', 'tr-2'].map((entity) => ({ scorer: key, entity, mark: 1 })),
    lease('me'),
  )
  const dead = ['tr-1', 'tr-2'].map(
    (entity) => ({ scorer: key, entity, mark: 1, state: 'dead', crashed: true }) as const,
  )
  await store.settle(dead, lease('me'))
  expect(await store.revive([key], 'tr-9')).toBe(0)
  expect(await store.revive([99])).toBe(0)
  expect(await store.revive([key], 'tr-1')).toBe(1)
  expect(await store.revive([key])).toBe(1)
  expect(await store.revive([key])).toBe(0)
  const due = await store.claimDue([key], lease('me', Date.now() + 1), 9)
  expect(due.map(({ entity, attempts, crashed }) => [entity, attempts, crashed]).sort()).toEqual([
    ['tr-1', 0, false],
    ['tr-2', 0, false],
  ])
})

/** Scores a trace again and again, as a session that grows does. */
async function score(store: Store, key: number, mark: number, traceId: string, assessments: AssessmentWrite[]) {
  const [{ name } = { name: '' }] = (await store.registrations()).filter((one) => one.key === key)
  const found = (await store.registrations({ name }))[0] as Registration
  await look(store, found, [{ scorer: key, entity: 'chat', mark }], lease('me'))
  return store.settle([{ scorer: key, entity: 'chat', mark, state: 'done', traceId, assessments }], lease('me'))
}

each('puts what a scorer says now in the place of what it has said before, and of nothing else', async (store) => {
  await arrive(store, trace('tr-1'))
  const { key } = await active(store, 's', { level: 'session' })
  await store.logAssessment('tr-1', said('s', 'other', { scorer: 'other' }))
  await store.logAssessment('tr-1', corrected('s', 'person'))
  await score(store, key, 1, 'tr-1', [said('s', 1), said('s/part', 2)])
  await score(store, key, 2, 'tr-1', [said('s', 3)])
  expect(await inForce(store, 'tr-1')).toEqual([
    ['s', 'other', undefined],
    ['s', 'person', undefined],
    ['s', 3, 'tr-1.2'],
  ])
  for await (const { assessments } of store.search({ traceId: 'tr-1' })) expect(assessments).toHaveLength(5)
})

each('tells what one scorer says of several spans apart', async (store) => {
  await arrive(store, trace('tr-1'))
  const { key } = await active(store, 's', { level: 'session' })
  const spans = (...values: unknown[]) => values.map((value, i) => said('s', value, { spanId: `${i}`.repeat(16) }))
  await score(store, key, 1, 'tr-1', spans('a', 'b', 'c'))
  await score(store, key, 2, 'tr-1', spans('d', 'e'))
  expect(await inForce(store, 'tr-1')).toEqual([
    ['s', 'd', 'tr-1.0'],
    ['s', 'e', 'tr-1.1'],
  ])
  // Two of one name on no span are two as well.
  await score(store, key, 3, 'tr-1', [said('t', 1), said('t', 2)])
  await score(store, key, 4, 'tr-1', [said('t', 3), said('t', 4)])
  expect(await inForce(store, 'tr-1')).toEqual([
    ['t', 3, 'tr-1.5'],
    ['t', 4, 'tr-1.6'],
  ])
})

each('leaves a person’s correction in force when a scorer speaks again', async (store) => {
  await arrive(store, trace('tr-1'))
  const { key } = await active(store, 's', { level: 'session' })
  await score(store, key, 1, 'tr-1', [said('s', 'no'), said('s/part', 'no')])
  await store.logAssessment('tr-1', corrected('s', 'yes', 'tr-1.0'))
  await score(store, key, 2, 'tr-1', [said('s', 'no again'), said('s/part', 'yes')])
  expect(await inForce(store, 'tr-1')).toEqual([
    ['s', 'yes', 'tr-1.0'],
    ['s/part', 'yes', 'tr-1.1'],
  ])
  await score(store, key, 3, 'tr-1', [])
  expect(await inForce(store, 'tr-1')).toEqual([['s', 'yes', 'tr-1.0']])
})

each('moves what was said of a session to its first trace, when that is another one', async (store) => {
  await arrive(store, trace('tr-2'))
  const { key } = await active(store, 's', { level: 'session' })
  await score(store, key, 1, 'tr-2', [said('s', 'short')])
  await arrive(store, trace('tr-1', { requestTimeMs: 1 }))
  await score(store, key, 2, 'tr-1', [said('s', 'long')])
  expect([await inForce(store, 'tr-1'), await inForce(store, 'tr-2')]).toEqual([[['s', 'long', undefined]], []])
  // A trace that the store does not have takes nothing along.
  await score(store, key, 3, 'tr-9', [said('s', 'lost')])
  expect(await inForce(store, 'tr-1')).toEqual([['s', 'long', undefined]])
})

each('finds no work for a scorer that has been deleted meanwhile', async (store) => {
  await arrive(store, trace('tr-1'))
  const a = await active(store, 'a')
  const unit = { scorer: a.key, entity: 'tr-1', mark: 1 }
  await store.claim([unit], lease('me'))
  await store.deleteScorer('exp', 'a')
  const outcome = { ...unit, state: 'done', traceId: 'tr-1', assessments: [said('a', 1)] } as const
  expect(await store.settle([outcome], lease('me'))).toBe(0)
  expect(await store.claim([unit], lease('me'))).toEqual([])
  expect(await store.claimDue([a.key], lease('me', 9_999), 9)).toEqual([])
  expect([await store.units({ scorers: [a.key] }), await store.countUnits([a.key])]).toEqual([[], []])
  expect(await inForce(store, 'tr-1')).toEqual([])
})

each(
  'hands what waits or has failed too often to a new version of one level, and leaves what is done or in hand',
  async (store) => {
    const old = await active(store, 's')
    await arrive(store, ...['tr-1', 'tr-2', 'tr-3', 'tr-4'].map((id) => trace(id)))
    const unit = (entity: string) => ({ scorer: old.key, entity, mark: 1 })
    await store.claim([unit('tr-1'), unit('tr-2'), unit('tr-3')], lease('me'))
    await store.claim([{ ...unit('tr-4'), dueAt: 9_000 }], lease('me'))
    await store.settle(
      [
        { ...unit('tr-1'), state: 'done' },
        { ...unit('tr-2'), state: 'dead', error: { code: 'X', message: 'x' } },
      ],
      lease('me'),
    )
    const now = await store.registerScorer(registration('s', { digest: 'other' }))
    expect(now.version).toBe(2)
    expect(await states(store, [old.key])).toEqual([
      ['tr-1', 'done', 1, 0],
      ['tr-3', 'claimed', 1, 0],
    ])
    expect(await states(store, [now.key])).toEqual([
      ['tr-2', 'dead', 1, 1],
      ['tr-4', 'waiting', 1, 0],
    ])
    const sessions = await store.registerScorer(registration('s', { digest: 'third', level: 'session' }))
    expect(await states(store, [sessions.key])).toEqual([])
  },
)
