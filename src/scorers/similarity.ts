import { distance } from 'fastest-levenshtein'
import { flag, settle } from './options.ts'
import { type ReadyScorer, ready } from './ready.ts'
import { COMPARISON_RULES, type ComparisonOptions, expectedText, outputText } from './text.ts'

/** How the answer is compared letter by letter. */
export interface SimilarityOptions extends ComparisonOptions {
  /** @default false */
  readonly ignoreCase?: boolean
}

/**
 * Gives how alike two texts are, from 0 (nothing in common) to 1 (equal): 1 − d / n, where d is the Levenshtein distance (Levenshtein
 * 1966) and n the length of the longer text, both in UTF-16 units. Two empty texts are equal. Column `similarity`.
 *
 * Reads the expectation `expected_response`. The time grows with the product of the lengths: about 1 ms for 800 characters each.
 *
 * @throws TypeError, RangeError for options that do not fit
 */
export function similarity(options?: SimilarityOptions): ReadyScorer {
  const defaults = { name: 'similarity', expectation: 'expected_response', ignoreCase: false }
  const settings = settle('similarity', options, defaults, { ...COMPARISON_RULES, ignoreCase: flag })
  const fold = (text: string): string => (settings.ignoreCase ? text.toLowerCase() : text)
  return ready('similarity', settings, (args) => {
    const expected = fold(expectedText(args, settings.expectation))
    const found = fold(outputText(args, settings))
    const longer = Math.max(expected.length, found.length)
    return { value: longer === 0 ? 1 : 1 - distance(found, expected) / longer }
  })
}
