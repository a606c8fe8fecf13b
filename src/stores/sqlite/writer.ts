import { EvaluationError } from '../../errors.ts'
import type { RunRecord } from '../../run.ts'
import { canonical, decode, sha256 } from '../../std/json.ts'
import { parseAssessmentId } from '../../store.ts'
import type { Database, Value } from './database.ts'
import { type Tape, TapeReader } from './tape.ts'
import { packText } from './values.ts'

const INSERT_TRACE = `INSERT OR IGNORE INTO traces
  (id, experiment, name, status, request_ms, request_sub_ns, duration_ns, session, inputs, outputs, spans)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
const INSERT_LABEL = 'INSERT OR REPLACE INTO labels (trace, kind, key, value) VALUES (?, ?, ?, ?)'
const INSERT_TRIAL = `INSERT INTO trials
  (run, position, repeat, trace, row_id, failed, attempts, error, parent, outputs_digest, expectations_digest)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
const INSERT_ASSESSMENT = `INSERT INTO assessments
  (trace, ordinal, kind, name, type, num, text, valid, run, scorer, duration_ms, created_at, updated_at, extra)
  VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?)`

/** Writes records. Every method runs inside a transaction that the caller has opened. */
export class Writer {
  readonly #db: Database
  readonly #runKeys = new Map<string, number>()

  constructor(db: Database) {
    this.#db = db
  }

  createRun(run: RunRecord): void {
    const { id, experiment, name, startedAt } = run
    this.#db
      .statement('INSERT INTO runs (id, experiment, name, started_at, record) VALUES (?, ?, ?, ?, ?)')
      .run(id, this.#db.nameId(experiment), name, startedAt, JSON.stringify(run))
  }

  updateRun(run: RunRecord): void {
    const { changes } = this.#db.statement('UPDATE runs SET record = ? WHERE id = ?').run(JSON.stringify(run), run.id)
    if (changes === 0) throw new EvaluationError('RUN_NOT_FOUND', `Cannot update run "${run.id}": it does not exist`)
  }

  /** Writes the trials of a tape. */
  trials(tape: Tape): void {
    const reader = new TapeReader(tape)
    while (!reader.done) this.#trial(reader)
  }

  /** Writes one trace that belongs to no run; one that is there already stays as it is. */
  trace(tape: Tape): void {
    const reader = new TapeReader(tape)
    const { seq, isNew } = this.#trace(reader)
    if (isNew) this.#assessments(reader, seq, 0)
  }

  /** Adds one assessment and gives its ordinal on the trace. */
  assessment(traceId: string, tape: Tape, overrides: string | undefined): number {
    const seq = this.#traceSeq(traceId)
    if (seq === undefined)
      throw new EvaluationError('TRACE_NOT_FOUND', `Cannot log an assessment: there is no trace "${traceId}"`)
    if (overrides !== undefined && !this.#setValid(overrides, 1, 0)) {
      throw new EvaluationError('TRACE_NOT_FOUND', `Cannot override assessment "${overrides}": it does not exist`)
    }
    const ordinal = this.#nextOrdinal(seq)
    this.#assessments(new TapeReader(tape), seq, ordinal)
    return ordinal
  }

  deleteAssessment(id: string): boolean {
    const place = this.#place(id)
    const row =
      place && this.#db.statement('SELECT extra FROM assessments WHERE trace = ? AND ordinal = ?').get(...place)
    if (!place || !row) return false
    const { overrides } = JSON.parse((row.extra as string | null) ?? '{}') as { overrides?: string }
    this.#db.statement('DELETE FROM assessments WHERE trace = ? AND ordinal = ?').run(...place)
    if (overrides !== undefined) this.#setValid(overrides, 0, 1)
    return true
  }

  #setValid(id: string, from: number, to: number): boolean {
    const place = this.#place(id)
    if (!place) return false
    this.#db
      .statement('UPDATE assessments SET valid = ? WHERE trace = ? AND ordinal = ? AND valid = ?')
      .run(to, ...place, from)
    return this.#db.statement('SELECT 1 FROM assessments WHERE trace = ? AND ordinal = ?').get(...place) !== undefined
  }

