import { EvaluationError, messageOf } from '../errors.ts'

/** What is wrong with a Delta table, as it is told. */

/** Gives the error for a folder or a table that is sound and yet cannot be used here. */
export function unfit(location: string, problem: string, hint?: string): EvaluationError {
  return new EvaluationError('ARCHIVE_UNFIT', `Cannot use "${location}" as a Delta table: ${problem}`, { hint })
}

/** Gives the error for what is damaged, missing, or refused by the file system. */
export function unreadable(location: string, problem: string, cause?: unknown): EvaluationError {
  return new EvaluationError('ARCHIVE_NOT_READABLE', `Cannot read the Delta table "${location}": ${problem}`, { cause })
}

/** Gives the error for an append that the file system refuses. */
export function unwritable(location: string, cause: unknown): EvaluationError {
  if (cause instanceof EvaluationError) return cause
  const hint = 'nothing of this batch was archived'
  const message = `Cannot write to the Delta table "${location}": ${messageOf(cause)}`
  return new EvaluationError('ARCHIVE_NOT_WRITABLE', message, { hint, cause })
}

/** True where a file or folder is not there. */
export function isMissing(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
}
