import { quote } from './errors.ts'
import { here } from './recorder.ts'
import { isThenable } from './std/async.ts'
import type { SpanType } from './trace.ts'
import { type OpenSpan, span } from './tracer.ts'

/** Spans for calls of an `openai` client. It is known by its shape only, so that any major of it will do. */

interface Call {
  readonly type: SpanType
  readonly operation: string
  /** What a finished answer, and what the parts of a streamed one amount to. */
  readonly outputs: (answer: any) => unknown
  readonly assemble: (chunks: readonly any[]) => any
}

const CALLS: Readonly<Record<string, Call>> = {
  'chat.completions.create': { type: 'CHAT_MODEL', operation: 'chat', outputs: whole, assemble: assembleChat },
  'responses.create': { type: 'CHAT_MODEL', operation: 'chat', outputs: whole, assemble: assembleResponse },
  'completions.create': {
    type: 'LLM',
    operation: 'text_completion',
    outputs: whole,
    assemble: (chunks) => ({ chunks }),
  },
  'embeddings.create': {
    type: 'EMBEDDING',
    operation: 'embeddings',
    outputs: sizes,
    assemble: (chunks) => ({ chunks }),
  },
}

/** Objects on the way to those calls. */
const WAYS = new Set(['chat', 'chat.completions', 'responses', 'completions', 'embeddings'])

/**
 * Gives the client with its calls recorded: within a row that is being evaluated, chat completions, responses and embeddings become spans with
 * inputs, outputs, model and token usage, streamed ones too. What calls give, and what they throw, stays as it is. Helpers that are made
 * of those calls (`parse`, `stream`, `runTools`) are recorded by them.
 *
 * A stream ends its span when it has been read to its end or left.
 *
 * @example
 * const client = traceOpenAI(new OpenAI())
 * @throws TypeError for what is no client
 */
export function traceOpenAI<Client extends object>(client: Client): Client {
  const is = (way: string): boolean => typeof (client as Record<string, unknown> | null)?.[way] === 'object'
  if (typeof client !== 'object' || client === null || !['chat', 'responses', 'embeddings'].some(is)) {
    throw new TypeError(
      `Cannot trace the client: expected one of the openai package, with "chat", "responses" or "embeddings", found ${quote(client)}`,
    )
  }
  return traced(client, '', undefined)
}

function traced<T extends object>(target: T, path: string, root: object | undefined): T {
  const made = new Map<unknown, unknown>()
  const proxy: T = new Proxy(target, {
    get(_, key) {
      const value: unknown = Reflect.get(target, key, target)
      // Helpers find the calls that they are made of through it.
      if (key === '_client' && root) return root
      if (typeof key !== 'string' || key === 'constructor') return value
      if (!made.has(value)) made.set(value, replaced(value, path === '' ? key : `${path}.${key}`))
      return made.get(value)
    },
  })
  const replaced = (value: any, at: string): unknown => {
    const call = CALLS[at]
    if (call && typeof value === 'function') {
      return (...args: unknown[]) => observed(call, args[0], () => value.apply(target, args))
    }
    if (WAYS.has(at) && typeof value === 'object' && value !== null) return traced(value, at, root ?? proxy)
    if (at === 'withOptions') return (...args: unknown[]) => traceOpenAI(value.apply(target, args))
    // The client itself keeps private fields, which a proxy has not.
    return path === '' && typeof value === 'function' ? value.bind(target) : value
  }
  return proxy
}

function observed(call: Call, body: any, start: () => unknown): unknown {
  if (!here()) return start()
  let result: unknown
  const model = typeof body?.model === 'string' ? body.model : undefined
  const attributes = {
    'gen_ai.operation.name': call.operation,
    'gen_ai.provider.name': 'openai',
    ...(model !== undefined && { 'gen_ai.request.model': model }),
  }
  const name = model === undefined ? call.operation : `${call.operation} ${model}`
  const done = span(name, { type: call.type, inputs: body, attributes }, (open) => {
    result = start()
    return new Promise<unknown>((end, fail) => {
      watch(result, {
        answer: (answer) => end(told(open, call, answer)),
        streamed: (chunks) => end(told(open, call, call.assemble(chunks))),
        fail,
      })
    })
  })
  // The caller has the call's own promise, and its error.
  done.catch(() => {})
  return result
}

/** Sets what the answer says of itself, and gives what is kept of it. */
function told(open: OpenSpan, call: Call, answer: any): unknown {
  const { model, id, usage } = answer ?? {}
  open.setAttributes({
    ...(typeof model === 'string' && { 'gen_ai.response.model': model }),
    ...(typeof id === 'string' && { 'gen_ai.response.id': id }),
    ...tokens(usage),
  })
  return call.outputs(answer)
}

