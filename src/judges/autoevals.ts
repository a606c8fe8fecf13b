import { quote } from '../errors.ts'
import { type FeedbackInit, feedback, type GivenFeedback, type Primitive } from '../feedback.ts'
import { type FunctionScorer, type ScorerArgs, type ScorerOptions, scorer } from '../scorer.ts'

/** A scorer of the package `autoevals`, or any function of the same shape. */
export type AutoevalsScorer = (args: any) => AutoevalsScore | Promise<AutoevalsScore>

/** What such a scorer gives: 0 to 1, or null where it has nothing to say. */
export interface AutoevalsScore {
  readonly name: string
  readonly score: number | null
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly error?: unknown
}

/** How a scorer of `autoevals` is called. */
export interface AutoevalsOptions extends Omit<ScorerOptions, 'level'> {
  /** Which expectation it gets as `expected`. @default 'expected_response' */
  readonly expectation?: string
  /** Picks its `input` and `output` out of structured data. */
  readonly input?: (inputs: any) => unknown
  readonly output?: (outputs: any) => unknown
  /** What else it is called with, such as `{ model: 'gpt-4.1-mini' }`. */
  readonly args?: Readonly<Record<string, unknown>>
}

/**
 * Makes a scorer of one from the package `autoevals`, which is called as it is: `input`, `output` and `expected` come from the row's inputs, outputs and
 * the expectation `expected_response`; its score becomes the value, a rationale in its metadata the rationale. Which model it asks, and at what
 * limits, is its own affair (`init({ client })` of that package).
 *
 * @example
 * import { Factuality } from 'autoevals'
 * await evaluate(rows, predict, [fromAutoevals(Factuality)])
 * @throws TypeError for what is no function, and for options that do not fit
 */
export function fromAutoevals(
  given: AutoevalsScorer,
  options: AutoevalsOptions = {},
): FunctionScorer<any, any, GivenFeedback> {
  if (typeof given !== 'function')
    throw new TypeError(`Cannot make fromAutoevals(): expected a scorer of autoevals, found ${quote(given)}`)
  const { expectation = 'expected_response', input, output, args, ...rest } = options
  const name = rest.name ?? given.name
  return scorer<any, any, GivenFeedback>({ ...rest, name }, async (row: ScorerArgs) => {
    const score = await given({
      ...args,
      input: input ? input(row.inputs) : row.inputs,
      output: output ? output(row.outputs) : row.outputs,
      expected: row.expectations?.[expectation],
    })
    return feedback(toInit(score))
  })
}

function toInit(given: AutoevalsScore): FeedbackInit {
  if (typeof given !== 'object' || given === null || !('score' in given))
    throw new TypeError(`expected { name, score, metadata }, found ${quote(given)}`)
  const { score, error, metadata } = given
  if (error !== undefined && error !== null) return { error: error instanceof Error ? error : String(error) }
  const entries = Object.entries(metadata ?? {})
  const said = entries.find(([key, value]) => key === 'rationale' && typeof value === 'string')
  const kept = entries.filter(
    (entry): entry is [string, Primitive] =>
      entry !== said && (['boolean', 'string'].includes(typeof entry[1]) || Number.isFinite(entry[1])),
  )
  return {
    value: score,
    ...(said && { rationale: String(said[1]) }),
    ...(kept.length > 0 && { metadata: Object.fromEntries(kept) }),
  }
}
