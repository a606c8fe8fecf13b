import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { tableFromArrays, tableToIPC } from 'apache-arrow'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { EvaluationError } from '../../src/errors.ts'
import type { Source, SourceOptions } from '../../src/source.ts'
import * as kinds from '../../src/sources/index.ts'

/** A table of texts, as every kind can hold it. */
type Columns = Readonly<Record<string, readonly string[]>>

interface Kind {
  readonly open: (path: string | URL, options?: SourceOptions) => Source
  readonly bytes: (columns: Columns) => string | Uint8Array
  /** Where the second row stands. */
  readonly second: string
}

function records(columns: Columns): Record<string, string>[] {
  const names = Object.keys(columns)
  const length = columns[names[0] as string]?.length ?? 0
  return Array.from({ length }, (_, i) => Object.fromEntries(names.map((name) => [name, columns[name]?.[i] as string])))
}

const csvLine = (cells: readonly string[]) => `${cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(',')}\n`

const KINDS: Readonly<Record<string, Kind>> = {
  csv: {
    open: kinds.csv,
    bytes: (columns) =>
      [Object.keys(columns), ...records(columns).map((record) => Object.values(record))].map(csvLine).join(''),
    second: 'line 3',
  },
  jsonl: {
    open: kinds.jsonl,
    bytes: (columns) =>
      records(columns)
        .map((record) => `${JSON.stringify(record)}\n`)
        .join(''),
    second: 'line 2',
  },
  json: { open: kinds.json, bytes: (columns) => JSON.stringify(records(columns)), second: 'row 2' },
  arrow: { open: kinds.arrow, bytes: (columns) => tableToIPC(tableFromArrays(columns), 'file'), second: 'row 2' },
  parquet: {
    open: kinds.parquet,
    bytes: (columns) =>
      new Uint8Array(
        parquetWriteBuffer({
          columnData: Object.entries(columns).map(([name, data]) => ({ name, data: [...data], type: 'STRING' })),
        }),
      ),
    second: 'row 2',
  },
}
const each = test.each(Object.entries(KINDS))

