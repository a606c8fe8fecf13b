import { EvaluationError } from '../../errors.ts'
import type { Assessment } from '../../feedback.ts'
import type { TraceChange } from '../../queue.ts'
import { type RunRecord, replacing } from '../../run.ts'
import { nowMs } from '../../std/async.ts'
import { canonical, decode, sha256 } from '../../std/json.ts'
import { arrive } from './arrivals.ts'
import type { Database } from './database.ts'
import { Ledger } from './ledger.ts'
import type { Row } from './record.ts'
import { type Label, seal, sealLabels, sealText } from './seal.ts'
import { readAssessment, type Tape, TapeReader, writeTrace } from './tape.ts'
import { packText } from './values.ts'

const INSERT_TRACE = `INSERT OR IGNORE INTO traces
  (id, experiment, name, status, request_ms, request_sub_ns, duration_ns, session, inputs, outputs, spans, assessments, seal, spans_seal)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
const INSERT_LABEL = 'INSERT OR REPLACE INTO labels (trace, kind, key, value) VALUES (?, ?, ?, ?)'
const INSERT_TRIAL = `INSERT INTO trials
  (run, position, repeat, trace, row_id, failed, attempts, error, parent, outputs_digest, expectations_digest, seal)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

const REPLACE_TRACE = `UPDATE traces SET experiment = ?, name = ?, status = ?, request_ms = ?, request_sub_ns = ?, duration_ns = ?, session = ?,
  inputs = ?, outputs = ?, spans = ?, seal = ?, spans_seal = ? WHERE seq = ?`

interface WrittenTrace {
  readonly id: string
  readonly seq: number
  readonly isNew: boolean
  readonly outputs: string | null
  readonly experiment: number
}

/** Writes records. Every method runs inside a transaction that the caller has opened. */
export class Writer {
  readonly #db: Database
  readonly #runKeys = new Map<string, number>()
  readonly #ledger: Ledger

  constructor(db: Database) {
    this.#db = db
    this.#ledger = new Ledger(db, (id) => this.#runKey(id))
  }

  createRun(run: RunRecord): void {
    const { id, experiment, name, startedAt } = run
    const record = JSON.stringify(run)
    this.#db
      .statement('INSERT INTO runs (id, experiment, name, started_at, record, seal) VALUES (?, ?, ?, ?, ?, ?)')
      .run(id, this.#db.nameId(experiment), name, startedAt, record, sealText(record))
  }

  updateRun(run: RunRecord, was: RunRecord | undefined): boolean {
    const row = this.#db.get<{ record: string }>('SELECT record FROM runs WHERE id = ?', run.id)
    if (!row) throw new EvaluationError('RUN_NOT_FOUND', `Cannot update run "${run.id}": it does not exist`)
    if (was && row.record !== JSON.stringify(was)) return false
    const stale = !was && row.record.includes('"uncounted":')
    const record = JSON.stringify(stale ? replacing(JSON.parse(row.record), run) : run)
    this.#db.statement('UPDATE runs SET record = ?, seal = ? WHERE id = ?').run(record, sealText(record), run.id)
    return true
  }

  get assessments(): Ledger {
    return this.#ledger
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
      const { id, seq, isNew, experiment } = this.#trace(reader)
      if (isNew) {
        this.#ledger.first(reader, seq, id)
        arrive(this.#db, seq, experiment, nowMs())
        count++
      } else skipAssessments(reader)
    }
    return count
  }

  /** Writes traces that have come or come further, and gives the ids of those that have changed meanwhile, which stay as they are. */
  put(changes: readonly TraceChange[]): string[] {
    const refused: string[] = []
    for (const { trace, was } of changes) {
      const seq = this.#traceSeq(trace.id)
      const there =
        seq === undefined ? undefined : this.#db.get<Row>('SELECT arrived FROM arrivals WHERE trace = ?', seq)
      if (there?.arrived !== was || (seq !== undefined && !there)) {
        refused.push(trace.id)
        continue
      }
      const tape: Tape = []
      writeTrace(tape, trace)
      tape.push(0)
      const written = this.#trace(new TapeReader(tape), seq)
      arrive(this.#db, written.seq, written.experiment, nowMs())
    }
    return refused
  }

  log(traceId: string, tape: Tape, overrides: string | undefined): Assessment {
    const seq = this.#traceSeq(traceId)
    if (seq === undefined)
      throw new EvaluationError('TRACE_NOT_FOUND', `Cannot log an assessment: there is no trace "${traceId}"`)
    return this.#ledger.log(seq, traceId, tape, overrides)
  }

  #trial(reader: TapeReader): void {
    const runId = reader.text()
    const run = this.#runKey(runId)
    const [position, repeat] = [reader.number(), reader.number()]
    const [rowId, failed, attempts] = [reader.text(), reader.number(), reader.number()]
    const [error, parent] = [reader.any() as string | null, reader.any() as string | null]
    const { id, seq, isNew, outputs } = this.#trace(reader)
    const expectations = isNew ? this.#ledger.first(reader, seq, id) : this.#ledger.more(reader, seq, id)
    const digests = [outputs === null ? null : dataDigest(outputs), expectations === '' ? null : digest(expectations)]
    const sealed = seal([runId, id, rowId, error, parent], [position, repeat, failed, attempts])
    this.#db
      .statement(INSERT_TRIAL)
      .run(run, position, repeat, seq, rowId, failed, attempts, error, parent, ...digests, sealed)
  }

  /** @param known the place of the trace that is to be replaced, its assessments apart */
  #trace(reader: TapeReader, known?: number): WrittenTrace {
    const [id, experimentName] = [reader.text(), reader.text()]
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
      seal([id, experimentName, name, status, session, inputs, outputs], [...times, sealLabels(labels)]),
      spans === null ? null : sealText(spans),
    ]
    const experiment = this.#db.nameId(experimentName)
    const plain = [experiment, name, status, ...times, session, ...[inputs, outputs, spans].map(packText)]
    if (known !== undefined) {
      this.#db.statement(REPLACE_TRACE).run(...plain, ...seals, known)
      this.#db.statement('DELETE FROM labels WHERE trace = ?').run(known)
    }
    const inserted =
      known === undefined ? this.#db.statement(INSERT_TRACE).run(id, ...plain, reader.peek(), ...seals) : undefined
    const isNew = inserted?.changes === 1
    const seq = known ?? (isNew ? Number(inserted.lastInsertRowid) : (this.#traceSeq(id) as number))
    if (isNew || known !== undefined) {
      for (const [kind, key, value] of labels) {
        this.#db.statement(INSERT_LABEL).run(seq, kind, this.#db.nameId(key), value)
      }
    }
    return { id, seq, isNew, outputs, experiment }
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
}

function skipAssessments(reader: TapeReader): void {
  for (let left = reader.number(); left > 0; left--) readAssessment(reader)
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
