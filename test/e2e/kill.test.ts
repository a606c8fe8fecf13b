import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import type { Run } from '../../src/handle.ts'
import { openRun } from '../../src/open.ts'
import type { RunRecord } from '../../src/run.ts'
import { monotonicMs, sleep } from '../../src/std/async.ts'
import { unitHash } from '../../src/std/random.ts'
import type { TrialPlace } from '../../src/store.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { folder } from '../data/evaluation.ts'
import { ROOT } from './project.ts'

/** Processes that end before their evaluation does: what they had committed is there, and is not paid again. */

const ROWS = 2_000
const CONCURRENCY = 16
const KILLS = Number(process.env.VITEST_EVALUATE_KILLS ?? 50)
/** What finished less long ago may not be committed yet: 10 ms for a batch to fill, 40 ms for a commit, and a busy machine. */
const UNSAFE_MS = 250

/** An app behind a server: a call is what costs money. The script takes server, store, options of `evaluate` and what happens midway. */
const CHILD = `
import { evaluate, feedback, scorer } from '${pathToFileURL(join(ROOT, 'dist/src/index.js'))}'

const [url, store, options, midway] = process.argv.slice(2)
const { rows, ...given } = JSON.parse(options)
const data = Array.from({ length: rows }, (_, n) => ({ inputs: { n }, expectations: { odd: n % 2 === 1 }, tags: { third: String(n % 3) } }))
const hoard = []

async function answer({ n }) {
  const { square } = await (await fetch(url + '/' + n)).json()
  if (midway === 'exit' && n === 500) process.exit(7)
  if (midway === 'memory' && n >= 500) hoard.push(Array.from({ length: 200_000 }, (_, i) => ({ i })))
  return { square }
}
const right = scorer({ name: 'right', version: '1' }, ({ inputs, outputs }) =>
  feedback({ value: outputs.square % 7 !== 0, rationale: inputs.n + ' gave ' + outputs.square }))

const run = await evaluate(data, answer, [right], { store, ...given })
console.log(JSON.stringify({ id: run.id, rows: run.totals.rows }))
`

interface Call {
  readonly n: number
  readonly life: number
  /** When its answer was sent; missing while it is in flight. */
  answeredMs?: number
}

