import type { Judge, JudgeOptions } from '../judge.ts'
import { expectedField, outputsField } from './fields.ts'
import { byCode, readyJudge } from './judging.ts'

/**
 * Gives `yes` when the outputs say the same as the expectation `expected_response`, in the same form, else `no`. Equal numbers (to nine digits)
 * and equal texts need no model. Column `equivalence`.
 */
export function Equivalence(options?: JudgeOptions): Judge {
  return readyJudge('Equivalence', options, {
    name: 'equivalence',
    task: TASK,
    fields: (args) => [outputsField(args), expectedField(args, 'expected_response')],
    settle: (_args, [outputs, wanted]) => {
      if (sameNumber(outputs?.value, wanted?.value)) return byCode('yes', 'equal numbers')
      return outputs?.value === wanted?.value ? byCode('yes', 'equal texts') : undefined
    },
  })
}

/** As near as rounding makes them: a relative distance of 1e-9. */
function sameNumber(a: unknown, b: unknown): boolean {
  if (typeof a !== 'number' || typeof b !== 'number') return false
  return a === b || Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b))
}

const TASK = `Decide whether two outputs are equivalent.

"outputs" is what an application gave, "expected_response" what it was expected to give.

- "yes": they mean the same, and they have the same form: both a sentence, both a list, both the same kind of data. Wording, order of things
  without an order, spacing and case do not count.
- "no": one says something that the other does not, they differ in a name, a number or a condition, or they differ in form. Name the difference.`
