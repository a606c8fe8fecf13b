import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { ArchivedTrace } from '../../src/archival.ts'
import { delta } from '../../src/archives/delta.ts'
import { archiveTraces, disableTraceArchival, enableTraceArchival, listArchivals } from '../../src/archiving.ts'
import { sleep } from '../../src/std/async.ts'
import type { Store } from '../../src/store.ts'
import { folder, thrownBy } from '../data/evaluation.ts'
import { cli } from '../data/terminal.ts'
import { arrive, EXPERIMENT, production, productionStore, storeFile, traceId } from '../data/watched.ts'

const experiment = EXPERIMENT
const place = () => join(folder(), 'traces')
const read = async (table: string): Promise<ArchivedTrace[]> =>
  (await Array.fromAsync(delta(table).read())).sort((a, b) => a.stored.trace.id.localeCompare(b.stored.trace.id))
const rowsOf = async (store: Store) => (await archiveTraces({ store })).map(({ rows }) => rows)
const say = (store: Store, i: number, value: unknown, more: object = {}) =>
  store.logAssessment(traceId(i), {
    kind: 'feedback',
    name: 'polite',
    value,
    source: { type: 'HUMAN', id: 'ann' },
    createdAt: 1_760_000_000_000,
    ...more,
  })

/** Every row that was ever appended, by trace and version, each with what it holds. */
async function history(table: string): Promise<Map<string, Set<string>>> {
  const { parquetReadObjects } = await import('hyparquet')
  const found = new Map<string, Set<string>>()
  const { readFileSync } = await import('node:fs')
  const log = join(table, '_delta_log')
  for (const name of readdirSync(log)
    .filter((one) => one.endsWith('.json'))
    .sort()) {
    for (const line of readFileSync(join(log, name), 'utf8').trim().split('\n')) {
      const { add } = JSON.parse(line)
      if (!add) continue
      const bytes = readFileSync(join(table, decodeURIComponent(add.path)))
      const { decompressors } = await import('../../src/std/ranges.ts')
      const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
      for (const row of await parquetReadObjects({ file, compressors: decompressors })) {
        const key = `${row.trace_id} ${row.version}`
        const text = JSON.stringify([row.outputs, row.assessments], (_, v) => (typeof v === 'bigint' ? String(v) : v))
        found.set(key, (found.get(key) ?? new Set()).add(text))
      }
    }
  }
  return found
}

test('enableTraceArchival() makes the table; archiveTraces() appends what is new, by the day of the request', async () => {
  const store = productionStore()
  const table = place()
  expect(await enableTraceArchival({ store, experiment, table })).toMatchObject({
    experiment,
    table,
    everyMinutes: 15,
    enabled: true,
    rows: 0,
  })
  expect(await read(table)).toEqual([])
  const day = 86_400_000
  await arrive(store, production(1), production(2, { requestTimeMs: 1_760_000_000_000 + day }))
  expect(await archiveTraces({ store })).toEqual([{ experiment, table, rows: 2 }])
  expect(readdirSync(table).sort()).toEqual(['_delta_log', 'date=2025-10-09', 'date=2025-10-10'])
  await arrive(store, production(3))
  expect(await rowsOf(store)).toEqual([1])
  expect(await rowsOf(store)).toEqual([0])
  const rows = await read(table)
  expect(rows.map(({ stored }) => stored.trace.id)).toEqual([traceId(1), traceId(2), traceId(3)])
  expect(rows[0]?.stored.trace).toEqual(production(1))
  expect(await listArchivals({ store })).toMatchObject([{ experiment, rows: 3, enabled: true }])
})

test('traces of evaluations and of scorers are never archived', async () => {
  const store = productionStore()
  const table = place()
  await enableTraceArchival({ store, experiment, table })
  await arrive(
    store,
    production(1, { metadata: { 'mlflow.sourceRun': 'abc' } }),
    production(2, { tags: { 'mlflow.trace.sourceScorer': 'safety' } }),
    production(3),
    production(4, { experiment: 'other' }),
  )
  expect(await rowsOf(store)).toEqual([1])
  expect((await read(table)).map(({ stored }) => stored.trace.id)).toEqual([traceId(3)])
})

test('a trace that gains a score or a correction afterwards is appended again, and reading gives the latest', async () => {
  const store = productionStore()
  const table = place()
  await enableTraceArchival({ store, experiment, table })
  await arrive(store, production(1), production(2))
  await archiveTraces({ store })
  const [before] = await read(table)
  const given = await say(store, 1, 'no', { source: { type: 'LLM_JUDGE', id: 'polite' }, scorer: 'polite' })
  expect(await rowsOf(store)).toEqual([1])
  await say(store, 1, 'yes', { overrides: given.id })
  expect(await rowsOf(store)).toEqual([1])
  const rows = await read(table)
  expect(rows).toHaveLength(2)
  expect(rows[0]?.version).toBeGreaterThan(before?.version as number)
  expect(rows[0]?.stored.assessments.map(({ value, valid }) => [value, valid])).toEqual([
    ['no', false],
    ['yes', true],
  ])
  expect((await history(table)).size).toBe(4)
})

