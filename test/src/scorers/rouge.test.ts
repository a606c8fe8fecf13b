import fc from 'fast-check'
import { l } from 'js-rouge'
import { expect, test } from 'vitest'
import { rougeL } from '../../../src/scorers/index.ts'
import { words } from '../../../src/scorers/tokens.ts'

const score = (outputs: string, expected_response: unknown, options = {}) =>
  rougeL(options)({ outputs, expectations: { expected_response } })

test.each([
  // Lin 2004, section 3.1: S2 shares "police the gunman" with S1, S3 shares "the gunman".
  ['police kill the gunman', 'police killed the gunman', 0.75],
  ['the gunman kill police', 'police killed the gunman', 0.5],
  ['The cat sat.', 'the cat, sat!', 1],
  ['a b c', 'x y z', 0],
  ['', 'a', 0],
  ['a b c d', 'a c', (2 * 0.5 * 1) / 1.5],
])('rougeL() of %j against %j', (candidate, reference, expected) => {
  expect(score(candidate, reference).value).toBeCloseTo(expected, 12)
})

test('rougeL() tells precision and recall and weighs recall by beta', () => {
  const { value, metadata } = score('a b c d', 'a c', { beta: 2 })
  expect(metadata).toEqual({ precision: 0.5, recall: 1 })
  expect(value).toBeCloseTo((5 * 0.5) / (1 + 4 * 0.5), 12)
  expect(score('a b c d', 'a c', { beta: 0 }).value).toBe(0.5)
})

test('rougeL() takes the best of several references', () => {
  expect(score('police kill the gunman', ['x', 'police killed the gunman', 'the gunman']).value).toBe(0.75)
})

test('rougeL() cuts text without spaces into characters', () => {
  expect(score('北京是首都', '首都是北京').value).toBeCloseTo(2 / 5, 12)
  expect(words('MLflow 的 GenAI评估, カナ don’t')).toEqual([
    'mlflow',
    '的',
    'genai',
    '评',
    '估',
    'カ',
    'ナ',
    'don',
    't',
  ])
})

test('rougeL() gives an error where the reference has no words', () => {
  for (const reference of ['', ' … ', ['a', '']]) {
    expect(score('a', reference).error).toEqual({
      code: 'EXPECTATION_INVALID',
      message: 'expectation "expected_response" has no words to compare with',
    })
  }
  expect(score('a', []).error).toMatchObject({ message: expect.stringMatching(/found an empty list$/) })
  expect(score('a', ['a', undefined]).error).toMatchObject({
    message: expect.stringMatching(/found a list with undefined$/),
  })
  expect(score('a', { a: 1 }).error).toMatchObject({ message: expect.stringMatching(/found an object with a$/) })
})

test('rougeL() agrees with js-rouge on any two sentences, for any beta', () => {
  const sentence = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(sentence, sentence, fc.constantFrom(0.5, 1, 2), (a, b, beta) => {
      const [candidate, reference] = [a.join(' '), b.join(' ')]
      const oracle = l(candidate, reference, { beta, tokenizer: words, segmenter: (text) => [text] })
      expect(score(candidate, reference, { beta }).value).toBeCloseTo(oracle, 10)
    }),
    { numRuns: 500 },
  )
})
