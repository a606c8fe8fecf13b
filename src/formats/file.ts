import { constants } from 'node:buffer'
import { readFile, stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { EvaluationError, messageOf } from '../errors.ts'
import { parseExact } from '../std/exact.ts'
import { jsonFault } from '../std/syntax.ts'

/** Files as formats see them: JSON, lines of JSON, or bytes. */

/** A part of a file, with its place for messages where there are several. */
export interface Part {
  readonly where: string
  readonly value: unknown
}

/**
 * Reads a file's parts: the items of a JSON list, the lines of JSONL, or the whole. What is packed by gzip is unpacked.
 * @throws EvaluationError SOURCE_NOT_FOUND, SOURCE_NOT_READABLE, SOURCE_MALFORMED
 */
export async function partsOf(path: string): Promise<readonly Part[]> {
  const bytes = await unpacked(path, await bytesOf(path))
  const first = bytes.find((byte, i) => !isSpace(byte) && !(i < 3 && byte === [0xef, 0xbb, 0xbf][i]))
  if (first === undefined) throw malformed(path, 'it is empty')
  const isJson = first === 0x7b || first === 0x5b
  if (!isJson) {
    if (bytes[0] === 0x0a) return [{ where: '', value: bytes }]
    throw malformed(path, 'it begins neither like JSON nor like OTLP protobuf')
  }
  return jsonParts(path, textOf(path, bytes))
}

async function bytesOf(path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path)
    if (size > constants.MAX_STRING_LENGTH) {
      const problem = `${size} bytes are too many to be read whole`
      throw new EvaluationError('SOURCE_NOT_READABLE', `Cannot read traces of "${path}": ${problem}`, {
        hint: 'split it into several files',
      })
    }
    return await readFile(path)
  } catch (cause) {
    if (cause instanceof EvaluationError) throw cause
    const { code } = cause as NodeJS.ErrnoException
    const isMissing = code === 'ENOENT' || code === 'ENOTDIR'
    const problem = isMissing ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : messageOf(cause)
    throw new EvaluationError(
      isMissing ? 'SOURCE_NOT_FOUND' : 'SOURCE_NOT_READABLE',
      `Cannot read traces of "${path}": ${problem}`,
      { cause },
    )
  }
}

async function unpacked(path: string, bytes: Buffer): Promise<Buffer> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: constants.MAX_STRING_LENGTH })
  } catch (cause) {
    throw malformed(path, `its gzip is damaged: ${messageOf(cause)}`, undefined, cause)
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}

function textOf(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw malformed(path, 'it is not UTF-8', 'save the file as UTF-8', cause)
  }
}

function jsonParts(path: string, text: string): readonly Part[] {
  const whole = parsed(text)
  if (!('fault' in whole)) return items(whole.value)
  if (whole.fault instanceof RangeError) throw malformed(path, 'it is nested too deeply', undefined, whole.fault)
  const lines = text.split('\n')
  const [first = ''] = lines.filter((line) => line.trim() !== '')
  if ('fault' in parsed(first)) throw notJson(path, text, whole.fault)
  return lines.flatMap((line, i) => {
    if (line.trim() === '') return []
    const result = parsed(line)
    if ('fault' in result) throw notJson(path, line, result.fault, i + 1)
    return [{ where: `line ${i + 1}: `, value: result.value }]
  })
}

function parsed(text: string): { readonly value: unknown } | { readonly fault: unknown } {
  try {
    return { value: parseExact(text) }
  } catch (fault) {
    return { fault }
  }
}

/** Fields of an object that is nothing but an envelope around a list. */
const ENVELOPES = ['traces', 'data', 'spans']

function items(value: unknown): readonly Part[] {
  if (Array.isArray(value)) return value.map((item, i) => ({ where: `item ${i + 1}: `, value: item }))
  if (typeof value === 'object' && value !== null) {
    for (const name of ENVELOPES) {
      const list = (value as Record<string, unknown>)[name]
      const isAlone = Object.keys(value).every(
        (key) => key === name || /^(meta|next_?page_?token|nextCursor)$/i.test(key),
      )
      if (Array.isArray(list) && list.length > 0 && isAlone) return items(list)
    }
  }
  return [{ where: '', value }]
}

function notJson(path: string, text: string, cause: unknown, line?: number): EvaluationError {
  const { at, problem, cutOff, hint } = jsonFault(text)
  const before = text.slice(0, at).split('\n')
  const place = `line ${line ?? before.length}, column ${(before.at(-1) as string).length + 1}`
  return malformed(
    path,
    `it is not JSON: ${problem} at ${place}`,
    cutOff ? 'the file seems to be cut off' : hint,
    cause,
  )
}

/** Gives the error for a file that is not what it should be. */
export function malformed(path: string, problem: string, hint?: string, cause?: unknown): EvaluationError {
  return new EvaluationError('SOURCE_MALFORMED', `Cannot read traces of "${path}": ${problem}`, { hint, cause })
}
