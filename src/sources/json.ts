import { constants } from 'node:buffer'
import { quote } from '../errors.ts'
import type { Source, SourceOptions, SourceRecord } from '../source.ts'
import { jsonFault } from '../std/syntax.ts'
import { fileSource, type SourceFile } from './file.ts'
import { utf8 } from './utf8.ts'

/**
 * Gives the rows of a JSON file: a list of objects, or an object whose `rows` is one. Read whole, so `jsonl()` is for what is large.
 *
 * An object is a row (`{ "inputs": …, "expectations": … }`) or has the parts of one by name (`{ "inputs.question": … }`); others need
 * `columns` or `schema`.
 *
 * @param path relative to the working directory
 * @throws TypeError for a path or an option that cannot be meant
 * @throws EvaluationError while it is read: SOURCE_NOT_FOUND, SOURCE_NOT_READABLE, SOURCE_MALFORMED with line and column, ROW_INVALID
 * with the row's number from 1
 */
export function json<Inputs = any>(path: string | URL, options: SourceOptions<Inputs> = {}): Source<Inputs> {
  return fileSource({ word: 'json', title: 'JSON', read }, path, options)
}

async function* read(file: SourceFile): AsyncGenerator<Iterable<SourceRecord>> {
  if (file.size > constants.MAX_STRING_LENGTH) {
    throw file.unreadable(
      `${file.size} bytes are too many to be read whole`,
      'write it as JSONL, and read it with jsonl()',
    )
  }
  const parts: string[] = []
  for await (const { text } of utf8(file)) parts.push(text)
  yield records(file, parse(file, parts.join('')))
}

function* records(file: SourceFile, rows: readonly unknown[]): Generator<SourceRecord> {
  for (const [i, fields] of rows.entries()) {
    const where = `row ${i + 1}`
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
      throw file.malformed(`${where} must be an object, found ${quote(fields)}`)
    }
    yield { fields: fields as SourceRecord['fields'], where }
  }
}

function parse(file: SourceFile, text: string): readonly unknown[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw notJson(file, text, cause)
  }
  const rows = typeof value === 'object' && value !== null && 'rows' in value ? value.rows : value
  if (Array.isArray(rows)) return rows
  const found = rows === value ? quote(value) : `"rows" that is ${quote(rows)}`
  throw file.malformed(`expected a list of rows, or an object with the list as "rows", found ${found}`)
}

function notJson(file: SourceFile, text: string, cause: unknown): Error {
  if (text.trim() === '') return file.malformed('it is empty', 'a file without rows holds []', cause)
  const { at, problem, cutOff, hint } = jsonFault(text)
  const line = text.slice(0, at).split('\n')
  const place = `line ${line.length}, column ${(line.at(-1) as string).length + 1}`
  const isLines = line.length > 1 && isJson(text.slice(0, at))
  const cure = cutOff ? 'the file seems to be cut off' : isLines ? 'jsonl() reads one object per line' : hint
  return file.malformed(`it is not JSON: ${problem} at ${place}`, cure, cause)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
