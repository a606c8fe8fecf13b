import { didYouMean, messageOf, quote } from './errors.ts'
import {
  type CompareOperator,
  FILTER_ATTRIBUTES,
  type FilterAttribute,
  type FilterCondition,
  type FilterEntity,
  type FilterField,
  type FilterLiteral,
  type FilterNode,
  type LikeOperator,
} from './filter.ts'
import { regex } from './std/regex.ts'
import { fail, type Token, tokens } from './token.ts'

/** The parser of the filter language: text to syntax tree, errors with position. */

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
const SPAN_KEYS = ['name', 'type', 'status', 'content', 'attributes.<key>']

const MAX_DEPTH = 200
const MAX_REGEX = 1_000
/** More than anybody writes by hand, fewer than a database refuses. */
const MAX_CONDITIONS = 2_000
const NAMES: readonly Token['kind'][] = ['word', 'quoted', 'string', 'number']
const KEYWORDS = ['AND', 'OR', 'NOT', 'IN', 'IS', 'NULL', 'LIKE', 'ILIKE', 'RLIKE']
const LIKE_OPERATORS = ['LIKE', 'ILIKE', 'RLIKE'] as const
const OPERATORS = ['=', '!=', '<', '<=', '>', '>=', ...LIKE_OPERATORS, 'IN', 'IS']

/**
 * Reads a filter.
 * @throws EvaluationError FILTER_INVALID with the position, what was found and what was expected
 */
export function parseFilter(text: string): FilterNode {
  return new Parser(text).parse()
}

class Parser {
  readonly #text: string
  readonly #tokens: Token[]
  #at = 0
  #depth = 0
  #conditions = 0
  /** Nodes that stood in parentheses. */
  readonly #enclosed = new WeakSet<FilterNode>()

  constructor(text: string) {
    this.#text = text
    this.#tokens = tokens(text)
  }

  parse(): FilterNode {
    if (this.#peek().kind === 'end') this.#expected("a condition such as feedback.safety = 'no'")
    const node = this.#or()
    if (this.#peek().kind !== 'end') this.#expected('AND, OR or the end')
    return node
  }

  #peek(): Token {
    return this.#tokens[this.#at] as Token
  }

  #take(): Token {
    return this.#tokens[this.#at++] as Token
  }

  #keyword(word: string): boolean {
    if (this.#peek().kind !== 'word' || this.#peek().text.toUpperCase() !== word) return false
    this.#at++
    return true
  }

  #symbol(symbol: string): boolean {
    if (this.#peek().kind !== 'symbol' || this.#peek().text !== symbol) return false
    this.#at++
    return true
  }

  #expected(what: string, token = this.#peek()): never {
    const found = token.kind === 'end' ? 'the end' : `"${token.text}"`
    fail(this.#text, token.position, `expected ${what}, found ${found}`)
  }

