import { type DeltaTracesOptions, deltaTraces as readArchive } from './archives/traces.ts'
import { assessmentsOf } from './carried.ts'
import { quote } from './errors.ts'
import type { Row } from './row.ts'
import type { Source } from './source.ts'
import { plural } from './std/text.ts'
import { type Store, type StoredTrace, type TraceRecord, toTrace } from './store.ts'

/** The door for traces that come back from archives: as data of an evaluation, or into a store. */

/**
 * Gives the traces of an archive as rows: of each the latest version, with the assessments that it had then. Inputs, outputs and expectations of a row are those of its
 * trace. Read day by day, once for each iteration; no more than their ids and a piece of one data file are held in memory.
 *
 * @example
 * await evaluate(deltaTraces('archive/traces', { from: new Date('2026-01-01'), filter: "feedback.polite = 'no'" }), [Correctness()])
 * @param path the folder of a Delta table, relative to the working directory
 * @throws TypeError for a path or an option that cannot be meant; EvaluationError FILTER_INVALID
 * @throws EvaluationError while they are read: ARCHIVE_UNFIT, ARCHIVE_NOT_READABLE
 */
export function deltaTraces(path: string | URL, options: DeltaTracesOptions = {}): Source {
  const found = readArchive(path, options)
  return {
    description: `archived traces ${path}`,
    async *[Symbol.asyncIterator](): AsyncGenerator<Row> {
      for await (const stored of found) yield { trace: toTrace(stored) }
    },
  }
}

/** So many traces, or so much text, go to the store at a time. */
const AT_ONCE = 200
const CHARS_AT_ONCE = 16_000_000

/** What bringing traces back has done, as far as files have no part in it. */
export interface Brought {
  readonly store: string
  readonly experiment: string
  readonly files: readonly { readonly path: string; readonly formats: readonly string[]; readonly spans: number }[]
  readonly imported: number
  readonly known: number
  readonly spans: number
  readonly assessments: number
  readonly mended: readonly string[]
}

/** Brings the traces of archives into a store, a few at a time. @throws as `deltaTraces` */
export async function importArchives(
  paths: readonly string[],
  store: Store,
  { experiment, from, to, filter, format }: DeltaTracesOptions & { readonly format?: string },
): Promise<Brought> {
  if (format !== undefined)
    throw new TypeError(`Cannot import archived traces: "format" is for files, and ${quote(paths[0])} is an archive`)
  const options = {
    ...(experiment !== undefined && { experiment }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(filter !== undefined && { filter }),
  }
  const experiments = new Set<string>()
  const mended: string[] = []
  const sum = { imported: 0, known: 0, spans: 0, assessments: 0 }
  const files: { path: string; formats: string[]; spans: number }[] = []
  for (const path of paths) {
    let spans = 0
    for await (const some of batches(readArchive(path, options))) {
      const ids = some.map(({ trace }) => trace.id)
      const there = new Map<string, StoredTrace>()
      for await (const one of store.search({ traceIds: ids, includeSpans: false })) there.set(one.trace.id, one)
      const records: TraceRecord[] = []
      for (const stored of some) {
        const { id } = stored.trace
        const say = (note: string): void => void mended.push(`trace ${id}: ${note}`)
        experiments.add(stored.trace.experiment)
        const known = there.get(id)
        const left = stored.assessments.length - (known?.assessments.length ?? 0)
        if (known && left > 0)
          say(`it is in the store already, without ${plural(left, 'assessment')} of the archive: left out`)
        if (known) sum.known++
        else records.push({ trace: stored.trace, assessments: await assessmentsOf(stored, store, say) })
      }
      await store.writeTraces(records)
      const count = records.reduce((n, { trace }) => n + toTrace({ trace, assessments: [] }).spans.length, 0)
      sum.imported += records.length
      sum.spans += count
      sum.assessments += records.reduce((n, { assessments }) => n + assessments.length, 0)
      spans += count
    }
    files.push({ path, formats: ['delta'], spans })
  }
  return { store: store.location, experiment: experiment ?? [...experiments].sort().join(', '), files, ...sum, mended }
}

async function* batches(found: AsyncIterable<StoredTrace>): AsyncGenerator<StoredTrace[]> {
  let batch: StoredTrace[] = []
  let chars = 0
  for await (const stored of found) {
    const { inputs = '', outputs = '', spans } = stored.trace
    batch.push(stored)
    chars += inputs.length + outputs.length + spans.length
    if (batch.length < AT_ONCE && chars < CHARS_AT_ONCE) continue
    yield batch
    batch = []
    chars = 0
  }
  if (batch.length > 0) yield batch
}
