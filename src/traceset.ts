import type { Row } from './row.ts'
import { type Store, type StoredTrace, type TraceQuery, toTrace } from './store.ts'
import type { Trace } from './trace.ts'

/**
 * The traces that a search finds: read when they are asked for, page by page, as often as they are asked for. Valid data for
 * `evaluate`.
 */
export class TraceSet implements AsyncIterable<Trace> {
  readonly #store: () => Promise<Store>
  readonly #query: TraceQuery
  readonly #tests: readonly ((trace: Trace) => boolean)[]

  constructor(store: () => Promise<Store>, query: TraceQuery, tests: readonly ((trace: Trace) => boolean)[] = []) {
    this.#store = store
    this.#query = query
    this.#tests = tests
  }

  /** The run that was searched, if it was one. */
  get runId(): string | undefined {
    return this.#query.runId
  }

  /** Counts without reading the traces, unless `filter` has narrowed them by a function. */
  async count(): Promise<number> {
    if (this.#tests.length === 0) return (await this.#store()).count(this.#query)
    let count = 0
    for await (const _ of this) count++
    return count
  }

  /** Gives the traces for which the function gives true, lazily too. */
  filter(test: (trace: Trace) => boolean): TraceSet {
    return new TraceSet(this.#store, this.#query, [...this.#tests, test])
  }

  /** Reads all traces into memory. */
  async toArray(): Promise<Trace[]> {
    return Array.fromAsync(this)
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Trace> {
    for await (const stored of (await this.#store()).search(this.#query)) {
      const trace = toTrace(stored)
      if (this.#tests.every((test) => test(trace))) yield trace
    }
  }
}

/** A row of a run with all that came of it. Valid data for `evaluate`. */
export interface RowResult extends Row {
  readonly id: string
  /** Place in the data, from 0. */
  readonly index: number
  readonly repeat: number
  readonly status: 'ok' | 'failed'
  readonly error?: { readonly code: string; readonly message: string; readonly stack?: string }
  readonly expectations: Readonly<Record<string, any>>
  readonly tags: Readonly<Record<string, string>>
  /** This run's Feedback by column; the newest valid one of each name. */
  readonly feedback: Readonly<Record<string, Trace['assessments'][number]>>
  readonly trace: Trace
}

/** @throws TypeError for a trace that was not read from a run */
export function toRowResult(stored: StoredTrace): RowResult {
  const { trial } = stored
  if (!trial) throw new TypeError('Cannot read a row: the trace was not read from a run')
  const trace = toTrace(stored)
  const feedback: Record<string, Trace['assessments'][number]> = Object.create(null)
  for (const assessment of trace.searchAssessments({ kind: 'feedback' })) feedback[assessment.name] = assessment
  return {
    id: trial.rowId,
    index: trial.index,
    repeat: trial.repeat,
    status: trial.status,
    ...(trial.error && { error: trial.error }),
    inputs: trace.inputs,
    ...(trial.status === 'ok' && { outputs: trace.outputs }),
    expectations: trace.expectations,
    tags: trace.tags,
    feedback,
    trace,
  }
}
