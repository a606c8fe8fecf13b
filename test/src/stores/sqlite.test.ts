import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { expect, onTestFinished, test, vi } from 'vitest'
import { runEvaluation } from '../../../src/evaluate.ts'
import { openRun } from '../../../src/open.ts'
import { scorer } from '../../../src/scorer.ts'
import { sleep } from '../../../src/std/async.ts'
import { type SqliteOptions, sqlite } from '../../../src/stores/sqlite.ts'
import { evaluation, folder, storedOf, thrownBy } from '../../data/evaluation.ts'
import { runRecord } from '../../data/records.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const rows = (count: number, pad = '') => Array.from({ length: count }, (_, i) => ({ inputs: `${i}${pad}` }))

function opened(path: string, options?: SqliteOptions) {
  const store = sqlite(path, options)
  onTestFinished(() => store.close().catch(() => {}))
  return store
}

/** What reading and what evaluating say of a store that is out of order. */
async function refused(path: string, options: SqliteOptions = { busyTimeoutMs: 50 }): Promise<string[]> {
  const store = opened(path, options)
  const reading = await thrownBy(store.listRuns())
  const writing = await thrownBy(runEvaluation(evaluation({ data: rows(3), store, predict: (n) => n })))
  expect(reading.name).toBe('EvaluationError')
  expect(writing.code).toBe(reading.code)
  return [reading.code, reading.message.replaceAll(path, 'PATH')]
}

async function filled(path: string, count = 300): Promise<string> {
  const store = sqlite(path)
  const run = await runEvaluation(
    evaluation({ data: rows(count, 'x'.repeat(200)), store, predict: (text) => text.length }),
  )
  await store.close()
  return run.id
}

test('sqlite() makes its folder, keeps it out of version control, and opens on first use only', async () => {
  const path = join(folder(), 'deep', 'er', 'store.sqlite')
  const store = opened(path)
  expect(existsSync(path)).toBe(false)
  expect(await store.listRuns()).toEqual([])
  expect(existsSync(path)).toBe(true)
  expect(readFileSync(join(path, '..', '.gitignore'), 'utf8')).toBe('*\n')
})

test('sqlite() for reading does not make what is not there', async () => {
  const path = join(folder(), 'none', 'store.sqlite')
  expect(await refused(path, { create: false })).toEqual([
    'STORE_NOT_READABLE',
    'Cannot open the store "PATH": there is no such file\nHint: evaluate or monitor something first, or name another store',
  ])
  expect(existsSync(join(path, '..'))).toBe(false)
})

test('sqlite() refuses what is no database, and leaves it as it is', async () => {
  const path = join(folder(), 'notes.txt')
  const text = 'my notes, which are longer than a header '.repeat(50)
  writeFileSync(path, text)
  expect(await refused(path)).toEqual(['STORE_NOT_READABLE', 'Cannot open the store "PATH": it is not a database'])
  expect(readFileSync(path, 'utf8')).toBe(text)
})

test('sqlite() refuses a folder in place of the file', async () => {
  expect(await refused(folder())).toEqual(['STORE_NOT_READABLE', 'Cannot open the store "PATH": it is a folder'])
})

test('sqlite() refuses a format newer than it knows, and says what to do', async () => {
  const path = join(folder(), 'store.sqlite')
  await filled(path)
  const db = new DatabaseSync(path)
  db.exec('PRAGMA user_version = 99')
  db.close()
  expect(await refused(path)).toEqual([
    'STORE_TOO_NEW',
    'Cannot open the store "PATH": its format is version 99, this vitest-evaluate knows up to 3\nHint: update vitest-evaluate, or use another store',
  ])
})

test.for([
  ['with tables', 'CREATE TABLE users (id INTEGER)'],
  ['with an application id', 'PRAGMA application_id = 7'],
  ['with a version', 'PRAGMA user_version = 4'],
])('sqlite() refuses a database of something else (%s), and adds nothing to it', async ([, sql]) => {
  const path = join(folder(), 'other.sqlite')
  const db = new DatabaseSync(path)
  db.exec(sql as string)
  const tables = () => db.prepare('SELECT name FROM sqlite_schema ORDER BY name').all()
  const before = tables()
  expect(await refused(path)).toEqual([
    'STORE_NOT_READABLE',
    'Cannot open the store "PATH": it is a database of something else',
  ])
  expect(tables()).toEqual(before)
  db.close()
})

