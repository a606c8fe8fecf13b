import { quote } from '../errors.ts'
import { type Model, type ModelClient, ModelError, type ModelFunction } from '../model.ts'
import { bounded, ChatModel } from './client.ts'
import { abortedError, toModelError } from './failure.ts'

/** Models that users bring along: a function, or a client of their own. */

const TIMEOUT_MS = 120_000

/** Makes a model of a function that takes messages and gives the answer's text. */
export function functionModel(fn: ModelFunction): Model {
  const name = fn.name || 'anonymous'
  const address = `function:/${name}`
  return {
    address,
    identity: { provider: 'function', name },
    opaque: true,
    async generate(request, context = {}) {
      const { signal, timeoutMs = TIMEOUT_MS } = context
      try {
        const text = await bounded(
          async (inner) => fn(request.messages, { ...request, signal: inner, timeoutMs }),
          timeoutMs,
          signal,
        )
        if (typeof text !== 'string')
          throw new ModelError(
            'MALFORMED_RESPONSE',
            `Cannot use the answer of ${address}: expected a string, found ${quote(text)}`,
          )
        return { text, finishReason: 'stop', toolCalls: [], model: address }
      } catch (thrown) {
        if (signal?.aborted) throw abortedError(address, signal)
        throw toModelError(thrown, { address, secrets: [] })
      }
    },
  }
}

/**
 * Makes a model of any client that has `chat.completions.create`, such as one of the `openai` package or a traced one.
 * Let it retry nothing (`maxRetries: 0`): calls are repeated here, where limits are kept.
 */
export function clientModel({ client, model }: ModelClient): Model {
  const baseURL = (client as { baseURL?: unknown }).baseURL
  const shown = typeof baseURL === 'string' && URL.canParse(baseURL) ? new URL(baseURL) : undefined
  const key = (client as { apiKey?: unknown }).apiKey
  return new ChatModel({
    address: `openai:/${model}`,
    identity: { provider: 'client', baseURL: shown ? `${shown.origin}${shown.pathname}` : '', model },
    model,
    client: () => client,
    secrets: typeof key === 'string' ? [key] : [],
  })
}

/** True for `{ client, model }`. */
export function isModelClient(value: unknown): value is ModelClient {
  const { client, model } = (value ?? {}) as Partial<ModelClient>
  return typeof client?.chat?.completions?.create === 'function' && typeof model === 'string' && model !== ''
}
