import type { Duty } from './duty.ts'
import { EvaluationError } from './errors.ts'
import { NEWEST_FIRST } from './order.ts'
import { inOrder } from './session.ts'
import type { Store, StoredTrace, TraceQuery } from './store.ts'

/** So much text of traces that wait to be scored is held in memory for each scorer, characters. */
export const HELD_CHARS = 32_000_000
const FEWEST = 10
const OLDEST_FIRST = [{ ...NEWEST_FIRST, descending: false }]
/** Traces that are read in one go: nobody knows how long they are before that. */
const READ = 50

/** Says that traces are longer than those before: fewer of them are to be read at once. */
export class TooLong extends Error {}

/** Reads what is to be scored. */
export class Subjects {
  readonly #store: Store
  /** How long a trace or session is, as far as is known: of late, on the average. */
  readonly #chars = { trace: 0, session: 0 }

  constructor(store: Store) {
    this.#store = store
  }

  /** How many traces to read at once, and to hold: fewer where they are long. Sessions may be of any length: few, as long as nothing is known of them. */
  atOnce(most: number, level: 'trace' | 'session' = 'trace'): number {
    const chars = this.#chars[level]
    const fit = level === 'session' && chars === 0 ? 0 : Math.floor(HELD_CHARS / Math.max(1, chars))
    return Math.max(FEWEST, Math.min(most, fit))
  }

  /**
   * Gives those of the traces that are there and that the scorer wants, by id.
   * @throws TooLong where they are too long to be held together; `atOnce` knows better then
   */
  async traces(ids: readonly string[], duty: Duty): Promise<Map<string, StoredTrace>> {
    const { filter, wantsFailed } = duty
    const found: StoredTrace[] = []
    let chars = 0
    for (let at = 0; at < ids.length; ) {
      if (chars > 2 * HELD_CHARS) {
        this.#chars.trace = Math.max(this.#chars.trace, chars / found.length)
        if (at > this.atOnce(at)) throw new TooLong('These traces are too long to be read together')
      }
      const some = ids.slice(at, at + this.atOnce(READ))
      const read = await this.#read({ traceIds: some, ...(filter && { filter }) })
      chars += charsOf(read)
      found.push(...read)
      at += some.length
    }
    return new Map(found.filter((one) => wantsFailed || hasOutcome(one)).map((one) => [one.trace.id, one]))
  }

  /** Gives the turns of a session in their order; none where its first is not what the scorer wants. */
  async session(id: string, { registration: { experiment }, filter }: Duty): Promise<StoredTrace[]> {
    const all = await this.#read({ experiment, sessionId: id })
    const arrived = new Set<string>()
    for (let at = 0; at < all.length; at += READ) {
      const ids = all.slice(at, at + READ).map(({ trace }) => trace.id)
      for (const { trace, position } of await this.#store.standing(ids))
        if (position !== undefined) arrived.add(trace.id)
    }
    const turns = inOrder(all.filter(({ trace }) => arrived.has(trace.id)))
    this.#chars.session = Math.max(1, this.#chars.session + (charsOf(turns) - this.#chars.session) / 4)
    const [first] = turns
    if (!first || !filter) return turns
    return (await this.#store.count({ traceIds: [first.trace.id], filter })) > 0 ? turns : []
  }

  /** Gives the first turn of a session without its spans: what has been said of the session stands there. */
  async opening(id: string, { registration: { experiment } }: Duty): Promise<StoredTrace | undefined> {
    const [first] = await this.#read({
      experiment,
      sessionId: id,
      orderBy: OLDEST_FIRST,
      limit: 1,
      includeSpans: false,
    })
    return first
  }

  /** A trace that is damaged cannot be scored; it must not keep others from it. */
  async #read(query: TraceQuery): Promise<StoredTrace[]> {
    const found: StoredTrace[] = []
    try {
      for await (const one of this.#store.search(query)) {
        found.push(one)
        if (query.includeSpans !== false) this.#chars.trace += (charsOf([one]) - this.#chars.trace) / 16
      }
    } catch (error) {
      // A disk that cannot be read just now has lost nothing.
      const isLost = error instanceof EvaluationError && /\bdamaged\b/.test(error.message)
      if (!isLost) throw error
    }
    return found
  }
}

/** How long traces are, characters. */
export function charsOf(traces: readonly StoredTrace[]): number {
  return traces.reduce((sum, { trace: { inputs = '', outputs = '', spans } }) => {
    return sum + inputs.length + outputs.length + spans.length
  }, 0)
}

/** What failed, or never ended, and gave nothing is no answer that could be good or bad. */
function hasOutcome({ trace: { status, outputs } }: StoredTrace): boolean {
  return status === 'OK' || outputs !== undefined
}
