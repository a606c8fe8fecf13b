import { extname } from 'node:path'
import { type Sink, writeWhole } from './exporters/file.ts'
import type { TraceFormat } from './format.ts'
import { Run } from './handle.ts'
import type { Trace } from './trace.ts'
import type { TraceFormatName } from './traces.ts'
import type { TraceSet } from './traceset.ts'

/** The door for traces that leave as files. */

/** How traces are written. */
export interface TraceExportOptions {
  /** @default 'otlp-protobuf' for a file that ends with .pb, else 'otlp' */
  readonly format?: Extract<TraceFormatName, 'otlp' | 'otlp-protobuf' | 'mlflow'>
}

/**
 * Writes traces with their assessments to a file that other systems read, and `importTraces` too: OTLP in JSON or protobuf, or MLflow trace
 * JSON. With a name that ends with `.jsonl` there is one trace a line, and no more than one is held in memory.
 *
 * @returns how many traces were written
 * @throws TypeError for a format that cannot be written
 * @throws EvaluationError EXPORT_FAILED, and what reading them throws
 */
export async function exportTraces(
  traces: Run | TraceSet | Iterable<Trace> | AsyncIterable<Trace>,
  path: string,
  options: TraceExportOptions = {},
): Promise<number> {
  const { formatNamed } = await import('./formats/index.ts')
  const name = options.format ?? (extname(path).toLowerCase() === '.pb' ? 'otlp-protobuf' : 'otlp')
  const format = formatNamed(name, true)
  const found = traces instanceof Run ? traces.search() : traces
  const isLines = /\.(jsonl|ndjson)$/i.test(path)
  if (isLines && format.name === 'otlp-protobuf') {
    throw new TypeError(
      `Cannot export traces as ${format.title} to "${path}": there are no lines of bytes\nHint: name it .pb`,
    )
  }
  let count = 0
  await writeWhole(path, async (sink) => {
    count = isLines ? await writeLines(found, format, sink) : await writeAll(found, format, sink)
  })
  return count
}

type Found = Iterable<Trace> | AsyncIterable<Trace>
type Write = NonNullable<TraceFormat['write']>

async function writeLines(traces: Found, { write }: TraceFormat, sink: Sink): Promise<number> {
  let count = 0
  for await (const trace of traces) {
    const room = sink.add(`${await (write as Write)([trace])}\n`)
    if (room) await room
    count++
  }
  return count
}

async function writeAll(found: Found, { write }: TraceFormat, sink: Sink): Promise<number> {
  const traces: Trace[] = []
  for await (const trace of found) traces.push(trace)
  const body = await (write as Write)(traces)
  await sink.write(typeof body === 'string' ? Buffer.from(body) : body)
  return traces.length
}
