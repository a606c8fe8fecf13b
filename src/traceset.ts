import { quote } from './errors.ts'
import type { SortKey } from './order.ts'
import type { Row } from './row.ts'
import { canonical, sha256 } from './std/json.ts'
import { type Store, type StoredTrace, type TraceQuery, toTrace } from './store.ts'
import { sortKey } from './subject.ts'
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

  /**
   * Gives the first page: `maxResults` traces, or 100. With its token the same search goes on behind it, whatever has been added since. Traces that
   * `filter` leaves out are passed over.
   */
  async page(): Promise<TracePage> {
    const size = this.#query.limit ?? PAGE
    const store = await this.#store()
    const traces: Trace[] = []
    let last: StoredTrace | undefined
    for await (const stored of store.search({ ...this.#query, limit: Number.POSITIVE_INFINITY })) {
      const trace = toTrace(stored)
      if (!this.#tests.every((test) => test(trace))) continue
      // One more than the page holds: only then is there a next one.
      if (traces.length === size) return { traces, nextPageToken: pageToken(last as StoredTrace, this.#query) }
      traces.push(trace)
      last = stored
    }
    return { traces }
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

/** Some of what a search finds. */
export interface TracePage {
  readonly traces: readonly Trace[]
  /** Missing on the last page. */
  readonly nextPageToken?: string
}

const PAGE = 100

function pageToken(last: StoredTrace, query: TraceQuery): string {
  return Buffer.from(JSON.stringify([fingerprint(query), ...sortKey(last, query)])).toString('base64url')
}

/** @throws TypeError when the token was not made by this search */
export function readPageToken(token: string, query: TraceQuery): SortKey {
  const [made, ...key] = contentOf(token)
  if (made === undefined) throw new TypeError(`Cannot search: ${quote(token)} is no page token`)
  if (made === fingerprint(query)) return key
  throw new TypeError(
    'Cannot search: the page token belongs to another search\nHint: repeat its filter, order, run and experiment',
  )
}

function contentOf(token: string): (string | number | null)[] {
  try {
    const content = JSON.parse(Buffer.from(token, 'base64url').toString())
    return Array.isArray(content) ? content : []
  } catch {
    return []
  }
}

/** What has to stay the same from page to page. */
function fingerprint({ filter, orderBy, runId, experiment }: TraceQuery): string {
  return sha256(canonical([filter, orderBy, runId, experiment].map((part) => part ?? null))).slice(0, 12)
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
