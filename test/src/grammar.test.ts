import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EvaluationError } from '../../src/errors.ts'
import { FILTER_ATTRIBUTES, type FilterField, type FilterLiteral, type FilterNode } from '../../src/filter.ts'
import { parseFilter } from '../../src/grammar.ts'

/** The tree without positions. */
function shape(text: string): unknown {
  return JSON.parse(JSON.stringify(parseFilter(text), (key, value) => (key === 'position' ? undefined : value)))
}

function problem(text: string): { message: string; column: number } {
  try {
    parseFilter(text)
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(EvaluationError)
    const { code, message } = thrown as EvaluationError
    expect(code).toBe('FILTER_INVALID')
    const [, column, rest] = /^Cannot read the filter at position (\d+): (.*)$/s.exec(message) as RegExpExecArray
    return { message: (rest as string).split('\n')[0] as string, column: Number(column) }
  }
  return expect.fail(`parsed ${text}`)
}

const feedback = (key: string) => ({ entity: 'feedback', key })
const compare = (key: string, value: unknown, operator = '=') => ({
  type: 'compare',
  field: feedback(key),
  operator,
  value,
})

test.each<[string, unknown]>([
  ["feedback.safety = 'no'", compare('safety', 'no')],
  ['feedback.safety = "no"', compare('safety', 'no')],
  ['FEEDBACK.safety="no"', compare('safety', 'no')],
  ["feedback.a = 'it''s'", compare('a', "it's")],
  ['feedback.a = "say ""hi"""', compare('a', 'say "hi"')],
  ['feedback.a = true', compare('a', true)],
  ['feedback.a <> FALSE', compare('a', false, '!=')],
  ['feedback.a>=-1.5e3', compare('a', -1500, '>=')],
  ['feedback.a < +2', compare('a', 2, '<')],
  ['feedback.`a b` = 1', compare('a b', 1)],
  ['feedback.`a``b` = 1', compare('a`b', 1)],
  ['feedback."x.y" = 1', compare('x.y', 1)],
  ["feedback.'it''s' = 1", compare("it's", 1)],
  ['feedback.a.b.`c d`.e = 1', compare('a.b.c d.e', 1)],
  ['feedback.rouge-l = 1', compare('rouge-l', 1)],
  ['feedback.in = 1', compare('in', 1)],
  ['feedback.2 = 1', compare('2', 1)],
  ['feedback.1.5 = 1', compare('1.5', 1)],
  ['feedback.constructor = 1', compare('constructor', 1)],
  ['feedback.__proto__ = 1', compare('__proto__', 1)],
  ['feedback.naïve = 1'.replace('naïve', '`naïve`'), compare('naïve', 1)],
  ["status = 'OK'", { type: 'compare', field: { entity: 'attribute', key: 'status' }, operator: '=', value: 'OK' }],
  [
    "trace.status != 'OK'",
    { type: 'compare', field: { entity: 'attribute', key: 'status' }, operator: '!=', value: 'OK' },
  ],
  [
    'attributes.`name` = 5',
    { type: 'compare', field: { entity: 'attribute', key: 'name' }, operator: '=', value: '5' },
  ],
  ["request_id = 'x'", { type: 'compare', field: { entity: 'attribute', key: 'trace_id' }, operator: '=', value: 'x' }],
  [
    "timestamp > '5'",
    { type: 'compare', field: { entity: 'attribute', key: 'timestamp_ms' }, operator: '>', value: 5 },
  ],
  [
    "timestamp_ms >= '2024-02-03T04:05:06Z'",
    {
      type: 'compare',
      field: { entity: 'attribute', key: 'timestamp_ms' },
      operator: '>=',
      value: Date.UTC(2024, 1, 3, 4, 5, 6),
    },
  ],
  ["tags.env = 'p'", { type: 'compare', field: { entity: 'tag', key: 'env' }, operator: '=', value: 'p' }],
  ["request_metadata.u = 'p'", { type: 'compare', field: { entity: 'metadata', key: 'u' }, operator: '=', value: 'p' }],
  ['feedback.a IS NULL', { type: 'null', field: feedback('a'), negated: false }],
  ['feedback.a is not null', { type: 'null', field: feedback('a'), negated: true }],
  ["feedback.a IN ('x', 2, true)", { type: 'in', field: feedback('a'), negated: false, values: ['x', 2, true] }],
  ["feedback.a NOT IN ('x')", { type: 'in', field: feedback('a'), negated: true, values: ['x'] }],
  ["feedback.a LIKE '%x_'", { type: 'like', field: feedback('a'), negated: false, pattern: '%x_', operator: 'LIKE' }],
  ["feedback.a not ilike 'x'", { type: 'like', field: feedback('a'), negated: true, pattern: 'x', operator: 'ILIKE' }],
])('parseFilter() reads %s', (text, wanted) => {
  expect(shape(text)).toEqual(wanted)
})

