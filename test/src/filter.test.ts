import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type FilterSubject, type LikeOperator, like, matches, textOf } from '../../src/filter.ts'
import { parseFilter } from '../../src/grammar.ts'
import type { Span } from '../../src/trace.ts'

const VALUES: Record<string, readonly unknown[]> = {
  'feedback.safety': ['no'],
  'feedback.score': [0.5],
  'feedback.both': [true, false],
  'feedback.none': [null, undefined],
  'feedback.record': [{ b: 1, a: [2] }],
  'expectation.answer': ['Paris'],
}

const subject: FilterSubject = {
  attribute: (key) =>
    ({ status: 'OK', name: 'answer', execution_time_ms: 120, timestamp_ms: 1_700_000_000_000, run_id: ['r1', 'r2'] })[
      key as string
    ],
  text: (_, key) => ({ env: 'prod', 'mlflow.source.name': 's1' })[key],
  values: (entity, key) => VALUES[`${entity}.${key}`] ?? [],
  spans: () => [
    spanOf({
      name: 'search',
      type: 'TOOL',
      status: 'OK',
      attributes: { model: 'gpt-4.1', tokens: 12, parts: { b: 1, a: [2] } },
    }),
    spanOf({ name: 'ask', type: 'LLM', status: 'ERROR', inputs: { question: 'why is "it" so' } }),
  ],
}

function spanOf(given: Partial<Span>): Span {
  return { id: '1', name: '', type: 'UNKNOWN', startTimeNs: 1n, status: 'UNSET', attributes: {}, events: [], ...given }
}

test.each<[string, boolean]>([
  ["span.name = 'search'", true],
  ["span.name = 'search' AND span.type = 'TOOL'", true],
  ["span.name = 'search' AND status = 'OK' AND span.type = 'LLM'", false],
  ["(span.name = 'search') AND (span.type = 'LLM')", true],
  ["NOT span.type = 'AGENT'", true],
  ["span.status = 'ERROR' AND span.content LIKE '%why is%'", true],
  ["span.type IN ('AGENT', 'LLM')", true],
  ["span.type NOT IN ('TOOL', 'LLM')", false],
  ["text ILIKE '%WHY%'", true],
  ["trace.text LIKE '%how%'", false],
  ["span.attributes.model = 'gpt-4.1'", true],
  ["span.attributes.`model` LIKE '%4.1%'", true],
  ['span.attributes.tokens > 11', true],
  ['span.attributes.tokens > 12', false],
  ['span.attributes.parts = \'{"a":[2],"b":1}\'', true],
  ['span.attributes.other IS NULL', true],
  ["span.attributes.model IS NULL AND span.name = 'search'", false],
  ["span.name RLIKE '^s.*h$'", true],
  ["feedback.safety RLIKE '^(n|no)+$'", true],
  ["tag.env NOT RLIKE 'prod|test'", false],
  ["status = 'OK'", true],
  ["status != 'OK'", false],
  ["feedback.safety = 'no'", true],
  ["feedback.safety != 'yes'", true],
  ['feedback.score = 0.5', true],
  ["feedback.score = '0.5'", true],
  ['feedback.score < 0.5', false],
  ['feedback.score <= 0.5', true],
  ['feedback.score > 0.4', true],
  ['feedback.score >= 0.6', false],
  ['feedback.score != 0.5', false],
  ['feedback.safety > 0', false],
  ['feedback.both = true', true],
  ['feedback.both = false', true],
  ["feedback.both = 'true'", true],
  ['feedback.both != true', true],
  ['feedback.safety = true', false],
  ['feedback.record = \'{"a":[2],"b":1}\'', true],
  ['feedback.missing = 1', false],
  ['feedback.missing != 1', false],
  ["feedback.missing NOT IN ('a')", false],
  ["feedback.missing NOT LIKE 'a'", false],
  ["NOT feedback.missing = 'a'", true],
  ['feedback.missing IS NULL', true],
  ['feedback.none IS NULL', true],
  ['feedback.safety IS NOT NULL', true],
  ['feedback.safety IS NULL', false],
  ["run_id = 'r2'", true],
  ["run_id != 'r2'", true],
  ["run_id IN ('r3', 'r1')", true],
  ["run_id NOT IN ('r1', 'r2')", false],
  ['trace_id IS NULL AND run_id IS NOT NULL', true],
  ["tag.env IN ('dev', 'prod')", true],
  ["tag.env LIKE 'pr%'", true],
  ["tag.env NOT LIKE 'PR%'", true],
  ["tag.env ILIKE 'PR%'", true],
  ["metadata.`mlflow.source.name` = 's1'", true],
  ["expectation.answer = 'Paris'", true],
  ['execution_time_ms > 100 AND execution_time_ms < 130', true],
  ["timestamp_ms > '2023-11-14' AND timestamp_ms < '2023-11-15'", true],
  ["status = 'ERROR' OR status = 'OK' AND name = 'answer'", true],
  ["(status = 'ERROR' OR status = 'OK') AND name = 'x'", false],
  ["NOT status = 'OK' OR name = 'answer'", true],
  ["NOT (status = 'OK' OR name = 'answer')", false],
])('matches() of %s is %s', (filter, wanted) => {
  expect(matches(parseFilter(filter), subject)).toBe(wanted)
})

