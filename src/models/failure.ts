import { EvaluationError, messageOf } from '../errors.ts'
import { type ModelAnswer, ModelError, type ModelErrorCode } from '../model.ts'
import { DeadlineError } from '../std/async.ts'
import { isInfrastructureFault, retryAfterMs } from '../std/fault.ts'
import { clip } from '../std/text.ts'

/** What is known of a model when a call of it fails. */
export interface Asked {
  readonly address: string
  /** Texts that no message may hold. */
  readonly secrets: readonly string[]
  /** The variable that holds its key, for the hint. */
  readonly keyVariable?: string | undefined
  /** Where it was asked, for the hint. */
  readonly baseURL?: string | undefined
}

const MAX_MESSAGE = 600

/** Gives the ModelError for whatever a client threw. */
export function toModelError(thrown: unknown, { address, secrets, keyVariable, baseURL }: Asked): ModelError {
  if (thrown instanceof ModelError) return thrown
  // Found out before anything was asked: its sentence is whole already.
  if (thrown instanceof EvaluationError && thrown.code === 'CONFIG_INVALID')
    return new ModelError('CONFIG_INVALID', redacted(thrown.message, secrets))
  const text = clip(redacted(reasonOf(thrown), secrets), MAX_MESSAGE)
  const fail = (code: ModelErrorCode, more: { hint?: string; transient?: boolean } = {}): ModelError => {
    const status = statusOf(thrown)
    const sentence = `Cannot ask ${address}: ${text}`
    return new ModelError(code, more.hint ? `${sentence}\nHint: ${more.hint}` : sentence, {
      status,
      retryAfterMs: askedToWait(thrown),
      transient: more.transient ?? false,
    })
  }
  if (thrown instanceof DeadlineError) return fail('TIMEOUT', { transient: true })
  const status = statusOf(thrown)
  const code = (thrown as { code?: unknown } | null)?.code
  switch (status) {
    case 401:
    case 403: {
      const hint = keyVariable ? `its key comes from ${keyVariable}` : undefined
      return fail('AUTHENTICATION', hint ? { hint } : {})
    }
    case 404:
      return fail('MODEL_NOT_FOUND', { hint: 'check the model and the base URL' })
    case 408:
      return fail('TIMEOUT', { transient: true })
    case 429:
      // What is used up does not come back by waiting.
      return fail('RATE_LIMITED', { transient: code !== 'insufficient_quota' })
  }
  if (status !== undefined && status >= 400 && status < 500) return fail('REFUSED_REQUEST')
  if (isFault(thrown)) {
    const where = status === undefined && baseURL ? `it was asked at ${baseURL}` : undefined
    return fail('TRANSPORT', { transient: true, ...(where && { hint: where }) })
  }
  return fail('MODEL_THREW')
}

/** Gives the error of a call that its caller has ended. */
export function abortedError(address: string, signal: AbortSignal): ModelError {
  return new ModelError('ABORTED', `Stopped asking ${address}: ${messageOf(signal.reason)}`)
}

/** Of a connection that failed clients say only that; the reason stands in what caused it. */
function reasonOf(thrown: unknown): string {
  const message = messageOf(thrown)
  let deepest = thrown
  for (let depth = 0; depth < 5; depth++) {
    const { cause, errors } = (deepest ?? {}) as { cause?: unknown; errors?: unknown }
    const next = cause ?? (Array.isArray(errors) ? errors[0] : undefined)
    if (typeof next !== 'object' || next === null) break
    deepest = next
  }
  const reason = deepest === thrown ? '' : messageOf(deepest)
  return reason === '' || message.includes(reason) ? message : `${message.replace(/\.$/, '')} (${reason})`
}

function isFault(thrown: unknown): boolean {
  try {
    if (isInfrastructureFault(thrown)) return true
  } catch {
    return false
  }
  // A body that is not whole, or no JSON at all; what fetch says of a connection that ends.
  return thrown instanceof SyntaxError || /^(terminated|fetch failed|premature close)$/i.test(messageOf(thrown))
}

function statusOf(thrown: unknown): number | undefined {
  const { status, statusCode, response } = (thrown ?? {}) as Record<string, any>
  const value = Number(status ?? statusCode ?? response?.status)
  return Number.isInteger(value) && value > 0 ? value : undefined
}

function askedToWait(thrown: unknown): number | undefined {
  try {
    return typeof thrown === 'object' && thrown !== null ? retryAfterMs(thrown) : undefined
  } catch {
    return undefined
  }
}

/** Some servers repeat the key that they did not like. */
export function redacted(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length >= 4)
    .reduce((rest, secret) => rest.replaceAll(secret, '[secret]'), text)
    .replace(/\b(sk-[\w-]{4})[\w-]{8,}/g, '$1…')
}

/** A filter that steps in before the model is reported as a refused request; it is an answer all the same. */
export function filteredAnswer(thrown: unknown, address: string): ModelAnswer | undefined {
  const { status, code } = (thrown ?? {}) as { status?: unknown; code?: unknown }
  if (status !== 400 || !(code === 'content_filter' || code === 'content_policy_violation')) return undefined
  return { text: '', finishReason: 'content_filter', toolCalls: [], model: address }
}