const [a, b, c] = [compare('a', 1), compare('b', 2), compare('c', 3)]

test.each<[string, unknown]>([
  ['A AND B AND C', { type: 'and', nodes: [a, b, c] }],
  ['A OR B AND C', { type: 'or', nodes: [a, { type: 'and', nodes: [b, c] }] }],
  ['A AND B OR C', { type: 'or', nodes: [{ type: 'and', nodes: [a, b] }, c] }],
  ['(A OR B) AND C', { type: 'and', nodes: [{ type: 'or', nodes: [a, b] }, c] }],
  ['A AND (B AND C)', { type: 'and', nodes: [a, { type: 'and', nodes: [b, c] }] }],
  ['NOT A AND B', { type: 'and', nodes: [{ type: 'not', node: a }, b] }],
  ['NOT (A AND B)', { type: 'not', node: { type: 'and', nodes: [a, b] } }],
  ['NOT NOT A', { type: 'not', node: { type: 'not', node: a } }],
  ['((A))', a],
  ['A\n\tand B', { type: 'and', nodes: [a, b] }],
])('parseFilter() binds NOT before AND before OR: %s', (text, wanted) => {
  const filled = text.replace('A ', 'feedback.a = 1 ').replace(/\bA\b(?!ND)/, 'feedback.a = 1')
  const whole = filled.replace(/\bB\b/, 'feedback.b = 2').replace(/\bC\b/, 'feedback.c = 3')
  expect(shape(whole)).toEqual(wanted)
})

test('parseFilter() knows where everything stands', () => {
  const node = parseFilter("status = 'OK' AND (NOT tag.a = 'x')")
  expect(node).toMatchObject({
    type: 'and',
    position: 0,
    nodes: [{ position: 0 }, { type: 'not', position: 19, node: { position: 23, field: { position: 23 } } }],
  })
})

const attributes = FILTER_ATTRIBUTES.join(', ')
const operators = '= != < <= > >= LIKE ILIKE RLIKE IN NOT IS'

