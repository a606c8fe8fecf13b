import type { StoredTrace } from './store.ts'

/** One version of a trace with its assessments, on its way into an archive or out of one. */
export interface ArchivedTrace {
  /** The trial of a run is the run's, and is not archived. */
  readonly stored: Omit<StoredTrace, 'trial'>
  /** Grows with every change of the trace or its assessments: of several versions the highest counts. A whole number. */
  readonly version: number
  /** Milliseconds since 1970. */
  readonly archivedAt: number
}

/** What makes an append that is made again do nothing. */
export interface ArchiveBatch {
  /** Who appends: one numbering of batches. */
  readonly application: string
  /** A whole number, greater than that of the batch before. */
  readonly batch: number
  /** The place that it was gathered from: where a later batch of the application is there by now, it is not appended. */
  readonly follows?: number
}

/** What an append has written. */
export interface Appended {
  readonly rows: number
  /** The version of the archive that has them. */
  readonly version: number
}

/** Which traces to read: all that is given has to fit. */
export interface ArchiveQuery {
  readonly experiment?: string
  /** Request times from this one on, milliseconds since 1970. */
  readonly from?: number
  /** Request times before this one, milliseconds since 1970. */
  readonly to?: number
  readonly ids?: Iterable<string>
  /** The newest request first, by milliseconds, ids ascending among equals; otherwise day by day. */
  readonly newestFirst?: boolean
  /** With `newestFirst`: only what comes behind this place, a request time and an id. */
  readonly behind?: readonly [requestTimeMs: number, id: string]
}

/** Keeps traces outside the store, in a form that other tools read. */
export interface Archive {
  /** Where it is: for messages and reports. */
  readonly location: string
  /**
   * Adds rows, all or none; makes the archive where there is none. Other processes may append at the same moment.
   * @returns `known` when this batch, or a later one of the same application than it follows, is there already
   * @throws TypeError or RangeError for a batch or a row that cannot be meant
   * @throws EvaluationError ARCHIVE_UNFIT, ARCHIVE_NOT_READABLE, ARCHIVE_NOT_WRITABLE
   */
  append(rows: readonly ArchivedTrace[], batch: ArchiveBatch): Promise<Appended | 'known'>
  /** Gives the number of the newest batch of an application; undefined where there is none. */
  lastBatch(application: string): Promise<number | undefined>
  /**
   * Gives the latest version of every trace, day by day. A trace fits the query when its latest version does.
   * @throws EvaluationError ARCHIVE_UNFIT, ARCHIVE_NOT_READABLE
   */
  read(query?: ArchiveQuery): AsyncIterable<ArchivedTrace>
  /** Counts what `read` would give. */
  count(query?: ArchiveQuery): Promise<number>
}
