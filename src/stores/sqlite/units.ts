import type {
  Examination,
  Lease,
  Unit,
  UnitCount,
  UnitKey,
  UnitOutcome,
  UnitQuery,
  UnitRecord,
  UnitWrite,
} from '../../queue.ts'
import {
  begun,
  claimed,
  counts,
  looked,
  type Move,
  nothingWorked,
  revived,
  type Standing,
  settled,
  tell,
  type Worked,
} from '../unit.ts'
import type { Database, Value } from './database.ts'
import type { Ledger } from './ledger.ts'
import type { Row } from './record.ts'

const STATES = ['waiting', 'claimed', 'done', 'dead'] as const

const INSERT = `INSERT INTO units (scorer, entity, state, mark, due_at, attempts, crashed, owner) VALUES (?, ?, ?, ?, ?, 0, 0, ?)
  ON CONFLICT DO NOTHING`
const FIND = 'SELECT * FROM units WHERE scorer = ? AND entity = ?'
const MOVE = `UPDATE units SET state = ?, mark = ?, due_at = ?, again_at = ?, attempts = ?, crashed = ?, owner = ?, error = ?, placed = ?
  WHERE scorer = ? AND entity = ?`
const EXAMINED =
  'UPDATE watches SET position = ?, examined = examined + ?, sampled = sampled + ?, unfit = unfit + ? WHERE key = ?'
const WORKED = `UPDATE watches SET scored = scored + ?, errors = errors + ?, unfit = unfit + ?, usd = usd + ?, last_at = max(last_at, ?)
  WHERE key = (SELECT watch FROM scorers WHERE key = ?)`
// Without its index, it would look through all that is done.
const WHAT_IS_DUE = `SELECT * FROM units INDEXED BY units_due WHERE state < 2 AND scorer = ? AND due_at <= ? ORDER BY due_at, entity LIMIT ?`
// One pass: to group them would sort them all.
const HOW_MANY = `SELECT count(*) FILTER (WHERE state = 0) AS waiting, count(*) FILTER (WHERE state = 1) AS claimed,
  count(*) FILTER (WHERE state = 2) AS done, count(*) FILTER (WHERE state = 3) AS dead,
  count(*) FILTER (WHERE state = 0 AND attempts > 0) AS failed,
  min(due_at) FILTER (WHERE state = 0) AS due, min(due_at) FILTER (WHERE state = 1) AS until FROM units WHERE scorer = ?`
const RENEW = 'UPDATE units INDEXED BY units_claimed SET due_at = ? WHERE state = 1 AND owner = ?'
const RELEASE = `UPDATE units INDEXED BY units_claimed SET state = 0, due_at = coalesce(again_at, ?), again_at = NULL, owner = NULL
  WHERE state = 1 AND owner = ?`

interface Subject {
  readonly level: 'trace' | 'session'
  /** The name of the registered scorer. */
  readonly name: string
}

/** A unit as its row has it. */
interface Kept extends Standing {
  readonly scorer: number
  /** Traces go by their place, sessions by their id. */
  readonly entity: string | number
  /** The place of the trace that its assessments belong to. */
  readonly placed: number | null
}

/** Keeps who scores what. Every method that writes runs inside a transaction that the caller has opened. */
export class Units {
  readonly #db: Database
  readonly #ledger: Ledger
  /** Those of one call: a scorer may be deleted before the next. */
  readonly #subjects = new Map<number, Subject | undefined>()

  constructor(db: Database, ledger: Ledger) {
    this.#db = db
    this.#ledger = ledger
  }

  examine({ experiment, from, to, scorers, units, lease }: Examination): Unit[] | undefined {
    const experimentId = this.#db.findName(experiment) ?? -1
    const watches = scorers.map(({ name }) =>
      this.#db.get<Row>('SELECT key, position FROM watches WHERE experiment = ? AND name = ?', experimentId, name),
    )
    if (watches.some((watch) => watch?.position !== from)) return undefined
    for (const [i, { examined, sampled, unfit }] of scorers.entries()) {
      this.#db.statement(EXAMINED).run(to, examined, sampled, unfit, (watches[i] as Row).key)
    }
    return this.#take(units, lease, true)
  }

