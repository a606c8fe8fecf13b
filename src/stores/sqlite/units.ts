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
import type { Database, Value } from './database.ts'
import type { Ledger } from './ledger.ts'
import type { Row } from './record.ts'

const STATES = ['waiting', 'claimed', 'done', 'dead'] as const
const [WAITING, CLAIMED, DONE, DEAD] = [0, 1, 2, 3] as const

const INSERT = `INSERT INTO units (scorer, entity, state, mark, due_at, attempts, crashed, owner) VALUES (?, ?, ?, ?, ?, 0, 0, ?)
  ON CONFLICT DO NOTHING`
const FIND = 'SELECT * FROM units WHERE scorer = ? AND entity = ?'
const MOVE = `UPDATE units SET state = ?, mark = ?, due_at = ?, again_at = ?, attempts = ?, crashed = ?, owner = ?, placed = ?, error = ?
  WHERE scorer = ? AND entity = ?`
const EXAMINED =
  'UPDATE watches SET position = ?, examined = examined + ?, sampled = sampled + ?, unfit = unfit + ? WHERE key = ?'
const WORKED = `UPDATE watches SET scored = scored + ?, errors = errors + ?, unfit = unfit + ?, usd = usd + ?, last_at = max(last_at, ?)
  WHERE key = (SELECT watch FROM scorers WHERE key = ?)`
const WHAT_IS_DUE = `SELECT u.* FROM units AS u WHERE u.state < 2 AND u.due_at <= ? AND u.scorer IN (SELECT value FROM json_each(?))
  ORDER BY u.due_at LIMIT ?`

interface Subject {
  readonly level: 'trace' | 'session'
  /** The name of the registered scorer. */
  readonly name: string
}

interface Worked {
  scored: number
  errors: number
  unfit: number
  usd: number
}

/** Keeps who scores what. Every method that writes runs inside a transaction that the caller has opened. */
export class Units {
  readonly #db: Database
  readonly #ledger: Ledger
  readonly #subjects = new Map<number, Subject>()

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

  claimDue(scorers: readonly number[], { owner, nowMs, untilMs }: Lease, limit: number): Unit[] {
    const rows = this.#db.all<Row>(WHAT_IS_DUE, nowMs, JSON.stringify(scorers), limit)
    return rows.map((row) => {
      this.#move(row, { state: CLAIMED, due_at: untilMs, owner })
      return this.#unit(row)
    })
  }

  renew({ owner, untilMs }: Lease): void {
    const text = 'UPDATE units SET due_at = ? WHERE state = 1 AND due_at IS NOT NULL AND owner = ?'
    this.#db.statement(text).run(untilMs, owner)
  }