const QUESTIONS = {
  id: ['q1', 'q2', 'q3'],
  'inputs.question': ['What is "1 + 1"?', 'Zwei,\nZeilen', '日本 😀'],
  outputs: ['2', '', 'ja'],
  'expectations.answer': ['2', 'yes', 'no'],
  'tags.language': ['en', 'de', 'ja'],
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sources-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

let files = 0
async function write(kind: string, columns: Columns): Promise<string> {
  const path = join(folder, `${++files}.${kind}`)
  await writeFile(path, KINDS[kind]?.bytes(columns) as string)
  return path
}

async function fault(source: Source): Promise<EvaluationError> {
  const error = await Array.fromAsync(source).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(EvaluationError)
  return error as EvaluationError
}

async function openHandles(path: string): Promise<number> {
  const links = await readdir('/proc/self/fd')
  const targets = await Promise.all(links.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
  return targets.filter((target) => target === path).length
}

test('every exported source kind is in this suite', () => {
  const sources = Object.keys(kinds).filter((name) => name !== 'isArrowTable')
  expect(sources.sort()).toEqual(Object.keys(KINDS).sort())
})

each('%s() places columns by name, in the order of the file', async (kind, { open }) => {
  const rows = await Array.fromAsync(open(await write(kind, QUESTIONS)))
  expect(rows).toEqual([
    {
      id: 'q1',
      inputs: { question: 'What is "1 + 1"?' },
      outputs: '2',
      expectations: { answer: '2' },
      tags: { language: 'en' },
    },
    {
      id: 'q2',
      inputs: { question: 'Zwei,\nZeilen' },
      outputs: '',
      expectations: { answer: 'yes' },
      tags: { language: 'de' },
    },
    {
      id: 'q3',
      inputs: { question: '日本 😀' },
      outputs: 'ja',
      expectations: { answer: 'no' },
      tags: { language: 'ja' },
    },
  ])
})

each('%s() leaves out what an export writes for people', async (kind, { open }) => {
  const path = await write(kind, { 'inputs.x': ['1'], 'feedback.polite': ['true'], status: ['ok'], index: ['0'] })
  expect(await Array.fromAsync(open(path))).toEqual([{ inputs: { x: '1' } }])
})

each('%s() can be read again, also while it is being read', async (kind, { open }) => {
  const source = open(await write(kind, QUESTIONS))
  const rows: unknown[] = []
  for await (const row of source) {
    expect(await Array.fromAsync(source)).toHaveLength(3)
    rows.push(row)
  }
  expect(rows).toEqual(await Array.fromAsync(source))
})

each('%s() names itself and its file, and takes a URL', async (kind, { open }) => {
  const path = await write(kind, QUESTIONS)
  const source = open(pathToFileURL(path))
  expect(source.files).toEqual([path])
  expect(source.description).toBe(`${kind} ${path}`)
  expect(await Array.fromAsync(source)).toHaveLength(3)
  expect(open('data/questions.x').description).toBe(`${kind} ${join('data', 'questions.x')}`)
  expect(open('data/questions.x').files).toEqual([join(process.cwd(), 'data', 'questions.x')])
})

each('%s() gives no rows where there are none', async (kind, { open }) => {
  expect(await Array.fromAsync(open(await write(kind, { 'inputs.x': [] })))).toEqual([])
})

each('%s() says at every iteration that a file is missing, and what is near', async (kind, { open }) => {
  const path = await write(kind, QUESTIONS)
  const wrong = join(folder, `x${basename(path)}`)
  const source = open(wrong)
  for (const attempt of [1, 2]) {
    const { code, message, hint } = await fault(source)
    expect([attempt, code]).toEqual([attempt, 'SOURCE_NOT_FOUND'])
    expect(message).toMatch(new RegExp(`^Cannot read ".*x${files}.${kind}" as .*: there is no such file\n`))
    expect(hint).toBe(`did you mean "${basename(path)}"?`)
  }
  await writeFile(wrong, KINDS[kind]?.bytes(QUESTIONS) as string)
  expect(await Array.fromAsync(source)).toHaveLength(3)
  const { code, hint } = await fault(open(join(folder, 'nowhere', 'x')))
  expect([code, hint]).toEqual(['SOURCE_NOT_FOUND', `there is no folder "${join(folder, 'nowhere')}" either`])
})

each('%s() refuses a folder and a link to itself', async (kind, { open }) => {
  const path = join(folder, `folder.${kind}`)
  await mkdir(path, { recursive: true })
  const { code, message } = await fault(open(path))
  expect([code, message]).toEqual(['SOURCE_NOT_READABLE', expect.stringContaining(': it is a folder\n')])
  const loop = join(folder, `loop.${kind}`)
  await symlink(loop, loop)
  expect((await fault(open(loop))).code).toBe('SOURCE_NOT_READABLE')
})

const proc = existsSync('/proc/self/fd')
test.skipIf(!proc).each(Object.entries(KINDS))(
  '%s() closes its file however the reading ends',
  async (kind, { open }) => {
    const path = await write(kind, QUESTIONS)
    for await (const row of open(path)) {
      expect(row.id).toBe('q1')
      expect(await openHandles(path)).toBe(1)
      break
    }
    expect(await openHandles(path)).toBe(0)
    await Array.fromAsync(open(path))
    expect(await openHandles(path)).toBe(0)
    await fault(open(path, { columns: { inputs: ['nothing'] } }))
    expect(await openHandles(path)).toBe(0)
  },
)

each('%s() takes columns by a mapping, under their own or another name', async (kind, { open }) => {
  const path = await write(kind, { nr: ['7'], Frage: ['?'], context: ['c'], answer: ['a'], lang: ['de'], rest: ['r'] })
  const columns = {
    id: 'nr',
    inputs: { question: 'Frage', context: 'context' },
    outputs: 'answer',
    expectations: ['answer'],
    tags: { language: 'lang' },
  }
  expect(await Array.fromAsync(open(path, { columns }))).toEqual([
    {
      id: '7',
      inputs: { question: '?', context: 'c' },
      outputs: 'a',
      expectations: { answer: 'a' },
      tags: { language: 'de' },
    },
  ])
  const [row] = await Array.fromAsync(open(path, { columns: { inputs: ['Frage'], outputs: ['answer', 'lang'] } }))
  expect(row).toEqual({ inputs: { Frage: '?' }, outputs: { answer: 'a', lang: 'de' } })
})

each('%s() says which mapped column is missing, and what there is', async (kind, { open }) => {
  const path = await write(kind, { question: ['?'], answer: ['a'] })
  const { code, message, hint } = await fault(open(path, { columns: { inputs: ['qestion'] } }))
  expect(code).toBe('ROW_INVALID')
  expect(message).toMatch(/: (line|row) \d: there is no column "qestion" \(did you mean "question"\?\)/)
  expect(hint).toBe('the columns are "question", "answer"')
})

each('%s() says where a column without a place stands, and what to do', async (kind, { open }) => {
  const path = await write(kind, { 'inputs.question': ['?'], answer: ['a'] })
  const { code, message, hint } = await fault(open(path))
  expect(code).toBe('ROW_INVALID')
  expect(message).toMatch(/^Cannot read ".*" as \w+: (line|row) \d: column "answer" has no place in a row\n/)
  expect(hint).toContain('name it "inputs.answer"')
})

each('%s() gives what the schema makes of a row, or of a record without names', async (kind, { open }) => {
  const row = z.object({
    inputs: z.object({ n: z.coerce.number() }),
    expectations: z.object({ double: z.coerce.number() }),
  })
  const path = await write(kind, { 'inputs.n': ['2', '3'], 'expectations.double': ['4', '6'] })
  const made = [
    { inputs: { n: 2 }, expectations: { double: 4 } },
    { inputs: { n: 3 }, expectations: { double: 6 } },
  ]
  expect(await Array.fromAsync(open(path, { schema: row }))).toEqual(made)
  const bare = await write(kind, { n: ['2', '3'], double: ['4', '6'] })
  const record = z
    .object({ n: z.coerce.number(), double: z.coerce.number() })
    .transform(async ({ n, double }) => ({ inputs: { n }, expectations: { double } }))
  expect(await Array.fromAsync(open(bare, { schema: record }))).toEqual(made)
})

each('%s() gives the place of a row that the schema refuses', async (kind, { open, second }) => {
  const schema = z.object({ inputs: z.object({ n: z.string().regex(/^\d+$/, 'no digits') }) })
  const path = await write(kind, { 'inputs.n': ['1', 'two', '3'] })
  const seen: unknown[] = []
  const read = async () => {
    for await (const row of open(path, { schema })) seen.push(row.inputs)
  }
  await expect(read()).rejects.toMatchObject({
    code: 'ROW_INVALID',
    message: expect.stringMatching(new RegExp(`: ${second}: "inputs\\.n": no digits$`)),
  })
  expect(seen).toEqual([{ n: '1' }])
})

each('%s() refuses a file that is something else', async (kind, { open }) => {
  const path = join(folder, `else.${kind}`)
  await writeFile(path, Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0xff, 0xfe, 0x01, 0x02]))
  expect((await fault(open(path))).code).toBe('SOURCE_MALFORMED')
})

