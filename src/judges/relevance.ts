import type { Judge, JudgeOptions } from '../judge.ts'
import { inputsField, outputsField } from './fields.ts'
import { readyJudge } from './judging.ts'

/** Gives `yes` when the answer speaks to the question, at least in part, else `no`. Reads `inputs` and `outputs`. Column `relevance_to_query`. */
export function RelevanceToQuery(options?: JudgeOptions): Judge {
  return readyJudge('RelevanceToQuery', options, {
    name: 'relevance_to_query',
    task: TASK,
    fields: (args) => [inputsField(args), outputsField(args)],
  })
}

const TASK = `Decide whether the answer is relevant to the question.

"inputs" is what the application was asked, perhaps a whole chat, of which the last request counts. "outputs" is what it answered.

- "yes": at least a part of the answer gives information, or takes a step, that the request calls for. A justified refusal and a question
  that is needed to go on are relevant.
- "no": nothing in the answer has to do with the request, or it merely repeats it.

Whether the answer is true does not count here.`
