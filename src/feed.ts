import { EvaluationError, quote } from './errors.ts'
import { type Row, toRow } from './row.ts'
import type { RunSelection } from './run.ts'
import { canonical } from './std/json.ts'
import { unitHash } from './std/random.ts'

export interface Selection {
  /** The first so many rows. */
  readonly limit?: number | undefined
  /** So many rows, chosen by the hash of seed and row: the same ones every time. */
  readonly sample?: number | undefined
  /** @default 0 */
  readonly seed?: number | undefined
  /** Rows for which it gives false are left out. */
  readonly filter?: ((row: Row) => boolean) | undefined
}

/** What of a selection goes into the run's record: undefined when all rows are taken. */
export function selectionRecord({ limit, sample, seed, filter }: Selection): RunSelection | undefined {
  if (limit === undefined && sample === undefined && !filter) return undefined
  return {
    ...(limit !== undefined && { limit }),
    ...(sample !== undefined && { sample, seed: seed ?? 0 }),
    ...(filter && { filter: true as const }),
  }
}

/** A row with its place in the data. */
export interface Fed {
  readonly row: Row
  /** Place among the rows that are evaluated, from 0. */
  readonly index: number
  /** How many rows were given before it. */
  readonly order: number
  /** Which time the row is evaluated, from 0. */
  readonly repeat: number
  /** What all repeats of a row share: its id, once it has one. */
  readonly shared: { rowId?: string }
}

/** By which rows belong together: a tag, or what a function says of a row, which is then kept as the tag `cluster`. */
export type Cluster = string | ((row: Row) => string)

/** Gives the tag that holds a row's cluster. */
export function clusterTag(cluster: Cluster): string {
  return typeof cluster === 'string' ? cluster : 'cluster'
}

/** What happens to each row beside its selection. */
export interface Handling {
  /** How often each row is given, one time after the other. @default 1 */
  readonly times?: number | undefined
  readonly cluster?: Cluster | undefined
  /** Gives the rows in an order by chance; all of them are held then. */
  readonly shuffle?: boolean | undefined
}

/**
 * Hands rows to many takers, one at a time and in order. Nothing is read ahead, so that a source of any length costs no memory, and an
 * array costs no waiting.
 */
export class Feed {
  readonly #iterator: Iterator<unknown> | AsyncIterator<unknown>
  readonly #waits: boolean
  readonly #filter: ((row: Row) => boolean) | undefined
  #turn: Promise<unknown> = Promise.resolve()
  /** Ends the wait for the item that has been asked for. */
  #leave: (() => void) | undefined
  /** The source has said that it is at its end. */
  #over = false
  #read = 0
  #given = 0
  #held = 0
  #left: number
  readonly #times: number
  /** The row that has been given last. */
  #last: Fed | undefined

  readonly #cluster: Cluster | undefined

  constructor(
    data: Iterable<unknown> | AsyncIterable<unknown>,
    { limit, sample, seed, filter }: Selection,
    { times = 1, cluster, shuffle }: Handling = {},
  ) {
    this.#times = times
    this.#cluster = cluster
    this.#filter = filter
    this.#left = limit ?? Number.POSITIVE_INFINITY
    const some = sample === undefined ? data : sampled(data, sample, seed ?? 0, filter)
    const chosen = shuffle ? this.#shuffled(some, seed ?? 0) : some
    this.#waits = Symbol.asyncIterator in chosen
    this.#iterator = Symbol.asyncIterator in chosen ? chosen[Symbol.asyncIterator]() : chosen[Symbol.iterator]()
  }

