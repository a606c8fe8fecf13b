import { compareKeys, type SortKey, type TraceOrder } from '../../order.ts'
import type { TraceQuery } from '../../store.ts'
import { orderOf } from '../../subject.ts'
import type { Row } from './record.ts'
import { attributeColumn, join, type Scope, type Sql, sql } from './where.ts'

/** The order of a search, in SQL. It agrees with `sortKey` and `compareKeys`. */
export interface Sorting {
  /** Columns that hold the key of a row, to select beside others; empty where those are there anyway. */
  readonly columns: string
  /** For ORDER BY. */
  readonly text: string
  keyOf(row: Row): SortKey
  /** The condition on what comes after a key. */
  after(key: SortKey): Sql
  isLater(key: SortKey, before: SortKey | undefined): boolean
}

interface Term {
  readonly text: string
  readonly descending: boolean
}

/** The order of a run's rows, and newest first: the two that an index gives. */
const ROWS: Sorting = {
  columns: '',
  text: 'r.position, r.repeat',
  keyOf: (row) => [row.position, row.repeat],
  after: (key) => sql('(r.position, r.repeat) > (?, ?)', ...key),
  isLater: (key, before) => !before || compareKeys(key, before, []) > 0,
}
const NEWEST: Sorting = {
  columns: '',
  text: 't.request_ms DESC, t.id',
  keyOf: (row) => [row.request_ms, row.id],
  after: ([time = null, id = null]) => sql('t.request_ms <= ? AND (t.request_ms < ? OR t.id > ?)', time, time, id),
  isLater: (key, before) => !before || compareKeys(key, before, [{ descending: true }]) > 0,
}

export function sortingOf(query: TraceQuery, scope: Scope): Sorting {
  if (!query.orderBy) return scope.run === undefined ? NEWEST : ROWS
  const ties = scope.run === undefined ? ['t.id'] : ['r.position', 'r.repeat']
  const terms: Term[] = [
    ...orderOf(query).map(({ field, descending }) => ({ text: columnOf(field, scope), descending })),
    ...ties.map((text) => ({ text, descending: false })),
  ]
  return {
    columns: terms.map(({ text }, i) => `, ${text} AS k${i}`).join(''),
    text: terms.map(({ text, descending }) => `${text}${descending ? ' DESC' : ''}`).join(', '),
    keyOf: (row) => terms.map((_, i) => row[`k${i}`]),
    after: (key) => afterKey(terms, key),
    isLater: (key, before) => !before || compareKeys(key, before, terms) > 0,
  }
}

function columnOf(field: TraceOrder['field'], scope: Scope): string {
  if (field.entity === 'attribute') return attributeColumn(field.key, scope)
  const kind = field.entity === 'tag' ? 0 : 1
  const key = scope.db.findName(field.key) ?? -1
  return `(SELECT value FROM labels WHERE trace = t.seq AND kind = ${kind} AND key = ${key})`
}

/** After a key is what has the same values up to some term, and a later one there. What is missing comes first. */
function afterKey(terms: readonly Term[], key: SortKey): Sql {
  const parts = terms.map((term, at) => {
    const same = terms.slice(0, at).map(({ text }, i) => sql(`${text} IS ?`, key[i] ?? null))
    return join([...same, laterThan(term, key[at] ?? null)], ' AND ')
  })
  const any = join(
    parts.map(({ text, values }) => sql(`(${text})`, ...values)),
    ' OR ',
  )
  return sql(`(${any.text})`, ...any.values)
}

function laterThan({ text, descending }: Term, value: string | number | null): Sql {
  if (value === null) return sql(descending ? '0' : `${text} IS NOT NULL`)
  return sql(descending ? `(${text} < ? OR ${text} IS NULL)` : `${text} > ?`, value)
}
