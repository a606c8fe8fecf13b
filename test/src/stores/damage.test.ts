import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import { runEvaluation } from '../../../src/evaluate.ts'
import { feedback } from '../../../src/feedback.ts'
import { listRuns, openRun, searchTraces } from '../../../src/open.ts'
import { scorer } from '../../../src/scorer.ts'
import { unitHash } from '../../../src/std/random.ts'
import { type StoredTrace, toTrace } from '../../../src/store.ts'
import { DirectReader } from '../../../src/stores/direct.ts'
import { sqlite } from '../../../src/stores/sqlite.ts'
import type { Trace } from '../../../src/trace.ts'
import { evaluation, folder, thrownBy } from '../../data/evaluation.ts'

const ROWS = 300

/** A store of two runs, the second of which evaluated traces of the first, with something of everything that is kept. */
interface Whole {
  readonly bytes: Buffer
  readonly runs: ReadonlyMap<string, readonly StoredTrace[]>
}

let made: Promise<Whole> | undefined
let large: Promise<Whole> | undefined

/** Made once, for all tests. */
function wholeStore(): Promise<Whole> {
  made ??= makeStore()
  return made
}

async function makeStore(rows = ROWS): Promise<Whole> {
  const path = join(folder(), 'store.sqlite')
  const store = sqlite(path)
  const data = Array.from({ length: rows }, (_, i) => ({
    inputs: { question: `Question ${i}`, text: i % 7 === 0 ? 'long '.repeat(500) : 'short' },
    expectations: { length: i },
    tags: { part: String(i % 3), of: 'the first' },
  }))
  const predict = ({ question }: { question: string }) => {
    if (question.endsWith('13')) throw new Error('the backend is down')
    return { answer: question.toUpperCase(), of: [1, 2.5, null] }
  }
  const scorers = [
    scorer('short', ({ inputs }) => feedback({ value: inputs.text === 'short', rationale: `of ${inputs.question}` })),
    scorer('share', ({ expectations }) => expectations.length / rows),
    scorer('kind', ({ outputs }) => ({ name: 'kind', value: outputs.answer.at(-1) })),
  ]
  const first = await runEvaluation(evaluation({ data, store, predict, scorers }))
  const some = await Array.fromAsync(store.search({ runId: first.id, limit: 100 }))
  const second = await runEvaluation(
    evaluation({ data: some.map(toTrace), store, scorers: scorers.slice(1), name: 'again' }),
  )
  const runs = new Map<string, readonly StoredTrace[]>()
  for (const { id } of [first, second]) runs.set(id, await Array.fromAsync(store.search({ runId: id })))
  await store.close()
  return { bytes: readFileSync(path), runs }
}

/** What can be read of a damaged copy, run by run. */
interface Reading {
  readonly read: number
  /** Records that are not what was written. */
  readonly invented: readonly StoredTrace[]
  readonly problems: readonly string[]
}

async function readingOf(path: string, bytes: Buffer, { runs }: Whole): Promise<Reading> {
  writeFileSync(path, bytes)
  let read = 0
  const invented: StoredTrace[] = []
  const problems: string[] = []
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      // Anything else is a fault of ours: it fails the test.
      expect(error).toMatchObject({ name: 'EvaluationError', message: expect.stringContaining(path) })
      problems.push((error as Error).message)
    }
  }
  await attempt(async () => {
    const reader = new DirectReader(path)
    try {
      for (const [id, originals] of runs) {
        const left = new Map(originals.map((one) => [one.trial?.index, one]))
        await attempt(async () => {
          for await (const stored of reader.search({ runId: id })) {
            read++
            const original = left.get(stored.trial?.index)
            left.delete(stored.trial?.index)
            if (!isDeepStrictEqual(stored, original)) invented.push(stored)
          }
          if (left.size > 0) problems.push('')
        })
      }
    } finally {
      reader.close()
    }
  })
  return { read, invented, problems }
}

const TOTAL = ROWS + 100
const random = (what: string, n: number, below: number) => Math.floor(unitHash(what, String(n)) * below)

