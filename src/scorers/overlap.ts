import { callback, settle } from './options.ts'
import { type ReadyScorer, ready } from './ready.ts'
import { COMPARISON_RULES } from './text.ts'
import { agreement, best, compared, overlap, type TokenOptions, tally } from './tokens.ts'

/** How the answer is cut into words. */
export interface TokenF1Options extends TokenOptions {}

/**
 * Gives the F1 of the words that answer and reference share, whatever their order, from 0 to 1, as SQuAD does (Rajpurkar et al. 2016)
 * except that articles count. Precision and recall stand in the Feedback's metadata. Column `token_f1`.
 *
 * Reads the expectation `expected_response`: one text, or a list of texts of which the best counts.
 *
 * @throws TypeError, RangeError for options that do not fit
 */
export function tokenF1(options?: TokenF1Options): ReadyScorer {
  const defaults = { name: 'token_f1', expectation: 'expected_response' }
  const settings = settle('tokenF1', options, defaults, { ...COMPARISON_RULES, tokenize: callback })
  return ready('tokenF1', settings, (args) => {
    const { candidate, references } = compared(args, settings)
    const counts = tally(candidate)
    const { precision, recall, f } = best(
      references.map((tokens) => agreement(overlap(counts, tally(tokens)), candidate.length, tokens.length)),
    )
    return { value: f, metadata: { precision, recall } }
  })
}
