import { didYouMean, quote } from '../errors.ts'
import { FormatFault, type TraceDraft, type TraceFormat } from '../format.ts'
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

/** What files of traces held. */
export interface TraceFiles extends Assembled {
  readonly files: readonly { readonly path: string; readonly formats: readonly string[]; readonly spans: number }[]
}

/**
 * Reads files of traces: in one format or, without a name, in whatever each part looks like. A trace may be spread over the files.
 * @throws EvaluationError SOURCE_NOT_FOUND, SOURCE_NOT_READABLE, SOURCE_MALFORMED with the place of what is wrong
 */
export async function readTraceFiles(paths: readonly string[], name?: string): Promise<TraceFiles> {
  const wanted = name === undefined ? undefined : formatNamed(name)
  const drafts: TraceDraft[] = []
  const files: TraceFiles['files'][number][] = []
  for (const path of paths) {
    const read = await draftsOf(path, wanted)
    for (const draft of read.drafts) drafts.push(draft)
    const spans = read.drafts.reduce((count, draft) => count + draft.spans.length, 0)
    files.push({ path, formats: read.formats, spans })
  }
  return blaming(
    paths.join('", "'),
    () => '',
    () => ({ ...assemble(drafts), files }),
  )
}

async function draftsOf(path: string, wanted: TraceFormat | undefined) {
  const drafts: TraceDraft[] = []
  const found = new Set<string>()
  const parts = await partsOf(path)
  let where = ''
  await blaming(
    path,
    () => where,
    async () => {
      for (const part of parts) {
        where = part.where
        const format = formats.find((one) => (!wanted || one === wanted) && one.detect(part.value))
        if (!format) throw unknown(part.value, wanted)
        found.add(format.name)
        for (const draft of await format.read(part.value)) drafts.push(draft)
      }
    },
  )
  return { drafts, formats: [...found] }
}

/** What a format finds wrong becomes an error that names the file. */
async function blaming<T>(path: string, where: () => string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof FormatFault) throw malformed(path, where() + thrown.message, thrown.hint, thrown)
    if (thrown instanceof NotDataError) throw malformed(path, where() + thrown.message, undefined, thrown)
    throw thrown
  }
}

function unknown(value: unknown, wanted: TraceFormat | undefined): FormatFault {
  const what = wanted ? `it is not ${wanted.title}` : 'it is of no known format'
  const found = value instanceof Uint8Array ? 'bytes' : quote(value)
  return new FormatFault(`${what}: found ${found}`, `known are ${formats.map(({ title }) => title).join(', ')}`)
}
