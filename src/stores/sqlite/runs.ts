import type { RunRecord } from '../../run.ts'
import { clip } from '../../std/text.ts'
import type { RunQuery } from '../../store.ts'
import type { Database } from './database.ts'
import { isDamage } from './faults.ts'
import type { Row } from './record.ts'
import type { Rescue } from './rescue.ts'
import { sealText } from './seal.ts'
import { join, type Sql, sql } from './where.ts'

/** Reads the records of runs. */
export class Runs {
  readonly #db: Database
  readonly #rescued: () => Rescue | undefined
  readonly #known = new Map<number, string>()

  /** @param rescued gives what lies whole in a file that was cut off; undefined for any other file */
  constructor(db: Database, rescued: () => Rescue | undefined) {
    this.#db = db
    this.#rescued = rescued
  }

  one(id: string): RunRecord | undefined {
    try {
      const row = this.#db.get<Row>('SELECT record, seal FROM runs WHERE id = ?', id)
      return row && this.#record(row)
    } catch (error) {
      if (!isDamage(error)) throw error
      const rescued = this.#rescued()?.run(id)
      if (rescued) return rescued
      if (this.key(id) < 0) throw error
      const hint = `what is left of its rows: vitest-evaluate search --run ${id}`
      throw this.#db.damaged(`the record of run ${id} is lost`, hint)
    }
  }

  /** Gives runs, newest first. */
  list(query: RunQuery): RunRecord[] {
    try {
      return this.#list(query)
    } catch (error) {
      if (!isDamage(error)) throw error
      const rescued = this.#all(query)
      if (rescued) return rescued
      throw this.#db.damaged('it does not hold every run any more', this.#left())
    }
  }

  /** Gives runs from a file that was cut off, if all of those that the index names lie whole in it. */
  #all({ experiment, name, limit = Number.POSITIVE_INFINITY }: RunQuery): RunRecord[] | undefined {
    const runs = this.#rescued()?.runs()
    const ids = new Set(runs?.map(({ id }) => id))
    try {
      if (!runs || this.#ids().some((id) => !ids.has(id))) return undefined
    } catch (error) {
      if (!isDamage(error)) throw error
      return undefined
    }
    const found = runs.filter(
      (run) => (experiment ?? run.experiment) === run.experiment && (name ?? run.name) === run.name,
    )
    return found.slice(0, limit)
  }

  #ids(): string[] {
    const text = 'SELECT id FROM runs INDEXED BY sqlite_autoindex_runs_1 ORDER BY id DESC'
    return this.#db.all<Row>(text).map(({ id }) => id)
  }

  /** Says which runs can still be reached: by their ids, which an index of its own holds. */
  #left(): string | undefined {
    const whole: string[] = []
    const torn: string[] = []
    try {
      for (const id of this.#ids()) {
        if (this.#isWhole(id)) whole.push(id)
        else torn.push(id)
      }
    } catch (error) {
      if (!isDamage(error)) throw error
      for (const { id } of this.#rescued()?.runs() ?? []) whole.push(id)
    }
    const parts = [
      whole.length > 0 && `whole are the records of ${clip(whole.join(', '), 300)}`,
      torn.length > 0 && `rows may be left of ${clip(torn.join(', '), 300)}: vitest-evaluate search --run ${torn[0]}`,
    ]
    return parts.filter(Boolean).join('; ') || undefined
  }

  #isWhole(id: string): boolean {
    try {
      return this.one(id) !== undefined
    } catch (error) {
      if (!isDamage(error)) throw error
      return false
    }
  }

  #list({ experiment, name, limit = -1 }: RunQuery): RunRecord[] {
    const conditions: Sql[] = []
    if (experiment !== undefined) conditions.push(sql('experiment = ?', this.#db.findName(experiment) ?? -1))
    if (name !== undefined) conditions.push(sql('name = ?', name))
    const { text, values } = join(conditions, ' AND ')
    const rows = this.#db.all<Row>(
      `SELECT record, seal, (SELECT max(key) FROM runs) AS count FROM runs ${text && `WHERE ${text}`}
       ORDER BY started_at DESC, key DESC LIMIT ?`,
      ...values,
      limit,
    )
    const all = conditions.length === 0 && limit < 0
    if (all && rows.length < (rows[0]?.count ?? 0)) throw this.#db.damaged('it does not hold every run any more')
    return rows.map((row) => this.#record(row))
  }

  #record({ record, seal: sealed }: Row): RunRecord {
    if (sealText(record) !== sealed) throw this.#db.damaged('the record of a run is not as it was written')
    return JSON.parse(record) as RunRecord
  }

  /** Gives the number that stands for a run; -1 where there is none. */
  key(id: string): number {
    return this.#db.get<{ key: number }>('SELECT key FROM runs WHERE id = ?', id)?.key ?? -1
  }

  /** Gives the run that a number stands for. */
  id(key: number): string | undefined {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const id = this.#db.get<{ id: string }>('SELECT id FROM runs WHERE key = ?', key)?.id
    if (id !== undefined) this.#known.set(key, id)
    return id
  }
}
