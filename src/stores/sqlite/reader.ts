import type { SortKey } from '../../order.ts'
import type { StandingTrace } from '../../queue.ts'
import type { RunRecord } from '../../run.ts'
import type { RunQuery, StoredTrace, TraceQuery, TrialPlace } from '../../store.ts'
import { type Cursor, inOrder, keyed, missing, OPEN, type Page, type Place, UNKNOWN, withoutFilter } from './cursor.ts'
import type { Database, Value } from './database.ts'
import { isDamage } from './faults.ts'
import { type Names, type Row, toStored } from './record.ts'
import { Rescue } from './rescue.ts'
import { Runs } from './runs.ts'
import { sortingOf } from './sort.ts'
import { join, type Scope, type Sql, sql, where } from './where.ts'

const TRACE_COLUMNS = `t.seq, t.id, t.experiment, t.name, t.status, t.request_ms, t.request_sub_ns, t.duration_ns,
  t.session, t.inputs, t.outputs, t.assessments, t.seal`
const TRIAL_COLUMNS = 'r.position, r.repeat, r.row_id, r.failed, r.attempts, r.error, r.parent, r.seal AS trial_seal'

const AHEAD = 10_000
const PAST_REPEATS = Number.MAX_SAFE_INTEGER
/** After so many rows in turn that cannot be read, there are taken to be no more. */
const PATIENCE = 1_000

/** Reads records. */
export class Reader {
  readonly #db: Database
  readonly #runs: Runs
  #rescue: Rescue | undefined

  constructor(db: Database) {
    this.#db = db
    this.#runs = new Runs(db, () => this.#rescued())
  }

  run(id: string): RunRecord | undefined {
    return this.#runs.one(id)
  }

  runs(query: RunQuery): RunRecord[] {
    return this.#runs.list(query)
  }

  /** Lets go of the file, where it was read without SQLite. */
  close(): void {
    this.#rescue?.close()
  }

  /** What lies whole in a file that was cut off, whether its trees still lead there or not. */
  #rescued(): Rescue | undefined {
    if (this.#db.damage !== undefined) this.#rescue ??= Rescue.of(this.#db.path)
    return this.#rescue
  }

  /** What the tables still say beside. */
  #rest(): { runId: Names['run']; count: number } {
    return {
      runId: (key) => attempt(() => this.#runs.id(key)),
      count: attempt(() => this.#db.get<Row>('SELECT max(seq) AS count FROM traces')?.count) ?? 0,
    }
  }

  count(query: TraceQuery): number {
    const { from, condition } = this.#parts(query, query.after)
    const row = this.#db.get<{ n: number }>(`SELECT count(*) AS n ${from} WHERE ${condition.text}`, ...condition.values)
    return row?.n ?? 0
  }

  trials(runId: string): TrialPlace[] {
    const rows = this.#db.all<Row>(
      'SELECT position, repeat, row_id, failed FROM trials WHERE run = ? ORDER BY position, repeat',
      this.#runs.key(runId),
    )
    return rows.map((row) => ({
      index: row.position,
      repeat: row.repeat,
      rowId: row.row_id,
      status: row.failed === 1 ? 'failed' : 'ok',
    }))
  }

