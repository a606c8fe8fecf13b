import { quote } from '../errors.ts'
import type { Judge, JudgeArgs, JudgeOptions } from '../judge.ts'
import type { Field } from './block.ts'
import { expectedField, numbered, outputsField, Unjudged } from './fields.ts'
import { readyJudge } from './judging.ts'

/** What `Guidelines()` takes. */
export interface GuidelinesOptions extends JudgeOptions {
  /** One rule, or several of which each has to be met: `'The response must be in English'`. */
  readonly guidelines: string | readonly string[]
}

/**
 * Gives `yes` when the outputs meet every guideline, else `no`; a guideline that does not apply counts as met. Reads `outputs`, and
 * `inputs` where there are any. Column `guidelines`, so two of them in one list need a `name` each.
 *
 * @throws TypeError where there are no guidelines, or they are no text
 */
export function Guidelines(options: GuidelinesOptions): Judge {
  const { guidelines, ...rest } = options ?? {}
  return readyJudge('Guidelines', rest, {
    name: 'guidelines',
    own: { guidelines },
    task: `${GUIDELINES}\n\nThe guidelines:\n${guidelineList('Guidelines', guidelines)}`,
    fields: (args) => [...givenInputs(args), outputsField(args)],
  })
}

/**
 * Gives `yes` when the outputs meet every guideline of their own row, the expectation `guidelines` (one text or a list), else `no`.
 * Column `expectations_guidelines`.
 */
export function ExpectationsGuidelines(options?: JudgeOptions): Judge {
  return readyJudge('ExpectationsGuidelines', options, {
    name: 'expectations_guidelines',
    task: `${GUIDELINES}\n\nThe guidelines are in "guidelines".`,
    fields: (args) => [...givenInputs(args), outputsField(args), ownGuidelines(args)],
  })
}

/** Gives a numbered list of what a developer wrote. @throws TypeError where it is nothing, or no text */
export function guidelineList(factory: string, guidelines: unknown): string {
  const list: readonly unknown[] = Array.isArray(guidelines) ? guidelines : [guidelines]
  const odd = list.find((one) => typeof one !== 'string' || one.trim() === '')
  if (list.length === 0 || list.includes(odd))
    throw new TypeError(
      `Cannot make ${factory}(): "guidelines" must be text or a list of texts, found ${quote(list.length === 0 ? guidelines : odd)}`,
    )
  return list.map((one, i) => `${i + 1}. ${one}`).join('\n')
}

function givenInputs({ inputs }: JudgeArgs): Field[] {
  return inputs === undefined || inputs === null ? [] : [{ name: 'inputs', value: inputs }]
}

function ownGuidelines(args: JudgeArgs): Field {
  const { value } = expectedField(args, 'guidelines')
  const list = Array.isArray(value) ? value : [value]
  if (list.length === 0) throw new Unjudged('EXPECTATION_MISSING', 'expectation "guidelines" is an empty list')
  return { name: 'guidelines', value: numbered(list, 'expectation "guidelines"') }
}

export const GUIDELINES = `Decide whether an answer of an application meets a list of guidelines.

"outputs" is the answer, "inputs" is what it was asked, where that is known. Check the answer against each guideline by itself, exactly as it is
worded, neither stricter nor milder.

- "yes": every guideline is met. One that does not apply here is met.
- "no": at least one is not met. Name it and the passage that breaks it, or what is missing.

Only the guidelines count, not whether the answer is good in other respects.`