test('a run whose record is lost says how to look at its rows', async () => {
  const { bytes, runs } = await wholeStore()
  const path = join(folder(), 'store.sqlite')
  const [id] = runs.keys()
  const at = bytes.indexOf(`"id":"${id}","name":"evaluation"`)
  expect(at).toBeGreaterThan(0)
  const damaged = Buffer.from(bytes)
  damaged[at + 40] = (damaged[at + 40] as number) ^ 1
  writeFileSync(path, damaged)
  const thrown = await thrownBy(openRun(id as string, { store: path }))
  expect(thrown).toMatchObject({
    code: 'STORE_NOT_READABLE',
    hint: `what is left of its rows: vitest-evaluate search --run ${id}`,
  })
  const found: Trace[] = []
  const reading = thrownBy(
    (async () => {
      for await (const trace of searchTraces({ runId: id as string, store: path })) found.push(trace)
    })(),
  )
  expect((await reading).message).toMatch(/the file is damaged, and this is lost: the record of the run$/)
  expect(found.map(({ outputs }) => outputs)).toEqual(runs.get(id as string)?.map((one) => toTrace(one).outputs))
})

test('a store whose runs cannot all be listed names those that can still be opened', async () => {
  const { bytes, runs } = await wholeStore()
  const [first, second] = runs.keys()
  const path = join(folder(), 'store.sqlite')
  const at = bytes.indexOf(`"id":"${second}","name":"again"`)
  expect(at).toBeGreaterThan(0)
  const damaged = Buffer.from(bytes)
  damaged[at + 40] = (damaged[at + 40] as number) ^ 1
  writeFileSync(path, damaged)
  for (const reading of [listRuns({ store: path }), openRun('latest', { store: path })]) {
    expect(await thrownBy(reading)).toMatchObject({
      code: 'STORE_NOT_READABLE',
      message: expect.stringContaining('the file is damaged (it does not hold every run any more)'),
      hint: `whole are the records of ${first}; rows may be left of ${second}: vitest-evaluate search --run ${second}`,
    })
  }
  expect((await openRun(first as string, { store: path })).totals.rows).toBe(ROWS)
})

test.each([0.6, 0.75, 0.9])(
  'of a run that was interrupted, what is whole can be read of %s of the file',
  async (share) => {
    const { bytes, runs } = await wholeStore()
    const path = join(folder(), 'store.sqlite')
    writeFileSync(path, bytes)
    const [id, originals] = [...runs][0] as [string, readonly StoredTrace[]]
    const store = sqlite(path)
    const record = await store.getRun(id)
    if (!record) throw new Error('no record')
    await store.updateRun({ ...record, status: 'interrupted' })
    await store.close()
    const whole = readFileSync(path)
    writeFileSync(path, whole.subarray(0, Math.floor(whole.length * share)))
    const read = async () => {
      const found: Trace[] = []
      const fault = await thrownBy(
        (async () => {
          for await (const trace of searchTraces({ runId: id, store: path })) found.push(trace)
        })(),
      )
      return { found, fault }
    }
    const { found, fault } = await read()
    expect(fault.message).toMatch(/the file is damaged, and this is lost: (rows? \d|every row from)/)
    expect(found.length).toBeGreaterThan(0)
    const known = new Set(originals.map((one) => toTrace(one).id))
    expect(found.every((trace) => known.has(trace.id))).toBe(true)
  },
)

test('a damaged store that is cut off is never written to', async () => {
  const { bytes } = await wholeStore()
  const path = join(folder(), 'store.sqlite')
  const torn = bytes.subarray(0, Math.floor(bytes.length / 2))
  writeFileSync(path, torn)
  const store = sqlite(path)
  const thrown = await thrownBy(runEvaluation(evaluation({ data: [{ inputs: 1 }], store, predict: (n) => n })))
  await store.close()
  expect(thrown).toMatchObject({ code: 'STORE_NOT_READABLE', message: expect.stringContaining('the file is damaged') })
  expect(readFileSync(path).equals(torn)).toBe(true)
})

