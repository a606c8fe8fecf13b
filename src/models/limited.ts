import { type Model, type ModelAnswer, type ModelContext, ModelError, type ModelRequest } from '../model.ts'
import { sleep } from '../std/async.ts'
import { abortedError } from './failure.ts'
import type { Limiter } from './limiter.ts'
import { wrapped } from './wrap.ts'

/** The one layer that repeats calls of models. */

const FIRST_DELAY_MS = 250
const LONGEST_DELAY_MS = 30_000
/** An endpoint may ask for more than this; then the call fails at once instead of holding its row for minutes. */
const LONGEST_RETRY_AFTER_MS = 120_000
/** Refusals for the rate say nothing against the call; but an endpoint that refuses it so often does not keep its own word. */
const MAX_REFUSALS = 20
const OVERLOADED = new Set([429, 503, 529])

/**
 * Wraps a model so that its calls wait for their turn, and are repeated after faults of the infrastructure: as often as it takes after 429,
 * `retries` times after anything else of that kind. A wrong or refused answer is never asked again.
 */
export function limited(model: Model, limiter: Limiter, retries: number): Model {
  return {
    ...wrapped(model, model.generate),
    async generate(request: ModelRequest, context: ModelContext = {}): Promise<ModelAnswer> {
      const { signal } = context
      await model.prepare?.()
      let faults = 0
      let refusals = 0
      for (;;) {
        const launchedAt = await turn(model, limiter, signal, refusals > 0)
        let delayMs = 0
        try {
          const answer = await model.generate(request, context)
          limiter.answered()
          return answer
        } catch (thrown) {
          if (!(thrown instanceof ModelError) || !thrown.transient || signal?.aborted) throw thrown
          const { status = 0, retryAfterMs } = thrown
          if (status === 429 || (OVERLOADED.has(status) && retryAfterMs !== undefined)) {
            if ((retryAfterMs ?? 0) > LONGEST_RETRY_AFTER_MS || ++refusals > MAX_REFUSALS) throw thrown
            limiter.refused(launchedAt, retryAfterMs)
          } else {
            if (++faults > retries) throw thrown
            delayMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (faults - 1)) * (0.5 + Math.random() / 2)
          }
        } finally {
          limiter.release()
        }
        if (delayMs > 0) await sleep(delayMs, signal).catch(() => {})
      }
    },
  }
}

async function turn(model: Model, limiter: Limiter, signal: AbortSignal | undefined, again: boolean): Promise<number> {
  try {
    return await limiter.acquire(signal, again)
  } catch (thrown) {
    if (signal?.aborted) throw abortedError(model.address, signal)
    throw thrown
  }
}
