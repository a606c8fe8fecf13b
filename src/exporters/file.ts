import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { EvaluationError, messageOf } from '../errors.ts'

/** Files that are there whole or not at all. */

const CHUNK = 1 << 18

/** A file being written, from its start to its end. */
export class Sink {
  readonly #handle: FileHandle
  #text = ''

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  /** Takes text; gives a promise only when enough has gathered to be written, and that one has to be waited for. */
  add(text: string): Promise<void> | undefined {
    this.#text += text
    return this.#text.length >= CHUNK ? this.flush() : undefined
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#handle.appendFile(bytes)
  }

  async flush(): Promise<void> {
    const text = this.#text
    this.#text = ''
    if (text !== '') await this.#handle.appendFile(text)
  }

  /** Writes over what stands at `position`, in bytes from the start. */
  async patch(text: string, position: number): Promise<void> {
    await this.flush()
    await this.#handle.write(text, position)
  }
}

/**
 * Writes a file under another name beside `path` and renames it when it is complete, so that nobody ever sees half of it.
 * Makes the folders that are missing.
 * @throws EvaluationError EXPORT_FAILED with the path, when the file system or the format refuses; faults of the store as they are
 */
export async function writeWhole(path: string, body: (sink: Sink) => Promise<void>): Promise<void> {
  const folder = dirname(path)
  const temporary = join(folder, `.${randomUUID()}.tmp`)
  try {
    await requireNoFolder(path)
    await mkdir(folder, { recursive: true })
    const handle = await open(temporary, 'wx')
    try {
      const sink = new Sink(handle)
      await body(sink)
      await sink.flush()
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {})
    if (cause instanceof EvaluationError) throw cause
    throw new EvaluationError('EXPORT_FAILED', `Cannot export to ${JSON.stringify(path)}: ${messageOf(cause)}`, {
      cause,
    })
  }
}

/** Found before the first row is read: the rename at the end would say it hours later. */
async function requireNoFolder(path: string): Promise<void> {
  const there = await stat(path).catch(() => undefined)
  if (there?.isDirectory()) throw new Error('it is a folder')
}

/**
 * Opens an exported file for reading.
 * @throws EvaluationError SOURCE_NOT_FOUND or SOURCE_NOT_READABLE
 */
export async function openWhole(path: string): Promise<FileHandle> {
  try {
    const handle = await open(path, 'r')
    if ((await handle.stat()).isFile()) return handle
    await handle.close()
    throw new Error('it is not a file')
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    const why = missing ? 'there is no such file' : messageOf(cause)
    throw new EvaluationError(
      missing ? 'SOURCE_NOT_FOUND' : 'SOURCE_NOT_READABLE',
      `Cannot read ${JSON.stringify(path)} as a run: ${why}`,
      { cause },
    )
  }
}

/** Gives the error for an exported file that is not what it should be. */
export function malformed(path: string, problem: string, hint?: string, cause?: unknown): EvaluationError {
  const message = `Cannot read ${JSON.stringify(path)} as a run: ${problem}`
  return new EvaluationError('SOURCE_MALFORMED', message, { hint, cause })
}
