import { type Attributes, firstOf, isRecord, parsed, structured, textAt, unflatten } from './attributes.ts'
import type { Span } from './span.ts'
import { encode } from './std/json.ts'

/**
 * What the spans of different instrumentations mean: MLflow's, OpenTelemetry's GenAI conventions, OpenInference, the Vercel AI SDK,
 * Traceloop and Langfuse. Attributes stay as they are; type, inputs and outputs are read out of them.
 */

/** An attribute that says what a span did, and MLflow's word for each of its values; others are taken as they are, in capitals. */
interface TypeRule {
  readonly attribute: string
  readonly words: Readonly<Record<string, string>>
  /** Values that are in no table mean nothing. */
  readonly closed?: boolean
}

const TYPES: readonly TypeRule[] = [
  { attribute: 'mlflow.spanType', words: {} },
  { attribute: 'openinference.span.kind', words: { PROMPT: 'PARSER' } },
  {
    attribute: 'gen_ai.operation.name',
    closed: true,
    words: {
      chat: 'CHAT_MODEL',
      text_completion: 'LLM',
      generate_content: 'LLM',
      response: 'LLM',
      embeddings: 'EMBEDDING',
      execute_tool: 'TOOL',
      invoke_agent: 'AGENT',
      create_agent: 'AGENT',
      invoke_workflow: 'WORKFLOW',
      retrieval: 'RETRIEVER',
    },
  },
  {
    attribute: 'ai.operationId',
    closed: true,
    words: {
      'ai.generateText': 'LLM',
      'ai.streamText': 'LLM',
      'ai.generateObject': 'LLM',
      'ai.streamObject': 'LLM',
      'ai.embed': 'EMBEDDING',
      'ai.embedMany': 'EMBEDDING',
      'ai.rerank': 'RERANKER',
      'ai.toolCall': 'TOOL',
    },
  },
  { attribute: 'traceloop.span.kind', words: {} },
  { attribute: 'langfuse.observation.type', words: { generation: 'LLM', span: 'UNKNOWN', event: 'UNKNOWN' } },
]

/** How the value of an attribute is read. */
type Reading = 'json' | 'structured' | 'text' | 'list'

/** Where inputs or outputs stand: an attribute; a prefix of flat names; a field of an event's attributes; parts of an object. */
type Place =
  | { readonly attribute: string; readonly as: Reading; readonly mime?: string }
  | { readonly prefix: string }
  | { readonly event: string; readonly attribute: string }
  | { readonly messages: Readonly<Record<string, string | undefined>> }
  | { readonly parts: Readonly<Record<string, string>> }

// The first place that holds something wins: what an instrumentation states itself comes before what is put together.
const INPUTS: readonly Place[] = [
  { attribute: 'mlflow.spanInputs', as: 'json' },
  { attribute: 'input.value', as: 'text', mime: 'input.mime_type' },
  { attribute: 'gen_ai.input.messages', as: 'structured' },
  { attribute: 'gen_ai.tool.call.arguments', as: 'structured' },
  { attribute: 'ai.prompt', as: 'structured' },
  { attribute: 'ai.prompt.messages', as: 'structured' },
  { attribute: 'ai.toolCall.args', as: 'structured' },
  { attribute: 'ai.value', as: 'structured' },
  { attribute: 'ai.values', as: 'list' },
  { attribute: 'traceloop.entity.input', as: 'structured' },
  { attribute: 'langfuse.observation.input', as: 'structured' },
  { prefix: 'llm.input_messages.' },
  { prefix: 'gen_ai.prompt.' },
  { prefix: 'embedding.embeddings.' },
  { event: 'gen_ai.client.inference.operation.details', attribute: 'gen_ai.input.messages' },
  { event: 'gen_ai.content.prompt', attribute: 'gen_ai.prompt' },
  {
    messages: {
      'gen_ai.system.message': 'system',
      'gen_ai.user.message': 'user',
      'gen_ai.assistant.message': 'assistant',
      'gen_ai.tool.message': 'tool',
    },
  },
]

const OUTPUTS: readonly Place[] = [
  { attribute: 'mlflow.spanOutputs', as: 'json' },
  { attribute: 'output.value', as: 'text', mime: 'output.mime_type' },
  { attribute: 'gen_ai.output.messages', as: 'structured' },
  { attribute: 'gen_ai.tool.call.result', as: 'structured' },
  { parts: { text: 'ai.response.text', toolCalls: 'ai.response.toolCalls' } },
  { attribute: 'ai.response.text', as: 'text' },
  { attribute: 'ai.response.object', as: 'structured' },
  { attribute: 'ai.response.toolCalls', as: 'structured' },
  { attribute: 'ai.result.text', as: 'text' },
  { attribute: 'ai.result.object', as: 'structured' },
  { attribute: 'ai.toolCall.result', as: 'structured' },
  { attribute: 'ai.embedding', as: 'structured' },
  { attribute: 'ai.embeddings', as: 'list' },
  { attribute: 'traceloop.entity.output', as: 'structured' },
  { attribute: 'langfuse.observation.output', as: 'structured' },
  { prefix: 'llm.output_messages.' },
  { prefix: 'gen_ai.completion.' },
  { prefix: 'retrieval.documents.' },
  { prefix: 'reranker.output_documents.' },
  { event: 'gen_ai.client.inference.operation.details', attribute: 'gen_ai.output.messages' },
  { event: 'gen_ai.content.completion', attribute: 'gen_ai.completion' },
  { messages: { 'gen_ai.choice': undefined } },
]

