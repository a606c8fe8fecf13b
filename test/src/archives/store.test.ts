import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { delta } from '../../../src/archives/delta.ts'
import { SORTED_AT_ONCE } from '../../../src/archives/search.ts'
import { archiveStore, isArchive } from '../../../src/archives/store.ts'
import { EvaluationError, evaluate, logFeedback, openRun, scorer, searchTraces } from '../../../src/index.ts'
import { backfillScorers, listScorers } from '../../../src/monitoring.ts'
import { memory } from '../../../src/stores/memory.ts'
import { folder, thrownBy } from '../../data/evaluation.ts'
import { cli } from '../../data/terminal.ts'
import { archived, assessment, DAY, NOON } from './rows.ts'

async function filled(): Promise<string> {
  const location = folder()
  const table = delta(location)
  const rows = [
    archived('b', 1, { inputs: '{"q":1}', outputs: '"one"', tags: { lang: 'en' } }, [assessment('b', { value: 5 })]),
    archived('a', 1, { durationNs: 7e9 }),
    archived('c', 1, { requestTimeMs: NOON - DAY, experiment: 'help', sessionId: 's', durationNs: 5e9 }),
    archived('d', 1, { requestTimeMs: NOON + DAY, status: 'ERROR', durationNs: 9e9 }),
  ]
  await table.append(rows, { application: 'x', batch: 1 })
  const late = [assessment('c', { value: 2 })]
  await table.append(
    [archived('c', 2, { requestTimeMs: NOON - DAY, experiment: 'help', sessionId: 's', durationNs: 5e9 }, late)],
    { application: 'x', batch: 2 },
  )
  return location
}

const idsOf = async (options: Parameters<typeof searchTraces>[0]): Promise<string> =>
  (await searchTraces(options).toArray()).map(({ id }) => id).join('')

test('searchTraces() of an archive gives the latest version of every trace, newest first', async () => {
  const store = await filled()
  expect(await idsOf({ store })).toBe('dabc')
  expect(await idsOf({ store, filter: 'feedback.polite > 1' })).toBe('bc')
  expect(await idsOf({ store, filter: "tag.lang = 'en' OR status = 'ERROR'" })).toBe('db')
  expect(await idsOf({ store, experiment: 'help' })).toBe('c')
  expect(await idsOf({ store, filter: "session_id = 's'" })).toBe('c')
  expect(await idsOf({ store, maxResults: 2 })).toBe('da')
  expect(await idsOf({ store, runId: 'run_000000000000000000' })).toBe('')
  const [first] = await searchTraces({ store, filter: "tag.lang = 'en'", includeSpans: false }).toArray()
  expect(first).toMatchObject({ inputs: { q: 1 }, outputs: 'one', assessments: [{ name: 'polite', value: 5 }] })
})

test('searchTraces() of an archive counts, with and without a filter', async () => {
  const store = await filled()
  expect(await searchTraces({ store }).count()).toBe(4)
  expect(await searchTraces({ store, experiment: 'shop' }).count()).toBe(3)
  expect(await searchTraces({ store, filter: 'feedback.polite > 1' }).count()).toBe(2)
  expect(await searchTraces({ store, maxResults: 3 }).count()).toBe(3)
  expect(await searchTraces({ store, runId: 'run_000000000000000000' }).count()).toBe(0)
})

test('searchTraces() of an archive goes in any order, and from page to page', async () => {
  const store = await filled()
  expect(await idsOf({ store, orderBy: 'execution_time_ms DESC' })).toBe('dacb')
  expect(await idsOf({ store, orderBy: 'execution_time_ms', maxResults: 2 })).toBe('bc')
  expect(await idsOf({ store, orderBy: 'tag.lang DESC, timestamp_ms' })).toBe('bcad')
  for (const orderBy of [undefined, 'execution_time_ms DESC'] as const) {
    const order = orderBy === undefined ? {} : { orderBy }
    const seen: string[] = []
    for (let pageToken: string | undefined; ; ) {
      const page = await searchTraces({ store, maxResults: 3, ...order, ...(pageToken && { pageToken }) }).page()
      seen.push(page.traces.map(({ id }) => id).join(''))
      pageToken = page.nextPageToken
      if (pageToken === undefined) break
    }
    expect(seen).toEqual(orderBy ? ['dac', 'b'] : ['dab', 'c'])
  }
})

