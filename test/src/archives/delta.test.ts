import { spawn } from 'node:child_process'
import { chmodSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { expect, test } from 'vitest'
import { delta } from '../../../src/archives/delta.ts'
import { sleep } from '../../../src/std/async.ts'
import { folder, thrownBy } from '../../data/evaluation.ts'
import { ROOT } from '../../floors.ts'
import { archived, assessment, DAY, NOON, versions } from './rows.ts'

const batch = (number: number, application = 'test') => ({ application, batch: number })
const commit = (location: string, version: number): any[] =>
  readFileSync(join(location, '_delta_log', `${String(version).padStart(20, '0')}.json`), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
const only = (actions: any[], name: string): any[] => actions.flatMap((action) => action[name] ?? [])
const dataFiles = (location: string): string[] => globSync('date=*/*', { cwd: location }).sort()

/** Runs a module that appends in processes of their own. */
async function processes(text: string, calls: readonly string[][], options: { uid?: number; shell?: string } = {}) {
  const script = join(folder(), 'append.mjs')
  writeFileSync(script, text.replaceAll('SRC/', pathToFileURL(`${ROOT}/src/`).href))
  chmodSync(join(script, '..'), 0o755)
  const { uid, shell } = options
  const ended = calls.map((args) => {
    const command = [process.execPath, script, ...args]
    const [file = '', ...rest] = shell ? ['bash', '-c', `${shell}; exec "$@"`, 'bash', ...command] : command
    const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'inherit'], ...(uid !== undefined && { uid }) })
    let out = ''
    child.stdout.setEncoding('utf8').on('data', (piece) => {
      out += piece
    })
    return new Promise<any>((done) => child.on('close', () => done(out === '' ? undefined : JSON.parse(out))))
  })
  return Promise.all(ended)
}

const APPEND = `
import { delta } from 'SRC/archives/delta.ts'
const [path, name, batches, count, application = name, size = '10'] = process.argv.slice(2)
const noise = (n) => Array.from({ length: Number(size) }, (_, i) => Math.sin(n * 61 + i).toString(36)).join()
const row = (nth) => ({
  stored: { trace: { id: name + ' ' + nth, experiment: 'e', status: 'OK', requestTimeMs: Date.UTC(2026, 10, 21 + nth % 3), requestTimeSubNs: 0, tags: {}, metadata: {}, inputs: JSON.stringify(noise(nth)), spans: '' }, assessments: [] },
  version: nth, archivedAt: Date.now(),
})
const table = delta(path)
const done = []
try {
  for (let batch = 0; batch < Number(batches); batch++) {
    const rows = Array.from({ length: Number(count) }, (_, i) => row(batch * Number(count) + i))
    done.push(await table.append(rows, { application, batch }))
  }
  console.log(JSON.stringify({ done }))
} catch (error) {
  console.log(JSON.stringify({ done, code: error.code, message: error.message }))
}
`

test('append() makes a table: protocol, schema and rows in one commit, files by day', async () => {
  const location = join(folder(), 'deep', 'traces')
  const table = delta(location)
  expect(table.location).toBe(location)
  expect(existsSync(location)).toBe(false)
  const rows = [
    archived('a', 1),
    archived('b', 2, { requestTimeMs: NOON + DAY, durationNs: 2_500_000 }),
    archived('c', 3),
  ]
  expect(await table.append(rows, batch(5))).toEqual({ rows: 3, version: 0 })

  const actions = commit(location, 0)
  expect(only(actions, 'protocol')).toEqual([{ minReaderVersion: 1, minWriterVersion: 2 }])
  expect(only(actions, 'metaData')).toMatchObject([{ partitionColumns: ['date'], format: { provider: 'parquet' } }])
  expect(only(actions, 'txn')).toMatchObject([{ appId: 'test', version: 5 }])
  const added = only(actions, 'add')
  expect(added.map(({ path, partitionValues }) => [path.replace(/-.{36}\.parquet/, ''), partitionValues])).toEqual(
    [
      ['date=2026-11-21/part', { date: '2026-11-21' }],
      ['date=2026-11-22/part', { date: '2026-11-22' }],
    ].map(([path, values]) => [expect.stringContaining((path as string).slice(0, 15)), values]),
  )
  expect(added.map(({ path }) => path).sort()).toEqual(dataFiles(location))
  for (const { path, size, stats } of added) {
    const bytes = readFileSync(join(location, path))
    expect(size).toBe(bytes.length)
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
    const found = await parquetReadObjects({ file })
    expect(JSON.parse(stats).numRecords).toBe(found.length)
    expect(parquetMetadata(file).schema.map(({ name }) => name)).not.toContain('date')
  }
  expect(await versions(table)).toEqual(['a 1', 'c 3', 'b 2'])
  expect(readdirSync(join(location, '_delta_log'))).toEqual(['00000000000000000000.json'])
})

