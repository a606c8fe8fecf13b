import { quote } from '../errors.ts'
import { clip } from '../std/text.ts'
import { settle } from './options.ts'
import { type ReadyScorer, ready, verdict } from './ready.ts'
import { OUTPUT_RULES, type OutputOptions, outputText } from './text.ts'

/** Which part of the answer the pattern sees. */
export interface MatchesOptions extends OutputOptions {}

/**
 * Gives `yes` when the pattern fits the answer somewhere, else `no`. Column `matches`; no expectation is read.
 *
 * Anchor the pattern (`/^…$/`) to ask for the whole text. The flags `g` and `y` leave no state behind from row to row.
 *
 * @throws TypeError when the pattern is no RegExp, TypeError and RangeError for options that do not fit
 */
export function matches(pattern: RegExp, options?: MatchesOptions): ReadyScorer {
  if (!(pattern instanceof RegExp)) {
    throw new TypeError(`Cannot make matches(): the pattern must be a RegExp, found ${quote(pattern)}`)
  }
  const settings = settle('matches', options, { name: 'matches' }, OUTPUT_RULES)
  return ready('matches', { ...settings, pattern }, (args) => {
    const text = outputText(args, settings)
    // Unlike exec and test, search begins at 0 whatever lastIndex says, and leaves it alone.
    const found = text.search(pattern) >= 0
    return found ? verdict(true) : verdict(false, `${clip(String(pattern), 80)} does not fit ${quote(text)}`)
  })
}
