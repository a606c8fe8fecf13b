import { amount, callback, settle } from './options.ts'
import { type ReadyScorer, ready } from './ready.ts'
import { commonSubsequence } from './subsequence.ts'
import { COMPARISON_RULES } from './text.ts'
import { agreement, best, compared, type TokenOptions } from './tokens.ts'

/** How the answer is compared by ROUGE-L. */
export interface RougeLOptions extends TokenOptions {
  /** How much more recall weighs than precision. @default 1 */
  readonly beta?: number
}

/**
 * Gives ROUGE-L (Lin 2004, section 3.1, over the whole text as one sequence), from 0 to 1: the F-measure of precision and recall of the
 * longest common subsequence of words. Precision and recall stand in the Feedback's metadata. Column `rouge_l`.
 *
 * Reads the expectation `expected_response`: one text, or a list of texts of which the best counts. There is no stemming.
 *
 * @throws TypeError, RangeError for options that do not fit
 */
export function rougeL(options?: RougeLOptions): ReadyScorer {
  const defaults = { name: 'rouge_l', expectation: 'expected_response', beta: 1 }
  const settings = settle('rougeL', options, defaults, { ...COMPARISON_RULES, tokenize: callback, beta: amount })
  return ready('rougeL', settings, (args) => {
    const { candidate, references } = compared(args, settings)
    const { precision, recall, f } = best(
      references.map((reference) => {
        const shared = commonSubsequence(candidate, reference, (a, b) => a === b)
        return agreement(shared, candidate.length, reference.length, settings.beta)
      }),
    )
    return { value: f, metadata: { precision, recall } }
  })
}