/** Gives the span with the type, inputs and outputs that its attributes tell, where it does not state them itself. */
export function normaliseSpan(span: Span): Span {
  const untyped = span.type === 'UNKNOWN' || span.type === ''
  if (!untyped && span.inputs !== undefined && span.outputs !== undefined) return span
  const type = untyped ? (typeOf(span.attributes) ?? 'UNKNOWN') : span.type
  const inputs = span.inputs === undefined ? read(span, INPUTS) : span.inputs
  const outputs = span.outputs === undefined ? read(span, OUTPUTS) : span.outputs
  if (type === span.type && inputs === span.inputs && outputs === span.outputs) return span
  return { ...span, type, ...(inputs !== undefined && { inputs }), ...(outputs !== undefined && { outputs }) }
}

/** Gives the span type that attributes tell, or undefined when they say nothing of it. */
export function typeOf(attributes: Attributes): string | undefined {
  for (const { attribute, words, closed } of TYPES) {
    const word = textAt(attributes, [attribute])
    if (word === undefined) continue
    // The inner operation of a call, `ai.generateText.doGenerate`, is of the outer one's type.
    const outer = word.replace(/\.do[A-Z]\w*$/, '')
    const known = Object.hasOwn(words, outer) ? words[outer] : closed ? undefined : word.toUpperCase()
    if (known !== undefined) return known
  }
  return undefined
}

/** The id of the conversation that a span belongs to. */
export function sessionOf(attributes: Attributes): string | undefined {
  return textAt(attributes, [
    'session.id',
    'mlflow.trace.session',
    'langfuse.session.id',
    'gen_ai.conversation.id',
    'traceloop.association.properties.session_id',
    'ai.telemetry.metadata.sessionId',
  ])
}

/** The id of the user that a span worked for. */
export function userOf(attributes: Attributes): string | undefined {
  return textAt(attributes, [
    'user.id',
    'mlflow.trace.user',
    'langfuse.user.id',
    'enduser.id',
    'traceloop.association.properties.user_id',
    'ai.telemetry.metadata.userId',
  ])
}

/** Gives every place's value in turn, so that whoever looks for one thing can look in all of them. */
export function* outputsOf(span: Span): Generator<unknown> {
  if (span.outputs !== undefined) yield span.outputs
  for (const place of OUTPUTS) {
    const value = valueIn(span, place)
    if (value !== undefined) yield value
  }
}

function read(span: Span, places: readonly Place[]): unknown {
  for (const place of places) {
    const value = valueIn(span, place)
    if (value !== undefined) return value
  }
  return undefined
}

function valueIn(span: Span, place: Place): unknown {
  const { attributes, events } = span
  if ('messages' in place) return events.length === 0 ? undefined : messagesOf(span, place.messages)
  if ('event' in place) return structured(events.find(({ name }) => name === place.event)?.attributes[place.attribute])
  if ('prefix' in place) return unflatten(attributes, place.prefix)
  if ('parts' in place) return together(attributes, place.parts)
  const value = firstOf(attributes, [place.attribute])
  if (value === undefined) return undefined
  const isJson = place.mime !== undefined && textAt(attributes, [place.mime]) === 'application/json'
  return READINGS[isJson ? 'json' : place.as](value)
}

const READINGS: Readonly<Record<Reading, (value: unknown) => unknown>> = {
  json: parsed,
  structured,
  text: (value) => value,
  list: (value) => (Array.isArray(value) ? value.map(structured) : structured(value)),
}

/** An object of several attributes, where each of them is there. */
function together(attributes: Attributes, parts: Readonly<Record<string, string>>): unknown {
  const values = Object.entries(parts).map(([name, attribute]) => [name, firstOf(attributes, [attribute])] as const)
  if (values.some(([, value]) => value === undefined)) return undefined
  return Object.fromEntries(values.map(([name, value]) => [name, name === 'text' ? value : structured(value)]))
}

/** Older GenAI conventions log every message as an event of its own. */
function messagesOf({ events }: Span, roles: Readonly<Record<string, string | undefined>>): unknown {
  const messages = events
    .filter(({ name }) => Object.hasOwn(roles, name))
    .map(({ name, attributes }) => {
      const role = attributes.role ?? roles[name]
      const fields = Object.entries(attributes).filter(([key]) => !key.startsWith('gen_ai.'))
      const body = Object.fromEntries(fields.map(([key, value]) => [key, structured(value)]))
      const { message } = body
      return isRecord(message) ? { ...body, message } : { ...(role !== undefined && { role }), ...body }
    })
  return messages.length === 0 ? undefined : messages
}

const TAG = 'tag.'

/** Gives the tags that a root span states for its trace, by attributes such as `tag.env`: OpenTelemetry has no place of its own for them. */
export function tagsIn(attributes: Readonly<Record<string, unknown>> = {}): Record<string, string> {
  const stated = Object.entries(attributes).filter(
    ([key, value]) => key.startsWith(TAG) && key.length > TAG.length && value !== null && value !== undefined,
  )
  return Object.fromEntries(
    stated.map(([key, value]) => [key.slice(TAG.length), typeof value === 'string' ? value : encode(value)]),
  )
}
