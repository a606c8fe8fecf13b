import { quote } from '../errors.ts'
import { amount, type Rule, settle } from './options.ts'
import { type ReadyScorer, ready, Unscored, verdict } from './ready.ts'
import { COMPARISON_RULES, type ComparisonOptions, expectedValue, outputValue, primitiveText } from './text.ts'

/**
 * How a number is found in a text: the last or the first one in it; the text as a `whole`, which must be a number and nothing else; the first
 * number in what a pattern's last match captures (its first group, else all of it); or a function, which gives nothing where there is none.
 */
export type NumberExtraction = 'last' | 'first' | 'whole' | RegExp | ((text: string) => number | null | undefined)

/** How the number is found, and how far it may be off. */
export interface NumericOptions extends ComparisonOptions {
  /** How far the answer may be off, in its own unit. @default 0 */
  readonly absolute?: number
  /** How far it may be off as a share of the expected number. @default 1e-9 */
  readonly relative?: number
  /** @default 'last' */
  readonly extract?: NumberExtraction
}

/**
 * Gives `yes` when the answer's number is the expected one within tolerance, |actual − expected| ≤ max(absolute, relative · |expected|), else
 * `no`. Column `numeric`.
 *
 * Reads the expectation `expected_response`: a number, a text that is one, or a text from which `extract` takes it in the same way as from the
 * answer. So `numeric({ extract: /A:(.*)/ })` compares what stands after the last `A:` of a solution (GSM8K) with `42` as well as with
 * another solution. Numbers may have a sign, commas between thousands, decimals and an exponent; units and currency signs around them do not
 * disturb. An answer without a number gets `no`; an expectation without one is an error.
 *
 * @throws TypeError, RangeError for options that do not fit
 */
export function numeric(options?: NumericOptions): ReadyScorer {
  const settings = settle(
    'numeric',
    options,
    { name: 'numeric', expectation: 'expected_response', absolute: 0, relative: 1e-9, extract: 'last' },
    { ...COMPARISON_RULES, absolute: amount, relative: amount, extract: extraction },
  )
  const { expectation, absolute, relative, extract } = settings
  return ready('numeric', settings, (args) => {
    const truth = expectedValue(args, expectation)
    const expected = numberOf(truth, 'whole') ?? numberOf(truth, extract)
    if (expected === undefined) {
      throw new Unscored(
        'EXPECTATION_INVALID',
        `expectation ${quote(expectation)} has no number, found ${quote(truth)}`,
      )
    }
    const value = outputValue(args, settings)
    if (primitiveText(value) === undefined) {
      throw new Unscored(
        'OUTPUTS_NOT_TEXT',
        `outputs must be a number or text, found ${quote(value)}\nHint: pick the number, { output: (outputs) => outputs.answer }`,
      )
    }
    const actual = numberOf(value, extract)
    if (actual === undefined) return verdict(false, `Expected ${expected}, found no number in ${quote(value)}`)
    const off = Math.abs(actual - expected)
    const allowed = Math.max(absolute, relative * Math.abs(expected))
    // 1.1 − 1 is a little more than 0.1: at the edge, what binary fractions lose is forgiven.
    const slack = allowed === 0 ? 0 : Number.EPSILON * Math.max(Math.abs(actual), Math.abs(expected))
    return verdict(off <= allowed + slack, `Expected ${expected}, found ${actual}`)
  })
}

const NUMBER = /(?:(?<![\p{L}\p{N}])[-+−])?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+|(?<!\d)(?=\.\d))(?:\.\d+)?(?:e[-+]?\d+)?/giu
const WHOLE = new RegExp(`^(?:${NUMBER.source})$`, 'iu')

function numberOf(value: unknown, extract: NumberExtraction): number | undefined {
  if (typeof value === 'number') return finite(value)
  const text = primitiveText(value)
  return text === undefined ? undefined : extracted(text, extract)
}

function extracted(text: string, extract: NumberExtraction): number | undefined {
  if (typeof extract === 'function') return finite(extract(text) ?? Number.NaN)
  if (extract instanceof RegExp) {
    const flags = extract.flags.includes('g') ? extract.flags : `${extract.flags}g`
    const match = [...text.matchAll(new RegExp(extract.source, flags))].at(-1)
    return match && extracted(match[1] ?? match[0], 'first')
  }
  if (extract === 'whole') return WHOLE.test(text.trim()) ? parsed(text.trim()) : undefined
  const numbers = text.match(NUMBER) ?? []
  const number = numbers.at(extract === 'last' ? -1 : 0)
  return number === undefined ? undefined : parsed(number)
}

function parsed(number: string): number | undefined {
  return finite(Number(number.replaceAll(',', '').replace('−', '-')))
}

function finite(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

const extraction: Rule = (value, what) => {
  if (typeof value === 'function' || value instanceof RegExp) return
  if (value === 'last' || value === 'first' || value === 'whole') return
  const wanted = `${what} must be "last", "first", "whole", a RegExp or a function, found ${quote(value)}`
  throw typeof value === 'string' ? new RangeError(wanted) : new TypeError(wanted)
}
