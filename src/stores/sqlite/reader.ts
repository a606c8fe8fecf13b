import { EvaluationError } from '../../errors.ts'
import type { RunRecord } from '../../run.ts'
import { plural } from '../../std/text.ts'
import type { RunQuery, StoredTrace, TraceQuery, TrialPlace } from '../../store.ts'
import type { Database, Value } from './database.ts'
import { type Row, toStored } from './record.ts'
import { sealText } from './seal.ts'
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

/** The first page begins after nothing. */
type Place = Omit<Cursor, 'after'> & { readonly after?: Cursor['after'] | undefined }

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

  /** Gives some of what a search finds: everything that is whole, and what is not. */
  page(query: TraceQuery, cursor: Cursor | undefined, size: number): Page {
    return this.#db.snapshot(() => {
      const from = cursor ?? { after: undefined, seen: 0, expected: this.#expected(query) }
      try {
        return this.#page(query, from, size)
      } catch (error) {
        if (query.runId === undefined || from.expected === 0 || !isDamage(error)) throw error
        return this.#salvage(query, from, size)
      }
    })
  }

  #page(query: TraceQuery, { after, seen, expected }: Place, size: number): Page {
    const inRun = query.runId !== undefined
    const { from, condition } = this.#parts(query, after)
    const columns = `${TRACE_COLUMNS}${query.includeSpans === false ? '' : ', t.spans, t.spans_seal'}${inRun ? `, ${TRIAL_COLUMNS}` : ''}`
    const order = inRun ? 'r.position, r.repeat' : 't.request_ms DESC, t.id'
    const rows = this.#db.all<Row>(
      `SELECT ${columns} ${from} LEFT JOIN names AS experiments ON experiments.id = t.experiment
       WHERE ${condition.text} ORDER BY ${order} LIMIT ?`,
      ...condition.values,
      size,
    )
    const { items, lost } = this.#traces(inOrder(rows, after, inRun), query.runId)
    const last = rows.at(-1)
    if (last && rows.length === size) {
      return { items, lost, next: { after: keyOf(last, inRun), seen: seen + rows.length, expected } }
    }
    const gone = expected - seen - rows.length
    return { items, lost: gone > 0 ? [...lost, plural(gone, inRun ? 'row' : 'trace')] : lost }
  }

  /** Reads rows one by one, past those that cannot be read. */
  #salvage(query: TraceQuery, start: Place, size: number): Page {
    const items: StoredTrace[] = []
    const lost: string[] = []
    let place = start
    while (items.length + lost.length < size) {
      try {
        const page = this.#page(query, place, 1)
        items.push(...page.items)
        lost.push(...page.lost)
        if (!page.next) return { items, lost }
        place = page.next
      } catch (error) {
        const position = this.#nextPosition(query.runId as string, place.after)
        if (!isDamage(error) || position >= place.expected) throw error
        lost.push(`row ${position + 1}`)
        place = { ...place, after: [position, Number.MAX_SAFE_INTEGER], seen: place.seen + 1 }
      }
    }
    return { items, lost, next: { ...place, after: place.after ?? [-1, 0] } }
  }

  /** Where the next row of a run stands, as far as that can be read. */
  #nextPosition(runId: string, after: Cursor['after'] = [-1, 0]): number {
    try {
      const text = 'SELECT min(position) AS next FROM trials WHERE run = ? AND (position, repeat) > (?, ?)'
      return this.#db.get<Row>(text, this.#runKey(runId), ...after)?.next ?? Number.POSITIVE_INFINITY
    } catch {
      return after[0] + 1
    }
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
      `SELECT a.*, names.name AS name_text, names.seal AS name_seal, scorers.name AS scorer_text, scorers.seal AS scorer_seal,
       runs.id AS run_id FROM assessments AS a
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
      if (stored && !row.misplaced) items.push(stored)
      else lost.push(runId === undefined ? 'a trace' : `row ${row.position + 1}`)
    }
    return { items, lost }
  }

  #grouped<T extends Row>(text: string, ...values: Value[]): Map<number, T[]> {
    return Map.groupBy(this.#db.all<T>(text, ...values), ({ trace }) => trace as number)
  }
}

function keyOf(row: Row, inRun: boolean): Cursor['after'] {
  return inRun ? [row.position, row.repeat] : [row.request_ms, row.id]
}

/** Marks rows that stand where they should not: a damaged index may give one twice, in place of another. */
function inOrder(rows: readonly Row[], start: Cursor['after'] | undefined, inRun: boolean): readonly Row[] {
  let before = start
  for (const row of rows) {
    const [first, second] = keyOf(row, inRun)
    const later = inRun ? (a: number, b: number) => a > b : (a: number, b: number) => a < b
    row.misplaced = before && !(later(first, before[0]) || (first === before[0] && second !== before[1]))
    before = [first, second]
  }
  return rows
}

function isDamage(error: unknown): boolean {
  return error instanceof EvaluationError && error.code === 'STORE_NOT_READABLE'
}