/** Chat completions, responses and embeddings have names of their own for the same counts. */
function tokens(usage: any): Record<string, number> {
  const {
    prompt_tokens,
    completion_tokens,
    input_tokens = prompt_tokens,
    output_tokens = completion_tokens,
  } = usage ?? {}
  const counts = {
    'gen_ai.usage.input_tokens': input_tokens,
    'gen_ai.usage.output_tokens': output_tokens,
    'gen_ai.usage.cache_read.input_tokens': (usage?.prompt_tokens_details ?? usage?.input_tokens_details)
      ?.cached_tokens,
    'gen_ai.usage.reasoning.output_tokens': (usage?.completion_tokens_details ?? usage?.output_tokens_details)
      ?.reasoning_tokens,
  }
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => typeof count === 'number'))
}

interface Ends {
  answer(answer: unknown): void
  streamed(chunks: readonly unknown[]): void
  fail(thrown: unknown): void
}

/** Looks at what a call gives without taking it away from the caller. */
function watch(result: any, ends: Ends): void {
  let settled = false
  const settle = (value: any): any => {
    if (!settled && isStream(value)) watchStream(value, ends)
    else if (!settled) ends.answer(value)
    settled = true
    return value
  }
  if (typeof result?.parseResponse === 'function' && isThenable(result.responsePromise)) {
    // The client's own promise reads the body when somebody asks for it, and some only want the raw response.
    const parse = result.parseResponse
    result.parseResponse = async (...args: unknown[]) => {
      try {
        return settle(await parse(...args))
      } catch (thrown) {
        ends.fail(thrown)
        throw thrown
      }
    }
    // What helpers are made with.
    const unwrap = result._thenUnwrap ?? (() => result)
    result._thenUnwrap = (transform: (value: unknown, ...rest: unknown[]) => unknown) =>
      unwrap.call(result, (value: unknown, ...rest: unknown[]) => transform(settle(value), ...rest))
    result.responsePromise.then(undefined, ends.fail)
  } else if (isThenable(result)) result.then(settle, ends.fail)
  else settle(result)
}

function isStream(value: any): boolean {
  return typeof value === 'object' && value !== null && typeof value[Symbol.asyncIterator] === 'function'
}

/** Listens in on a stream: every chunk goes on as it came. */
function watchStream(stream: any, ends: Ends): void {
  // What `tee()` and the others read from as well.
  const key = typeof stream.iterator === 'function' ? 'iterator' : Symbol.asyncIterator
  const begin = stream[key].bind(stream)
  stream[key] = (): AsyncIterator<unknown> => {
    const source: AsyncIterator<unknown> = begin()
    const chunks: unknown[] = []
    return {
      async next() {
        try {
          const step = await source.next()
          if (step.done) ends.streamed(chunks)
          else chunks.push(step.value)
          return step
        } catch (thrown) {
          ends.fail(thrown)
          throw thrown
        }
      },
      async return(value) {
        ends.streamed(chunks)
        return (await source.return?.(value)) ?? { done: true, value }
      },
      [Symbol.asyncIterator]() {
        return this
      },
    } as AsyncIterableIterator<unknown>
  }
}

function whole(answer: any): unknown {
  return answer
}

/** An answer with the lengths of its vectors in their place. */
function sizes(answer: any): unknown {
  if (!Array.isArray(answer?.data)) return answer
  return {
    ...answer,
    data: answer.data.map(({ embedding, ...rest }: any) => ({ ...rest, dimensions: embedding?.length })),
  }
}

/** Puts the chunks of a chat completion together, as far as they have come. Indexes are the model's: no list is made as long as they say. */
function assembleChat(chunks: readonly any[]): object {
  const choices = new Map<unknown, any>()
  const rest: Record<string, unknown> = {}
  for (const { choices: parts = [], usage, id, model } of chunks) {
    Object.assign(rest, { ...(id && { id }), ...(model && { model }), ...(usage && { usage }) })
    for (const { index = 0, delta, finish_reason } of parts) {
      const choice = choices.get(index) ?? { index, message: { role: 'assistant', content: null }, calls: new Map() }
      choices.set(index, choice)
      if (finish_reason) choice.finish_reason = finish_reason
      if (delta?.content) choice.message.content = (choice.message.content ?? '') + delta.content
      if (delta?.refusal) choice.message.refusal = (choice.message.refusal ?? '') + delta.refusal
      for (const part of delta?.tool_calls ?? []) addToolCall(choice.calls, part)
    }
  }
  const finished = Array.from(choices.values(), ({ calls, message, ...choice }) => ({
    ...choice,
    message: calls.size > 0 ? { ...message, tool_calls: [...calls.values()] } : message,
  }))
  return { ...rest, choices: finished }
}

function addToolCall(calls: Map<unknown, any>, { index = 0, id, type, function: part }: any): void {
  const call = calls.get(index) ?? { type: 'function', function: { name: '', arguments: '' } }
  calls.set(index, call)
  if (id) call.id = id
  if (type) call.type = type
  call.function.name += part?.name ?? ''
  call.function.arguments += part?.arguments ?? ''
}

/** The last event that carries the response has all of it. */
function assembleResponse(events: readonly any[]): unknown {
  const last = events.findLast(({ type }) => /^response\.(completed|incomplete|failed)$/.test(type))
  if (last) return last.response
  const text = events.filter(({ type }) => type === 'response.output_text.delta').map(({ delta }) => delta)
  return { ...events.find(({ response }) => response)?.response, output_text: text.join('') }
}
