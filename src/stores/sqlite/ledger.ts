import { type AssessmentWrite, assessmentId, deletionOf, parseAssessmentId, replacedBy } from '../../assessment.ts'
import { EvaluationError } from '../../errors.ts'
import type { Assessment, Primitive } from '../../feedback.ts'
import type { RunRecord } from '../../run.ts'
import { canonical, decode } from '../../std/json.ts'
import { touch } from './arrivals.ts'
import type { Database, Value } from './database.ts'
import { isWholeAssessment, type Names, type Row, toAssessment } from './record.ts'
import { sealAssessment, sealText } from './seal.ts'
import { type Cell, type Entry, type Extra, readAssessment, type Tape, TapeReader, writeAssessments } from './tape.ts'

const INSERT = `INSERT INTO assessments
  (trace, ordinal, kind, name, type, num, text, valid, run, scorer, duration_ms, created_at, updated_at, extra, seal)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
const REPLACE = `UPDATE assessments SET type = ?, num = ?, text = ?, valid = ?, updated_at = ?, extra = ?, seal = ?
  WHERE trace = ? AND ordinal = ?`
const COUNT = 'UPDATE traces SET assessments = assessments + ? WHERE seq = ?'

/** A change on its way to the thread. */
export interface Change {
  readonly cell: Cell | undefined
  readonly rationale: string | undefined
  readonly metadata: Readonly<Record<string, Primitive>> | undefined
  readonly updatedAt: number
}

/** Writes assessments. Every method runs inside a transaction that the caller has opened. */
export class Ledger {
  readonly #db: Database
  readonly #runKey: (id: string) => number
  readonly #names: Names

  constructor(db: Database, runKey: (id: string) => number) {
    this.#db = db
    this.#runKey = runKey
    this.#names = {
      name: (id) => db.nameText(id),
      run: (key) => db.get<{ id: string }>('SELECT id FROM runs WHERE key = ?', key)?.id,
    }
  }

  /** Writes the assessments of a new trace, and gives the text that stands for the expectations among them. */
  first(reader: TapeReader, seq: number, traceId: string): string {
    return this.#write(reader, seq, traceId, 0).expectations
  }

  /** Writes assessments of a trace that is there already; expectations that it has are not written twice. */
  more(reader: TapeReader, seq: number, traceId: string): string {
    const next = 'SELECT coalesce(max(ordinal) + 1, 0) AS next FROM assessments WHERE trace = ?'
    const first = this.#db.statement(next).get(seq)?.next as number
    const { expectations, written } = this.#write(reader, seq, traceId, first, this.#expectationsOf(seq))
    this.#count(seq, written)
    return expectations
  }

  #write(
    reader: TapeReader,
    seq: number,
    traceId: string,
    first: number,
    there?: ReadonlyMap<string, number>,
  ): { expectations: string; written: number } {
    const expectations: string[] = []
    const ordinals: number[] = []
    let ordinal = first
    for (let left = reader.number(); left > 0; left--) {
      const entry = readAssessment(reader)
      if (entry.kind === 1) {
        const expectation = expectationText(entry.name, entry.cell)
        if (entry.valid === 1) expectations.push(expectation)
        const known = there?.get(`${entry.valid}${expectation}`)
        if (known !== undefined) {
          ordinals.push(known)
          continue
        }
      }
      const overridden = entry.overrides < 0 ? undefined : ordinals[entry.overrides]
      this.#insert(seq, ordinal, overridden === undefined ? entry : overriding(entry, `${traceId}.${overridden}`))
      ordinals.push(ordinal++)
    }
    return { expectations: expectations.sort().join(), written: ordinal - first }
  }

  #insert(seq: number, ordinal: number, entry: Entry): void {
    const { kind, valid, cell, durationMs, createdAt, updatedAt, extra } = entry
    const [type, num, text] = cell
    const name = this.#db.nameId(entry.name)
    const run = entry.run === null ? null : this.#runKey(entry.run)
    const scorer = entry.scorer === null ? null : this.#db.nameId(entry.scorer)
    const numbers = [seq, ordinal, kind, name, type, num, run, scorer, durationMs, createdAt, updatedAt]
    const sealed = sealAssessment(numbers, text, extra, valid)
    const links = [valid, run, scorer, durationMs, createdAt, updatedAt, extra] as const
    this.#db.statement(INSERT).run(seq, ordinal, kind, name, ...cell, ...links, sealed)
  }

  #expectationsOf(seq: number): ReadonlyMap<string, number> {
    const text = `SELECT ordinal, valid, names.name, type, num, text FROM assessments AS a JOIN names ON names.id = a.name
      WHERE trace = ? AND kind = 1`
    const rows = this.#db.statement(text).all(seq) as Row[]
    return new Map(
      rows.map(({ ordinal, valid, name, type, num, text }) => [
        `${valid}${expectationText(name, [type, num, text])}`,
        ordinal,
      ]),
    )
  }

  /** Adds one assessment, which may take the place of another. */
  log(seq: number, traceId: string, tape: Tape, overrides: string | undefined): Assessment {
    const reader = new TapeReader(tape)
    reader.number()
    const entry = readAssessment(reader)
    const all = this.#of(seq, traceId)
    const { name, run } = entry
    const replaced = replacedBy(
      {
        kind: entry.kind === 0 ? 'feedback' : 'expectation',
        name,
        ...(run !== null && { runId: run }),
        ...(entry.scorer !== null && { scorer: entry.scorer }),
        ...(overrides !== undefined && { overrides }),
      },
      all.list,
    )
    if (!replaced && overrides !== undefined) {
      const message = `Cannot override assessment "${overrides}": it does not exist on trace "${traceId}"`
      throw new EvaluationError('ASSESSMENT_NOT_FOUND', message)
    }
    if (replaced) this.#put(all.row(replaced), { valid: 0 })
    const ordinal = Math.max(-1, ...all.rows.map((row) => row.ordinal)) + 1
    this.#insert(seq, ordinal, replaced ? overriding(entry, replaced.id, replaced) : entry)
    this.#count(seq, 1)
    const added = this.#of(seq, traceId).list.at(-1) as Assessment
    if (replaced || entry.scorer === null) this.#changed(added)
    return added
  }

  update(id: string, { cell, rationale, metadata, updatedAt }: Change): Assessment | undefined {
    const found = this.#find(id)
    if (!found) return undefined
    const { error, ...rest } = extraOf(found.row)
    const extra = {
      ...rest,
      ...(error && !cell && { error }),
      ...(rationale !== undefined && { rationale }),
      ...(metadata && { metadata: { ...rest.metadata, ...metadata } }),
    }
    const [type, num, text] = cell ?? [found.row.type, found.row.num, found.row.text]
    this.#put(found.row, { type, num, text, extra: extraText(extra), updated_at: updatedAt })
    touch(this.#db, found.row.trace)
    this.#changed(found.assessment)
    return this.#find(id)?.assessment
  }

  delete(id: string): boolean {
    const found = this.#find(id)
    if (!found) return false
    const { assessment, row, all } = found
    const { followers, restored } = deletionOf(assessment, all.list)
    this.#db.statement('DELETE FROM assessments WHERE trace = ? AND ordinal = ?').run(row.trace, row.ordinal)
    this.#count(row.trace, -1)
    for (const follower of followers) {
      const { overrides: _, ...rest } = extraOf(all.row(follower))
      const { overrides } = assessment
      this.#put(all.row(follower), { extra: extraText({ ...rest, ...(overrides !== undefined && { overrides }) }) })
    }
    if (restored) this.#put(all.row(restored), { valid: 1 })
    this.#changed(assessment)
    return true
  }

  /**
   * Writes what a registered scorer says of a trace now, in the place of what it has said there before. Where a person has corrected that, the
   * correction stays in force.
   */
  replaceScorer(seq: number, scorer: string, writes: readonly AssessmentWrite[], traceId = ''): void {
    const text = `SELECT * FROM assessments WHERE trace = ? AND kind = 0 AND run IS NULL AND scorer = ? AND valid = 1
      ORDER BY ordinal`
    const before = Map.groupBy(this.#db.all<Row>(text, seq, this.#db.nameId(scorer)), (row) => placeText(row.name, row))
    const next = this.#db.get<Row>('SELECT coalesce(max(ordinal) + 1, 0) AS next FROM assessments WHERE trace = ?', seq)
    const tape: Tape = []
    writeAssessments(tape, writes)
    const reader = new TapeReader(tape)
    for (let i = 0, left = reader.number(); i < left; i++) {
      const entry = readAssessment(reader)
      const row = before.get(placeText(this.#db.nameId(entry.name), entry))?.shift()
      const isCorrected = row !== undefined && extraOf(row).source?.type === 'HUMAN'
      if (row && !isCorrected) this.#put(row, { valid: 0 })
      const linked = row && !isCorrected ? overriding(entry, assessmentId(traceId, row.ordinal)) : entry
      this.#insert(seq, next?.next + i, { ...linked, valid: isCorrected ? 0 : 1 })
    }
    for (const row of [...before.values()].flat())
      if (extraOf(row).source?.type !== 'HUMAN') this.#put(row, { valid: 0 })
    this.#count(seq, writes.length)
  }

  #count(seq: number, more: number): void {
    this.#db.statement(COUNT).run(more, seq)
    touch(this.#db, seq)
  }

  /** Gives all assessments of a trace; before anything is sealed anew, it has to be what was written. */
  #of(seq: number, traceId: string) {
    const rows = this.#db.all<Row>('SELECT * FROM assessments WHERE trace = ? ORDER BY ordinal', seq)
    const list = rows.map((row) => {
      const one = isWholeAssessment(row) ? toAssessment(row, traceId, this.#names) : undefined
      if (!one) throw this.#db.damaged(`an assessment of trace "${traceId}" is not as it was written`)
      return one
    })
    return { rows, list, row: (one: Assessment): Row => rows[list.indexOf(one)] as Row }
  }

  #find(id: string) {
    const parsed = parseAssessmentId(id)
    const seq = parsed && this.#db.statement('SELECT seq FROM traces WHERE id = ?').get(parsed.traceId)?.seq
    if (!parsed || seq === undefined) return undefined
    const all = this.#of(seq as number, parsed.traceId)
    const assessment = all.list.find((one) => one.id === id)
    return assessment && { assessment, all, row: all.row(assessment) }
  }

  #put(row: Row, change: Row): void {
    const now: Row = { ...row, ...change }
    const { trace, ordinal, kind, name, type, num, text, run, scorer, duration_ms, created_at, updated_at, extra } = now
    const numbers = [trace, ordinal, kind, name, type, num, run, scorer, duration_ms, created_at, updated_at]
    const sealed = sealAssessment(numbers, text, extra, now.valid)
    this.#db.statement(REPLACE).run(type, num, text, now.valid, updated_at, extra, sealed, trace, ordinal)
  }

  /** Marks the run of a Feedback that has changed, so that whoever opens it counts it again. */
  #changed({ kind, runId }: Assessment): void {
    if (kind !== 'feedback' || runId === undefined) return
    const row = this.#db.get<Row>('SELECT record, seal FROM runs WHERE id = ?', runId)
    if (!row || sealText(row.record) !== row.seal) throw this.#db.damaged(`the record of run ${runId} is lost`)
    const run = JSON.parse(row.record) as RunRecord
    const record = JSON.stringify({ ...run, uncounted: (run.uncounted ?? 0) + 1 })
    this.#db.statement('UPDATE runs SET record = ?, seal = ? WHERE id = ?').run(record, sealText(record), runId)
  }
}

/** Gives an entry that overrides an assessment, and belongs where that one does unless it says otherwise. */
function overriding(entry: Entry, id: string, replaced?: Assessment): Entry {
  const { spanId = replaced?.spanId, ...rest }: Extra = entry.extra === null ? {} : JSON.parse(entry.extra)
  return {
    ...entry,
    run: entry.run ?? replaced?.runId ?? null,
    scorer: entry.scorer ?? replaced?.scorer ?? null,
    extra: extraText({ ...rest, ...(spanId !== undefined && { spanId }), overrides: id }),
  }
}

/** A scorer may say one thing of several spans. */
function placeText(name: number, row: Row | Pick<Entry, 'extra'>): string {
  return `${name} ${extraOf(row).spanId ?? ''}`
}

function extraOf({ extra }: Row | Pick<Entry, 'extra'>): Extra {
  return extra === null ? {} : JSON.parse(extra)
}

function extraText(extra: Extra): string | null {
  return Object.keys(extra).length === 0 ? null : JSON.stringify(extra)
}

function expectationText(name: string, [type, num, text]: readonly Value[]): string {
  const value = type === 4 ? canonical(decode(text as string)) : `${type}:${num}:${text}`
  return `${JSON.stringify(name)}:${value}`
}