each('%s() never takes the first half of a file for the file', async (kind, { open }) => {
  const long = Array.from({ length: 50 }, (_, i) => `question ${i}\n${'x'.repeat(i)}`)
  const path = await write(kind, { 'inputs.question': long, 'expectations.answer': long })
  const bytes = Buffer.from((KINDS[kind] as Kind).bytes({ 'inputs.question': long, 'expectations.answer': long }))
  let cuts = 0
  for (const share of [0.1, 0.5, 0.9, 0.99]) {
    const end = Math.floor(bytes.length * share)
    // Text may only stop where a row is whole: then nobody could tell.
    if (kind.startsWith('csv') && /"\n?$/.test(bytes.subarray(0, end).toString())) continue
    cuts++
    await writeFile(path, bytes.subarray(0, end))
    const { code, message } = await fault(open(path))
    expect([share, code]).toEqual([share, 'SOURCE_MALFORMED'])
    expect(message).toMatch(/cut off|never closed|expected 2|damaged/)
  }
  expect(cuts).toBeGreaterThan(1)
})

each('%s() refuses at once what cannot be meant', (_, { open }) => {
  const wrong = open as (...args: unknown[]) => Source
  expect(() => wrong()).toThrow(TypeError)
  expect(() => wrong('')).toThrow(/found ""/)
  expect(() => wrong(7)).toThrow(/found 7/)
  expect(() => wrong(new URL('https://example.test/x'))).toThrow(TypeError)
  expect(() => wrong('x', { shema: 1 })).toThrow(/unknown option "shema" \(did you mean "schema"\?\)/)
  expect(() => wrong('x', null)).toThrow(/options must be an object, found null/)
  expect(() => wrong('x', { schema: {} })).toThrow(/"schema" must be a Standard Schema/)
  expect(() => wrong('x', { columns: 'a' })).toThrow(/"columns" must be an object, found "a"/)
  expect(() => wrong('x', { columns: { input: ['a'] } })).toThrow(/unknown part "input" \(did you mean "inputs"\?\)/)
  expect(() => wrong('x', { columns: { inputs: 'a' } })).toThrow(/"columns.inputs" must be names of columns/)
  expect(() => wrong('x', { columns: { id: ['a'] } })).toThrow(/"columns.id" must be the name of a column/)
  expect(() => wrong('x', { columns: { tags: { a: 1 } } })).toThrow(/"columns.tags" must be names of columns/)
  expect(() => wrong('x', { columns: { tags: undefined } })).not.toThrow()
})
