import { quote } from '../errors.ts'
import type { Feedback, FeedbackInit } from '../feedback.ts'
import type { Judge, JudgeArgs, JudgeOptions } from '../judge.ts'
import { type AnswerFields, answerForm, answerText } from './answer.ts'
import { askVerdict } from './ask.ts'
import { blockRule, blocksOf, type Field } from './block.ts'
import { Unjudged } from './fields.ts'
import { feedbackOf, makeKind } from './judging.ts'
import { fillTemplate, requireVariables } from './template.ts'
import { domainOf } from './values.ts'

/** What `customPromptJudge()` takes. */
export interface CustomPromptJudgeOptions extends JudgeOptions {
  readonly name: string
  /** Your prompt, with variables such as `{{ request }}`, and every category that may be chosen in double brackets: `[[formal]]: …`. */
  readonly promptTemplate: string
  /** What each category counts; the Feedback's value is then this number, and the category stands in its metadata as `string_value`. */
  readonly numericValues?: Readonly<Record<string, number>>
  /** Names of the fields of the answer, where your prompt speaks of others than `rationale` and `value`. */
  readonly answerFields?: AnswerFields
}

/**
 * A judge with a prompt of its own. Called by itself it takes the template's variables; in a list of scorers the template finds `inputs`, `outputs`,
 * `expectations` and `tags` of the row.
 */
export interface CustomPromptJudge extends Judge {
  (variables: Readonly<Record<string, unknown>>): Promise<Feedback>
}

/**
 * Makes a judge that chooses one of the categories named in its prompt.
 *
 * @example
 * const formality = customPromptJudge({
 *   name: 'formality',
 *   promptTemplate: 'How formal is this?\n{{ response }}\n[[formal]]: very formal\n[[casual]]: anything else',
 *   numericValues: { formal: 1, casual: 0 },
 * })
 * await formality({ response: 'Hi there!' })
 * @throws TypeError for a template without variables or categories, for numbers of other categories, and for options that do not fit
 */
export function customPromptJudge(options: CustomPromptJudgeOptions): CustomPromptJudge {
  const where = 'Cannot make customPromptJudge()'
  const { promptTemplate, numericValues, answerFields, ...rest } = options ?? {}
  if (typeof rest.name !== 'string' || rest.name === '')
    throw new TypeError(`${where}: "name" must be a string that is not empty, found ${quote(rest.name)}`)
  const variables = requireVariables(promptTemplate, `${where}: "promptTemplate"`)
  const choices = choicesOf(promptTemplate)
  if (choices.length === 0)
    throw new TypeError(
      `${where}: "promptTemplate" names no category\nHint: write each in double brackets, [[formal]]: …`,
    )
  const domain = domainOf(choices, `${where}: "promptTemplate"`)
  if (numericValues !== undefined) requireNumbers(numericValues, choices, `${where}: "numericValues"`)
  const form = answerForm(domain, answerFields, `${where}: "answerFields"`)
  return makeKind<FeedbackInit>('customPromptJudge', rest, {
    name: rest.name,
    digest: [promptTemplate, form, numericValues ?? null],
    own: { promptTemplate, numericValues, answerFields },
    asGiven: true,
    judge: async (args, asker, own) => {
      const blocks = blocksOf(
        promptTemplate,
        variables.map((name) => variableField(args, name, own)),
      )
      const prompt = fillTemplate(promptTemplate, blocks.text)
      const rules = [blockRule(blocks.tag), 'A category is named without its brackets.', answerText(form)]
      const asked = await askVerdict(
        [
          { role: 'system', content: rules.join('\n\n') },
          { role: 'user', content: `${prompt.trim()}\n\n${answerText(form)}` },
        ],
        form,
        asker,
      )
      const { value, metadata, rationale } = feedbackOf(asked, blocks)
      if (!numericValues) return { value, rationale, metadata }
      const choice = String(value)
      return { value: numericValues[choice] ?? null, rationale, metadata: { ...metadata, string_value: choice } }
    },
  }) as CustomPromptJudge
}

/** Gives the categories of a template, each once, in order. */
function choicesOf(template: string): string[] {
  const found = Array.from(template.matchAll(/\[\[([\p{L}\p{N}_ -]+)\]\]/gu), ([, choice]) => (choice as string).trim())
  return [...new Set(found)].filter((choice) => choice !== '')
}

function requireNumbers(numbers: Readonly<Record<string, unknown>>, choices: readonly string[], what: string): void {
  if (typeof numbers !== 'object' || numbers === null)
    throw new TypeError(`${what} must be an object of numbers, found ${quote(numbers)}`)
  const keys = Object.keys(numbers)
  const odd = [...keys.filter((key) => !choices.includes(key)), ...choices.filter((choice) => !keys.includes(choice))]
  if (odd.length > 0) {
    const names = (list: readonly string[]) => list.map(quote).join(', ')
    throw new TypeError(
      `${what} must have exactly the categories of the template, ${names(choices)}; found ${names(keys)}`,
    )
  }
  const wrong = keys.find((key) => !Number.isFinite(numbers[key]))
  if (wrong !== undefined)
    throw new TypeError(`${what}: ${quote(wrong)} must be a finite number, found ${quote(numbers[wrong])}`)
}

function variableField(args: JudgeArgs, name: string, own: string): Field {
  const given = (args as Readonly<Record<string, unknown>>)[name]
  const value = name === 'expectations' && given instanceof Object ? unlabelled(given, own) : given
  if (value === undefined || value === null)
    throw new Unjudged('INPUTS_MISSING', `the template's variable ${quote(name)} was not given`)
  return { name, value }
}

/** As with `makeJudge()`: what people said in its place is not for it to read. */
function unlabelled(expectations: object, own: string): object {
  return Object.fromEntries(Object.entries(expectations).filter(([name]) => name !== own))
}
