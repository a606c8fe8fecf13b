import type { ArrivalQuery, Arrivals } from '../../queue.ts'
import type { Database, Value } from './database.ts'
import type { Row } from './record.ts'

const TOUCH = 'UPDATE arrivals SET changed = (SELECT max(changed) + 1 FROM arrivals) WHERE trace = ?'
const ARRIVE = `INSERT INTO arrivals (trace, experiment, arrived, changed, at)
  SELECT ?1, ?2, next, next, ?3 FROM (SELECT coalesce((SELECT max(changed) FROM arrivals), 0) + 1 AS next) WHERE true
  ON CONFLICT DO UPDATE SET experiment = excluded.experiment, arrived = excluded.arrived, changed = excluded.changed, at = excluded.at`

/** Metadata (1) and tags (0) that say that a trace is an evaluation's or a scorer's, by this package or by MLflow. */
const OWN_LABELS = [
  [1, 'mlflow.sourceRun'],
  [1, 'vitest-evaluate.rowId'],
  [0, 'mlflow.trace.sourceScorer'],
  [1, 'mlflow.trace.sourceScorer'],
] as const

/** Notes that a trace has come, or come further. To be called inside a transaction. */
export function arrive(db: Database, seq: number, experiment: number, at: number): void {
  db.statement(ARRIVE).run(seq, experiment, at)
}

/** Notes that something about a trace has changed, if it is one that has arrived. To be called inside a transaction. */
export function touch(db: Database, seq: number): void {
  db.statement(TOUCH).run(seq)
}

/** Gives arrivals in order. */
export function readArrivals(db: Database, query: ArrivalQuery): Arrivals {
  const { experiment, after = 0, through, fromMs, toMs, by = 'arrival', limit } = query
  return db.snapshot(() => {
    const head = db.get<Row>('SELECT coalesce(max(changed), 0) AS head FROM arrivals')?.head as number
    const last = Math.min(head, through ?? head)
    const place = by === 'arrival' ? 'a.arrived' : 'a.changed'
    const own = ownLabels(db)
    const conditions = [`a.experiment = ? AND ${place} > ? AND ${place} <= ?`]
    const values: Value[] = [db.findName(experiment) ?? -1, after, last]
    for (const [text, value] of [
      ['t.request_ms >= ?', fromMs],
      ['t.request_ms < ?', toMs],
    ] as const) {
      if (value === undefined) continue
      conditions.push(text)
      values.push(value)
    }
    const rows = db.all<Row>(
      `SELECT ${place} AS place, t.id, t.status, t.session, t.request_ms, t.assessments > 0 AS judged, a.at,
       EXISTS (SELECT 1 FROM trials WHERE trace = a.trace AND attempts > 0)
       OR EXISTS (SELECT 1 FROM labels WHERE trace = a.trace AND (kind, key) IN (${own})) AS own
       FROM arrivals AS a JOIN traces AS t ON t.seq = a.trace
       WHERE ${conditions.join(' AND ')} ORDER BY ${place} LIMIT ?`,
      ...values,
      limit,
    )
    const items = rows.map((row) => ({
      position: row.place,
      traceId: row.id,
      status: row.status,
      ...(row.session !== null && { sessionId: row.session }),
      requestTimeMs: row.request_ms,
      at: row.at,
      isOwn: row.own === 1,
      ...(row.judged === 1 && { isJudged: true as const }),
    }))
    return { items, reached: items.length < limit ? Math.max(last, after) : (items.at(-1)?.position ?? last), head }
  })
}

/** The numbers of names are put into the text: they are ours, and few. */
function ownLabels(db: Database): string {
  const known = OWN_LABELS.flatMap(([kind, name]) => {
    const id = db.findName(name)
    return id === undefined ? [] : [`(${kind}, ${id})`]
  })
  return known.length === 0 ? 'SELECT 0, 0 WHERE false' : `VALUES ${known.join(', ')}`
}