test('a store with a flipped bit gives what is whole, names what is lost, and invents nothing', async () => {
  const whole = await wholeStore()
  const path = join(folder(), 'store.sqlite')
  let [readable, harmed] = [0, 0]
  for (let n = 0; n < 250; n++) {
    const bytes = Buffer.from(whole.bytes)
    const at = random('byte', n, bytes.length)
    bytes[at] = (bytes[at] as number) ^ (1 << random('bit', n, 8))
    const { read, invented, problems } = await readingOf(path, bytes, whole)
    expect(invented, `flip ${n}`).toEqual([])
    expect(problems, `flip ${n}`).not.toContain('')
    if (read < TOTAL) {
      harmed++
      expect(problems, `flip ${n}`).not.toEqual([])
    }
    readable += read
  }
  expect(harmed).toBeGreaterThan(50)
  expect(readable / (250 * TOTAL)).toBeGreaterThan(0.9)
})

test('a store that was cut off gives what is whole, names what is lost, and invents nothing', async () => {
  const whole = await wholeStore()
  const path = join(folder(), 'store.sqlite')
  let readable = 0
  for (let n = 0; n < 60; n++) {
    const { read, invented, problems } = await readingOf(
      path,
      whole.bytes.subarray(0, random('cut', n, whole.bytes.length)),
      whole,
    )
    expect(invented, `cut ${n}`).toEqual([])
    expect(problems, `cut ${n}`).not.toContain('')
    if (read < TOTAL) expect(problems, `cut ${n}`).not.toEqual([])
    readable += read
  }
  // Half of every file is gone, on average; what lay before the cut need not lie there whole.
  expect(readable / (60 * TOTAL)).toBeGreaterThan(0.2)
})

test.each([0.25, 0.5, 0.75])(
  'of a large store, most of what lay in the first %s of the file can be read, and what is lost is named',
  async (share) => {
    large ??= makeStore(3_000)
    const whole = await large
    const path = join(folder(), 'store.sqlite')
    const torn = whole.bytes.subarray(0, Math.floor(whole.bytes.length * share))
    const { read, invented, problems } = await readingOf(path, torn, whole)
    expect(invented).toEqual([])
    expect(read).toBeGreaterThan(0.6 * share * 3_100)
    expect(problems).toEqual([expect.stringMatching(/this is lost: rows? \d/), expect.stringMatching(/this is lost: /)])
  },
)

test('a search of a store that was cut off takes the filter, the order and the limit that it is given', async () => {
  large ??= makeStore(3_000)
  const { bytes, runs } = await large
  const path = join(folder(), 'store.sqlite')
  writeFileSync(path, bytes.subarray(0, Math.floor(bytes.length / 2)))
  const [id, originals] = [...runs][0] as [string, readonly StoredTrace[]]
  const left = new Set<string>()
  const found: Trace[] = []
  const fault = await thrownBy(
    (async () => {
      for await (const trace of searchTraces({ runId: id, store: path })) left.add(trace.id)
    })(),
  )
  expect(fault).toMatchObject({ code: 'STORE_NOT_READABLE' })
  const query = {
    runId: id,
    store: path,
    filter: "tag.part = '1' AND feedback.short = true",
    orderBy: 'timestamp_ms DESC',
  }
  expect(
    await thrownBy(
      (async () => {
        for await (const trace of searchTraces(query)) found.push(trace)
      })(),
    ),
  ).toMatchObject({ code: 'STORE_NOT_READABLE' })
  const wanted = originals.filter(
    ({ trace, trial }) => left.has(trace.id) && trace.tags.part === '1' && (trial?.index ?? 0) % 7 !== 0,
  )
  // A row that failed has no Feedback with a value.
  const ids = wanted.filter(({ assessments }) =>
    assessments.some(({ name, value }) => name === 'short' && value === true),
  )
  expect(new Set(found.map((trace) => trace.id))).toEqual(new Set(ids.map(({ trace }) => trace.id)))
  const times = found.map(({ requestTimeMs }) => requestTimeMs)
  expect(times).toEqual(times.toSorted((a, b) => b - a))
  const first = await Array.fromAsync(searchTraces({ runId: id, store: path, maxResults: 5 }))
  expect(first.map((trace) => trace.id)).toEqual([...left].slice(0, 5))
})

test('a run whose record a store that was cut off still holds is opened', async () => {
  large ??= makeStore(3_000)
  const { bytes, runs } = await large
  const path = join(folder(), 'store.sqlite')
  writeFileSync(path, bytes.subarray(0, Math.floor(bytes.length / 2)))
  const [id] = runs.keys()
  expect((await openRun(id as string, { store: path })).totals.rows).toBe(3_000)
})
