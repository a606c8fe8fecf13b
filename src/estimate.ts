import type { Method } from './finding.ts'
import { bootstrap } from './std/bootstrap.ts'
import { normalQuantile, root, studentQuantile } from './std/distribution.ts'
import { tango } from './std/proportion.ts'
import {
  around,
  clusteredError,
  designEffect,
  type Interval,
  mean,
  quantile,
  standardError,
  variance,
  wilson,
} from './std/stats.ts'

/** A figure with what it is worth: its interval, and what it takes to see a change of it. Rows are the unit, or clusters of rows. */

export interface Estimate {
  readonly value: number
  /** Each end is certain at 1 − alpha. Missing where so few rows allow none, and for a figure that is taken as it is. */
  readonly interval?: Interval
  readonly method: Method
  /** Rows. */
  readonly n: number
  /** How many independent rows they are worth, where they are clustered verdicts. */
  readonly weight?: number
  /** Its standard error; 0 where nothing varies. */
  readonly error: number
}

export interface EstimateOptions {
  /** How often each end may be wrong. */
  readonly alpha: number
  /** The cluster of each value, where rows belong together. */
  readonly clusters?: readonly string[] | undefined
}

/** So much work for a bootstrap: fewer draws where there are many rows. */
const DRAWN = 10_000_000

/** Gives the mean of values: of verdicts by Wilson's interval, of other numbers by Student's, with clusters by theirs. */
export function estimateMean(values: Float64Array, { alpha, clusters }: EstimateOptions): Estimate {
  const value = mean(values)
  const level = 1 - 2 * alpha
  const together = grouping(values, clusters)
  if (together && together.count < 2) return { value, method: 'clustered', n: values.length, error: Number.NaN }
  if (values.every(isVerdict)) {
    const n = together ? worth(values, together, alpha) : values.length
    const error = Math.sqrt((value * (1 - value)) / n)
    const found = { value, interval: wilson(value * n, n, level), n: values.length, error }
    return together ? { ...found, method: 'clustered', weight: n } : { ...found, method: 'wilson' }
  }
  const found = byStudent(values, together, alpha)
  return found.error === 0 ? { ...found, ...still(values, together, alpha) } : found
}

/** Sameness on few rows promises little of others: as far as verdicts of which none has failed may be from it, by Wilson. */
function still(values: Float64Array, together: Grouping | undefined, alpha: number) {
  const [value, weight] = [mean(values), together?.count ?? values.length]
  const half = wilson(0, weight, 1 - 2 * alpha).high * spanOf(values)
  const { low, high } = around(value, half)
  const share = value >= 0 && value <= 1
  return { interval: share ? { low: Math.max(0, low), high: Math.min(1, high) } : { low, high }, weight }
}

/** Gives the mean of paired differences: of verdicts by Tango's interval, of other numbers by Student's. */
export function estimateDifference(
  before: Float64Array,
  after: Float64Array,
  { alpha, clusters }: EstimateOptions,
): Estimate {
  const differences = after.map((value, i) => value - (before[i] as number))
  const n = differences.length
  const value = mean(differences)
  const together = grouping(differences, clusters)
  if (together && together.count < 2) return { value, method: 'clustered', n, error: Number.NaN }
  const verdicts = before.every(isVerdict) && after.every(isVerdict)
  const still = differences.every((difference) => difference === 0)
  if (!verdicts && !still) return byStudent(differences, together, alpha)
  // Sameness on few rows promises little of others: that no number differs is worth no more than that no verdict does.
  const reach = verdicts ? 1 : spanOf(before)
  const share = together ? worth(differences, together, alpha) / n : 1
  const gained = differences.reduce((count, one) => count + (one > 0 ? 1 : 0), 0)
  const lost = differences.reduce((count, one) => count + (one < 0 ? 1 : 0), 0)
  const { low, high } = tango(gained * share, lost * share, n * share, 1 - 2 * alpha)
  const error = Math.sqrt(Math.max(0, (gained + lost) / n - value * value) / (n * share))
  const interval = { low: low * reach, high: high * reach }
  return together
    ? { value, interval, method: 'clustered', n, weight: n * share, error }
    : { value, interval, method: 'tango', n, error }
}

/** Gives another figure than the mean, or the difference of two, by bootstrap: whole rows are drawn, paired as they are. */
export function estimateFigure(
  figure: (values: Float64Array) => number,
  after: Float64Array,
  before: Float64Array | undefined,
  { alpha, clusters }: EstimateOptions,
): Estimate {
  const pick = (from: Float64Array, places: Float64Array): Float64Array => places.map((place) => from[place] as number)
  const of = (places: Float64Array): number => figure(pick(after, places)) - (before ? figure(pick(before, places)) : 0)
  const n = after.length
  const places = Float64Array.from({ length: n }, (_, i) => i)
  const interval = bootstrap(places, {
    statistic: of,
    draws: Math.max(200, Math.min(10_000, Math.floor(DRAWN / Math.max(1, n)))),
    level: 1 - 2 * alpha,
    method: 'percentile',
    ...(clusters && { clusters }),
  })
  const z = normalQuantile(1 - alpha)
  const error = interval ? (interval.high - interval.low) / (2 * z) : Number.NaN
  return { value: of(places), ...(interval && { interval }), method: 'bootstrap', n, error }
}

