import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { messageOf, quote } from './errors.ts'
import { type Encoding, writeFault, writeReply } from './formats/exchange.ts'
import type { Inbox, InboxLimits } from './inbox.ts'
import { type Packing, readBody } from './std/body.ts'
import { plural } from './std/text.ts'

/** Where a receiver answers requests: the rules of OTLP/HTTP. */

/** How much a receiver takes at a time. */
export interface ReceiverLimits extends InboxLimits {
  /** Length of a request as it comes, packed or not, bytes. @default 20 MiB */
  readonly bodyBytes: number
}

/** What a page shows. */
export interface Page {
  /** @example 'text/plain; version=0.0.4' */
  readonly type: string
  readonly body: string
}

export interface DeskOptions {
  readonly inbox: Inbox
  readonly limits: ReceiverLimits
  readonly experiment: string
  readonly token: string | undefined
  readonly pages: Readonly<Record<string, () => Page | Promise<Page>>>
}

/** An answer on its way. */
interface Reply {
  readonly status: number
  readonly type: string
  readonly body: Uint8Array | string
  readonly headers?: Readonly<Record<string, string>>
}

/** Codes of google.rpc for those of HTTP. */
const RPC: Readonly<Record<number, number>> = { 400: 3, 401: 16, 404: 5, 405: 12, 413: 8, 415: 3, 429: 8, 503: 14 }
const TYPES: Readonly<Record<Encoding, string>> = { json: 'application/json', protobuf: 'application/x-protobuf' }
const ENCODINGS = new Map<string, Encoding>([
  ['application/json', 'json'],
  ['application/x-protobuf', 'protobuf'],
  ['application/protobuf', 'protobuf'],
])
const PACKINGS = new Map<string, Packing>([
  ['', 'none'],
  ['identity', 'none'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
])
const RETRY_SECONDS = '1'

/** Answers requests. */
export class Desk {
  readonly #options: DeskOptions
  readonly #token: Buffer | undefined
  #serving = 0
  #closing = false
  #idle: PromiseWithResolvers<void> | undefined

  constructor(options: DeskOptions) {
    this.#options = options
    this.#token = options.token === undefined ? undefined : digest(`Bearer ${options.token}`)
  }

  close(): void {
    this.#closing = true
  }

  /** Settles when no request is under way. */
  async idle(): Promise<void> {
    if (this.#serving === 0) return
    this.#idle ??= Promise.withResolvers<void>()
    await this.#idle.promise
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#serving++
    try {
      const { status, type, body, headers } = await this.#reply(request)
      if (response.destroyed) return
      if (this.#closing) response.setHeader('connection', 'close')
      response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), ...headers })
      response.end(request.method === 'HEAD' ? undefined : body)
    } catch (error) {
      // Nothing of this is meant to happen; whoever asked must not wait for ever.
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' })
      response.end(messageOf(error))
    } finally {
      this.#serving--
      if (this.#serving === 0) this.#idle?.resolve()
    }
  }

  async #reply(request: IncomingMessage): Promise<Reply> {
    const path = (request.url ?? '/').replace(/\?.*$/s, '')
    const isGet = request.method === 'GET' || request.method === 'HEAD'
    if (path === '/health' && isGet) return { status: 200, type: TYPES.json, body: '{"status":"ok"}' }
    const encoding = ENCODINGS.get(mediaType(request)) ?? 'json'
    if (!this.#isAllowed(request)) {
      const message =
        'Cannot take the request: it needs the header "Authorization: Bearer" with the token of this receiver'
      return fault(401, message, encoding, { 'www-authenticate': 'Bearer' })
    }
    const { pages } = this.#options
    if (path === '/v1/traces') {
      if (request.method === 'POST') return this.#traces(request)
      return fault(405, `Cannot ${request.method} /v1/traces: traces are sent there by POST`, encoding, {
        allow: 'POST',
      })
    }
    if (Object.hasOwn(pages, path)) {
      if (!isGet)
        return fault(405, `Cannot ${request.method} ${path}: it is there to GET`, encoding, { allow: 'GET, HEAD' })
      const { type, body } = await (pages[path] as () => Page | Promise<Page>)()
      return { status: 200, type, body }
    }
    const signal = /^\/v1\/(metrics|logs|profiles)$/.exec(path)?.[1]
    const what = signal
      ? `Cannot take ${signal}: this receiver keeps traces only, by POST to /v1/traces`
      : `Cannot find ${quote(path)}: here are ${['POST /v1/traces', ...['/health', ...Object.keys(pages)].map((page) => `GET ${page}`)].join(', ')}`
    return fault(404, what, encoding)
  }

  #isAllowed({ headers }: IncomingMessage): boolean {
    return !this.#token || timingSafeEqual(digest(headers.authorization ?? ''), this.#token)
  }

  async #traces(request: IncomingMessage): Promise<Reply> {
    const { inbox } = this.#options
    inbox.counts.requests++
    const reply = await this.#take(request)
    if (reply.status === 429 || reply.status === 503) inbox.counts.deferred++
    else if (reply.status !== 200) inbox.counts.refused++
    return reply
  }

  async #take(request: IncomingMessage): Promise<Reply> {
    const { inbox, limits, experiment } = this.#options
    const type = mediaType(request)
    const encoding = ENCODINGS.get(type)
    if (!encoding) {
      const message = `Cannot read the request: its content type must be ${Object.values(TYPES).join(' or ')}, found ${quote(type)}`
      return fault(415, message, 'json')
    }
    const coding = textOf(request.headers['content-encoding']).toLowerCase()
    const packing = PACKINGS.get(coding)
    if (!packing) {
      const message = `Cannot unpack the request: its content encoding must be gzip, deflate or identity, found ${quote(coding)}`
      return fault(415, message, encoding, { 'accept-encoding': 'gzip, deflate, identity' })
    }
    const long = `Cannot take the request: it is longer than ${limits.bodyBytes} bytes; send fewer spans at a time`
    const length = Number(request.headers['content-length'] ?? 0)
    if (length > limits.bodyBytes) return fault(413, long, encoding)
    if (this.#closing)
      return fault(503, 'Cannot take the request: the receiver is ending', encoding, { 'retry-after': RETRY_SECONDS })
    const full = 'Cannot take the request now: too many wait for the store'
    const ticket = inbox.enter(length)
    if (!ticket) return fault(429, full, encoding, { 'retry-after': RETRY_SECONDS })
    const body = await readBody(request, limits.bodyBytes, (bytes) => inbox.hold(ticket, bytes))
    if (typeof body === 'string') {
      inbox.leave(ticket)
      if (body === 'full') return fault(429, full, encoding, { 'retry-after': RETRY_SECONDS })
      return body === 'long'
        ? fault(413, long, encoding)
        : fault(400, 'Cannot read the request: it broke off', encoding)
    }
    inbox.counts.bytes += body.length
    const named = textOf(request.headers['x-mlflow-experiment-id']) || textOf(request.headers['x-experiment'])
    const answer = await inbox.post({ ticket, body, encoding, packing, experiment: named || experiment })
    if (answer.status !== 200) {
      const retry = answer.status === 503 || answer.status === 429
      return fault(answer.status, answer.message, encoding, retry ? { 'retry-after': RETRY_SECONDS } : {})
    }
    return { status: 200, type: TYPES[encoding], body: await writeReply(encoding, partial(answer.rejected)) }
  }
}

function partial(rejected: readonly string[]): { count: number; message: string } | undefined {
  const [first] = rejected
  if (first === undefined) return undefined
  const more = rejected.length > 1 ? `, and ${plural(rejected.length - 1, 'span')} more` : ''
  return { count: rejected.length, message: `Cannot keep ${first}${more}` }
}

async function fault(
  status: number,
  message: string,
  encoding: Encoding,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  return { status, type: TYPES[encoding], body: await writeFault(encoding, RPC[status] ?? 2, message), headers }
}

function mediaType({ headers }: IncomingMessage): string {
  return textOf(headers['content-type']?.split(';')[0]).toLowerCase()
}

function textOf(header: string | readonly string[] | undefined): string {
  return (typeof header === 'string' ? header : (header?.[0] ?? '')).trim()
}

/** Digests are of one length, and comparing them takes as long for any two. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
