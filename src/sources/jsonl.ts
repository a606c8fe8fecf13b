import { quote } from '../errors.ts'
import type { Source, SourceOptions, SourceRecord } from '../source.ts'
import { jsonFault } from '../std/syntax.ts'
import { fileSource, type SourceFile } from './file.ts'
import { utf8 } from './utf8.ts'

/**
 * Gives the rows of a file with one JSON object per line: UTF-8, line ends LF or CR LF, empty lines skipped. Read in pieces, however
 * long the file is.
 *
 * A line is a row (`{ "inputs": …, "expectations": … }`) or has the parts of one by name (`{ "inputs.question": … }`); other objects
 * need `columns` or `schema`. Numbers, lists and objects stay what they are.
 *
 * @param path relative to the working directory
 * @throws TypeError for a path or an option that cannot be meant
 * @throws EvaluationError while it is read: SOURCE_NOT_FOUND, SOURCE_NOT_READABLE, SOURCE_MALFORMED and ROW_INVALID with the line
 */
export function jsonl<Inputs = any>(path: string | URL, options: SourceOptions<Inputs> = {}): Source<Inputs> {
  return fileSource({ word: 'jsonl', title: 'JSONL', read }, path, options)
}

async function* read(file: SourceFile): AsyncGenerator<Iterable<SourceRecord>> {
  let rest: string[] = []
  let before = 0
  for await (const { text } of utf8(file)) {
    const lines = text.split('\n')
    const last = lines.pop() as string
    if (lines.length > 0) {
      // Joined once: a line of many chunks must not be copied with each of them.
      lines[0] = rest.join('') + lines[0]
      yield parse(file, lines, before, false)
      before += lines.length
      rest = []
    }
    rest.push(last)
  }
  yield parse(file, [rest.join('')], before, true)
}

function* parse(file: SourceFile, lines: readonly string[], before: number, open: boolean): Generator<SourceRecord> {
  for (const [i, text] of lines.entries()) {
    if (text.trim() === '') continue
    const where = `line ${before + i + 1}`
    const fields = parseLine(file, text, where, open)
    if (typeof fields === 'object' && fields !== null && !Array.isArray(fields)) {
      yield { fields: fields as SourceRecord['fields'], where }
    } else {
      throw file.malformed(
        `${where} must be an object, found ${quote(fields)}`,
        Array.isArray(fields) ? WHOLE : undefined,
      )
    }
  }
}

const WHOLE = 'every line has to be an object of its own; json() reads a file that holds one list of rows'

function parseLine(file: SourceFile, text: string, where: string, open: boolean): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const { at, problem, cutOff, hint } = jsonFault(text)
    const stopped = open ? 'the file seems to be cut off: its last line has no line end' : WHOLE
    const why = `${where} is not JSON: ${problem} at column ${at + 1}`
    throw file.malformed(why, cutOff ? stopped : hint, cause)
  }
}
