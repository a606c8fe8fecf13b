import type { SortKey } from '../../order.ts'
import { plural } from '../../std/text.ts'
import type { StoredTrace, TraceQuery } from '../../store.ts'
import type { Row } from './record.ts'
import type { Sorting } from './sort.ts'
import { type Sql, sql } from './where.ts'

/** Where the next page of a search begins. */
export interface Cursor {
  /** The sort key of the last trace of this one. */
  readonly after: SortKey
  /** Traces of all pages so far, damaged ones included. */
  readonly seen: number
  /** How many there are at least, where that is known. */
  readonly expected: number
  /** The keys of what comes next, as far as they have been looked up. */
  readonly ahead?: Float64Array
}

export interface Page {
  readonly items: readonly StoredTrace[]
  /** What should stand between the items, but is damaged: rows by number, counted from 1, and other things in words. */
  readonly lost: readonly (number | string)[]
  readonly next?: Cursor
}

/** The first page begins after nothing. */
export type Place = Omit<Cursor, 'after'> & { readonly after?: Cursor['after'] | undefined }

/** How many rows a run has whose record is lost. */
export const UNKNOWN = Number.POSITIVE_INFINITY
/** How many rows a run has that did not finish: its record does not say. */
export const OPEN = -1

/** Says what a search should have found beyond its last page. */
export function missing({ expected, seen }: Pick<Place, 'expected' | 'seen'>, unit = 'row'): string[] {
  if (expected === UNKNOWN) return ['the record of the run']
  return expected > seen ? [plural(expected - seen, unit)] : []
}

/** The condition that picks traces by what `#ahead` found. */
export function keyed(keys: Float64Array, inRun: boolean): Sql {
  if (!inRun) return sql('t.seq IN (SELECT value FROM json_each(?))', JSON.stringify([...keys]))
  const pairs = Array.from({ length: keys.length / 2 }, (_, i) => [keys[2 * i], keys[2 * i + 1]])
  return sql('(r.position, r.repeat) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))', JSON.stringify(pairs))
}

/** Marks rows that stand where they should not: a damaged index may give one twice, in place of another. */
export function inOrder(rows: readonly Row[], start: SortKey | undefined, sorting: Sorting): readonly Row[] {
  let before = start
  for (const row of rows) {
    const key = sorting.keyOf(row)
    row.misplaced = !sorting.isLater(key, before)
    before = key
  }
  return rows
}

export function withoutFilter({ filter, ...query }: TraceQuery): TraceQuery {
  return query
}
