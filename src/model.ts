import { around, surround } from './ambience.ts'
import { EvaluationError } from './errors.ts'
import type { ModelUsage, UsageMeter } from './meter.ts'

/** The contract of the models that judges ask, and where a judge finds them. */

/** A language model at the end of a wire, a file or a function. */
export interface Model {
  /** Provider and name, such as `openai:/gpt-4.1-mini`: what users write and reports show. */
  readonly address: string
  /** Everything besides the request that can change an answer (provider, base URL, model): part of the cache's key. Holds no secrets. */
  readonly identity: Readonly<Record<string, string>>
  /** True where answers depend on more than identity and request can show: they are then never kept. */
  readonly opaque?: boolean
  /**
   * Asks once. The answer may be cut off, refused or filtered: `finishReason` has to be looked at before its text.
   * @throws ModelError when there is no answer
   */
  generate(request: ModelRequest, context?: ModelContext): Promise<ModelAnswer>
  /** Loads what a call needs. Awaited before a call gets its turn, so that none is late for it. */
  prepare?(): Promise<void>
  /** Throws an EvaluationError where a call cannot succeed as things are: no key, no file. Asks nobody. */
  requireReady?(): void
}

/** What surrounds one request. */
export interface ModelContext {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds for one call, repeated ones not counted together. @default 120000 */
  readonly timeoutMs?: number | undefined
}

/** One request, as its answer depends on it. */
export interface ModelRequest {
  readonly messages: readonly ModelMessage[]
  /** The answer's text has to be JSON that fits; endpoints that cannot promise this are asked without, so it has to be checked all the same. */
  readonly schema?: { readonly name: string; readonly schema: object }
  readonly tools?: readonly ModelTool[]
  readonly parameters?: ModelParameters
  /** Tells equal requests apart that should be answered anew: part of the cache's key, never sent. */
  readonly repeat?: number
  /** The judge's version: part of the cache's key, never sent. */
  readonly judge?: string
  /** Whether an answer is worth keeping: one that cannot be used is not stored, so that asking again may help. Whole answers only come here. */
  readonly accepts?: (answer: ModelAnswer) => boolean
}

/** One message of a conversation with a model. */
export interface ModelMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string
  /** Of an assistant's message: what it asked for. */
  readonly toolCalls?: readonly ModelToolCall[]
  /** Of a tool's message: the call that it answers. */
  readonly toolCallId?: string
}

/** A tool that a model may ask for. */
export interface ModelTool {
  readonly name: string
  readonly description: string
  /** JSON Schema of its arguments. */
  readonly parameters: object
}

/** A model's wish to have a tool called. */
export interface ModelToolCall {
  readonly id: string
  readonly name: string
  /** JSON, as the model wrote it. */
  readonly arguments: string
}

/** Sampling. What is given is sent, unless the endpoint refuses to take it. */
export interface ModelParameters {
  readonly temperature?: number
  readonly topP?: number
  /** Of the answer, hidden reasoning included. */
  readonly maxTokens?: number
  readonly seed?: number
  readonly reasoningEffort?: 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh'
}

/** Why an answer ended; anything but `stop` and `tool_calls` is no whole answer. */
export type FinishReason = 'stop' | 'length' | 'refusal' | 'content_filter' | 'tool_calls' | 'other'

/** What a model answered. */
export interface ModelAnswer {
  readonly text: string
  readonly finishReason: FinishReason
  /** The model's own words for why it does not answer. */
  readonly refusal?: string
  readonly toolCalls: readonly ModelToolCall[]
  /** Missing where the endpoint did not say. */
  readonly usage?: ModelUsage
  /** The model that answered, as the endpoint calls it. */
  readonly model: string
  /** US dollars; missing where unknown. For an answer from the cache: what was not paid again. */
  readonly cost?: number
  /** True when it came from the cache. */
  readonly cached?: boolean
}

