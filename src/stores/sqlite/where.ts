import type { CompareOperator, FilterCondition, FilterField, FilterLiteral, FilterNode } from '../../filter.ts'
import type { Database, Value } from './database.ts'

/** A condition in SQL with the values for its placeholders. Nothing that a filter holds gets into the text itself. */
export interface Sql {
  readonly text: string
  readonly values: readonly Value[]
}

export function sql(text: string, ...values: Value[]): Sql {
  return { text, values }
}

export function join(parts: readonly Sql[], separator: string): Sql {
  return { text: parts.map(({ text }) => text).join(separator), values: parts.flatMap(({ values }) => values) }
}

/** Joins conditions as a balanced tree: SQLite refuses expressions deeper than 1,000, which a long plain chain would be. */
function balanced(parts: readonly Sql[], operator: 'AND' | 'OR'): Sql {
  if (parts.length <= 2) return join(parts, ` ${operator} `)
  const middle = parts.length >> 1
  const halves = [parts.slice(0, middle), parts.slice(middle)].map((half) => {
    const inner = balanced(half, operator)
    return sql(`(${inner.text})`, ...inner.values)
  })
  return join(halves, ` ${operator} `)
}

export interface Scope {
  readonly db: Database
  /** The run that is searched; `trials` is then joined as `r`. */
  readonly run: number | undefined
}

/** Translates a filter into a condition on `traces AS t`. It agrees with `matches` in every case. */
export function where(node: FilterNode, scope: Scope): Sql {
  switch (node.type) {
    case 'and':
    case 'or': {
      const inner = balanced(
        node.nodes.map((one) => where(one, scope)),
        node.type === 'and' ? 'AND' : 'OR',
      )
      return sql(`(${inner.text})`, ...inner.values)
    }
    case 'not': {
      const inner = where(node.node, scope)
      return sql(`NOT (${inner.text})`, ...inner.values)
    }
    case 'span':
      return sql(`ve_span(${SPAN_COLUMNS}, ?) = 1`, JSON.stringify(node.conditions))
    default:
      return condition(node, scope)
  }
}

const SPAN_COLUMNS =
  't.id, t.name, t.status, t.request_ms, t.request_sub_ns, t.duration_ns, t.inputs, t.outputs, t.spans'

function condition(node: FilterCondition, scope: Scope): Sql {
  const { field } = node
  if (field.entity === 'attribute') return attribute(node, field, scope)
  if (field.entity === 'feedback' || field.entity === 'expectation') return assessment(node, field, scope)
  return label(node, field, scope)
}

function assessment(node: FilterCondition, field: FilterField, scope: Scope): Sql {
  const kind = field.entity === 'feedback' ? 0 : 1
  return among(
    {
      table: 'assessments',
      columns: { name: scope.db.findName(field.key) ?? -1, kind },
      tests: node.type === 'null' ? [sql('type <> 0')] : valueTests(node),
      more: ` AND valid = 1${kind === 0 && scope.run !== undefined ? ` AND run = ${scope.run}` : ''}`,
      negated: node.type === 'null' && !node.negated,
    },
    scope.db,
  )
}

interface Among {
  readonly table: string
  /** What an index begins with. */
  readonly columns: Readonly<Record<string, number>>
  /** One of them has to be met, and no more than one can be. */
  readonly tests: readonly Sql[]
  readonly more: string
  readonly negated: boolean
}

/** So many are looked up one by one, from the condition to its traces. */
const FEW = 1_000
/** So many are gathered before traces are looked through; above that every trace is asked by itself. */
const MANY = 4_000

/**
 * Gives the condition that a trace is among those of some records, or is not. It means the same in each of its forms, but which of them is fast
 * depends on how many there are: that is counted first, as far as it matters.
 */
function among({ table, columns, tests, more, negated }: Among, db: Database): Sql {
  const entries = Object.entries(columns)
  const base = entries.map(([name, value]) => `${name} = ${value}`).join(' AND ')
  // Each by itself, since SQLite uses no index for conditions that OR joins.
  const records = (what: string, rest: string): Sql =>
    join(
      tests.map(({ text, values }) => sql(`SELECT ${what} FROM ${table} WHERE ${base} AND ${text}${rest}`, ...values)),
      ' UNION ALL ',
    )
  const all = records('1', '')
  const n = db.get<{ n: number }>(`SELECT count(*) AS n FROM (${all.text} LIMIT ${MANY + 1})`, ...all.values)?.n ?? 0
  const not = negated ? 'NOT ' : ''
  if (n <= MANY) {
    const traces = records('trace', more)
    return sql(`${n > FEW ? '+' : ''}t.seq ${not}IN (${traces.text})`, ...traces.values)
  }
  // The plus keeps SQLite from the index of values, which leads from a value to its traces.
  const own = entries.map(([name, value]) => `+${name} = ${value}`).join(' AND ')
  const any = join(tests, ' OR ')
  return sql(
    `${not}EXISTS (SELECT 1 FROM ${table} WHERE trace = t.seq AND ${own} AND (${any.text})${more})`,
    ...any.values,
  )
}

function valueTests(node: Exclude<FilterCondition, { type: 'null' }>): Sql[] {
  switch (node.type) {
    case 'compare':
      return compareCell(node.operator, node.value)
    case 'in': {
      const any = oneOf(node.values)
      return [sql(node.negated ? `type <> 0 AND NOT ${any.text}` : any.text, ...any.values)]
    }
    case 'like': {
      const test = 'type <> 0 AND ve_like(ve_text(type, num, text), ?, ?) = ?'
      return [sql(test, node.pattern, node.operator, Number(!node.negated))]
    }
  }
}

