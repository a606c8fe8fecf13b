import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { jsonl } from '../../../src/sources/jsonl.ts'

let folder: string
let path: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jsonl-'))
  path = join(folder, 'qa.jsonl')
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function rows(content: string | Uint8Array): Promise<unknown[]> {
  await writeFile(path, content)
  return Array.fromAsync(jsonl(path))
}

async function fault(content: string | Uint8Array): Promise<{ rows: number; message: string }> {
  await writeFile(path, content)
  let rows = 0
  try {
    for await (const _ of jsonl(path)) rows++
  } catch (error) {
    expect(error).toMatchObject({ name: 'EvaluationError', code: 'SOURCE_MALFORMED' })
    return { rows, message: (error as Error).message.replace(`Cannot read ${JSON.stringify(path)} as JSONL: `, '') }
  }
  throw new Error('no fault')
}

test('jsonl() skips empty lines and a byte order mark, and takes CR LF and a last line without end', async () => {
  expect(await rows('\ufeff{"inputs":1}\r\n\r\n  \n{"inputs":2}\n\n{"inputs":3}')).toEqual([
    { inputs: 1 },
    { inputs: 2 },
    { inputs: 3 },
  ])
  expect(await rows('')).toEqual([])
})

test('jsonl() keeps the types of values', async () => {
  const row = { inputs: { n: 1.5, b: false, list: [1, { a: null }], text: '\u2028' }, expectations: { n: 2 } }
  expect(await rows(JSON.stringify(row))).toEqual([row])
  expect(await rows('{"inputs.n":1,"outputs":{"a":[1]},"tags.n":3}')).toEqual([
    { inputs: { n: 1 }, outputs: { a: [1] }, tags: { n: '3' } },
  ])
})

test('jsonl() gives the line and column of what is not JSON, after the rows before it', async () => {
  const lines = Array.from({ length: 13 }, (_, i) => (i === 4 ? '' : `{"inputs":${i}}`))
  expect(await fault(`${lines.join('\n')}\n{"inputs":1,}\n{"inputs":2}\n`)).toEqual({
    rows: 12,
    message: 'line 14 is not JSON: unexpected "}" at column 13',
  })
  expect(await fault('{"inputs":NaN}\n')).toEqual({
    rows: 0,
    message: 'line 1 is not JSON: unexpected "NaN" at column 11\nHint: JSON has no NaN: write null',
  })
})

test('jsonl() says that a file is cut off when its last line stops', async () => {
  expect(await fault('{"inputs":1}\n{"inputs":"a')).toEqual({
    rows: 1,
    message:
      'line 2 is not JSON: unexpected end at column 13\n' +
      'Hint: the file seems to be cut off: its last line has no line end',
  })
  expect((await fault('{"inputs":1}\n{"inputs":"a\n')).message).not.toContain('cut off')
})

test('jsonl() sends a file of one JSON text to json()', async () => {
  expect((await fault('{\n  "inputs": 1\n}\n')).message).toMatch(
    /^line 1 is not JSON: unexpected end .*\nHint: .*json\(\)/,
  )
  expect((await fault('[{"inputs":1},{"inputs":2}]\n')).message).toMatch(
    /^line 1 must be an object, found an array of 2\nHint: .*json\(\)/,
  )
})

test.each(['7', '"a"', 'null', 'true'])('jsonl() refuses a line that is %s', async (line) => {
  const { rows, message } = await fault(`{"inputs":1}\n${line}\n`)
  expect([rows, message]).toEqual([1, `line 2 must be an object, found ${line}`])
})

test('jsonl() says on which line a row is wrong', async () => {
  await writeFile(path, '\n{"inputs":1}\n{"question":1}\n')
  await expect(Array.fromAsync(jsonl(path))).rejects.toMatchObject({
    code: 'ROW_INVALID',
    message: expect.stringContaining('as JSONL: line 3: column "question" has no place in a row'),
  })
})

test('jsonl() gives line and byte of what is not UTF-8, after the lines before it', async () => {
  const wrong = Buffer.concat([Buffer.from('{"inputs":"é"}\n{"inputs":"'), Buffer.from([0xe9]), Buffer.from('"}\n')])
  expect(await fault(wrong)).toEqual({
    rows: 1,
    message: 'line 2 is not UTF-8: the character at byte 28 is none\nHint: save the file as UTF-8',
  })
})

test('jsonl() reads lines of any length', async () => {
  const long = '😀'.repeat(2_000_000)
  expect(await rows(`{"inputs":1}\n${JSON.stringify({ inputs: long })}\n{"inputs":2}\n`)).toEqual([
    { inputs: 1 },
    { inputs: long },
    { inputs: 2 },
  ])
})

test('jsonl() reads back all JSON, wherever the pieces of the file end', async () => {
  const row = fc.record({ inputs: fc.jsonValue(), outputs: fc.jsonValue() })
  const filler = fc.integer({ min: 65_300, max: 65_540 })
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1 }), filler, async (data, length) => {
      const all = [{ inputs: 'ä'.repeat(length) }, ...data]
      const content = all.map((one) => `${JSON.stringify(one)}\n`).join('')
      expect(await rows(content)).toEqual(JSON.parse(JSON.stringify(all)))
    }),
    { numRuns: 50 },
  )
})

test('jsonl() holds a small part of a million rows in memory', async () => {
  const big = join(folder, 'big.jsonl')
  const file = await open(big, 'w')
  for (let start = 0; start < 1_000_000; start += 50_000) {
    await file.appendFile(Array.from({ length: 50_000 }, (_, i) => `{"inputs":{"q":${start + i}}}\n`).join(''))
  }
  await file.close()
  const before = process.memoryUsage()
  let most = 0
  let rows = 0
  for await (const row of jsonl(big)) {
    if (++rows % 20_000 !== 0) continue
    expect(row.inputs).toEqual({ q: rows - 1 })
    const { heapUsed, external } = process.memoryUsage()
    most = Math.max(most, heapUsed + external - before.heapUsed - before.external)
  }
  expect(rows).toBe(1_000_000)
  expect(most).toBeLessThan(100e6)
})
