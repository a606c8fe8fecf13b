import { clearTimer, DeadlineError, type LazySignal, monotonicMs, setTimer } from './async.ts'

interface Entry {
  readonly deadline: number
  readonly giveUp: (reason: unknown) => void
}

/**
 * Watches over many short works at once: one timer and one abort listener for all of them, since a timer and a listener for each
 * would cost more than a trivial work itself.
 */
export class Watch {
  readonly #outer: AbortSignal | undefined
  /** By timeout; inside one set the first entry is always the next to expire. */
  readonly #entries = new Map<number, Set<Entry>>()
  #timer: NodeJS.Timeout | undefined
  #timerAt = Number.POSITIVE_INFINITY

  constructor(outer?: AbortSignal) {
    this.#outer = outer
    outer?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /**
   * Settles with the work, or rejects: with DeadlineError after `timeoutMs` (0: never), with the abort's reason when the outer signal
   * fires. In those two cases `lazy` is aborted, and the work, which cannot be stopped by force, is left to end by itself.
   */
  run<T>(work: PromiseLike<T>, timeoutMs: number, lazy: LazySignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const giveUp = (reason: unknown): void => {
        lazy.abort(reason)
        reject(reason)
      }
      if (this.#outer?.aborted) {
        giveUp(this.#outer.reason)
        // A rejection that nobody looks at would end the process.
        work.then(undefined, () => {})
        return
      }
      const entry = { deadline: timeoutMs > 0 ? monotonicMs() + timeoutMs : Number.POSITIVE_INFINITY, giveUp }
      const set = this.#entries.get(timeoutMs) ?? new Set()
      this.#entries.set(timeoutMs, set.add(entry))
      this.#arm(entry.deadline)
      work.then(
        (value) => {
          set.delete(entry)
          resolve(value)
        },
        (reason) => {
          set.delete(entry)
          reject(reason)
        },
      )
    })
  }

  /** Lets go of timer and listener; works still running are no longer watched. */
  close(): void {
    this.#outer?.removeEventListener('abort', this.#onAbort)
    clearTimer(this.#timer)
    this.#entries.clear()
  }

  readonly #onAbort = (): void => {
    for (const set of this.#entries.values()) {
      for (const entry of set) entry.giveUp(this.#outer?.reason)
      set.clear()
    }
  }

  #arm(deadline: number): void {
    if (deadline >= this.#timerAt) return
    clearTimer(this.#timer)
    this.#timerAt = deadline
    this.#timer = setTimer(this.#onTimer, Math.max(1, deadline - monotonicMs()))
  }

  readonly #onTimer = (): void => {
    this.#timerAt = Number.POSITIVE_INFINITY
    const now = monotonicMs()
    let next = Number.POSITIVE_INFINITY
    for (const [timeoutMs, set] of this.#entries) {
      for (const entry of set) {
        if (entry.deadline > now) {
          next = Math.min(next, entry.deadline)
          break
        }
        set.delete(entry)
        entry.giveUp(new DeadlineError(timeoutMs))
      }
    }
    if (next < Number.POSITIVE_INFINITY) this.#arm(next)
  }
}
