import { quote } from '../errors.ts'
import { sameData } from './equality.ts'
import { flag, settle } from './options.ts'
import { type ReadyScorer, ready, verdict } from './ready.ts'
import {
  COMPARISON_RULES,
  type ComparisonOptions,
  expectedValue,
  outputText,
  outputValue,
  primitiveText,
} from './text.ts'

/** How the answer is compared with the expected one. */
export interface ExactMatchOptions extends ComparisonOptions {
  /** @default false */
  readonly ignoreCase?: boolean
  /** Ignores white space at both ends. @default false */
  readonly trim?: boolean
}

/**
 * Gives `yes` when the answer is the expected one, else `no`. Column `exact_match`.
 *
 * Reads the expectation `expected_response`. Text is compared character by character; a number or a boolean by its text, so that `42` in
 * the outputs fits `"42"` in a CSV file. Where the expectation is a list or a record it is compared as data, whatever the order of keys.
 * A row without outputs or without the expectation gets an error, as do structured outputs that would be compared with text.
 *
 * @throws TypeError, RangeError for options that do not fit
 */
export function exactMatch(options?: ExactMatchOptions): ReadyScorer {
  const defaults = { name: 'exact_match', expectation: 'expected_response', ignoreCase: false, trim: false }
  const settings = settle('exactMatch', options, defaults, { ...COMPARISON_RULES, ignoreCase: flag, trim: flag })
  const fold = (text: string): string => {
    const trimmed = settings.trim ? text.trim() : text
    return settings.ignoreCase ? trimmed.toLowerCase() : trimmed
  }
  return ready('exactMatch', settings, (args) => {
    const expected = expectedValue(args, settings.expectation)
    const text = primitiveText(expected)
    if (text === undefined) {
      const found = outputValue(args, settings)
      return sameData(found, expected) ? verdict(true) : verdict(false, 'The outputs differ from the expected data')
    }
    const found = outputText(args, settings)
    return fold(found) === fold(text) ? verdict(true) : verdict(false, `Expected ${quote(text)}, found ${quote(found)}`)
  })
}
