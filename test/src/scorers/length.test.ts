import { expect, test } from 'vitest'
import { length } from '../../../src/scorers/index.ts'

test.each([
  ['', 0, 0],
  ['abc', 3, 1],
  ['two  words\n', 11, 2],
  ['😀é', 2, 1],
  ['北京是首都', 5, 1],
])('length() of %j in characters and in words', (outputs, characters, words) => {
  expect(length()({ outputs }).value).toBe(characters)
  expect(length({ unit: 'words' })({ outputs }).value).toBe(words)
})

test('length() with bounds judges, bounds included, and says what was wanted', () => {
  const scorer = length({ min: 2, max: 4 })
  expect(['a', 'ab', 'abcd', 'abcde'].map((outputs) => scorer({ outputs }).value)).toEqual(['no', 'yes', 'yes', 'no'])
  expect(scorer({ outputs: 'a' }).rationale).toBe('1 character, at least 2 wanted')
  expect(scorer({ outputs: 'abcde' }).rationale).toBe('5 characters, at most 4 wanted')
  expect(length({ max: 1, unit: 'words' })({ outputs: 'a b' }).rationale).toBe('2 words, at most 1 wanted')
  expect(length({ max: 0 })({ outputs: '' }).value).toBe('yes')
})

test('length() measures picked text and refuses structured outputs', () => {
  expect(length({ output: (outputs) => outputs.response })({ outputs: { response: 'abc' } }).value).toBe(3)
  expect(length()({ outputs: ['a'] }).error).toMatchObject({ code: 'OUTPUTS_NOT_TEXT' })
})
