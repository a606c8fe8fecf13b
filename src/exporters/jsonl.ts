import { isUtf8 } from 'node:buffer'
import type { FileHandle } from 'node:fs/promises'
import type { Exporter, RunSnapshot } from '../exporter.ts'
import type { StoredTrace } from '../store.ts'
import { malformed, openWhole, writeWhole } from './file.ts'
import { decodeHeader, decodeRecord, encodeHeader, encodeRecord, type Header, RecordError } from './record.ts'

/** Room for the number of trials, which is known only at the end. */
const COUNT = '0'.padStart(12)

/**
 * Lossless lines of JSON: the run, then one line per trial, as `record.ts` writes them.
 *
 * A line that is cut off is an error that names it, and so is a file that ends before the number of trials in its header: part of a
 * run must not pass for the run. Lines end with a line feed; one is not needed after the last.
 */
export const jsonl: Exporter = {
  extensions: ['.jsonl'],

  async write(run, path) {
    await writeWhole(path, async (sink) => {
      const header = encodeHeader(run.record, COUNT)
      await sink.add(line(header))
      let trials = 0
      for await (const stored of run.trials()) {
        const full = sink.add(line(encodeRecord(stored)))
        if (full) await full
        trials++
      }
      await sink.patch(String(trials).padStart(COUNT.length), header.indexOf(COUNT))
    })
  },

  async read(path): Promise<RunSnapshot> {
    const lines = linesOf(path)
    const first = await lines.next()
    await lines.return(undefined)
    if (first.done) throw malformed(path, 'it is empty')
    return { record: headerOf(path, first.value.text).run, trials: () => trialsOf(path) }
  },
}

/** U+2028 and U+2029 may stand in JSON, but some readers of lines take them for line ends. */
function line(json: string): string {
  const text = /[\u2028\u2029]/.test(json)
    ? json.replace(/[\u2028\u2029]/g, (char) => (char === '\u2028' ? '\\u2028' : '\\u2029'))
    : json
  return `${text}\n`
}

function headerOf(path: string, text: string): Header {
  try {
    return decodeHeader(text)
  } catch (error) {
    if (!(error instanceof RecordError)) throw malformed(path, 'its header is damaged', undefined, error)
    throw malformed(path, error.message, error.hint, error)
  }
}

async function* trialsOf(path: string): AsyncGenerator<StoredTrace> {
  let header: Header | undefined
  let found = 0
  let last = 0
  for await (const { number, text, complete } of linesOf(path)) {
    last = number
    if (!header) {
      header = headerOf(path, text)
      continue
    }
    let stored: StoredTrace
    try {
      stored = decodeRecord(text)
    } catch (error) {
      const problem = error instanceof RecordError ? error.message : 'it is damaged'
      throw malformed(path, complete ? `line ${number}: ${problem}` : `line ${number} is cut off`, undefined, error)
    }
    found++
    yield stored
  }
  if (header?.trials !== undefined && header.trials !== found) {
    throw malformed(path, `it ends at line ${last} with ${found} of the ${header.trials} trials its header promises`)
  }
}

interface Line {
  /** From 1. */
  readonly number: number
  readonly text: string
  /** False for a last line without its line end. */
  readonly complete: boolean
}

const LINE_FEED = 0x0a

/** Gives the lines of a file that are not empty, one block in memory at a time. */
async function* linesOf(path: string): AsyncGenerator<Line, undefined> {
  const handle = await openWhole(path)
  try {
    let number = 0
    const made = (bytes: Buffer, complete: boolean): Line => {
      number++
      if (!isUtf8(bytes)) throw malformed(path, `line ${number} is not UTF-8`)
      return { number, text: bytes.toString('utf8', number === 1 && bytes[0] === 0xef ? 3 : 0), complete }
    }
    let torn: Buffer[] = []
    for await (const block of blocksOf(handle)) {
      let start = 0
      for (let end = block.indexOf(LINE_FEED); end >= 0; end = block.indexOf(LINE_FEED, start)) {
        const bytes =
          torn.length > 0 ? Buffer.concat([...torn, block.subarray(start, end)]) : block.subarray(start, end)
        torn = []
        start = end + 1
        const whole = made(bytes, true)
        if (whole.text.trim() !== '') yield whole
      }
      if (start < block.length) torn.push(Buffer.from(block.subarray(start)))
    }
    const rest = torn.length > 0 ? made(Buffer.concat(torn), false) : undefined
    if (rest && rest.text.trim() !== '') yield rest
  } finally {
    await handle.close()
  }
}

async function* blocksOf(handle: FileHandle): AsyncGenerator<Buffer> {
  const block = Buffer.allocUnsafe(1 << 18)
  for (;;) {
    const { bytesRead } = await handle.read(block, 0, block.length)
    if (bytesRead === 0) return
    yield block.subarray(0, bytesRead)
  }
}