  /** Gives the next row, or undefined at the end. @throws TypeError for an item that is no row, and whatever the source throws */
  take(): Fed | undefined | Promise<Fed | undefined> {
    if (!this.#waits) return this.#takeNow()
    // One pull at a time: not every iterator can be asked again before it has answered.
    const taken = this.#turn.then(() => this.#takeLater())
    this.#turn = taken.catch(() => undefined)
    return taken
  }

  /** Tells the source that no more rows are wanted. Whoever waits for one gets none, even if the source never answers. */
  async close(): Promise<void> {
    this.#left = 0
    this.#last = undefined
    this.#leave?.()
    if (this.#over) return
    this.#over = true
    await this.#iterator.return?.()
  }

  /** How many rows there are, where all of them are held. */
  get held(): number {
    return this.#held
  }

  /** Reads all rows, as far as the selection goes, and gives them by the hash of seed and row. */
  async *#shuffled(data: Iterable<unknown> | AsyncIterable<unknown>, seed: number): AsyncGenerator<Placed> {
    const all: { readonly hash: number; readonly placed: Placed }[] = []
    let read = 0
    for await (const item of data) {
      const row = toRow(item, read++)
      if (this.#filter && !this.#filter(row)) continue
      const place = all.length
      all.push({ hash: unitHash(`order ${seed}`, identityOf(row, place)), placed: new Placed(item, place) })
      if (all.length >= this.#left) break
    }
    this.#held = all.length
    for (const { placed } of all.sort((a, b) => a.hash - b.hash || a.placed.place - b.placed.place)) yield placed
  }

  /** Gives the last row another time, if it has not been given often enough. */
  #again(): Fed | undefined {
    if (!this.#last || this.#last.repeat + 1 >= this.#times) return undefined
    this.#last = { ...this.#last, repeat: this.#last.repeat + 1 }
    return this.#last
  }

  #takeNow(): Fed | undefined {
    const again = this.#again()
    if (again) return again
    while (this.#left > 0) {
      const fed = this.#accept((this.#iterator as Iterator<unknown>).next())
      if (fed) return fed
    }
    return undefined
  }

  async #takeLater(): Promise<Fed | undefined> {
    const again = this.#again()
    if (again) return again
    while (this.#left > 0) {
      const fed = this.#accept(await this.#next())
      if (fed) return fed
    }
    return undefined
  }

  #next(): Promise<IteratorResult<unknown>> {
    return new Promise((resolve, reject) => {
      this.#leave = () => resolve({ done: true, value: undefined })
      Promise.resolve(this.#iterator.next()).then(resolve, reject)
    })
  }

  #accept(result: IteratorResult<unknown>): Fed | undefined {
    if (result.done) {
      this.#left = 0
      this.#over = true
      return undefined
    }
    const { item, place } = result.value instanceof Placed ? result.value : { item: result.value }
    const row = clustered(toRow(item, place ?? this.#read), this.#cluster, this.#read + 1)
    this.#read++
    if (this.#filter && !this.#filter(row)) return undefined
    this.#left--
    const order = this.#given++
    this.#last = { row, index: place ?? order, order, repeat: 0, shared: {} }
    return this.#last
  }
}

/** An item with its place in the data, out of turn. */
class Placed {
  readonly item: unknown
  readonly place: number
  constructor(item: unknown, place: number) {
    this.item = item
    this.place = place
  }
}

/** @throws TypeError for a row that belongs nowhere: it would be counted as if it stood alone */
function clustered(row: Row, cluster: Cluster | undefined, number: number): Row {
  if (cluster === undefined) return row
  const own: unknown = typeof cluster === 'string' ? row.tags?.[cluster] : cluster(row)
  if (typeof own === 'string' && own !== '') {
    return typeof cluster === 'string' ? row : { ...row, tags: { ...row.tags, cluster: own } }
  }
  const found = typeof cluster === 'string' ? `it has no tag ${quote(cluster)}` : `"cluster" gave ${quote(own)}`
  throw new TypeError(`Cannot evaluate row ${number}: ${found}, and rows are clustered by it`)
}

/** Keeps the `count` rows with the smallest hash, in their order: any order of the same data gives the same rows. */
async function* sampled(
  data: Iterable<unknown> | AsyncIterable<unknown>,
  count: number,
  seed: number,
  filter: ((row: Row) => boolean) | undefined,
): AsyncGenerator<unknown> {
  let kept: { hash: number; position: number; item: unknown }[] = []
  let read = 0
  const trim = (): void => {
    kept = kept.sort((a, b) => a.hash - b.hash || a.position - b.position).slice(0, count)
  }
  for await (const item of data) {
    const position = read++
    const row = toRow(item, position)
    if (filter && !filter(row)) continue
    kept.push({ hash: unitHash(`sample ${seed}`, identityOf(row, position)), position, item })
    if (kept.length > 2 * count + 1_000) trim()
  }
  trim()
  for (const { item } of kept.sort((a, b) => a.position - b.position)) yield item
}

/** A row that cannot be kept has its chance too: what is wrong with it is said when its turn comes. */
function identityOf(row: Row, position: number): string {
  try {
    return row.id ?? canonical(row.inputs ?? row.outputs)
  } catch {
    return `row ${position}`
  }
}

interface Wanted {
  readonly name: string
  readonly selection: Selection
  readonly predict?: unknown
}

/** Refuses data that cannot be evaluated before anything is paid for. */
export function requireRow(first: Fed | undefined, { name, selection, predict }: Wanted): asserts first is Fed {
  if (!first) {
    const why = selection.filter ? 'the filter leaves no row' : 'the data has no rows'
    throw new EvaluationError('DATA_EMPTY', `Cannot evaluate "${name}": ${why}`)
  }
  if (!predict && !('outputs' in first.row) && !first.row.trace) {
    throw new TypeError(
      'Cannot evaluate row 1: it has no "outputs"\nHint: give a predict function, evaluate(data, predict, scorers), or rows with outputs',
    )
  }
}
