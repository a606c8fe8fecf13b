import { messageOf } from './errors.ts'
import { FormatFault } from './format.ts'
import { type Encoding, type Export, readExport } from './formats/exchange.ts'
import { type Delivery, stow } from './intake.ts'
import type { Queue } from './queue.ts'
import { clearTimer, monotonicMs, nowMs, setTimer, sleep } from './std/async.ts'
import { type Packing, TooLongError, unpack } from './std/body.ts'

/** Requests that wait for the store. They wait as bytes, just as they came, so that many of them take little; those that wait together are written together. */

export interface InboxLimits {
  /** Length of what a packed request unpacks to, bytes. @default 64 MiB */
  readonly unpackedBytes: number
  /** What all requests that are being read or wait may take, bytes. @default 64 MiB */
  readonly waitingBytes: number
  /** How many requests may wait. @default 256 */
  readonly waitingRequests: number
  /** How long a request waits for the store before it is told to come again, milliseconds. @default 4000 */
  readonly patienceMs: number
}

/** What has come, since the start. */
export interface ReceiverCounts {
  /** Requests with traces, of whatever outcome, and the bytes of those that were read, as they came. */
  readonly requests: number
  readonly bytes: number
  /** Requests that were told to come again (429, 503), and those that are not to (other codes). */
  readonly deferred: number
  readonly refused: number
  /** Spans that are safe in the store, repeated ones included. */
  readonly spans: number
  /** Spans that cannot be kept. */
  readonly rejected: number
  /** Spans of evaluations: what belongs to a run is not taken in here. */
  readonly evaluated: number
  /** Traces that were new, and those that have grown; each counts as often as it grows. */
  readonly added: number
  readonly grown: number
  /** Requests and bytes that wait now. */
  readonly waiting: number
  readonly waitingBytes: number
  /** When spans last became safe, milliseconds since 1970. */
  readonly lastAt?: number
}

/** The room that a request takes. */
export interface Ticket {
  readonly expected: number
  held: number
}

/** A request with traces, as it came. */
export interface Letter {
  readonly ticket: Ticket
  readonly body: Buffer
  readonly encoding: Encoding
  readonly packing: Packing
  readonly experiment: string
}

/** How it is to be answered. */
export type Answer =
  | { readonly status: 200; readonly rejected: readonly string[] }
  | { readonly status: 400 | 413 | 429 | 503; readonly message: string }

interface Waiting {
  readonly letter: Letter
  readonly sinceMs: number
  readonly answer: (answer: Answer) => void
  answered: boolean
}

/** What is written together: until so many bytes, unpacked, or requests. */
const BATCH_BYTES = 4_000_000
const BATCH_REQUESTS = 64
/** After a write that took longer, the next one waits for company. */
const SLOW_MS = 500
const GATHER_MS = 200

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

export class Inbox {
  readonly #store: Pick<Queue, 'standing' | 'putTraces'>
  readonly #limits: InboxLimits
  readonly #queue: Waiting[] = []
  /** Bytes that are being read, wait or are being written. */
  #held = 0
  /** Bytes that those said they have, or had. */
  #expected = 0
  #open = 0
  /** Bytes that are being written, and what the last write took. */
  #writing = 0
  #writeMs = 0
  #working: Promise<void> | undefined
  readonly counts: Mutable<Omit<ReceiverCounts, 'waiting' | 'waitingBytes'>> = {
    requests: 0,
    bytes: 0,
    deferred: 0,
    refused: 0,
    spans: 0,
    rejected: 0,
    evaluated: 0,
    added: 0,
    grown: 0,
  }

  constructor(store: Pick<Queue, 'standing' | 'putTraces'>, limits: InboxLimits) {
    this.#store = store
    this.#limits = limits
  }

