import { expect, test } from 'vitest'
import { similarity } from '../../../src/scorers/index.ts'

const value = (outputs: unknown, expected_response: unknown, options = {}): unknown =>
  similarity(options)({ outputs, expectations: { expected_response } }).value

test.each([
  ['kitten', 'sitting', 1 - 3 / 7],
  ['saturday', 'sunday', 1 - 3 / 8],
  ['flaw', 'lawn', 0.5],
  ['', 'abc', 0],
  ['', '', 1],
  ['abc', 'xyz', 0],
  ['é', 'e', 0],
])('similarity() of %j and %j', (a, b, expected) => {
  expect(value(a, b)).toBeCloseTo(expected, 12)
  expect(value(b, a)).toBeCloseTo(expected, 12)
})

test('similarity() ignores case when asked', () => {
  expect(value('ABC', 'abc')).toBe(0)
  expect(value('ABC', 'abc', { ignoreCase: true })).toBe(1)
})

test('similarity() gives an error for structured ground truth', () => {
  expect(similarity()({ outputs: 'a', expectations: { expected_response: ['a'] } }).error).toEqual({
    code: 'EXPECTATION_INVALID',
    message: 'expectation "expected_response" must be text, found an array of 1',
  })
})
