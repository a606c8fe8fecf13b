import { EvaluationError, quote } from '../errors.ts'
import type { Model } from '../model.ts'
import { type ChatClient, ChatModel } from './client.ts'

/** Where and how an endpoint of the OpenAI kind is asked. */
export interface OpenAIOptions {
  readonly model: string
  /** @default `OPENAI_BASE_URL`, `OPENAI_API_BASE`, else OpenAI's own */
  readonly baseURL?: string | undefined
  /** Null: the endpoint needs none. @default `OPENAI_API_KEY` */
  readonly apiKey?: string | null | undefined
  /** Sent with every request; null leaves out one that would be sent. */
  readonly headers?: Readonly<Record<string, string | null>> | undefined
  /** Added to every URL. */
  readonly query?: Readonly<Record<string, string>> | undefined
  /** @default `OPENAI_ORG_ID`, `OPENAI_ORGANIZATION` where the key is OpenAI's from the environment */
  readonly organization?: string | undefined
  /** @default `OPENAI_PROJECT_ID`, likewise */
  readonly project?: string | undefined
  /** Per call, milliseconds; 0: no limit. @default 120000 */
  readonly timeoutMs?: number | undefined
  /** @default the platform's */
  readonly fetch?: typeof globalThis.fetch | undefined
}

/** What an address knows besides. */
export interface EndpointOptions extends OpenAIOptions {
  readonly provider: string
  readonly address: string
  readonly maxTokens?: 'max_tokens' | 'max_completion_tokens' | undefined
  /** Where the key comes from, for messages. */
  readonly keyVariable?: string | undefined
  /** What is missing before anything can be asked. */
  readonly missing?: string | undefined
}

const OPENAI_URL = 'https://api.openai.com/v1'
const OPTIONS = ['model', 'baseURL', 'apiKey', 'headers', 'query', 'organization', 'project', 'timeoutMs', 'fetch']

/**
 * Makes a model of any endpoint that speaks OpenAI's chat completions, through the `openai` package, which is loaded on first use.
 *
 * @example
 * Safety({ model: openai({ model: 'qwen3', baseURL: 'http://localhost:8000/v1', apiKey: null }) })
 * @throws TypeError for a missing model, an unknown option or a base URL that is none
 */
export function openai(options: OpenAIOptions): Model {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`Cannot make a model: expected { model, … }, found ${quote(options)}`)
  for (const key of Object.keys(options))
    if (!OPTIONS.includes(key)) throw new TypeError(`Cannot make a model: unknown option "${key}"`)
  const { env } = process
  const own = options.baseURL === undefined
  return endpointModel({
    ...options,
    provider: 'openai',
    address: `openai:/${options.model}`,
    baseURL: options.baseURL ?? (env.OPENAI_BASE_URL || env.OPENAI_API_BASE || OPENAI_URL),
    apiKey: options.apiKey === undefined ? env.OPENAI_API_KEY : options.apiKey,
    organization: options.organization ?? (own ? env.OPENAI_ORG_ID || env.OPENAI_ORGANIZATION : undefined),
    project: options.project ?? (own ? env.OPENAI_PROJECT_ID : undefined),
    maxTokens: own ? 'max_completion_tokens' : 'max_tokens',
    keyVariable: options.apiKey === undefined ? 'OPENAI_API_KEY' : undefined,
  })
}

/** Gives the model of an endpoint whose every setting is settled. */
export function endpointModel(options: EndpointOptions): ChatModel {
  const { model, baseURL, provider, address, apiKey, headers = {}, keyVariable, maxTokens, timeoutMs } = options
  if (typeof model !== 'string' || model === '')
    throw new TypeError(`Cannot make a model: "model" must name one, found ${quote(model)}`)
  const url = baseURL === undefined ? undefined : safeUrl(baseURL)
  const requireReady = (): void => {
    const problem =
      options.missing ??
      (apiKey === undefined || apiKey === '' ? `${keyVariable ?? 'its key'} is not set` : undefined) ??
      (url === undefined ? 'its base URL is not known' : undefined)
    if (problem === undefined) return
    throw new EvaluationError('CONFIG_INVALID', `Cannot ask ${address}: ${problem}`, {
      hint: keyVariable
        ? `set ${keyVariable}, or give apiKey: openai({ model, apiKey })`
        : 'give apiKey, or apiKey: null where the endpoint needs none',
    })
  }
  const userinfo = baseURL === undefined ? [] : secretsOfUrl(baseURL)
  return new ChatModel({
    address,
    identity: { provider, baseURL: url ?? '', model, ...(options.query && { query: JSON.stringify(options.query) }) },
    model,
    client: () => clientOf(options, requireReady),
    secrets: [apiKey, ...Object.values(headers), ...userinfo].filter((text) => typeof text === 'string'),
    keyVariable,
    maxTokens,
    timeoutMs,
    requireReady,
  })
}

async function clientOf(options: EndpointOptions, requireReady: () => void): Promise<ChatClient> {
  requireReady()
  const { default: OpenAI } = await import('openai')
  const { baseURL, apiKey, headers, query, organization, project, fetch } = options
  return new OpenAI({
    baseURL: baseURL as string,
    // The package wants a key even where the endpoint does not.
    apiKey: apiKey ?? 'none',
    defaultHeaders: { ...(apiKey === null && { authorization: null }), ...headers },
    ...(query && { defaultQuery: query }),
    // Null, lest it takes those of the environment to somebody else's server.
    organization: organization ?? null,
    project: project ?? null,
    // One layer retries and one looks at the clock, and it is not this one.
    maxRetries: 0,
    timeout: 2 ** 31 - 1,
    logLevel: 'off',
    // Vitest's jsdom looks like a browser, but nobody else can read what it holds.
    dangerouslyAllowBrowser: true,
    ...(fetch && { fetch }),
  })
}

/** A base URL as it may be shown and kept: no user, no password, no slash at its end. */
function safeUrl(baseURL: string): string {
  if (!URL.canParse(baseURL) || !/^https?:/.test(baseURL))
    throw new TypeError(`Cannot make a model: "baseURL" must be an http(s) URL, found ${quote(shownUrl(baseURL))}`)
  const url = new URL(baseURL)
  url.username = ''
  url.password = ''
  return url.href.replace(/\/+$/, '')
}

function shownUrl(text: unknown): unknown {
  return typeof text === 'string' ? text.replace(/\/\/[^/@]*@/, '//') : text
}

function secretsOfUrl(baseURL: string): string[] {
  const { username, password } = new URL(baseURL)
  return [username, password].filter((text) => text !== '').map(decodeURIComponent)
}
