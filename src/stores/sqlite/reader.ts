import type { Assessment, AssessmentSource } from '../../feedback.ts'
import type { RunRecord } from '../../run.ts'
import { plural } from '../../std/text.ts'
import {
  assessmentId,
  type RunQuery,
  type StoredTrace,
  type StoredTrial,
  type TraceQuery,
  type TraceWrite,
  type TrialPlace,
} from '../../store.ts'
import type { Database, Value } from './database.ts'
import { type Label, seal, sealAssessment, sealLabels, sealText } from './seal.ts'
import type { Extra } from './tape.ts'
import { cellValue, unpackText } from './values.ts'
import { join, type Sql, sql, where } from './where.ts'

/** Where the next page of a search begins. */
export interface Cursor {
  /** The sort key of the last trace of this one. */
  readonly after: readonly [number, number | string]
  /** Traces of all pages so far, damaged ones included. */
  readonly seen: number
  /** How many there are at least, where that is known. */
  readonly expected: number
}

export interface Page {
  readonly items: readonly StoredTrace[]
  /** What should stand between the items, but is damaged. */
  readonly lost: readonly string[]
  readonly next?: Cursor
}

type Row = Record<string, any>

const TRACE_COLUMNS = `t.seq, t.id, experiments.name AS experiment, t.name, t.status, t.request_ms, t.request_sub_ns, t.duration_ns,
  t.session, t.inputs, t.outputs, t.assessments, t.seal`
const TRIAL_COLUMNS = 'r.position, r.repeat, r.row_id, r.failed, r.attempts, r.error, r.parent, r.seal AS trial_seal'

/** Reads records. */
export class Reader {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  run(id: string): RunRecord | undefined {
    const row = this.#db.get<Row>('SELECT record, seal FROM runs WHERE id = ?', id)
    return row && this.#record(row)
  }

  runs({ experiment, name, limit = -1 }: RunQuery): RunRecord[] {
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

  count(query: TraceQuery): number {
    const { from, condition } = this.#parts(query, undefined)
    const row = this.#db.get<{ n: number }>(`SELECT count(*) AS n ${from} WHERE ${condition.text}`, ...condition.values)
    return row?.n ?? 0
  }

  trials(runId: string): TrialPlace[] {
    const rows = this.#db.all<Row>(
      'SELECT position, repeat, row_id, failed FROM trials WHERE run = ? ORDER BY position, repeat',
      this.#runKey(runId),
    )
    return rows.map((row) => ({
      index: row.position,
      repeat: row.repeat,
      rowId: row.row_id,
      status: row.failed === 1 ? 'failed' : 'ok',
    }))
  }

  page(query: TraceQuery, cursor: Cursor | undefined, size: number): Page {
    const inRun = query.runId !== undefined
    const { expected } = cursor ?? { expected: this.#expected(query) }
    const { from, condition } = this.#parts(query, cursor?.after)
    const columns = `${TRACE_COLUMNS}${query.includeSpans === false ? '' : ', t.spans, t.spans_seal'}${inRun ? `, ${TRIAL_COLUMNS}` : ''}`
    const order = inRun ? 'r.position, r.repeat' : 't.request_ms DESC, t.id'
    const rows = this.#db.all<Row>(
      `SELECT ${columns} ${from} LEFT JOIN names AS experiments ON experiments.id = t.experiment
       WHERE ${condition.text} ORDER BY ${order} LIMIT ?`,
      ...condition.values,
      size,
    )
    const last = rows.at(-1)
    const { items, lost } = this.#traces(rows, query.runId)
    const seen = (cursor?.seen ?? 0) + rows.length
    if (last && rows.length === size) {
      const after = inRun ? ([last.position, last.repeat] as const) : ([last.request_ms, last.id] as const)
      return { items, lost, next: { after, seen, expected } }
    }
    const gone = expected - seen
    return { items, lost: gone > 0 ? [...lost, plural(gone, inRun ? 'row' : 'trace')] : lost }
  }

