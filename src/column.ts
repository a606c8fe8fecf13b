import { messageOf, quote } from './errors.ts'
import type { Feedback } from './feedback.ts'
import type { UsageTotals } from './meter.ts'
import { dict } from './std/json.ts'
import { type Interval, mean, quantile, tInterval, variance, wilson } from './std/stats.ts'

/** The aggregations that need no function, named as in MLflow; variance is the population's, p90 interpolates. */
export const AGGREGATIONS = ['mean', 'min', 'max', 'median', 'variance', 'p90'] as const
/** One of `mean`, `min`, `max`, `median`, `variance`, `p90`. */
export type AggregationName = (typeof AGGREGATIONS)[number]
/** A built-in aggregation, or a named function over the column's numbers. */
export type Aggregation = AggregationName | ((values: readonly number[]) => number)

/**
 * What kind of values a column holds: pass or fail (booleans and the words yes/no, true/false, pass/fail), numbers, categories
 * (any other words), structured values (lists and records), or none at all.
 */
export type ColumnKind = 'boolean' | 'number' | 'category' | 'structured' | 'empty'

/** All Feedback of one name over a run: values counted, missing ones and errors too, and what they amount to. */
export interface Column {
  readonly name: string
  readonly kind: ColumnKind
  /** The scorer that fills it. */
  readonly scorer: string
  /** What was scored, where that is not the single row: then `rows` counts conversations. */
  readonly level?: 'session'
  /** Rows whose predict succeeded, or sessions that have one: what every count below adds up to, `scored + missing + errors`. */
  readonly rows: number
  readonly scored: number
  readonly missing: number
  readonly errors: number
  readonly errorCodes: Readonly<Record<string, number>>
  /** Boolean columns: how many of the scored rows passed. */
  readonly passed?: number
  readonly aggregates: Readonly<Record<string, number>>
  /** 95 % interval of the mean: Wilson's for boolean columns, Student's t for numbers; wider where rows come in clusters. */
  readonly interval?: Interval
  /** Category columns: how often each value came, most frequent first, at most 100 values. */
  readonly counts?: Readonly<Record<string, number>>
  /** Category columns: how many different values `counts` leaves out. */
  readonly otherValues?: number
  /** How many of its values people gave against the scorer's, or where it had none. */
  readonly corrected?: number
  /** Aggregations that were functions, which are not stored: since a value was corrected, what they would give is unknown. */
  readonly lost?: readonly string[]
  /** What its scorer asked models for; of several columns of one scorer, one has it for all. */
  readonly usage?: UsageTotals
}

const PASS = new Set(['yes', 'true', 'pass'])
const FAIL = new Set(['no', 'false', 'fail'])

/** Gives 1 or 0 for what counts as passed or failed, undefined for anything else. */
export function passValue(value: unknown): 1 | 0 | undefined {
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value !== 'string') return undefined
  const word = value.toLowerCase()
  return PASS.has(word) ? 1 : FAIL.has(word) ? 0 : undefined
}

const MAX_CATEGORIES = 100

/**
 * Gathers one column, value by value, in any order of arrival. What it gives at the end depends on the rows only: numbers
 * stand by position, so that sums do not depend on which row finished first.
 */
export class ColumnBuilder {
  readonly name: string
  readonly scorer: string
  readonly #numbers = new Numbers()
  /** How many failed and how many passed: of verdicts nothing else is needed. */
  readonly #verdicts: [failed: number, passed: number] = [0, 0]
  #words = new Map<string, number>()
  #counts = { number: 0, boolean: 0, pair: 0, category: 0, structured: 0 }
  #errorCodes = new Map<string, number>()

  constructor(name: string, scorer: string) {
    this.name = name
    this.scorer = scorer
  }

  /** @param position the trial's place in the run, from 0 */
  add(position: number, feedback: Pick<Feedback, 'value' | 'error'>): void {
    if (feedback.error) {
      this.addError(feedback.error.code)
      return
    }
    const { value } = feedback
    const pass = passValue(value)
    if (pass !== undefined) this.#verdicts[pass]++
    if (typeof value === 'number') {
      this.#counts.number++
      this.#numbers.add(position, value)
    } else if (typeof value === 'boolean') {
      this.#counts.boolean++
      this.#countWord(String(value))
    } else if (typeof value === 'string') {
      if (pass === undefined) this.#counts.category++
      else this.#counts.pair++
      this.#countWord(value)
    } else if (value !== undefined) this.#counts.structured++
  }

