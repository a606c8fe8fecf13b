import { expect, test } from 'vitest'
import { bleu } from '../../../src/scorers/index.ts'

const score = (outputs: string, expected_response: unknown, options = {}) =>
  bleu(options)({ outputs, expectations: { expected_response } })

// Papineni et al. 2002, example 1.
const candidate1 = 'It is a guide to action which ensures that the military always obeys the commands of the party.'
const candidate2 = 'It is to insure the troops forever hearing the activity guidebook that party direct.'
const references = [
  'It is a guide to action that ensures that the military will forever heed Party commands.',
  'It is the guiding principle which guarantees the military forces always being under the command of the Party.',
  'It is the practical guide for the army always to heed the directions of the party.',
]
/** By white space, with case and without the full stop: as the NLTK documentation has these sentences. */
const plain = { tokenize: (text: string) => text.replace(/\.$/, '').split(' ') }
const none = { smoothing: 'none' as const }

test('bleu() has the modified precisions of the paper', () => {
  expect(score(candidate1, references).metadata).toMatchObject({ precision1: 17 / 18, brevityPenalty: 1 })
  expect(score(candidate2, references).metadata).toMatchObject({ precision1: 8 / 14 })
  expect(score(candidate1, references, none).metadata).toMatchObject({ precision2: 10 / 17 })
  expect(score(candidate2, references, none).metadata).toMatchObject({ precision2: 1 / 13 })
  const cats = ['The cat is on the mat.', 'There is a cat on the mat.']
  expect(score('the the the the the the the', cats).metadata).toMatchObject({ precision1: 2 / 7 })
})

test('bleu() agrees with the figures of the NLTK documentation', () => {
  expect(score(candidate1, references, { ...plain, ...none }).value).toBeCloseTo(0.5045666840058485, 15)
  expect(score(candidate1, references[0], { ...plain, ...none }).value).toBeCloseTo(0.4118, 4)
})

test('bleu() multiplies hand-computed smoothed precisions', () => {
  // 11 of 18, (8 + 1) of (17 + 1), (6 + 1) of (16 + 1), (4 + 1) of (15 + 1)
  const expected = ((11 / 18) * (9 / 18) * (7 / 17) * (5 / 16)) ** 0.25
  expect(score(candidate1, references[0], plain).value).toBeCloseTo(expected, 12)
})

test('bleu() without smoothing is 0 where an order has no match, and softened with it', () => {
  expect(score('the cat sat down', 'the cat lay still', none).value).toBe(0)
  const smoothed = ((2 / 4) * (2 / 4) * (1 / 3) * (1 / 2)) ** 0.25
  expect(score('the cat sat down', 'the cat lay still').value).toBeCloseTo(smoothed, 12)
})

test('bleu() is 0 without a common word, whatever the smoothing', () => {
  expect(score('a b c d e', 'v w x y z').value).toBe(0)
  expect(score('', 'a')).toMatchObject({ value: 0, metadata: { brevityPenalty: 0 } })
})

test('bleu() judges a short answer by the orders it has', () => {
  expect(score('Paris', 'Paris').value).toBe(1)
  expect(score('New York', 'new york').value).toBe(1)
  expect(score('Paris', 'Paris is the capital').value).toBeCloseTo(Math.exp(1 - 4), 12)
  expect(Object.keys(score('New York', 'new york').metadata as object)).toEqual([
    'precision1',
    'precision2',
    'brevityPenalty',
  ])
})

test('bleu() penalises brevity against the reference nearest in length, the shorter of two', () => {
  const penalty = (outputs: string, expected: string[]): unknown => score(outputs, expected).metadata?.brevityPenalty
  expect(penalty('a b c', ['a b', 'a b c d'])).toBe(1)
  expect(penalty('a b c', ['a b c d', 'a b'])).toBe(1)
  expect(penalty('a b c', ['a b c d e', 'a b c d'])).toBeCloseTo(Math.exp(1 - 4 / 3), 12)
  expect(penalty('a b c d', ['a'])).toBe(1)
})

test('bleu() goes up to the order asked for', () => {
  expect(score('a b c d', 'a c b d', { order: 1 }).value).toBe(1)
  expect(score('a b c d', 'a c b d', { order: 2, ...none }).value).toBe(0)
})
