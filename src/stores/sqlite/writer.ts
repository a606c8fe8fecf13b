import { EvaluationError } from '../../errors.ts'
import type { RunRecord } from '../../run.ts'
import { canonical, decode, sha256 } from '../../std/json.ts'
import { parseAssessmentId } from '../../store.ts'
import type { Database, Value } from './database.ts'
import { type Label, seal, sealAssessment, sealLabels, sealText } from './seal.ts'
import { ASSESSMENT_FIELDS, type Tape, TapeReader } from './tape.ts'
import { packText } from './values.ts'

const INSERT_TRACE = `INSERT OR IGNORE INTO traces
  (id, experiment, name, status, request_ms, request_sub_ns, duration_ns, session, inputs, outputs, spans, assessments, seal, spans_seal)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
const INSERT_LABEL = 'INSERT OR REPLACE INTO labels (trace, kind, key, value) VALUES (?, ?, ?, ?)'
const INSERT_TRIAL = `INSERT INTO trials
  (run, position, repeat, trace, row_id, failed, attempts, error, parent, outputs_digest, expectations_digest, seal)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
const INSERT_ASSESSMENT = `INSERT INTO assessments
  (trace, ordinal, kind, name, type, num, text, valid, run, scorer, duration_ms, created_at, updated_at, extra, seal)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
const COUNT_ASSESSMENTS = 'UPDATE traces SET assessments = assessments + ? WHERE seq = ?'

/** Writes records. Every method runs inside a transaction that the caller has opened. */
export class Writer {
  readonly #db: Database
  readonly #runKeys = new Map<string, number>()

  constructor(db: Database) {
    this.#db = db
  }

  createRun(run: RunRecord): void {
    const { id, experiment, name, startedAt } = run
    const record = JSON.stringify(run)
    this.#db
      .statement('INSERT INTO runs (id, experiment, name, started_at, record, seal) VALUES (?, ?, ?, ?, ?, ?)')
      .run(id, this.#db.nameId(experiment), name, startedAt, record, sealText(record))
  }

  updateRun(run: RunRecord): void {
    const record = JSON.stringify(run)
    const { changes } = this.#db
      .statement('UPDATE runs SET record = ?, seal = ? WHERE id = ?')
      .run(record, sealText(record), run.id)
    if (changes === 0) throw new EvaluationError('RUN_NOT_FOUND', `Cannot update run "${run.id}": it does not exist`)
  }

  /** Writes the trials of a tape. */
  trials(tape: Tape): void {
    const reader = new TapeReader(tape)
    while (!reader.done) this.#trial(reader)
  }

  /** Writes traces that belong to no run, and gives how many are new; one that is there already stays as it is. */
  traces(tape: Tape): number {
    const reader = new TapeReader(tape)
    let count = 0
    while (!reader.done) {
      const { seq, isNew } = this.#trace(reader)
      if (isNew) {
        this.#assessments(reader, seq, 0)
        count++
      } else skipAssessments(reader)
    }
    return count
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
    this.#addAssessments(new TapeReader(tape), seq, ordinal)
    return ordinal
  }

  deleteAssessment(id: string): boolean {
    const place = this.#place(id)
    const row =
      place && this.#db.statement('SELECT extra FROM assessments WHERE trace = ? AND ordinal = ?').get(...place)
    if (!place || !row) return false
    const { overrides } = JSON.parse((row.extra as string | null) ?? '{}') as { overrides?: string }
    this.#db.statement('DELETE FROM assessments WHERE trace = ? AND ordinal = ?').run(...place)
    this.#db.statement(COUNT_ASSESSMENTS).run(-1, place[0])
    if (overrides !== undefined) this.#setValid(overrides, 0, 1)
    return true
  }

  #setValid(id: string, from: number, to: number): boolean {
    const place = this.#place(id)
    if (!place) return false
    this.#db
      .statement(
        'UPDATE assessments SET valid = ?, seal = seal / 2 * 2 + ? WHERE trace = ? AND ordinal = ? AND valid = ?',
      )
      .run(to, to, ...place, from)
    return this.#db.statement('SELECT 1 FROM assessments WHERE trace = ? AND ordinal = ?').get(...place) !== undefined
  }

  #place(id: string): [number, number] | undefined {
    const parsed = parseAssessmentId(id)
    const seq = parsed && this.#traceSeq(parsed.traceId)
    return seq === undefined ? undefined : [seq, (parsed as { ordinal: number }).ordinal]
  }

  #trial(reader: TapeReader): void {
    const runId = reader.text()
    const run = this.#runKey(runId)
    const [position, repeat] = [reader.number(), reader.number()]
    const [rowId, failed, attempts] = [reader.text(), reader.number(), reader.number()]
    const [error, parent] = [reader.any() as string | null, reader.any() as string | null]
    const { id, seq, isNew, outputs } = this.#trace(reader)
    const { expectations } = isNew
      ? this.#assessments(reader, seq, 0)
      : this.#addAssessments(reader, seq, this.#nextOrdinal(seq), this.#expectationsOf(seq))
    const digests = [outputs === null ? null : dataDigest(outputs), expectations === '' ? null : digest(expectations)]
    const sealed = seal([runId, id, rowId, error, parent], [position, repeat, failed, attempts])
    this.#db
      .statement(INSERT_TRIAL)
      .run(run, position, repeat, seq, rowId, failed, attempts, error, parent, ...digests, sealed)
  }

  #trace(reader: TapeReader): { id: string; seq: number; isNew: boolean; outputs: string | null } {
    const [id, experiment] = [reader.text(), reader.text()]
    const [name, status] = [reader.any() as string | null, reader.text()]
    const times = [reader.number(), reader.number(), reader.any() as number | null]
    const session = reader.any() as string | null
    const [inputs, outputs, spans] = [reader.any(), reader.any(), reader.any()] as [
      string | null,
      string | null,
      string | null,
    ]
    const labels = labelsOf(reader)
    const seals = [
      seal([id, experiment, name, status, session, inputs, outputs], [...times, sealLabels(labels)]),
      spans === null ? null : sealText(spans),
    ]
    const plain = [id, this.#db.nameId(experiment), name, status, ...times, session]
    const bodies = [inputs, outputs, spans].map(packText)
    const { changes, lastInsertRowid } = this.#db
      .statement(INSERT_TRACE)
      .run(...plain, ...bodies, reader.peek(), ...seals)
    const isNew = changes === 1
    if (!isNew) return { id, seq: this.#traceSeq(id) as number, isNew, outputs }
    const seq = Number(lastInsertRowid)
    for (const [kind, key, value] of labels) {
      this.#db.statement(INSERT_LABEL).run(seq, kind, this.#db.nameId(key), value)
    }
    return { id, seq, isNew, outputs }
  }

  /** Writes assessments of a trace that is there already. */
  #addAssessments(
    reader: TapeReader,
    seq: number,
    first: number,
    there?: ReadonlySet<string>,
  ): { expectations: string } {
    const { expectations, written } = this.#assessments(reader, seq, first, there)
    this.#db.statement(COUNT_ASSESSMENTS).run(written, seq)
    return { expectations }
  }

  /** Writes assessments, and gives the text that stands for the expectations among them. */
  #assessments(
    reader: TapeReader,
    seq: number,
    first: number,
    there?: ReadonlySet<string>,
  ): { expectations: string; written: number } {
    const statement = this.#db.statement(INSERT_ASSESSMENT)
    const expectations: string[] = []
    let ordinal = first
    for (let left = reader.number(); left > 0; left--) {
      const kind = reader.number()
      const name = reader.text()
      const cell = [reader.number(), reader.any() as number | null, reader.any() as string | null] as const
      const run = reader.any() as string | null
      const scorer = reader.any() as string | null
      const durationMs = reader.any() as number | null
      const [createdAt, updatedAt, valid] = [reader.number(), reader.number(), reader.number()]
      const extra = reader.any() as string | null
      if (kind === 1) {
        const expectation = expectationText(name, cell)
        expectations.push(expectation)
        if (there?.has(expectation)) continue
      }
      const nameId = this.#db.nameId(name)
      const runKey = run === null ? null : this.#runKey(run)
      const scorerId = scorer === null ? null : this.#db.nameId(scorer)
      const [type, num, text] = cell
      const numbers = [seq, ordinal, kind, nameId, type, num, runKey, scorerId, durationMs, createdAt, updatedAt]
      const sealed = sealAssessment(numbers, text, extra, valid)
      statement.run(
        seq,
        ordinal++,
        kind,
        nameId,
        ...cell,
        valid,
        runKey,
        scorerId,
        durationMs,
        createdAt,
        updatedAt,
        extra,
        sealed,
      )
    }
    return { expectations: expectations.sort().join(), written: ordinal - first }
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

function skipAssessments(reader: TapeReader): void {
  for (let left = reader.number() * ASSESSMENT_FIELDS; left > 0; left--) reader.any()
}

/** The digest of encoded data, the same for any order of keys. */
function dataDigest(text: string): number {
  return digest(text.startsWith('{') || text.startsWith('[') ? canonical(decode(text)) : text)
}

function digest(text: string): number {
  return Number.parseInt(sha256(text).slice(0, 12), 16)
}

/** Reads tags and metadata; of keys that are one in UTF-8 the last counts. */
function labelsOf(reader: TapeReader): Label[] {
  const labels = new Map<string, Label>()
  for (const kind of [0, 1]) {
    for (let left = reader.number(); left > 0; left--) {
      const key = reader.text().toWellFormed()
      labels.set(`${kind}${key}`, [kind, key, reader.text()])
    }
  }
  return [...labels.values()]
}

function expectationText(name: string, [type, num, text]: readonly Value[]): string {
  const value = type === 4 ? canonical(decode(text as string)) : `${type}:${num}:${text}`
  return `${JSON.stringify(name)}:${value}`
}
