import { resolve } from 'node:path'
import type { RunRecord } from '../run.ts'
import type { StoredTrace, TraceQuery } from '../store.ts'
import { Database } from './sqlite/database.ts'
import { Reader } from './sqlite/reader.ts'
import { walk } from './sqlite/walk.ts'

/**
 * Reads a SQLite store in the calling thread, where a short wait for a lock disturbs nobody: for a look at a few rows, it saves the start of a
 * thread.
 */
export class DirectReader {
  readonly #db: Database
  readonly #reader: Reader

  /** @throws EvaluationError STORE_… when there is no such store */
  constructor(path: string, busyTimeoutMs = 5_000) {
    this.#db = new Database({ path: resolve(path), create: false, busyTimeoutMs })
    this.#reader = new Reader(this.#db)
  }

  async getRun(id: string): Promise<RunRecord | undefined> {
    return this.#reader.run(id)
  }

  /** Gives a run and how many rows there are of it, at once: a process that is about to end waits for nothing. */
  peek(id: string): { readonly run: RunRecord; readonly rows: number } | undefined {
    const run = this.#reader.run(id)
    return run && { run, rows: this.#reader.count({ runId: id }) }
  }

  search({ limit = Number.POSITIVE_INFINITY, ...query }: TraceQuery): AsyncIterable<StoredTrace> {
    return walk(this.#db.path, limit, (cursor, size) => this.#reader.page(query, cursor, size))
  }

  close(): void {
    this.#reader.close()
    this.#db.close()
  }
}
