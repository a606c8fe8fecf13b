import type { Model, ModelAnswer, ModelContext, ModelRequest } from '../../src/model.ts'

/** A model in the process, whose every request is kept. */
export function scripted(
  answer: (
    request: ModelRequest,
    nth: number,
    context: ModelContext,
  ) => Partial<ModelAnswer> | Promise<Partial<ModelAnswer>> = () => ({}),
  identity: Readonly<Record<string, string>> = { provider: 'test', baseURL: 'http://here/v1', model: 'm' },
): Model & { readonly asked: ModelRequest[] } {
  const asked: ModelRequest[] = []
  return {
    address: 'test:/m',
    identity,
    asked,
    async generate(request, context = {}) {
      const nth = asked.push(request) - 1
      const given = await answer(request, nth, context)
      return { text: `answer ${nth}`, finishReason: 'stop', toolCalls: [], model: 'm', ...given }
    },
  }
}

export const ask = (content = 'Is it?'): ModelRequest => ({ messages: [{ role: 'user', content }] })
