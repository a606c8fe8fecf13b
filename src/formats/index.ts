import { didYouMean, quote } from '../errors.ts'
import { FormatFault, type TraceFormat } from '../format.ts'
import { NotDataError } from '../std/json.ts'
import { type Assembled, assemble } from './assemble.ts'
import { malformed, partsOf } from './file.ts'
import { langfuse } from './langfuse.ts'
import { mlflow } from './mlflow.ts'
import { otlp } from './otlp.ts'
import { protobuf } from './protobuf.ts'
import { spans } from './spans.ts'

/** Every format that traces can be read from. The order counts: the first one that knows a part by its look reads it. */
export const formats: readonly TraceFormat[] = [otlp, protobuf, mlflow, langfuse, spans]

/**
 * Gives the format of a name.
 * @param writable only those that can be written
 * @throws TypeError that lists them when there is none
 */
export function formatNamed(name: string, writable = false): TraceFormat {
  const able = formats.filter(({ write }) => !writable || write)
  const format = able.find((one) => one.name === name)
  if (format) return format
  const names = able.map((one) => one.name)
  throw new TypeError(
    `Cannot ${writable ? 'write' : 'read'} traces as ${quote(name)}: there is no such format${didYouMean(name, names)}` +
      `\nHint: the formats are ${names.join(', ')}`,
  )
}

/** What a file of traces held. */
export interface TraceFile extends Assembled {
  /** The formats that were found in it. */
  readonly formats: readonly string[]
}

/**
 * Reads a file of traces: in one format or, without a name, in whatever each part of it looks like.
 * @throws EvaluationError SOURCE_NOT_FOUND, SOURCE_NOT_READABLE, SOURCE_MALFORMED with the place of what is wrong
 */
export async function readTraceFile(path: string, name?: string): Promise<TraceFile> {
  const wanted = name === undefined ? undefined : formatNamed(name)
  const found = new Set<string>()
  let where = ''
  try {
    const drafts = []
    for (const part of await partsOf(path)) {
      where = part.where
      const format = formats.find((one) => (!wanted || one === wanted) && one.detect(part.value))
      if (!format) throw unknown(part.value, wanted)
      found.add(format.name)
      for (const draft of await format.read(part.value)) drafts.push(draft)
    }
    where = ''
    return { ...assemble(drafts), formats: [...found] }
  } catch (thrown) {
    if (thrown instanceof FormatFault) throw malformed(path, where + thrown.message, thrown.hint, thrown)
    if (thrown instanceof NotDataError) throw malformed(path, where + thrown.message, undefined, thrown)
    throw thrown
  }
}

function unknown(value: unknown, wanted: TraceFormat | undefined): FormatFault {
  const what = wanted ? `it is not ${wanted.title}` : 'it is of no known format'
  const found = value instanceof Uint8Array ? 'bytes' : quote(value)
  return new FormatFault(`${what}: found ${found}`, `known are ${formats.map(({ title }) => title).join(', ')}`)
}
