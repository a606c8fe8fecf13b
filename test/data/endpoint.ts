import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/**
 * A real HTTP server on loopback that speaks the chat completions protocol of OpenAI: scripted answers, a journal of what was asked, and
 * faults, of the wire as of the content.
 */

/** What was asked, as far as tests look at it. */
export interface ChatBody {
  readonly model: string
  readonly messages: readonly { readonly role: string; readonly content: any; readonly [key: string]: any }[]
  readonly response_format?: {
    readonly type: string
    readonly json_schema?: { name: string; schema: any; strict?: boolean }
  }
  readonly tools?: readonly any[]
  readonly [key: string]: any
}

export interface JournalEntry {
  /** Milliseconds of the monotonic clock. */
  readonly at: number
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: ChatBody
  /** Of the answer; 0 where there was none. */
  status: number
}

/** One scripted answer; a string is its text. */
export interface Reply {
  readonly text?: string | null
  /** Instead of `text`: the content as a list of blocks, or whatever else an endpoint may put there. */
  readonly content?: unknown
  /** Instead of `text`: given as JSON text. */
  readonly json?: unknown
  readonly finishReason?: string | null
  readonly refusal?: string
  readonly toolCalls?: readonly { readonly id?: string; readonly name: string; readonly arguments: string }[]
  /** Null: the endpoint does not say. @default a token for every four characters */
  readonly usage?: Readonly<Record<string, unknown>> | null
  readonly model?: string
  /** False: no choices at all. */
  readonly choices?: false
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** The whole body, as it is: HTML, half a JSON, nothing. */
  readonly raw?: string
  readonly delayMs?: number
  /** `stall`: never answers. `reset`: closes before it answers. `cut`: closes in the middle of the body. */
  readonly fault?: 'stall' | 'reset' | 'cut'
}

export interface EndpointOptions {
  /** Before every answer that is not refused. */
  readonly latencyMs?: number
  /** So many calls a second; others get 429 at once. */
  readonly bucket?: {
    readonly perSecond: number
    /** @default perSecond */
    readonly capacity?: number
    /** How 429 says when to come back. @default 'seconds' */
    readonly retryAfter?: 'seconds' | 'date' | 'ms' | 'none'
  }
  /** So many calls at once; others get 429 without a time. */
  readonly places?: number
  /** Parameters that it refuses with 400, such as `temperature`, `max_tokens`, `json_schema`, `json_object`. */
  readonly rejects?: readonly string[]
}

export interface Endpoint extends AsyncDisposable {
  /** Base URL, with `/v1`. */
  readonly url: string
  readonly journal: readonly JournalEntry[]
  /** Calls by status; 0 for those without an answer. */
  statuses(): Record<number, number>
  /** Calls that came although an earlier 429 had asked to wait until later; those within 100 ms do not count: they were under way. */
  readonly early: number
  /** Most calls in work at once. */
  readonly peak: number
  /** Tokens that it has counted, over all its answers. */
  readonly ledger: { readonly input: number; readonly output: number }
  close(): Promise<void>
}

export type Script = (body: ChatBody, nth: number) => string | Reply | Promise<string | Reply>

/** What is on its way cannot be called back, and on a busy machine an answer waits its turn to be read. */
const UNDER_WAY_MS = 100

