import { passValue } from './column.ts'
import type { AssessmentError } from './feedback.ts'
import type { Fold, RunRecord } from './run.ts'
import { passAtK, passHatK } from './std/power.ts'

/** A run's values row by row: what gates and comparisons are made of. Repeats of a row are one row here, folded. */

/** A row, without its values. */
export interface SheetRow {
  readonly rowId: string
  readonly traceId: string
  /** Place in the data, from 0. */
  readonly index: number
  readonly failed: boolean
  /** Digest of its ground truth. */
  readonly truth: string
  readonly tags: Readonly<Record<string, string>>
  readonly cluster?: string
}

/** One column's values. */
export interface SheetColumn {
  readonly name: string
  /** By row; NaN where there is none. */
  readonly values: Float64Array
  /** Rows that hold anything at all, also what is no number. */
  readonly given: number
  readonly errors: number
  /** Who judged: a scorer's name, a judge's model. */
  readonly sources: ReadonlySet<string>
}

export interface Sheet {
  readonly run: RunRecord
  readonly rows: readonly SheetRow[]
  readonly columns: ReadonlyMap<string, SheetColumn>
  /** By filter, the places of the rows that it finds. */
  readonly found: ReadonlyMap<string, ReadonlySet<number>>
  /** Milliseconds of predict, in no order. */
  readonly latencies: Float64Array
  /** Rows that failed, or on which a scorer did. */
  readonly erred: number
  /** Rows that are in quarantine: nothing else here counts them. */
  readonly quarantined: number
  /** What the run has cost, as far as its traces say. */
  readonly cost?: number
}

/** One trial on its way into a sheet. */
export interface SheetEntry extends SheetRow {
  readonly feedback: readonly {
    readonly name: string
    readonly value?: unknown
    readonly error?: AssessmentError
    readonly source: string
  }[]
  /** The filters that find it. */
  readonly found: readonly string[]
  readonly latencyMs?: number
  readonly cost?: number
}

interface Gathered {
  readonly values: Map<number, (boolean | number | string)[]>
  readonly given: Set<number>
  errors: number
  readonly sources: Set<string>
}

/** Gathers a sheet from a run's trials, in the order of its rows. */
export class SheetBuilder {
  readonly #run: RunRecord
  readonly #rows: SheetRow[] = []
  readonly #places = new Map<string, number>()
  readonly #columns = new Map<string, Gathered>()
  readonly #found = new Map<string, Set<number>>()
  readonly #latencies: number[] = []
  readonly #erred = new Set<number>()
  readonly #quarantined = new Set<string>()
  #cost: number | undefined

  /** @param filters those that `found` of an entry may name */
  constructor(run: RunRecord, filters: readonly string[] = []) {
    this.#run = run
    for (const filter of filters) this.#found.set(filter, new Set())
    for (const { name } of run.columns) this.#column(name)
  }

  add({ feedback, found, latencyMs, cost, ...row }: SheetEntry): void {
    const place = this.#place(row)
    for (const filter of found) this.#found.get(filter)?.add(place)
    if (latencyMs !== undefined) this.#latencies.push(latencyMs)
    if (cost !== undefined) this.#cost = (this.#cost ?? 0) + cost
    for (const { name, value, error, source } of feedback) {
      const column = this.#column(name)
      column.sources.add(source)
      if (error) {
        column.errors++
        this.#erred.add(place)
      } else if (value !== undefined) column.given.add(place)
      if (error || !countable(value)) continue
      const values = column.values.get(place)
      if (values) values.push(value)
      else column.values.set(place, [value])
    }
  }

  /** Counts a row that is in quarantine, and leaves it out. */
  leaveOut(rowId: string): void {
    this.#quarantined.add(rowId)
  }

  #place(row: SheetRow): number {
    const known = this.#places.get(row.rowId)
    if (known === undefined) {
      this.#places.set(row.rowId, this.#rows.length)
      return this.#rows.push(row) - 1
    }
    const first = this.#rows[known] as SheetRow
    // A row has failed when all of its repeats have.
    if (first.failed && !row.failed) this.#rows[known] = row
    return known
  }

  #column(name: string): Gathered {
    let column = this.#columns.get(name)
    if (!column) {
      column = { values: new Map(), given: new Set(), errors: 0, sources: new Set() }
      this.#columns.set(name, column)
    }
    return column
  }

  build(): Sheet {
    const columns = new Map<string, SheetColumn>()
    for (const [name, { values, given, errors, sources }] of this.#columns) {
      const folded = new Float64Array(this.#rows.length).fill(Number.NaN)
      const how = foldOf(this.#run, name)
      for (const [place, list] of values) folded[place] = fold(list, how)
      columns.set(name, { name, values: folded, given: given.size, errors, sources })
    }
    return {
      run: this.#run,
      rows: this.#rows,
      columns,
      found: this.#found,
      quarantined: this.#quarantined.size,
      latencies: Float64Array.from(this.#latencies),
      erred: this.#rows.filter(({ failed }, place) => failed || this.#erred.has(place)).length,
      ...(this.#cost !== undefined && { cost: this.#cost }),
    }
  }
}

/** The tag that keeps a row out of gates until the end of a day. */
const QUARANTINE = 'quarantine'
const DAY_MS = 86_400_000

/** Tells whether a row was in quarantine when its run began: its tag holds a day, UTC, that had not ended. Anything else is none. */
export function isQuarantined(tags: Readonly<Record<string, string>>, startedAt: number): boolean {
  const day = tags[QUARANTINE]
  if (day === undefined || !/^\d{4}-\d{2}-\d{2}$/.test(day)) return false
  return startedAt < Date.parse(day) + DAY_MS
}

/** True for a verdict or a number. */
export function countable(value: unknown): value is boolean | number | string {
  return typeof value === 'number' || passValue(value) !== undefined
}

/** Gives how a column's repeats are folded. */
export function foldOf({ repeats }: RunRecord, column: string): Fold {
  const fold = repeats?.fold
  return (typeof fold === 'object' ? fold[column] : fold) ?? 'mean'
}

/**
 * Folds the values of a row's repeats into one; NaN where there is none, or too few for a `pass@k`. Only verdicts pass: numbers are always
 * folded into their mean.
 */
export function fold(values: readonly (boolean | number | string)[], how: Fold): number {
  const n = values.length
  if (n === 0) return Number.NaN
  const numbers = values.map((value) => passValue(value) ?? Number(value))
  const sum = numbers.reduce((a, b) => a + b, 0)
  if (how === 'mean' || values.some((value) => typeof value === 'number')) return sum / n
  switch (how) {
    // A tie has not passed.
    case 'majority':
      return sum * 2 > n ? 1 : 0
    case 'all':
      return sum === n ? 1 : 0
    case 'any':
      return sum > 0 ? 1 : 0
    default: {
      const k = Number(how.slice('pass@'.length))
      return (how.startsWith('pass@') ? passAtK(n, sum, k) : passHatK(n, sum, k)) ?? Number.NaN
    }
  }
}
