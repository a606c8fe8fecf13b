import { messageOf } from './errors.ts'
import type { AssessmentError } from './feedback.ts'
import { monotonicMs } from './std/async.ts'

/** What is said while scorers work. */
export type ShiftEvent =
  | {
      readonly kind: 'blocked'
      readonly scorer: string
      readonly code: string
      readonly message: string
      readonly untilMs: number
    }
  /** Said once for every scorer and code in ten minutes. */
  | { readonly kind: 'failed'; readonly scorer: string; readonly code: string; readonly message: string }
  | { readonly kind: 'notice'; readonly scorer: string; readonly message: string }
  | { readonly kind: 'fault'; readonly message: string }

const SAY_AGAIN_MS = 10 * 60_000

/** Tells what happens while scorers work, without telling the same of every trace. */
export class Telling {
  readonly #onEvent: (event: ShiftEvent) => void
  readonly #noticed = new Set<string>()
  /** When which failure was told last. */
  readonly #failed = new Map<string, number>()

  constructor(onEvent: (event: ShiftEvent) => void) {
    this.#onEvent = onEvent
  }

  blocked(scorer: string, code: string, message: string, untilMs: number): void {
    this.#onEvent({ kind: 'blocked', scorer, code, message, untilMs })
  }

  /** Why work is tried again has to be known before it has failed for good. */
  failed(scorer: string, { code, message }: AssessmentError): void {
    const key = `${scorer} ${code}`
    if (monotonicMs() - (this.#failed.get(key) ?? Number.NEGATIVE_INFINITY) < SAY_AGAIN_MS) return
    this.#failed.set(key, monotonicMs())
    this.#onEvent({ kind: 'failed', scorer, code, message })
  }

  notice(scorer: string, message: string): void {
    if (this.#noticed.has(message)) return
    this.#noticed.add(message)
    this.#onEvent({ kind: 'notice', scorer, message })
  }

  fault(fault: unknown): void {
    this.#onEvent({ kind: 'fault', message: messageOf(fault) })
  }
}
