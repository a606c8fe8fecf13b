import type { Judge, JudgeOptions } from '../judge.ts'
import { inputsField, outputsField } from './fields.ts'
import { readyJudge } from './judging.ts'

/** Gives `yes` when everything that was asked for is addressed, else `no`. Reads `inputs` and `outputs`. Column `completeness`. */
export function Completeness(options?: JudgeOptions): Judge {
  return readyJudge('Completeness', options, {
    name: 'completeness',
    task: TASK,
    fields: (args) => [inputsField(args), outputsField(args)],
  })
}

const TASK = `Decide whether the answer is complete.

"inputs" is what the application was asked, perhaps a whole chat, of which the last request counts. "outputs" is what it answered.
First list every explicit request and question in it, one by one. Then check for each whether the answer deals with it.

- "yes": each of them is dealt with. One that is refused for a stated good reason, or answered by a question that is needed to go on, is dealt with.
- "no": at least one of them is passed over or left half done. Name it.

Requests that nobody made do not count, nor does whether the answer is true.`
