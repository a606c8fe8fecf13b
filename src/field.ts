import { didYouMean } from './errors.ts'
import { FILTER_ATTRIBUTES, type FilterAttribute, type FilterEntity, type FilterField } from './filter.ts'
import { type Token, type Tokens, unquote } from './token.ts'

/** The fields of the filter language: what they are called, and how they are written. */

const ATTRIBUTES: ReadonlyMap<string, FilterAttribute> = new Map<string, FilterAttribute>([
  ...FILTER_ATTRIBUTES.map((name) => [name, name] as const),
  ['request_id', 'trace_id'],
  ['timestamp', 'timestamp_ms'],
  ['end_time', 'end_time_ms'],
  ['execution_time', 'execution_time_ms'],
])
const NUMERIC: ReadonlySet<string> = new Set(['timestamp_ms', 'end_time_ms', 'execution_time_ms'])

const ENTITIES: ReadonlyMap<string, 'attribute' | FilterEntity> = new Map<string, 'attribute' | FilterEntity>([
  ['attribute', 'attribute'],
  ['attributes', 'attribute'],
  ['trace', 'attribute'],
  ['tag', 'tag'],
  ['tags', 'tag'],
  ['metadata', 'metadata'],
  ['request_metadata', 'metadata'],
  ['feedback', 'feedback'],
  ['expectation', 'expectation'],
  ['span', 'span'],
  ['spans', 'span'],
])
/** Under this name MLflow keeps the session among the metadata. */
const SESSION = 'mlflow.trace.session'
const SPAN_KEYS = ['name', 'type', 'status', 'content', 'attributes.<key>']

const NAMES: readonly Token['kind'][] = ['word', 'quoted', 'string', 'number']
const KEYWORDS = ['AND', 'OR', 'NOT', 'IN', 'IS', 'NULL', 'LIKE', 'ILIKE', 'RLIKE']

/**
 * Reads a field: `feedback.safety`, ``tag.`x y` ``, `status`.
 * @throws EvaluationError FILTER_INVALID
 */
export function readField(tokens: Tokens): FilterField {
  const token = tokens.take()
  if (token.kind !== 'word' || KEYWORDS.includes(token.text.toUpperCase())) {
    tokens.expected('a field such as feedback.safety, tag.env or status', token)
  }
  if (tokens.peek().text !== '.' || tokens.peek().kind !== 'symbol') return attribute(tokens, token, token.position)
  const entity = ENTITIES.get(token.text.toLowerCase())
  if (!entity) {
    tokens.fail(
      token.position,
      `"${token.text}" is no kind of field${didYouMean(token.text, ENTITIES.keys())}; there are attribute, tag, metadata, feedback, expectation, span`,
    )
  }
  tokens.take()
  const name = tokens.take()
  if (!NAMES.includes(name.kind)) tokens.expected(`a name after "${token.text}."`, name)
  if (entity === 'attribute') return attribute(tokens, name, token.position)
  let key = nameOf(name)
  while (tokens.symbol('.')) {
    const more = tokens.take()
    if (!NAMES.includes(more.kind)) tokens.expected('a name after "."', more)
    key += `.${nameOf(more)}`
  }
  if (entity === 'span') requireSpanKey(tokens, key, name)
  if (entity === 'metadata' && key === SESSION)
    return { entity: 'attribute', key: 'session_id', position: token.position }
  return { entity, key, position: token.position }
}

function requireSpanKey(tokens: Tokens, key: string, token: Token): void {
  if (['name', 'type', 'status', 'content'].includes(key) || /^attributes\../.test(key)) return
  const known = `there are ${SPAN_KEYS.join(', ')}`
  tokens.fail(token.position, `a span has no "${key}"${didYouMean(key, SPAN_KEYS)}; ${known}`)
}

function attribute(tokens: Tokens, token: Token, position: number): FilterField {
  const word = nameOf(token).toLowerCase()
  // MLflow's attributes that are kept elsewhere: the caller's id in the metadata, the words of a trace in its spans.
  if (word === 'client_request_id') return { entity: 'metadata', key: word, position }
  if (word === 'text') return { entity: 'span', key: 'content', position }
  const key = ATTRIBUTES.get(word)
  if (!key) {
    tokens.fail(
      token.position,
      `"${nameOf(token)}" is no attribute of a trace${didYouMean(word, ATTRIBUTES.keys())}; there are ${FILTER_ATTRIBUTES.join(', ')}; ` +
        `Feedback is written feedback.${token.text}`,
    )
  }
  return { entity: 'attribute', key, position }
}

function nameOf(token: Token): string {
  return token.kind === 'quoted' || token.kind === 'string' ? unquote(token.text) : token.text
}

/** Whether a field holds numbers only. */
export function isNumeric(field: FilterField): boolean {
  return field.entity === 'attribute' && NUMERIC.has(field.key)
}

/** A field as it is written. */
export function fieldText(field: FilterField): string {
  return field.entity === 'attribute' ? field.key : `${field.entity}.${field.key}`
}
