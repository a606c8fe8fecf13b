import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { evaluate, listRuns, openRun, scorer, searchTraces } from '../../src/index.ts'
import { openNewest } from '../../src/open.ts'
import { memory } from '../../src/stores/memory.ts'
import { folder, thrownBy } from '../data/evaluation.ts'
import { runRecord } from '../data/records.ts'

const rows = Array.from({ length: 8 }, (_, i) => ({ inputs: i, tags: { part: i < 3 ? 'a' : 'b' } }))
const even = scorer('even', ({ outputs }) => outputs % 2 === 0)
const same = (n: number): number => n

/** A store with three runs, two of one name. */
async function filled() {
  const store = memory()
  const given = (name: string, experiment: string) => ({ store, name, experiment })
  const first = await evaluate(rows, same, [even], given('bot', 'x'))
  const second = await evaluate(rows, (n: number) => n + 1, [even], given('other', 'y'))
  const third = await evaluate(rows.slice(0, 2), same, [even], given('bot', 'x'))
  return { store, first, second, third }
}

test('openRun() finds a run by latest, id, start of an id, and name', async () => {
  const { store, first, second, third } = await filled()
  const found = async (which: string) => (await openRun(which, { store })).id
  expect(await found('latest')).toBe(third.id)
  expect(await found('bot')).toBe(third.id)
  expect(await found('other')).toBe(second.id)
  expect(await found(first.id)).toBe(first.id)
  expect(await found(first.id.slice(0, -1))).toBe(first.id)
  const again = await openRun(first.id, { store })
  expect(again.record).toEqual(first.record)
  expect(again.metrics).toEqual(first.metrics)
  expect(await again.search('feedback.even = false').count()).toBe(4)
})

test('openRun() says of a run that is not there what is there', async () => {
  const { store } = await filled()
  const refused = async (which: string, where = store) => {
    const { code, message } = await thrownBy(openRun(which, { store: where }))
    return `${code}: ${message}`
  }
  expect(await refused('oter')).toBe(
    'RUN_NOT_FOUND: Cannot open run "oter" of memory: there is no such run (did you mean "other"?)\nHint: vitest-evaluate runs lists them',
  )
  expect(await refused('run_')).toContain('3 runs begin like that')
  expect(await refused('')).toContain('Cannot open run "" of memory: there is no such run')
  expect(await refused('latest', memory())).toBe(
    'RUN_NOT_FOUND: Cannot open run "latest" of memory: the store has no runs\nHint: run an evaluation first',
  )
  const path = join(folder(), 'none.sqlite')
  const missing = await thrownBy(openRun('latest', { store: path }))
  expect(missing).toMatchObject({ code: 'STORE_NOT_READABLE' })
  expect(missing.message).toBe(
    `Cannot open the store "${path}": there is no such file\nHint: evaluate or monitor something first, or name another store`,
  )
})

test('openRun() opens an exported file as the run that it was, ready to be searched and evaluated again', async () => {
  const { store, first } = await filled()
  for (const ending of ['jsonl', 'arrow']) {
    const path = join(folder(), `run.${ending}`)
    await first.export(path)
    const again = await openRun(path)
    expect(again.record).toEqual(first.record)
    expect(await again.search("tag.part = 'a'").count()).toBe(3)
    expect(await Array.fromAsync(again.rows())).toEqual(await Array.fromAsync(first.rows()))
    const next = await evaluate(again.search('feedback.even = false'), same, [even], { store })
    expect([next.totals.rows, next.parentRunId, next.metrics['even/mean']]).toEqual([4, first.id, 0])
  }
  const flat = join(folder(), 'run.csv')
  await first.export(flat)
  expect(await thrownBy(openRun(flat))).toMatchObject({
    code: 'SOURCE_NOT_READABLE',
    hint: 'export to .jsonl or .arrow to open a run again',
  })
  const odd = join(folder(), 'run.xyz')
  writeFileSync(odd, '')
  expect((await thrownBy(openRun(odd))).message).toContain('.xyz')
})

