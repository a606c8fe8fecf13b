import type { Judge, JudgeOptions } from '../judge.ts'
import { inputsField, outputsField } from './fields.ts'
import { readyJudge } from './judging.ts'

/** Gives `yes` when the outputs are a good summary of the inputs, else `no`. Reads `inputs` (the document) and `outputs`. Column `summarization`. */
export function Summarization(options?: JudgeOptions): Judge {
  return readyJudge('Summarization', options, {
    name: 'summarization',
    task: TASK,
    fields: (args) => [inputsField(args), outputsField(args)],
  })
}

const TASK = `Decide whether a summary is good.

"inputs" holds the document, and perhaps what was asked for; "outputs" is the summary. Check each of these:
1. Faithful: it says nothing that the document does not say, and changes no name, number or relation.
2. Covering: every main point of the document is in it.
3. Concise: it is clearly shorter, without repetition and side issues.
4. Clear: it can be understood without the document.

- "yes": it holds in all four, but for trifles.
- "no": it fails in at least one. Name which, and the passage.

Where the inputs ask for a certain focus or length, measure 2 and 3 by that.`
