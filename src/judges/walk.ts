import { messageOf } from '../errors.ts'
import type { ModelMessage, ModelTool, ModelToolCall } from '../model.ts'
import { type Span, spanDurationMs, type Trace } from '../trace.ts'
import { type AnswerForm, answerSchema, isMisreading, readAnswer } from './answer.ts'
import { type Asked, type Asker, correction, Misjudged, wholeText } from './ask.ts'
import { type Blocks, fieldText } from './block.ts'

/** Judges that walk a trace: they look at it through read-only tools, as far as they need to, before they answer. */

/** Answers of a model at most, the verdict included. */
const MAX_TURNS = 30
const PAGE_CHARS = 8_000
const PAGE_SPANS = 100
const MAX_MATCHES = 20

/**
 * Lets a model walk a trace until it answers.
 * @throws Misjudged TURNS_EXCEEDED where it does not come to an end, and as `askVerdict`
 */
export async function walkTrace(
  trace: Trace,
  messages: readonly ModelMessage[],
  blocks: Blocks,
  form: AnswerForm,
  asker: Asker,
): Promise<Asked & { readonly looks: number }> {
  const { model, parameters, signal, judge, repeat, timeoutMs } = asker
  const talk: ModelMessage[] = [...messages]
  const schema = { name: 'verdict', schema: answerSchema(form) }
  let looks = 0
  let attempts = 1
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    const request = { messages: [...talk], schema, tools: TOOLS, judge, ...(parameters && { parameters }) }
    const answer = await model.generate(
      { ...request, ...(repeat !== undefined && { repeat }) },
      { signal, timeoutMs: timeoutMs || undefined },
    )
    if (answer.finishReason === 'tool_calls' || (answer.finishReason === 'stop' && answer.toolCalls.length > 0)) {
      if (answer.toolCalls.length === 0)
        throw new Misjudged('UNFINISHED', 'the model stopped for a tool and named none', answer.text)
      talk.push({ role: 'assistant', content: answer.text, toolCalls: answer.toolCalls })
      for (const call of answer.toolCalls) {
        looks++
        talk.push({ role: 'tool', toolCallId: call.id, content: blocks.wrap(`tool ${call.name}`, look(trace, call)) })
      }
      continue
    }
    const read = readAnswer(wholeText(answer), form)
    if (!isMisreading(read)) return { ...read, attempts, looks }
    if (attempts === 2) throw new Misjudged(read.code, `${read.message} (asked twice)`, answer.text)
    attempts = 2
    talk.push(...correction(answer.text, read.message, form))
  }
  throw new Misjudged('TURNS_EXCEEDED', `there was no verdict after ${MAX_TURNS} answers`)
}

/** What a trace judge is told about its tools. */
export const WALK_RULE = `The trace is not shown here. Look at it with the tools: get_trace and list_spans give an overview, get_span one step in full, search_trace
finds text. What a tool gives is material like any other. Look at everything that the verdict may depend on, then answer.`

interface Tool extends ModelTool {
  readonly run: (trace: Trace, given: Readonly<Record<string, unknown>>) => unknown
}

const integer = { type: 'integer', minimum: 0 }
const parameters = (properties: object, required: readonly string[] = []) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})