test('append() adds to a table that is there, whoever opens it', async () => {
  const location = folder()
  expect(await delta(location).append([archived('a', 1)], batch(1))).toEqual({ rows: 1, version: 0 })
  expect(await delta(pathToFileURL(location)).append([archived('b', 1)], batch(2))).toEqual({ rows: 1, version: 1 })
  expect(only(commit(location, 1), 'metaData')).toEqual([])
  expect(await versions(delta(location))).toEqual(['a 1', 'b 1'])
})

test('append() of nothing makes the table, and remembers the batch', async () => {
  const table = delta(folder())
  expect(await table.append([], batch(1))).toEqual({ rows: 0, version: 0 })
  expect(await versions(table)).toEqual([])
  expect(await table.lastBatch('test')).toBe(1)
})

test('append() of a batch that is there already, or of an earlier one, does nothing', async () => {
  const location = folder()
  const table = delta(location)
  expect(await table.lastBatch('test')).toBeUndefined()
  await table.append([archived('a', 1)], batch(7))
  const before = dataFiles(location)
  for (const again of [table, delta(location)]) {
    expect(await again.append([archived('a', 1)], batch(7))).toBe('known')
    expect(await again.append([archived('a', 1)], batch(6))).toBe('known')
    expect(await again.lastBatch('test')).toBe(7)
    expect(await again.lastBatch('other')).toBeUndefined()
  }
  expect(dataFiles(location)).toEqual(before)
  expect(await table.append([archived('b', 1)], batch(7, 'other'))).toMatchObject({ version: 1 })
  expect(await table.append([archived('c', 1)], batch(8))).toMatchObject({ version: 2 })
})

test('append() twice at once from one archive adds both', async () => {
  const table = delta(folder())
  const done = await Promise.all([1, 2, 3, 4].map((n) => table.append([archived(`t${n}`, n)], batch(n, `app ${n}`))))
  expect(done.map((one) => (one === 'known' ? one : one.version)).sort()).toEqual([0, 1, 2, 3])
  expect((await versions(table)).sort()).toEqual(['t1 1', 't2 2', 't3 3', 't4 4'])
})

test('append() from 8 processes at once loses nothing, doubles nothing and leaves no gap', async () => {
  const location = join(folder(), 'table')
  const names = Array.from('abcdefgh')
  const told = await processes(
    APPEND,
    names.map((name) => [location, name, '10', '6']),
  )
  const taken = told.flatMap(({ done }) => done.map(({ version }: { version: number }) => version))
  expect(taken.sort((a, b) => a - b)).toEqual(Array.from({ length: 80 }, (_, i) => i))
  expect(readdirSync(join(location, '_delta_log'))).toHaveLength(80)
  const table = delta(location)
  const found = await versions(table)
  expect(found).toHaveLength(480)
  expect(new Set(found)).toEqual(
    new Set(names.flatMap((name) => Array.from({ length: 60 }, (_, i) => `${name} ${i} ${i}`))),
  )
  for (const name of names) expect(await table.lastBatch(name)).toBe(9)
  const listed = taken.flatMap((version) => only(commit(location, version), 'add').map(({ path }) => path))
  expect(listed.sort()).toEqual(dataFiles(location))
})

test('append() of one batch from several processes at once is done by one of them', async () => {
  const location = join(folder(), 'table')
  const told = await processes(
    APPEND,
    Array.from({ length: 5 }, () => [location, 'x', '6', '3', 'shared']),
  )
  const done = told.flatMap((one) => one.done)
  expect(done.filter((one) => one !== 'known')).toHaveLength(6)
  expect(done.filter((one) => one === 'known')).toHaveLength(24)
  const table = delta(location)
  expect(await versions(table)).toHaveLength(18)
  const listed = [0, 1, 2, 3, 4, 5].flatMap((version) => only(commit(location, version), 'add').map(({ path }) => path))
  expect(listed.sort()).toEqual(dataFiles(location))
})