test('an archive is due when its time has come, and not before', async () => {
  const store = productionStore()
  const table = place()
  await enableTraceArchival({ store, experiment, table, everyMinutes: 15 })
  expect(await archiveTraces({ store, due: true })).toEqual([{ experiment, table, rows: 0 }])
  await arrive(store, production(1))
  expect(await archiveTraces({ store, due: true })).toEqual([])
  const lookedAt = async (lastAt: number): Promise<void> => {
    const [note] = await store.notes('archival')
    await store.keepNote({ kind: 'archival', id: experiment, data: { ...note?.data, lastAt } })
  }
  await lookedAt(Date.now() - 15 * 60_000 + 5_000)
  expect(await archiveTraces({ store, due: true })).toEqual([])
  await lookedAt(Date.now() - 15 * 60_000)
  expect(await archiveTraces({ store, due: true })).toEqual([{ experiment, table, rows: 1 }])
  // The clock was put right: to wait for the time that it said would be to wait in vain.
  await lookedAt(Date.now() + 3_600_000)
  expect(await archiveTraces({ store, due: true })).toEqual([{ experiment, table, rows: 0 }])
})

test('switched off and on again with the same table it goes on; with another one it begins anew', async () => {
  const store = productionStore()
  const [table, other] = [place(), place()]
  const first = await enableTraceArchival({ store, experiment, table })
  await arrive(store, production(1))
  await archiveTraces({ store })
  expect(await enableTraceArchival({ store, experiment, table, everyMinutes: 5 })).toMatchObject({
    application: first.application,
    everyMinutes: 5,
    rows: 1,
  })
  expect((await enableTraceArchival({ store, experiment, table })).everyMinutes).toBe(5)
  expect(await disableTraceArchival({ store, experiment })).toBe(true)
  expect(await disableTraceArchival({ store, experiment })).toBe(false)
  await arrive(store, production(2))
  expect(await archiveTraces({ store })).toEqual([])
  await enableTraceArchival({ store, experiment, table })
  expect(await rowsOf(store)).toEqual([1])
  await enableTraceArchival({ store, experiment, table: other })
  expect(await rowsOf(store)).toEqual([2])
  expect(await read(other)).toHaveLength(2)
  expect((await history(table)).size).toBe(2)
})

test('a table that was removed is made again, with everything that the store holds', async () => {
  const store = productionStore()
  const table = place()
  await enableTraceArchival({ store, experiment, table })
  await arrive(store, production(1), production(2))
  await archiveTraces({ store })
  rmSync(table, { recursive: true })
  await arrive(store, production(3))
  expect(await rowsOf(store)).toEqual([3])
  rmSync(table, { recursive: true })
  await enableTraceArchival({ store, experiment, table })
  expect(await rowsOf(store)).toEqual([3])
  expect(await read(table)).toHaveLength(3)
})

test('experiments have archives of their own, and one that fails keeps no other from it', async () => {
  const store = productionStore()
  const [one, two] = [place(), place()]
  await enableTraceArchival({ store, experiment: 'bakery', table: one })
  await enableTraceArchival({ store, experiment, table: two })
  await arrive(store, production(1, { experiment: 'bakery' }), production(2))
  rmSync(one, { recursive: true })
  writeFileSync(one, 'no folder')
  const fault = await thrownBy(archiveTraces({ store }))
  expect(fault).toMatchObject({ code: 'ARCHIVE_UNFIT' })
  expect(fault.message).toMatch(/^Cannot use ".*" as a Delta table: it is a file/)
  expect(await read(two)).toHaveLength(1)
  rmSync(one)
  expect(await archiveTraces({ store, experiment: 'bakery' })).toEqual([{ experiment: 'bakery', table: one, rows: 1 }])
})

test('a trace that the store has lost is said, and keeps no other from being archived', async () => {
  const path = storeFile()
  const store = productionStore(path)
  const table = place()
  await enableTraceArchival({ store, experiment, table })
  await arrive(store, production(1), production(2), production(3))
  await store.close()
  const { DatabaseSync } = await import('node:sqlite')
  const db = new DatabaseSync(path)
  db.prepare('UPDATE traces SET outputs = \'"forged"\' WHERE id = ?').run(traceId(2))
  db.close()
  expect(await archiveTraces({ store })).toEqual([{ experiment, table, rows: 2, lost: 1 }])
  expect((await read(table)).map(({ stored }) => stored.trace.id)).toEqual([traceId(1), traceId(3)])
})

