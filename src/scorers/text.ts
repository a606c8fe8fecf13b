import { didYouMean, quote } from '../errors.ts'
import type { ScorerArgs } from '../scorer.ts'
import { callback, type ReadyOptions, word } from './options.ts'
import { Unscored } from './ready.ts'

/** What scorers take that look at the app's answer. */
export interface OutputOptions extends ReadyOptions {
  /** Picks the answer out of structured outputs: `(outputs) => outputs.response`. Without it the outputs are the answer. */
  readonly output?: (outputs: any) => unknown
}

/** What scorers take that compare the answer with ground truth. */
export interface ComparisonOptions extends OutputOptions {
  /** Which expectation holds the ground truth. @default 'expected_response' */
  readonly expectation?: string
}

export const OUTPUT_RULES = { output: callback }
export const COMPARISON_RULES = { ...OUTPUT_RULES, expectation: word }

type Outputs = Pick<ScorerArgs, 'outputs'>
type Expectations = Pick<ScorerArgs, 'expectations'>

/** Gives what there is to look at. @throws Unscored when there is nothing */
export function outputValue({ outputs }: Outputs, { output }: OutputOptions): unknown {
  if (outputs === undefined || outputs === null) throw new Unscored('OUTPUTS_MISSING', 'the row has no outputs')
  const picked = output ? output(outputs) : outputs
  if (picked === undefined || picked === null) {
    throw new Unscored('OUTPUTS_MISSING', `"output" picked nothing out of outputs, ${quote(outputs)}`)
  }
  return picked
}

/** Gives the answer's text; numbers and booleans are written out. @throws Unscored for anything structured */
export function outputText(args: Outputs, options: OutputOptions): string {
  const value = outputValue(args, options)
  const text = primitiveText(value)
  if (text !== undefined) return text
  if (options.output) {
    throw new Unscored('OUTPUTS_NOT_TEXT', `"output" must pick text out of outputs, found ${quote(value)}`)
  }
  const key = Object.keys(value as object)[0]
  const path = key === undefined || Array.isArray(value) || !/^[A-Za-z_]\w*$/.test(key) ? 'response' : key
  throw new Unscored(
    'OUTPUTS_NOT_TEXT',
    `outputs must be text, found ${quote(value)}\nHint: pick the text, { output: (outputs) => outputs.${path} }`,
  )
}

/** Gives a named expectation. @throws Unscored when the row has none of that name */
export function expectedValue(args: Expectations, name: string): unknown {
  const value = optionalExpectation(args, name)
  if (value !== undefined) return value
  const there = expectationNames(args)
  const found =
    there.length > 0 ? `it has ${there.map(quote).join(', ')}${didYouMean(name, there)}` : 'it has none at all'
  throw new Unscored('EXPECTATION_MISSING', `the row has no expectation ${quote(name)}; ${found}`)
}

/** Gives a named expectation, or undefined where the row has none; `null` counts as none. */
export function optionalExpectation({ expectations }: Expectations, name: string): unknown {
  return expectations && Object.hasOwn(expectations, name) ? (expectations[name] ?? undefined) : undefined
}

/** Gives the names of the row's expectations; those that are `null` count as none. */
export function expectationNames({ expectations }: Expectations): string[] {
  return Object.keys(expectations ?? {}).filter((name) => (expectations[name] ?? undefined) !== undefined)
}

/** Gives the ground truth's text. @throws Unscored when there is none or it is structured */
export function expectedText(args: Expectations, name: string): string {
  const value = expectedValue(args, name)
  const text = primitiveText(value)
  if (text !== undefined) return text
  throw new Unscored('EXPECTATION_INVALID', `expectation ${quote(name)} must be text, found ${quote(value)}`)
}

/** Gives the reference texts: the expectation is one text, or a list of texts that are equally right. */
export function referenceTexts(args: Expectations, name: string): string[] {
  const value = expectedValue(args, name)
  const texts = (Array.isArray(value) ? value : [value]).map(primitiveText)
  if (texts.length > 0 && texts.every((text) => text !== undefined)) return texts
  const found = Array.isArray(value) ? `a list with ${quote(value[texts.indexOf(undefined)])}` : quote(value)
  throw new Unscored(
    'EXPECTATION_INVALID',
    `expectation ${quote(name)} must be text or a list of texts, found ${texts.length === 0 ? 'an empty list' : found}`,
  )
}

/** Gives the text of a string, number, bigint or boolean; undefined for anything else. */
export function primitiveText(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value)
    default:
      return undefined
  }
}
