import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EvaluationError } from '../../src/errors.ts'
import type { RunSnapshot } from '../../src/exporter.ts'
import { flatten } from '../../src/exporters/flat.ts'
import { exporters } from '../../src/exporters/index.ts'
import { encodeSpans } from '../../src/trace.ts'
import { collect, column, snapshot, stored } from '../src/exporters/snapshot.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'exporters-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

const formats = exporters.map((exporter) => [exporter.extensions[0] as string, exporter] as const)
const lossless = formats.filter(([, exporter]) => exporter.read)

const NAMES = [
  'polite',
  '__proto__',
  'constructor',
  'record',
  'index',
  'a"b',
  'two\nlines',
  'é,;',
  'x',
  'x.rationale',
  '',
]
const HOSTILE = ['', '=1+1', '\0', '\ud800', '😀', '"', '\r\n', '\u2028', '-3', "'"]
const SPAN = {
  id: '0000000000000001',
  name: 'call',
  type: 'TOOL',
  startTimeNs: 1_700_000_000_000_000_123n,
  endTimeNs: 1_700_000_000_000_000_456n,
  status: 'OK',
  inputs: { __proto__: null, n: 1n },
  attributes: {},
  events: [],
} as const

function hostileRun(): RunSnapshot {
  const trials = HOSTILE.map((text, i) =>
    stored(i, {
      inputs: { [text]: text, ['__proto__']: text },
      outputs: text,
      expectations: { answer: text, ['__proto__']: new Map([[text, 1n]]) },
      feedback: NAMES.map((name) => ({ name, value: i % 2 === 0, rationale: text })),
      trace: { tags: { [text]: text }, spans: i % 2 === 0 ? encodeSpans([SPAN]) : '' },
    }),
  )
  const names = [...NAMES, 'long'.repeat(2_500), '\ud800', '\ud801']
  return snapshot(trials, { columns: names.map((name) => column(name)) })
}

test.each(formats)(
  '%s write() makes the same bytes from the same run, in folders that are missing, and leaves nothing else',
  async (ending, exporter) => {
    const place = join(folder, `same${ending}`, 'deep')
    await exporter.write(hostileRun(), join(place, `one${ending}`))
    await exporter.write(hostileRun(), join(place, `two${ending}`))
    const [one, two] = await Promise.all(['one', 'two'].map((name) => readFile(join(place, `${name}${ending}`))))
    expect(one?.length).toBeGreaterThan(100)
    expect(one?.equals(two as Buffer)).toBe(true)
    expect(await readdir(place)).toEqual([`one${ending}`, `two${ending}`])
  },
)

test.each(formats)('%s write() keeps the old file when the run breaks off', async (ending, exporter) => {
  const place = join(folder, `broken${ending}`)
  await mkdir(place)
  const path = join(place, `run${ending}`)
  await writeFile(path, 'old')
  const breaking: RunSnapshot = {
    ...hostileRun(),
    async *trials() {
      yield stored(0, { inputs: { a: 1 } })
      throw new EvaluationError('STORE_NOT_READABLE', 'the store is gone')
    },
  }
  await expect(exporter.write(breaking, path)).rejects.toMatchObject({ code: 'STORE_NOT_READABLE' })
  expect(await readFile(path, 'utf8')).toBe('old')
  expect(await readdir(place)).toEqual([`run${ending}`])
})

test.each(formats)('%s write() names the path when the file system refuses', async (ending, exporter) => {
  const below = join(folder, `file${ending}`)
  await writeFile(below, '')
  const refused = exporter.write(hostileRun(), join(below, `run${ending}`))
  await expect(refused).rejects.toThrow(`Cannot export to ${JSON.stringify(join(below, `run${ending}`))}: `)
  await expect(refused).rejects.toMatchObject({
    name: 'EvaluationError',
    code: 'EXPORT_FAILED',
    cause: expect.any(Error),
  })

  const place = join(folder, `folder${ending}`)
  await mkdir(join(place, `run${ending}`), { recursive: true })
  const onFolder = exporter.write(hostileRun(), join(place, `run${ending}`))
  await expect(onFolder).rejects.toMatchObject({
    code: 'EXPORT_FAILED',
    message: expect.stringMatching(/it is a folder$/),
  })
  expect(await readdir(place)).toEqual([`run${ending}`])
})