  /** How many traces a search has to find, where that is known without searching: 0 elsewhere. Neither runs nor traces are ever deleted. */
  #expected({ runId, experiment, traceId, rowId, fromIndex, filter }: TraceQuery): number {
    if ([experiment, traceId, rowId, fromIndex, filter].some((given) => given !== undefined)) return 0
    if (runId === undefined) return this.#db.get<Row>('SELECT max(seq) AS count FROM traces')?.count ?? 0
    const run = this.run(runId)
    return run?.status === 'finished' ? run.totals.rows : 0
  }

  #parts(query: TraceQuery, after: Cursor['after'] | undefined): { from: string; condition: Sql } {
    const { runId, experiment, traceId, rowId, fromIndex, filter } = query
    const run = runId === undefined ? undefined : this.#runKey(runId)
    const conditions: Sql[] = [run === undefined ? sql('1') : sql('r.run = ?', run)]
    if (experiment !== undefined) conditions.push(sql('t.experiment = ?', this.#db.findName(experiment) ?? -1))
    if (traceId !== undefined) conditions.push(sql('t.id = ?', traceId))
    if (rowId !== undefined) conditions.push(run === undefined ? sql('0') : sql('r.row_id = ?', rowId))
    if (fromIndex !== undefined && run !== undefined) conditions.push(sql('r.position >= ?', fromIndex))
    if (filter) conditions.push(where(filter, { db: this.#db, run }))
    if (after && run !== undefined) conditions.push(sql('(r.position, r.repeat) > (?, ?)', ...after))
    if (after && run === undefined) {
      conditions.push(sql('(t.request_ms < ? OR (t.request_ms = ? AND t.id > ?))', after[0], ...after))
    }
    // A row whose trace is gone is not to be passed over; a filter could not look at it.
    const joined = filter ? 'JOIN' : 'LEFT JOIN'
    const from = run === undefined ? 'FROM traces AS t' : `FROM trials AS r ${joined} traces AS t ON t.seq = r.trace`
    return { from, condition: join(conditions, ' AND ') }
  }

  #runKey(id: string): number {
    return this.#db.get<{ key: number }>('SELECT key FROM runs WHERE id = ?', id)?.key ?? -1
  }

  #traces(rows: readonly Row[], runId: string | undefined): Pick<Page, 'items' | 'lost'> {
    const seqs = JSON.stringify([...new Set(rows.map(({ seq }) => seq))])
    const labels = this.#grouped<Row>(
      `SELECT trace, kind, names.name AS key, value FROM labels LEFT JOIN names ON names.id = labels.key
       WHERE trace IN (SELECT value FROM json_each(?)) ORDER BY trace, kind, names.name`,
      seqs,
    )
    const scope = runId === undefined ? sql('') : sql(' AND (kind = 1 OR run = ?)', this.#runKey(runId))
    const assessments = this.#grouped<Row>(
      `SELECT a.*, names.name AS name, runs.id AS run_id, scorers.name AS scorer_name FROM assessments AS a
       LEFT JOIN names ON names.id = a.name LEFT JOIN runs ON runs.key = a.run LEFT JOIN names AS scorers ON scorers.id = a.scorer
       WHERE trace IN (SELECT value FROM json_each(?))${scope.text} ORDER BY trace, ordinal`,
      seqs,
      ...scope.values,
    )
    const counts = this.#grouped<Row>(
      'SELECT trace, count(*) AS count FROM assessments WHERE trace IN (SELECT value FROM json_each(?)) GROUP BY trace',
      seqs,
    )
    const items: StoredTrace[] = []
    const lost: string[] = []
    for (const row of rows) {
      const given = { labels: labels.get(row.seq) ?? [], assessments: assessments.get(row.seq) ?? [] }
      const whole = (counts.get(row.seq)?.[0]?.count ?? 0) === row.assessments
      const stored = whole ? toStored(row, given, runId) : undefined
      if (stored) items.push(stored)
      else lost.push(runId === undefined ? 'a trace' : `row ${row.position + 1}`)
    }
    return { items, lost }
  }

  #grouped<T extends Row>(text: string, ...values: Value[]): Map<number, T[]> {
    return Map.groupBy(this.#db.all<T>(text, ...values), ({ trace }) => trace as number)
  }
}

interface Given {
  readonly labels: readonly Row[]
  readonly assessments: readonly Row[]
}