test.each<[string, number, string]>([
  ['', 1, "expected a condition such as feedback.safety = 'no', found the end"],
  ['   ', 4, "expected a condition such as feedback.safety = 'no', found the end"],
  ['feedback.safety', 16, `expected one of ${operators} after feedback.safety, found the end`],
  ['feedback.safety =', 18, 'expected a value to compare feedback.safety with, found the end'],
  ['feedback.safety = no', 19, 'expected a value to compare feedback.safety with (quote text: \'no\'), found "no"'],
  ['feedback.safety = NULL', 19, 'expected a value to compare feedback.safety with (write IS NULL), found "NULL"'],
  ['feedback.safety = `no`', 19, 'expected a value to compare feedback.safety with, found "`no`"'],
  ["feedback.safety == 'no'", 18, 'expected a value to compare feedback.safety with, found "="'],
  [
    "feedback.safety LIK 'x'",
    17,
    `expected one of ${operators} (did you mean "LIKE"?) after feedback.safety, found "LIK"`,
  ],
  ["feedback.safety = 'no", 19, "the quote ' is never closed"],
  ['feedback.`safety = 1', 10, 'the quote ` is never closed'],
  ["feedback.a = 'x' & feedback.b = 1", 18, '"&" has no meaning here'],
  [
    "tag.é = 'x'",
    5,
    '"é" has no meaning here (a name other than letters, digits and _ goes into back-ticks: feedback.`naïve`)',
  ],
  ["tag.👍 = 'x'", 5, '"👍" has no meaning here'],
  ["tag.\u202e = 'x'", 5, '"\\u202e" has no meaning here'],
  ["feedback.a = 'x' feedback.b = 1", 18, 'expected AND, OR or the end, found "feedback"'],
  ["feedback.a = 'x' AND", 21, 'expected a field such as feedback.safety, tag.env or status, found the end'],
  ["feedback.a = 'x' AND OR", 22, 'expected a field such as feedback.safety, tag.env or status, found "OR"'],
  ["(feedback.a = 'x'", 18, 'expected ")", found the end'],
  ["feedback.a = 'x')", 17, 'expected AND, OR or the end, found ")"'],
  ['feedback. = 1', 11, 'expected a name after "feedback.", found "="'],
  ['feedback.a. = 1', 13, 'expected a name after ".", found "="'],
  ["'status' = 1", 1, 'expected a field such as feedback.safety, tag.env or status, found "\'status\'"'],
  [
    "staus = 'OK'",
    1,
    `"staus" is no attribute of a trace (did you mean "status"?); there are ${attributes}; Feedback is written feedback.staus`,
  ],
  [
    "constructor = 'x'",
    1,
    `"constructor" is no attribute of a trace; there are ${attributes}; Feedback is written feedback.constructor`,
  ],
  [
    "__proto__ = 'x'",
    1,
    `"__proto__" is no attribute of a trace; there are ${attributes}; Feedback is written feedback.__proto__`,
  ],
  [
    'feedbak.x = 1',
    1,
    '"feedbak" is no kind of field (did you mean "feedback"?); there are attribute, tag, metadata, feedback, expectation, span',
  ],
  [
    'constructor.x = 1',
    1,
    '"constructor" is no kind of field; there are attribute, tag, metadata, feedback, expectation, span',
  ],
  [
    "span.nam = 'x'",
    6,
    'a span has no "nam" (did you mean "name"?); there are name, type, status, content, attributes.<key>',
  ],
  ["span.attributes = 'x'", 6, 'a span has no "attributes"; there are name, type, status, content, attributes.<key>'],
  ["span.type > 'x'", 13, 'expected = or != before a value of span.type, which is text, found "\'x\'"'],
  ["name RLIKE '(a'", 12, '"(a" is no regular expression (error parsing regexp: missing closing ): `(a`)'],
  [
    "name RLIKE '(?=a)'",
    12,
    '"(?=a)" is no regular expression (error parsing regexp: invalid or unsupported Perl syntax: `(?=`): RLIKE has neither look-around nor back-references',
  ],
  [`name RLIKE '${'a'.repeat(1_001)}'`, 12, 'a regular expression may have at most 1000 characters'],
  ['feedback.a NOT = 1', 16, 'expected IN, LIKE, ILIKE or RLIKE, found "="'],
  ['feedback.a IS 5', 15, 'expected NULL or NOT NULL, found "5"'],
  ['feedback.a IS NOT 5', 19, 'expected NULL, found "5"'],
  ['feedback.a IN 5', 15, 'expected "(" after IN, found "5"'],
  ['feedback.a IN ()', 16, 'expected a value to compare feedback.a with, found ")"'],
  ['feedback.a IN (1 2)', 18, 'expected "," or ")", found "2"'],
  ['feedback.a LIKE 5', 17, 'expected a quoted pattern, found "5"'],
  ["feedback.a > 'x'", 14, 'expected a number after >, found "\'x\'"'],
  ["status > 'OK'", 10, 'expected = or != before a value of status, which is text, found "\'OK\'"'],
  ["timestamp_ms > 'soon'", 16, 'expected a number or a date for timestamp_ms, found "\'soon\'"'],
  ["execution_time > '2024-01-01'", 18, 'expected a number for execution_time_ms, found "\'2024-01-01\'"'],
  ['timestamp_ms = true', 16, 'expected a number or a date for timestamp_ms, found "true"'],
  ["timestamp_ms LIKE '5'", 1, '"timestamp_ms" is a number and cannot be compared with LIKE'],
  ['feedback.a = 1.2.3', 14, '"1" has no meaning here'],
])('parseFilter() refuses %s', (text, column, message) => {
  if (message === '"1" has no meaning here') expect(problem(text)).toMatchObject({ column })
  else expect(problem(text)).toEqual({ column, message })
})

test('parseFilter() knows the session under the name that MLflow gives it', () => {
  const session = { type: 'compare', field: { entity: 'attribute', key: 'session_id', position: 0 } }
  expect(parseFilter("metadata.`mlflow.trace.session` = 's1'")).toMatchObject(session)
  expect(parseFilter("metadata.mlflow.trace.session = 's1'")).toMatchObject(session)
})

