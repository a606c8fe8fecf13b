import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { EvaluationError } from '../../errors.ts'
import { type LikeOperator, like } from '../../filter.ts'
import { isDamage, isReadOnly, primaryCode, SQLITE_BUSY, SQLITE_CORRUPT, storeError } from './faults.ts'
import { APPLICATION_ID, MIGRATIONS } from './schema.ts'
import { sealText } from './seal.ts'
import { hasSpan } from './spans.ts'
import { cellText } from './values.ts'

export interface OpenOptions {
  readonly path: string
  /** Makes the file when it is not there. */
  readonly create: boolean
  /** How long to wait for another process's lock, milliseconds. */
  readonly busyTimeoutMs: number
}

export type Value = string | number | null | Uint8Array

/** One connection. Statements are prepared once; all writing happens inside `transaction`. */
export class Database {
  readonly path: string
  #db: DatabaseSync
  /** Why SQLite refused the file as a whole, as one that was cut off. It is never written to: what can still be read would be lost for good. */
  readonly damage: unknown
  readonly #statements = new Map<string, StatementSync>()
  #names = new Map<string, number>()
  readonly #nameTexts = new Map<number, string>()

  constructor({ path, create, busyTimeoutMs }: OpenOptions) {
    this.path = path
    if (!create && !existsSync(path)) {
      throw new EvaluationError('STORE_NOT_READABLE', `Cannot open the store "${path}": there is no such file`, {
        hint: 'evaluate or monitor something first, or name another store',
      })
    }
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
      throw new EvaluationError('STORE_NOT_READABLE', `Cannot open the store "${path}": it is a folder`)
    }
    if (create) this.#guard('open', () => prepareFolder(dirname(path)))
    this.#db = new DatabaseSync(':memory:')
    try {
      this.#db = this.#guard('open', () => connect(path, busyTimeoutMs))
      this.#guard('open', () => patiently(busyTimeoutMs, () => this.#prepare()))
    } catch (error) {
      if (!isDamage(error)) throw error
      this.damage = error
      this.#db.close()
      this.#db = this.#guard('open', () => connectDamaged(path, busyTimeoutMs))
    }
    this.#addFunctions()
  }

  #prepare(): void {
    const { version, foreign } = this.#look()
    if (foreign) {
      throw new EvaluationError(
        'STORE_NOT_READABLE',
        `Cannot open the store "${this.path}": it is a database of something else`,
      )
    }
    if (version > MIGRATIONS.length) {
      throw new EvaluationError(
        'STORE_TOO_NEW',
        `Cannot open the store "${this.path}": its format is version ${version}, this vitest-evaluate knows up to ${MIGRATIONS.length}`,
        { hint: 'update vitest-evaluate, or use another store' },
      )
    }
    setJournal(this.#db)
    this.#db.exec(
      'PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000; PRAGMA wal_autocheckpoint = 4000',
    )
    if (version < MIGRATIONS.length) this.#migrate()
  }

  #addFunctions(): void {
    this.#db.function('ve_text', { deterministic: true }, (type, num, text) => cellText(type, num, text))
    this.#db.function('ve_like', { deterministic: true }, (text, pattern, operator) =>
      text === null ? 0 : Number(like(String(text), String(pattern), operator as LikeOperator)),
    )
    this.#db.function('ve_span', { deterministic: true, varargs: true }, (...values) => Number(hasSpan(values)))
  }

  /** Looks at the file once: another process may be making the tables right now. */
  #look(): { readonly version: number; readonly foreign: boolean } {
    this.#db.exec('BEGIN')
    try {
      const version = this.#pragma('user_version')
      const owner = this.#pragma('application_id')
      return { version, foreign: owner !== APPLICATION_ID && (owner !== 0 || version !== 0 || this.#hasTables()) }
    } finally {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
    }
  }

  #migrate(): void {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      for (const migration of MIGRATIONS.slice(this.#pragma('user_version'))) this.#db.exec(migration)
      this.#db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length}; COMMIT`)
    } catch (error) {
      this.#db.exec('ROLLBACK')
      throw error
    }
  }

  #pragma(name: string): number {
    return Number(Object.values(this.#db.prepare(`PRAGMA ${name}`).get() ?? {})[0])
  }

  #hasTables(): boolean {
    return this.#db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' LIMIT 1").get() !== undefined
  }

  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  get<T>(sql: string, ...values: Value[]): T | undefined {
    return this.#guard('read', () => this.statement(sql).get(...values) as T | undefined)
  }

  all<T>(sql: string, ...values: Value[]): T[] {
    return this.#guard('read', () => this.statement(sql).all(...values) as T[])
  }

  /** Runs a work that only reads, so that nothing changes between its first look and its last. */
  snapshot<T>(work: () => T): T {
    return this.#guard('read', () => {
      this.#db.exec('BEGIN')
      try {
        return work()
      } finally {
        // After damage has been read past, a commit would fail.
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      }
    })
  }

  /** Runs the work as one transaction that takes the write lock at its start, so that it can never fail to get it later. */
  transaction<T>(work: () => T): T {
    return this.#guard('write', () => {
      if (this.damage !== undefined) throw this.damage
      this.#db.exec('BEGIN IMMEDIATE')
      try {
        const result = work()
        this.#db.exec('COMMIT')
        return result
      } catch (error) {
        this.#names = new Map()
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
        throw error
      }
    })
  }

  /** Gives the number that stands for a name, making one if need be. */
  nameId(name: string): number {
    const known = this.#names.get(name) ?? this.findName(name)
    if (known !== undefined) return known
    const insert = this.statement('INSERT INTO names (name, seal) VALUES (?, ?)')
    const id = Number(insert.run(name, sealText(name)).lastInsertRowid)
    this.#names.set(name, id)
    return id
  }

  findName(name: string): number | undefined {
    const known = this.#names.get(name)
    if (known !== undefined) return known
    const found = this.statement('SELECT id FROM names WHERE name = ?').get(name) as { id: number } | undefined
    if (found) this.#names.set(name, found.id)
    return found?.id
  }

  /** Gives what a number stands for; undefined where that is lost. */
  nameText(id: number): string | undefined {
    const known = this.#nameTexts.get(id)
    if (known !== undefined) return known
    const found = this.get<{ name: string; seal: number }>('SELECT name, seal FROM names WHERE id = ?', id)
    if (!found || sealText(String(found.name)) !== found.seal) return undefined
    this.#nameTexts.set(id, found.name)
    return found.name
  }

  /** Gives the error for a file whose content is not what was written. */
  damaged(problem: string, hint?: string): EvaluationError {
    return storeError('read', this.path, Object.assign(new Error(problem), { errcode: SQLITE_CORRUPT }), hint)
  }

  close(): void {
    this.#db.close()
  }

  #guard<T>(action: 'open' | 'read' | 'write', work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw error instanceof EvaluationError ? error : storeError(action, this.path, error)
    }
  }
}

