import type { ArchivedTrace } from './archival.ts'
import { EvaluationError } from './errors.ts'
import { nowMs } from './std/async.ts'
import type { Store, StoredTrace } from './store.ts'

/** Finding what there is to archive. */

const PAGE = 500
/** So many traces are read at once: they may be large. */
const READ = 50
/** A batch ends at so many rows, or so much text. */
const MAX_ROWS = 10_000
const MAX_CHARS = 32_000_000

export interface Gathered {
  readonly rows: readonly ArchivedTrace[]
  /** Changes up to here are in the rows. */
  readonly reached: number
  readonly more: boolean
  /** Traces that cannot be read any more. */
  readonly lost: number
}

/** Reads the production traces of an experiment that have changed since a place, each once. @throws what the store throws */
export async function gather(store: Store, experiment: string, after: number, version: number): Promise<Gathered> {
  // By id: one that changes while it is being read comes twice, and the later reading counts.
  const rows = new Map<string, ArchivedTrace>()
  const archivedAt = nowMs()
  let [reached, chars, lost] = [after, 0, 0]
  const all = (more: boolean): Gathered => ({ rows: [...rows.values()], reached, more, lost })
  for (;;) {
    const page = await store.arrivals({ experiment, after: reached, by: 'change', limit: PAGE })
    for (let at = 0; at < page.items.length; at += READ) {
      const some = page.items.slice(at, at + READ)
      const ids = some.flatMap(({ isOwn, traceId }) => (isOwn ? [] : [traceId]))
      const found = await readable(store, ids)
      for (const stored of found) {
        const { inputs = '', outputs = '', spans } = stored.trace
        chars += inputs.length + outputs.length + spans.length
        rows.set(stored.trace.id, { stored, version, archivedAt })
      }
      lost += ids.length - found.length
      reached = some.at(-1)?.position ?? reached
      if (rows.size >= MAX_ROWS || chars >= MAX_CHARS) return all(true)
    }
    reached = page.reached
    if (page.items.length < PAGE) return all(false)
  }
}

/** What is damaged cannot be archived; it must not keep the others from it. */
async function readable(store: Store, traceIds: readonly string[]): Promise<StoredTrace[]> {
  const found: StoredTrace[] = []
  if (traceIds.length === 0) return found
  try {
    for await (const stored of store.search({ traceIds })) found.push(stored)
  } catch (error) {
    if (!(error instanceof EvaluationError && error.code === 'STORE_NOT_READABLE')) throw error
    // A store that is gone as a whole is no lost trace.
    await store.arrivals({ experiment: '', limit: 1 })
  }
  return found
}