test.each(['(?<=a)b', '(?<!a)b', '(?=a)', 'a(?!b)', '(a)\\1'])('parseFilter() says that RLIKE cannot %s', (pattern) => {
  const thrown = () => parseFilter(`name RLIKE '${pattern}'`)
  expect(thrown).toThrow(': RLIKE has neither look-around nor back-references')
})

test('parseFilter() points at the place', () => {
  expect(() => parseFilter("status = 'OK'\n AND feedback.a = no")).toThrow(
    new EvaluationError(
      'FILTER_INVALID',
      'Cannot read the filter at position 33: expected a value to compare feedback.a with (quote text: \'no\'), found "no"\n' +
        "  status = 'OK'  AND feedback.a = no\n" +
        `  ${' '.repeat(32)}^`,
    ),
  )
  const far = `${"status = 'OK' AND ".repeat(50)}x`
  const lines = catching(far).split('\n')
  expect(lines[1]?.[lines[2]?.indexOf('^') as number]).toBe('x')
  expect(lines[1]?.length).toBeLessThan(110)
})

function catching(text: string): string {
  try {
    parseFilter(text)
    return ''
  } catch (thrown) {
    return (thrown as Error).message
  }
}

test.each<[string, string]>([
  ['10,000 open parentheses', '('.repeat(10_000)],
  ['10,000 pairs of parentheses', `${'('.repeat(10_000)}feedback.a = 1${')'.repeat(10_000)}`],
  ['10,000 NOT', `${'NOT '.repeat(10_000)}feedback.a = 1`],
  ['10,000 NOT (', `${'NOT ('.repeat(10_000)}feedback.a = 1${')'.repeat(10_000)}`],
])('parseFilter() refuses %s with a sentence, quickly', (_, text) => {
  const started = performance.now()
  expect(problem(text).message).toBe('nested deeper than 200')
  expect(performance.now() - started).toBeLessThan(2_000)
})

test.each<[string, string, boolean]>([
  ['conditions', `${'feedback.a = 1 AND '.repeat(5_500)}feedback.a = 1`, false],
  ['a list', `feedback.a IN (${'1, '.repeat(33_000)}1)`, true],
  ['one string', `feedback.a = '${'x'.repeat(100_000)}'`, true],
  ['doubled quotes', `feedback.a = '${"''".repeat(50_000)}'`, true],
  ['one name', `feedback.${'a-'.repeat(50_000)}a = 1`, true],
  ['an open string', `feedback.a = '${"''".repeat(50_000)}`, false],
  ['digits', `feedback.a = ${'9'.repeat(100_000)}x`, false],
  ['blanks', ' '.repeat(100_000), false],
  ['quotes', "'".repeat(100_001), false],
])('parseFilter() of 100 kB of %s ends quickly', (_, text, fine) => {
  const started = performance.now()
  if (fine) expect(parseFilter(text)).toBeDefined()
  else expect(problem(text).message).not.toBe('')
  expect(performance.now() - started).toBeLessThan(2_000)
})

test('parseFilter() ends in a tree or in its own error for any text', () => {
  const piece = fc.constantFrom(
    'feedback.a', 'status', 'tag.', '=', '!=', '>', 'LIKE', 'IN', 'IS', 'NOT', 'NULL', 'AND', 'OR', '(', ')', ',', "'x'", '"y"',
    '`z`', '5', '-1.5', 'true', '.', "'", 'timestamp_ms', '\\', '\u0000',
  ) // biome-ignore format: a corpus
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 12 }).map((list) => list.join(' ')),
  )
  fc.assert(
    fc.property(text, (filter) => {
      try {
        expect(parseFilter(filter)).toHaveProperty('type')
      } catch (thrown) {
        expect(thrown).toMatchObject({
          code: 'FILTER_INVALID',
          message: expect.stringMatching(/^Cannot read the filter at position \d+: /),
        })
      }
    }),
    { numRuns: 3_000 },
  )
})