/** A server that counts who asks for what, and answers after some milliseconds. */
async function counting() {
  const calls: Call[] = []
  const counter = { calls, life: 0, onCall: () => {} }
  const server = createServer(async ({ url = '' }, response) => {
    const n = Number(url.slice(1))
    const call: Call = { n, life: counter.life }
    calls.push(call)
    counter.onCall()
    await sleep(2 + 6 * unitHash('delay', String(calls.length)))
    response.end(JSON.stringify({ square: n * n }))
    call.answeredMs = monotonicMs()
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return Object.assign(counter, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

interface Child {
  readonly process: ChildProcess
  readonly ended: Promise<Ended>
}

interface Start {
  readonly place: string
  readonly url: string
  readonly options?: object
  readonly midway?: 'exit' | 'memory'
  readonly node?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

function start({ place, url, options, midway, node = [], env = {} }: Start): Child {
  const script = join(place, 'child.mjs')
  if (!existsSync(script)) writeFileSync(script, CHILD)
  const given = JSON.stringify({ rows: ROWS, name: 'killed', maxConcurrency: CONCURRENCY, resume: true, ...options })
  const args = [...node, script, url, join(place, 'store.sqlite'), given, ...(midway ? [midway] : [])]
  const child = spawn(process.execPath, args, {
    cwd: place,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    err += text
  })
  const ended = new Promise<Ended>((done) => {
    child.on('close', (code, signal) => done({ code, signal, out, err }))
  })
  return { process: child, ended }
}

/** Makes the folder a working tree with a commit, and nothing that could change. */
function gitFolder(place: string): void {
  writeFileSync(join(place, '.gitignore'), '*\n')
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], { cwd: place })
  git('init', '--quiet')
  git('add', '--force', '.gitignore')
  git('commit', '--quiet', '--message', 'start')
}

interface Kept {
  /** Newest first. */
  readonly runs: readonly RunRecord[]
  /** By run id. */
  readonly trials: ReadonlyMap<string, readonly TrialPlace[]>
}

/** Reads a copy, so that the file itself is left to the next process as the killed one left it. */
async function readCopy(place: string, name: string): Promise<Kept> {
  const path = join(place, `${name}.sqlite`)
  for (const ending of ['', '-wal']) {
    const file = join(place, `store.sqlite${ending}`)
    if (existsSync(file)) copyFileSync(file, path + ending)
  }
  if (!existsSync(path)) return { runs: [], trials: new Map() }
  const store = sqlite(path)
  const runs = await store.listRuns()
  const trials = new Map<string, readonly TrialPlace[]>()
  for (const { id } of runs) trials.set(id, await store.trials(id))
  await store.close()
  return { runs, trials }
}

/** Gives the rows of the newest run and of those that it goes on from. */
function rowsOfChain({ runs, trials }: Kept): Set<number> {
  const found = new Set<number>()
  for (let run = runs[0]; run; ) {
    for (const { index } of trials.get(run.id) ?? []) found.add(index)
    const { resumedFrom }: RunRecord = run
    run = runs.find(({ id }) => id === resumedFrom)
  }
  return found
}

const plainColumns = ({ record }: Run) => JSON.parse(JSON.stringify(record.columns))

/** Everything about the rows of a run but ids of traces and times. */
async function plainRows(run: Run) {
  return (await Array.fromAsync(run.rows())).map(({ trace, ...row }) => ({
    ...row,
    feedback: Object.values(row.feedback).map(({ name, value, rationale, error, source }) => ({
      name,
      value,
      rationale,
      error,
      source,
    })),
  }))
}

function quality(path: string): unknown {
  const db = new DatabaseSync(path)
  try {
    return db.prepare('PRAGMA integrity_check').get()
  } finally {
    db.close()
  }
}

test('evaluate() that is killed again and again loses no committed row, pays none twice, and ends as if nothing had been', {
  timeout: 60_000 + KILLS * 5_000,
}, async () => {
  const place = folder()
  const path = join(place, 'store.sqlite')
  const server = await counting()
  const chance = (what: string): number => unitHash(what, String(server.life))
  gitFolder(place)

  let committed = new Set<number>()
  const seen = new Map<string, number>()
  const paidTwice: number[] = []
  const ages: number[] = []
  let kills = 0
  while (kills < KILLS) {
    server.life++
    const left = ROWS - committed.size
    const share = left / (KILLS - kills + 1) + CONCURRENCY
    const afterCalls = Math.max(1, Math.min(Math.ceil(2 * chance('calls') * share), left - 5 * CONCURRENCY))
    // Some are killed before their first call: while they start, read what is there, and take it over.
    const afterMs = chance('early') < 0.3 ? chance('ms') * 600 : 60_000
    const child = start({ place, url: server.url })
    const timer = setTimeout(() => child.process.kill('SIGKILL'), afterMs)
    const first = server.calls.length
    server.onCall = () => {
      if (server.calls.length - first === afterCalls) {
        setTimeout(() => child.process.kill('SIGKILL'), chance('late') * 8)
      }
    }
    const { signal, code, err } = await child.ended
    const killedMs = monotonicMs()
    clearTimeout(timer)
    expect([signal, code], `life ${server.life} ended by itself: ${err}`).toEqual(['SIGKILL', null])
    kills++

    const kept = await readCopy(place, 'copy')
    const now = rowsOfChain(kept)
    const lost = [...committed].filter((n) => !now.has(n))
    expect(lost, `rows lost by kill ${kills}`).toEqual([])
    for (const [id, trials] of kept.trials) {
      const places = new Set(trials.map(({ index, repeat }) => `${index}/${repeat}`))
      expect(places.size, `places of ${id}`).toBe(trials.length)
      expect(trials.length, `rows of ${id}`).toBeGreaterThanOrEqual(seen.get(id) ?? 0)
      seen.set(id, trials.length)
    }
    const calls = server.calls.slice(first)
    const again = calls.filter(({ n }) => committed.has(n)).map(({ n }) => n)
    expect(again, `rows that were committed, and were paid again before kill ${kills}`).toEqual([])
    // What was called and not kept will be paid again: it was in flight, or had come just now.
    const wasted = calls.filter(({ n }) => !now.has(n))
    expect(wasted.filter(({ answeredMs }) => answeredMs === undefined).length).toBeLessThanOrEqual(CONCURRENCY)
    for (const { answeredMs } of wasted) if (answeredMs !== undefined) ages.push(killedMs - answeredMs)
    paidTwice.push(wasted.length)
    committed = now
  }
  expect(kills).toBe(KILLS)
  expect(committed.size).toBeGreaterThan(ROWS / 2)
  expect(committed.size).toBeLessThan(ROWS)
  expect(Math.max(0, ...ages), 'age of an answer that was lost, ms').toBeLessThan(UNSAFE_MS)

  server.life++
  const end = await start({ place, url: server.url }).ended
  expect(end.err).toBe('')
  const run = await openRun(JSON.parse(end.out).id, { store: path })
  const total = server.calls.length
  const twice = paidTwice.reduce((sum, n) => sum + n, 0)
  expect(total).toBe(ROWS + twice)
  console.log(
    `${kills} kills of ${ROWS} rows: ${total} calls, ${twice} paid twice (${(twice / kills).toFixed(1)} per kill, at most ${Math.max(...paidTwice)}); the oldest answer that was lost was ${Math.max(0, ...ages).toFixed(0)} ms old`,
  )

  const other = join(place, 'other')
  mkdirSync(other)
  const uninterrupted = await start({ place: other, url: server.url }).ended
  const whole = await openRun(JSON.parse(uninterrupted.out).id, { store: join(other, 'store.sqlite') })
  expect(server.calls.length - total).toBe(ROWS)
  expect(run).toMatchObject({ status: 'finished', problems: [], totals: { rows: ROWS, failed: 0 } })
  expect(run.totals.reused?.predictions).toBe(committed.size)
  expect(plainColumns(run)).toEqual(plainColumns(whole))
  expect(run.record.worst.map(({ index, rowId }) => [index, rowId])).toEqual(
    whole.record.worst.map(({ index, rowId }) => [index, rowId]),
  )
  expect(await plainRows(run)).toEqual(await plainRows(whole))
  await run.store.close()
  await whole.store.close()
  expect(quality(path)).toEqual({ integrity_check: 'ok' })
})

const ENDS = {
  SIGTERM: { kill: 'SIGTERM', code: null, signal: 'SIGTERM' },
  'process.exit()': { midway: 'exit', code: 7, signal: null },
  'memory running out': { midway: 'memory', node: ['--max-old-space-size=64'], code: null, signal: 'SIGABRT' },
} as const

test.for(Object.keys(ENDS) as (keyof typeof ENDS)[])(
  'evaluate() that ends by %s leaves a run that reads as interrupted, and can be resumed',
  async (how) => {
    const place = folder()
    const path = join(place, 'store.sqlite')
    const server = await counting()
    const end: { kill?: NodeJS.Signals; code: number | null; signal: string | null } & Pick<Start, 'midway' | 'node'> =
      ENDS[how]
    const { kill, code, signal, ...given } = end
    const child = start({ place, url: server.url, ...given })
    server.onCall = () => {
      if (kill && server.calls.length === 600) child.process.kill(kill)
    }
    expect(await child.ended).toMatchObject({ code, signal, out: '' })
    const cut = await openRun('killed', { store: path })
    const rows = await Array.fromAsync(cut.rows())
    expect(cut).toMatchObject({ status: 'interrupted', notFinal: 'interrupted: its process ended before it did' })
    expect(cut.totals).toMatchObject({ rows: rows.length, failed: 0 })
    expect(cut.columns.right?.scored).toBe(rows.length)
    expect(rows.length).toBeGreaterThan(300)
    for (const { inputs, outputs } of rows) expect(outputs).toEqual({ square: (inputs as { n: number }).n ** 2 })

    const paid = server.calls.length
    const resumed = await start({ place, url: server.url }).ended
    expect(JSON.parse(resumed.out)).toMatchObject({ rows: ROWS })
    expect(server.calls.length).toBe(paid + ROWS - rows.length)
    await cut.store.close()
  },
)

test('evaluate() in two processes at once, and in a third that is killed, keeps every run of the store whole', async () => {
  const place = folder()
  const path = join(place, 'store.sqlite')
  const server = await counting()
  const [one, two, third] = [
    start({ place, url: server.url }),
    start({ place, url: server.url }),
    start({ place, url: server.url, options: { name: 'third' } }),
  ]
  server.onCall = () => {
    if (server.calls.length === 1_500) third.process.kill('SIGKILL')
  }
  const ends = await Promise.all([one.ended, two.ended])
  expect((await third.ended).signal).toBe('SIGKILL')
  for (const { out, err } of ends) {
    expect(err).toBe('')
    const run = await openRun(JSON.parse(out).id, { store: path })
    expect(run).toMatchObject({ status: 'finished', problems: [], totals: { rows: ROWS, failed: 0 } })
    // Neither takes over what the other is still at work on.
    expect(run.record.resumedFrom).toBeUndefined()
    const rows = await Array.fromAsync(run.rows())
    expect(rows.map(({ inputs, outputs }) => [(inputs as { n: number }).n, outputs.square])).toEqual(
      Array.from({ length: ROWS }, (_, n) => [n, n * n]),
    )
  }
  const killed = await openRun('third', { store: path })
  expect(killed.status).toBe('interrupted')
  expect(killed.totals.rows).toBeGreaterThan(100)
  expect(killed.totals.rows).toBeLessThan(ROWS)
  await killed.store.close()
  expect(quality(path)).toEqual({ integrity_check: 'ok' })
})

test('evaluate() that is killed before git has answered can be resumed if it was to resume itself, else says what is unknown', async () => {
  const server = await counting()
  const killedEarly = async (resume: boolean) => {
    const place = folder()
    gitFolder(place)
    const slow = join(place, 'bin')
    mkdirSync(slow)
    writeFileSync(join(slow, 'git'), `#!/bin/sh\nPATH="\${PATH#*:}"\nsleep 2\nexec git "$@"\n`, { mode: 0o755 })
    const child = start({ place, url: server.url, env: { PATH: `${slow}:${process.env.PATH}` }, options: { resume } })
    const first = server.calls.length
    server.onCall = () => {
      if (server.calls.length === first + 300) child.process.kill('SIGKILL')
    }
    expect((await child.ended).signal).toBe('SIGKILL')
    return start({ place, url: server.url }).ended
  }
  const resumed = await killedEarly(true)
  expect(JSON.parse(resumed.out)).toMatchObject({ rows: ROWS })
  const refused = await killedEarly(false)
  expect(refused.err).toMatch(/Cannot resume "killed" from run_\w+: the commit was unknown and is [0-9a-f]{8}\n/)
  expect(refused.err).toContain('RESUME_REFUSED')
})