  #or(): FilterNode {
    return this.#list('or', () => this.#list('and', () => this.#unary()))
  }

  #list(type: 'and' | 'or', operand: () => FilterNode): FilterNode {
    const { position } = this.#peek()
    const nodes = [operand()]
    while (this.#keyword(type.toUpperCase())) nodes.push(operand())
    const joined = type === 'and' ? this.#oneSpan(nodes) : nodes
    return joined.length === 1 ? (joined[0] as FilterNode) : { type, nodes: joined, position }
  }

  /** Makes one node of all conditions on spans that do not stand in parentheses of their own. */
  #oneSpan(nodes: readonly FilterNode[]): FilterNode[] {
    const open = nodes.filter((node) => node.type === 'span' && !this.#enclosed.has(node))
    const [first] = open
    if (!first) return [...nodes]
    const conditions = open.flatMap((node) => (node.type === 'span' ? node.conditions : []))
    const joined: FilterNode = { type: 'span', conditions, position: first.position }
    return nodes.flatMap((node) => (node === first ? [joined] : open.includes(node) ? [] : [node]))
  }

  #unary(): FilterNode {
    const { position } = this.#peek()
    if (++this.#depth > MAX_DEPTH) fail(this.#text, position, `nested deeper than ${MAX_DEPTH}`)
    try {
      if (this.#keyword('NOT')) return { type: 'not', node: this.#unary(), position }
      if (this.#symbol('(')) {
        const node = this.#or()
        if (!this.#symbol(')')) this.#expected('")"')
        this.#enclosed.add(node)
        return node
      }
      const condition = this.#condition()
      if (condition.field.entity !== 'span') return condition
      return { type: 'span', conditions: [condition], position }
    } finally {
      this.#depth--
    }
  }

  #condition(): FilterCondition {
    if (++this.#conditions > MAX_CONDITIONS) {
      fail(
        this.#text,
        this.#peek().position,
        `a filter may have at most ${MAX_CONDITIONS.toLocaleString('en-US')} conditions`,
      )
    }
    const field = this.#field()
    const { position } = field
    if (this.#keyword('IS')) {
      const negated = this.#keyword('NOT')
      if (!this.#keyword('NULL')) this.#expected(negated ? 'NULL' : 'NULL or NOT NULL')
      return { type: 'null', field, negated, position }
    }
    const negated = this.#keyword('NOT')
    if (this.#keyword('IN')) return { type: 'in', field, negated, values: this.#values(field), position }
    for (const operator of LIKE_OPERATORS) {
      if (!this.#keyword(operator)) continue
      if (isNumeric(field))
        fail(this.#text, position, `"${field.key}" is a number and cannot be compared with ${operator}`)
      return { type: 'like', field, negated, operator, pattern: this.#pattern(operator), position }
    }
    if (negated) this.#expected('IN, LIKE, ILIKE or RLIKE')
    const operator = this.#operator(field)
    return { type: 'compare', field, operator, value: this.#literal(field, operator), position }
  }

  #operator(field: FilterField): CompareOperator {
    const token = this.#take()
    const operator = token.text === '<>' ? '!=' : token.text
    if (token.kind !== 'symbol' || !['=', '!=', '<', '<=', '>', '>='].includes(operator)) {
      const hint = token.kind === 'word' ? didYouMean(token.text, OPERATORS) : ''
      this.#expected(`one of ${OPERATORS.join(' ')}${hint} after ${fieldText(field)}`, token)
    }
    return operator as CompareOperator
  }

  #field(): FilterField {
    const token = this.#take()
    if (token.kind !== 'word' || KEYWORDS.includes(token.text.toUpperCase())) {
      this.#expected('a field such as feedback.safety, tag.env or status', token)
    }
    if (this.#peek().text !== '.' || this.#peek().kind !== 'symbol') return this.#attribute(token, token.position)
    const entity = ENTITIES.get(token.text.toLowerCase())
    if (!entity) {
      fail(
        this.#text,
        token.position,
        `"${token.text}" is no kind of field${didYouMean(token.text, ENTITIES.keys())}; there are attribute, tag, metadata, feedback, expectation, span`,
      )
    }
    this.#at++
    const name = this.#take()
    if (!NAMES.includes(name.kind)) this.#expected(`a name after "${token.text}."`, name)
    if (entity === 'attribute') return this.#attribute(name, token.position)
    let key = nameOf(name)
    while (this.#symbol('.')) {
      const more = this.#take()
      if (!NAMES.includes(more.kind)) this.#expected('a name after "."', more)
      key += `.${nameOf(more)}`
    }
    if (entity === 'span') this.#requireSpanKey(key, name)
    return { entity, key, position: token.position }
  }

  #requireSpanKey(key: string, token: Token): void {
    if (['name', 'type', 'status', 'content'].includes(key) || /^attributes\../.test(key)) return
    const known = `there are ${SPAN_KEYS.join(', ')}`
    fail(this.#text, token.position, `a span has no "${key}"${didYouMean(key, SPAN_KEYS)}; ${known}`)
  }

  #attribute(token: Token, position: number): FilterField {
    const word = nameOf(token).toLowerCase()
    // The words of a whole trace are those of its spans.
    if (word === 'text') return { entity: 'span', key: 'content', position }
    const key = ATTRIBUTES.get(word)
    if (!key) {
      fail(
        this.#text,
        token.position,
        `"${nameOf(token)}" is no attribute of a trace${didYouMean(word, ATTRIBUTES.keys())}; there are ${FILTER_ATTRIBUTES.join(', ')}; ` +
          `Feedback is written feedback.${token.text}`,
      )
    }
    return { entity: 'attribute', key, position }
  }

  #values(field: FilterField): FilterLiteral[] {
    if (!this.#symbol('(')) this.#expected('"(" after IN')
    const values: FilterLiteral[] = []
    do values.push(this.#literal(field, '='))
    while (this.#symbol(','))
    if (!this.#symbol(')')) this.#expected('"," or ")"')
    return values
  }

  #pattern(operator: LikeOperator): string {
    const token = this.#take()
    if (token.kind !== 'string') this.#expected('a quoted pattern', token)
    const pattern = unquote(token.text)
    if (operator === 'RLIKE') this.#requireRegex(pattern, token.position)
    return pattern
  }

  #requireRegex(pattern: string, position: number): void {
    if (pattern.length > MAX_REGEX)
      fail(this.#text, position, `a regular expression may have at most ${MAX_REGEX} characters`)
    try {
      regex(pattern)
    } catch (error) {
      fail(this.#text, position, `${quote(pattern)} is no regular expression (${messageOf(error)})`)
    }
  }

  #literal(field: FilterField, operator: CompareOperator): FilterLiteral {
    const token = this.#take()
    const ordered = operator !== '=' && operator !== '!='
    const value = this.#value(token, field)
    if (isNumeric(field)) return this.#time(value, field, token)
    const plainSpan = field.entity === 'span' && !field.key.startsWith('attributes.')
    if (field.entity === 'attribute' || field.entity === 'tag' || field.entity === 'metadata' || plainSpan) {
      if (ordered) this.#expected(`= or != before a value of ${fieldText(field)}, which is text`, token)
      return String(value)
    }
    if (ordered && typeof value !== 'number') this.#expected(`a number after ${operator}`, token)
    return value
  }

  #value(token: Token, field: FilterField): FilterLiteral {
    if (token.kind === 'string') return unquote(token.text)
    if (token.kind === 'number') return Number(token.text)
    const word = token.kind === 'word' ? token.text.toLowerCase() : ''
    if (word === 'true' || word === 'false') return word === 'true'
    const hint = word === 'null' ? ' (write IS NULL)' : word ? ` (quote text: '${token.text}')` : ''
    this.#expected(`a value to compare ${fieldText(field)} with${hint}`, token)
  }

  #time(value: FilterLiteral, field: FilterField, token: Token): number {
    if (typeof value === 'number') return value
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN
    if (!Number.isNaN(number)) return number
    const date = typeof value === 'string' && field.key !== 'execution_time_ms' ? Date.parse(value) : Number.NaN
    if (Number.isNaN(date))
      this.#expected(`a number${field.key === 'execution_time_ms' ? '' : ' or a date'} for ${field.key}`, token)
    return date
  }
}

function nameOf(token: Token): string {
  return token.kind === 'quoted' || token.kind === 'string' ? unquote(token.text) : token.text
}

function unquote(text: string): string {
  const mark = text[0] as string
  return text.slice(1, -1).replaceAll(mark + mark, mark)
}

function isNumeric(field: FilterField): boolean {
  return field.entity === 'attribute' && NUMERIC.has(field.key)
}

function fieldText(field: FilterField): string {
  return field.entity === 'attribute' ? field.key : `${field.entity}.${field.key}`
}