test('sqlite() takes an empty file for a new store', async () => {
  const path = join(folder(), 'store.sqlite')
  writeFileSync(path, '')
  expect(await opened(path).listRuns()).toEqual([])
})

test('sqlite() waits for a lock, and says so when it waited in vain', async () => {
  const path = join(folder(), 'store.sqlite')
  await filled(path)
  const other = new DatabaseSync(path)
  onTestFinished(() => other.close())
  const patient = opened(path, { busyTimeoutMs: 10_000 })
  await patient.listRuns()
  other.exec('BEGIN IMMEDIATE')
  const started = performance.now()
  const hasty = opened(path, { busyTimeoutMs: 60 })
  const thrown = await thrownBy(hasty.createRun(runRecord({ id: 'run_hasty' })))
  expect(thrown).toMatchObject({
    code: 'STORE_LOCKED',
    hint: 'wait for it to end, or give this run a store of its own',
  })
  expect(thrown.message).toContain(`the store "${path}": another process holds its lock`)
  expect(performance.now() - started).toBeGreaterThan(50)
  const work = patient.createRun(runRecord({ id: 'run_patient' }))
  let turns = 0
  const ticking = setInterval(() => turns++, 5)
  await sleep(200)
  clearInterval(ticking)
  expect(turns).toBeGreaterThan(15)
  other.exec('COMMIT')
  await work
  expect(await patient.getRun('run_patient')).toMatchObject({ id: 'run_patient' })
  await hasty.createRun(runRecord({ id: 'run_hasty' }))
})

test('an evaluation whose store is locked midway fails with the run and the lock named', async () => {
  const path = join(folder(), 'store.sqlite')
  const store = opened(path, { busyTimeoutMs: 60 })
  const other = new DatabaseSync(path, { timeout: 5_000 })
  onTestFinished(() => other.close())
  const thrown = await thrownBy(
    runEvaluation(
      evaluation({
        data: rows(400),
        store,
        predict: async (text) => {
          if (text === '20') other.exec('BEGIN IMMEDIATE')
          return sleep(2).then(() => text)
        },
      }),
    ),
  )
  expect(thrown).toMatchObject({ code: 'STORE_LOCKED', runId: expect.stringMatching(/^run_/) })
  other.exec('ROLLBACK')
  const run = await openRun(thrown.runId, { store: path })
  expect(run.totals.rows).toBeLessThan(200)
})

test('sqlite() below a regular file cannot be made', async () => {
  const file = join(folder(), 'file')
  writeFileSync(file, 'x')
  const [code, message] = await refused(join(file, 'deep', 'store.sqlite'))
  expect([code, message]).toEqual(['STORE_NOT_WRITABLE', 'Cannot open the store "PATH": ENOTDIR'])
})

/** Runs a module in a process of its own. */
function node(name: string, text: string, args: string[], options: { uid?: number; shell?: string } = {}) {
  const script = join(folder(), `${name}.mjs`)
  writeFileSync(script, text.replaceAll('SRC/', `file://${ROOT}src/`))
  chmodSync(join(script, '..'), 0o755)
  const command = [process.execPath, script, ...args]
  const [file, ...rest] = options.shell ? ['bash', '-c', `${options.shell}; exec "$@"`, 'bash', ...command] : command
  const uid = options.uid === undefined ? {} : { uid: options.uid }
  return spawn(file as string, rest, { stdio: ['ignore', 'pipe', 'pipe'], ...uid })
}

async function ended(
  child: ChildProcess,
): Promise<{ code: number | null; signal: string | null; out: string; err: string }> {
  let [out, err] = ['', '']
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    out += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    err += text
  })
  return new Promise((done) => child.on('close', (code, signal) => done({ code, signal, out, err })))
}

