import { messageOf, quote } from '../errors.ts'
import { canonical } from '../std/json.ts'
import { settle } from './options.ts'
import { type ReadyScorer, ready, verdict } from './ready.ts'
import { OUTPUT_RULES, type OutputOptions, outputValue } from './text.ts'

/** Which part of the answer is JSON. */
export interface JsonValidOptions extends OutputOptions {}

/**
 * Gives `yes` when the answer is JSON, else `no` with the parser's reason. Column `json_valid`; no expectation is read.
 *
 * Text has to be JSON from end to end (RFC 8259): a Markdown fence or a sentence around it fails. Outputs that are data already pass when
 * JSON can hold them as they are.
 *
 * @throws TypeError, RangeError for options that do not fit
 */
export function jsonValid(options?: JsonValidOptions): ReadyScorer {
  const settings = settle('jsonValid', options, { name: 'json_valid' }, OUTPUT_RULES)
  return ready('jsonValid', settings, (args) => {
    const value = outputValue(args, settings)
    if (typeof value !== 'string') {
      return isJsonData(value) ? verdict(true) : verdict(false, `Not JSON: JSON cannot hold ${quote(value)} as it is`)
    }
    const { problem } = readJson(value)
    return problem === undefined ? verdict(true) : verdict(false, `Not JSON: ${problem}`)
  })
}

/** Gives the data of a JSON text, or what is wrong with the text. */
export function readJson(text: string): { readonly data: unknown; readonly problem?: string } {
  try {
    return { data: JSON.parse(text) }
  } catch (thrown) {
    return { data: undefined, problem: messageOf(thrown) }
  }
}

function isJsonData(value: unknown): boolean {
  try {
    return canonical(JSON.parse(JSON.stringify(value))) === canonical(value)
  } catch {
    return false
  }
}