const FAR =
  /^perhaps still running: its process is on "elsewhere", and nothing has come from it since 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

test('openRun() counts a run that is not over, and tells one that runs from one whose process is gone', async () => {
  const store = memory()
  const gone = { pid: 2 ** 22 + 1, host: (await import('node:os')).hostname() }
  const scorers = [{ name: 'even', version: '1' }]
  await store.createRun(runRecord({ id: 'run_gone', process: gone, scorers }))
  const lost = { startedAt: Date.UTC(2026, 0, 1), process: { pid: 1, host: 'elsewhere' } }
  await store.createRun(runRecord({ id: 'run_lost', ...lost, scorers }))
  await store.createRun(
    runRecord({ id: 'run_here', startedAt: Date.now(), process: { ...gone, pid: process.pid }, scorers }),
  )
  await store.createRun(
    runRecord({ id: 'run_far', startedAt: Date.now() + 1, process: { pid: 1, host: 'elsewhere' }, scorers }),
  )
  const states = (await listRuns({ store })).map(({ id, status, notFinal }) => [id, status, notFinal])
  const since = 'since 2026-01-01T00:00:00Z'
  expect(states).toEqual([
    ['run_far', 'running', expect.stringMatching(FAR)],
    ['run_here', 'running', 'still running'],
    ['run_lost', 'interrupted', `interrupted: nothing has come from its process on "elsewhere" ${since}`],
    ['run_gone', 'interrupted', 'interrupted: its process ended before it did'],
  ])
  expect((await openRun('run_far', { store })).record.reason).toMatch(/^its process is on "elsewhere", and nothing has/)
  expect((await openRun('run_gone', { store })).columns.even).toMatchObject({ kind: 'empty', rows: 0 })
})

test('listRuns() gives runs newest first, by name, experiment and number', async () => {
  const { store, first, second, third } = await filled()
  const ids = async (query: object) => (await listRuns({ store, ...query })).map(({ id }) => id)
  expect(await ids({})).toEqual([third.id, second.id, first.id])
  expect(await ids({ name: 'bot' })).toEqual([third.id, first.id])
  expect(await ids({ experiment: 'y' })).toEqual([second.id])
  expect(await ids({ limit: 1 })).toEqual([third.id])
  expect(await ids({ name: 'none' })).toEqual([])
})

test('searchTraces() finds traces over runs, lazily, and checks its filter at once', async () => {
  const { store, first } = await filled()
  expect(await searchTraces({ store }).count()).toBe(18)
  expect(await searchTraces({ store, filter: "tag.part = 'a'" }).count()).toBe(8)
  expect(await searchTraces({ store, filter: "tag.part = 'a'", experiment: 'y' }).count()).toBe(3)
  expect(await searchTraces({ store, runId: first.id, maxResults: 5 }).toArray()).toHaveLength(5)
  expect(await searchTraces({ store, maxResults: 5 }).count()).toBe(5)
  expect(() => searchTraces({ store, filter: 'feedback.x ==' })).toThrow('Cannot read the filter at position 13')
  const lazy = searchTraces({ store: join(folder(), 'none.sqlite') })
  await expect(lazy.count()).rejects.toThrow('there is no such file')
})

test('openNewest() opens the newest run of every evaluation of the newest commit, or of all where none is known', async () => {
  const store = memory()
  const add = (id: string, startedAt: number, name: string, commit?: string) =>
    store.createRun(runRecord({ id, startedAt, name, status: 'finished', ...(commit && { code: { commit } }) }))
  await add('run_1', 1, 'old', 'aaa')
  await add('run_2', 2, 'one', 'bbb')
  await add('run_3', 3, 'two', 'bbb')
  await add('run_4', 4, 'one', 'bbb')
  const ids = async () => (await openNewest({ store })).map(({ id }) => id)
  expect(await ids()).toEqual(['run_3', 'run_4'])
  await add('run_5', 5, 'two')
  expect(await ids()).toEqual(['run_1', 'run_4', 'run_5'])
})