const EVALUATE = `
import { evaluate } from 'SRC/workspace.ts'
import { scorer } from 'SRC/scorer.ts'
const [path, name, count, pad, delay] = process.argv.slice(2)
const data = Array.from({ length: Number(count) }, (_, i) => ({ inputs: name + ' ' + i, tags: { of: name } }))
const predict = async (text) => { if (Number(delay)) await new Promise((done) => setTimeout(done, Number(delay))); return text + 'y'.repeat(Number(pad)) }
const scorers = [scorer('mine', ({ inputs, outputs }) => outputs.startsWith(inputs)), scorer('who', () => name)]
try {
  const run = await evaluate(data, predict, scorers, { store: path, name })
  console.log(JSON.stringify({ id: run.id, rows: run.totals.rows }))
} catch (error) {
  console.log(JSON.stringify({ code: error.code, message: error.message, runId: error.runId }))
}
`

test('sqlite() in a folder that may only be read says so, and can be read where it is there', async ({ skip }) => {
  const root = process.getuid?.() === 0
  if (root === undefined) skip('there are no Unix permissions here')
  const path = join(folder(), 'sealed', 'store.sqlite')
  const id = await filled(path)
  chmodSync(join(path, '..', '..'), 0o755)
  chmodSync(path, 0o444)
  chmodSync(join(path, '..'), 0o555)
  const uid = root ? { uid: 65_534 } : {}
  const writing = JSON.parse((await ended(node('write', EVALUATE, [path, 'x', '3', '0', '0'], uid))).out)
  expect(writing.code).toBe('STORE_NOT_WRITABLE')
  expect(writing.message).toContain(`Cannot write to the store "${path}": attempt to write a readonly database`)
  const READ = `
    import { openRun } from 'SRC/open.ts'
    const run = await openRun('latest', { store: process.argv[2] })
    console.log(run.id, (await Array.fromAsync(run.rows())).length)`
  const reading = await ended(node('read', READ, [path], uid))
  expect([reading.out, reading.err]).toEqual([`${id} 300\n`, ''])
  chmodSync(join(path, '..'), 0o755)
})

test('a store that runs out of space fails the evaluation, names the run, and keeps what was written', async ({
  skip,
}) => {
  if (process.platform === 'win32') skip('there is no ulimit here')
  const path = join(folder(), 'store.sqlite')
  // Not compressible below the limit: 2,000 rows of their own.
  const { out } = await ended(node('full', EVALUATE, [path, 'full', '20000', '0', '0'], { shell: 'ulimit -f 1200' }))
  const thrown = JSON.parse(out)
  expect(thrown.code).toBe('STORE_NOT_WRITABLE')
  expect(thrown.message).toMatch(
    /^Cannot write to the store ".*store\.sqlite": (disk I\/O error|database or disk is full)/,
  )
  const run = await openRun(thrown.runId, { store: path })
  const kept = (await Array.fromAsync(run.rows())).length
  expect(kept).toBeGreaterThan(100)
  expect(kept).toBeLessThan(20_000)
})

test('sqlite() says that a file is damaged, when opening or when it comes to the damage', async () => {
  const path = join(folder(), 'store.sqlite')
  const id = await filled(path, 2_000)
  const file = openSync(path, 'r+')
  const size = statSync(path).size
  for (let at = 40_000; at < size; at += 20_000) writeSync(file, Buffer.alloc(12_000, 0xa5), 0, 12_000, at)
  const store = opened(path, { busyTimeoutMs: 50 })
  const thrown = await thrownBy(Array.fromAsync(store.search({ runId: id })))
  expect(thrown.code).toBe('STORE_NOT_READABLE')
  expect(thrown.message).toContain(`the store "${path}": the file is damaged`)
})

const OPEN = `
import { sqlite } from 'SRC/stores/sqlite.ts'
const [path, at] = process.argv.slice(2)
const store = sqlite(path)
store.prepare()
while (Date.now() < Number(at));
await store.listRuns()
await store.close()
console.log('opened')
`