/** Gives a figure that is taken as it is. */
export function exactly(value: number, n: number): Estimate {
  return { value, method: 'exact', n, error: 0 }
}

function byStudent(values: Float64Array, together: Grouping | undefined, alpha: number): Estimate {
  const n = values.length
  const value = mean(values)
  const method = together ? 'clustered' : 't'
  if (n < 2) return { value, method, n, error: Number.NaN }
  const error = together ? (clusteredError(values, together.clusters) as number) : standardError(values)
  const half = studentQuantile(1 - alpha, (together?.count ?? n) - 1) * error
  return { value, interval: around(value, half), method, n, error }
}

interface Grouping {
  readonly clusters: readonly string[]
  readonly count: number
}

/** Clusters that hold more than one row each; rows on their own are no clusters. */
function grouping(values: Float64Array, clusters: readonly string[] | undefined): Grouping | undefined {
  if (!clusters) return undefined
  const count = new Set(clusters).size
  return count === values.length ? undefined : { clusters, count }
}

/**
 * Gives how many independent rows so many clustered verdicts are worth: by their design effect and the degrees of freedom of so few
 * clusters (Korn and Graubard 1998); no more than there are rows. Where nothing varies a cluster counts once.
 */
function worth(values: Float64Array, { clusters, count }: Grouping, alpha: number): number {
  const n = values.length
  const effect = designEffect(values, clusters)
  if (effect === undefined) return count
  const fewer = (studentQuantile(1 - alpha, n - 1) / studentQuantile(1 - alpha, count - 1)) ** 2
  return Math.min(n, (n / Math.max(effect, 1e-9)) * fewer)
}

function isVerdict(value: number): boolean {
  return value === 0 || value === 1
}

/** How far scores can be apart: 1 where all lie between 0 and 1, else as far as they are. */
function spanOf(values: Float64Array): number {
  let [low, high] = [0, 1]
  for (const value of values) {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  return high - low
}

/** Gives another figure than the mean, or undefined for those that have no interval: extremes and functions of one's own. */
export function figureOf(aggregation: string): ((values: Float64Array) => number) | undefined {
  switch (aggregation) {
    case 'median':
      return (values) => quantile(values.slice().sort(), 0.5)
    case 'p90':
      return (values) => quantile(values.slice().sort(), 0.9)
    case 'variance':
      return variance
    default:
      return undefined
  }
}

/** In four of five cases, with a reserve: the spread that it is reckoned from is an estimate itself. */
const POWER = 0.83

/**
 * Gives the smallest fall that a paired comparison like this one proves in four of five cases: its upper end below 0, and its lower end at
 * or below −margin.
 */
export function detectableFall(
  { value, error, n, weight = n, method }: Estimate,
  margin: number,
  alpha: number,
): number | undefined {
  if (!Number.isFinite(error) || n < 2) return undefined
  const [a, b] = [normalQuantile(1 - alpha), normalQuantile(POWER)]
  const spread = (fall: number): { readonly test: number; readonly truth: number } => {
    // Clusters in which nothing has changed say nothing about how much may.
    if (method !== 'tango' && (error > 0 || weight === n)) return { test: error, truth: error }
    // Rows that fall add to those that change anyway, as often one way as the other.
    const either = Math.max(0, error * error * weight + value * value - Math.abs(value)) + fall
    return { test: Math.sqrt(either / weight), truth: Math.sqrt(Math.max(0, either - fall * fall) / weight) }
  }
  const shown = (fall: number): number => {
    const { test, truth } = spread(fall)
    return Math.min(fall - a * test, fall - margin + a * test) - b * truth
  }
  let high = Math.max(1e-9, margin, error)
  while (shown(high) < 0 && high < 1e12) high *= 2
  const fall = root(shown, 0, high)
  return method === 'tango' && fall > 1 ? undefined : fall
}

/** Gives the smallest shortfall below a bound that a run like this one proves in four of five cases. */
export function detectableShortfall({ error, n, method }: Estimate, bound: number, alpha: number): number | undefined {
  if (!Number.isFinite(error) || n < 2) return undefined
  const [a, b] = [normalQuantile(1 - alpha), normalQuantile(POWER)]
  // Scores of which none differs say nothing about how far they may.
  if (method !== 'wilson') return error > 0 ? (a + b) * error : undefined
  const spread = (rate: number): number => Math.sqrt(Math.max(0, rate * (1 - rate)) / n)
  const shown = (shortfall: number): number =>
    shortfall - a * spread(bound) - b * spread(Math.max(0, bound - shortfall))
  const shortfall = root(shown, 0, 2)
  return shortfall > bound ? undefined : shortfall
}

/** Gives about how many rows would decide, if figures stay as they are: undefined where they stand at the very bound. */
export function rowsToDecide({ error, n, weight = n }: Estimate, distance: number, alpha: number): number | undefined {
  if (!(distance > 0) || !Number.isFinite(error)) return undefined
  const a = normalQuantile(1 - alpha)
  // Where nothing varies the intervals of Wilson and Tango still end at 1 − z²/(n + z²) and its like.
  const needed =
    error === 0
      ? (n / weight) * a * a * (1 / distance - 1)
      : n * (((a + normalQuantile(POWER)) * error) / distance) ** 2
  return needed < 1e9 ? Math.max(n + 1, Math.ceil(needed)) : undefined
}