  release(owner: string, nowMs: number): number {
    const text =
      'UPDATE units SET state = 0, due_at = coalesce(again_at, ?), owner = NULL WHERE state = 1 AND owner = ?'
    return Number(this.#db.statement(text).run(nowMs, owner).changes)
  }

  settle(outcomes: readonly UnitOutcome[], lease: Lease): number {
    const worked = new Map<number, Worked>()
    let done = 0
    for (const outcome of outcomes) {
      const row = this.#find(outcome)
      if (!row || row.state === DONE || row.state === DEAD) continue
      const isHis = row.state === CLAIMED && row.owner === lease.owner
      // Whoever has lost a unit may still have finished it first.
      if (!isHis && outcome.state !== 'done') continue
      const sum = worked.get(outcome.scorer) ?? { scored: 0, errors: 0, unfit: 0, usd: 0 }
      worked.set(outcome.scorer, sum)
      sum.usd += outcome.usd ?? 0
      this.#settleOne(row, outcome, lease.nowMs, sum)
      if (outcome.state === 'done') done++
    }
    for (const [scorer, { scored, errors, unfit, usd }] of worked) {
      const at = scored > 0 ? lease.nowMs : 0
      this.#db.statement(WORKED).run(scored, errors, unfit, usd, at, scorer)
    }
    return done
  }

  #settleOne(row: Row, outcome: UnitOutcome, nowMs: number, sum: Worked): void {
    const { state, dueAt = nowMs, error, crashed = false } = outcome
    const text = error ? JSON.stringify(error) : row.error
    switch (state) {
      case 'free':
        this.#move(row, { state: WAITING, due_at: row.again_at ?? dueAt, again_at: null, owner: null })
        return
      case 'retry':
        sum.errors++
        this.#move(row, {
          state: WAITING,
          due_at: dueAt,
          again_at: null,
          attempts: row.attempts + 1,
          crashed: Number(crashed),
          owner: null,
          error: text,
        })
        return
      case 'unfit':
        sum.unfit++
        if (row.mark > outcome.mark)
          this.#move(row, { state: WAITING, due_at: row.again_at ?? nowMs, again_at: null, owner: null })
        else this.#db.statement('DELETE FROM units WHERE scorer = ? AND entity = ?').run(row.scorer, row.entity)
        return
      case 'done':
      case 'dead': {
        if (state === 'done') sum.scored++
        else sum.errors++
        const placed = this.#place(row, outcome)
        const more = row.mark > outcome.mark
        const ended = state === 'done' ? DONE : DEAD
        this.#move(row, {
          state: more ? WAITING : ended,
          due_at: more ? (row.again_at ?? nowMs) : null,
          again_at: null,
          attempts: state === 'done' ? 0 : row.attempts + 1,
          crashed: Number(crashed),
          owner: null,
          placed,
          error: state === 'done' ? null : text,
        })
      }
    }
  }

  /** Writes the assessments, and gives the place of the trace that they belong to now. */
  #place(row: Row, { traceId, assessments = [], scorer }: UnitOutcome): number | null {
    if (traceId === undefined) return row.placed
    const { name } = this.#subject(scorer)
    const seq = this.#seq(traceId)
    if (seq === undefined) return row.placed
    // A session's first trace may be another one by now.
    if (row.placed !== null && row.placed !== seq) this.#ledger.replaceScorer(row.placed, name, [])
    this.#ledger.replaceScorer(seq, name, assessments, traceId)
    return seq
  }

  query({ scorers, state, entity, entities, owner, limit = -1 }: UnitQuery): UnitRecord[] {
    const conditions = ['u.scorer IN (SELECT value FROM json_each(?))']
    const values: Value[] = [JSON.stringify(scorers)]
    if (state !== undefined) conditions.push(`u.state = ${STATES.indexOf(state)}`)
    if (owner !== undefined) {
      conditions.push('u.owner = ?')
      values.push(owner)
    }
    for (const ids of [entity === undefined ? undefined : [entity], entities]) {
      if (!ids) continue
      conditions.push('u.entity IN (SELECT value FROM json_each(?))')
      values.push(JSON.stringify(ids.flatMap((id) => [id, this.#seq(id) ?? -1])))
    }
    const rows = this.#db.all<Row>(
      `SELECT u.* FROM units AS u WHERE ${conditions.join(' AND ')} ORDER BY u.due_at, u.scorer, u.entity LIMIT ?`,
      ...values,
      limit,
    )
    return rows.map((row) => ({
      ...this.#unit(row),
      state: STATES[row.state as number] as UnitRecord['state'],
      ...(row.due_at !== null && { dueAt: row.due_at }),
      ...(row.owner !== null && { owner: row.owner }),
      ...(row.error !== null && { error: JSON.parse(row.error) }),
    }))
  }

  counts(scorers: readonly number[]): UnitCount[] {
    const rows = this.#db.all<Row>(
      `SELECT scorer, state, count(*) AS count, min(due_at) AS due, sum(attempts > 0) AS failed FROM units
       WHERE scorer IN (SELECT value FROM json_each(?)) GROUP BY scorer, state`,
      JSON.stringify(scorers),
    )
    return rows.map(({ scorer, state, count, due, failed }) => ({
      scorer,
      state: STATES[state as number] as UnitRecord['state'],
      count,
      ...(state === WAITING && { retrying: failed }),
      ...(due !== null && { dueAt: due }),
    }))
  }

  revive(scorers: readonly number[], entity: string | undefined, nowMs: number): number {
    let revived = 0
    for (const { scorer, entity: dead } of this.query({
      scorers,
      state: 'dead',
      ...(entity !== undefined && { entity }),
    })) {
      const row = this.#find({ scorer, entity: dead })
      if (!row) continue
      this.#move(row, { state: WAITING, due_at: nowMs, attempts: 0, crashed: 0 })
      revived++
    }
    return revived
  }

  /** @param reopens whether what is done or dead is to be done again where there is more to score, and what waits is put off */
  #take(units: readonly UnitWrite[], lease: Lease, reopens: boolean): Unit[] {
    const claimed: Unit[] = []
    const { owner, untilMs } = lease
    for (const unit of units) {
      const { scorer, mark, dueAt } = unit
      const entity = this.#entity(unit)
      if (entity === undefined) continue
      const isDue = dueAt === undefined
      const first = [isDue ? CLAIMED : WAITING, mark, isDue ? untilMs : dueAt, isDue ? owner : null] as const
      const { changes } = this.#db
        .statement(INSERT)
        .run(scorer, entity, ...(first.slice(0, 3) as [number, number, number]), first[3])
      if (changes === 1) {
        if (isDue) claimed.push({ scorer, entity: unit.entity, mark, attempts: 0, crashed: false })
        continue
      }
      const row = this.#db.get<Row>(FIND, scorer, entity) as Row
      if (this.#retake(row, unit, lease, reopens)) claimed.push({ ...this.#unit(row), mark: Math.max(mark, row.mark) })
    }
    return claimed
  }

  /** Looks again at work that is there; gives true where it is claimed now. */
  #retake(row: Row, { mark, dueAt }: UnitWrite, { owner, nowMs, untilMs }: Lease, reopens: boolean): boolean {
    const grown = mark > row.mark
    const newest = Math.max(mark, row.mark)
    if (row.state === CLAIMED) {
      if (grown) this.#move(row, { mark: newest, again_at: dueAt ?? nowMs })
      return false
    }
    if (row.state === DONE || row.state === DEAD) {
      if (!grown || !reopens) return false
      row.attempts = 0
      row.crashed = 0
    } else if (!grown && (reopens || row.due_at > nowMs)) {
      // Still not at its end, and not quiet either.
      if (reopens && row.attempts === 0 && dueAt !== undefined && dueAt > row.due_at) this.#move(row, { due_at: dueAt })
      return false
    }
    const state = dueAt === undefined ? CLAIMED : WAITING
    this.#move(row, {
      state,
      mark: newest,
      due_at: dueAt ?? untilMs,
      attempts: row.attempts,
      crashed: row.crashed,
      owner: dueAt === undefined ? owner : null,
    })
    return dueAt === undefined
  }

  #find(key: UnitKey): Row | undefined {
    const entity = this.#entity(key)
    return entity === undefined ? undefined : this.#db.get<Row>(FIND, key.scorer, entity)
  }

  #move(row: Row, change: Row): void {
    const now = { ...row, ...change }
    const { state, mark, due_at, again_at, attempts, crashed, owner, placed, error, scorer, entity } = now
    const texts = [owner, placed, error] as const
    this.#db.statement(MOVE).run(state, mark, due_at, again_at, attempts, crashed, ...texts, scorer, entity)
  }

  #unit({ scorer, entity, mark, attempts, crashed }: Row): Unit {
    const id =
      typeof entity === 'string'
        ? entity
        : (this.#db.get<Row>('SELECT id FROM traces WHERE seq = ?', entity)?.id ?? `#${entity}`)
    return { scorer, entity: id, mark, attempts, crashed: crashed === 1 }
  }

  /** Traces go by their place, sessions by their id. */
  #entity({ scorer, entity }: UnitKey): string | number | undefined {
    return this.#subject(scorer).level === 'session' ? entity : this.#seq(entity)
  }

  #subject(key: number): Subject {
    const known = this.#subjects.get(key)
    if (known) return known
    const text = 'SELECT w.name, s.record FROM scorers AS s JOIN watches AS w ON w.key = s.watch WHERE s.key = ?'
    const row = this.#db.get<Row>(text, key)
    // Whoever works for a scorer that has been deleted meanwhile finds nothing.
    if (!row) return { level: 'trace', name: '' }
    const subject = { level: JSON.parse(row.record).level, name: row.name }
    this.#subjects.set(key, subject)
    return subject
  }

  #seq(traceId: string): number | undefined {
    return this.#db.statement('SELECT seq FROM traces WHERE id = ?').get(traceId)?.seq as number | undefined
  }
}
