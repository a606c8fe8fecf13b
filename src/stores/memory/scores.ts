import type { Assessment } from '../../feedback.ts'
import type { Score, ScorePage, ScoreQuery } from '../../series.ts'
import type { Kept, Shelf } from './shelf.ts'

/** Gives what registered scorers have said, a page of traces at a time. */
export function readScores(shelf: Shelf, query: ScoreQuery): ScorePage {
  const {
    experiment,
    scorers,
    fromMs = Number.NEGATIVE_INFINITY,
    toMs = Number.POSITIVE_INFINITY,
    after,
    limit,
  } = query
  const isLater = ({ trace: { requestTimeMs }, seq }: Kept): boolean =>
    !after || requestTimeMs > after.requestTimeMs || (requestTimeMs === after.requestTimeMs && seq > after.seq)
  const page = [...shelf.all()]
    .filter(
      ({ trace }) => trace.experiment === experiment && trace.requestTimeMs >= fromMs && trace.requestTimeMs < toMs,
    )
    .filter(isLater)
    .sort((a, b) => a.trace.requestTimeMs - b.trace.requestTimeMs || a.seq - b.seq)
    .slice(0, limit)
  const last = page.at(-1)
  const next = last && page.length === limit && { requestTimeMs: last.trace.requestTimeMs, seq: last.seq }
  return { items: page.flatMap((kept) => scoresOf(kept, scorers)), ...(next && { next }) }
}

/** What stands of all that was said of one trace. */
function scoresOf({ trace, assessments }: Kept, scorers: readonly string[]): Score[] {
  const said = assessments.filter(
    ({ kind, runId, scorer }) =>
      kind === 'feedback' && runId === undefined && scorer !== undefined && scorers.includes(scorer),
  )
  return said
    .filter(({ valid }) => valid)
    .map((given) => {
      const { name, scorer, value, error } = given
      // A person's word stands in the place of the scorer's, and belongs to the same series.
      const isCorrected = isHuman(given)
      const own = (isCorrected && said.findLast((one) => one.name === name && !isHuman(one))) || given
      const version = own.metadata?.['vitest-evaluate.scorerVersion']
      return {
        traceId: trace.id,
        requestTimeMs: trace.requestTimeMs,
        scorer: scorer as string,
        name,
        ...(value !== undefined && { value }),
        ...(error && { error: { code: error.code, message: error.message } }),
        ...(typeof version === 'number' && { version }),
        source: own.source,
        isCorrected,
      }
    })
}

function isHuman({ source }: Assessment): boolean {
  return source.type === 'HUMAN'
}