/** A log that nobody has open can only be read by whoever may write beside it; where that is forbidden, the file is read as it lies there. */
function connect(path: string, busyTimeoutMs: number): DatabaseSync {
  const db = new DatabaseSync(path, {
    // One writer makes all references, in one transaction with what they point to; checking each again takes longer than writing it.
    enableForeignKeyConstraints: false,
  })
  try {
    db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}; PRAGMA user_version`)
    return db
  } catch (error) {
    db.close()
    if (!isReadOnly(error)) throw error
    const url = pathToFileURL(path)
    url.searchParams.set('immutable', '1')
    return new DatabaseSync(url, { readOnly: true })
  }
}

/** Opens a file that SQLite refuses as a whole, such as one that was cut off, for whatever can be read of it. */
function connectDamaged(path: string, busyTimeoutMs: number): DatabaseSync {
  const options = { readOnly: true, enableForeignKeyConstraints: false, defensive: false }
  const db = new DatabaseSync(path, options)
  // The one setting with which SQLite lets a file be shorter than its header says.
  db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}; PRAGMA writable_schema = ON; PRAGMA query_only = ON`)
  return db
}

/** Repeats what SQLite refuses at once while others hold a lock: to change the journal waits for nobody, whatever the busy timeout. */
function patiently(timeoutMs: number, work: () => void): void {
  const started = performance.now()
  for (;;) {
    try {
      work()
      return
    } catch (error) {
      if (primaryCode(error) !== SQLITE_BUSY || performance.now() - started > timeoutMs) throw error
      Atomics.wait(PAUSE, 0, 0, 5)
    }
  }
}

const PAUSE = new Int32Array(new SharedArrayBuffer(4))

/** A file that may only be read keeps the journal that it has. */
function setJournal(db: DatabaseSync): void {
  try {
    db.exec(safeWal(db) ? 'PRAGMA journal_mode = WAL' : 'PRAGMA journal_mode = DELETE')
  } catch (error) {
    if (!isReadOnly(error)) throw error
  }
}

/** SQLite below 3.51.3 can corrupt a write-ahead log that several processes write; a rollback journal is safe everywhere. */
function safeWal(db: DatabaseSync): boolean {
  const { version } = db.prepare('SELECT sqlite_version() AS version').get() as { version: string }
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  return major * 1e6 + minor * 1e3 + patch >= 3_051_003
}

/** The store is made from test runs, over and over: it does not belong into version control. */
function prepareFolder(folder: string): void {
  if (existsSync(folder)) return
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, '.gitignore'), '*\n')
}
