import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RunSnapshot } from '../../../src/exporter.ts'
import { jsonl } from '../../../src/exporters/jsonl.ts'
import { toTrace } from '../../../src/store.ts'
import { collect, runRecord, snapshot, stored } from './snapshot.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jsonl-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function written(run: RunSnapshot): Promise<{ path: string; text: string; lines: any[] }> {
  const path = join(folder, 'run.jsonl')
  await jsonl.write(run, path)
  const text = await readFile(path, 'utf8')
  expect(text.endsWith('\n')).toBe(true)
  const lines = text
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line))
  return { path, text, lines }
}

const read = async (path: string) => (await jsonl.read?.(path)) as RunSnapshot

test('jsonl writes a header and then one line of plain JSON per trial', async () => {
  const { lines } = await written(
    snapshot([
      stored(0, {
        inputs: { question: 'Why?', tries: [1, 2] },
        outputs: 'Because',
        expectations: { answer: 'because' },
        feedback: [{ name: 'polite', value: true, rationale: 'no insult' }],
      }),
      stored(1, {
        inputs: { question: 'When?' },
        trial: { status: 'failed', error: { code: 'HTTP', message: '500' } },
      }),
    ]),
  )
  expect(lines).toHaveLength(3)
  expect(lines[0]).toEqual({ format: 'vitest-evaluate run', version: 1, trials: 2, run: runRecord() })
  expect(lines[1]).toMatchObject({
    trial: { rowId: 'row-0', index: 0, status: 'ok' },
    inputs: { question: 'Why?', tries: [1, 2] },
    outputs: 'Because',
    assessments: [
      { kind: 'expectation', name: 'answer', value: 'because' },
      { kind: 'feedback', name: 'polite', value: true, rationale: 'no insult' },
    ],
    trace: { id: `tr-${'0'.repeat(32)}`, requestTimeMs: 1_700_000_000_000 },
  })
  expect(lines[2]).toMatchObject({ trial: { error: { code: 'HTTP', message: '500' } }, inputs: { question: 'When?' } })
  expect(lines[2]).not.toHaveProperty('outputs')
})

test('jsonl keeps a text letter by letter where reading it as JSON would change it', async () => {
  const texts = ['{"a": 1.0}', '12345678901234567890', 'no JSON', '{"$text":"x"}', '"\ud800"', '{"a":1,"a":2}', '']
  const run = snapshot(texts.map((inputs, i) => stored(i, { trace: { inputs } })))
  const { path, lines } = await written(run)
  expect(lines.slice(1).map(({ inputs }) => inputs)).toEqual(texts.map(($text) => ({ $text })))
  expect((await collect((await read(path)).trials())).map(({ trace }) => trace.inputs)).toEqual(texts)
})

test('jsonl gives values back that JSON does not know', async () => {
  const outputs = { none: undefined, big: 10n ** 30n, nan: Number.NaN, zero: -0, when: new Date(5), set: new Set([1n]) }
  const { path } = await written(snapshot([stored(0, { outputs, expectations: { answer: outputs } })]))
  const [trial] = await collect((await read(path)).trials())
  const trace = toTrace(trial as NonNullable<typeof trial>)
  expect(trace.outputs).toStrictEqual(outputs)
  expect(trace.expectations).toStrictEqual({ answer: outputs })
})

test('jsonl never puts a line end of Unicode inside a line', async () => {
  const run = snapshot([stored(0, { inputs: 'a\u2028b\u2029c' })])
  const { path, text } = await written(run)
  expect(text).not.toMatch(/[\u2028\u2029]/)
  expect(await collect((await read(path)).trials())).toEqual(await collect(run.trials()))
})

test('jsonl reads lines that are longer than a block and lines that end anywhere in one', async () => {
  const long = 'é😀'.repeat(200_000)
  const run = snapshot(
    Array.from({ length: 60 }, (_, i) =>
      stored(i, { outputs: long.slice(0, (i * 7_919) % 90_000) + (i === 30 ? long : '') }),
    ),
  )
  const { path } = await written(run)
  expect(await collect((await read(path)).trials())).toEqual(await collect(run.trials()))
})

