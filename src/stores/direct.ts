import { resolve } from 'node:path'
import type { RunRecord } from '../run.ts'
import type { StoredTrace, TraceQuery } from '../store.ts'
import { Database } from './sqlite/database.ts'
import { type Cursor, Reader } from './sqlite/reader.ts'

const PAGE = 500

/**
 * Reads a SQLite store in the calling thread, where a short wait for a lock disturbs nobody: for a look at a few rows, it saves the start of a
 * thread.
 */
export class DirectReader {
  readonly #db: Database
  readonly #reader: Reader

  /** @throws EvaluationError STORE_… when there is no such store */
  constructor(path: string) {
    this.#db = new Database({ path: resolve(path), create: false, busyTimeoutMs: 5_000 })
    this.#reader = new Reader(this.#db)
  }

  async getRun(id: string): Promise<RunRecord | undefined> {
    return this.#reader.run(id)
  }

  async *search({ limit = Number.POSITIVE_INFINITY, ...query }: TraceQuery): AsyncIterable<StoredTrace> {
    let left = limit
    let after: Cursor | undefined
    while (left > 0) {
      const { items, next } = this.#reader.page(query, after, Math.min(PAGE, left))
      yield* items
      left -= items.length
      if (!next) return
      after = next
    }
  }

  close(): void {
    this.#db.close()
  }
}
