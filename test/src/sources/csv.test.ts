import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CsvOptions, csv } from '../../../src/sources/csv.ts'

let folder: string
let path: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'csv-'))
  path = join(folder, 'x.csv')
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function inputs(content: string | Uint8Array, options?: CsvOptions): Promise<unknown[]> {
  await writeFile(path, content)
  return (await Array.fromAsync(csv(path, options))).map((row) => row.inputs)
}

/** The rows before the fault, and its message without the name of the file. */
async function fault(content: string | Uint8Array, options?: CsvOptions): Promise<{ rows: number; message: string }> {
  await writeFile(path, content)
  let rows = 0
  try {
    for await (const _ of csv(path, options)) rows++
  } catch (error) {
    expect(error).toMatchObject({ name: 'EvaluationError', code: 'SOURCE_MALFORMED' })
    return { rows, message: (error as Error).message.replace(`Cannot read ${JSON.stringify(path)} as CSV: `, '') }
  }
  throw new Error('no fault')
}

test.each([
  [
    'quotes, doubled quotes and line ends in cells',
    'inputs.a,inputs.b\n"x ""y""","1\n2"\n',
    [{ a: 'x "y"', b: '1\n2' }],
  ],
  ['CR LF, and keeps it in cells', 'inputs.a,inputs.b\r\n"1\r\n2",3\r\n', [{ a: '1\r\n2', b: '3' }]],
  ['CR alone', 'inputs.a,inputs.b\r1,2\r', [{ a: '1', b: '2' }]],
  ['line ends of several kinds', 'inputs.a\n1\r\n2\n3', [{ a: '1' }, { a: '2' }, { a: '3' }]],
  ['a byte order mark', '\ufeffinputs.a\n\ufeff\n', [{ a: '\ufeff' }]],
  ['a byte order mark before a quote', '\ufeff"inputs.a"\n1', [{ a: '1' }]],
  [
    'empty cells as empty texts',
    'inputs.a,inputs.b\n,\n"",""\n',
    [
      { a: '', b: '' },
      { a: '', b: '' },
    ],
  ],
  ['empty lines as none', '\n\r\ninputs.a\n\n1\n\n\n2\n\n', [{ a: '1' }, { a: '2' }]],
  ['a quoted empty cell as a row', 'inputs.a\n""\n\n""', [{ a: '' }, { a: '' }]],
  ['everything as text', 'inputs.a\n007\ntrue\n null \n', [{ a: '007' }, { a: 'true' }, { a: ' null ' }]],
  ['a header alone as no rows', 'inputs.a', []],
  ['an empty file as no rows', '', []],
  ['a byte order mark alone as no rows', '\ufeff', []],
] as const)('csv() reads %s', async (_, content, expected) => {
  expect(await inputs(content)).toEqual(expected)
})

test('csv() takes another delimiter, also of several characters', async () => {
  expect(await inputs('inputs.a;inputs.b\n"x;y";1,5\n', { delimiter: ';' })).toEqual([{ a: 'x;y', b: '1,5' }])
  expect(await inputs('inputs.a\tinputs.b\n1\t2\n', { delimiter: '\t' })).toEqual([{ a: '1', b: '2' }])
  expect(await inputs('inputs.a||inputs.b\n1||2|\n', { delimiter: '||' })).toEqual([{ a: '1', b: '2|' }])
})

test.each(['', '"', '\n', 7, null])('csv() refuses the delimiter %j at once', (delimiter) => {
  expect(() => csv('x.csv', { delimiter: delimiter as string })).toThrow(
    /^Cannot read CSV: "delimiter" must be a text without quotes and line ends, found /,
  )
})

test('csv() refuses a header that has a column twice, or one without a name', async () => {
  expect((await fault('inputs.a,inputs.b,inputs.a\n1,2,3\n')).message).toBe(
    'line 1: the header has "inputs.a" twice, in cells 1 and 3',
  )
  expect((await fault('\n\ninputs.a, ,inputs.b\n1,2,3\n')).message).toBe(
    'line 3: cell 2 of the header is empty\nHint: every column needs a name',
  )
})

test('csv() asks for the delimiter when the header looks like one cell', async () => {
  expect((await fault('inputs.a;inputs.b\n1;2\n')).message).toBe(
    'line 1: the header is one cell, "inputs.a;inputs.b"\nHint: if ";" stands between cells, pass { delimiter: ";" }',
  )
  expect((await fault('inputs.a,inputs.b\n1,2\n', { delimiter: ';' })).message).toContain('{ delimiter: "," }')
  expect(await inputs('a;b\n1\n', { columns: { inputs: { a: 'a;b' } } })).toEqual([{ a: '1' }])
})

test('csv() gives the line on which a ragged row starts, after the rows before it', async () => {
  const start = 'inputs.a,inputs.b\n1,"x\ny\r\nz"\n\n2,3\n'
  expect(await fault(`${start}4\n5,6\n`)).toEqual({
    rows: 2,
    message: 'line 7 has 1 cell, expected 2 as in the header',
  })
  expect(await fault(`${start}4,"5\n6",7\n8,9`)).toEqual({
    rows: 2,
    message:
      'line 7 has 3 cells, expected 2 as in the header\nHint: cells that hold the delimiter stand in double quotes',
  })
  expect(await fault('inputs.a,inputs.b\r\n"1\r\n",2\r\n\r\n3\r\n')).toMatchObject({
    rows: 1,
    message: expect.stringMatching(/^line 5 has 1 cell/),
  })
})

