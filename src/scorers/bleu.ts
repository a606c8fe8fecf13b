import { callback, integer, oneOf, settle } from './options.ts'
import { type ReadyScorer, ready } from './ready.ts'
import { COMPARISON_RULES } from './text.ts'
import { compared, overlap, type TokenOptions, tally } from './tokens.ts'

/** How the answer is compared by BLEU. */
export interface BleuOptions extends TokenOptions {
  /** The longest n-grams that count. @default 4 */
  readonly order?: number
  /**
   * `add-one` adds one to matches and total of every order above 1, so that one short answer without a common 4-gram is not 0 (Lin and Och
   * 2004); `none` is the formula of the paper. @default 'add-one'
   */
  readonly smoothing?: 'add-one' | 'none'
}

/**
 * Gives the sentence BLEU of an answer (Papineni et al. 2002), from 0 to 1: the geometric mean of the modified n-gram precisions for n = 1 … 4,
 * times the brevity penalty. The precisions and the penalty stand in the Feedback's metadata. Column `bleu`.
 *
 * Reads the expectation `expected_response`: one text, or a list of equally right texts, with which BLEU is at its best. An answer of fewer
 * words than `order` is judged by the orders it has. The mean of sentence BLEU is not corpus BLEU.
 *
 * @throws TypeError, RangeError for options that do not fit
 */
export function bleu(options?: BleuOptions): ReadyScorer {
  const settings = settle(
    'bleu',
    options,
    { name: 'bleu', expectation: 'expected_response', order: 4, smoothing: 'add-one' },
    { ...COMPARISON_RULES, tokenize: callback, order: integer(1), smoothing: oneOf(['add-one', 'none']) },
  )
  const { order, smoothing } = settings
  return ready('bleu', settings, (args) => {
    const { candidate, references } = compared(args, settings)
    const precisions: number[] = []
    for (let n = 1; n <= Math.min(order, candidate.length); n++) {
      const added = n > 1 && smoothing === 'add-one' ? 1 : 0
      const shared = clippedMatches(candidate, references, n)
      precisions.push((shared + added) / (candidate.length - n + 1 + added))
    }
    const brevityPenalty = penalty(candidate.length, references)
    const metadata = { ...Object.fromEntries(precisions.map((p, i) => [`precision${i + 1}`, p])), brevityPenalty }
    // Without a common word there is nothing that smoothing could soften.
    if (precisions.length === 0 || precisions.includes(0)) return { value: 0, metadata }
    const logs = precisions.reduce((total, precision) => total + Math.log(precision), 0)
    return { value: brevityPenalty * Math.exp(logs / precisions.length), metadata }
  })
}

/** Each n-gram of the candidate counts at most as often as in the one reference that has it most. */
function clippedMatches(candidate: readonly string[], references: readonly (readonly string[])[], n: number): number {
  const most = new Map<string, number>()
  for (const reference of references) {
    for (const [gram, count] of tally(grams(reference, n))) most.set(gram, Math.max(count, most.get(gram) ?? 0))
  }
  return overlap(tally(grams(candidate, n)), most)
}

function grams(tokens: readonly string[], n: number): string[] {
  const result: string[] = []
  // As JSON, so that no token can hold the separator.
  for (let i = 0; i + n <= tokens.length; i++) result.push(JSON.stringify(tokens.slice(i, i + n)))
  return result
}

/** 1 for a candidate at least as long as the reference nearest to it in length (the shorter of two), else exp(1 − r / c). */
function penalty(length: number, references: readonly (readonly string[])[]): number {
  const lengths = references.map((reference) => reference.length)
  const nearest = lengths.reduce((a, b) => {
    const closer = Math.abs(b - length) - Math.abs(a - length)
    return closer < 0 || (closer === 0 && b < a) ? b : a
  })
  return length >= nearest ? 1 : length === 0 ? 0 : Math.exp(1 - nearest / length)
}
