import type { AsyncRecordBatchFileReader, DataType, RecordBatch, Schema, Table } from 'apache-arrow'
import { type ColumnKind, passValue } from '../column.ts'
import { EvaluationError } from '../errors.ts'
import type { Exporter, RunSnapshot } from '../exporter.ts'
import { dict, encode } from '../std/json.ts'
import type { StoredTrace } from '../store.ts'
import { malformed, openWhole, writeWhole } from './file.ts'
import { decodeHeader, decodeRecord, encodeHeader, encodeRecord, RecordError } from './record.ts'

/** A record batch is as large as what is held in memory; the texts of one must also stay below 2 GiB. */
const BATCH_ROWS = 2_000
const BATCH_CHARACTERS = 1 << 24

const RUN = 'vitest-evaluate.run'
const RECORD = 'record'
const MAGIC = 'ARROW1'

type Library = typeof import('apache-arrow')

/**
 * Lossless Arrow IPC file: one row per trial, the run's record as JSON in the metadata of the schema.
 *
 * Columns: `row_id`, `index`, `repeat`, `status`; `inputs`, `outputs`, `expectations`, `tags`, `error` as JSON text; `trace_id`,
 * `request_time`, `duration_ms`; then each column of the run under its own name (`feedback.<name>` where that is taken) as boolean,
 * double or text, null where a row has no value; last `record`, JSON text with all else there is about the trial.
 */
export const arrow: Exporter = {
  extensions: ['.arrow'],

  async write(run, path) {
    const library = await import('apache-arrow')
    /** Gathers what the library writes without waiting, until it can be waited for. */
    class Gathered extends library.AsyncByteQueue<Uint8Array> {
      readonly chunks: Uint8Array[] = []
      override write(bytes: Uint8Array): void {
        this.chunks.push(bytes)
      }
    }
    await writeWhole(path, async (sink) => {
      const frame = frameOf(library, run, true)
      const gathered = new Gathered()
      const writer = new library.RecordBatchFileWriter()
      writer.reset(gathered, frame.schema)
      const handOn = async (): Promise<void> => {
        for (const bytes of gathered.chunks.splice(0)) await sink.write(bytes)
      }
      for await (const batch of batchesOf(library, frame, run)) {
        writer.write(batch)
        await handOn()
      }
      writer.close()
      await handOn()
    })
  },

  async read(path): Promise<RunSnapshot> {
    const schemas = opened(path, async function* (reader) {
      yield reader.schema
    })
    const { value: schema } = await schemas.next()
    await schemas.return(undefined)
    const header = schema?.metadata.get(RUN)
    const hint = 'only what run.export() wrote can be opened; other files are data, as in evaluate(arrow(path), …)'
    if (header === undefined) throw malformed(path, 'it holds no run', hint)
    try {
      return { record: decodeHeader(header).run, trials: () => opened(path, trialsOf) }
    } catch (error) {
      const { message, hint } = error instanceof RecordError ? error : { message: 'its run is damaged' }
      throw malformed(path, message, hint, error)
    }
  },
}

/** Gives a run as an Arrow table in memory: the columns of an `.arrow` file but `record`. */
export async function toArrowTable(run: RunSnapshot): Promise<Table> {
  const library = await import('apache-arrow')
  const frame = frameOf(library, run, false)
  const batches: RecordBatch[] = []
  for await (const batch of batchesOf(library, frame, run)) batches.push(batch)
  return new library.Table(frame.schema, batches)
}

interface Column {
  readonly name: string
  readonly type: DataType
  readonly cell: (stored: StoredTrace, values: ReadonlyMap<string, unknown>) => unknown
}

interface Frame {
  readonly schema: Schema
  readonly columns: readonly Column[]
}

function frameOf(library: Library, { record }: RunSnapshot, complete: boolean): Frame {
  const { Bool, Field, Float64, Schema, TimestampMillisecond, Uint32, Utf8 } = library
  const text = new Utf8()
  const types = { boolean: new Bool(), number: new Float64(), category: text, structured: text, empty: text }
  const fixed: Column[] = [
    { name: 'row_id', type: text, cell: ({ trial }) => trial?.rowId },
    { name: 'index', type: new Uint32(), cell: ({ trial }) => trial?.index },
    { name: 'repeat', type: new Uint32(), cell: ({ trial }) => trial?.repeat },
    { name: 'status', type: text, cell: ({ trial }) => trial?.status },
    { name: 'inputs', type: text, cell: ({ trace }) => trace.inputs },
    { name: 'outputs', type: text, cell: ({ trace }) => trace.outputs },
    { name: 'expectations', type: text, cell: expectationsText },
    { name: 'tags', type: text, cell: ({ trace }) => encode(trace.tags) },
    { name: 'error', type: text, cell: ({ trial }) => trial?.error && encode(trial.error) },
    { name: 'trace_id', type: text, cell: ({ trace }) => trace.id },
    { name: 'request_time', type: new TimestampMillisecond(), cell: ({ trace }) => Math.round(trace.requestTimeMs) },
    {
      name: 'duration_ms',
      type: new Float64(),
      cell: ({ trace }) => (trace.durationNs === undefined ? undefined : trace.durationNs / 1e6),
    },
  ]
  // The library loses all but one of the columns that share a name, also where names differ only in what UTF-8 cannot hold; and it
  // reads an empty name as "null".
  const taken = new Set(['', ...fixed.map(({ name }) => name), RECORD])
  const feedback = record.columns.map(({ name, kind }): Column => {
    let free = name.toWellFormed()
    while (taken.has(free)) free = `feedback.${free}`
    taken.add(free)
    return { name: free, type: types[kind], cell: (_, values) => valueOf(kind, values.get(name)) }
  })
  const columns = [...fixed, ...feedback]
  if (complete) columns.push({ name: RECORD, type: text, cell: (stored) => encodeRecord(withoutData(stored)) })
  const fields = columns.map(({ name, type }) => new Field(name, type, true))
  return { columns, schema: new Schema(fields, new Map([[RUN, encodeHeader(record)]])) }
}

