import { glob } from 'node:fs/promises'
import { relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { importArchives } from './archived.ts'
import { isArchive } from './archives/store.ts'
import { assessmentsOf } from './carried.ts'
import { normaliseSpan } from './conventions.ts'
import { EvaluationError, quote } from './errors.ts'
import { experimentName } from './experiment.ts'
import { currentHost } from './host.ts'
import { openStore } from './place.ts'
import type { Row } from './row.ts'
import type { Source } from './source.ts'
import { isGlob } from './std/glob.ts'
import { NotDataError } from './std/json.ts'
import { plural } from './std/text.ts'
import { type Store, type TraceRecord, toTrace, toTraceWrite } from './store.ts'
import { Trace, type TraceData } from './trace.ts'

/** The door for traces that come as files: as data of an evaluation, or into a store. */

/** Files of traces: a path, a glob such as `traces/*.json`, or several of both. */
export type TracePaths = string | URL | readonly (string | URL)[]

/** The formats that traces are read from. */
export type TraceFormatName = 'otlp' | 'otlp-protobuf' | 'mlflow' | 'langfuse' | 'spans'

/** How files of traces are read. */
export interface TracesOptions {
  /** @default whatever the files look like */
  readonly format?: TraceFormatName
}

/**
 * Gives the traces of files as rows: MLflow trace JSON, OTLP in JSON or protobuf, Langfuse traces, dumps of single spans (AI SDK, OpenInference).
 * A file may hold one trace, a list, a JSON object per line, or spans of several traces in any order. Inputs, outputs and expectations of a row
 * are those of its trace. Read whole, once for each iteration.
 *
 * @example
 * await evaluate(traces('production/*.json'), [Correctness()])
 * @throws TypeError for paths that cannot be meant
 * @throws EvaluationError while they are read: SOURCE_NOT_FOUND, SOURCE_NOT_READABLE, SOURCE_MALFORMED with the place
 */
export function traces(paths: TracePaths, options: TracesOptions = {}): Source {
  const patterns = patternsOf(paths)
  const mended: string[] = []
  return {
    mended,
    description: `traces ${patterns.map(shorten).join(', ')}`,
    files: patterns.map((pattern) => resolve(pattern)),
    async *[Symbol.asyncIterator](): AsyncGenerator<Row> {
      const read = await readFiles(patterns, options.format)
      mended.splice(0, mended.length, ...read.mended.map(({ traceId, note }) => `trace ${traceId}: ${note}`))
      const experiment = experimentName(undefined, currentHost()?.settings)
      for (const data of read.traces) {
        yield { trace: new Trace({ ...data, experiment, spans: data.spans.map(normaliseSpan) }) }
      }
    },
  }
}

/** Where imported traces go. */
export interface ImportOptions extends TracesOptions {
  /** @default as for `evaluate` */
  readonly store?: string | Store
  /** The experiment that traces of files become part of; of archived traces, which stay in theirs, only those of this one are taken. @default the experiment in force; all */
  readonly experiment?: string
  /** Of archives: only request times from this one on; a number is milliseconds since 1970. */
  readonly from?: Date | number
  /** Of archives: only request times before this one. */
  readonly to?: Date | number
  /** Of archives: only traces that fit. */
  readonly filter?: string
}

/** What an import has done. */
export interface TraceImport {
  /** The store's file. */
  readonly store: string
  /** Of archives that have several: their names with commas. */
  readonly experiment: string
  readonly files: readonly { readonly path: string; readonly formats: readonly string[]; readonly spans: number }[]
  /** Traces that are in the store now and were not before. */
  readonly imported: number
  /** Traces that the store had already; they stay as they were. */
  readonly known: number
  /** Spans and assessments of the imported traces. */
  readonly spans: number
  readonly assessments: number
  /** One sentence for each thing that could not be taken over as it was. */
  readonly mended: readonly string[]
}

/**
 * Brings traces of files into a store, with their assessments. A trace that is there already, by its id, stays as it is: importing a file twice
 * changes nothing. They come as traces of production do, so that monitors and backfills find them.
 *
 * @param paths files, globs, or folders of archives, which keep the experiments of their traces, and what scorers and people have said of them
 * @throws TypeError, EvaluationError as `traces`; nothing is imported then. ARCHIVE_… of archives, where what was read before stays
 */
export async function importTraces(paths: TracePaths, options: ImportOptions = {}): Promise<TraceImport> {
  const settings = currentHost()?.settings
  const store = openStore(options.store, settings)
  const patterns = patternsOf(paths)
  const archives = patterns.filter(isArchive)
  if (archives.length > 0) {
    const file = patterns.find((pattern) => !archives.includes(pattern))
    if (file !== undefined)
      throw new TypeError(
        `Cannot import ${quote(file)} and the archive ${quote(archives[0])} at once: they take other options`,
      )
    return importArchives(archives, store, options)
  }
  for (const key of ['from', 'to', 'filter'] as const)
    if (options[key] !== undefined)
      throw new TypeError(`Cannot import traces: "${key}" is for archives, and ${quote(patterns[0])} is none`)
  const experiment = experimentName(options.experiment, settings)
  const read = await readFiles(patterns, options.format)
  const notes = Map.groupBy(read.mended, ({ traceId }) => traceId)
  const writes = read.traces.map((data) => ({ data, write: writeOf({ ...data, experiment }) }))
  const outcomes: Outcome[] = []
  for (let at = 0; at < writes.length; at += AT_ONCE) {
    const some = writes.slice(at, at + AT_ONCE).map(({ data, write }) => prepare(data, write, store))
    const prepared = await Promise.all(some)
    await store.writeTraces(prepared.flatMap(({ record }) => record ?? []))
    outcomes.push(...prepared)
  }
  const mended = read.traces.flatMap(({ id }, i) => {
    const { record, notes: more } = outcomes[i] as Outcome
    // What had to be mended of a trace that stays as it was is nobody's concern.
    const before = record ? (notes.get(id) ?? []).map(({ note }) => note) : []
    return [...before, ...more].map((note) => `trace ${id}: ${note}`)
  })
  const added = read.traces.filter((_, i) => outcomes[i]?.record)
  return {
    store: store.location,
    experiment,
    files: read.files,
    imported: added.length,
    known: read.traces.length - added.length,
    spans: added.reduce((count, trace) => count + trace.spans.length, 0),
    assessments: added.reduce((count, trace) => count + trace.assessments.length, 0),
    mended,
  }
}

/** So many traces are on their way to the store at a time. */
const AT_ONCE = 200

interface Outcome {
  /** What is to be written; missing where the store has the trace already. */
  readonly record?: TraceRecord
  readonly notes: readonly string[]
}

async function prepare(data: TraceData, write: Write, store: Store): Promise<Outcome> {
  const there = await storedTrace(store, data.id)
  if (there) {
    const left = leftOut(data, there)
    return { notes: left ? [`it is in the store already, without ${left} of the file: left out`] : [] }
  }
  const notes: string[] = []
  const given = await assessmentsOf(data, store, (note) => notes.push(note))
  const isOurs = data.experiment === '' || data.experiment === write.experiment
  return { record: { trace: isOurs ? write : from(write, data), assessments: given }, notes }
}

type Write = ReturnType<typeof toTraceWrite>

/** The experiment of another system is no experiment of ours, but it is part of what is known about the trace. */
function from(write: Write, { experiment }: TraceData): Write {
  return { ...write, metadata: { 'mlflow.experimentId': experiment, ...write.metadata } }
}

function writeOf(data: TraceData): Write {
  try {
    return toTraceWrite(new Trace(data))
  } catch (cause) {
    if (!(cause instanceof NotDataError)) throw cause
    throw new EvaluationError('SOURCE_MALFORMED', `Cannot import trace ${quote(data.id)}: ${cause.message}`, { cause })
  }
}

async function storedTrace(store: Store, traceId: string) {
  for await (const stored of store.search({ traceId, limit: 1 })) return stored
  return undefined
}

type Stored = NonNullable<Awaited<ReturnType<typeof storedTrace>>>

/** What of a file's trace the store's does not have. */
function leftOut(data: TraceData, there: Stored): string | undefined {
  const ids = new Set(toTrace(there).spans.map(({ id }) => id))
  const spans = data.spans.filter(({ id }) => !ids.has(id)).length
  const assessments = data.assessments.length - there.assessments.length
  const parts = [
    ...(spans > 0 ? [plural(spans, 'span')] : []),
    ...(assessments > 0 ? [plural(assessments, 'assessment')] : []),
  ]
  return parts.length > 0 ? parts.join(' and ') : undefined
}

async function readFiles(patterns: readonly string[], format: string | undefined) {
  const { readTraceFiles } = await import('./formats/index.ts')
  return readTraceFiles(await filesOf(patterns), format)
}

async function filesOf(patterns: readonly string[]): Promise<string[]> {
  const files = new Set<string>()
  for (const pattern of patterns) {
    const found = isGlob(pattern) ? (await Array.fromAsync(glob(pattern))).sort() : [pattern]
    if (found.length === 0) {
      throw new EvaluationError('SOURCE_NOT_FOUND', `Cannot read traces of ${quote(pattern)}: no file fits`, {
        hint: `looked from ${quote(process.cwd())}`,
      })
    }
    for (const path of found) files.add(shorten(path))
  }
  return [...files]
}

/** The same on every machine for what lies below the working directory. */
function shorten(path: string): string {
  const absolute = resolve(path)
  const short = relative(process.cwd(), absolute)
  return short === '' || short === '..' || short.startsWith(`..${sep}`) ? absolute : short
}

function patternsOf(paths: TracePaths): string[] {
  const list = typeof paths === 'string' || paths instanceof URL ? [paths] : paths
  const isPath = (path: unknown) => (typeof path === 'string' && path !== '') || path instanceof URL
  if (!Array.isArray(list) || list.length === 0 || !list.every(isPath)) {
    throw new TypeError(
      `Cannot read traces: expected the path of a file, a glob or a list of them, found ${quote(paths)}`,
    )
  }
  return list.map((path) => (path instanceof URL ? fileURLToPath(path) : path))
}