test('several processes make one store at the same moment, and all of them open it', async () => {
  for (let round = 0; round < 3; round++) {
    const path = join(folder(), 'store.sqlite')
    const at = String(Date.now() + 700)
    const all = await Promise.all(Array.from({ length: 4 }, (_, i) => ended(node(`open${i}`, OPEN, [path, at]))))
    expect(all.map(({ out, err }) => out + err)).toEqual(Array(4).fill('opened\n'))
  }
})

test('four processes write one store at once: nothing is lost, nothing is mixed', async () => {
  const path = join(folder(), 'store.sqlite')
  const names = ['a', 'b', 'c', 'd']
  const results = await Promise.all(names.map((name) => ended(node(name, EVALUATE, [path, name, '500', '30', '1']))))
  for (const { err } of results) expect(err).toBe('')
  const store = opened(path)
  for (const [i, { out }] of results.entries()) {
    const { id, rows: count } = JSON.parse(out) as { id: string; rows: number }
    expect(count).toBe(500)
    const run = await store.getRun(id)
    expect(run).toMatchObject({ status: 'finished', name: names[i], totals: { rows: 500 } })
    const stored = await Array.fromAsync(store.search({ runId: id }))
    expect(stored.map(({ trace }) => trace.inputs)).toEqual(Array.from({ length: 500 }, (_, n) => `"${names[i]} ${n}"`))
    for (const { trace, assessments } of stored) {
      expect(trace.tags).toEqual({ of: names[i] })
      expect(assessments.map(({ name, value }) => [name, value])).toEqual([
        ['mine', true],
        ['who', names[i]],
      ])
    }
  }
  expect(await store.count({})).toBe(2_000)
  const db = new DatabaseSync(path)
  expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
  db.close()
})

test('a process that is killed midway leaves a run that can be read, counted, and is marked as interrupted', async () => {
  const path = join(folder(), 'store.sqlite')
  const child = node('killed', EVALUATE, [path, 'killed', '100000', '30', '1'])
  const end = ended(child)
  const store = opened(path)
  let seen = 0
  while (seen < 300) {
    await sleep(20)
    const [run] = existsSync(path) ? await store.listRuns() : []
    seen = run ? await store.count({ runId: run.id }) : 0
  }
  expect((await openRun('killed', { store: path })).status).toBe('running')
  child.kill('SIGKILL')
  expect((await end).signal).toBe('SIGKILL')
  const run = await openRun('latest', { store: path })
  expect(run).toMatchObject({
    name: 'killed',
    status: 'interrupted',
    notFinal: 'interrupted: its process ended before it did',
  })
  const kept = await Array.fromAsync(run.rows())
  expect(kept.length).toBeGreaterThanOrEqual(seen)
  expect(run.totals).toMatchObject({ rows: kept.length, failed: 0 })
  expect(run.columns.mine).toMatchObject({ rows: kept.length, scored: kept.length, passed: kept.length })
  expect(await run.search('feedback.mine = true').count()).toBe(kept.length)
})

test('sqlite() can be closed twice and opened again', async () => {
  const path = join(folder(), 'store.sqlite')
  const store = opened(path)
  await store.createRun(runRecord({ id: 'run_1' }))
  await Promise.all([store.close(), store.close()])
  await store.close()
  expect(await store.getRun('run_1')).toMatchObject({ id: 'run_1' })
})

test('sqlite() lets its thread end by itself, also while the next one opens the file', async () => {
  const terminate = vi.spyOn(Worker.prototype, 'terminate')
  onTestFinished(() => terminate.mockRestore())
  const threads = () => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort' || name === 'Worker')
  const before = threads()
  for (let i = 0; i < 5; i++) {
    const store = opened(join(folder(), 'store.sqlite'))
    await store.createRun(runRecord({ id: 'run_1' }))
    const closing = store.close()
    const again = store.getRun('run_1')
    await closing
    expect(await again).toMatchObject({ id: 'run_1' })
    await store.close()
  }
  expect(terminate).not.toHaveBeenCalled()
  expect(threads()).toEqual(before)
})