function expectationsText({ assessments }: StoredTrace): string {
  const expectations = dict<unknown>()
  for (const { kind, name, value, valid } of assessments) {
    if (valid && kind === 'expectation') expectations[name] = value
  }
  return encode(expectations)
}

function feedbackValues({ assessments }: StoredTrace): Map<string, unknown> {
  const feedback = assessments.filter(({ kind, valid }) => valid && kind === 'feedback')
  return new Map(feedback.map(({ name, value, error }) => [name, error ? undefined : value]))
}

/** Gives a value as its column wants it, as the column's own figures count it. */
function valueOf(kind: ColumnKind, value: unknown): unknown {
  if (value === undefined || value === null) return undefined
  const pass = passValue(value)
  if (kind === 'boolean') return pass === undefined ? undefined : pass === 1
  if (kind === 'number') return typeof value === 'number' ? value : pass
  return typeof value === 'string' ? value : encode(value)
}

/** Inputs and outputs stand in their own columns, unless UTF-8 would change their texts. */
function withoutData({ trace, ...rest }: StoredTrace): StoredTrace {
  const { inputs, outputs, ...others } = trace
  return {
    ...rest,
    trace: {
      ...others,
      ...(inputs !== undefined && !inputs.isWellFormed() && { inputs }),
      ...(outputs !== undefined && !outputs.isWellFormed() && { outputs }),
    },
  }
}

async function* batchesOf(library: Library, frame: Frame, run: RunSnapshot): AsyncGenerator<RecordBatch> {
  const { makeBuilder, makeData, RecordBatch, Struct } = library
  const { schema, columns } = frame
  const start = () => columns.map(({ type }) => makeBuilder({ type, nullValues: [null, undefined] }))
  let builders = start()
  let length = 0
  let characters = 0
  const finish = (): RecordBatch => {
    const children = builders.map((builder) => builder.finish().flush())
    const batch = new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, nullCount: 0, children }))
    builders = start()
    length = characters = 0
    return batch
  }
  for await (const stored of run.trials()) {
    const values = feedbackValues(stored)
    for (const [i, { cell }] of columns.entries()) {
      const value = cell(stored, values)
      builders[i]?.append(value)
      if (typeof value === 'string') characters += value.length
    }
    if (++length >= BATCH_ROWS || characters >= BATCH_CHARACTERS) yield finish()
  }
  if (length > 0) yield finish()
}

/** Opens an Arrow file for as long as something is read from it. */
async function* opened<T>(
  path: string,
  use: (reader: AsyncRecordBatchFileReader) => AsyncGenerator<T>,
): AsyncGenerator<T, undefined> {
  const { RecordBatchReader } = await import('apache-arrow')
  const handle = await openWhole(path)
  try {
    const { size } = await handle.stat()
    const ends = Buffer.alloc(MAGIC.length * 2)
    await handle.read(ends, 0, MAGIC.length, 0)
    await handle.read(ends, MAGIC.length, MAGIC.length, Math.max(0, size - MAGIC.length))
    if (ends.toString('latin1', 0, MAGIC.length) !== MAGIC) throw malformed(path, 'it is not an Arrow file')
    if (ends.toString('latin1', MAGIC.length) !== MAGIC) throw malformed(path, 'it is cut off')
    const reader = (await RecordBatchReader.from(handle)) as unknown as AsyncRecordBatchFileReader
    await reader.open()
    yield* use(reader)
  } catch (error) {
    if (error instanceof EvaluationError) throw error
    throw malformed(path, error instanceof RecordError ? error.message : 'it is damaged', undefined, error)
  } finally {
    // The reader may have closed it already.
    await handle.close().catch(() => {})
  }
}

async function* trialsOf(reader: AsyncRecordBatchFileReader): AsyncGenerator<StoredTrace> {
  let row = 0
  for await (const batch of reader) {
    const [records, inputs, outputs] = [RECORD, 'inputs', 'outputs'].map((name) => batch.getChild(name))
    for (let i = 0; i < batch.numRows; i++) {
      row++
      const text = records?.get(i)
      if (typeof text !== 'string') throw new RecordError(`row ${row} has no record`)
      yield withData(recordOf(text, row), inputs?.get(i), outputs?.get(i))
    }
  }
}

function recordOf(text: string, row: number): StoredTrace {
  try {
    return decodeRecord(text)
  } catch (error) {
    throw new RecordError(`row ${row}: ${error instanceof RecordError ? error.message : 'it is damaged'}`)
  }
}

function withData(stored: StoredTrace, inputs: string | null, outputs: string | null): StoredTrace {
  return {
    ...stored,
    trace: {
      ...(typeof inputs === 'string' && { inputs }),
      ...(typeof outputs === 'string' && { outputs }),
      ...stored.trace,
    },
  }
}