test('jsonl reads a file with a byte order mark, CR LF and empty lines', async () => {
  const run = snapshot([stored(0, { inputs: 1 }), stored(1, { inputs: 2 })])
  const { path, text } = await written(run)
  await writeFile(path, `\ufeff${text.replaceAll('\n', '\r\n\r\n')}\n`)
  expect((await read(path)).record).toEqual(run.record)
  expect(await collect((await read(path)).trials())).toEqual(await collect(run.trials()))
})

const BROKEN = [
  ['line 3: it is not JSON', (lines: string[]) => (lines[2] = '{"trial":')],
  ['line 3: it is not an object', (lines: string[]) => (lines[2] = '7')],
  ['line 3: it holds no trace', (lines: string[]) => (lines[2] = '{"assessments":[]}')],
  [
    'line 3: its assessments are damaged',
    (lines: string[]) => (lines[2] = String(lines[2]).replace(/"assessments":\[[^\]]*\]/, '"assessments":[7]')),
  ],
  ['line 3: its trial is damaged', (lines: string[]) => (lines[2] = String(lines[2]).replace('"rowId"', '"row"'))],
  ['line 4 is cut off', (lines: string[]) => lines.splice(3, 2, '{"trial":')],
  ['it ends at line 3 with 2 of the 3 trials its header promises', (lines: string[]) => lines.splice(3, 1)],
  [
    'it ends at line 5 with 4 of the 3 trials its header promises',
    (lines: string[]) => lines.splice(1, 0, lines[1] as string),
  ],
] as const

test.each(BROKEN)('jsonl refuses a damaged file: %s', async (problem, damage) => {
  const { path, text } = await written(snapshot([0, 1, 2].map((i) => stored(i, { inputs: { i } }))))
  const lines = text.split('\n')
  damage(lines)
  await writeFile(path, lines.join('\n'))
  await expect(collect((await read(path)).trials())).rejects.toMatchObject({
    code: 'SOURCE_MALFORMED',
    message: `Cannot read ${JSON.stringify(path)} as a run: ${problem}`,
  })
})

test('jsonl refuses bytes that are not UTF-8', async () => {
  const { path, text } = await written(snapshot([stored(0, { inputs: 'xyz' })]))
  await writeFile(path, Buffer.from(text.replace('xyz', '\u00ff'), 'latin1'))
  await expect(collect((await read(path)).trials())).rejects.toThrow('line 2 is not UTF-8')
})

const HEADERS = [
  ['it is empty', ''],
  ['it does not begin with the header of a vitest-evaluate run', '{"inputs":1}'],
  ['it does not begin with the header of a vitest-evaluate run', 'null'],
  ['it is not JSON', 'question,answer'],
  ['its format has no version', '{"format":"vitest-evaluate run"}'],
  [
    'a newer vitest-evaluate wrote it (format version 2, this one reads up to 1)',
    '{"format":"vitest-evaluate run","version":2}',
  ],
  ['its header holds no run', '{"format":"vitest-evaluate run","version":1}'],
  ['its header is damaged', '{"format":"vitest-evaluate run","version":1,"run":{"$type":"bigint","value":"x"}}'],
  ['the run in its header is damaged', '{"format":"vitest-evaluate run","version":1,"run":{"schemaVersion":1}}'],
] as const

test.each(HEADERS)('jsonl refuses a damaged header: %s', async (problem, header) => {
  const path = join(folder, 'header.jsonl')
  await writeFile(path, header)
  await expect(read(path)).rejects.toMatchObject({
    code: 'SOURCE_MALFORMED',
    message: expect.stringContaining(`Cannot read ${JSON.stringify(path)} as a run: ${problem}`),
  })
})
