import { didYouMean, quote } from '../errors.ts'
import type { ChatModel } from './client.ts'
import { type EndpointOptions, endpointModel } from './openai.ts'

/** Addresses of models: `<provider>:/<model>`, as MLflow writes them, with the environment variables that each ecosystem uses. */

type Environment = Readonly<Record<string, string | undefined>>

interface Provider {
  /** What its addresses look like. */
  readonly example: string
  /** Variables that hold the base URL, the first that is set; then the default. */
  readonly urls: readonly string[]
  readonly url?: string
  /** Makes a base URL of what a variable holds. */
  readonly path?: (host: string) => string
  readonly keys: readonly string[]
  /** False where an endpoint may be open to everybody. */
  readonly keyNeeded?: false
  readonly maxTokens?: EndpointOptions['maxTokens']
}

const https = (host: string): string => (/^https?:\/\//.test(host) ? host : `https://${host}`).replace(/\/+$/, '')
const http = (host: string): string => (/^https?:\/\//.test(host) ? host : `http://${host}`).replace(/\/+$/, '')
const v1 = (host: string): string => (/\/v\d+$/.test(http(host)) ? http(host) : `${http(host)}/v1`)

const databricks: Provider = {
  example: 'databricks:/databricks-gpt-oss-20b',
  urls: ['DATABRICKS_HOST'],
  path: (host) => `${https(host)}/serving-endpoints`,
  keys: ['DATABRICKS_TOKEN'],
}
const gateway: Provider = {
  example: 'gateway:/my-endpoint',
  urls: ['MLFLOW_GATEWAY_URI', 'MLFLOW_TRACKING_URI'],
  path: (host) => `${http(host)}/gateway/mlflow/v1`,
  keys: ['MLFLOW_GATEWAY_API_KEY', 'MLFLOW_TRACKING_TOKEN'],
  keyNeeded: false,
}

const PROVIDERS: Readonly<Record<string, Provider>> = {
  openai: {
    example: 'openai:/gpt-4.1-mini',
    urls: ['OPENAI_BASE_URL', 'OPENAI_API_BASE'],
    url: 'https://api.openai.com/v1',
    keys: ['OPENAI_API_KEY'],
    maxTokens: 'max_completion_tokens',
  },
  databricks,
  endpoints: { ...databricks, example: 'endpoints:/databricks-gpt-oss-20b' },
  azure: {
    example: 'azure:/my-deployment',
    urls: ['AZURE_OPENAI_ENDPOINT', 'AZURE_API_BASE'],
    path: https,
    keys: ['AZURE_OPENAI_API_KEY', 'AZURE_API_KEY'],
    maxTokens: 'max_completion_tokens',
  },
  ollama: {
    example: 'ollama:/qwen3:8b',
    urls: ['OLLAMA_HOST', 'OLLAMA_BASE_URL'],
    url: 'http://127.0.0.1:11434/v1',
    path: (host) => v1(ollamaHost(host)),
    keys: ['OLLAMA_API_KEY'],
    keyNeeded: false,
  },
  vllm: {
    example: 'vllm:/Qwen/Qwen3-8B',
    urls: ['VLLM_BASE_URL', 'HOSTED_VLLM_API_BASE'],
    url: 'http://127.0.0.1:8000/v1',
    path: v1,
    keys: ['VLLM_API_KEY', 'HOSTED_VLLM_API_KEY'],
    keyNeeded: false,
  },
  gateway,
  litellm: {
    example: 'litellm:/gpt-4.1-mini',
    urls: ['LITELLM_PROXY_API_BASE', 'LITELLM_BASE_URL'],
    url: 'http://127.0.0.1:4000/v1',
    path: v1,
    keys: ['LITELLM_PROXY_API_KEY', 'LITELLM_API_KEY'],
    keyNeeded: false,
  },
  anthropic: {
    example: 'anthropic:/claude-sonnet-4-5',
    urls: [],
    url: 'https://api.anthropic.com/v1',
    keys: ['ANTHROPIC_API_KEY'],
  },
  gemini: {
    example: 'gemini:/gemini-2.5-flash',
    urls: [],
    url: 'https://generativelanguage.googleapis.com/v1beta/openai',
    keys: ['GEMINI_API_KEY', 'GOOGLE_API_KEY'],
  },
  mistral: {
    example: 'mistral:/mistral-small-latest',
    urls: [],
    url: 'https://api.mistral.ai/v1',
    keys: ['MISTRAL_API_KEY'],
  },
  groq: {
    example: 'groq:/llama-3.3-70b-versatile',
    urls: [],
    url: 'https://api.groq.com/openai/v1',
    keys: ['GROQ_API_KEY'],
  },
  openrouter: {
    example: 'openrouter:/qwen/qwen3-32b',
    urls: ['OPENROUTER_BASE_URL'],
    url: 'https://openrouter.ai/api/v1',
    keys: ['OPENROUTER_API_KEY'],
  },
  deepseek: {
    example: 'deepseek:/deepseek-chat',
    urls: [],
    url: 'https://api.deepseek.com/v1',
    keys: ['DEEPSEEK_API_KEY'],
  },
}

const VARIABLES: readonly string[] = [
  ...Object.values(PROVIDERS).flatMap(({ urls, keys }) => [...urls, ...keys]),
  ...['OPENAI_ORG_ID', 'OPENAI_ORGANIZATION', 'OPENAI_PROJECT_ID'],
  ...['OPENAI_API_VERSION', 'AZURE_OPENAI_API_VERSION', 'AZURE_API_VERSION'],
]

/** Providers whose addresses are understood, beside `replay`. */
export const PROVIDER_NAMES: readonly string[] = Object.keys(PROVIDERS)

/** What an address says. `provider:model` and `provider/model`, as others write them, are not understood: they are too easily something else. */
export function parseAddress(address: string): { readonly provider: string; readonly model: string } {
  const [, provider = '', rest = ''] = /^([a-z][\w-]*):\/(.+)$/is.exec(address) ?? []
  // `openai://` is the same slip everywhere, but to a file a slash more or less is another place.
  const model = provider === 'replay' ? rest : rest.replace(/^\/+/, '')
  if (provider !== '' && model !== '') return { provider: provider.toLowerCase(), model }
  if (address === 'databricks')
    throw new TypeError(
      'Cannot use the model "databricks": managed judges are not open to other clients\nHint: name a serving endpoint, databricks:/databricks-gpt-oss-20b',
    )
  const hint = `an address looks like ${PROVIDERS.openai?.example}`
  const slip = /^([a-z][\w-]*)[:/](.+)$/i.exec(address)
  const meant = slip && PROVIDERS[slip[1]?.toLowerCase() ?? ''] ? ` (did you mean "${slip[1]}:/${slip[2]}"?)` : ''
  throw new TypeError(`Cannot use the model ${quote(address)}: it is no address${meant}\nHint: ${hint}`)
}

/**
 * Gives the model at an address. What is missing in the environment is said when it is asked.
 * @throws TypeError for an unknown provider
 */
export function modelAt(address: string, env: Environment = process.env): ChatModel {
  const key = JSON.stringify([address, ...VARIABLES.map((name) => env[name])])
  let model = models.get(key)
  if (!model) {
    model = newModel(address, env)
    models.set(key, model)
  }
  return model
}

/** One per process, since a model remembers what its endpoint can do. */
const models = new Map<string, ChatModel>()

function newModel(address: string, env: Environment): ChatModel {
  const { provider, model } = parseAddress(address)
  const known = Object.hasOwn(PROVIDERS, provider) ? PROVIDERS[provider] : undefined
  if (!known) {
    throw new TypeError(
      `Cannot use the model ${quote(address)}: unknown provider "${provider}"${didYouMean(provider, [...PROVIDER_NAMES, 'replay'])}\n` +
        `Hint: there are ${PROVIDER_NAMES.join(', ')} and replay; any other endpoint of the OpenAI kind is openai({ model, baseURL })`,
    )
  }
  const urlVariable = known.urls.find((name) => env[name])
  const keyVariable = known.keys.find((name) => env[name])
  const given = urlVariable && (env[urlVariable] as string)
  const baseURL = given ? (known.path?.(given) ?? given) : known.url
  const settled: EndpointOptions = {
    provider,
    address: `${provider}:/${model}`,
    model,
    baseURL,
    apiKey: keyVariable ? env[keyVariable] : known.keyNeeded === false ? null : undefined,
    keyVariable: keyVariable ?? (known.keyNeeded === false ? undefined : known.keys[0]),
    maxTokens: known.maxTokens,
    ...(baseURL === undefined && { missing: `${known.urls[0]} is not set` }),
  }
  return endpointModel(
    provider === 'azure' ? azure(settled, env) : provider === 'openai' ? ofOpenAI(settled, env) : settled,
  )
}

function ofOpenAI(settled: EndpointOptions, env: Environment): EndpointOptions {
  return {
    ...settled,
    organization: env.OPENAI_ORG_ID || env.OPENAI_ORGANIZATION || undefined,
    project: env.OPENAI_PROJECT_ID || undefined,
  }
}

/** With a version of the API, the older URL of a deployment; without, the newer one that needs none. */
function azure(settled: EndpointOptions, env: Environment): EndpointOptions {
  const { baseURL, model, apiKey } = settled
  const version = env.OPENAI_API_VERSION || env.AZURE_OPENAI_API_VERSION || env.AZURE_API_VERSION
  const path = version ? `openai/deployments/${encodeURIComponent(model)}` : 'openai/v1'
  return {
    ...settled,
    baseURL: baseURL && (/\/openai(\/|$)/.test(baseURL) ? baseURL : `${baseURL}/${path}`),
    ...(version && { query: { 'api-version': version } }),
    ...(typeof apiKey === 'string' && { headers: { 'api-key': apiKey, authorization: null } }),
  }
}

/** Ollama's own variable names a place to listen at: it may lack the scheme or the port, and 0.0.0.0 is no place to call. */
function ollamaHost(host: string): string {
  const url = new URL(http(host))
  if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1'
  if (url.port === '' && !/^https?:\/\//.test(host)) url.port = '11434'
  return url.href
}
