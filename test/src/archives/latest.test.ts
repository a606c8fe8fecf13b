import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ArchiveQuery } from '../../../src/archival.ts'
import { delta } from '../../../src/archives/delta.ts'
import { folder, thrownBy } from '../../data/evaluation.ts'
import { metaData, PROTOCOL, writeCommit } from './made.ts'
import { archived, DAY, NOON, versions } from './rows.ts'

const IDS = ['a', 'b', 'c']
const row = fc.record({
  id: fc.constantFrom(...IDS),
  day: fc.integer({ min: -1, max: 1 }),
  experiment: fc.constantFrom('shop', 'shop', 'help'),
})
const day = (min: number, max: number) => fc.integer({ min, max }).map((nth) => NOON + nth * DAY)
const seldom = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: one })
const query = fc.record({
  from: fc.option(day(-1, 0), { nil: undefined }),
  to: fc.option(day(1, 2), { nil: undefined }),
  experiment: seldom(fc.constantFrom('shop', 'help', 'none')),
  ids: seldom(fc.subarray(IDS)),
})

test('read() leaves out a trace whose later version, of another day, does not fit', async () => {
  const table = delta(folder())
  const batch = (number: number) => ({ application: 'x', batch: number })
  await table.append([archived('moved', 1), archived('kept', 2)], batch(1))
  await table.append([archived('moved', 3, { requestTimeMs: NOON - DAY })], batch(2))
  expect(await versions(table, { from: NOON })).toEqual(['kept 2'])
  expect(await versions(table, { to: NOON })).toEqual(['moved 3'])
  await table.append([archived('moved', 4, { experiment: 'help' })], batch(3))
  expect(await versions(table, { experiment: 'shop' })).toEqual(['kept 2'])
  expect(await versions(table)).toEqual(['kept 2', 'moved 4'])
})

test('read() gives what a search of the latest versions gives, whatever was appended in whatever order', {
  timeout: 120_000,
}, async () => {
  const batches = fc.array(fc.array(row, { maxLength: 4 }), { minLength: 2, maxLength: 4, size: 'max' })
  await fc.assert(
    fc.asyncProperty(batches, query, fc.nat(), async (given, { from, to, experiment, ids }, seed) => {
      const table = delta(folder())
      const count = given.flat().length
      let nth = 0
      const latest = new Map<string, ReturnType<typeof archived>>()
      for (const [batch, drafts] of given.entries()) {
        const rows = drafts.map(({ id, day, experiment }) => {
          // Every version once, in some order.
          const version = (nth++ + seed) % count
          const one = archived(id, version, { requestTimeMs: NOON + day * DAY, experiment })
          if ((latest.get(id)?.version ?? -1) < version) latest.set(id, one)
          return one
        })
        await table.append(rows, { application: 'x', batch })
      }
      const expected = [...latest.values()].filter(
        ({ stored: { trace } }) =>
          (from === undefined || trace.requestTimeMs >= from) &&
          (to === undefined || trace.requestTimeMs < to) &&
          (experiment === undefined || trace.experiment === experiment) &&
          (ids === undefined || ids.includes(trace.id)),
      )
      const asked = Object.fromEntries(
        Object.entries({ from, to, experiment, ids }).filter(([, value]) => value !== undefined),
      ) as ArchiveQuery
      const found = await versions(table, asked)
      const text = ({ stored, version }: ReturnType<typeof archived>): string => `${stored.trace.id} ${version}`
      expect(found.sort()).toEqual(expected.map(text).sort())
      expect(await table.count(asked)).toBe(expected.length)
      const place = (one: ReturnType<typeof archived>) => [one.stored.trace.requestTimeMs, one.stored.trace.id] as const
      const newest = expected.toSorted((a, b) => place(b)[0] - place(a)[0] || place(a)[1].localeCompare(place(b)[1]))
      expect(await versions(table, { ...asked, newestFirst: true })).toEqual(newest.map(text))
      for (const [i, one] of newest.entries()) {
        const behind = { ...asked, newestFirst: true, behind: place(one) }
        expect(await versions(table, behind)).toEqual(newest.slice(i + 1).map(text))
      }
    }),
    { numRuns: 60 },
  )
})

