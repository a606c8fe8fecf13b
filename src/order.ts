import { readField } from './field.ts'
import type { FilterField } from './filter.ts'
import { Tokens } from './token.ts'

/** The order of searches. */

/** By what traces are ordered. What is missing comes before everything else, text goes by code points. */
export interface TraceOrder {
  readonly field: FilterField & { readonly entity: 'attribute' | 'tag' | 'metadata' }
  readonly descending: boolean
}

/** Where a trace stands in an order: a value per term, then what tells traces with equal values apart. */
export type SortKey = readonly (string | number | null)[]

export const NEWEST_FIRST: TraceOrder = {
  field: { entity: 'attribute', key: 'timestamp_ms', position: 0 },
  descending: true,
}

/**
 * Reads an order: `timestamp_ms DESC`, ``tag.`x y`, name``; ascending unless it says otherwise.
 * @throws EvaluationError FILTER_INVALID with the position
 */
export function parseOrder(text: string): TraceOrder[] {
  const tokens = new Tokens(text, 'order')
  const terms: TraceOrder[] = []
  do terms.push(term(tokens))
  while (tokens.symbol(','))
  if (tokens.peek().kind !== 'end') tokens.expected('ASC, DESC, a comma or the end')
  return terms
}

function term(tokens: Tokens): TraceOrder {
  const field = readField(tokens)
  const descending = tokens.keyword('DESC')
  if (!descending) tokens.keyword('ASC')
  if (!isSortable(field)) {
    const problem = 'traces are ordered by attributes of theirs (all but run_id), tags and metadata'
    tokens.fail(field.position, problem)
  }
  return { field, descending }
}

function isSortable(field: FilterField): field is TraceOrder['field'] {
  if (field.entity === 'attribute') return field.key !== 'run_id'
  return field.entity === 'tag' || field.entity === 'metadata'
}

/** Compares places in one order: below 0 when the first comes first. */
export function compareKeys(a: SortKey, b: SortKey, terms: readonly Pick<TraceOrder, 'descending'>[]): number {
  for (let i = 0; i < a.length; i++) {
    const order = compareValues(a[i] ?? null, b[i] ?? null)
    if (order !== 0) return terms[i]?.descending ? -order : order
  }
  return 0
}

/** As SQLite does it. */
function compareValues(a: string | number | null, b: string | number | null): number {
  if (a === b) return 0
  if (a === null || b === null) return a === null ? -1 : 1
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return a < b ? -1 : 1
}