  /** Gives traces as they are, with the place at which they arrived: at one moment, or somebody else's change in between would be taken for seen. */
  standing(traceIds: readonly string[]): StandingTrace[] {
    return this.#db.snapshot(() => {
      const { items } = this.#whole({ traceIds }, undefined, traceIds.length + 1)
      const text = 'SELECT arrived FROM arrivals WHERE trace = (SELECT seq FROM traces WHERE id = ?)'
      return items.map(({ trace }) => {
        const position = this.#db.get<Row>(text, trace.id)?.arrived
        return { trace, ...(position !== undefined && { position }) }
      })
    })
  }

  /** Gives some of what a search finds: everything that is whole, and what is not. */
  page(query: TraceQuery, cursor: Cursor | undefined, size: number): Page {
    return this.#db.snapshot(() => this.#whole(query, cursor, size))
  }

  /** To be called inside a snapshot. */
  #whole(query: TraceQuery, cursor: Cursor | undefined, size: number): Page {
    const rescue = this.#rescued()
    if (rescue) return rescue.page(query, cursor ?? { seen: 0, expected: 0 }, size, this.#rest())
    const from = cursor ?? { after: query.after, seen: 0, expected: this.#expected(query) }
    try {
      return this.#page(query, from, size)
    } catch (error) {
      if (query.runId === undefined || from.expected === 0 || !isDamage(error)) throw error
      return this.#salvage(query, from, size)
    }
  }

  #page(query: TraceQuery, { after, seen, expected, ahead: known }: Place, size: number): Page {
    const inRun = query.runId !== undefined
    const width = inRun ? 2 : 1
    const sorting = sortingOf(query, this.#scope(query))
    // What a filter selects, or an order sorts, is gathered anew by every query: for page after page, that takes longer than to read them.
    const slow = query.filter !== undefined || query.orderBy !== undefined
    const ahead = slow && after ? (known?.length ? known : this.#ahead(query, after)) : undefined
    const { from, condition } = this.#parts(ahead ? withoutFilter(query) : query, ahead ? undefined : after)
    const picked = ahead ? join([condition, keyed(ahead.subarray(0, size * width), inRun)], ' AND ') : condition
    const columns = `${TRACE_COLUMNS}${query.includeSpans === false ? '' : ', t.spans, t.spans_seal'}${inRun ? `, ${TRIAL_COLUMNS}` : ''}`
    const rows = this.#db.all<Row>(
      `SELECT ${columns}${sorting.columns} ${from} WHERE ${picked.text} ORDER BY ${sorting.text} LIMIT ?`,
      ...picked.values,
      size,
    )
    const { items, lost } = this.#traces(inOrder(rows, after, sorting), query.runId)
    const last = rows.at(-1)
    if (last && rows.length === size) {
      const next = { after: sorting.keyOf(last), seen: seen + rows.length, expected }
      if (!sorting.isLater(next.after, after)) throw this.#db.damaged('an index leads back to where it came from')
      return { items, lost, next: ahead ? { ...next, ahead: ahead.slice(size * width) } : next }
    }
    return { items, lost: [...lost, ...missing({ expected, seen: seen + rows.length }, inRun ? 'row' : 'trace')] }
  }

  /** Looks the keys of many pages up at once. */
  #ahead(query: TraceQuery, after: SortKey): Float64Array {
    const inRun = query.runId !== undefined
    const { from, condition } = this.#parts(query, after)
    const rows = this.#db.all<Row>(
      `SELECT ${inRun ? 'r.position, r.repeat' : 't.seq'} ${from} WHERE ${condition.text}
       ORDER BY ${sortingOf(query, this.#scope(query)).text} LIMIT ?`,
      ...condition.values,
      AHEAD,
    )
    return Float64Array.from(rows.flatMap((row) => (inRun ? [row.position, row.repeat] : [row.seq])))
  }

  /** Reads rows one by one, past those that cannot be read. */
  #salvage(query: TraceQuery, start: Place, size: number): Page {
    const items: StoredTrace[] = []
    const lost: (number | string)[] = []
    const end = start.expected === OPEN ? UNKNOWN : start.expected
    let place = start
    let inVain = 0
    while (items.length + lost.length < size || inVain > 0) {
      try {
        const page = this.#page(query, place, 1)
        inVain = 0
        items.push(...page.items)
        lost.push(...page.lost)
        if (!page.next) return { items, lost }
        place = page.next
      } catch (error) {
        const position = this.#nextPosition(query.runId as string, place.after)
        if (!isDamage(error)) throw error
        if (position >= end) return { items, lost: [...lost, ...missing(place)] }
        if (end === UNKNOWN && ++inVain > PATIENCE) {
          const all = `every row from ${position + 1 - PATIENCE} on`
          return { items, lost: [...lost.slice(0, -PATIENCE), all, ...missing(place)] }
        }
        lost.push(position + 1)
        place = { ...place, after: [position, PAST_REPEATS], seen: place.seen + 1 }
      }
    }
    return { items, lost, next: { ...place, after: place.after ?? [-1, 0] } }
  }

  /** Where the next row of a run stands, as far as that can be read; never before the place that has been reached. */
  #nextPosition(runId: string, after: SortKey = [-1, 0]): number {
    const reached = Number(after[0])
    const least = after[1] === PAST_REPEATS ? reached + 1 : reached
    try {
      const text = 'SELECT min(position) AS next FROM trials WHERE run = ? AND (position, repeat) > (?, ?)'
      const next = this.#db.get<Row>(text, this.#runs.key(runId), ...after)?.next ?? Number.POSITIVE_INFINITY
      return Math.max(next, least)
    } catch {
      return reached + 1
    }
  }

  /** How many traces a search has to find, where that is known without searching: 0 elsewhere. Neither runs nor traces are ever deleted. */
  #expected({ runId, includeSpans: _, limit: __, ...narrowed }: TraceQuery): number {
    if (Object.values(narrowed).some((given) => given !== undefined)) return 0
    if (runId === undefined) return this.#db.get<Row>('SELECT max(seq) AS count FROM traces')?.count ?? 0
    try {
      const run = this.run(runId)
      if (!run) return 0
      return run.status === 'finished' ? run.totals.rows : OPEN
    } catch (error) {
      if (!isDamage(error)) throw error
      return UNKNOWN
    }
  }

  #scope({ runId }: TraceQuery): Scope {
    return { db: this.#db, run: runId === undefined ? undefined : this.#runs.key(runId) }
  }

  #parts(query: TraceQuery, after: SortKey | undefined): { from: string; condition: Sql } {
    const { experiment, traceId, traceIds, sessionId, rowId, fromIndex, filter } = query
    const scope = this.#scope(query)
    const { run } = scope
    const conditions: Sql[] = [run === undefined ? sql('1') : sql('r.run = ?', run)]
    if (experiment !== undefined) conditions.push(sql('t.experiment = ?', this.#db.findName(experiment) ?? -1))
    if (traceId !== undefined) conditions.push(sql('t.id = ?', traceId))
    if (traceIds) conditions.push(sql('t.id IN (SELECT value FROM json_each(?))', JSON.stringify(traceIds)))
    if (sessionId !== undefined) conditions.push(sql('t.session = ?', sessionId))
    if (rowId !== undefined) conditions.push(run === undefined ? sql('0') : sql('r.row_id = ?', rowId))
    if (fromIndex !== undefined && run !== undefined) conditions.push(sql('r.position >= ?', fromIndex))
    if (filter) conditions.push(where(filter, scope))
    if (after) conditions.push(sortingOf(query, scope).after(after))
    // A row whose trace is gone is not to be passed over; a filter could not look at it.
    const joined = filter ? 'JOIN' : 'LEFT JOIN'
    const from = run === undefined ? 'FROM traces AS t' : `FROM trials AS r ${joined} traces AS t ON t.seq = r.trace`
    return { from, condition: join(conditions, ' AND ') }
  }

  #traces(rows: readonly Row[], runId: string | undefined): Pick<Page, 'items' | 'lost'> {
    const seqs = JSON.stringify([...new Set(rows.map(({ seq }) => seq))])
    const labels = this.#grouped<Row>(
      `SELECT trace, kind, key, value FROM labels LEFT JOIN names ON names.id = labels.key
       WHERE trace IN (SELECT value FROM json_each(?)) ORDER BY trace, kind, names.name`,
      seqs,
    )
    // Those of other runs too: only when all are there is it certain that none of this run's is missing.
    const assessments = this.#grouped<Row>(
      'SELECT * FROM assessments WHERE trace IN (SELECT value FROM json_each(?)) ORDER BY trace, ordinal',
      seqs,
    )
    const names: Names = { name: (id) => this.#db.nameText(id), run: (key) => this.#runs.id(key) }
    const items: StoredTrace[] = []
    const lost: (number | string)[] = []
    for (const row of rows) {
      const given = { labels: labels.get(row.seq) ?? [], assessments: assessments.get(row.seq) ?? [] }
      const stored = given.assessments.length === row.assessments ? toStored(row, given, names, runId) : undefined
      if (stored && !row.misplaced) items.push(stored)
      else lost.push(runId === undefined ? 'a trace' : row.position + 1)
    }
    return { items, lost }
  }

  #grouped<T extends Row>(text: string, ...values: Value[]): Map<number, T[]> {
    return Map.groupBy(this.#db.all<T>(text, ...values), ({ trace }) => trace as number)
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (!isDamage(error)) throw error
    return undefined
  }
}
