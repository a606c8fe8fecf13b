import { type FileHandle, open, readdir } from 'node:fs/promises'
import { basename, dirname, isAbsolute, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EvaluationError, messageOf, nearest, quote } from '../errors.ts'
import { requireSourceOptions, type Source, type SourceOptions, type SourceRecord, toRows } from '../source.ts'

/** A file that is open for one reading of its rows. */
export interface SourceFile {
  readonly handle: FileHandle
  /** In bytes. */
  readonly size: number
  /** Gives the error for a file that is not what it should be. */
  malformed(problem: string, hint?: string, cause?: unknown): EvaluationError
  /** Gives the error for a file that may be right but cannot be read here. */
  unreadable(problem: string, hint?: string, cause?: unknown): EvaluationError
}

export interface FileFormat {
  /** As in `csv questions.csv`. */
  readonly word: string
  /** As in `Cannot read "questions.csv" as CSV`. */
  readonly title: string
  /** Options beside those of every source. */
  readonly options?: readonly string[]
  /** Reads the records, as many at a time as are at hand; the file is opened before and closed after. */
  read(file: SourceFile): AsyncIterable<Iterable<SourceRecord>>
}

/**
 * Makes a source of a file: opened when an iteration starts, closed when it ends for whatever reason.
 * @throws TypeError for a path or options that cannot be meant
 */
export function fileSource<Inputs>(
  format: FileFormat,
  path: string | URL,
  options: SourceOptions<Inputs>,
): Source<Inputs> {
  const absolute = resolve(pathText(path, format))
  const shown = shorten(absolute)
  const name = `${JSON.stringify(shown)} as ${format.title}`
  requireSourceOptions(`read ${name}`, options, format.options)
  return {
    description: `${format.word} ${shown}`,
    files: [absolute],
    [Symbol.asyncIterator]: () => toRows(name, batches(format, absolute, name), options),
  }
}

function pathText(path: string | URL, format: FileFormat): string {
  if (path instanceof URL) return fileURLToPath(path)
  if (typeof path === 'string' && path !== '') return path
  throw new TypeError(`Cannot read ${format.title}: expected the path of a file, found ${quote(path)}`)
}

/** The same on every machine for what lies below the working directory. */
function shorten(absolute: string): string {
  const path = relative(process.cwd(), absolute)
  return path === '' || path === '..' || path.startsWith(`..${sep}`) || isAbsolute(path) ? absolute : path
}

async function* batches(format: FileFormat, path: string, name: string): AsyncGenerator<Iterable<SourceRecord>> {
  const file = await openSource(path, name)
  try {
    yield* format.read(file)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException | undefined)?.syscall === undefined) throw cause
    throw file.unreadable(messageOf(cause), undefined, cause)
  } finally {
    // A library that reads from the handle may have closed it already.
    await file.handle.close().catch(() => {})
  }
}

async function openSource(path: string, name: string): Promise<SourceFile> {
  const error =
    (code: 'SOURCE_MALFORMED' | 'SOURCE_NOT_READABLE' | 'SOURCE_NOT_FOUND') =>
    (problem: string, hint?: string, cause?: unknown): EvaluationError =>
      new EvaluationError(code, `Cannot read ${name}: ${problem}`, { hint, cause })
  const unreadable = error('SOURCE_NOT_READABLE')
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw unreadable(messageOf(cause), undefined, cause)
    throw error('SOURCE_NOT_FOUND')('there is no such file', await nearby(path), cause)
  }
  const stat = await handle.stat()
  if (!stat.isDirectory()) return { handle, size: stat.size, unreadable, malformed: error('SOURCE_MALFORMED') }
  await handle.close()
  throw unreadable('it is a folder', 'name a file in it')
}

async function nearby(path: string): Promise<string> {
  const folder = dirname(path)
  const names = await readdir(folder).catch(() => undefined)
  if (!names) return `there is no folder ${JSON.stringify(folder)} either`
  const near = nearest(basename(path), names)
  return near === undefined ? `looked in ${JSON.stringify(folder)}` : `did you mean ${JSON.stringify(near)}?`
}