test('read() gives traces day by day, those of no day first', async () => {
  const table = delta(folder())
  const at = (id: string, requestTimeMs: number) => archived(id, 1, { requestTimeMs })
  await table.append([at('late', NOON + DAY), at('now', NOON), at('odd', 8.64e15)], { application: 'x', batch: 1 })
  await table.append([at('early', NOON - DAY)], { application: 'x', batch: 2 })
  expect(await versions(table)).toEqual(['odd 1', 'early 1', 'now 1', 'late 1'])
  expect(await versions(table, { from: NOON + 1 })).toEqual(['odd 1', 'late 1'])
  expect(await versions(table, { from: NOON, to: NOON + 1 })).toEqual(['now 1'])
})

test('read() opens no file of other days whose versions are all older', async () => {
  const location = folder()
  const table = delta(location)
  await table.append([archived('old', 1, { requestTimeMs: NOON - DAY })], { application: 'x', batch: 1 })
  await table.append([archived('new', 2)], { application: 'x', batch: 2 })
  rmSync(join(location, 'date=2026-11-20'), { recursive: true })
  expect(await versions(table, { from: NOON })).toEqual(['new 2'])
  expect(await thrownBy(versions(table))).toMatchObject({ code: 'ARCHIVE_NOT_READABLE' })
})

test('read() gives rows of many row groups, each once', async () => {
  const table = delta(folder())
  const rows = Array.from({ length: 3_500 }, (_, i) => archived(`t${i}`, i, { inputs: String(i) }))
  await table.append(rows, { application: 'x', batch: 1 })
  await table.append([archived('t1500', 9_999)], { application: 'x', batch: 2 })
  const found = await Array.fromAsync(table.read())
  expect(found).toHaveLength(3_500)
  expect(new Set(found.map(({ stored }) => stored.trace.id)).size).toBe(3_500)
  expect(found.find(({ stored }) => stored.trace.id === 't1500')?.version).toBe(9_999)
  expect(await versions(table, { ids: ['t0', 't3499', 'none'] })).toEqual(['t0 0', 't3499 3499'])
})

test('read() may be stopped early', async () => {
  const table = delta(folder())
  await table.append([archived('a', 1), archived('b', 1)], { application: 'x', batch: 1 })
  for await (const { stored } of table.read()) {
    expect(stored.trace.id).toBe('a')
    break
  }
  expect(await versions(table)).toHaveLength(2)
})

test('read() names the row of another writer that is no trace', async () => {
  const { ByteWriter, parquetWrite } = await import('hyparquet-writer')
  const location = folder()
  const columns: Record<string, unknown[]> = {
    trace_id: ['a', 'b'],
    version: [1n, 2n],
    experiment: ['e', 'e'],
    status: ['OK', 'DONE'],
    request_time: [new Date(NOON), new Date(NOON)],
  }
  const write = (): void => {
    const writer = new ByteWriter()
    parquetWrite({ writer, columnData: Object.entries(columns).map(([name, data]) => ({ name, data })) })
    rmSync(join(location, '_delta_log'), { recursive: true, force: true })
    const add = { path: 'x.parquet', partitionValues: {}, size: 1, modificationTime: 1, dataChange: true }
    writeCommit(location, 0, [PROTOCOL, metaData(), { add }])
    writeFileSync(join(location, 'x.parquet'), writer.getBytes())
  }
  write()
  const path = join(location, 'x.parquet')
  const problem = async (): Promise<string> => (await thrownBy(versions(delta(location)))).message
  expect(await problem()).toBe(
    `Cannot read the Delta table "${location}": row 2 of "${path}" is damaged: its status is "DONE", which is none of OK, ERROR, IN_PROGRESS`,
  )
  columns.status = ['OK', 'ERROR']
  write()
  // This writer's times are milliseconds.
  const found = await Array.fromAsync(delta(location).read())
  expect(found.map(({ stored: { trace } }) => [trace.id, trace.requestTimeMs, trace.tags])).toEqual([
    ['a', NOON, {}],
    ['b', NOON, {}],
  ])
  columns.experiment = ['e', null]
  write()
  expect(await problem()).toContain('row 2 of')
  columns.trace_id = ['a', null]
  write()
  expect(await problem()).toContain(`row 2 of "${path}" has no trace_id or no version`)
})