/** Gives undefined when something of it is not as it was written. */
function toStored(row: Row, { labels, assessments }: Given, runId: string | undefined): StoredTrace | undefined {
  const texts = textsOf(row)
  if (!texts || !isWhole(row, texts, labels)) return undefined
  if (runId !== undefined && !isWholeTrial(row, runId)) return undefined
  if (!assessments.every((one) => isWholeAssessment(one, row.id))) return undefined
  return {
    trace: toTraceWrite(row, texts, labels),
    ...(runId !== undefined && { trial: toTrial(row, runId) }),
    assessments: assessments.map((one) => toAssessment(one, row.id)),
  }
}

interface Bodies {
  readonly inputs: string | null
  readonly outputs: string | null
  /** Undefined where they were not asked for. */
  readonly spans: string | null | undefined
}

function textsOf({ inputs, outputs, spans }: Row): Bodies | undefined {
  try {
    const given = spans === undefined ? undefined : unpackText(spans)
    return { inputs: unpackText(inputs), outputs: unpackText(outputs), spans: given }
  } catch {
    return undefined
  }
}

function isWhole(row: Row, { inputs, outputs, spans }: Bodies, labels: readonly Row[]): boolean {
  const sealed = sealLabels(labels.map(({ kind, key, value }): Label => [kind, key, value]))
  const { id, experiment, name, status, session } = row
  const whole = seal(
    [id, experiment, name, status, session, inputs, outputs],
    [row.request_ms, row.request_sub_ns, row.duration_ns, sealed],
  )
  if (whole !== row.seal) return false
  return spans === undefined || (spans === null ? null : sealText(spans)) === row.spans_seal
}

function isWholeTrial(row: Row, runId: string): boolean {
  const numbers = [row.position, row.repeat, row.failed, row.attempts]
  return seal([runId, row.id, row.row_id, row.error, row.parent], numbers) === row.trial_seal
}

function isWholeAssessment(one: Row, traceId: string): boolean {
  const texts = [traceId, one.name, one.text, one.run_id, one.scorer_name, one.extra]
  const numbers = [one.ordinal, one.kind, one.type, one.num, one.duration_ms, one.created_at, one.updated_at]
  return sealAssessment(texts, numbers, one.valid) === one.seal
}

function toTraceWrite(row: Row, { inputs, outputs, spans }: Bodies, labels: readonly Row[]): TraceWrite {
  const pick = (kind: number): Record<string, string> =>
    Object.fromEntries(labels.filter((one) => one.kind === kind).map(({ key, value }) => [key, value]))
  return {
    id: row.id,
    experiment: row.experiment,
    ...(row.name !== null && { name: row.name }),
    status: row.status,
    requestTimeMs: row.request_ms,
    requestTimeSubNs: row.request_sub_ns,
    ...(row.duration_ns !== null && { durationNs: row.duration_ns }),
    ...(row.session !== null && { sessionId: row.session }),
    tags: pick(0),
    metadata: pick(1),
    ...(inputs !== null && { inputs }),
    ...(outputs !== null && { outputs }),
    spans: spans ?? '',
  }
}

function toTrial(row: Row, runId: string): StoredTrial {
  return {
    runId,
    index: row.position,
    repeat: row.repeat,
    rowId: row.row_id,
    status: row.failed === 1 ? 'failed' : 'ok',
    ...(row.error !== null && { error: JSON.parse(row.error) }),
    attempts: row.attempts,
    ...(row.parent !== null && { parentTraceId: row.parent }),
  }
}

function toAssessment(row: Row, traceId: string): Assessment {
  const value = cellValue(row.type, row.num, row.text)
  const extra: Extra = row.extra === null ? {} : JSON.parse(row.extra)
  const { source = { type: 'CODE', id: row.scorer_name } satisfies AssessmentSource, ...rest } = extra
  return {
    id: assessmentId(traceId, row.ordinal),
    kind: row.kind === 0 ? 'feedback' : 'expectation',
    name: row.name,
    traceId,
    ...(value !== undefined && { value }),
    ...rest,
    source,
    ...(row.run_id !== null && { runId: row.run_id }),
    ...(row.scorer_name !== null && { scorer: row.scorer_name }),
    ...(row.duration_ms !== null && { durationMs: row.duration_ms }),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    valid: row.valid === 1,
  }
}
