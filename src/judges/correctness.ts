import type { Judge, JudgeOptions } from '../judge.ts'
import { inputsField, outputsField, truthField } from './fields.ts'
import { readyJudge } from './judging.ts'

/**
 * Gives `yes` when the answer says what is expected, else `no`. Reads `inputs`, `outputs` and one of the expectations `expected_response` and
 * `expected_facts`. Column `correctness`.
 */
export function Correctness(options?: JudgeOptions): Judge {
  return readyJudge('Correctness', options, {
    name: 'correctness',
    task: TASK,
    fields: (args) => [inputsField(args), outputsField(args), truthField(args)],
  })
}

const TASK = `Decide whether the answer is correct, measured by the truth that is given.

"inputs" is what the application was asked, "outputs" what it answered. The truth is in "expected_response" (an answer that is right) or in
"expected_facts" (statements that have to be there).

- "yes": everything in the truth follows from the answer, read together with the question, in whatever words.
- "no": something in the truth is missing from the answer, or the answer contradicts it.

The truth is right even where you know better. What the answer says beyond the truth does not count, unless it contradicts it. Style and
length do not count. Name what is missing or contradicted.`
