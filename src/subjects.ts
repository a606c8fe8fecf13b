import type { Duty } from './duty.ts'
import { EvaluationError } from './errors.ts'
import { inOrder } from './session.ts'
import type { Store, StoredTrace, TraceQuery } from './store.ts'

/** So much text of traces that wait to be scored is held in memory for each scorer, characters. */
const HELD_CHARS = 32_000_000
const FEWEST = 10

/** Reads what is to be scored. */
export class Subjects {
  readonly #store: Store
  /** How long a trace is, as far as is known: of late, on the average. */
  #chars = 0

  constructor(store: Store) {
    this.#store = store
  }

  /** How many traces to read at once, and to hold: fewer where they are long. */
  atOnce(most: number): number {
    return Math.max(FEWEST, Math.min(most, Math.floor(HELD_CHARS / Math.max(1, this.#chars))))
  }

  /** Gives those of the traces that are there and that the scorer wants, by id. */
  async traces(ids: readonly string[], duty: Duty): Promise<Map<string, StoredTrace>> {
    const { filter, wantsFailed } = duty
    const found = await this.#read({ traceIds: ids, ...(filter && { filter }) })
    return new Map(found.filter((one) => wantsFailed || hasOutcome(one)).map((one) => [one.trace.id, one]))
  }

  /** Gives the turns of a session in their order; none where its first is not what the scorer wants. */
  async session(id: string, { registration: { experiment }, filter }: Duty): Promise<StoredTrace[]> {
    const all = await this.#read({ experiment, sessionId: id })
    const ids = all.map(({ trace }) => trace.id)
    const standing = await this.#store.standing(ids)
    const arrived = new Set(standing.flatMap(({ trace, position }) => (position === undefined ? [] : [trace.id])))
    const turns = inOrder(all.filter(({ trace }) => arrived.has(trace.id)))
    const [first] = turns
    if (!first || !filter) return turns
    return (await this.#store.count({ traceIds: [first.trace.id], filter })) > 0 ? turns : []
  }

  /** A trace that is damaged cannot be scored; it must not keep others from it. */
  async #read(query: TraceQuery): Promise<StoredTrace[]> {
    const found: StoredTrace[] = []
    try {
      for await (const one of this.#store.search(query)) {
        found.push(one)
        const { inputs = '', outputs = '', spans } = one.trace
        this.#chars += (inputs.length + outputs.length + spans.length - this.#chars) / 16
      }
    } catch (error) {
      if (!(error instanceof EvaluationError && error.code === 'STORE_NOT_READABLE')) throw error
    }
    return found
  }
}

/** What failed, or never ended, and gave nothing is no answer that could be good or bad. */
function hasOutcome({ trace: { status, outputs } }: StoredTrace): boolean {
  return status === 'OK' || outputs !== undefined
}
