import { passValue } from './column.ts'
import { canonical, encode } from './std/json.ts'
import { regex } from './std/regex.ts'
import type { Span } from './trace.ts'

/**
 * The filter language of `search`: MLflow's, with `OR`, `NOT`, parentheses and unquoted booleans and numbers added. One parser
 * (`grammar.ts`) and one syntax tree; stores translate the tree, `matches` evaluates it in memory, and both must agree.
 *
 * `true` and `false` stand for verdicts: they fit booleans and the words yes/no, true/false, pass/fail in any case; quoted
 * words are compared letter by letter. Conditions on spans that AND joins have to be met by one and the same span, unless they stand in
 * parentheses of their own. Every condition is true or false, never unknown. One on something that is missing is false, also with `!=`, `NOT IN` and
 * `NOT LIKE`; `NOT (…)` turns a whole condition round.
 */

export const FILTER_ATTRIBUTES = [
  'status',
  'name',
  'trace_id',
  'run_id',
  'session_id',
  'timestamp_ms',
  'end_time_ms',
  'execution_time_ms',
] as const
/** What a trace has under a name of its own. */
export type FilterAttribute = (typeof FILTER_ATTRIBUTES)[number]

/** `span` has the keys `name`, `type`, `status`, `content` and `attributes.<key>`. */
export type FilterEntity = 'tag' | 'metadata' | 'feedback' | 'expectation' | 'span'

export type FilterField =
  | { readonly entity: 'attribute'; readonly key: FilterAttribute; readonly position: number }
  | { readonly entity: FilterEntity; readonly key: string; readonly position: number }

export type FilterLiteral = string | number | boolean
export type LikeOperator = 'LIKE' | 'ILIKE' | 'RLIKE'
export type CompareOperator = '=' | '!=' | '<' | '<=' | '>' | '>='

export type FilterNode =
  | { readonly type: 'and' | 'or'; readonly nodes: readonly FilterNode[]; readonly position: number }
  | { readonly type: 'not'; readonly node: FilterNode; readonly position: number }
  | SpanNode
  | FilterCondition

/** Conditions that one span has to meet together. */
export interface SpanNode {
  readonly type: 'span'
  readonly conditions: readonly FilterCondition[]
  readonly position: number
}

export type FilterCondition = CompareNode | LikeNode | InNode | NullNode

export interface CompareNode {
  readonly type: 'compare'
  readonly field: FilterField
  readonly operator: CompareOperator
  readonly value: FilterLiteral
  readonly position: number
}
export interface LikeNode {
  readonly type: 'like'
  readonly field: FilterField
  readonly negated: boolean
  readonly operator: LikeOperator
  readonly pattern: string
  readonly position: number
}
export interface InNode {
  readonly type: 'in'
  readonly field: FilterField
  readonly negated: boolean
  readonly values: readonly FilterLiteral[]
  readonly position: number
}
export interface NullNode {
  readonly type: 'null'
  readonly field: FilterField
  readonly negated: boolean
  readonly position: number
}

/** What a filter looks at. `feedback` and `expectation` give the values of every valid assessment of that name. */
export interface FilterSubject {
  /** Several values where a trace has several, as with the runs that evaluated it. */
  attribute(key: FilterAttribute): string | number | readonly string[] | undefined
  text(entity: 'tag' | 'metadata', key: string): string | undefined
  values(entity: 'feedback' | 'expectation', key: string): readonly unknown[]
  spans(): readonly Span[]
}

/** Gives the names of the Feedback that a filter asks for. */
export function feedbackNames(node: FilterNode): string[] {
  switch (node.type) {
    case 'and':
    case 'or':
      return node.nodes.flatMap(feedbackNames)
    case 'not':
      return feedbackNames(node.node)
    case 'span':
      return []
    default:
      return node.field.entity === 'feedback' ? [node.field.key] : []
  }
}

/** Evaluates a filter in memory. */
export function matches(node: FilterNode, subject: FilterSubject): boolean {
  switch (node.type) {
    case 'and':
      return node.nodes.every((inner) => matches(inner, subject))
    case 'or':
      return node.nodes.some((inner) => matches(inner, subject))
    case 'not':
      return !matches(node.node, subject)
    case 'span':
      return subject.spans().some((span) => spanMeets(span, node.conditions))
    default:
      return meets(fieldValues(node.field, subject), node)
  }
}

/** Whether one span meets all of some conditions on spans. */
export function spanMeets(span: Span, conditions: readonly FilterCondition[]): boolean {
  return conditions.every((condition) => meets(spanValues(condition.field.key, span), condition))
}

