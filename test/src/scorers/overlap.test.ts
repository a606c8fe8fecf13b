import fc from 'fast-check'
import { n } from 'js-rouge'
import { expect, test } from 'vitest'
import { tokenF1 } from '../../../src/scorers/index.ts'
import { words } from '../../../src/scorers/tokens.ts'

const score = (outputs: string, expected_response: unknown, options = {}) =>
  tokenF1(options)({ outputs, expectations: { expected_response } })

test.each([
  ['the cat sat', 'sat the cat', 1],
  ['Denver Broncos', 'the Denver Broncos', (2 * 1 * (2 / 3)) / (5 / 3)],
  ['a a a', 'a', 0.5],
  ['a a b', 'a a a', 2 / 3],
  ['', 'a', 0],
  ['x', 'a', 0],
])('tokenF1() of %j against %j', (candidate, reference, expected) => {
  expect(score(candidate, reference).value).toBeCloseTo(expected, 12)
})

test('tokenF1() tells precision and recall, takes the best reference and a tokenizer', () => {
  expect(score('a b', ['x', 'a']).metadata).toEqual({ precision: 0.5, recall: 1 })
  expect(score('A b', 'a b', { tokenize: (text: string) => text.split(' ') }).value).toBe(0.5)
})

test('tokenF1() is ROUGE-1 over the same tokens', () => {
  const sentence = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(sentence, sentence, (a, b) => {
      const [candidate, reference] = [a.join(' '), b.join(' ')]
      const oracle = n(candidate, reference, { n: 1, tokenizer: words })
      expect(score(candidate, reference).value).toBeCloseTo(oracle, 10)
    }),
    { numRuns: 300 },
  )
})