/** Why there is no answer. `REFUSED_REQUEST` is the endpoint's no to the request as such (4xx), not the model's to its content. */
export type ModelErrorCode =
  | 'TRANSPORT'
  | 'RATE_LIMITED'
  | 'TIMEOUT'
  | 'ABORTED'
  | 'CONFIG_INVALID'
  | 'AUTHENTICATION'
  | 'MODEL_NOT_FOUND'
  | 'REFUSED_REQUEST'
  | 'MALFORMED_RESPONSE'
  | 'BUDGET_EXCEEDED'
  | 'PRICE_UNKNOWN'
  | 'NOT_RECORDED'
  | 'MODEL_THREW'

/** What a ModelError says beside its message. */
export interface ModelErrorDetails {
  /** Of the HTTP response, where there was one. */
  readonly status?: number | undefined
  /** Milliseconds that the endpoint asked to wait. */
  readonly retryAfterMs?: number | undefined
  /** Whether the same call may succeed later. */
  readonly transient?: boolean
  readonly cause?: unknown
}

/** Reports that a model gave no answer. Its message never holds a key. */
export class ModelError extends Error {
  override readonly name = 'ModelError'
  readonly code: ModelErrorCode
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined
  readonly transient: boolean

  constructor(code: ModelErrorCode, message: string, details: ModelErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.status = details.status
    this.retryAfterMs = details.retryAfterMs
    this.transient = details.transient ?? false
  }
}

/** A plain function as a model: takes the messages, gives the answer's text. */
export type ModelFunction = (
  messages: readonly ModelMessage[],
  request: ModelRequest & ModelContext,
) => string | Promise<string>

/** Any client of the OpenAI kind, with the name of the model to ask. */
export interface ModelClient {
  readonly model: string
  readonly client: { readonly chat: { readonly completions: { create(body: any, options?: any): PromiseLike<any> } } }
}

/** A model of the Vercel AI SDK, of its specification 2 or later. */
export interface LanguageModel {
  readonly specificationVersion: string
  readonly provider: string
  readonly modelId: string
  doGenerate(options: any): PromiseLike<any>
}

/** How a user says which model to ask: an address, or something that is one. */
export type ModelChoice = string | Model | LanguageModel | ModelClient | ModelFunction

/** The models in force: what turns a choice into a model that keeps limits, cache and budget. */
export interface Models {
  /**
   * Gives the model for a choice; without one, the judge model in force. Equal choices give the same model.
   * @throws TypeError for what is no model and for an address of no known provider
   */
  resolve(choice?: ModelChoice): Model
  /** Gives the text kept under a key, else makes it and keeps it; where answers are not kept, makes it. */
  keep?(key: string, make: () => Promise<string>): Promise<string>
}

interface Holder {
  fallback?: () => Models
}

// On globalThis, because a test run may load this module twice: once for the app, once for the setup file.
const KEY = Symbol.for('vitest-evaluate.models')
const global = globalThis as { [KEY]?: Holder }
global[KEY] ??= {}
const holder = global[KEY]

/**
 * Gives the models of the evaluation that is going on here, else the ones that hold outside of any.
 * @throws EvaluationError CONFIG_INVALID when nothing of this package that knows models has been imported
 */
export function currentModels(): Models {
  const models = (around().models as Models | undefined) ?? holder.fallback?.()
  if (models) return models
  throw noModels()
}

/** Gives the error where nothing that knows models has been imported. */
export function noModels(): EvaluationError {
  return new EvaluationError('CONFIG_INVALID', 'Cannot ask a model: there are no models in force', {
    hint: "import from 'vitest-evaluate/judges' or 'vitest-evaluate/models'",
  })
}

/** Runs a function so that every judge in it finds these models. */
export function withModels<T>(models: Models, fn: () => T): T {
  return surround({ ...around(), models }, fn)
}

/** Sets the models that hold outside of any evaluation; asked for on first use. */
export function setFallbackModels(fallback: () => Models): void {
  holder.fallback = fallback
}

/** Runs a function so that every call of a model in it is counted here. */
export function withMeter<T>(meter: UsageMeter, fn: () => T): T {
  return surround({ ...around(), meter }, fn)
}

/** Gives what counts the calls made here, if anything does. */
export function currentMeter(): UsageMeter | undefined {
  return around().meter as UsageMeter | undefined
}
