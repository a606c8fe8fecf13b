import { plural } from '../std/text.ts'
import { integer, oneOf, settle } from './options.ts'
import { type ReadyScorer, ready, verdict } from './ready.ts'
import { OUTPUT_RULES, type OutputOptions, outputText } from './text.ts'

/** How the length is measured, and between which bounds it should be. */
export interface LengthOptions extends OutputOptions {
  /** The least length that is long enough. */
  readonly min?: number
  /** The greatest length that is not too long. */
  readonly max?: number
  /** Characters are Unicode code points; words are what stands between white space. @default 'characters' */
  readonly unit?: 'characters' | 'words'
}

/**
 * Measures without bounds, judges with them: gives the answer's length as a number (column `length`), or, with `min` or `max`, `yes` when the
 * length lies within them, bounds included, else `no` (column `length_within`). No expectation is read.
 *
 * @throws TypeError, RangeError for options that do not fit
 */
export function length(options?: LengthOptions): ReadyScorer {
  const bounded = options?.min !== undefined || options?.max !== undefined
  const settings = settle(
    'length',
    options,
    { name: bounded ? 'length_within' : 'length', unit: 'characters' },
    { ...OUTPUT_RULES, min: integer(0), max: integer(0), unit: oneOf(['characters', 'words']) },
  )
  const { min = 0, max = Number.POSITIVE_INFINITY, unit } = settings
  if (min > max) throw new RangeError(`Cannot make length(): "min" must be at most "max", found ${min} and ${max}`)
  return ready('length', settings, (args) => {
    const text = outputText(args, settings)
    const count = unit === 'words' ? (text.match(/\S+/g)?.length ?? 0) : codePoints(text)
    if (!bounded) return { value: count }
    const found = plural(count, unit === 'words' ? 'word' : 'character')
    if (count < min) return verdict(false, `${found}, at least ${min} wanted`)
    if (count > max) return verdict(false, `${found}, at most ${max} wanted`)
    return verdict(true, found)
  })
}

function codePoints(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}