test.each(formats)('%s write() takes a run without trials', async (ending, exporter) => {
  const path = join(folder, `none${ending}`)
  await exporter.write(snapshot([]), path)
  const back = await exporter.read?.(path)
  if (back) expect(await collect(back.trials())).toEqual([])
  expect((await readFile(path)).length).toBeGreaterThan(0)
})

test.each(lossless)('%s read() gives back a hostile run exactly, as often as asked', async (ending, exporter) => {
  const path = join(folder, `hostile${ending}`)
  const run = hostileRun()
  await exporter.write(run, path)
  const back = await exporter.read?.(path)
  expect(back?.record).toStrictEqual(run.record)
  const trials = await collect(run.trials())
  expect(await collect((back as RunSnapshot).trials())).toStrictEqual(trials)
  expect(await collect((back as RunSnapshot).trials())).toStrictEqual(trials)
})

test.each(lossless)('%s read() gives back any data exactly', async (ending, exporter) => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(...HOSTILE, '__proto__', '$type', '$text', 'toJSON'),
  )
  const { data } = fc.letrec((tie) => ({
    data: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.constantFrom(
        undefined,
        null,
        true,
        Number.NaN,
        -0,
        Number.NEGATIVE_INFINITY,
        new Date(0),
        new Uint8Array([1, 2]),
      ),
      fc.bigInt(),
      fc.double(),
      text,
      fc.array(tie('data'), { maxLength: 4 }),
      fc.dictionary(text, tie('data'), { maxKeys: 4, noNullPrototype: true }),
      fc.array(fc.tuple(text, tie('data')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
    ),
  }))
  const trial = fc.record(
    {
      inputs: data,
      outputs: data,
      expectations: fc.dictionary(text, data, { maxKeys: 3, noNullPrototype: true }),
      feedback: fc.array(
        fc.record(
          {
            name: text,
            value: fc.oneof(text, fc.double(), fc.boolean()),
            rationale: text,
            metadata: fc.dictionary(text, fc.oneof(text, fc.double()), { noNullPrototype: true }),
            error: fc.record({ code: text, message: text }, { noNullPrototype: true }),
            valid: fc.boolean(),
          },
          { requiredKeys: ['name'], noNullPrototype: true },
        ),
        { maxLength: 3 },
      ),
      trace: fc.record(
        { tags: fc.dictionary(text, text, { noNullPrototype: true }), inputs: text, outputs: text, spans: text },
        { requiredKeys: [], noNullPrototype: true },
      ),
    },
    { requiredKeys: [], noNullPrototype: true },
  )
  const path = join(folder, `any${ending}`)
  await fc.assert(
    fc.asyncProperty(fc.array(trial, { maxLength: 3 }), fc.array(text, { maxLength: 3 }), async (drafts, names) => {
      const run = snapshot(
        drafts.map((draft, i) => stored(i, draft as Parameters<typeof stored>[1])),
        {
          columns: [...new Set(names)].map((name) => column(name, 'structured')),
          tags: Object.fromEntries(names.map((name) => [name, name])),
        },
      )
      await exporter.write(run, path)
      const back = (await exporter.read?.(path)) as RunSnapshot
      expect(back.record).toStrictEqual(run.record)
      expect(await collect(back.trials())).toStrictEqual(await collect(run.trials()))
    }),
    { numRuns: 150 },
  )
})

function correctedRun(): RunSnapshot {
  const person = { type: 'HUMAN', id: 'ann' } as const
  const feedback = [
    { id: 'tr-0.0', name: 'polite', value: false, rationale: 'too short', valid: false },
    { id: 'tr-0.1', name: 'polite', value: true, rationale: 'brief is fine', source: person, overrides: 'tr-0.0' },
  ]
  const columns = [{ ...column('polite'), corrected: 1, lost: ['spread'] }]
  return snapshot([stored(0, { inputs: { i: 0 }, feedback })], { columns, uncounted: 2 })
}

