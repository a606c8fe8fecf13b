import type { AssessmentSource } from '../../feedback.ts'
import type { Score, ScorePage, ScoreQuery } from '../../series.ts'
import type { Database } from './database.ts'
import { isWholeAssessment, type Row } from './record.ts'
import type { Extra } from './tape.ts'
import { cellValue } from './values.ts'

const TRACES = `SELECT seq, request_ms FROM traces WHERE experiment = ?1 AND request_ms >= ?2 AND request_ms < ?3
  AND (request_ms > ?2 OR seq > ?4) ORDER BY request_ms, seq LIMIT ?5`
const SAID = `SELECT a.*, t.id FROM assessments AS a JOIN traces AS t ON t.seq = a.trace
  WHERE a.trace IN (SELECT value FROM json_each(?)) AND a.kind = 0 AND a.run IS NULL AND a.scorer IN (SELECT value FROM json_each(?))
  ORDER BY a.trace, a.ordinal`

/** Gives what registered scorers have said, a page of traces at a time. */
export function readScores(db: Database, query: ScoreQuery): ScorePage {
  const { experiment, scorers, fromMs = Number.MIN_SAFE_INTEGER, toMs = Number.MAX_SAFE_INTEGER, after, limit } = query
  return db.snapshot(() => {
    const ids = scorers.map((name) => db.findName(name)).filter((id) => id !== undefined)
    const start = after?.requestTimeMs ?? fromMs
    const from = after?.seq ?? -1
    const traces = db.all<Row>(TRACES, db.findName(experiment) ?? -1, start, toMs, from, limit)
    const last = traces.at(-1)
    const seqs = JSON.stringify(traces.map(({ seq }) => seq))
    const said = Map.groupBy(db.all<Row>(SAID, seqs, JSON.stringify(ids)), ({ trace }) => trace as number)
    const sources = new Map<string, AssessmentSource>()
    // One object for one judge: what is sent to another thread twice is copied once.
    const one = (source: AssessmentSource): AssessmentSource => {
      const key = `${source.type} ${source.id}`
      if (!sources.has(key)) sources.set(key, source)
      return sources.get(key) as AssessmentSource
    }
    const items = traces.flatMap(({ seq, request_ms }) => scoresOf(db, said.get(seq) ?? [], request_ms, one))
    const more = last && traces.length === limit
    return { items, ...(more && { next: { requestTimeMs: last.request_ms, seq: last.seq } }) }
  })
}

/** What stands of all that was said of one trace. */
function scoresOf(
  db: Database,
  rows: readonly Row[],
  requestTimeMs: number,
  one: (source: AssessmentSource) => AssessmentSource,
): Score[] {
  return rows.flatMap((row) => {
    if (!isWholeAssessment(row)) throw db.damaged(`an assessment of trace "${row.id}" is not as it was written`)
    if (row.valid !== 1) return []
    const scorer = db.nameText(row.scorer)
    const name = db.nameText(row.name)
    if (scorer === undefined || name === undefined) throw db.damaged('a name is lost')
    const extra = extraOf(row)
    const isCorrected = extra.source?.type === 'HUMAN'
    // A person's word stands in the place of the scorer's, and belongs to the same series.
    const own = isCorrected ? rows.findLast((one) => one.name === row.name && !isHuman(one)) : row
    const { metadata, source = { type: 'CODE', id: scorer } satisfies AssessmentSource } = own ? extraOf(own) : extra
    const version = metadata?.['vitest-evaluate.scorerVersion']
    const value = cellValue(row.type, row.num, row.text)
    return {
      traceId: row.id,
      requestTimeMs,
      scorer,
      name,
      ...(value !== undefined && { value }),
      ...(extra.error && { error: { code: extra.error.code, message: extra.error.message } }),
      ...(typeof version === 'number' && { version }),
      source: one(source),
      isCorrected,
    }
  })
}

function extraOf({ extra }: Row): Extra {
  return extra === null ? {} : JSON.parse(extra)
}

function isHuman(row: Row): boolean {
  return extraOf(row).source?.type === 'HUMAN'
}
