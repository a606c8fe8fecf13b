import { isRecord, type Path, structured, textAt } from './attributes.ts'
import { normaliseSpan, outputsOf } from './conventions.ts'
import type { Span } from './span.ts'

/** Tools that were called, as a tool's own span records it, or as a model asked for it. */

/** One call of a tool. */
export interface ToolCall {
  readonly name: string
  /** Parsed where they were JSON text; missing where they are not known. */
  readonly arguments?: unknown
  /** The model's id of the call. */
  readonly id?: string
  /** What the tool gave; only a tool's span knows. */
  readonly result?: unknown
  /** The span that made or asked for the call. */
  readonly spanId: string
}

const TOOL_NAME: readonly Path[] = [
  'gen_ai.tool.name',
  'ai.toolCall.name',
  'tool.name',
  'tool_call.function.name',
  'traceloop.entity.name',
]
const TOOL_CALL_ID: readonly Path[] = ['gen_ai.tool.call.id', 'ai.toolCall.id', 'tool_call.id']

/** How the libraries write down that a model wants a tool called. */
interface Shape {
  readonly name: string
  readonly arguments: readonly string[]
  readonly id: readonly string[]
  /** Only objects of one of these types, where the names alone could mean something else. */
  readonly types?: readonly string[]
}

const SHAPES: readonly Shape[] = [
  // Vercel AI SDK
  { name: 'toolName', arguments: ['input', 'args'], id: ['toolCallId'] },
  // OpenAI responses, Anthropic, GenAI conventions, LangChain
  {
    name: 'name',
    arguments: ['arguments', 'input', 'args'],
    id: ['call_id', 'id'],
    types: ['function_call', 'tool_use', 'tool_call', 'custom_tool_call', 'server_tool_use', 'mcp_call'],
  },
]
/** OpenAI chat and OpenInference, Gemini: the call is an object in an object. */
const NESTED: readonly string[] = ['function', 'functionCall', 'function_call']
/** Where calls are found in what a model gave. */
const AROUND: readonly string[] = [
  'choices',
  'message',
  'messages',
  'tool_calls',
  'toolCalls',
  'content',
  'contents',
  'message_content',
  'parts',
  'output',
  'candidates',
  'generations',
  'kwargs',
  'additional_kwargs',
  'steps',
]
/** Of these, the items are calls without saying so. */
const CALLS = new Set(['tool_calls', 'toolCalls'])
const MAX_DEPTH = 12

/**
 * Gives the tool calls of a span: the one that a TOOL span is, with its result, or those that the model of another span asked for, in the
 * order in which it did.
 */
export function toolCallsOf(span: Span): ToolCall[] {
  const normal = normaliseSpan(span)
  if (normal.type === 'TOOL') return [ownCall(normal)]
  for (const outputs of outputsOf(normal)) {
    const calls = [...callsIn(outputs, false, 0)].map((call) => ({ ...call, spanId: span.id }))
    if (calls.length > 0) return calls
  }
  return []
}

function ownCall({ id: spanId, name, attributes, inputs, outputs }: Span): ToolCall {
  const id = textAt(attributes, TOOL_CALL_ID)
  return {
    name: textAt(attributes, TOOL_NAME) ?? name.replace(/^execute_tool /, ''),
    ...(inputs !== undefined && { arguments: structured(inputs) }),
    ...(id !== undefined && { id }),
    ...(outputs !== undefined && { result: structured(outputs) }),
    spanId,
  }
}

function* callsIn(value: unknown, sure: boolean, depth: number): Generator<Omit<ToolCall, 'spanId'>> {
  // A model's answer may itself be JSON: only what stands for a whole message or for calls is parsed.
  const node = depth === 0 || sure ? structured(value) : value
  if (depth > MAX_DEPTH) return
  if (Array.isArray(node)) {
    for (const item of node) yield* callsIn(item, sure, depth + 1)
    return
  }
  if (!isRecord(node)) return
  const call = callIn(node, sure)
  if (call) {
    yield call
    return
  }
  for (const name of AROUND) {
    if (Object.hasOwn(node, name)) yield* callsIn(node[name], CALLS.has(name), depth + 1)
  }
}

function callIn(node: Readonly<Record<string, unknown>>, sure: boolean): Omit<ToolCall, 'spanId'> | undefined {
  for (const name of NESTED) {
    const inner = Object.hasOwn(node, name) ? node[name] : undefined
    if (!isRecord(inner) || typeof inner.name !== 'string') continue
    return called(inner.name, inner, ['arguments', 'args'], node, ['id', 'call_id'])
  }
  for (const shape of SHAPES) {
    const name = Object.hasOwn(node, shape.name) ? node[shape.name] : undefined
    const meant = sure || !shape.types || shape.types.includes(String(node.type))
    // What a tool gave back carries its name too.
    if (typeof name !== 'string' || !meant || node.type === 'tool-result') continue
    return called(name, node, shape.arguments, node, shape.id)
  }
  return undefined
}

function called(
  name: string,
  place: Readonly<Record<string, unknown>>,
  argumentNames: readonly string[],
  around: Readonly<Record<string, unknown>>,
  idNames: readonly string[],
): Omit<ToolCall, 'spanId'> {
  const given = argumentNames.find((one) => Object.hasOwn(place, one))
  const id = textAt(around, idNames)
  return {
    name,
    ...(given !== undefined && { arguments: structured(place[given]) }),
    ...(id !== undefined && { id }),
  }
}

/**
 * Gives the tool calls of a whole trace, in the order of its spans. A call that a model asked for and that a tool's span records is one call, the
 * span's, and so is one that an outer span repeats.
 */
export function toolCallsAmong(spans: readonly Span[]): ToolCall[] {
  const found = spans.map((span) => ({ span, isTool: normaliseSpan(span).type === 'TOOL', calls: toolCallsOf(span) }))
  const outer = ancestorsOf(
    found.filter(({ isTool, calls }) => !isTool && calls.length > 0).map(({ span }) => span),
    spans,
  )
  const made = found.filter(({ isTool }) => isTool).flatMap(({ calls }) => calls)
  const ids = new Set(made.map(({ id }) => id))
  // Without ids, as many of a name as were made count as made.
  const unnamed = new Map<string, number>()
  for (const { id, name } of made) if (id === undefined) unnamed.set(name, (unnamed.get(name) ?? 0) + 1)
  const isMade = ({ id, name }: ToolCall): boolean => {
    if (id !== undefined && ids.has(id)) return true
    const left = unnamed.get(name) ?? 0
    unnamed.set(name, left - 1)
    return left > 0
  }
  const asked = new Set<string>()
  return found.flatMap(({ span, isTool, calls }) => {
    if (isTool) return calls
    if (outer.has(span.id)) return []
    return calls.filter((call) => {
      if (isMade(call) || (call.id !== undefined && asked.has(call.id))) return false
      if (call.id !== undefined) asked.add(call.id)
      return true
    })
  })
}

function ancestorsOf(some: readonly Span[], all: readonly Span[]): Set<string> {
  const parents = new Map(all.map(({ id, parentId }) => [id, parentId]))
  const above = new Set<string>()
  for (const { parentId } of some) {
    // Whose ancestors are marked is marked all the way up, which also ends cycles.
    for (let id = parentId; id !== undefined && !above.has(id); id = parents.get(id)) above.add(id)
  }
  return above
}
