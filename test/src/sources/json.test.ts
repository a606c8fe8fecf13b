import { constants } from 'node:buffer'
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { json } from '../../../src/sources/json.ts'

let folder: string
let path: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'json-'))
  path = join(folder, 'qa.json')
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function rows(content: string): Promise<unknown[]> {
  await writeFile(path, content)
  return Array.fromAsync(json(path))
}

async function fault(content: string): Promise<string> {
  const error = await rows(content).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ name: 'EvaluationError', code: 'SOURCE_MALFORMED' })
  return (error as Error).message.replace(`Cannot read ${JSON.stringify(path)} as JSON: `, '')
}

test('json() reads a list of rows, or the list that is "rows"', async () => {
  const data = [{ id: 'a', inputs: { n: 1 }, expectations: { list: [1, 2] } }, { inputs: [true] }]
  expect(await rows(JSON.stringify(data))).toEqual(data)
  expect(await rows(`\ufeff${JSON.stringify({ about: 'x', rows: data }, null, 2)}\r\n`)).toEqual(data)
  expect(await rows('[]')).toEqual([])
})

test('json() gives line and column of what is not JSON', async () => {
  expect(await fault('[\n  {"inputs": 1},\n  {"inputs": 2},\n]\n')).toBe(
    'it is not JSON: unexpected "]" at line 4, column 1',
  )
  expect(await fault('[{"inputs": 1}\n {"inputs": 2}]')).toBe('it is not JSON: unexpected "{" at line 2, column 2')
})

test('json() names what to do about a file that is cut off, empty, or JSONL', async () => {
  expect(await fault('[\n  {"inputs": 1},\n  {"inp')).toBe(
    'it is not JSON: unexpected end at line 3, column 8\nHint: the file seems to be cut off',
  )
  expect(await fault(' \n')).toBe('it is empty\nHint: a file without rows holds []')
  expect(await fault('{"inputs":1}\n{"inputs":2}\n')).toBe(
    'it is not JSON: unexpected "{" at line 2, column 1\nHint: jsonl() reads one object per line',
  )
})

test('json() refuses what is no list of objects', async () => {
  const wanted = 'expected a list of rows, or an object with the list as "rows", found'
  expect(await fault('{"inputs":{"a":1}}')).toBe(`${wanted} an object with inputs`)
  expect(await fault('{"rows":{"a":1}}')).toBe(`${wanted} "rows" that is an object with a`)
  expect(await fault('7')).toBe(`${wanted} 7`)
  expect(await fault('null')).toBe(`${wanted} null`)
  expect(await fault('[{"inputs":1},[2]]')).toBe('row 2 must be an object, found an array of 1')
})

test('json() gives the number of a row that is wrong', async () => {
  await writeFile(path, '[{"inputs":1},{"input":2}]')
  await expect(Array.fromAsync(json(path))).rejects.toMatchObject({
    code: 'ROW_INVALID',
    message: expect.stringContaining('as JSON: row 2: column "input" has no place in a row (did you mean "inputs"?)'),
  })
})

test('json() refuses a file too large for one text before it reads it', async () => {
  await writeFile(path, '[')
  await truncate(path, constants.MAX_STRING_LENGTH + 1)
  await expect(Array.fromAsync(json(path))).rejects.toMatchObject({
    code: 'SOURCE_NOT_READABLE',
    hint: 'write it as JSONL, and read it with jsonl()',
  })
})
