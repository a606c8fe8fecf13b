import type { JudgeErrorCode } from '../judge.ts'
import type { Model, ModelAnswer, ModelMessage, ModelParameters } from '../model.ts'
import { clip } from '../std/text.ts'
import { type AnswerForm, answerSchema, answerText, isMisreading, readAnswer, type Verdict } from './answer.ts'

/** Asking a model for a verdict. */

/** Who is asked, and with what. */
export interface Asker {
  readonly model: Model
  readonly parameters: ModelParameters | undefined
  readonly signal: AbortSignal | undefined
  /** The judge's version, for the cache's key. */
  readonly judge: string
  readonly repeat: number | undefined
  /** Milliseconds for the verdict, and so for each of its calls; 0 or undefined: the model's own. */
  readonly timeoutMs: number | undefined
}

/** Says that a model answered, and that its answer is no verdict. */
export class Misjudged extends Error {
  override readonly name = 'Misjudged'
  readonly code: JudgeErrorCode
  /** The beginning of the answer. */
  readonly answer: string
  constructor(code: JudgeErrorCode, message: string, answer = '') {
    super(message)
    this.code = code
    this.answer = clip(answer, 300)
  }
}

/** What came of asking. */
export interface Asked extends Verdict {
  /** How often the model had to be asked: 2 where the first answer could not be used. */
  readonly attempts: number
}

/**
 * Asks for a verdict; where the answer cannot be read the model is told why and asked once more.
 * @throws Misjudged when no answer is a verdict, ModelError when there is no answer
 */
export async function askVerdict(messages: readonly ModelMessage[], form: AnswerForm, asker: Asker): Promise<Asked> {
  const first = await generate(messages, form, asker)
  const read = readAnswer(wholeText(first), form)
  if (!isMisreading(read)) return { ...read, attempts: 1 }
  const second = await generate([...messages, ...correction(first.text, read.message, form)], form, asker)
  const again = readAnswer(wholeText(second), form)
  if (!isMisreading(again)) return { ...again, attempts: 2 }
  throw new Misjudged(again.code, `${again.message} (asked twice)`, second.text)
}

function generate(messages: readonly ModelMessage[], form: AnswerForm, asker: Asker): Promise<ModelAnswer> {
  const { model, parameters, signal, judge, repeat, timeoutMs } = asker
  const schema = { name: 'verdict', schema: answerSchema(form) }
  // An answer that is no verdict must not be what a cache answers from then on.
  const accepts = ({ text }: ModelAnswer): boolean => !isMisreading(readAnswer(text, form))
  return model.generate(
    { messages, schema, judge, accepts, ...(parameters && { parameters }), ...(repeat !== undefined && { repeat }) },
    { signal, timeoutMs: timeoutMs || undefined },
  )
}

/** Gives the messages that ask again; an empty message is none that an endpoint would take. */
export function correction(text: string, problem: string, form: AnswerForm): ModelMessage[] {
  const content = `That answer cannot be used: ${problem}. Answer again. ${answerText(form)}`
  const earlier: ModelMessage[] = text.trim() === '' ? [] : [{ role: 'assistant', content: clip(text, 4_000) }]
  return [...earlier, { role: 'user', content }]
}

/** Gives the text of an answer that came to its proper end. @throws Misjudged for any other: not even a whole object in it counts */
export function wholeText({ finishReason, refusal, text }: ModelAnswer): string {
  switch (finishReason) {
    case 'stop':
      if (refusal) throw new Misjudged('REFUSED', `the model refused: ${clip(refusal, 200)}`, text)
      return text
    case 'length':
      throw new Misjudged(
        'TRUNCATED',
        'the answer was cut off at its greatest length (raise parameters.maxTokens)',
        text,
      )
    case 'refusal':
      throw new Misjudged('REFUSED', `the model refused${refusal ? `: ${clip(refusal, 200)}` : ''}`, text)
    case 'content_filter':
      throw new Misjudged('CONTENT_FILTERED', "the endpoint's content filter held the answer back", text)
    case 'tool_calls':
      throw new Misjudged('UNFINISHED', 'the model asked for a tool instead of answering', text)
    case 'other':
      throw new Misjudged('UNFINISHED', 'the answer ended for a reason that is not known', text)
  }
}

/** Waits for all before it throws what the first of them threw: calls that go on after the verdict would be counted nowhere. */
export async function allOf<T>(pending: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(pending)
  return Promise.all(pending)
}
