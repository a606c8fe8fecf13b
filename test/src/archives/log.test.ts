import { cpSync, globSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { delta } from '../../../src/archives/delta.ts'
import { DeltaLog } from '../../../src/archives/log.ts'
import { folder, thrownBy } from '../../data/evaluation.ts'
import { metaData, PROTOCOL, unpackForeign, writeCommit } from './made.ts'
import { archived, NOON, versions } from './rows.ts'

const add = (path: string, more: object = {}) => ({
  add: { path, partitionValues: { date: '2026-11-21' }, size: 1, modificationTime: 1, dataChange: true, ...more },
})
const name = (version: number): string => `${String(version).padStart(20, '0')}.json`
const FOREIGN = ['a 3', 'after python a 3', 'after python b 2', 'b 2', 'python a 3']

test('a table that deltalake changed and checkpointed is read, its removed rows left out', async () => {
  const location = folder()
  unpackForeign(location)
  const table = delta(location)
  expect((await versions(table)).sort()).toEqual(FOREIGN)
  expect(await table.lastBatch('first')).toBe(8)
  const [a] = await Array.fromAsync(table.read({ ids: ['a'] }))
  expect(a?.stored.trace).toMatchObject({ status: 'ERROR', inputs: '"late"', requestTimeMs: NOON + 86_400_000 })
  expect(a?.stored.assessments).toMatchObject([{ value: 'no' }])
})

test('a table that deltalake changed and checkpointed is appended to, and its batches are known', async () => {
  const location = folder()
  unpackForeign(location)
  const table = delta(location)
  expect(await table.append([archived('c', 1)], { application: 'first', batch: 8 })).toBe('known')
  expect(await table.append([archived('c', 1)], { application: 'first', batch: 9 })).toEqual({ rows: 1, version: 8 })
  for (const reader of [table, delta(location)])
    expect((await versions(reader)).sort()).toEqual([...FOREIGN, 'c 1'].sort())
})

test('a checkpoint is used without _last_checkpoint, and where it is the newest thing in the log', async () => {
  const location = folder()
  unpackForeign(location)
  const log = join(location, '_delta_log')
  for (const path of ['_last_checkpoint', name(5), name(6), name(7)]) rmSync(join(log, path))
  const table = new DeltaLog(location)
  expect((await table.refresh()).version).toBe(4)
  expect((await table.refresh()).transactions).toEqual(new Map([['first', 8]]))
})

test('a checkpoint in several parts counts when all of them are there', async () => {
  const location = folder()
  unpackForeign(location)
  const log = join(location, '_delta_log')
  const one = '00000000000000000004.checkpoint.parquet'
  const part = (n: number) => one.replace('.parquet', `.000000000${n}.0000000002.parquet`)
  // Every action twice adds up to the same table.
  cpSync(join(log, one), join(log, part(1)))
  renameSync(join(log, one), join(log, part(2)))
  expect((await versions(delta(location))).sort()).toEqual(FOREIGN)
  rmSync(join(log, part(2)))
  expect((await thrownBy(versions(delta(location)))).message).toContain('commit 0 is missing in its log')
})

test('a damaged checkpoint is named', async () => {
  const location = folder()
  unpackForeign(location)
  writeFileSync(join(location, '_delta_log', '00000000000000000004.checkpoint.parquet'), 'PAR1 torn')
  expect(await thrownBy(versions(delta(location)))).toMatchObject({
    code: 'ARCHIVE_NOT_READABLE',
    message: expect.stringMatching(/^Cannot read the Delta table ".*": the checkpoint of version 4 is damaged: /),
  })
})

test('refresh() follows a log that was cleaned behind a checkpoint since it last looked', async () => {
  const location = folder()
  unpackForeign(location)
  const log = join(location, '_delta_log')
  const kept = join(location, 'kept')
  for (const file of ['00000000000000000004.checkpoint.parquet', name(5), name(6), name(7)]) {
    cpSync(join(log, file), join(kept, file), { force: true })
    rmSync(join(log, file))
  }
  rmSync(join(log, '_last_checkpoint'))
  writeCommit(location, 0, [PROTOCOL, metaData(), add('date=2026-11-21/old.parquet')])
  const reader = new DeltaLog(location)
  expect([...(await reader.refresh()).files.keys()]).toEqual(['date=2026-11-21/old.parquet'])
  cpSync(kept, log, { recursive: true })
  rmSync(join(log, name(0)))
  const snapshot = await reader.refresh()
  expect(snapshot.version).toBe(7)
  expect([...snapshot.files.keys()]).not.toContain('date=2026-11-21/old.parquet')
})

test('refresh() of a table that was deleted finds none, and it can be made again', async () => {
  const location = join(folder(), 'table')
  const table = delta(location)
  const batch = { application: 'x', batch: 1 }
  await table.append([archived('a', 1)], batch)
  rmSync(location, { recursive: true })
  expect(await table.append([archived('b', 1)], batch)).toEqual({ rows: 1, version: 0 })
  expect(await versions(table)).toEqual(['b 1'])
})

test.each<[string, string, string]>([
  ['garbage', 'garbage', '"00000000000000000001.json" of its log is damaged: line 1 is no action'],
  [
    'half a line',
    '{"commitInfo":{}}\n{"add":{"pa',
    '"00000000000000000001.json" of its log is damaged: line 2 is no action',
  ],
  ['nothing', '', '"00000000000000000001.json" of its log is empty'],
  ['a list', '[]', '"00000000000000000001.json" of its log is damaged: line 1 is no action'],
  ['a file without a path', '{"add":{}}', '"00000000000000000001.json" of its log is damaged: line 1 is no action'],
  [
    'a schema that is none',
    '{"metaData":{"id":"x"}}',
    '"00000000000000000001.json" of its log is damaged: line 1 is no action',
  ],
])('a commit that holds %s is named, for reading and for appending', async (_, text, problem) => {
  const location = folder()
  const table = delta(location)
  await table.append([archived('a', 1)], { application: 'x', batch: 1 })
  expect(await versions(table)).toEqual(['a 1'])
  writeCommit(location, 1, text)
  for (const work of [
    () => versions(table),
    () => versions(delta(location)),
    () => table.append([archived('b', 1)], { application: 'x', batch: 2 }),
  ]) {
    expect(await thrownBy(work())).toMatchObject({
      code: 'ARCHIVE_NOT_READABLE',
      message: `Cannot read the Delta table "${location}": ${problem}`,
    })
  }
  expect(globSync('date=*/*', { cwd: location })).toHaveLength(1)
  rmSync(join(location, '_delta_log', name(1)))
  expect(await versions(table)).toEqual(['a 1'])
})

test('a commit that is missing between others is named', async () => {
  const location = folder()
  writeCommit(location, 0, [PROTOCOL, metaData()])
  writeCommit(location, 2, [{ commitInfo: {} }])
  expect((await thrownBy(versions(delta(location)))).message).toBe(
    `Cannot read the Delta table "${location}": commit 1 is missing in its log`,
  )
})

test('a log without a schema is no table', async () => {
  const location = folder()
  writeCommit(location, 0, [PROTOCOL])
  expect((await thrownBy(versions(delta(location)))).message).toContain(
    'its log up to version 0 says neither protocol nor schema',
  )
})

test('actions with unknown names mean nothing', async () => {
  const location = folder()
  writeCommit(location, 0, [PROTOCOL, metaData(), { cdc: { path: 'x' } }, { later: {} }])
  expect(await versions(delta(location))).toEqual([])
})

test('a folder with an empty log becomes a table', async () => {
  const location = folder()
  const log = new DeltaLog(location)
  await log.create()
  expect((await log.refresh()).version).toBe(-1)
  expect(await delta(location).append([archived('a', 1)], { application: 'x', batch: 1 })).toMatchObject({ version: 0 })
})

test('commit() of a number that is taken gives false, and leaves nothing behind', async () => {
  const location = folder()
  const log = new DeltaLog(location)
  await log.create()
  expect(await log.commit(0, [PROTOCOL])).toBe(true)
  expect(await log.commit(0, [metaData()])).toBe(false)
  expect(readdirSync(join(location, '_delta_log'))).toEqual([name(0)])
})

test('a file that the log names by no URI is an error, not a crash', async () => {
  const location = folder()
  writeCommit(location, 0, [PROTOCOL, metaData(), add('date=2026-11-21/100%.parquet')])
  expect(await thrownBy(versions(delta(location)))).toMatchObject({ code: 'ARCHIVE_NOT_READABLE' })
})

test('names of files are read as URIs', async () => {
  const location = folder()
  const table = delta(location)
  await table.append([archived('a', 1)], { application: 'x', batch: 1 })
  const [file = ''] = globSync('date=*/*', { cwd: location })
  renameSync(join(location, file), join(location, 'a b%.parquet'))
  writeCommit(location, 1, [{ remove: { path: file, dataChange: true } }, add('a%20b%25.parquet')])
  expect(await versions(table)).toEqual(['a 1'])
})
