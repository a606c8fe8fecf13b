import { type FilterCondition, spanMeets } from '../../filter.ts'
import { storedSpans, type TraceWrite } from '../../store.ts'
import { unpackText } from './values.ts'

/** What the SQL function is given: the columns of a trace, then the conditions as JSON. */
type Values = readonly unknown[]

interface Wanted {
  readonly conditions: readonly FilterCondition[]
  /** What the JSON of a span that meets them has to contain. */
  readonly needles: readonly string[]
}

/** Whether a stored trace has a span that meets conditions. Most traces are passed over without their JSON being parsed. */
export function hasSpan(values: Values): boolean {
  const { conditions, needles } = wantedOf(String(values.at(-1)))
  const spans = unpackText(values[8] as string | Uint8Array | null) ?? ''
  if (needles.every((needle) => spans.includes(needle))) {
    return storedSpans(traceOf(values, spans)).some((span) => spanMeets(span, conditions))
  }
  // None that is written down; but the root may be one that is not.
  const [root] = storedSpans(traceOf(values, ''))
  if (!root || !spanMeets(root, conditions)) return false
  return spans === '' || storedSpans(traceOf(values, spans)).some((span) => spanMeets(span, conditions))
}

function traceOf(values: Values, spans: string): TraceWrite {
  const [id, name, status, requestTimeMs, requestTimeSubNs, durationNs, inputs, outputs] = values
  const texts = { inputs: unpackText(inputs as string | null), outputs: unpackText(outputs as string | null) }
  return {
    id: String(id),
    experiment: '',
    ...(name !== null && { name: String(name) }),
    status: status as TraceWrite['status'],
    requestTimeMs: Number(requestTimeMs),
    requestTimeSubNs: Number(requestTimeSubNs),
    ...(durationNs !== null && { durationNs: Number(durationNs) }),
    tags: {},
    metadata: {},
    ...(texts.inputs !== null && { inputs: texts.inputs }),
    ...(texts.outputs !== null && { outputs: texts.outputs }),
    spans,
  }
}

let last: { readonly text: string; readonly wanted: Wanted } | undefined

function wantedOf(text: string): Wanted {
  if (last?.text !== text) {
    const conditions = JSON.parse(text) as FilterCondition[]
    last = { text, wanted: { conditions, needles: conditions.flatMap(needlesOf) } }
  }
  return last.wanted
}

function needlesOf(condition: FilterCondition): string[] {
  const { key } = condition.field
  const missing = condition.type === 'null' && !condition.negated
  const name = key.startsWith(ATTRIBUTES) && !missing ? needle(key.slice(ATTRIBUTES.length)) : []
  if (condition.type === 'compare' && condition.operator === '=' && typeof condition.value === 'string') {
    return [...name, ...needle(condition.value)]
  }
  if (condition.type !== 'like' || condition.operator !== 'LIKE' || condition.negated || key === 'content') return name
  const pieces = condition.pattern.includes('\\') ? [] : condition.pattern.split(/[%_]/)
  return [...name, ...needle(pieces.reduce((best, piece) => (piece.length > best.length ? piece : best), ''))]
}

const ATTRIBUTES = 'attributes.'

/** What may be the text of a list or an object stands in the JSON in another form. */
function needle(text: string): string[] {
  return /["{[\\]/.test(text) ? [] : [JSON.stringify(text).slice(1, -1)]
}
