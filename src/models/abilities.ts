import { messageOf } from '../errors.ts'
import type { ChatBody, Format, Sendable } from './chat.ts'

/**
 * What an endpoint can do, learned from what it refuses: an endpoint that says that it does not take a parameter is asked without it from
 * then on, and that is said once. Nothing is dropped on a guess.
 */
export class Abilities implements Sendable {
  format: Format = 'json_schema'
  maxTokens: Sendable['maxTokens']
  readonly dropped = new Set<string>()
  readonly #tell: (lacking: string) => void

  /** @param tell is told, once, of each thing that the endpoint cannot do */
  constructor(maxTokens: Sendable['maxTokens'], tell: (lacking: string) => void) {
    this.maxTokens = maxTokens
    this.#tell = tell
  }

  /** Learns from a refused request. Gives the way to ask it again, or undefined when its refusal teaches nothing. */
  learn(thrown: unknown, body: ChatBody, sent: Sendable): Sendable | undefined {
    const { status, param } = (thrown ?? {}) as { status?: unknown; param?: unknown }
    if (!REFUSALS.has(Number(status))) return undefined
    const text = `${messageOf(thrown)} ${typeof param === 'string' ? param : ''}`
    if (body.response_format && FORMAT.test(text)) return this.#lessFormat(text, sent)
    const name = OPTIONAL.find((key) => body[key] !== undefined && new RegExp(`\\b${key}\\b`).test(text))
    if (!name || !UNSUPPORTED.test(text)) return undefined
    if (name === 'max_tokens' || name === 'max_completion_tokens') return this.#otherMaxTokens(name, sent)
    if (!this.dropped.has(name)) this.#tell(name)
    this.dropped.add(name)
    return { ...settings(sent), dropped: new Set([...sent.dropped, name]) }
  }

  #lessFormat(text: string, sent: Sendable): Sendable | undefined {
    const format: Format = sent.format === 'json_schema' ? 'json_object' : 'none'
    // A schema that it does not like says nothing about the next one.
    if (!/invalid schema/i.test(text) && this.format === sent.format) {
      this.#tell(`response_format ${sent.format}`)
      this.format = format
    }
    return { ...settings(sent), format }
  }

  #otherMaxTokens(name: Sendable['maxTokens'], sent: Sendable): Sendable | undefined {
    const maxTokens = name === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens'
    if (sent.dropped.has(maxTokens)) return undefined
    this.maxTokens = maxTokens
    return { ...settings(sent), maxTokens, dropped: new Set([...sent.dropped, name]) }
  }
}

function settings({ format, maxTokens, dropped }: Sendable): Sendable {
  return { format, maxTokens, dropped }
}

/** What an endpoint answers to a request that it does not understand; some say 500 or 501 where they mean 400. */
const REFUSALS = new Set([400, 404, 415, 422, 500, 501])
const FORMAT = /response_format|response format|json_schema|json_object|json schema|structured output|guided|grammar/i
const UNSUPPORTED =
  /unsupported|not supported|not support|unrecognized|unknown|extra (inputs|fields)|not permitted|not allowed|not accept|deprecated/i
const OPTIONAL = ['temperature', 'top_p', 'max_tokens', 'max_completion_tokens', 'seed', 'reasoning_effort'] as const
