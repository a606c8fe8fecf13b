import type { Note, Registration, RegistrationWrite, ScorerSamplingConfig } from '../../registration.ts'
import type { RegistrationQuery } from '../../registry.ts'
import { nowMs } from '../../std/async.ts'
import type { Database, Value } from './database.ts'
import type { Row } from './record.ts'
import { sealText } from './seal.ts'

const COLUMNS = `s.key, s.version, s.record, s.seal, w.experiment, w.name, w.rate, w.filter, w.started_at, w.position, w.examined, w.sampled, w.unfit, w.scored,
  w.errors, w.usd, w.last_at`
const NEWEST = 's.version = (SELECT max(version) FROM scorers WHERE watch = w.key)'
const NEW_WATCH = `INSERT OR IGNORE INTO watches
  (experiment, name, rate, filter, position, examined, sampled, unfit, scored, errors, usd, last_at) VALUES (?, ?, 0, NULL, 0, 0, 0, 0, 0, 0, 0, 0)`

/** What waits, or has failed too often, is the newest version's. */
const ADOPT = `UPDATE OR IGNORE units SET scorer = ?1
  WHERE scorer IN (SELECT key FROM scorers WHERE watch = ?2 AND key < ?1) AND state IN (0, 3)`

/** What does not change of a version. */
type Kept = Omit<RegistrationWrite, 'experiment' | 'name'>

/** Keeps registered scorers and notes. Every method that writes runs inside a transaction that the caller has opened. */
export class Registrations {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  register({ experiment, name, ...kept }: RegistrationWrite): Registration {
    const [newest] = this.list({ experiment, name })
    const record = JSON.stringify(kept satisfies Kept)
    if (newest?.digest === kept.digest) {
      this.#db
        .statement('UPDATE scorers SET record = ?, seal = ? WHERE key = ?')
        .run(record, sealText(record), newest.key)
    } else {
      this.#db.statement(NEW_WATCH).run(this.#db.nameId(experiment), name)
      const watch = this.#watch(experiment, name)
      const last = 'SELECT coalesce(max(version), 0) AS last FROM scorers WHERE watch = ?'
      const version = (this.#db.get<Row>(last, watch as number)?.last ?? 0) + 1
      const insert = this.#db.statement('INSERT INTO scorers (watch, version, record, seal) VALUES (?, ?, ?, ?)')
      const { lastInsertRowid } = insert.run(watch as number, version, record, sealText(record))
      if (newest?.level === kept.level) this.#db.statement(ADOPT).run(lastInsertRowid, watch as number)
    }
    return this.list({ experiment, name })[0] as Registration
  }

  list({ experiment, name, version }: RegistrationQuery = {}): Registration[] {
    const conditions: string[] = []
    const values: Value[] = []
    const add = (text: string, value: Value): void => {
      conditions.push(text)
      values.push(value)
    }
    if (experiment !== undefined) add('w.experiment = ?', this.#db.findName(experiment) ?? -1)
    if (name !== undefined) add('w.name = ?', name)
    if (version === undefined) conditions.push(NEWEST)
    else if (version !== 'all') add('s.version = ?', version)
    const rows = this.#db.all<Row>(
      `SELECT ${COLUMNS} FROM scorers AS s JOIN watches AS w ON w.key = s.watch
       ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''} ORDER BY w.name, (SELECT names.name FROM names WHERE id = w.experiment), s.version`,
      ...values,
    )
    return rows.map((row) => this.#registration(row))
  }

  configure(experiment: string, name: string, config: ScorerSamplingConfig): Registration | undefined {
    const [before] = this.list({ experiment, name })
    if (!before) return undefined
    const { sampleRate = before.sampleRate } = config
    const filter = 'filterString' in config ? config.filterString : before.filterString
    // What came while it was stopped is for a backfill.
    const starts = before.sampleRate === 0 && sampleRate > 0
    this.#db
      .statement(
        `UPDATE watches SET rate = ?, filter = ?, started_at = coalesce(?3, started_at),
         position = CASE WHEN ?3 IS NULL THEN position ELSE (SELECT coalesce(max(changed), 0) FROM arrivals) END WHERE key = ?`,
      )
      .run(sampleRate, filter ?? null, starts ? nowMs() : null, this.#watch(experiment, name) as number)
    return this.list({ experiment, name })[0]
  }

  delete(experiment: string, name: string, version: number | undefined): number {
    const watch = this.#watch(experiment, name)
    const versions = this.list({ experiment, name, version: version ?? 'all' })
    if (watch === undefined || versions.length === 0) return 0
    for (const { key } of versions) {
      this.#db.statement('DELETE FROM units WHERE scorer = ?').run(key)
      this.#db.statement('DELETE FROM scorers WHERE key = ?').run(key)
    }
    this.#db
      .statement('DELETE FROM watches WHERE key = ? AND NOT EXISTS (SELECT 1 FROM scorers WHERE watch = watches.key)')
      .run(watch)
    return versions.length
  }

  keepNote({ kind, id, data }: Note, was?: Note['data'] | null): boolean {
    const [there] = this.notes(kind, id)
    if (was === null && there) return false
    if (was && (!there || JSON.stringify(there.data) !== JSON.stringify(was))) return false
    const text = JSON.stringify(data)
    this.#db
      .statement('INSERT OR REPLACE INTO notes (kind, id, data, seal) VALUES (?, ?, ?, ?)')
      .run(kind, id, text, sealText(text))
    return true
  }

  notes(kind: Note['kind'], id?: string): Note[] {
    const rows = this.#db.all<Row>(
      'SELECT id, data, seal FROM notes WHERE kind = ? AND coalesce(id = ?, 1) ORDER BY id',
      kind,
      id ?? null,
    )
    return rows.map((row) => ({ kind, id: row.id, data: this.#whole(row.data, row.seal, `the ${kind} "${row.id}"`) }))
  }

  dropNote(kind: Note['kind'], id: string): boolean {
    return this.#db.statement('DELETE FROM notes WHERE kind = ? AND id = ?').run(kind, id).changes === 1
  }

  #watch(experiment: string, name: string): number | undefined {
    const id = this.#db.findName(experiment) ?? -1
    return this.#db.get<Row>('SELECT key FROM watches WHERE experiment = ? AND name = ?', id, name)?.key
  }

  #registration(row: Row): Registration {
    const { key, name, version, rate, filter, position, examined, sampled, unfit, scored, errors, usd } = row
    const kept: Kept = this.#whole(row.record, row.seal, `the registered scorer "${name}"`)
    return {
      key,
      experiment: this.#db.nameText(row.experiment) ?? '',
      name,
      version,
      ...kept,
      sampleRate: rate,
      ...(filter !== null && { filterString: filter }),
      ...(row.started_at !== null && { startedAt: row.started_at }),
      progress: { position, examined, sampled, unfit, scored, errors, usd, lastAt: row.last_at },
    }
  }

  #whole<T>(text: string, sealed: number, what: string): T {
    if (sealText(text) !== sealed) throw this.#db.damaged(`${what} is not as it was written`)
    return JSON.parse(text) as T
  }
}
