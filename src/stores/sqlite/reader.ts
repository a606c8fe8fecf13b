import type { Assessment, AssessmentSource } from '../../feedback.ts'
import type { RunRecord } from '../../run.ts'
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
import type { Extra } from './tape.ts'
import { cellValue, unpackText } from './values.ts'
import { join, type Sql, sql, where } from './where.ts'

/** Where the next page of a search begins: the sort key of the last trace of this one. */
export type Cursor = readonly [number, number | string]

export interface Page {
  readonly items: readonly StoredTrace[]
  readonly next?: Cursor
}

type Row = Record<string, any>

const TRACE_COLUMNS = `t.seq, t.id, experiments.name AS experiment, t.name, t.status, t.request_ms, t.request_sub_ns, t.duration_ns,
  t.session, t.inputs, t.outputs`
const TRIAL_COLUMNS = 'r.position, r.repeat, r.row_id, r.failed, r.attempts, r.error, r.parent'

/** Reads records. */
export class Reader {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  run(id: string): RunRecord | undefined {
    const row = this.#db.get<{ record: string }>('SELECT record FROM runs WHERE id = ?', id)
    return row && (JSON.parse(row.record) as RunRecord)
  }

  runs({ experiment, name, limit = -1 }: RunQuery): RunRecord[] {
    const conditions: Sql[] = []
    if (experiment !== undefined) conditions.push(sql('experiment = ?', this.#db.findName(experiment) ?? -1))
    if (name !== undefined) conditions.push(sql('name = ?', name))
    const { text, values } = join(conditions, ' AND ')
    const rows = this.#db.all<{ record: string }>(
      `SELECT record FROM runs ${text && `WHERE ${text}`} ORDER BY started_at DESC, key DESC LIMIT ?`,
      ...values,
      limit,
    )
    return rows.map(({ record }) => JSON.parse(record) as RunRecord)
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

  page(query: TraceQuery, after: Cursor | undefined, size: number): Page {
    const inRun = query.runId !== undefined
    const { from, condition } = this.#parts(query, after)
    const columns = `${TRACE_COLUMNS}${query.includeSpans === false ? '' : ', t.spans'}${inRun ? `, ${TRIAL_COLUMNS}` : ''}`
    const order = inRun ? 'r.position, r.repeat' : 't.request_ms DESC, t.id'
    const rows = this.#db.all<Row>(
      `SELECT ${columns} ${from} JOIN names AS experiments ON experiments.id = t.experiment
       WHERE ${condition.text} ORDER BY ${order} LIMIT ?`,
      ...condition.values,
      size,
    )
    const last = rows.at(-1)
    const items = this.#traces(rows, query.runId)
    if (!last || rows.length < size) return { items }
    return { items, next: inRun ? [last.position, last.repeat] : [last.request_ms, last.id] }
  }

  #parts(query: TraceQuery, after: Cursor | undefined): { from: string; condition: Sql } {
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
    const from = run === undefined ? 'FROM traces AS t' : 'FROM trials AS r JOIN traces AS t ON t.seq = r.trace'
    return { from, condition: join(conditions, ' AND ') }
  }

  #runKey(id: string): number {
    return this.#db.get<{ key: number }>('SELECT key FROM runs WHERE id = ?', id)?.key ?? -1
  }

  #traces(rows: readonly Row[], runId: string | undefined): StoredTrace[] {
    const seqs = JSON.stringify([...new Set(rows.map(({ seq }) => seq))])
    const labels = this.#grouped<Row>(
      `SELECT trace, kind, names.name AS key, value FROM labels JOIN names ON names.id = labels.key
       WHERE trace IN (SELECT value FROM json_each(?)) ORDER BY trace, kind, names.name`,
      seqs,
    )
    const scope = runId === undefined ? sql('') : sql(' AND (kind = 1 OR run = ?)', this.#runKey(runId))
    const assessments = this.#grouped<Row>(
      `SELECT a.*, names.name AS name, runs.id AS run_id, scorers.name AS scorer_name FROM assessments AS a
       JOIN names ON names.id = a.name LEFT JOIN runs ON runs.key = a.run LEFT JOIN names AS scorers ON scorers.id = a.scorer
       WHERE trace IN (SELECT value FROM json_each(?))${scope.text} ORDER BY trace, ordinal`,
      seqs,
      ...scope.values,
    )
    return rows.map((row) => ({
      trace: toTraceWrite(row, labels.get(row.seq) ?? []),
      ...(runId !== undefined && { trial: toTrial(row, runId) }),
      assessments: (assessments.get(row.seq) ?? []).map((one) => toAssessment(one, row.id)),
    }))
  }

  #grouped<T extends Row>(text: string, ...values: Value[]): Map<number, T[]> {
    return Map.groupBy(this.#db.all<T>(text, ...values), ({ trace }) => trace as number)
  }
}

function toTraceWrite(row: Row, labels: readonly Row[]): TraceWrite {
  const inputs = unpackText(row.inputs)
  const outputs = unpackText(row.outputs)
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
    ...(inputs !== undefined && { inputs }),
    ...(outputs !== undefined && { outputs }),
    spans: row.spans === undefined ? '' : (unpackText(row.spans) ?? ''),
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
