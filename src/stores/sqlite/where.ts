import type { CompareOperator, FilterField, FilterLiteral, FilterNode } from '../../filter.ts'
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
      const inner = join(
        node.nodes.map((one) => where(one, scope)),
        node.type === 'and' ? ' AND ' : ' OR ',
      )
      return sql(`(${inner.text})`, ...inner.values)
    }
    case 'not': {
      const inner = where(node.node, scope)
      return sql(`NOT (${inner.text})`, ...inner.values)
    }
    default:
      return condition(node, scope)
  }
}

type Condition = Exclude<FilterNode, { type: 'and' | 'or' | 'not' }>

function condition(node: Condition, scope: Scope): Sql {
  const { field } = node
  if (field.entity === 'attribute') return attribute(node, field, scope)
  if (field.entity === 'feedback' || field.entity === 'expectation') return assessment(node, field, scope)
  return label(node, field, scope)
}

function assessment(node: Condition, field: FilterField, scope: Scope): Sql {
  const kind = field.entity === 'feedback' ? 0 : 1
  const mine = kind === 0 && scope.run !== undefined ? sql(' AND run = ?', scope.run) : sql('')
  const name = scope.db.findName(field.key) ?? -1
  const test = node.type === 'null' ? sql('type <> 0') : valueTest(node)
  const negated = node.type === 'null' && !node.negated
  return sql(
    `t.seq ${negated ? 'NOT IN' : 'IN'} (SELECT trace FROM assessments WHERE name = ? AND kind = ? AND valid = 1${mine.text} AND ${test.text})`,
    name,
    kind,
    ...mine.values,
    ...test.values,
  )
}

function valueTest(node: Exclude<Condition, { type: 'null' }>): Sql {
  switch (node.type) {
    case 'compare':
      return compareCell(node.operator, node.value)
    case 'in': {
      const any = join(
        node.values.map((value) => compareCell('=', value)),
        ' OR ',
      )
      return sql(node.negated ? `type <> 0 AND NOT (${any.text})` : `(${any.text})`, ...any.values)
    }
    case 'like':
      return sql(
        `type <> 0 AND ve_like(ve_text(type, num, text), ?, ?) = ?`,
        node.pattern,
        Number(node.ignoreCase),
        Number(!node.negated),
      )
  }
}

function compareCell(operator: CompareOperator, literal: FilterLiteral): Sql {
  if (typeof literal === 'number') return sql(`(type = 2 AND num ${sqlOperator(operator)} ?)`, literal)
  const equal = typeof literal === 'boolean' ? sql('(type = 1 AND num = ?)', Number(literal)) : equalText(literal)
  return operator === '=' ? equal : sql(`(type <> 0 AND NOT ${equal.text})`, ...equal.values)
}

/** Strings are compared as text, by index; the text of a boolean or a number can be told from the literal alone. */
function equalText(literal: string): Sql {
  const parts = [sql('(type = 3 AND substr(text, 1, 40) = substr(?, 1, 40) AND text = ?)', literal, literal)]
  if (literal === 'true' || literal === 'false') parts.push(sql('(type = 1 AND num = ?)', Number(literal === 'true')))
  if (literal !== '' && String(Number(literal)) === literal && literal !== 'NaN') {
    if (Number.isFinite(Number(literal))) parts.push(sql('(type = 2 AND num = ?)', Number(literal)))
  }
  parts.push(sql('(type >= 4 AND ve_text(type, num, text) = ?)', literal))
  const any = join(parts, ' OR ')
  return sql(`(${any.text})`, ...any.values)
}

function label(node: Condition, field: FilterField, { db }: Scope): Sql {
  const kind = field.entity === 'tag' ? 0 : 1
  const test = node.type === 'null' ? sql('1') : textTest(node, 'value')
  const negated = node.type === 'null' && !node.negated
  return sql(
    `t.seq ${negated ? 'NOT IN' : 'IN'} (SELECT trace FROM labels WHERE key = ? AND kind = ? AND ${test.text})`,
    db.findName(field.key) ?? -1,
    kind,
    ...test.values,
  )
}

const ATTRIBUTES: Record<string, string> = {
  name: 't.name',
  trace_id: 't.id',
  session_id: 't.session',
  timestamp_ms: 't.request_ms',
  execution_time_ms: '(t.duration_ns / 1e6)',
  end_time_ms: '(t.request_ms + t.duration_ns / 1e6)',
}

function attribute(node: Condition, field: FilterField, scope: Scope): Sql {
  if (field.key === 'run_id') {
    const test = node.type === 'null' ? sql('1') : textTest(node, 'runs.id')
    const negated = node.type === 'null' && !node.negated
    const of = 'SELECT trials.trace FROM trials JOIN runs ON runs.key = trials.run'
    return sql(`t.seq ${negated ? 'NOT IN' : 'IN'} (${of} WHERE ${test.text})`, ...test.values)
  }
  const status = scope.run === undefined ? 't.status' : "(CASE r.failed WHEN 1 THEN 'ERROR' ELSE t.status END)"
  const column = field.key === 'status' ? status : (ATTRIBUTES[field.key] as string)
  if (node.type === 'null') return sql(`${column} IS ${node.negated ? 'NOT NULL' : 'NULL'}`)
  const test = textTest(node, column)
  return sql(`(${column} IS NOT NULL AND ${test.text})`, ...test.values)
}

function textTest(node: Exclude<Condition, { type: 'null' }>, column: string): Sql {
  switch (node.type) {
    case 'compare':
      return column === 'value' && node.operator === '='
        ? sql('substr(value, 1, 40) = substr(?, 1, 40) AND value = ?', plain(node.value), plain(node.value))
        : sql(`${column} ${sqlOperator(node.operator)} ?`, plain(node.value))
    case 'in': {
      const marks = node.values.map(() => '?').join(', ')
      return sql(`${column} ${node.negated ? 'NOT IN' : 'IN'} (${marks})`, ...node.values.map(plain))
    }
    case 'like':
      return sql(`ve_like(${column}, ?, ?) = ?`, node.pattern, Number(node.ignoreCase), Number(!node.negated))
  }
}

function plain(value: FilterLiteral): Value {
  return typeof value === 'boolean' ? String(value) : value
}

function sqlOperator(operator: CompareOperator): string {
  return operator === '!=' ? '<>' : operator
}