function compareCell(operator: CompareOperator, literal: FilterLiteral): Sql[] {
  if (typeof literal === 'number') return [sql(`(type = 2 AND num ${sqlOperator(operator)} ?)`, literal)]
  const equal = typeof literal === 'boolean' ? verdict([literal]) : equalText(literal)
  if (operator === '=') return equal
  const any = join(equal, ' OR ')
  return [sql(`(type <> 0 AND NOT (${any.text}))`, ...any.values)]
}

/** Booleans stand for verdicts, whether those were given as booleans or in words (`passValue`). */
function verdict(literals: readonly boolean[]): Sql[] {
  const words = literals.flatMap((passed) => (passed ? ['yes', 'true', 'pass'] : ['no', 'false', 'fail']))
  const numbers = JSON.stringify(literals.map(Number))
  return [
    sql(`(type = 1 AND num IN ${LIST})`, numbers),
    sql(`(type = 3 AND lower(text) IN ${LIST})`, JSON.stringify(words)),
  ]
}

/** A list of any length is one value to SQLite: a JSON array. */
function oneOf(literals: readonly FilterLiteral[]): Sql {
  const texts = literals.filter((one) => typeof one === 'string')
  const numbers = literals.filter((one) => typeof one === 'number')
  const booleans = literals.filter((one) => typeof one === 'boolean')
  const parts: Sql[] = []
  if (texts.length > 0) parts.push(sql(`ve_text(type, num, text) IN ${LIST}`, JSON.stringify(texts)))
  if (numbers.length > 0) parts.push(sql(`(type = 2 AND num IN ${LIST})`, JSON.stringify(numbers)))
  if (booleans.length > 0) parts.push(...verdict(booleans))
  const any = join(parts, ' OR ')
  return sql(`(${any.text})`, ...any.values)
}

const LIST = '(SELECT value FROM json_each(?))'

/** Strings are compared as text, by index; the text of a boolean or a number can be told from the literal alone. */
function equalText(literal: string): Sql[] {
  const parts = [
    sql('(type = 3 AND num IS NULL AND substr(text, 1, 40) = substr(?, 1, 40) AND text = ?)', literal, literal),
  ]
  if (literal === 'true' || literal === 'false') parts.push(sql('(type = 1 AND num = ?)', Number(literal === 'true')))
  if (literal !== '' && String(Number(literal)) === literal && literal !== 'NaN') {
    if (Number.isFinite(Number(literal))) parts.push(sql('(type = 2 AND num = ?)', Number(literal)))
  }
  return [...parts, sql('(type >= 4 AND ve_text(type, num, text) = ?)', literal)]
}

function label(node: FilterCondition, field: FilterField, { db }: Scope): Sql {
  const test = node.type === 'null' ? sql('1') : textTest(node, 'value')
  const columns = { key: db.findName(field.key) ?? -1, kind: field.entity === 'tag' ? 0 : 1 }
  const negated = node.type === 'null' && !node.negated
  return among({ table: 'labels', columns, tests: [test], more: '', negated }, db)
}

const ATTRIBUTES: Record<string, string> = {
  name: 't.name',
  trace_id: 't.id',
  session_id: 't.session',
  timestamp_ms: 't.request_ms',
  execution_time_ms: '(t.duration_ns / 1e6)',
  end_time_ms: '(t.request_ms + t.duration_ns / 1e6)',
}

/** The expression for an attribute that a trace has once. */
export function attributeColumn(key: string, { run }: Scope): string {
  if (key !== 'status') return ATTRIBUTES[key] as string
  return run === undefined ? 't.status' : "(CASE r.failed WHEN 1 THEN 'ERROR' ELSE t.status END)"
}

function attribute(node: FilterCondition, field: FilterField, scope: Scope): Sql {
  if (field.key === 'run_id') {
    const test = node.type === 'null' ? sql('1') : textTest(node, 'runs.id')
    const negated = node.type === 'null' && !node.negated
    const of = 'SELECT trials.trace FROM trials JOIN runs ON runs.key = trials.run'
    return sql(`t.seq ${negated ? 'NOT IN' : 'IN'} (${of} WHERE ${test.text})`, ...test.values)
  }
  const column = attributeColumn(field.key, scope)
  if (node.type === 'null') return sql(`${column} IS ${node.negated ? 'NOT NULL' : 'NULL'}`)
  const test = textTest(node, column)
  return sql(`(${column} IS NOT NULL AND ${test.text})`, ...test.values)
}

function textTest(node: Exclude<FilterCondition, { type: 'null' }>, column: string): Sql {
  switch (node.type) {
    case 'compare':
      return column === 'value' && node.operator === '='
        ? sql('substr(value, 1, 40) = substr(?, 1, 40) AND value = ?', plain(node.value), plain(node.value))
        : sql(`${column} ${sqlOperator(node.operator)} ?`, plain(node.value))
    case 'in':
      return sql(`${column} ${node.negated ? 'NOT IN' : 'IN'} ${LIST}`, JSON.stringify(node.values.map(plain)))
    case 'like':
      return sql(`ve_like(${column}, ?, ?) = ?`, node.pattern, node.operator, Number(!node.negated))
  }
}

function plain(value: FilterLiteral): Value {
  return typeof value === 'boolean' ? String(value) : value
}

function sqlOperator(operator: CompareOperator): string {
  return operator === '!=' ? '<>' : operator
}