test('sqlite() lets a writer wait rather than pile rows up in memory', async () => {
  const path = join(folder(), 'store.sqlite')
  const store = opened(path)
  const run = await runEvaluation(
    evaluation({
      data: rows(6_000),
      store,
      maxConcurrency: 50,
      predict: (text) => text,
      scorers: [scorer('a', () => true)],
    }),
  )
  expect(await store.count({ runId: run.id })).toBe(6_000)
  expect((await storedOf(store, run)).map(({ trial }) => trial?.index)).toEqual(rows(6_000).map((_, i) => i))
})

test('sqlite() that could not write a batch says so at every write that follows', async () => {
  const path = join(folder(), 'store.sqlite')
  const store = opened(path)
  await store.createRun(runRecord({ id: 'run_1' }))
  const trial = (id: string) =>
    ({
      index: 0,
      repeat: 0,
      rowId: 'r',
      status: 'ok',
      attempts: 1,
      trace: {
        id,
        experiment: 'e',
        status: 'OK',
        requestTimeMs: 1,
        requestTimeSubNs: 0,
        tags: {},
        metadata: {},
        spans: '',
      },
      assessments: [],
    }) as const
  await store.writeTrial('run_1', trial('tr-1'))
  // The same place of the same run a second time.
  await store.writeTrial('run_1', trial('tr-2'))
  const thrown = await thrownBy(store.flush())
  expect(thrown).toMatchObject({ name: 'EvaluationError', code: 'STORE_NOT_WRITABLE' })
  expect(() => store.writeTrial('run_1', trial('tr-3'))).toThrow(thrown.message)
})

test('a damaged assessment is not sealed anew as if it were whole, by whatever changes it or its neighbours', async () => {
  const path = join(folder(), 'store.sqlite')
  const before = sqlite(path)
  const run = await runEvaluation(
    evaluation({
      data: rows(2),
      store: before,
      predict: (n) => n,
      scorers: [scorer('s', () => 1), scorer('t', () => 2)],
    }),
  )
  const [first] = await storedOf(before, run)
  await before.close()
  const db = new DatabaseSync(path)
  db.exec('UPDATE assessments SET num = 9 WHERE num = 1')
  db.close()
  const store = opened(path)
  const traceId = first?.trace.id as string
  const write = { kind: 'feedback', name: 's', value: 3, source: { type: 'HUMAN', id: 'a' }, createdAt: 1 } as const
  for (const work of [
    () => store.updateAssessment(`${traceId}.0`, { rationale: 'r', updatedAt: 1 }),
    () => store.updateAssessment(`${traceId}.1`, { rationale: 'r', updatedAt: 1 }),
    () => store.deleteAssessment(`${traceId}.1`),
    () => store.logAssessment(traceId, write),
  ]) {
    expect(await thrownBy(work())).toMatchObject({
      code: 'STORE_NOT_READABLE',
      message: `Cannot read the store "${path}": the file is damaged (an assessment of trace "${traceId}" is not as it was written)`,
    })
  }
  expect(await store.getRun(run.id)).toEqual(run)
})

test('a run that was corrected, and of which rows are lost, is shown as not counted', async () => {
  const path = join(folder(), 'store.sqlite')
  const before = sqlite(path)
  const run = await runEvaluation(
    evaluation({ data: rows(3), store: before, predict: (n) => n, scorers: [scorer('s', () => true)] }),
  )
  const [first, second] = await storedOf(before, run)
  await before.updateAssessment(first?.assessments[0]?.id as string, { value: false, updatedAt: 1 })
  await before.close()
  const db = new DatabaseSync(path)
  db.prepare("UPDATE traces SET outputs = 'other' WHERE id = ?").run(second?.trace.id as string)
  db.close()
  const shown = await openRun(run.id, { store: path })
  expect(shown.notFinal).toBe('not counted: 1 correction')
  expect(shown.metrics).toEqual({ 's/mean': 1 })
})
