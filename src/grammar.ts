import { didYouMean, messageOf, quote } from './errors.ts'
import { fieldText, isNumeric, readField } from './field.ts'
import type {
  CompareOperator,
  FilterCondition,
  FilterField,
  FilterLiteral,
  FilterNode,
  LikeOperator,
} from './filter.ts'
import { regex } from './std/regex.ts'
import { grouped } from './std/text.ts'
import { type Token, Tokens, unquote } from './token.ts'

/** The parser of the filter language: text to syntax tree, errors with position. */

const MAX_DEPTH = 200
const MAX_REGEX = 1_000
/** More than anybody writes by hand, fewer than a database refuses. */
const MAX_CONDITIONS = 2_000
const LIKE_OPERATORS = ['LIKE', 'ILIKE', 'RLIKE'] as const
const OPERATORS = ['=', '!=', '<', '<=', '>', '>=', ...LIKE_OPERATORS, 'IN', 'NOT', 'IS']

/**
 * Reads a filter.
 * @throws EvaluationError FILTER_INVALID with the position, what was found and what was expected
 */
export function parseFilter(text: string): FilterNode {
  return new Parser(text).parse()
}

class Parser {
  readonly #tokens: Tokens
  #depth = 0
  #conditions = 0
  /** Nodes that stood in parentheses. */
  readonly #enclosed = new WeakSet<FilterNode>()

  constructor(text: string) {
    this.#tokens = new Tokens(text, 'filter')
  }

  parse(): FilterNode {
    if (this.#tokens.peek().kind === 'end') this.#tokens.expected("a condition such as feedback.safety = 'no'")
    const node = this.#or()
    if (this.#tokens.peek().kind !== 'end') this.#tokens.expected('AND, OR or the end')
    return node
  }

  #or(): FilterNode {
    return this.#list('or', () => this.#list('and', () => this.#unary()))
  }

  #list(type: 'and' | 'or', operand: () => FilterNode): FilterNode {
    const { position } = this.#tokens.peek()
    const nodes = [operand()]
    while (this.#tokens.keyword(type.toUpperCase())) nodes.push(operand())
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
    const { position } = this.#tokens.peek()
    if (++this.#depth > MAX_DEPTH) this.#tokens.fail(position, `nested deeper than ${MAX_DEPTH}`)
    try {
      if (this.#tokens.keyword('NOT')) return { type: 'not', node: this.#unary(), position }
      if (this.#tokens.symbol('(')) {
        const node = this.#or()
        if (!this.#tokens.symbol(')')) this.#tokens.expected('")"')
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
      this.#tokens.fail(this.#tokens.peek().position, `a filter may have at most ${grouped(MAX_CONDITIONS)} conditions`)
    }
    const field = readField(this.#tokens)
    const { position } = field
    if (this.#tokens.keyword('IS')) {
      const negated = this.#tokens.keyword('NOT')
      if (!this.#tokens.keyword('NULL')) this.#tokens.expected(negated ? 'NULL' : 'NULL or NOT NULL')
      return { type: 'null', field, negated, position }
    }
    const negated = this.#tokens.keyword('NOT')
    if (this.#tokens.keyword('IN')) return { type: 'in', field, negated, values: this.#values(field), position }
    for (const operator of LIKE_OPERATORS) {
      if (!this.#tokens.keyword(operator)) continue
      if (isNumeric(field))
        this.#tokens.fail(position, `"${field.key}" is a number and cannot be compared with ${operator}`)
      return { type: 'like', field, negated, operator, pattern: this.#pattern(operator), position }
    }
    if (negated) this.#tokens.expected('IN, LIKE, ILIKE or RLIKE')
    const operator = this.#operator(field)
    return { type: 'compare', field, operator, value: this.#literal(field, operator), position }
  }

  #operator(field: FilterField): CompareOperator {
    const token = this.#tokens.take()
    const operator = token.text === '<>' ? '!=' : token.text
    if (token.kind !== 'symbol' || !['=', '!=', '<', '<=', '>', '>='].includes(operator)) {
      const hint = token.kind === 'word' ? didYouMean(token.text, OPERATORS) : ''
      this.#tokens.expected(`one of ${OPERATORS.join(' ')}${hint} after ${fieldText(field)}`, token)
    }
    return operator as CompareOperator
  }

  #values(field: FilterField): FilterLiteral[] {
    if (!this.#tokens.symbol('(')) this.#tokens.expected('"(" after IN')
    const values: FilterLiteral[] = []
    do values.push(this.#literal(field, '='))
    while (this.#tokens.symbol(','))
    if (!this.#tokens.symbol(')')) this.#tokens.expected('"," or ")"')
    return values
  }

  #pattern(operator: LikeOperator): string {
    const token = this.#tokens.take()
    if (token.kind !== 'string') this.#tokens.expected('a quoted pattern', token)
    const pattern = unquote(token.text)
    if (operator === 'RLIKE') this.#requireRegex(pattern, token.position)
    return pattern
  }

  #requireRegex(pattern: string, position: number): void {
    if (pattern.length > MAX_REGEX)
      this.#tokens.fail(position, `a regular expression may have at most ${MAX_REGEX} characters`)
    try {
      regex(pattern)
    } catch (error) {
      this.#tokens.fail(
        position,
        `${quote(pattern)} is no regular expression (${messageOf(error)})${beyondRe2(pattern)}`,
      )
    }
  }

  #literal(field: FilterField, operator: CompareOperator): FilterLiteral {
    const token = this.#tokens.take()
    const ordered = operator !== '=' && operator !== '!='
    const value = this.#value(token, field)
    if (isNumeric(field)) return this.#time(value, field, token)
    const plainSpan = field.entity === 'span' && !field.key.startsWith('attributes.')
    if (field.entity === 'attribute' || field.entity === 'tag' || field.entity === 'metadata' || plainSpan) {
      if (ordered) this.#tokens.expected(`= or != before a value of ${fieldText(field)}, which is text`, token)
      return String(value)
    }
    if (ordered && typeof value !== 'number') this.#tokens.expected(`a number after ${operator}`, token)
    return value
  }

  #value(token: Token, field: FilterField): FilterLiteral {
    if (token.kind === 'string') return unquote(token.text)
    if (token.kind === 'number') return Number(token.text)
    const word = token.kind === 'word' ? token.text.toLowerCase() : ''
    if (word === 'true' || word === 'false') return word === 'true'
    const hint = word === 'null' ? ' (write IS NULL)' : word ? ` (quote text: '${token.text}')` : ''
    this.#tokens.expected(`a value to compare ${fieldText(field)} with${hint}`, token)
  }

  #time(value: FilterLiteral, field: FilterField, token: Token): number {
    if (typeof value === 'number') return value
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN
    if (!Number.isNaN(number)) return number
    const date = typeof value === 'string' && field.key !== 'execution_time_ms' ? Date.parse(value) : Number.NaN
    if (Number.isNaN(date))
      this.#tokens.expected(`a number${field.key === 'execution_time_ms' ? '' : ' or a date'} for ${field.key}`, token)
    return date
  }
}

/** What other engines know, and none can do in a time that grows with the text alone. */
function beyondRe2(pattern: string): string {
  return /\(\?<?[=!]|\\[1-9]/.test(pattern) ? ': RLIKE has neither look-around nor back-references' : ''
}