function meets(values: readonly unknown[], node: FilterCondition): boolean {
  switch (node.type) {
    case 'null':
      return (values.length === 0) !== node.negated
    case 'compare':
      return values.some((value) => compare(value, node.operator, node.value))
    case 'in':
      return values.some((value) => node.values.some((one) => compare(value, '=', one)) !== node.negated)
    case 'like':
      return values.some((value) => like(textOf(value), node.pattern, node.operator) !== node.negated)
  }
}

const SPAN_ATTRIBUTES = 'attributes.'

function spanValues(key: string, span: Span): readonly unknown[] {
  if (key === 'content') return [spanContent(span)]
  if (!key.startsWith(SPAN_ATTRIBUTES)) return [span[key as 'name' | 'type' | 'status']]
  const name = key.slice(SPAN_ATTRIBUTES.length)
  const value = Object.hasOwn(span.attributes, name) ? span.attributes[name] : undefined
  return value === undefined || value === null ? [] : [value]
}

/** The text that a search for words goes through: the span as JSON, without its ids and times. */
function spanContent({ name, type, status, inputs, outputs, attributes }: Span): string {
  return encode({ name, type, status, inputs, outputs, attributes })
}

function fieldValues(field: FilterField, subject: FilterSubject): readonly unknown[] {
  if (field.entity === 'feedback' || field.entity === 'expectation') {
    return subject.values(field.entity, field.key).filter((value) => value !== undefined && value !== null)
  }
  if (field.entity === 'span') return []
  const value = field.entity === 'attribute' ? subject.attribute(field.key) : subject.text(field.entity, field.key)
  return value === undefined ? [] : Array.isArray(value) ? value : [value]
}

/** The text that string comparisons see: `true`, `0.5`, the string itself, or canonical JSON for anything wider. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'object' ? canonical(value) : String(value)
}

function compare(value: unknown, operator: CompareOperator, literal: FilterLiteral): boolean {
  if (typeof literal === 'number') return typeof value === 'number' && compareNumbers(value, operator, literal)
  const equal = typeof literal === 'boolean' ? passValue(value) === Number(literal) : textOf(value) === literal
  return operator === '=' ? equal : !equal
}

function compareNumbers(a: number, operator: CompareOperator, b: number): boolean {
  switch (operator) {
    case '=':
      return a === b
    case '!=':
      return a !== b
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '>':
      return a > b
    case '>=':
      return a >= b
  }
}

/**
 * SQL's LIKE: `%` any run of characters, `_` one, `\` takes the next literally; RLIKE finds a regular expression anywhere. Never slower than text
 * times pattern.
 */
export function like(text: string, pattern: string, operator: LikeOperator): boolean {
  if (operator === 'RLIKE') return regex(pattern).test(text)
  if (operator === 'ILIKE') return like(text.toLowerCase(), pattern.toLowerCase(), 'LIKE')
  return /[_\\]/.test(pattern) ? likeByCharacter(text, pattern) : likeByPiece(text, pattern.split('%'))
}

function likeByPiece(text: string, pieces: readonly string[]): boolean {
  const first = pieces[0] as string
  const last = pieces[pieces.length - 1] as string
  if (pieces.length === 1) return text === first
  if (!text.startsWith(first) || !text.endsWith(last)) return false
  let at = first.length
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
  }
  return at <= text.length - last.length
}

function likeByCharacter(text: string, pattern: string): boolean {
  const subject = Array.from(text)
  const parts = likeParts(pattern)
  let at = 0
  let retry = -1
  let retryAt = 0
  let part = 0
  while (at < subject.length) {
    const wanted = parts[part]
    if (wanted === ANY_RUN) {
      retry = ++part
      retryAt = at
    } else if (wanted !== undefined && (wanted === ANY_ONE || wanted === subject[at])) {
      part++
      at++
    } else if (retry >= 0) {
      part = retry
      at = ++retryAt
    } else return false
  }
  while (parts[part] === ANY_RUN) part++
  return part === parts.length
}

const ANY_RUN = Symbol('%')
const ANY_ONE = Symbol('_')

function likeParts(pattern: string): (string | typeof ANY_RUN | typeof ANY_ONE)[] {
  const parts: (string | typeof ANY_RUN | typeof ANY_ONE)[] = []
  const chars = Array.from(pattern)
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i] as string
    if (char === '\\' && i + 1 < chars.length) parts.push(chars[++i] as string)
    else parts.push(char === '%' ? ANY_RUN : char === '_' ? ANY_ONE : char)
  }
  return parts
}