  #place(id: string): [number, number] | undefined {
    const parsed = parseAssessmentId(id)
    const seq = parsed && this.#traceSeq(parsed.traceId)
    return seq === undefined ? undefined : [seq, (parsed as { ordinal: number }).ordinal]
  }

  #trial(reader: TapeReader): void {
    const run = this.#runKey(reader.text())
    const head: Value[] = [reader.number(), reader.number()]
    const [rowId, failed, attempts] = [reader.text(), reader.number(), reader.number()]
    const [error, parent] = [reader.any(), reader.any()]
    const { seq, isNew, outputs } = this.#trace(reader)
    const expectations = isNew
      ? this.#assessments(reader, seq, 0)
      : this.#assessments(reader, seq, this.#nextOrdinal(seq), this.#expectationsOf(seq))
    const digests = [outputs === null ? null : digest(outputs), expectations === '' ? null : sha256(expectations)]
    this.#db.statement(INSERT_TRIAL).run(run, ...head, seq, rowId, failed, attempts, error, parent, ...digests)
  }

  #trace(reader: TapeReader): { seq: number; isNew: boolean; outputs: string | null } {
    const id = reader.text()
    const experiment = this.#db.nameId(reader.text())
    const plain = [reader.any(), reader.any(), reader.any(), reader.any(), reader.any(), reader.any()]
    const inputs = reader.any() as string | null
    const outputs = reader.any() as string | null
    const bodies = [inputs, outputs, reader.any() as string | null].map(packText)
    const { changes, lastInsertRowid } = this.#db.statement(INSERT_TRACE).run(id, experiment, ...plain, ...bodies)
    const isNew = changes === 1
    const seq = isNew ? Number(lastInsertRowid) : (this.#traceSeq(id) as number)
    for (const kind of [0, 1]) {
      for (let left = reader.number(); left > 0; left--) {
        const key = reader.text()
        const value = reader.text()
        if (isNew) this.#db.statement(INSERT_LABEL).run(seq, kind, this.#db.nameId(key), value)
      }
    }
    return { seq, isNew, outputs }
  }

  /** Writes the assessments and gives the text that stands for the expectations among them. */
  #assessments(reader: TapeReader, seq: number, first: number, there?: ReadonlySet<string>): string {
    const statement = this.#db.statement(INSERT_ASSESSMENT)
    const expectations: string[] = []
    let ordinal = first
    for (let left = reader.number(); left > 0; left--) {
      const kind = reader.number()
      const name = reader.text()
      const cell: Value[] = [reader.any(), reader.any(), reader.any()]
      const run = reader.any()
      const scorer = reader.any()
      const durationMs = reader.any()
      const createdAt = reader.number()
      const extra = reader.any()
      if (kind === 1) {
        const expectation = expectationText(name, cell)
        expectations.push(expectation)
        if (there?.has(expectation)) continue
      }
      statement.run(
        seq,
        ordinal++,
        kind,
        this.#db.nameId(name),
        ...cell,
        run === null ? null : this.#runKey(run as string),
        scorer === null ? null : this.#db.nameId(scorer as string),
        durationMs,
        createdAt,
        createdAt,
        extra,
      )
    }
    return expectations.sort().join()
  }

  #expectationsOf(seq: number): ReadonlySet<string> {
    const text = `SELECT names.name, type, num, text FROM assessments AS a JOIN names ON names.id = a.name
      WHERE trace = ? AND kind = 1 AND valid = 1`
    const rows = this.#db.statement(text).all(seq) as { name: string; type: number; num: Value; text: Value }[]
    return new Set(rows.map((row) => expectationText(row.name, [row.type, row.num, row.text])))
  }

  #runKey(id: string): number {
    const known = this.#runKeys.get(id)
    if (known !== undefined) return known
    const row = this.#db.statement('SELECT key FROM runs WHERE id = ?').get(id)
    if (!row) throw new EvaluationError('RUN_NOT_FOUND', `Cannot write to run "${id}": it does not exist`)
    this.#runKeys.set(id, row.key as number)
    return row.key as number
  }

  #traceSeq(id: string): number | undefined {
    return this.#db.statement('SELECT seq FROM traces WHERE id = ?').get(id)?.seq as number | undefined
  }

  #nextOrdinal(seq: number): number {
    return this.#db.statement('SELECT coalesce(max(ordinal) + 1, 0) AS next FROM assessments WHERE trace = ?').get(seq)
      ?.next as number
  }
}

/** The digest of encoded data, the same for any order of keys. */
function digest(text: string): string {
  return sha256(text.startsWith('{') || text.startsWith('[') ? canonical(decode(text)) : text)
}

function expectationText(name: string, [type, num, text]: Value[]): string {
  const value = type === 4 ? canonical(decode(text as string)) : `${type}:${num}:${text}`
  return `${JSON.stringify(name)}:${value}`
}
