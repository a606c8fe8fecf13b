import { Unscored } from './ready.ts'
import { type ComparisonOptions, outputText, referenceTexts } from './text.ts'

/** What scorers take that compare text word by word. */
export interface TokenOptions extends ComparisonOptions {
  /**
   * Cuts a text into tokens. Without it: lower-cased runs of letters, marks and digits; each Chinese or Japanese character is a token of
   * its own, punctuation is none. Figures are comparable only where the tokens are cut alike.
   */
  readonly tokenize?: (text: string) => readonly string[]
}

const CJK = '[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}]'
const WORD = new RegExp(`${CJK}|(?:(?!${CJK})[\\p{L}\\p{M}\\p{N}])+`, 'gu')

/** Gives the words of a text, lower-cased. */
export function words(text: string): string[] {
  return text.toLowerCase().match(WORD) ?? []
}

/** Gives the tokens of the answer and of each reference. @throws Unscored where there is nothing to compare with */
export function compared(
  args: Parameters<typeof outputText>[0] & Parameters<typeof referenceTexts>[0],
  settings: TokenOptions & { readonly expectation: string },
): { readonly candidate: readonly string[]; readonly references: readonly (readonly string[])[] } {
  const tokenize = settings.tokenize ?? words
  const candidate = tokenize(outputText(args, settings))
  const references = referenceTexts(args, settings.expectation).map((text) => tokenize(text))
  if (references.some((tokens) => tokens.length === 0)) {
    throw new Unscored('EXPECTATION_INVALID', `expectation "${settings.expectation}" has no words to compare with`)
  }
  return { candidate, references }
}

/** Gives how often each item comes. */
export function tally<T>(items: Iterable<T>): Map<T, number> {
  const counts = new Map<T, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  return counts
}

/** Gives the size of the intersection of two multisets. */
export function overlap<T>(a: ReadonlyMap<T, number>, b: ReadonlyMap<T, number>): number {
  let size = 0
  for (const [item, count] of a) size += Math.min(count, b.get(item) ?? 0)
  return size
}

/** One comparison with one reference, 0 to 1 each. */
export interface Agreement {
  readonly precision: number
  readonly recall: number
  readonly f: number
}

/** Gives precision, recall and their weighted harmonic mean, (1 + β²)PR / (R + β²P); 0 where nothing is shared. */
export function agreement(shared: number, candidate: number, reference: number, beta = 1): Agreement {
  if (shared === 0) return { precision: 0, recall: 0, f: 0 }
  const precision = shared / candidate
  const recall = shared / reference
  return { precision, recall, f: ((1 + beta ** 2) * precision * recall) / (recall + beta ** 2 * precision) }
}

/** Gives the comparison with the best F. */
export function best(agreements: readonly Agreement[]): Agreement {
  return agreements.reduce((a, b) => (b.f > a.f ? b : a))
}