test.each(lossless)('%s read() gives corrections back with their history', async (ending, exporter) => {
  const path = join(folder, `history${ending}`)
  const run = correctedRun()
  await exporter.write(run, path)
  const back = (await exporter.read?.(path)) as RunSnapshot
  expect(back.record).toStrictEqual(run.record)
  expect(await collect(back.trials())).toStrictEqual(await collect(run.trials()))
})

test('flat formats hold what is valid', async () => {
  const { columns, rows } = await flatten(correctedRun())
  const names = columns.map(({ name }) => name)
  const [cells] = await collect(rows())
  expect(cells?.[names.indexOf('feedback.polite')]).toBe(true)
  expect(cells?.[names.indexOf('feedback.polite.rationale')]).toBe('brief is fine')
  expect(cells).not.toContain('too short')
})

test.each(lossless)('%s read() refuses every shortened copy, and says so in words', async (ending, exporter) => {
  const path = join(folder, `whole${ending}`)
  const cut = join(folder, `cut${ending}`)
  const run = snapshot(
    [0, 1, 2].map((i) => stored(i, { inputs: { i } })),
    { columns: [column('polite')] },
  )
  await exporter.write(run, path)
  const bytes = await readFile(path)
  const trials = await collect(run.trials())
  const step = Math.max(1, Math.floor(bytes.length / 200))
  for (let length = 0; length < bytes.length; length += step) {
    await writeFile(cut, bytes.subarray(0, length))
    const attempt = exporter.read?.(cut).then((back) => collect(back.trials()))
    // A last line is complete without its line end.
    if (ending === '.jsonl' && length === bytes.length - 1) expect(await attempt).toEqual(trials)
    else
      await expect(attempt, `${length} bytes`).rejects.toMatchObject({
        name: 'EvaluationError',
        code: 'SOURCE_MALFORMED',
      })
  }
})

test.each(lossless)('%s read() tells a missing file, a folder and a foreign file apart', async (ending, exporter) => {
  const missing = join(folder, `missing${ending}`)
  await expect(exporter.read?.(missing)).rejects.toMatchObject({
    code: 'SOURCE_NOT_FOUND',
    message: `Cannot read ${JSON.stringify(missing)} as a run: there is no such file`,
  })
  await mkdir(missing)
  await expect(exporter.read?.(missing)).rejects.toMatchObject({ code: 'SOURCE_NOT_READABLE' })
  const foreign = join(folder, `foreign${ending}`)
  await writeFile(foreign, '{"inputs":{"question":"Why?"}}\n'.repeat(100))
  await expect(exporter.read?.(foreign)).rejects.toMatchObject({ code: 'SOURCE_MALFORMED' })
})

test.each(lossless)('%s read() refuses what a newer version wrote', async (ending, exporter) => {
  const path = join(folder, `newer${ending}`)
  await exporter.write(snapshot([], { schemaVersion: 2 }), path)
  await expect(exporter.read?.(path)).rejects.toMatchObject({
    code: 'SOURCE_MALFORMED',
    message: expect.stringContaining('a newer vitest-evaluate wrote it (run record version 2, this one reads up to 1)'),
    hint: 'update vitest-evaluate',
  })
})

test.each(lossless)('%s trials() lets go of the file when its reader stops early', async (ending, exporter) => {
  const path = join(folder, `early${ending}`)
  await exporter.write(snapshot(Array.from({ length: 50 }, (_, i) => stored(i, { inputs: { i } }))), path)
  const run = (await exporter.read?.(path)) as RunSnapshot
  const open = async (): Promise<number> => (await readdir('/dev/fd')).length
  const before = await open()
  for (let round = 0; round < 100; round++) {
    for await (const { trial } of run.trials()) {
      expect(trial?.index).toBe(0)
      break
    }
  }
  expect((await open()) - before).toBeLessThan(20)
})

test('exporters have one ending each of their own', () => {
  const endings = exporters.flatMap(({ extensions }) => extensions)
  expect(new Set(endings).size).toBe(endings.length)
  expect(endings.every((ending) => /^\.[a-z]+$/.test(ending))).toBe(true)
})
