import type { ModelUsage } from '../meter.ts'
import {
  type FinishReason,
  type LanguageModel,
  type Model,
  type ModelAnswer,
  ModelError,
  type ModelMessage,
  type ModelRequest,
  type ModelToolCall,
} from '../model.ts'
import { bounded } from './client.ts'
import { abortedError, toModelError } from './failure.ts'

/**
 * A model of the Vercel AI SDK as a judge's model. Nothing of the SDK is imported: what counts is the shape of its language model
 * specification, version 2 or 3.
 */

const TIMEOUT_MS = 120_000

/** Makes a model of a Vercel AI SDK model, such as `anthropic('claude-sonnet-4-5')`. */
export function languageModel(model: LanguageModel): Model {
  const address = `${model.provider}:/${model.modelId}`
  return {
    address,
    identity: { provider: `ai-sdk ${model.provider}`, baseURL: urlOf(model), model: model.modelId },
    async generate(request, context = {}) {
      const { signal, timeoutMs = TIMEOUT_MS } = context
      try {
        const result = await bounded(
          (inner) => model.doGenerate({ ...callOptions(request), abortSignal: inner }),
          timeoutMs,
          signal,
        )
        return answerOf(address, result)
      } catch (thrown) {
        if (signal?.aborted) throw abortedError(address, signal)
        throw toModelError(sdkError(thrown), { address, secrets: [] })
      }
    },
  }
}

/** Where the SDK's own providers keep their URL: the specification has no place for it. */
function urlOf(model: LanguageModel): string {
  try {
    const { config } = model as { config?: { baseURL?: unknown; url?: (options: object) => unknown } }
    const url = config?.baseURL ?? config?.url?.({ path: '', modelId: model.modelId })
    const { origin, pathname } = new URL(String(url))
    return `${origin}${pathname}`
  } catch {
    return ''
  }
}

/** The SDK's errors have their own names for what others call status and headers. */
function sdkError(thrown: unknown): unknown {
  const { statusCode, responseHeaders, isRetryable } = (thrown ?? {}) as Record<string, any>
  if (statusCode === undefined && isRetryable === true)
    return Object.assign(new Error((thrown as Error).message), { code: 'ECONNRESET' })
  if (statusCode === undefined) return thrown
  return Object.assign(new Error((thrown as Error).message), { status: statusCode, headers: responseHeaders })
}

function callOptions({ messages, schema, tools, parameters = {} }: ModelRequest): object {
  const { temperature, topP, maxTokens, seed, reasoningEffort } = parameters
  return {
    prompt: messages.map((message) => promptMessage(message, messages)),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(maxTokens !== undefined && { maxOutputTokens: maxTokens }),
    ...(seed !== undefined && { seed }),
    ...(reasoningEffort !== undefined && { providerOptions: { openai: { reasoningEffort } } }),
    ...(schema && { responseFormat: { type: 'json', schema: schema.schema, name: schema.name } }),
    ...(tools?.length && {
      tools: tools.map(({ name, description, parameters: inputSchema }) => ({
        type: 'function',
        name,
        description,
        inputSchema,
      })),
      toolChoice: { type: 'auto' },
    }),
  }
}

function promptMessage(message: ModelMessage, all: readonly ModelMessage[]): object {
  const { role, content, toolCalls = [], toolCallId = '' } = message
  const text = { type: 'text', text: content }
  switch (role) {
    case 'system':
      return { role, content }
    case 'user':
      return { role, content: [text] }
    case 'assistant': {
      const calls = toolCalls.map((call) => ({
        type: 'tool-call',
        toolCallId: call.id,
        toolName: call.name,
        input: parsed(call.arguments),
      }))
      return { role, content: [...(content === '' ? [] : [text]), ...calls] }
    }
    case 'tool': {
      const call = all.flatMap(({ toolCalls: made = [] }) => made).find(({ id }) => id === toolCallId)
      const output = { type: 'text', value: content }
      return { role, content: [{ type: 'tool-result', toolCallId, toolName: call?.name ?? '', output }] }
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const FINISH: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  length: 'length',
  'content-filter': 'content_filter',
  'tool-calls': 'tool_calls',
}

function answerOf(address: string, result: any): ModelAnswer {
  const content = result?.content
  if (!Array.isArray(content))
    throw new ModelError('MALFORMED_RESPONSE', `Cannot read the answer of ${address}: it has no content`)
  const usage = usageOf(result.usage)
  // Version 3 says it in two ways, of which one is the SDK's own.
  const finish = typeof result.finishReason === 'object' ? result.finishReason?.unified : result.finishReason
  return {
    text: content
      .filter((part) => part?.type === 'text')
      .map((part) => part.text)
      .join(''),
    finishReason: FINISH[finish] ?? 'other',
    toolCalls: content.filter((part) => part?.type === 'tool-call').map(toolCall),
    ...(usage && { usage }),
    model: result.response?.modelId ?? address,
  }
}

function toolCall({ toolCallId, toolName, input }: Record<string, any>): ModelToolCall {
  return { id: toolCallId, name: toolName, arguments: typeof input === 'string' ? input : JSON.stringify(input) }
}

/** Version 2 counts in numbers, version 3 in records with a total. */
function usageOf(usage: any): ModelUsage | undefined {
  const count = (value: any): number | undefined => (typeof value === 'object' ? value?.total : value) ?? undefined
  const [inputTokens, outputTokens] = [count(usage?.inputTokens), count(usage?.outputTokens)]
  if (inputTokens === undefined || outputTokens === undefined) return undefined
  const cachedTokens = usage.inputTokens?.cacheRead ?? usage.cachedInputTokens
  const reasoningTokens = usage.outputTokens?.reasoning ?? usage.reasoningTokens
  return {
    inputTokens,
    outputTokens,
    ...(cachedTokens !== undefined && { cachedTokens }),
    ...(reasoningTokens !== undefined && { reasoningTokens }),
  }
}

/** True for a model of the Vercel AI SDK. @see languageModel */
export function isLanguageModel(value: unknown): value is LanguageModel {
  return typeof (value as LanguageModel | null)?.doGenerate === 'function'
}
