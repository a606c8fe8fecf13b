import type { Judge, JudgeOptions } from '../judge.ts'
import { outputsField } from './fields.ts'
import { readyJudge } from './judging.ts'

/** Gives `yes` when the outputs read as a skilled writer of their language would write them, else `no`. Reads `outputs`. Column `fluency`. */
export function Fluency(options?: JudgeOptions): Judge {
  return readyJudge('Fluency', options, {
    name: 'fluency',
    task: TASK,
    fields: (args) => [outputsField(args)],
  })
}

const TASK = `Decide whether a text is fluent, in the language that it is written in.

The text is in "outputs". Look at grammar and spelling; at whether it sounds natural; at how sentences follow from each other; at whether it
keeps repeating the same phrase or pattern.

- "yes": it reads easily, with at most slips that do not disturb.
- "no": faults in one of these disturb the reading, or it breaks off in the middle. Quote the worst one.

Whether the text is true or useful does not count. Lists, code and short answers are fluent when they are well-formed.`
