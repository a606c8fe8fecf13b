import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ToolCallsOptions, toolCalls } from '../../../src/scorers/index.ts'
import { pairUp } from '../../../src/scorers/pairing.ts'
import type { Trace } from '../../../src/trace.ts'
import { calling, span, trace } from './trace.ts'

type Mode = NonNullable<ToolCallsOptions['mode']>
const MODES: Mode[] = ['exact', 'any-order', 'superset', 'in-order', 'precision', 'recall', 'f1']

const judge = (made: Trace, expected_tool_calls: unknown, options: ToolCallsOptions = {}) =>
  toolCalls(options)({ trace: made, expectations: { expected_tool_calls } })
const named = (names: string): { name: string }[] => names.split('').map((name) => ({ name }))
const values = (made: string, expected: string): unknown[] =>
  MODES.map((mode) => judge(calling(...made.split('')), named(expected), { mode }).value)

test.each([
  // made, expected, then: exact, any-order, superset, in-order, precision, recall, f1
  ['', '', ['yes', 'yes', 'yes', 1, 1, 1, 1]],
  ['', 'a', ['no', 'no', 'no', 0, null, 0, 0]],
  ['a', '', ['no', 'no', 'yes', null, 0, null, 0]],
  ['abc', 'abc', ['yes', 'yes', 'yes', 1, 1, 1, 1]],
  ['cba', 'abc', ['no', 'yes', 'yes', 1 / 3, 1, 1, 1]],
  ['axbyc', 'abc', ['no', 'no', 'yes', 1, 3 / 5, 1, 6 / 8]],
  ['ab', 'abcd', ['no', 'no', 'no', 0.5, 1, 0.5, 4 / 6]],
  ['aab', 'abb', ['no', 'no', 'no', 2 / 3, 2 / 3, 2 / 3, 4 / 6]],
  ['xyz', 'abc', ['no', 'no', 'no', 0, 0, 0, 0]],
  ['aaaa', 'a', ['no', 'no', 'yes', 1, 0.25, 1, 2 / 5]],
])('toolCalls() compares calls %j with expected %j in every mode', (made, expected, wanted) => {
  expect(values(made, expected)).toEqual(wanted)
})

test('toolCalls() compares arguments as data, and ignores or loosens them when asked', () => {
  const made = calling(['search', { q: 'x', limit: 5, filter: { year: 2024, tag: 'a' } }])
  const call = (args: unknown) => [{ name: 'search', arguments: args }]
  const value = (args: unknown, strictness: ToolCallsOptions['arguments']): unknown =>
    judge(made, call(args), { arguments: strictness as 'exact' }).value
  expect(value({ filter: { tag: 'a', year: 2024 }, limit: 5, q: 'x' }, 'exact')).toBe('yes')
  expect(value({ q: 'x', filter: { year: 2024 } }, 'exact')).toBe('no')
  expect(value({ q: 'x', filter: { year: 2024 } }, 'subset')).toBe('yes')
  expect(value({ q: 'x', filter: { year: 2023 } }, 'subset')).toBe('no')
  expect(value({ q: 'x', missing: 1 }, 'subset')).toBe('no')
  expect(value({ other: 1 }, 'ignore')).toBe('yes')
})

test('toolCalls() takes an expected call without arguments for one with any, and no inputs for empty ones', () => {
  expect(judge(calling(['search', { q: 'x' }]), [{ name: 'search' }]).value).toBe('yes')
  expect(judge(calling('now'), [{ name: 'now', arguments: {} }]).value).toBe('yes')
  expect(judge(calling('now'), [{ name: 'now', arguments: { zone: 'UTC' } }]).value).toBe('no')
})

test('toolCalls() pairs calls so that a loose expectation does not take a strict one’s only partner', () => {
  const made = calling(['search', { q: 'x' }], ['search', { q: 'y' }])
  const expected = [{ name: 'search' }, { name: 'search', arguments: { q: 'x' } }]
  expect(judge(made, expected, { mode: 'any-order' }).value).toBe('yes')
  expect(judge(made, expected.toReversed(), { mode: 'any-order' }).value).toBe('yes')
})

test('toolCalls() reads TOOL spans only, by start time', () => {
  const made = trace({
    spans: [
      span('second', { startTimeNs: 2n }),
      span('ask', { type: 'LLM', startTimeNs: 0n }),
      span('first', { startTimeNs: 1n }),
      span('third', { startTimeNs: 2n }),
    ],
  })
  expect(judge(made, [{ name: 'first' }, { name: 'second' }, { name: 'third' }]).value).toBe('yes')
})

test('toolCalls() says what is missing, what was not expected, and when only the order is wrong', () => {
  const made = calling(['search', { q: 'x' }], 'fetch')
  expect(judge(made, [{ name: 'search', arguments: { q: 'y' } }, { name: 'fetch' }])).toMatchObject({
    value: 'no',
    rationale: '1 of 2 expected calls made; missing: search({"q":"y"}); not expected: search({"q":"x"})',
    metadata: { matched: 1, called: 2, expected: 2 },
  })
  expect(judge(made, named('ba'), {}).value).toBe('no')
  expect(judge(calling('a', 'b'), named('ba')).rationale).toBe('2 of 2 expected calls made; in another order')
  expect(judge(calling(), named('abcdefg')).rationale).toBe(
    '0 of 7 expected calls made; missing: a, b, c, d, e, and 2 more',
  )
  expect(judge(calling(['a', { x: 'y'.repeat(1_000) }]), []).rationale?.length).toBeLessThan(200)
})

test('toolCalls() gives an error for an expectation of another form', () => {
  const message = (expected: unknown): unknown => (judge(calling('a'), expected).error as Error).message
  const wanted = 'expectation "expected_tool_calls" must be a list of { name, arguments? }, found'
  expect(message('search')).toBe(`${wanted} "search"`)
  expect(message([{ name: 'a' }, { tool: 'b' }])).toBe(`${wanted} an object with tool as call 2`)
  expect(message([null])).toBe(`${wanted} null as call 1`)
})

test('pairUp() finds as many pairs as there are, each item once', () => {
  const size = 5
  const matrix = fc.array(fc.array(fc.boolean(), { minLength: size, maxLength: size }), {
    minLength: size,
    maxLength: size,
  })
  const most = (fits: boolean[][], i: number, taken: ReadonlySet<number>): number => {
    if (i === fits.length) return 0
    let best = most(fits, i + 1, taken)
    fits[i]?.forEach((fit, j) => {
      if (fit && !taken.has(j)) best = Math.max(best, 1 + most(fits, i + 1, new Set([...taken, j])))
    })
    return best
  }
  fc.assert(
    fc.property(matrix, (fits) => {
      const pairs = pairUp(size, size, (i, j) => fits[i]?.[j] as boolean).filter((j) => j >= 0)
      expect(new Set(pairs).size).toBe(pairs.length)
      expect(pairs.length).toBe(most(fits, 0, new Set()))
    }),
    { numRuns: 200 },
  )
})
