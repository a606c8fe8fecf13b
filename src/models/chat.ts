import { quote } from '../errors.ts'
import type { ModelUsage } from '../meter.ts'
import {
  type FinishReason,
  type ModelAnswer,
  ModelError,
  type ModelMessage,
  type ModelRequest,
  type ModelToolCall,
} from '../model.ts'

/** Requests and answers as the chat completions protocol of OpenAI writes them. */

/** How much an endpoint can promise about the form of its answer, the most first. */
export type Format = 'json_schema' | 'json_object' | 'none'

/** What of a request may be sent. */
export interface Sendable {
  readonly format: Format
  /** What the endpoint calls the most tokens of an answer. */
  readonly maxTokens: 'max_tokens' | 'max_completion_tokens'
  /** Parameters that it does not take, by the names of the wire. */
  readonly dropped: ReadonlySet<string>
}

/** The body of a request. */
export type ChatBody = Readonly<Record<string, any>>

/** Gives the body of a request; where the endpoint cannot promise a schema, the schema goes into the words. */
export function chatBody(model: string, request: ModelRequest, { format, maxTokens, dropped }: Sendable): ChatBody {
  const { messages, schema, tools, parameters = {} } = request
  const told = schema && format !== 'json_schema' ? withSchema(messages, schema.schema) : messages
  const wanted: Record<string, unknown> = {
    temperature: parameters.temperature,
    top_p: parameters.topP,
    [maxTokens]: parameters.maxTokens,
    seed: parameters.seed,
    reasoning_effort: parameters.reasoningEffort,
    response_format: schema && responseFormat(schema, format),
    tools: tools?.length ? tools.map((tool) => ({ type: 'function', function: tool })) : undefined,
  }
  const sent = Object.entries(wanted).filter(([key, value]) => value !== undefined && !dropped.has(key))
  return { model, messages: told.map(chatMessage), ...Object.fromEntries(sent) }
}

function responseFormat({ name, schema }: NonNullable<ModelRequest['schema']>, format: Format): object | undefined {
  if (format === 'none') return undefined
  if (format === 'json_object') return { type: 'json_object' }
  return { type: 'json_schema', json_schema: { name, schema, strict: true } }
}

function withSchema(messages: readonly ModelMessage[], schema: object): readonly ModelMessage[] {
  const rule = `Answer with one JSON object and nothing else. It has to fit this JSON Schema: ${JSON.stringify(schema)}`
  const [first, ...rest] = messages
  if (first?.role === 'system') return [{ ...first, content: `${first.content}\n\n${rule}` }, ...rest]
  return [{ role: 'system', content: rule }, ...messages]
}

function chatMessage({ role, content, toolCalls, toolCallId }: ModelMessage): object {
  return {
    role,
    content,
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
    ...(toolCalls?.length && {
      tool_calls: toolCalls.map(({ id, name, arguments: text }) => ({
        id,
        type: 'function',
        function: { name, arguments: text },
      })),
    }),
  }
}

/**
 * Reads the body of an answer.
 * @throws ModelError MALFORMED_RESPONSE for what is no chat completion
 */
export function chatAnswer(address: string, completion: any): ModelAnswer {
  const wrong = (what: string): ModelError =>
    new ModelError('MALFORMED_RESPONSE', `Cannot read the answer of ${address}: ${what}`, { transient: true })
  if (typeof completion !== 'object' || completion === null)
    throw wrong(`expected a chat completion, found ${quote(completion)}`)
  const choice = completion.choices?.[0]
  if (!Array.isArray(completion.choices) || !choice) throw wrong('it has no choices')
  const message = choice.message
  if (typeof message !== 'object' || message === null) throw wrong('its choice has no message')
  const refusal = typeof message.refusal === 'string' && message.refusal !== '' ? message.refusal : refusalOf(message)
  const toolCalls = toolCallsOf(message)
  const usage = usageOf(completion.usage)
  return {
    text: textOf(message.content),
    finishReason: refusal !== undefined ? 'refusal' : finishReason(choice.finish_reason),
    ...(refusal !== undefined && { refusal }),
    toolCalls,
    ...(usage && { usage }),
    model: typeof completion.model === 'string' && completion.model !== '' ? completion.model : address,
  }
}

/** Content is text, or blocks of which the text counts: what a model thinks before is not its answer. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content
    .filter((block) => ['text', 'output_text'].includes(block?.type) && typeof block.text === 'string')
    .map((block) => block.text)
    .join('')
}

function refusalOf({ content }: { content?: unknown }): string | undefined {
  const block = Array.isArray(content) ? content.find((item) => item?.type === 'refusal') : undefined
  return block && String(block.refusal ?? '')
}

function toolCallsOf({ tool_calls }: { tool_calls?: unknown }): ModelToolCall[] {
  if (!Array.isArray(tool_calls)) return []
  return tool_calls
    .filter((call) => typeof call?.function?.name === 'string')
    .map((call, i) => ({
      id: String(call.id ?? `call_${i}`),
      name: call.function.name,
      arguments:
        typeof call.function.arguments === 'string'
          ? call.function.arguments
          : JSON.stringify(call.function.arguments ?? {}),
    }))
}

const FINISH: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  end_turn: 'stop',
  eos: 'stop',
  stop_sequence: 'stop',
  length: 'length',
  max_tokens: 'length',
  content_filter: 'content_filter',
  refusal: 'refusal',
  tool_calls: 'tool_calls',
  tool_use: 'tool_calls',
  function_call: 'tool_calls',
}

function finishReason(given: unknown): FinishReason {
  return typeof given === 'string' && Object.hasOwn(FINISH, given) ? (FINISH[given] as FinishReason) : 'other'
}

function usageOf(usage: any): ModelUsage | undefined {
  const [inputTokens, outputTokens] = [usage?.prompt_tokens, usage?.completion_tokens]
  if (!isCount(inputTokens) || !isCount(outputTokens)) return undefined
  const cachedTokens = usage.prompt_tokens_details?.cached_tokens
  const reasoningTokens = usage.completion_tokens_details?.reasoning_tokens
  return {
    inputTokens,
    outputTokens,
    ...(isCount(cachedTokens) && { cachedTokens }),
    ...(isCount(reasoningTokens) && { reasoningTokens }),
  }
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0
}
