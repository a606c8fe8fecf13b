import { EvaluationError } from '../../errors.ts'

/** What SQLite's errors mean. */

export const SQLITE_BUSY = 5
const SQLITE_LOCKED = 6
const SQLITE_READONLY = 8
export const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

/** Whether a file or its folder may only be read. */
export function isReadOnly(error: unknown): boolean {
  return primaryCode(error) === SQLITE_READONLY
}

/** SQLite's error code without its details. */
export function primaryCode(error: unknown): number {
  return ((error as { errcode?: number } | undefined)?.errcode ?? 0) & 0xff
}

/** The statements are ours and fit the tables, and so do the numbers: where one does not, the file is not what it was. */
function isBrokenSchema(message: string | undefined): boolean {
  return /^(no such (table|column)|malformed|unrecognized token|Value is too large to be represented)|already exists$/.test(
    message ?? '',
  )
}

/** Whether a fault is one of the file's content, which may be whole elsewhere. */
export function isDamage(error: unknown): boolean {
  const cause = error instanceof EvaluationError ? error.cause : error
  return primaryCode(cause) === SQLITE_CORRUPT || isBrokenSchema((cause as Error | undefined)?.message)
}

/** Says in words what SQLite answered. */
export function storeError(
  action: 'open' | 'read' | 'write',
  path: string,
  error: unknown,
  hint?: string,
): EvaluationError {
  const { message, code } = error as { message?: string; code?: string }
  const primary = primaryCode(error)
  const sentence = `Cannot ${action === 'write' ? 'write to' : action} the store "${path}"`
  if (primary === SQLITE_BUSY || primary === SQLITE_LOCKED) {
    return new EvaluationError('STORE_LOCKED', `${sentence}: another process holds its lock`, {
      cause: error,
      hint: 'wait for it to end, or give this run a store of its own',
    })
  }
  if (primary === SQLITE_NOTADB) {
    return new EvaluationError('STORE_NOT_READABLE', `${sentence}: it is not a database`, { cause: error })
  }
  if (isDamage(error)) {
    const details = { cause: error, hint }
    return new EvaluationError('STORE_NOT_READABLE', `${sentence}: the file is damaged (${message})`, details)
  }
  const why = code && !code.startsWith('ERR_') ? code : message
  return new EvaluationError(action === 'read' ? 'STORE_NOT_READABLE' : 'STORE_NOT_WRITABLE', `${sentence}: ${why}`, {
    cause: error,
  })
}