  addError(code: string): void {
    increment(this.#errorCodes, code, 1)
  }

  get scored(): number {
    const { number, boolean, pair, category, structured } = this.#counts
    return number + boolean + pair + category + structured
  }

  /**
   * @param rows rows whose predict succeeded
   * @param scorerErrors failures of the whole scorer by code: they leave every column of that scorer without a value
   */
  build(
    rows: number,
    scorerErrors: ReadonlyMap<string, number>,
    aggregations: readonly Aggregation[],
    onProblem: (problem: string) => void,
  ): Column {
    const codes = new Map(scorerErrors)
    for (const [code, count] of this.#errorCodes) increment(codes, code, count)
    const errorCodes = byCount(codes)
    const errors = Object.values(errorCodes).reduce((a, b) => a + b, 0)
    const kind = this.#kind()
    const numbers = kind === 'boolean' || kind === 'number' ? this.#values() : new Float64Array()
    const scored = this.scored
    const passed = kind === 'boolean' ? this.#verdicts[1] : undefined
    const interval = kind === 'boolean' ? wilson(passed as number, numbers.length) : tInterval(numbers)
    return {
      name: this.name,
      kind,
      scorer: this.scorer,
      rows,
      scored,
      missing: Math.max(0, rows - scored - errors),
      errors,
      errorCodes,
      ...(passed !== undefined && { passed }),
      aggregates: aggregate(numbers, aggregations, this.name, onProblem),
      ...(interval && Number.isFinite(interval.high - interval.low) && { interval }),
      ...(kind === 'category' && this.#categories()),
    }
  }

  #kind(): ColumnKind {
    const { number, boolean, pair, category, structured } = this.#counts
    if (category > 0) return 'category'
    if (number > 0) return 'number'
    if (boolean + pair > 0) return 'boolean'
    return structured > 0 ? 'structured' : 'empty'
  }

  /** The numbers in the order of the rows, then the verdicts, failed ones first. */
  #values(): Float64Array {
    const [failed, passed] = this.#verdicts
    const numbers = this.#numbers.inOrder()
    if (failed + passed === 0) return numbers
    const values = new Float64Array(numbers.length + failed + passed)
    values.set(numbers)
    return values.fill(1, numbers.length + failed)
  }

  #countWord(word: string): void {
    increment(this.#words, word, 1)
  }

  #categories(): Pick<Column, 'counts' | 'otherValues'> {
    const words = new Map(this.#words)
    if (this.#counts.number > 0) increment(words, '(number)', this.#counts.number)
    if (this.#counts.structured > 0) increment(words, '(structured)', this.#counts.structured)
    return { counts: byCount(words, MAX_CATEGORIES), otherValues: Math.max(0, words.size - MAX_CATEGORIES) }
  }
}

/** Numbers with their places, in any order of arrival: as much memory as there are numbers, however far apart their places are. */
class Numbers {
  #places = new Uint32Array(8)
  #values = new Float64Array(8)
  #count = 0
  #ascending = true

  add(place: number, value: number): void {
    if (this.#count === this.#values.length) {
      const [places, values] = [this.#places, this.#values]
      this.#places = new Uint32Array(this.#count * 2)
      this.#values = new Float64Array(this.#count * 2)
      this.#places.set(places)
      this.#values.set(values)
    }
    this.#ascending &&= this.#count === 0 || (this.#places[this.#count - 1] as number) < place
    this.#places[this.#count] = place
    this.#values[this.#count++] = value
  }

  inOrder(): Float64Array {
    const values = this.#values.subarray(0, this.#count)
    if (this.#ascending) return values
    const places = this.#places.subarray(0, this.#count)
    const last = places.reduce((most, place) => Math.max(most, place), 0)
    if (last > this.#count * 4) return this.#sorted(places, values)
    const byPlace = new Float64Array(last + 1).fill(Number.NaN)
    for (let i = 0; i < this.#count; i++) byPlace[places[i] as number] = values[i] as number
    return byPlace.filter((value) => !Number.isNaN(value))
  }

  #sorted(places: Uint32Array, values: Float64Array): Float64Array {
    const order = Uint32Array.from(places.keys()).sort((a, b) => (places[a] as number) - (places[b] as number))
    return Float64Array.from(order, (i) => values[i] as number)
  }
}

function increment(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by)
}

/** Most frequent first, so that the order of arrival leaves no trace. */
function byCount(counts: ReadonlyMap<string, number>, most = counts.size): Record<string, number> {
  const sorted = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  const result = dict<number>()
  for (const [key, count] of sorted.slice(0, most)) result[key] = count
  return result
}

function aggregate(
  numbers: Float64Array,
  aggregations: readonly Aggregation[],
  column: string,
  onProblem: (problem: string) => void,
): Record<string, number> {
  const result = dict<number>()
  if (numbers.length === 0) return result
  let sorted: Float64Array | undefined
  const inOrder = (): Float64Array => {
    sorted ??= numbers.slice().sort()
    return sorted
  }
  for (const aggregation of aggregations) {
    const name = typeof aggregation === 'string' ? aggregation : aggregation.name
    try {
      const value: unknown =
        typeof aggregation === 'string' ? builtIn(aggregation, numbers, inOrder) : aggregation(Array.from(numbers))
      if (typeof value !== 'number' || !Number.isFinite(value)) throw new TypeError(`gave ${quote(value)}`)
      result[name] = value
    } catch (thrown) {
      onProblem(`Aggregation "${name}" of column "${column}" failed: ${messageOf(thrown)}`)
    }
  }
  return result
}

function builtIn(name: AggregationName, numbers: Float64Array, sorted: () => Float64Array): number {
  switch (name) {
    case 'mean':
      return mean(numbers)
    case 'min':
      return quantile(sorted(), 0)
    case 'max':
      return quantile(sorted(), 1)
    case 'median':
      return quantile(sorted(), 0.5)
    case 'variance':
      return variance(numbers)
    case 'p90':
      return quantile(sorted(), 0.9)
  }
}

/** Gives the columns' aggregates as MLflow names them: `<name>/<aggregation>`. */
export function metricsOf(columns: readonly Column[]): Record<string, number> {
  const metrics = dict<number>()
  for (const column of columns) {
    for (const [aggregation, value] of Object.entries(column.aggregates))
      metrics[`${column.name}/${aggregation}`] = value
  }
  return metrics
}