/** Starts a server. Without a script it answers `ok`. */
export async function endpoint(script: Script = () => 'ok', options: EndpointOptions = {}): Promise<Endpoint> {
  const journal: JournalEntry[] = []
  const state = { early: 0, peak: 0, current: 0, input: 0, output: 0, closedUntil: 0, told: 0 }
  const bucket = options.bucket && new Bucket(options.bucket)

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = performance.now()
    const body = await bodyOf(request)
    const entry: JournalEntry = { at, path: request.url ?? '', headers: request.headers, body, status: 0 }
    const nth = journal.push(entry) - 1
    const send = (status: number, text: string, headers: Readonly<Record<string, string>> = {}): void => {
      entry.status = status
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text)
    }
    const refuse = (status: number, message: string, more: object = {}, headers = {}): void =>
      send(status, JSON.stringify({ error: { message, type: 'invalid_request_error', ...more } }), headers)

    if (at < state.closedUntil && at > state.told + UNDER_WAY_MS) state.early++
    const wanted = bucket?.take()
    if (wanted) {
      state.closedUntil = Math.max(state.closedUntil, performance.now() + wanted.waitMs)
      state.told = performance.now()
      return refuse(429, 'Rate limit reached', { type: 'requests', code: 'rate_limit_exceeded' }, wanted.headers)
    }
    if (options.places !== undefined && state.current >= options.places) return refuse(429, 'Too many at once')
    const rejected = rejectionOf(body, options.rejects ?? [])
    if (rejected) return refuse(400, rejected.message, { param: rejected.param, code: 'unsupported_parameter' })
    state.current++
    state.peak = Math.max(state.peak, state.current)
    try {
      const scripted = await script(body, nth)
      const reply: Reply = typeof scripted === 'string' ? { text: scripted } : scripted
      const delayMs = (options.latencyMs ?? 0) + (reply.delayMs ?? 0)
      if (delayMs > 0) await wait(delayMs)
      if (reply.fault === 'stall') return
      if (reply.fault === 'reset') return void request.socket.destroy()
      const status = reply.status ?? 200
      if (reply.raw !== undefined) return send(status, reply.raw, reply.headers)
      if (status !== 200) return refuse(status, reply.text ?? `status ${status}`, {}, reply.headers)
      const completion = completionOf(body, reply, nth)
      state.input += completion.usage?.prompt_tokens ?? 0
      state.output += completion.usage?.completion_tokens ?? 0
      const text = JSON.stringify(completion)
      if (reply.fault === 'cut') {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(text.length) })
        response.write(text.slice(0, text.length / 2))
        setTimeout(() => request.socket.destroy(), 10)
        return
      }
      send(200, text, reply.headers)
    } finally {
      state.current--
    }
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error) => {
      response.writeHead(500).end(JSON.stringify({ error: { message: `the test's script: ${error?.stack}` } }))
    })
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 1_024, resolve))
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    journal,
    statuses: () =>
      Object.fromEntries(
        [...Map.groupBy(journal, ({ status }) => status)].map(([status, list]) => [status, list.length]),
      ),
    get early() {
      return state.early
    },
    get peak() {
      return state.peak
    },
    get ledger() {
      return { input: state.input, output: state.output }
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Fills by and by; what is not there is refused, with the time when it will be. */
class Bucket {
  readonly #perSecond: number
  readonly #capacity: number
  readonly #retryAfter: string
  #tokens: number
  #at = performance.now()

  constructor({ perSecond, capacity = perSecond, retryAfter = 'seconds' }: NonNullable<EndpointOptions['bucket']>) {
    this.#perSecond = perSecond
    this.#capacity = capacity
    this.#retryAfter = retryAfter
    this.#tokens = capacity
  }

  take(): { readonly waitMs: number; readonly headers: Readonly<Record<string, string>> } | undefined {
    const now = performance.now()
    this.#tokens = Math.min(this.#capacity, this.#tokens + ((now - this.#at) / 1_000) * this.#perSecond)
    this.#at = now
    if (this.#tokens >= 1) {
      this.#tokens--
      return undefined
    }
    const ms = Math.ceil(((1 - this.#tokens) / this.#perSecond) * 1_000)
    switch (this.#retryAfter) {
      case 'ms':
        return { waitMs: ms, headers: { 'retry-after-ms': String(ms) } }
      case 'date': {
        const second = Math.ceil((Date.now() + ms) / 1_000) * 1_000
        return { waitMs: second - Date.now(), headers: { 'retry-after': new Date(second).toUTCString() } }
      }
      case 'seconds': {
        const seconds = Math.ceil(ms / 1_000)
        return { waitMs: seconds * 1_000, headers: { 'retry-after': String(seconds) } }
      }
      default:
        return { waitMs: 0, headers: {} }
    }
  }
}

function rejectionOf(body: ChatBody, rejects: readonly string[]): { message: string; param: string } | undefined {
  const format = body.response_format?.type
  for (const name of rejects) {
    if (format === name)
      return {
        message: `Invalid parameter: 'response_format' of type '${name}' is not supported with this model.`,
        param: 'response_format',
      }
    if (body[name] !== undefined)
      return { message: `Unsupported parameter: '${name}' is not supported with this model.`, param: name }
  }
  return undefined
}

function completionOf(body: ChatBody, reply: Reply, nth: number): Record<string, any> {
  const content = reply.content ?? (reply.json === undefined ? (reply.text ?? null) : JSON.stringify(reply.json))
  const tool_calls = reply.toolCalls?.map(({ id, name, arguments: text }, i) => ({
    id: id ?? `call_${nth}_${i}`,
    type: 'function',
    function: { name, arguments: text },
  }))
  const message = { role: 'assistant', content, refusal: reply.refusal ?? null, ...(tool_calls && { tool_calls }) }
  const finish = reply.finishReason === undefined ? (tool_calls ? 'tool_calls' : 'stop') : reply.finishReason
  const tokens = (value: unknown): number => Math.ceil((JSON.stringify(value) ?? '').length / 4)
  const [prompt_tokens, completion_tokens] = [tokens(body.messages), tokens(content)]
  const usage =
    reply.usage === undefined
      ? { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
      : reply.usage
  return {
    id: `chatcmpl-${nth}`,
    object: 'chat.completion',
    created: 1_700_000_000,
    model: reply.model ?? body.model,
    choices: reply.choices === false ? [] : [{ index: 0, message, finish_reason: finish, logprobs: null }],
    ...(usage && { usage }),
  }
}

async function bodyOf(request: IncomingMessage): Promise<ChatBody> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString('utf8')
  return text === '' ? { model: '', messages: [] } : JSON.parse(text)
}
