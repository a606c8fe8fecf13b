import type { FilterSubject } from './filter.ts'
import { NEWEST_FIRST, type SortKey, type TraceOrder } from './order.ts'
import { type StoredTrace, storedSpans, type TraceQuery } from './store.ts'

/** What searches see of a stored trace. */

/**
 * What a filter sees of a stored trace.
 * @param runIds the runs that evaluated it
 */
export function filterSubject({ trace, trial, assessments }: StoredTrace, runIds: readonly string[]): FilterSubject {
  return {
    attribute(key) {
      switch (key) {
        case 'status':
          return trial?.status === 'failed' ? 'ERROR' : trace.status
        case 'name':
          return trace.name
        case 'trace_id':
          return trace.id
        case 'run_id':
          return runIds
        case 'session_id':
          return trace.sessionId
        case 'timestamp_ms':
          return trace.requestTimeMs
        case 'execution_time_ms':
          return trace.durationNs === undefined ? undefined : trace.durationNs / 1e6
        case 'end_time_ms':
          return trace.durationNs === undefined ? undefined : trace.requestTimeMs + trace.durationNs / 1e6
      }
    },
    text(entity, key) {
      const texts = entity === 'tag' ? trace.tags : trace.metadata
      return Object.hasOwn(texts, key) ? texts[key] : undefined
    },
    values(entity, key) {
      return assessments
        .filter(({ kind, name, valid }) => valid && kind === entity && name === key)
        .map(({ value }) => value)
    },
    spans: () => storedSpans(trace),
  }
}

/** The terms of the order in force; in a run, rows otherwise come as they came. */
export function orderOf({ orderBy, runId }: Pick<TraceQuery, 'orderBy' | 'runId'>): readonly TraceOrder[] {
  return orderBy ?? (runId === undefined ? [NEWEST_FIRST] : [])
}

/** Gives the place of a trace in the order of a query. */
export function sortKey(stored: StoredTrace, query: Pick<TraceQuery, 'orderBy' | 'runId'>): SortKey {
  const subject = filterSubject(stored, [])
  const values = orderOf(query).map(({ field }) => {
    const value = field.entity === 'attribute' ? subject.attribute(field.key) : subject.text(field.entity, field.key)
    return (value as string | number | undefined) ?? null
  })
  const { trial } = stored
  return query.runId !== undefined && trial ? [...values, trial.index, trial.repeat] : [...values, stored.trace.id]
}