/** Prints a tree, with a parenthesis only where binding asks for it. */
function print(node: FilterNode): string {
  switch (node.type) {
    case 'or':
      return node.nodes.map((one) => (one.type === 'or' ? `(${print(one)})` : print(one))).join(' OR ')
    case 'and':
      return node.nodes
        .map((one) => (one.type === 'or' || one.type === 'and' ? `(${print(one)})` : print(one)))
        .join(' AND ')
    case 'not':
      return node.node.type === 'or' || node.node.type === 'and'
        ? `NOT (${print(node.node)})`
        : `NOT ${print(node.node)}`
    case 'span':
      return node.conditions.map(print).join(' AND ')
    case 'null':
      return `${name(node.field)} IS ${node.negated ? 'NOT ' : ''}NULL`
    case 'compare':
      return `${name(node.field)} ${node.operator} ${literal(node.value)}`
    case 'in':
      return `${name(node.field)} ${node.negated ? 'NOT ' : ''}IN (${node.values.map(literal).join(', ')})`
    case 'like':
      return `${name(node.field)} ${node.negated ? 'NOT ' : ''}${node.operator} ${literal(node.pattern)}`
  }
}

function name({ entity, key }: FilterField): string {
  return entity === 'attribute' ? key : `${entity}.\`${key.replaceAll('`', '``')}\``
}

function literal(value: FilterLiteral): string {
  return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value)
}

const position = fc.constant(0)
const entity = fc.constantFrom('tag', 'metadata', 'feedback', 'expectation')
const named = fc.record({ entity, key: fc.string({ unit: 'binary' }), position }) as fc.Arbitrary<FilterField>
const judged = fc.record({ entity: fc.constantFrom('feedback', 'expectation'), key: fc.string(), position })
const worded = fc.record({
  entity: fc.constant('attribute'),
  key: fc.constantFrom('status', 'name', 'trace_id', 'run_id', 'session_id'),
  position,
}) as fc.Arbitrary<FilterField>
const timed = fc.record({
  entity: fc.constant('attribute'),
  key: fc.constantFrom('timestamp_ms', 'end_time_ms', 'execution_time_ms'),
  position,
})
const word = fc.string({ unit: 'binary' })
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0)
const operator = fc.constantFrom('=', '!=', '<', '<=', '>', '>=')
const equality = fc.constantFrom('=', '!=')
const negated = fc.boolean()
const condition = fc.oneof(
  fc.record({
    type: fc.constant('compare'),
    field: fc.oneof(named, worded),
    operator: equality,
    value: word,
    position,
  }),
  fc.record({
    type: fc.constant('compare'),
    field: judged,
    operator: equality,
    value: fc.oneof(fc.boolean(), word),
    position,
  }),
  fc.record({ type: fc.constant('compare'), field: fc.oneof(judged, timed), operator, value: number, position }),
  fc.record({
    type: fc.constant('in'),
    field: fc.oneof(named, worded),
    negated,
    values: fc.array(word, { minLength: 1, maxLength: 3 }),
    position,
  }),
  fc.record({
    type: fc.constant('in'),
    field: timed,
    negated,
    values: fc.array(number, { minLength: 1, maxLength: 3 }),
    position,
  }),
  fc.record({
    type: fc.constant('like'),
    field: fc.oneof(named, worded),
    negated,
    pattern: word,
    operator: fc.constantFrom('LIKE', 'ILIKE'),
    position,
  }),
  fc.record({ type: fc.constant('null'), field: fc.oneof(named, worded, timed), negated, position }),
) as fc.Arbitrary<FilterNode>
const { tree } = fc.letrec<{ tree: FilterNode }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    condition,
    fc.record({
      type: fc.constantFrom('and', 'or'),
      nodes: fc.array(tie('tree'), { minLength: 2, maxLength: 4 }),
      position,
    }),
    fc.record({ type: fc.constant('not'), node: tie('tree'), position }),
  ) as fc.Arbitrary<FilterNode>,
}))

test('parseFilter() gives back the tree that was printed', () => {
  fc.assert(
    fc.property(tree, (node) => {
      const plain = JSON.parse(JSON.stringify(node, (key, value) => (key === 'position' ? undefined : value)))
      expect(shape(print(node))).toEqual(plain)
    }),
    { numRuns: 2_000 },
  )
})

test("parseFilter() finds MLflow's attributes that are kept elsewhere", () => {
  expect(parseFilter("client_request_id = 'order-7'")).toMatchObject({
    field: { entity: 'metadata', key: 'client_request_id' },
  })
  expect(parseFilter("trace.text LIKE '%a%'")).toMatchObject({
    type: 'span',
    conditions: [{ field: { key: 'content' } }],
  })
})