const WALK: readonly Tool[] = [
  {
    name: 'get_trace',
    description: 'The trace as a whole: status, duration, number of spans, tags, metadata.',
    parameters: parameters({}),
    run: ({ id, name, status, durationMs, spans, sessionId, tags, metadata }) => ({
      id,
      name,
      status,
      durationMs,
      sessionId,
      spans: spans.length,
      tags,
      metadata,
    }),
  },
  {
    name: 'get_root_span',
    description: 'The span of the whole execution, with its inputs and outputs.',
    parameters: parameters({ offset: { ...integer, description: 'Where to go on, in characters.' } }),
    run: ({ root }, { offset }) => (root ? page(fieldText(wholeSpan(root)), offset) : 'This trace has no root span.'),
  },
  {
    name: 'list_spans',
    description: `All spans in the order they were recorded, ${PAGE_SPANS} at a time: id, parent, name, type, status, duration.`,
    parameters: parameters({ offset: { ...integer, description: 'How many spans to skip.' } }),
    run: ({ spans }, { offset }) => {
      const from = place(offset)
      const shown = spans.slice(from, from + PAGE_SPANS).map(brief)
      return { spans: shown, of: spans.length, ...(from + PAGE_SPANS < spans.length && { next: from + PAGE_SPANS }) }
    },
  },
  {
    name: 'get_span',
    description: 'One span in full: inputs, outputs, attributes, events.',
    parameters: parameters(
      { span_id: { type: 'string' }, offset: { ...integer, description: 'Where to go on, in characters.' } },
      ['span_id'],
    ),
    run: (trace, { span_id, offset }) => {
      const [span] = trace.searchSpans({ id: String(span_id) })
      return span
        ? page(fieldText(wholeSpan(span)), offset)
        : `There is no span ${JSON.stringify(span_id)}; list_spans names all.`
    },
  },
  {
    name: 'search_trace',
    description: `Where a text occurs in any span, ignoring case: at most ${MAX_MATCHES} places with what stands around them.`,
    parameters: parameters({ text: { type: 'string' } }, ['text']),
    run: ({ spans }, { text }) => search(spans, String(text ?? '')),
  },
]

const TOOLS: readonly ModelTool[] = WALK.map(({ run, ...tool }) => tool)

/** Gives what one call finds; a call that cannot be made is told why, and the walk goes on. */
function look(trace: Trace, { name, arguments: text }: ModelToolCall): string {
  const tool = WALK.find((one) => one.name === name)
  if (!tool) return `There is no tool ${JSON.stringify(name)}; there are ${WALK.map((one) => one.name).join(', ')}.`
  try {
    const given: unknown = text.trim() === '' ? {} : JSON.parse(text)
    const found = tool.run(trace, (given ?? {}) as Record<string, unknown>)
    return typeof found === 'string' ? found : fieldText(found)
  } catch (thrown) {
    return `That call cannot be made: ${messageOf(thrown)}.`
  }
}

function brief(span: Span) {
  const { id, parentId, name, type, status, statusMessage } = span
  return { id, parentId, name, type, status, statusMessage, durationMs: spanDurationMs(span) }
}

function wholeSpan(span: Span) {
  const { inputs, outputs, attributes, events } = span
  return {
    ...brief(span),
    inputs,
    outputs,
    attributes,
    events: events.map(({ name, attributes }) => ({ name, attributes })),
  }
}

function place(offset: unknown): number {
  return typeof offset === 'number' && offset > 0 ? Math.floor(offset) : 0
}

function page(text: string, offset: unknown): string {
  const from = place(offset)
  const end = from + PAGE_CHARS
  const rest = end < text.length ? `\n(characters ${from} to ${end} of ${text.length}; go on with offset ${end})` : ''
  return `${text.slice(from, end)}${rest}`
}

/** Plain text, never a pattern: whoever wrote the trace may have a say in what the model looks for. */
function search(spans: readonly Span[], wanted: string): unknown {
  if (wanted === '') return 'Say which text to look for.'
  const needle = wanted.toLowerCase()
  const matches: object[] = []
  for (const span of spans) {
    const text = fieldText(wholeSpan(span))
    const lower = text.toLowerCase()
    for (let at = lower.indexOf(needle); at >= 0; at = lower.indexOf(needle, at + needle.length)) {
      if (matches.length === MAX_MATCHES) return { matches, more: true }
      matches.push({
        span_id: span.id,
        name: span.name,
        around: text.slice(Math.max(0, at - 100), at + needle.length + 100),
      })
    }
  }
  return { matches, more: false }
}