test('csv() gives the line of a quote that is wrong', async () => {
  expect(await fault('inputs.a\n1\n"x\n"y\n')).toEqual({
    rows: 1,
    message: 'line 3: text follows a closing quote\nHint: inside a quoted cell a quote is written twice',
  })
  expect(await fault('inputs.a\n1\n\n5" disk\n2\n')).toEqual({
    rows: 1,
    message:
      'line 4: a quote stands in a cell that is not quoted\n' +
      'Hint: put the whole cell in quotes, and write the quote twice',
  })
  expect(await fault('inputs.a\n1\n"2\n3\n4\n')).toEqual({
    rows: 1,
    message: 'line 3: a quoted cell is never closed\nHint: a quote is missing, or the file is cut off',
  })
})

test('csv() gives line and byte of what is not UTF-8, after the rows before it', async () => {
  const bytes = Buffer.from('inputs.a\nä\nZürich\n', 'utf8')
  const wrong = Buffer.concat([bytes, Buffer.from('Genf\nGenève\n', 'latin1')])
  expect(await fault(wrong)).toEqual({
    rows: 3,
    message: `line 5 is not UTF-8: the character at byte ${bytes.length + 'Genf\nGen'.length + 1} is none\nHint: save the file as UTF-8`,
  })
  expect((await fault(Buffer.from('inputs.a\n1\nä', 'utf8').subarray(0, -1))).message).toBe(
    'line 3 is not UTF-8: the file ends within a character',
  )
})

test.each([0, 1, 2, 3, 4])('csv() finds bad bytes across the pieces of a file (%i)', async (shift) => {
  const head = 'inputs.a\n'
  const filler = 'x'.repeat(65_536 - head.length - 4 + shift)
  const good = Buffer.from(`${head}${filler}😀😀\n`)
  expect(await inputs(good)).toEqual([{ a: `${filler}😀😀` }])
  const bad = Buffer.from(good)
  const at = head.length + filler.length
  bad[at + 3] = 0x41
  expect(await fault(bad)).toEqual({
    rows: 0,
    message: `line 2 is not UTF-8: the character at byte ${at + 1} is none\nHint: save the file as UTF-8`,
  })
})

test.each([
  ['little endian with a mark', Buffer.from('\ufeffinputs.a\n1\n', 'utf16le')],
  ['big endian with a mark', Buffer.from('\ufeffinputs.a\n1\n', 'utf16le').swap16()],
  ['little endian', Buffer.from('inputs.a\n1\n', 'utf16le')],
  ['big endian', Buffer.from('inputs.a\n1\n', 'utf16le').swap16()],
])('csv() recognises UTF-16 (%s)', async (_, bytes) => {
  expect((await fault(bytes)).message).toBe('it is not UTF-8: it begins like UTF-16\nHint: save the file as UTF-8')
})

test('csv() reads back every table as it was written', async () => {
  const piece = fc.constantFrom(
    '"',
    '\n',
    '\r\n',
    '\r',
    ',',
    ';',
    '\t',
    ' ',
    'a',
    'é',
    '日本',
    '😀',
    '\ufeff',
    '\u2028',
    '\0x',
  )
  const cell = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }).map((text) => text.toWellFormed()),
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
  )
  const table = fc.integer({ min: 1, max: 4 }).chain((width) =>
    fc.record({
      width: fc.constant(width),
      rows: fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 20 }),
      delimiter: fc.constantFrom(',', ';', '\t', '||'),
      lineEnd: fc.constantFrom('\n', '\r\n', '\r'),
      quoteAll: fc.boolean(),
    }),
  )
  await fc.assert(
    fc.asyncProperty(table, async ({ width, rows, delimiter, lineEnd, quoteAll }) => {
      const names = Array.from({ length: width }, (_, i) => `inputs.c${i}`)
      const text = (value: string) =>
        quoteAll || value === '' || /["\r\n;,\t|\ufeff]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
      const content = [names, ...rows].map((cells) => cells.map(text).join(delimiter)).join(lineEnd)
      const expected = rows.map((cells) => Object.fromEntries(cells.map((value, i) => [`c${i}`, value])))
      expect(await inputs(content, { delimiter })).toEqual(expected)
    }),
    { numRuns: 300 },
  )
})

test('csv() holds a small part of a million rows in memory', async () => {
  const big = join(folder, 'big.csv')
  const file = await open(big, 'w')
  await file.appendFile('id,inputs.q\n')
  for (let start = 0; start < 1_000_000; start += 50_000) {
    await file.appendFile(Array.from({ length: 50_000 }, (_, i) => `${start + i},"q, ${start + i}"\n`).join(''))
  }
  await file.close()
  const before = process.memoryUsage()
  let most = 0
  let rows = 0
  for await (const row of csv(big)) {
    if (++rows % 20_000 !== 0) continue
    expect(row.inputs).toEqual({ q: `q, ${rows - 1}` })
    const { heapUsed, external } = process.memoryUsage()
    most = Math.max(most, heapUsed + external - before.heapUsed - before.external)
  }
  expect(rows).toBe(1_000_000)
  expect(most).toBeLessThan(100e6)
})
