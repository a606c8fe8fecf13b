import type { Model, ModelAnswer, ModelContext, ModelRequest } from '../model.ts'
import { clearTimer, DeadlineError, setTimer } from '../std/async.ts'
import { Abilities } from './abilities.ts'
import { chatAnswer, chatBody, type Sendable } from './chat.ts'
import { abortedError, filteredAnswer, toModelError } from './failure.ts'

/** The part of an OpenAI client that is used. */
export interface ChatClient {
  readonly chat: {
    readonly completions: {
      create(body: any, options?: any): PromiseLike<any>
    }
  }
}

/** What makes a model of a client. */
export interface ChatSettings {
  readonly address: string
  readonly identity: Readonly<Record<string, string>>
  /** The name that the endpoint knows. */
  readonly model: string
  readonly client: () => ChatClient | Promise<ChatClient>
  /** Texts that no message may hold. */
  readonly secrets?: readonly string[]
  readonly keyVariable?: string | undefined
  /** @default 'max_tokens', which old and new endpoints take */
  readonly maxTokens?: Sendable['maxTokens'] | undefined
  readonly timeoutMs?: number | undefined
  readonly requireReady?: (() => void) | undefined
}

const TIMEOUT_MS = 120_000
/** A request can be refused for its format twice, and for each parameter once. */
const MAX_LESSONS = 8

/** A model behind anything that has OpenAI's `chat.completions.create`. */
export class ChatModel implements Model {
  readonly address: string
  readonly identity: Readonly<Record<string, string>>
  readonly #settings: ChatSettings
  readonly #abilities: Abilities
  #client: ChatClient | Promise<ChatClient> | undefined

  constructor(settings: ChatSettings) {
    const { address, identity, maxTokens = 'max_tokens' } = settings
    this.address = address
    this.identity = identity
    this.#settings = settings
    this.#abilities = new Abilities(maxTokens, (lacking) => {
      process.emitWarning(`${address} does not take ${lacking}: it is asked without`, 'VitestEvaluateWarning')
    })
  }

  requireReady(): void {
    this.#settings.requireReady?.()
  }

  /** What is wrong comes out again when it is asked. */
  async prepare(): Promise<void> {
    this.#client ??= this.#settings.client()
    await Promise.resolve(this.#client).catch(() => {})
  }

  async generate(request: ModelRequest, context: ModelContext = {}): Promise<ModelAnswer> {
    const { model, secrets = [], keyVariable } = this.#settings
    let sent: Sendable = this.#abilities
    for (let lessons = 0; ; lessons++) {
      const body = chatBody(model, request, sent)
      try {
        return chatAnswer(this.address, failedInside(await this.#create(body, context)))
      } catch (thrown) {
        if (context.signal?.aborted) throw abortedError(this.address, context.signal)
        const filtered = filteredAnswer(thrown, this.address)
        if (filtered) return filtered
        const next = lessons < MAX_LESSONS ? this.#abilities.learn(thrown, body, sent) : undefined
        if (!next)
          throw toModelError(thrown, { address: this.address, secrets, keyVariable, baseURL: this.identity.baseURL })
        sent = next
      }
    }
  }

  async #create(body: object, { signal, timeoutMs = this.#settings.timeoutMs ?? TIMEOUT_MS }: ModelContext) {
    this.#client ??= this.#settings.client()
    const client = await this.#client
    return bounded((inner) => client.chat.completions.create(body, { signal: inner }), timeoutMs, signal)
  }
}

/** Some gateways answer 200 and put the failure into the body. */
function failedInside(completion: any): any {
  const error = completion?.error
  if (typeof error !== 'object' || error === null || completion.choices) return completion
  const status = Number(error.status ?? error.code)
  throw Object.assign(new Error(String(error.message ?? 'the answer is an error')), {
    status: status >= 400 ? status : 502,
    code: error.code,
  })
}

/**
 * Runs a work under a deadline of its own, which the work cannot miss, and the caller's signal.
 * @param timeoutMs 0: no limit
 */
export function bounded<T>(
  work: (signal: AbortSignal) => PromiseLike<T>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const controller = new AbortController()
    const giveUp = (reason: unknown): void => {
      finish()
      reject(reason)
      controller.abort(reason)
    }
    const onAbort = (): void => giveUp(signal?.reason)
    const timer = timeoutMs > 0 ? setTimer(() => giveUp(new DeadlineError(timeoutMs)), timeoutMs) : undefined
    const finish = (): void => {
      clearTimer(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    new Promise<T>((settle) => settle(work(controller.signal))).then(resolve, reject).finally(finish)
  })
}