test('append() that is killed at any moment leaves whole batches only, and goes on where it was', async () => {
  const location = join(folder(), 'table')
  const table = delta(location)
  const script = join(folder(), 'killed.mjs')
  writeFileSync(script, GOING_ON.replaceAll('SRC/', pathToFileURL(`${ROOT}/src/`).href))
  for (let kill = 0; kill < 12; kill++) {
    const child = spawn(process.execPath, [script, location], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = new Promise((done) => child.on('close', done))
    await new Promise((appended) => child.stdout.once('data', appended))
    await sleep(kill * 3)
    child.kill('SIGKILL')
    await ended
  }
  const last = (await table.lastBatch('x')) ?? -1
  expect(last).toBeGreaterThanOrEqual(11)
  const found = await versions(table)
  const wanted = Array.from({ length: (last + 1) * 200 }, (_, i) => `t${i} ${i}`)
  expect(found.length).toBe(wanted.length)
  expect(new Set(found)).toEqual(new Set(wanted))
  const commits = readdirSync(join(location, '_delta_log')).filter((name) => name.endsWith('.json'))
  expect(commits).toHaveLength(last + 1)
})

const GOING_ON = `
import { delta } from 'SRC/archives/delta.ts'
const table = delta(process.argv[2])
for (let batch = ((await table.lastBatch('x')) ?? -1) + 1; ; batch++) {
  const rows = Array.from({ length: 200 }, (_, i) => {
    const nth = batch * 200 + i
    const trace = { id: 't' + nth, experiment: 'e', status: 'OK', requestTimeMs: Date.UTC(2026, 10, 21 + nth % 2), requestTimeSubNs: 0, tags: {}, metadata: {}, spans: '' }
    return { stored: { trace, assessments: [] }, version: nth, archivedAt: 0 }
  })
  await table.append(rows, { application: 'x', batch })
  console.log(batch)
}
`

test('a data file that was never committed, and half a commit, are seen by nobody', async () => {
  const location = folder()
  const table = delta(location)
  await table.append([archived('a', 1)], batch(1))
  const [file = ''] = dataFiles(location)
  writeFileSync(join(location, 'date=2026-11-21', 'part-orphan.parquet'), readFileSync(join(location, file)))
  writeFileSync(join(location, 'date=2026-11-21', 'part-torn.parquet'), 'PAR1 and then')
  writeFileSync(join(location, '_delta_log', '_commit_x.json.tmp'), '{"add":{"pa')
  expect(await versions(delta(location))).toEqual(['a 1'])
  expect(await table.append([archived('b', 1)], batch(2))).toMatchObject({ version: 1 })
})

test('append() where nothing may be written says so', async ({ skip }) => {
  const root = process.getuid?.() === 0
  if (root === undefined) skip('there are no Unix permissions here')
  const location = join(folder(), 'table')
  chmodSync(join(location, '..'), 0o755)
  await delta(location).append([archived('a', 1)], batch(1))
  for (const path of ['', '_delta_log', 'date=2026-11-21']) chmodSync(join(location, path), 0o555)
  const uid = root ? { uid: 65_534 } : {}
  const [into, beside] = await processes(
    APPEND,
    [
      [location, 'x', '1', '3'],
      [join(location, 'new'), 'x', '1', '3'],
    ],
    uid,
  )
  for (const path of ['', '_delta_log', 'date=2026-11-21']) chmodSync(join(location, path), 0o755)
  expect(into).toMatchObject({ done: [], code: 'ARCHIVE_NOT_WRITABLE' })
  expect(into.message).toMatch(
    /^Cannot write to the Delta table ".*table": EACCES: permission denied, (open|mkdir) .*\nHint: nothing of this batch was archived$/,
  )
  expect(beside).toMatchObject({ done: [], code: 'ARCHIVE_NOT_WRITABLE' })
  expect(await versions(delta(location))).toEqual(['a 1'])
  expect(dataFiles(location)).toHaveLength(1)
})

test('append() that runs out of space keeps what was committed, and leaves nothing half', async ({ skip }) => {
  if (process.platform === 'win32') skip('there is no ulimit here')
  const location = join(folder(), 'table')
  await delta(location).append([archived('a', 1)], batch(1))
  const before = dataFiles(location)
  const full = { shell: 'ulimit -f 100' }
  const [told] = await processes(APPEND, [[location, 'x', '1', '900', 'x', '100']], full)
  expect(told).toMatchObject({ done: [], code: 'ARCHIVE_NOT_WRITABLE' })
  expect(told.message).toMatch(/^Cannot write to the Delta table ".*": E(FBIG|NOSPC): .*\nHint: nothing of this batch/)
  expect(dataFiles(location)).toEqual(before)
  expect(readdirSync(join(location, '_delta_log'))).toHaveLength(1)
  expect(await versions(delta(location))).toEqual(['a 1'])
})

test('a folder that holds something else is refused, and left as it is', async () => {
  const location = folder()
  writeFileSync(join(location, 'notes.txt'), 'mine')
  mkdirSync(join(location, 'photos'))
  const table = delta(location)
  for (const work of [
    () => table.append([archived('a', 1)], batch(1)),
    () => versions(table),
    () => table.lastBatch('x'),
  ]) {
    const thrown = await thrownBy(work())
    expect(thrown.code).toBe('ARCHIVE_UNFIT')
    expect(thrown.message).toBe(
      `Cannot use "${location}" as a Delta table: there is no folder "_delta_log" in it, but "notes.txt" and other things\n` +
        'Hint: name a folder that is a Delta table, is empty, or does not exist yet',
    )
  }
  expect(readdirSync(location).sort()).toEqual(['notes.txt', 'photos'])
})

test('a file in the place of the table is refused', async () => {
  const location = join(folder(), 'table')
  writeFileSync(location, 'mine')
  expect((await thrownBy(delta(location).append([archived('a', 1)], batch(1)))).code).toBe('ARCHIVE_UNFIT')
  expect((await thrownBy(versions(delta(location)))).message).toContain('it is a file, and a table is a folder')
})

test('read() of a table that is not there says so', async () => {
  const location = join(folder(), 'none')
  expect((await thrownBy(versions(delta(location)))).message).toBe(
    `Cannot read the Delta table "${location}": there is none`,
  )
  expect(existsSync(location)).toBe(false)
})

test.each<[string, any]>([
  ['nothing', ''],
  ['a catalogue', 's3://bucket/traces'],
  ['another protocol', new URL('https://example.com/traces')],
  ['a number', 7],
])('delta() refuses %s as a path', (_, path) => {
  expect(() => delta(path)).toThrow(/^Cannot tell where the Delta table is from .*\nHint: name a folder/)
})

test.each<[any, any]>([
  ['', 1],
  [undefined, 1],
  ['x', 1.5],
  ['x', undefined],
])('append() refuses application %j and batch %j', async (application, number) => {
  const thrown = await thrownBy(delta(join(folder(), 'x')).append([], { application, batch: number }))
  expect(thrown).toBeInstanceOf(TypeError)
  expect(thrown.message).toMatch(/^Cannot archive a batch: expected/)
})

test('read() gives assessments of the latest version only', async () => {
  const table = delta(folder())
  const first = [assessment('a', { id: 'as-1', value: true })]
  const later = [
    assessment('a', { id: 'as-1', value: true, valid: false }),
    assessment('a', { id: 'as-2', value: false, overrides: 'as-1' }),
  ]
  await table.append([archived('a', 1, {}, first)], batch(1))
  await table.append([archived('a', 9, {}, later)], batch(2))
  const [found, ...others] = await Array.fromAsync(table.read())
  expect(found?.stored.assessments).toEqual(later)
  expect(others).toEqual([])
})

test('read() names a data file that is gone, or damaged', async () => {
  const location = folder()
  const table = delta(location)
  await table.append([archived('a', 1)], batch(1))
  const file = join(location, dataFiles(location)[0] as string)
  writeFileSync(file, readFileSync(file).subarray(0, 500))
  expect(await thrownBy(versions(table))).toMatchObject({
    code: 'ARCHIVE_NOT_READABLE',
    message: expect.stringContaining(`"${file}" cannot be read: `),
  })
  rmSync(file)
  expect((await thrownBy(versions(table))).message).toBe(
    `Cannot read the Delta table "${location}": its file "${file}" is missing`,
  )
})

test('append() of a batch that was gathered before another one of its application was appended does nothing', async () => {
  const table = delta(folder())
  await table.append([archived('a', 1)], { ...batch(10), follows: 0 })
  expect(await table.append([archived('a', 1), archived('b', 2)], { ...batch(20), follows: 5 })).toBe('known')
  expect(await versions(table)).toEqual(['a 1'])
  expect(await table.append([archived('b', 2)], { ...batch(20), follows: 10 })).toMatchObject({ rows: 1 })
  expect(await table.append([archived('c', 3)], { ...batch(5, 'other'), follows: 0 })).toMatchObject({ rows: 1 })
  expect(dataFiles(table.location)).toHaveLength(3)
})

test('append() of no rows makes the table, and finds out that it cannot be appended to', async () => {
  const table = delta(folder())
  expect(await table.append([], batch(0))).toEqual({ rows: 0, version: 0 })
  expect([await table.lastBatch('test'), await table.count(), await versions(table)]).toEqual([0, 0, []])
  const other = folder()
  writeFileSync(join(other, 'notes.txt'), '')
  expect((await thrownBy(delta(other).append([], batch(0)))).code).toBe('ARCHIVE_UNFIT')
})