test.each<[string, string, LikeOperator, boolean]>([
  ['abc', 'abc', 'LIKE', true],
  ['abc', 'ab', 'LIKE', false],
  ['abc', 'a%', 'LIKE', true],
  ['abc', '%c', 'LIKE', true],
  ['abc', '%b%', 'LIKE', true],
  ['abc', 'a_c', 'LIKE', true],
  ['abc', '___', 'LIKE', true],
  ['abc', '__', 'LIKE', false],
  ['', '', 'LIKE', true],
  ['', '%', 'LIKE', true],
  ['', '_', 'LIKE', false],
  ['a%c', 'a\\%c', 'LIKE', true],
  ['abc', 'a\\%c', 'LIKE', false],
  ['a_c', 'a\\_c', 'LIKE', true],
  ['abc', 'a\\_c', 'LIKE', false],
  ['a\\', 'a\\', 'LIKE', true],
  ['a\\b', 'a\\\\b', 'LIKE', true],
  ['aXbXc', '%X%X%', 'LIKE', true],
  ['aXc', '%X%X%', 'LIKE', false],
  ['aa', 'a%a', 'LIKE', true],
  ['a', 'a%a', 'LIKE', false],
  ['👍', '_', 'LIKE', true],
  ['ÄB', 'äb', 'ILIKE', true],
  ['ÄB', 'äb', 'LIKE', false],
  ['line\nend', 'line%end', 'LIKE', true],
])('like(%j, %j, %s) is %s', (text, pattern, operator, wanted) => {
  expect(like(text, pattern, operator)).toBe(wanted)
})

test('like() agrees with a regular expression', () => {
  const unit = fc.constantFrom('a', 'b', 'A', '%', '_', '\\', '👍')
  fc.assert(
    fc.property(
      fc.string({ unit, maxLength: 12 }),
      fc.string({ unit, maxLength: 8 }),
      fc.boolean(),
      (text, pattern, fold) => {
        let source = ''
        const chars = [...pattern]
        for (let i = 0; i < chars.length; i++) {
          const escaped = chars[i] === '\\' && i + 1 < chars.length
          const char = (escaped ? chars[++i] : chars[i]) as string
          source += !escaped && char === '%' ? '[^]*' : !escaped && char === '_' ? '[^]' : char.replace(/[\\]/, '\\\\')
        }
        expect(like(text, pattern, fold ? 'ILIKE' : 'LIKE')).toBe(
          new RegExp(`^${source}$`, fold ? 'iu' : 'u').test(text),
        )
      },
    ),
    { numRuns: 5_000 },
  )
})

test('like() with RLIKE takes no more than text times pattern', () => {
  const started = performance.now()
  expect(like('a'.repeat(20_000), '(a+)+b', 'RLIKE')).toBe(false)
  expect(like('a'.repeat(20_000), '(a|aa)+$', 'RLIKE')).toBe(true)
  expect(performance.now() - started).toBeLessThan(2_000)
})

test('like() takes no more than text times pattern', () => {
  const started = performance.now()
  const text = 'a'.repeat(5_000)
  expect(like(text, `${'%a'.repeat(2_000)}%b%`, 'LIKE')).toBe(false)
  expect(like(text, `%${'a'.repeat(2_000)}b%`, 'LIKE')).toBe(false)
  expect(like(text, `${'%_a'.repeat(500)}%b%`, 'LIKE')).toBe(false)
  expect(like(text, `%_${'a'.repeat(2_000)}b%`, 'LIKE')).toBe(false)
  expect(performance.now() - started).toBeLessThan(2_000)
})

test.each<[unknown, string]>([
  ['x', 'x'],
  [true, 'true'],
  [0.5, '0.5'],
  [{ b: 1, a: 2 }, '{"a":2,"b":1}'],
  [['x', 1], '["x",1]'],
])('textOf(%j) is %s', (value, text) => {
  expect(textOf(value)).toBe(text)
})