test.each<[string, (path: string) => void, RegExp]>([
  [
    'holds something else',
    (path) => mkdirSync(join(path, 'photos'), { recursive: true }),
    /^Cannot use ".*" as a Delta table: there is no folder "_delta_log" in it, but "photos"/,
  ],
  [
    'is a file',
    (path) => writeFileSync(path, 'x'),
    /^Cannot use ".*" as a Delta table: it is a file, and a table is a folder/,
  ],
  ['cannot be written', (path) => mkdirSync(path, { mode: 0o500 }), /^Cannot write to the Delta table ".*": EACCES/],
])(
  'enableTraceArchival() refuses a folder that %s, in one sentence, and nothing is on',
  async (what, make, message) => {
    // For root, nothing is forbidden.
    if (what === 'cannot be written' && process.getuid?.() === 0) return
    const store = productionStore()
    const table = place()
    make(table)
    const fault = await thrownBy(enableTraceArchival({ store, experiment, table }))
    expect(fault.message).toMatch(message)
    expect(fault.code).toMatch(/^ARCHIVE_/)
    expect(await listArchivals({ store })).toEqual([])
  },
)

test('enableTraceArchival() refuses a Delta table of other columns', async () => {
  const store = productionStore()
  const table = place()
  mkdirSync(join(table, '_delta_log'), { recursive: true })
  const schemaString = JSON.stringify({ type: 'struct', fields: [] })
  const actions = [
    { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
    { metaData: { id: 'x', schemaString, partitionColumns: [], configuration: {}, format: { provider: 'parquet' } } },
  ]
  writeFileSync(
    join(table, '_delta_log', `${'0'.repeat(20)}.json`),
    actions.map((one) => JSON.stringify(one)).join('\n'),
  )
  expect((await thrownBy(enableTraceArchival({ store, experiment, table }))).message).toMatch(
    /it is not partitioned, and has to be partitioned by date/,
  )
})

test.each<[any, RegExp]>([
  [{}, /"table" must be the path of a folder, found undefined/],
  [{ table: '' }, /"table" must be the path of a folder, found ""/],
  [{ table: 'x', everyMinutes: 0 }, /"everyMinutes" must be above 0, found 0/],
  [{ table: 'x', everyMinutes: Number.POSITIVE_INFINITY }, /"everyMinutes" must be above 0, found Infinity/],
  [{ table: 'x', everyMinute: 5 }, /unknown option "everyMinute" \(did you mean "everyMinutes"\?\)/],
  [{ table: 's3://bucket/traces' }, /Cannot tell where the Delta table is from "s3:\/\/bucket\/traces"/],
  [null, /expected { table }, found null/],
])('enableTraceArchival(%j) is refused', async (options, message) => {
  const store = productionStore()
  const given = options && { store, experiment, ...options }
  expect((await thrownBy(enableTraceArchival(given))).message).toMatch(message)
})

test('archiveTraces() of an experiment that has no archive names those that have', async () => {
  const store = productionStore()
  await store.registrations()
  const none = await thrownBy(archiveTraces({ store, experiment }))
  expect(none.message).toMatch(/no archive is on for experiment "shop"\nHint: enableTraceArchival/)
  await enableTraceArchival({ store, experiment: 'bakery', table: place() })
  expect((await thrownBy(archiveTraces({ store, experiment }))).hint).toBe('on are those of "bakery"')
  expect((await thrownBy(archiveTraces({ store: join(folder(), 'none.sqlite') }))).code).toBe('STORE_NOT_READABLE')
})

test('two at once in one process: one appends, and nothing comes twice', async () => {
  const path = storeFile()
  const [one, two] = [productionStore(path), productionStore(path)]
  const table = place()
  await enableTraceArchival({ store: one, experiment, table })
  await arrive(one, ...Array.from({ length: 300 }, (_, i) => production(i)))
  const reports = (await Promise.all([archiveTraces({ store: one }), archiveTraces({ store: two })])).flat()
  expect(reports.reduce((sum, { rows }) => sum + rows, 0)).toBe(300)
  expect((await history(table)).size).toBe(300)
})

const ARCHIVER = fileURLToPath(new URL('../data/archiver.ts', import.meta.url))

function archiver(path: string): { end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>; ready: Promise<unknown> } {
  const child = spawn(process.execPath, [ARCHIVER, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  return {
    ready: once(child.stdout, 'data'),
    end: async (signal) => {
      child.kill(signal)
      await exit
    },
  }
}

test('killed at random moments, and two at once: nothing is lost, and no version stands for two things', {
  timeout: 120_000,
}, async () => {
  const path = storeFile()
  const store = productionStore(path)
  const table = place()
  await enableTraceArchival({ store, experiment, table })
  let written = 0
  const write = async (n: number): Promise<void> => {
    await arrive(store, ...Array.from({ length: n }, (_, i) => production(written + i)))
    written += n
    for (let i = 0; i < 20; i++) await say(store, Math.floor((written * i) / 20), `at ${written} ${i}`)
  }
  for (let kill = 0; kill < 6; kill++) {
    const pair = [archiver(path), archiver(path)]
    await Promise.all(pair.map(({ ready }) => ready))
    for (let i = 0; i < 3; i++) await write(60)
    await sleep(Math.random() * 150)
    await Promise.all(pair.map(({ end }) => end('SIGKILL')))
  }
  await rowsOf(store)
  expect(await rowsOf(store)).toEqual([0])
  const rows = await read(table)
  expect(rows).toHaveLength(written)
  const stored = new Map((await Array.fromAsync(store.search({ experiment }))).map((one) => [one.trace.id, one]))
  for (const { stored: archived } of rows) {
    const { trace, assessments } = stored.get(archived.trace.id) as (typeof rows)[0]['stored']
    expect(archived).toEqual({ trace, assessments })
  }
  const all = await history(table)
  expect([...all.values()].filter(({ size }) => size > 1)).toEqual([])
})

test('monitor archive switches on, appends, lists and switches off', async () => {
  const path = storeFile()
  const store = productionStore(path)
  const table = place()
  await arrive(store, production(1))
  const at = ['--store', path, '--experiment', experiment]
  const on = await cli(['monitor', 'archive', table, ...at, '--every', '5', '--now'])
  expect([on.code, on.err]).toEqual([0, ''])
  expect(on.out).toBe(`Traces of shop are archived to ${table} every 5 min, by a monitor\nArchived 1 row to ${table}\n`)
  expect((await cli(['monitor', 'archive', '--store', path])).out).toMatch(
    new RegExp(`^shop: on, 1 row in ${table}, last looked at 2`),
  )
  expect(JSON.parse((await cli(['monitor', 'archive', '--json', ...at])).out)).toMatchObject({
    archivals: [{ experiment, table, enabled: true, rows: 1 }],
  })
  expect(JSON.parse((await cli(['monitor', 'archive', '--json', '--now', ...at])).out)).toEqual({
    reports: [{ experiment, table, rows: 0 }],
  })
  expect((await cli(['monitor', 'archive', '--off', ...at])).out).toBe(
    'The archive is off; what is in the table stays\n',
  )
  expect((await cli(['monitor', 'archive', '--off', ...at])).out).toBe('The archive was not on\n')
  expect(JSON.parse((await cli(['monitor', 'archive', '--off', '--json', ...at])).out)).toEqual({ wasOn: false })
})

test.each<[string, readonly string[], RegExp]>([
  ['no number', ['x', '--every', 'soon'], /must be a number from 0/],
  ['zero minutes', ['x', '--every', '0'], /"everyMinutes" must be above 0, found 0/],
  ['on and off', ['x', '--off'], /^Cannot archive traces: --off stands alone$/m],
  ['how often without where', ['--every', '5'], /--every says how often/],
  ['an experiment without an archive', ['--now'], /no archive is on for experiment "shop"/],
])('monitor archive refuses %s', async (_, args, message) => {
  const path = storeFile()
  await productionStore(path).registrations()
  const { code, out, err } = await cli(['monitor', 'archive', ...args, '--store', path, '--experiment', experiment])
  expect([code, out]).toEqual([1, ''])
  expect(err).toMatch(message)
  expect(existsSync(resolve('x'))).toBe(false)
})

test('a monitor whose archive fails says so, and goes on', async () => {
  const path = storeFile()
  const store = productionStore(path)
  const table = place()
  await enableTraceArchival({ store, experiment, table })
  await arrive(store, production(1))
  rmSync(table, { recursive: true })
  writeFileSync(table, 'no folder')
  const broken = await cli(['monitor', '--once', '--no-receiver', '--store', path])
  expect([broken.code, broken.err]).toEqual([0, ''])
  expect(broken.out).toMatch(
    /^\d\d:\d\d:\d\d Fault: Cannot use ".*" as a Delta table: it is a file.*\n.*Ended: 0 scores/m,
  )
  rmSync(table)
  expect((await cli(['monitor', '--once', '--no-receiver', '--store', path])).out).toContain(
    `Archived 1 row to ${table}`,
  )
})
