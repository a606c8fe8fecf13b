import { quote } from '../errors.ts'
import type { ScorerArgs } from '../scorer.ts'
import { flag, oneOf, type Rule, settle, word } from './options.ts'
import { type ReadyScorer, ready, Unscored, verdict } from './ready.ts'
import { expectedValue, OUTPUT_RULES, type OutputOptions, outputText, primitiveText } from './text.ts'

/** What the answer has to hold. */
export interface IncludesOptions extends OutputOptions {
  /** What to look for in every row, in place of an expectation. */
  readonly keywords?: string | readonly string[]
  /** Which expectation holds the row's keywords: a text, or a list of them. @default 'expected_keywords' */
  readonly expectation?: string
  /** Where an expectation's text holds several keywords, as in a cell of a CSV file: what stands between them. */
  readonly separator?: string
  /** Whether all keywords have to be there or any of them will do. @default 'all' */
  readonly mode?: 'all' | 'any'
  /** @default true */
  readonly ignoreCase?: boolean
}

/**
 * Gives `yes` when the answer includes the keywords, else `no` with a rationale that names the missing ones. Column `includes`.
 *
 * Keywords are found anywhere in the text, inside words as well. They are read from the expectation `expected_keywords` unless given here.
 * A row that expects no keywords, in an empty list, gets `yes` with a rationale that says so; one without the expectation gets an error, since
 * nothing was checked.
 *
 * @throws TypeError, RangeError for options that do not fit
 */
export function includes(options?: IncludesOptions): ReadyScorer {
  const settings = settle(
    'includes',
    options,
    { name: 'includes', expectation: 'expected_keywords', mode: 'all', ignoreCase: true },
    {
      ...OUTPUT_RULES,
      keywords: keywordList,
      expectation: word,
      separator: word,
      mode: oneOf(['all', 'any']),
      ignoreCase: flag,
    },
  )
  if (options?.keywords !== undefined && (options.expectation !== undefined || options.separator !== undefined)) {
    const other = options.expectation === undefined ? 'separator' : 'expectation'
    throw new TypeError(`Cannot make includes(): "keywords" and "${other}" exclude each other`)
  }
  const fold = (text: string): string => (settings.ignoreCase ? text.toLowerCase() : text)
  return ready('includes', settings, (args) => {
    const text = fold(outputText(args, settings))
    const { keywords } = settings
    const wanted = keywords === undefined ? expectedKeywords(args, settings) : [keywords].flat()
    if (wanted.length === 0) return verdict(true, 'No keywords were expected')
    const missing = wanted.filter((keyword) => !text.includes(fold(keyword)))
    const pass = settings.mode === 'all' ? missing.length === 0 : missing.length < wanted.length
    if (pass) return verdict(true)
    const names = missing.map(quote).join(', ')
    return verdict(false, settings.mode === 'all' ? `Missing keywords: ${names}` : `None of the keywords: ${names}`)
  })
}

const keywordList: Rule = (value, what) => {
  const items = Array.isArray(value) ? value : [value]
  if (items.length === 0) throw new RangeError(`${what} must not be empty`)
  items.forEach((item, i) => {
    word(item, Array.isArray(value) ? `${what}[${i}]` : what)
  })
}

function expectedKeywords(
  args: ScorerArgs,
  { expectation, separator }: { readonly expectation: string; readonly separator?: string },
): readonly string[] {
  const value = expectedValue(args, expectation)
  if (typeof value === 'string') {
    const pieces = separator === undefined ? [value] : value.split(separator)
    return pieces.map((piece) => piece.trim()).filter((piece) => piece !== '')
  }
  const texts = (Array.isArray(value) ? value : [value]).map(primitiveText)
  if (texts.every((text) => text !== undefined && text !== '')) return texts as string[]
  const culprit = Array.isArray(value) ? value[texts.findIndex((text) => !text)] : undefined
  const found = Array.isArray(value) ? `a list with ${quote(culprit)}` : quote(value)
  throw new Unscored(
    'EXPECTATION_INVALID',
    `expectation ${quote(expectation)} must be text or a list of texts that are not empty, found ${found}`,
  )
}
