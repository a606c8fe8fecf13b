/**
 * Waiting with bounds. Timers and clocks are taken at load, so that fake timers in a user's test do not stop an evaluation.
 */
import { clearTimeout, setImmediate, setTimeout } from 'node:timers'

// Constants: fake timers patch node:timers too, and an import of it may follow.
const startTimer = setTimeout
const stopTimer = clearTimeout
const startImmediate = setImmediate
/** A longer timer would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

const performanceNow = performance.now.bind(performance)
const dateNow = Date.now.bind(Date)

/** Milliseconds of a clock that never jumps. */
export function monotonicMs(): number {
  return performanceNow()
}

/** Milliseconds since 1970. */
export function nowMs(): number {
  return dateNow()
}

const originMs = dateNow() - Math.floor(performanceNow())

/** A moment in wall-clock time, finer than a double of milliseconds since 1970 could hold. */
export interface Moment {
  /** Milliseconds since 1970. */
  readonly ms: number
  /** What it has beyond that, nanoseconds, 0 to 999,999. */
  readonly subNs: number
}

/** Gives the wall-clock moment of a reading of `monotonicMs`. */
export function momentOf(monotonic: number): Moment {
  const whole = Math.floor(monotonic)
  return { ms: originMs + whole, subNs: Math.min(999_999, Math.round((monotonic - whole) * 1e6)) }
}

/** Nanoseconds since 1970, on the monotonic clock. */
export function nowNs(): bigint {
  const { ms, subNs } = momentOf(performanceNow())
  return BigInt(ms) * 1_000_000n + BigInt(subNs)
}

/** Calls back once, after at most 24.8 days. */
export function setTimer(callback: () => void, ms: number): NodeJS.Timeout {
  return startTimer(callback, Math.min(ms, MAX_TIMER_MS))
}

/** Takes back what `setTimer` gave. */
export function clearTimer(timer: NodeJS.Timeout | undefined): void {
  stopTimer(timer)
}

/** Settles when timers, messages and aborts have had their turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    startImmediate(resolve)
  })
}

/** Waits; an abort ends the wait at once with the signal's reason. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      clearTimer(timer)
      reject(signal?.reason)
    }
    const timer = setTimer(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** Says that something did not finish in its time. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
  readonly timeoutMs: number
  constructor(timeoutMs: number) {
    super(`did not finish within ${timeoutMs} ms`)
    this.timeoutMs = timeoutMs
  }
}

/**
 * An AbortSignal made only when somebody asks for it: most predict functions and scorers never do, and at a hundred
 * thousand rows the difference shows.
 */
export class LazySignal {
  #controller: AbortController | undefined
  #reason: unknown
  #aborted = false

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#aborted) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  abort(reason: unknown): void {
    if (this.#aborted) return
    this.#aborted = true
    this.#reason = reason
    this.#controller?.abort(reason)
  }
}

/** True for a promise, or what `await` treats as one. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
