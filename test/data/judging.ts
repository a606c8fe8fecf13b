import {
  type FinishReason,
  type Model,
  type ModelAnswer,
  type ModelContext,
  type ModelRequest,
  withModels,
} from '../../src/model.ts'

/** Judges with a model at hand that says what it is told to. */

/** An answer: its text, or more of it; a function is asked; what is an Error is thrown. */
export type Said = string | Error | Partial<ModelAnswer> | ((request: ModelRequest, nth: number) => Said)

export interface Scripted extends Model {
  readonly requests: readonly ModelRequest[]
  readonly contexts: readonly (ModelContext | undefined)[]
}

/** Gives a model that answers one thing after the other, the last one for ever. */
export function scripted(...answers: readonly Said[]): Scripted {
  const requests: ModelRequest[] = []
  const contexts: (ModelContext | undefined)[] = []
  return {
    address: 'test:/scripted',
    identity: { provider: 'test', model: 'scripted' },
    requests,
    contexts,
    async generate(request, context) {
      const nth = requests.push(request) - 1
      contexts.push(context)
      let said = answers[Math.min(nth, answers.length - 1)] ?? ''
      while (typeof said === 'function') said = said(request, nth)
      if (said instanceof Error) throw said
      return whole(typeof said === 'string' ? { text: said } : said)
    },
  }
}

function whole(answer: Partial<ModelAnswer>): ModelAnswer {
  const finishReason: FinishReason = answer.toolCalls ? 'tool_calls' : 'stop'
  return { text: '', finishReason, toolCalls: [], model: 'scripted', ...answer }
}

/** The text of a verdict. */
export function verdict(value: unknown, rationale: unknown = 'because'): string {
  return JSON.stringify({ rationale, value })
}

/** Runs with a model as the one in force; what is chosen otherwise is taken as it is. */
export function asking<T>(model: Model, fn: () => T): T {
  return withModels({ resolve: (choice) => (choice === undefined ? model : (choice as Model)) }, fn)
}