  claim(units: readonly UnitWrite[], lease: Lease): Unit[] {
    return this.#take(units, lease, false)
  }

  claimDue(scorers: readonly number[], lease: Lease, limit: number): Unit[] {
    const rows = [...new Set(scorers)].flatMap((scorer) => this.#db.all<Row>(WHAT_IS_DUE, scorer, lease.nowMs, limit))
    const first = rows.sort((a, b) => a.due_at - b.due_at).slice(0, limit)
    return first.map(kept).map((row) => {
      this.#move(row, claimed(lease))
      return this.#unit(row)
    })
  }

  renew({ owner, untilMs }: Lease): void {
    this.#db.statement(RENEW).run(untilMs, owner)
  }

  release(owner: string, nowMs: number): number {
    return Number(this.#db.statement(RELEASE).run(nowMs, owner).changes)
  }

  settle(outcomes: readonly UnitOutcome[], lease: Lease): number {
    this.#subjects.clear()
    const worked = new Map<number, Worked>()
    let done = 0
    for (const outcome of outcomes) {
      const row = this.#find(outcome)
      if (!row || !counts(row, outcome, lease)) continue
      const sum = worked.get(outcome.scorer) ?? nothingWorked()
      worked.set(outcome.scorer, sum)
      tell(sum, outcome)
      const move = settled(row, outcome, lease.nowMs)
      if (move) this.#move(row, move, this.#place(row, outcome))
      else this.#db.statement('DELETE FROM units WHERE scorer = ? AND entity = ?').run(row.scorer, row.entity)
      if (outcome.state === 'done') done++
    }
    for (const [scorer, { scored, errors, unfit, usd }] of worked) {
      this.#db.statement(WORKED).run(scored, errors, unfit, usd, scored > 0 ? lease.nowMs : 0, scorer)
    }
    return done
  }

  /** Writes the assessments of what is over, and gives the place of the trace that they belong to now. */
  #place(row: Kept, { state, traceId, assessments = [], scorer }: UnitOutcome): number | null {
    const seq = traceId === undefined || (state !== 'done' && state !== 'dead') ? undefined : this.#seq(traceId)
    if (seq === undefined) return row.placed
    const name = this.#subject(scorer)?.name as string
    // A session's first trace may be another one by now.
    if (row.placed !== null && row.placed !== seq) this.#ledger.replaceScorer(row.placed, name, [])
    this.#ledger.replaceScorer(seq, name, assessments, traceId)
    return seq
  }

  query({ scorers, state, entities, limit = -1 }: UnitQuery): UnitRecord[] {
    const conditions = ['u.scorer IN (SELECT value FROM json_each(?))']
    const values: Value[] = [JSON.stringify(scorers)]
    if (state !== undefined) conditions.push(`u.state = ${STATES.indexOf(state)}`)
    if (entities) {
      conditions.push('u.entity IN (SELECT value FROM json_each(?))')
      values.push(JSON.stringify(entities.flatMap((id) => [id, this.#seq(id) ?? -1])))
    }
    const rows = this.#db.all<Row>(
      `SELECT u.* FROM units AS u WHERE ${conditions.join(' AND ')} ORDER BY u.due_at, u.scorer, u.entity LIMIT ?`,
      ...values,
      limit,
    )
    return rows.map((row) => ({
      ...this.#unit(kept(row)),
      state: STATES[row.state as number] as UnitRecord['state'],
      ...(row.due_at !== null && { dueAt: row.due_at }),
      ...(row.owner !== null && { owner: row.owner }),
      ...(row.error !== null && { error: JSON.parse(row.error) }),
    }))
  }

  counts(scorers: readonly number[]): UnitCount[] {
    return [...new Set(scorers)].flatMap((scorer) => {
      const row = this.#db.get<Row>(HOW_MANY, scorer) as Row
      return STATES.flatMap((state): UnitCount[] => {
        const count = row[state] as number
        if (count === 0) return []
        if (state === 'waiting') return [{ scorer, state, count, retrying: row.failed, dueAt: row.due }]
        return [{ scorer, state, count, ...(state === 'claimed' && { dueAt: row.until }) }]
      })
    })
  }

  revive(scorers: readonly number[], entity: string | undefined, nowMs: number): number {
    this.#subjects.clear()
    const dead = this.query({ scorers, state: 'dead', ...(entity !== undefined && { entities: [entity] }) })
    const rows = dead.flatMap((unit) => this.#find(unit) ?? [])
    for (const row of rows) this.#move(row, revived(nowMs))
    return rows.length
  }

  #take(units: readonly UnitWrite[], lease: Lease, reopens: boolean): Unit[] {
    this.#subjects.clear()
    const taken: Unit[] = []
    for (const unit of units) {
      const entity = this.#entity(unit)
      if (entity === undefined) continue
      const { state, mark, dueAt, owner } = begun(unit, lease)
      const values = [unit.scorer, entity, STATES.indexOf(state), mark, dueAt, owner]
      if (this.#db.statement(INSERT).run(...values).changes === 1) {
        if (state === 'claimed')
          taken.push({ scorer: unit.scorer, entity: unit.entity, mark, attempts: 0, crashed: false })
        continue
      }
      const row = kept(this.#db.get<Row>(FIND, unit.scorer, entity) as Row)
      const move = looked(row, unit, lease, reopens)
      if (!move) continue
      this.#move(row, move)
      if (move.state === 'claimed') taken.push(this.#unit({ ...row, ...move }))
    }
    return taken
  }

  #find(key: UnitKey): Kept | undefined {
    const entity = this.#entity(key)
    const row = entity === undefined ? undefined : this.#db.get<Row>(FIND, key.scorer, entity)
    return row && kept(row)
  }

  #move(row: Kept, move: Move, placed: number | null = row.placed): void {
    const { state, mark, dueAt, againAt, attempts, crashed, owner, error } = { ...row, ...move }
    const values = [STATES.indexOf(state), mark, dueAt, againAt, attempts, Number(crashed), owner, error, placed]
    this.#db.statement(MOVE).run(...values, row.scorer, row.entity)
  }

  #unit({ scorer, entity, mark, attempts, crashed }: Kept): Unit {
    const id =
      typeof entity === 'string'
        ? entity
        : (this.#db.get<Row>('SELECT id FROM traces WHERE seq = ?', entity)?.id ?? `#${entity}`)
    return { scorer, entity: id, mark, attempts, crashed }
  }

  /** Whoever works for a scorer that has been deleted meanwhile finds nothing. */
  #entity({ scorer, entity }: UnitKey): string | number | undefined {
    const subject = this.#subject(scorer)
    if (!subject) return undefined
    return subject.level === 'session' ? entity : this.#seq(entity)
  }

  #subject(key: number): Subject | undefined {
    if (!this.#subjects.has(key)) {
      const text = 'SELECT w.name, s.record FROM scorers AS s JOIN watches AS w ON w.key = s.watch WHERE s.key = ?'
      const row = this.#db.get<Row>(text, key)
      this.#subjects.set(key, row && { level: JSON.parse(row.record).level, name: row.name })
    }
    return this.#subjects.get(key)
  }

  #seq(traceId: string): number | undefined {
    return this.#db.statement('SELECT seq FROM traces WHERE id = ?').get(traceId)?.seq as number | undefined
  }
}

function kept(row: Row): Kept {
  const { scorer, entity, mark, attempts, owner, placed, error } = row
  const state = STATES[row.state as number] as Kept['state']
  const times = { dueAt: row.due_at, againAt: row.again_at }
  return { scorer, entity, state, mark, ...times, attempts, crashed: row.crashed === 1, owner, placed, error }
}
