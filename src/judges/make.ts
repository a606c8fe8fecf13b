import { quote } from '../errors.ts'
import type { FeedbackInit } from '../feedback.ts'
import type { Judge, JudgeArgs, JudgeOptions } from '../judge.ts'
import { encodeSpans } from '../trace.ts'
import { type AnswerFields, type AnswerForm, answerForm } from './answer.ts'
import type { Asker } from './ask.ts'
import { blocksOf, type Field } from './block.ts'
import { conversationOf, conversationText } from './conversation.ts'
import { expectationsField, inputsField, outputsField, sessionOf, traceOf } from './fields.ts'
import { askAbout, feedbackOf, makeKind, promptOf } from './judging.ts'
import { fillTemplate, requireVariables } from './template.ts'
import { domainOf, type FeedbackValueType, valueTypeOf } from './values.ts'
import { WALK_RULE, walkTrace } from './walk.ts'

/** What `makeJudge()` takes. */
export interface MakeJudgeOptions extends JudgeOptions {
  readonly name: string
  /**
   * What to judge and how, in your words. They name what is shown: `{{ inputs }}`, `{{ outputs }}`, `{{ expectations }}`; or `{{ trace }}`, which the judge
   * looks through with tools; or `{{ conversation }}`, which makes it a judge of sessions and goes with `{{ expectations }}` only.
   */
  readonly instructions: string
  /** What it may say: `'boolean'`, `'number'`, `{ min: 1, max: 5, integer: true }`, `['good', 'poor']`, or a zod schema of these. */
  readonly feedbackValueType: FeedbackValueType
  /** Names of the fields of the answer, where your instructions speak of others than `rationale` and `value`. */
  readonly answerFields?: AnswerFields
}

const VARIABLES = ['inputs', 'outputs', 'expectations', 'conversation', 'trace'] as const

/**
 * Makes a judge from instructions.
 *
 * @example
 * const polite = makeJudge({
 *   name: 'polite',
 *   instructions: 'How polite is {{ outputs }} as an answer to {{ inputs }}?',
 *   feedbackValueType: { min: 1, max: 5, integer: true },
 * })
 * @throws TypeError for instructions that name nothing or something unknown, for a value type that is none, and for options that do not fit
 */
export function makeJudge(options: MakeJudgeOptions): Judge {
  const where = 'Cannot make makeJudge()'
  const { instructions, feedbackValueType, answerFields, ...rest } = options ?? {}
  if (typeof rest.name !== 'string' || rest.name === '')
    throw new TypeError(`${where}: "name" must be a string that is not empty, found ${quote(rest.name)}`)
  const names = requireVariables(instructions, `${where}: "instructions"`, VARIABLES)
  const session = names.includes('conversation')
  const stray = session && names.find((name) => name !== 'conversation' && name !== 'expectations')
  if (stray)
    throw new TypeError(`${where}: {{ conversation }} does not go with {{ ${stray} }}, only with {{ expectations }}`)
  const domain = domainOf(feedbackValueType, `${where}: "feedbackValueType"`)
  const form = answerForm(domain, answerFields, `${where}: "answerFields"`)
  const walks = names.includes('trace')
  const words = fillTemplate(instructions, (name) => (name === 'trace' ? 'the trace' : `the material ${quote(name)}`))
  const task = walks ? `${words}\n\n${WALK_RULE}` : words
  return makeKind<FeedbackInit>('makeJudge', rest, {
    name: rest.name,
    level: session ? 'session' : 'trace',
    digest: [task, form],
    own: { instructions, feedbackValueType: valueTypeOf(domain), answerFields },
    judge: async (given, asker, name) => {
      const args = withoutLabel(given, name)
      const fields = names.filter((name) => name !== 'trace').map((name) => FIELDS[name as Shown](args))
      return walks ? walk(task, fields, form, args, asker) : askAbout(task, fields, form, asker)
    },
  })
}

/** An expectation called like the judge is what people said in its place: it must not read their verdict before it gives its own. */
function withoutLabel({ expectations, ...args }: JudgeArgs, name: string): JudgeArgs {
  const { [name]: _, ...rest } = expectations ?? {}
  return { ...args, expectations: rest }
}

async function walk(
  task: string,
  fields: readonly Field[],
  form: AnswerForm,
  args: JudgeArgs,
  asker: Asker,
): Promise<FeedbackInit> {
  const trace = traceOf(args)
  // What the tools are going to show has a part in the boundary: nothing in the trace can know it.
  const blocks = blocksOf(`${task}\n${encodeSpans(trace.spans)}`, fields)
  const asked = await walkTrace(
    trace,
    promptOf(task, blocks, form, 'Look at the trace, then judge.'),
    blocks,
    form,
    asker,
  )
  const { metadata, ...feedback } = feedbackOf(asked, blocks)
  return { ...feedback, metadata: { ...metadata, looks: asked.looks } }
}

type Shown = Exclude<(typeof VARIABLES)[number], 'trace'>

const FIELDS: Readonly<Record<Shown, (args: JudgeArgs) => Field>> = {
  inputs: inputsField,
  outputs: outputsField,
  expectations: expectationsField,
  conversation: (args) => ({ name: 'conversation', value: conversationText(conversationOf(sessionOf(args)), true) }),
}
