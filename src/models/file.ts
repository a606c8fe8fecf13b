import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { messageOf } from '../errors.ts'

/**
 * A small SQLite file that the workers of a run share: for limits and answers, which are worth having and never worth failing for. What
 * goes wrong with the file is said once, and then there is no file.
 *
 * It is used from the thread of the evaluation itself: its transactions take microseconds, and a lock is waited for only shortly.
 */
export class SharedFile {
  readonly path: string | undefined
  readonly #schema: string
  readonly #statements = new Map<string, StatementSync>()
  #db: DatabaseSync | undefined
  #gone = false

  /** @param path undefined: there is no file from the start */
  constructor(path: string | undefined, schema: string) {
    this.path = path
    this.#schema = schema
  }

  /** Runs a work as one transaction that takes the write lock at once. Gives undefined where the file cannot be used, now or at all. */
  transaction<T>(work: (file: this) => T): T | undefined {
    return this.#guard((db) => {
      db.exec('BEGIN IMMEDIATE')
      try {
        const result = work(this)
        db.exec('COMMIT')
        return result
      } catch (error) {
        if (db.isTransaction) db.exec('ROLLBACK')
        throw error
      }
    })
  }

  /** False where there is no file, or none that works. */
  get isUsable(): boolean {
    return this.path !== undefined && !this.#gone
  }

  /** Reads one row. */
  get<T>(sql: string, ...values: (string | number)[]): T | undefined {
    return this.#guard(() => this.statement(sql).get(...values) as T | undefined)
  }

  /** For use inside `transaction`. */
  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = (this.#db as DatabaseSync).prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  close(): void {
    this.#statements.clear()
    this.#db?.close()
    this.#db = undefined
  }

  #guard<T>(work: (db: DatabaseSync) => T): T | undefined {
    if (this.path === undefined || this.#gone) return undefined
    try {
      this.#db ??= this.#open(this.path)
      return work(this.#db)
    } catch (error) {
      if (primaryCode(error) === SQLITE_BUSY) return undefined
      this.#gone = true
      this.close()
      process.emitWarning(
        `${this.path} cannot be used, so this process keeps to itself: ${messageOf(error)}`,
        'VitestEvaluateWarning',
      )
      return undefined
    }
  }

  #open(path: string): DatabaseSync {
    const folder = dirname(path)
    if (!existsSync(folder)) {
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, '.gitignore'), '*\n')
    }
    try {
      return connect(path, this.#schema)
    } catch (error) {
      if (!DAMAGED.has(primaryCode(error))) throw error
      // Nothing in it is more than a saving.
      for (const end of ['', '-wal', '-shm', '-journal']) rmSync(`${path}${end}`, { force: true })
      return connect(path, this.#schema)
    }
  }
}

/** Loaded when it is needed, since most evaluations ask no model, and without the warning that Node 22 has for everybody who does. */
function sqlite(): typeof import('node:sqlite') {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return process.getBuiltinModule('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}

function connect(path: string, schema: string): DatabaseSync {
  const { DatabaseSync } = sqlite()
  const db = new DatabaseSync(path)
  try {
    db.exec('PRAGMA busy_timeout = 250; PRAGMA user_version')
    // Older ones can corrupt a write-ahead log that several processes write.
    const { version } = db.prepare('SELECT sqlite_version() AS version').get() as { version: string }
    const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
    const wal = major * 1e6 + minor * 1e3 + patch >= 3_051_003
    db.exec(`PRAGMA journal_mode = ${wal ? 'WAL' : 'TRUNCATE'}; PRAGMA synchronous = OFF; ${schema}`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

const SQLITE_BUSY = 5
/** Corrupt, not a database. */
const DAMAGED = new Set([11, 26])

function primaryCode(error: unknown): number {
  return ((error as { errcode?: number } | null)?.errcode ?? 0) & 0xff
}