test('an order of its own gives everything, however much there is', async () => {
  const location = folder()
  const n = 2 * SORTED_AT_ONCE + 500
  const rows = Array.from({ length: n }, (_, i) =>
    archived(`t${i}`, 1, { requestTimeMs: NOON + ((i * 7919) % n), durationNs: ((i * 104_729) % n) * 1e6 }),
  )
  await delta(location).append(rows, { application: 'x', batch: 1 })
  const store = archiveStore(location)
  const expected = (key: (row: (typeof rows)[0]) => number) =>
    rows.toSorted((a, b) => key(b) - key(a)).map(({ stored }) => stored.trace.id)
  expect((await searchTraces({ store }).toArray()).map(({ id }) => id)).toEqual(
    expected(({ stored }) => stored.trace.requestTimeMs),
  )
  const ordered = await searchTraces({ store, orderBy: 'execution_time_ms DESC' }).toArray()
  expect(ordered.map(({ id }) => id)).toEqual(expected(({ stored }) => stored.trace.durationNs as number))
})

test('what an archive gives can be evaluated, into another store', async () => {
  const location = await filled()
  const store = memory()
  const asked = scorer('asked', ({ inputs }) => inputs.q)
  const run = await evaluate(searchTraces({ store: location, filter: "tag.lang = 'en'" }), [asked], { store })
  expect(run.metrics['asked/mean']).toBe(1)
  const fault = await thrownBy(evaluate([{ inputs: 1, outputs: 2 }], [asked], { store: location }))
  expect(fault.message).toBe(
    `Cannot write to the archive "${location}": as a store it is only read\nHint: name another store; importTraces() brings archived traces into one`,
  )
})

test('everything that writes or monitors is refused in one sentence, and nothing of it reaches the table', async () => {
  const location = await filled()
  const store = archiveStore(location)
  const calls: Readonly<Record<string, (...args: never[]) => unknown>> = store as never
  const reading = ['search', 'count', 'getRun', 'listRuns', 'trials', 'flush', 'close']
  for (const [name, call] of Object.entries(calls)) {
    if (typeof call !== 'function' || reading.includes(name)) continue
    const fault = await thrownBy(Promise.resolve(call()))
    expect(fault, name).toBeInstanceOf(EvaluationError)
    expect(fault.message.split('\n')[0], name).toMatch(
      /^Cannot (write to|monitor) the archive ".*": (as a store it is only read|it keeps traces and no scorers)$/,
    )
  }
  expect((await thrownBy(logFeedback('a', { name: 'x', value: 1 }, { store: location }))).code).toBe(
    'STORE_NOT_WRITABLE',
  )
  expect((await thrownBy(listScorers({ store: location }))).message).toContain('keeps traces and no scorers')
  expect((await thrownBy(backfillScorers({ scorers: ['x'], store: location }))).message).toContain(
    'import its traces into a store, and backfill those',
  )
  expect((await thrownBy(openRun('latest', { store: location }))).code).toBe('RUN_NOT_FOUND')
  expect(await idsOf({ store: location })).toBe('dabc')
})

test('search --store <folder> finds archived traces, and says where there are none', async () => {
  const location = await filled()
  const { code, out } = await cli(['search', 'feedback.polite > 1', '--store', location, '--limit', '1'])
  expect(code).toBe(0)
  expect(out.trimEnd().split('\n').at(-1)).toBe('2 traces, 1 shown; --limit shows more')
  const json = JSON.parse((await cli(['search', '--json', '--store', location, '--order-by', 'trace_id'])).out)
  expect([json.count, json.traces.map(({ id }: { id: string }) => id).join('')]).toEqual([4, 'abcd'])
  rmSync(join(location, '_delta_log'), { recursive: true })
  expect(isArchive(location)).toBe(false)
  expect((await cli(['search', '--store', folder()])).err).toMatch(/^Cannot (open|read) the store/)
  expect((await cli(['search', '--store', location])).err).toMatch(/there is no folder "_delta_log" in it/)
})