test('searchTraces() orders by what it is told, and refuses what traces cannot be ordered by', async () => {
  const store = join(folder(), 'store.sqlite')
  const rows = ['b', undefined, 'a', 'c', 'a'].map((part, i) => ({ inputs: i, tags: part ? { part } : {} }))
  const { id } = await evaluate(rows, (n) => n, [], { store })
  const inputs = async (orderBy: string | string[], runId?: string) =>
    (await searchTraces({ store, orderBy, ...(runId && { runId }) }).toArray()).map((trace) => trace.inputs)
  expect(await inputs('tag.part', id)).toEqual([1, 2, 4, 0, 3])
  expect(await inputs('tag.part DESC', id)).toEqual([3, 0, 2, 4, 1])
  expect(await inputs(['tag.part desc', 'timestamp_ms ASC'])).toHaveLength(5)
  expect(await inputs('status, tag.part DESC', id)).toEqual([3, 0, 2, 4, 1])
  for (const [orderBy, message] of [
    ['feedback.safe', 'traces are ordered by attributes of theirs (all but run_id), tags and metadata'],
    ['timestamp_ms DOWN', 'Cannot read the order at position 14: expected ASC, DESC, a comma or the end, found "DOWN"'],
    ['tiem', '"tiem" is no attribute of a trace'],
    ['name,', 'Cannot read the order at position 6: expected a field'],
  ] as const) {
    expect(() => searchTraces({ store, orderBy })).toThrow(message)
  }
  expect(() => searchTraces({ store, maxResults: 0 })).toThrow(RangeError)
})

test('searchTraces() refuses options that it does not know or cannot read', () => {
  const store = join(folder(), 'store.sqlite')
  const refused = (options: object, message: string) => {
    const search = () => searchTraces({ store, ...options })
    expect(search).toThrow(TypeError)
    expect(search).toThrow(message)
  }
  refused({ filtr: "status = 'OK'" }, 'Cannot search: unknown option "filtr" (did you mean "filter"?)')
  refused({ filter: () => true }, 'Cannot search: the filter must be a string, found')
  refused({ orderBy: 3 }, 'Cannot search: the order must be a string, found 3')
  refused({ orderBy: ['name', null] }, 'Cannot search: the order must be a string, found null')
})

test('searchTraces() gives pages that go on where the last one ended, whatever is added meanwhile', async () => {
  const store = join(folder(), 'store.sqlite')
  const rows = (from: number) =>
    Array.from({ length: 25 }, (_, i) => ({ inputs: from + i, tags: { even: String(i % 2) } }))
  await evaluate(rows(0), (n) => n, [], { store })
  const search = { store, filter: "tag.even = '0'", orderBy: 'timestamp_ms', maxResults: 5 }
  const before = (await searchTraces({ ...search, maxResults: 100 }).toArray()).map(({ id }) => id)
  const seen: string[] = []
  let page = await searchTraces(search).page()
  while (page.nextPageToken !== undefined) {
    seen.push(...page.traces.map(({ id }) => id))
    expect(page.traces).toHaveLength(5)
    if (seen.length === 5) await evaluate(rows(100), (n) => n, [], { store })
    page = await searchTraces({ ...search, pageToken: page.nextPageToken }).page()
  }
  seen.push(...page.traces.map(({ id }) => id))
  expect(seen.slice(0, 13)).toEqual(before)
  expect(new Set(seen).size).toBe(26)
  const { nextPageToken = '' } = await searchTraces(search).page()
  expect(() => searchTraces({ ...search, filter: "tag.even = '1'", pageToken: nextPageToken })).toThrow(
    'the page token belongs to another search',
  )
  expect(() => searchTraces({ ...search, pageToken: 'nonsense' })).toThrow('"nonsense" is no page token')
})
