import { quote } from '../errors.ts'
import type { Feedback, FeedbackInit } from '../feedback.ts'
import type { Judge, JudgeOptions } from '../judge.ts'
import { answerForm } from './answer.ts'
import { type Asker, allOf } from './ask.ts'
import type { Field } from './block.ts'
import { expectedField, inputsField, outputsField } from './fields.ts'
import { askAbout, makeKind } from './judging.ts'

/** What `pairwiseJudge()` takes. */
export interface PairwiseJudgeOptions extends JudgeOptions {
  /** What makes one answer better than another, in your words. @default helpfulness, truth and clarity */
  readonly criteria?: string
  /** Which expectation holds the other answer. @default 'baseline_response' */
  readonly baseline?: string
}

const CHOICES = ['first', 'second', 'tie'] as const
type Choice = (typeof CHOICES)[number]
const FORM = answerForm({ kind: 'category', choices: CHOICES })
const SCORES = { win: 1, tie: 0.5, loss: 0 } as const

/**
 * Compares the outputs with another answer: 1 where they are better, 0 where they are worse, 0.5 for a tie, so that the mean is the rate of wins with
 * ties as halves. Column `pairwise`; the word stands in the metadata as `string_value`.
 *
 * A judge may prefer what it reads first, so it is asked twice, once in each order. When the two verdicts differ it is a tie, and the column
 * `pairwise/consistent` says `no`.
 *
 * @throws TypeError for options that do not fit
 */
export function pairwiseJudge(options: PairwiseJudgeOptions = {}): Judge<readonly Feedback[]> {
  const { criteria = CRITERIA, baseline = 'baseline_response', ...rest } = options ?? {}
  for (const [key, value] of Object.entries({ criteria, baseline })) {
    if (typeof value !== 'string' || value === '')
      throw new TypeError(
        `Cannot make pairwiseJudge(): "${key}" must be a string that is not empty, found ${quote(value)}`,
      )
  }
  const task = `${TASK}\n\nWhat counts: ${criteria}`
  return makeKind<readonly FeedbackInit[]>('pairwiseJudge', rest, {
    name: 'pairwise',
    digest: [task, baseline],
    own: { criteria, baseline },
    columns: ['consistent'],
    judge: async (args, asker, name) => {
      const inputs = inputsField(args)
      const ours = outputsField(args).value
      const theirs = expectedField(args, baseline).value
      const [forth, back] = await allOf([
        preferred(task, inputs, ours, theirs, asker),
        preferred(task, inputs, theirs, ours, asker),
      ])
      const orders = [forth?.choice as Choice, turned(back?.choice as Choice)]
      const consistent = orders[0] === orders[1]
      const word = consistent ? WORDS[orders[0] as Choice] : 'tie'
      const rationale = `This answer first: ${forth?.rationale}\nThe other first: ${back?.rationale}`
      const said = orders.map((choice) => WORDS[choice as Choice]).join(', then ')
      return [
        { value: SCORES[word], rationale, metadata: { string_value: word } },
        {
          name: `${name}/consistent`,
          value: consistent ? 'yes' : 'no',
          rationale: consistent ? `${word} in both orders` : `${said} in the other order`,
        },
      ]
    },
  })
}

const WORDS = { first: 'win', second: 'loss', tie: 'tie' } as const

function turned(choice: Choice): Choice {
  return choice === 'tie' ? choice : choice === 'first' ? 'second' : 'first'
}

async function preferred(task: string, inputs: Field, first: unknown, second: unknown, asker: Asker) {
  const fields = [inputs, { name: 'first', value: first }, { name: 'second', value: second }]
  const { value, rationale } = await askAbout(task, fields, FORM, asker)
  return { choice: value as Choice, rationale }
}

const CRITERIA =
  'how well it helps with the request, whether it is true, whether it is clear. Length and polish alone do not count.'

const TASK = `Decide which of two answers to the same request is better.

"inputs" is the request, "first" and "second" are the answers. Their order says nothing about them. Compare what they say, point by point.

- "first": the first is better.
- "second": the second is better.
- "tie": neither is better, or the difference is trifling.`