  get waiting(): { readonly waiting: number; readonly waitingBytes: number } {
    return { waiting: this.#open, waitingBytes: this.#held }
  }

  /**
   * Takes room for one more request; undefined where there is none. Where it would wait in vain, there is none. To be given back by `leave`.
   * @param expected its length, as far as it is known
   */
  enter(expected: number): Ticket | undefined {
    const { waitingRequests, waitingBytes, patienceMs } = this.#limits
    const [oldest] = this.#queue
    const isLate = oldest !== undefined && monotonicMs() - oldest.sinceMs > patienceMs / 2
    const ahead = Math.floor((Math.max(this.#held, this.#expected) - this.#writing) / BATCH_BYTES)
    const waitMs = (ahead + (this.#writing > 0 ? 2 : 1)) * this.#writeMs
    const isFull = this.#open >= waitingRequests || this.#held + expected > waitingBytes
    // Where nothing is under way, what took long before is no reason.
    if (this.#open > 0 && (isFull || isLate || waitMs > patienceMs)) return undefined
    this.#open++
    this.#expected += expected
    return { expected, held: 0 }
  }

  leave({ expected, held }: Ticket): void {
    this.#open--
    this.#expected -= expected
    this.#held -= held
  }

  /** Takes room for so many bytes of a request that is being read; false where there is none. One request alone always has room. */
  hold(ticket: Ticket, bytes: number): boolean {
    if (this.#held + bytes > this.#limits.waitingBytes && this.#open > 1) return false
    this.#held += bytes
    ticket.held += bytes
    return true
  }

  /** Settles when the letter is safe in the store, or cannot be. The room that it takes is given back. */
  async post(letter: Letter): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer>()
    const late = setTimer(() => {
      const message = 'Cannot keep the traces now: the store is slow or locked'
      waiting.answer({ status: 503, message })
    }, this.#limits.patienceMs)
    const waiting: Waiting = {
      letter,
      sinceMs: monotonicMs(),
      answered: false,
      answer: (answer) => {
        waiting.answered = true
        clearTimer(late)
        resolve(answer)
      },
    }
    this.#queue.push(waiting)
    this.#working ??= this.#work()
    return promise
  }

  /** Settles when nothing waits any more. */
  async drained(): Promise<void> {
    while (this.#working) await this.#working
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0) {
      // What comes while a slow store rests goes together: each write costs it the same time, whatever is in it.
      await (this.#writeMs > SLOW_MS ? sleep(GATHER_MS) : Promise.resolve())
      const batch = await this.#next()
      if (batch.length === 0) continue
      const began = monotonicMs()
      this.#writing = batch.reduce((sum, { waiting }) => sum + waiting.letter.body.length, 0)
      try {
        await this.#keep(batch)
      } catch (fault) {
        const message = `Cannot keep the traces now: ${messageOf(fault).split('\n')[0]}`
        for (const { waiting } of batch) waiting.answer({ status: 503, message })
      } finally {
        this.#writeMs = monotonicMs() - began
        this.#writing = 0
        for (const { waiting } of batch) this.leave(waiting.letter.ticket)
      }
    }
    this.#working = undefined
  }

  /** Reads requests until there are enough for one write. */
  async #next(): Promise<Read[]> {
    const batch: Read[] = []
    let bytes = 0
    while (bytes < BATCH_BYTES && batch.length < BATCH_REQUESTS) {
      const waiting = this.#queue.shift()
      if (!waiting) break
      // Nobody waits for it any more; it will come again.
      const read = waiting.answered ? undefined : await this.#read(waiting)
      if (read) {
        batch.push(read)
        bytes += read.bytes
      } else this.leave(waiting.letter.ticket)
    }
    return batch
  }

  async #read(waiting: Waiting): Promise<Read | undefined> {
    const { body, encoding, packing } = waiting.letter
    const what = encoding === 'json' ? 'OTLP JSON' : 'OTLP protobuf'
    try {
      const plain = await unpack(body, packing, this.#limits.unpackedBytes)
      return { waiting, bytes: plain.length, read: await readExport(plain, encoding) }
    } catch (fault) {
      const isOurs = fault instanceof FormatFault || fault instanceof TooLongError
      const why = isOurs
        ? fault.message
        : packing === 'none'
          ? messageOf(fault)
          : `its ${packing} is damaged: ${messageOf(fault)}`
      waiting.answer({
        status: fault instanceof TooLongError ? 413 : 400,
        message: `Cannot read the request as ${what}: ${why}`,
      })
      return undefined
    }
  }

  async #keep(batch: readonly Read[]): Promise<void> {
    const deliveries = batch.map(
      ({ waiting, read }): Delivery => ({ drafts: read.drafts, experiment: waiting.letter.experiment }),
    )
    const { rejected, evaluated, added, grown } = await stow(this.#store, deliveries)
    const { counts } = this
    counts.evaluated += evaluated
    counts.spans -= evaluated
    counts.added += added
    counts.grown += grown
    counts.lastAt = nowMs()
    for (const [i, { waiting, read }] of batch.entries()) {
      const why = [...read.refused, ...(rejected[i] ?? [])]
      counts.rejected += why.length
      counts.spans += read.drafts.length + read.refused.length - why.length
      waiting.answer({ status: 200, rejected: why })
    }
  }
}

interface Read {
  readonly waiting: Waiting
  readonly bytes: number
  readonly read: Export
}
