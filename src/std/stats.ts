import { normalQuantile, studentQuantile } from './distribution.ts'

/** Numbers about numbers. Pure; the formulas are those of the papers named, the vectors in the tests are published ones. */

/** An interval with both ends, of 95 % where nothing else is said. */
export interface Interval {
  readonly low: number
  readonly high: number
}

/** Gives the sum by Neumaier's compensated summation: its error does not grow with the count. */
export function sum(values: Iterable<number>): number {
  let total = 0
  let lost = 0
  for (const value of values) {
    const next = total + value
    lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total
    total = next
  }
  return Number.isFinite(lost) ? total + lost : total
}

/** Gives the arithmetic mean, or NaN of nothing. */
export function mean(values: ArrayLike<number> & Iterable<number>): number {
  const total = sum(values)
  // Numbers near the largest double: their sum does not fit, their mean does.
  if (!Number.isFinite(total)) return sum(Float64Array.from(values, (value) => value / values.length))
  return total / values.length
}

/** Gives the population variance (divisor n), as MLflow's `variance` aggregation. */
export function variance(values: ArrayLike<number> & Iterable<number>): number {
  return squaredDeviations(values) / values.length
}

function squaredDeviations(values: ArrayLike<number> & Iterable<number>): number {
  const center = mean(values)
  // One at a time: a list of a million squares would cost as much memory as what it is made of.
  function* squares(): Iterable<number> {
    for (const value of values) yield (value - center) ** 2
  }
  return sum(squares())
}

/** Gives the standard error of the mean, √(Σ(x − x̄)² / (n(n − 1))); NaN below two values. */
export function standardError(values: ArrayLike<number> & Iterable<number>): number {
  const n = values.length
  return n < 2 ? Number.NaN : Math.sqrt(squaredDeviations(values) / (n * (n - 1)))
}

/** Gives the q-quantile (0 ≤ q ≤ 1) of sorted values with linear interpolation, NumPy's default. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const position = (sorted.length - 1) * q
  const below = Math.floor(position)
  const low = sorted[below] ?? Number.NaN
  const high = sorted[below + 1] ?? low
  return low + (high - low) * (position - below)
}

/** The level of every interval that does not ask for another: two-sided. */
export const LEVEL = 0.95

/**
 * Gives Wilson's score interval of a proportion (Wilson 1927; Newcombe 1998 method 3).
 * @param level two-sided, 0 to 1
 */
export function wilson(successes: number, n: number, level: number = LEVEL): Interval {
  if (n === 0) return { low: 0, high: 1 }
  const p = successes / n
  const z = normalQuantile((1 + level) / 2)
  const zz = z * z
  const center = (p + zz / (2 * n)) / (1 + zz / n)
  const half = (z / (1 + zz / n)) * Math.sqrt((p * (1 - p)) / n + zz / (4 * n * n))
  return {
    low: successes === 0 ? 0 : Math.max(0, center - half),
    high: successes === n ? 1 : Math.min(1, center + half),
  }
}

/** Gives Student's t interval of a mean, or undefined below two values. */
export function tInterval(values: ArrayLike<number> & Iterable<number>, level: number = LEVEL): Interval | undefined {
  const n = values.length
  return n < 2 ? undefined : around(mean(values), studentQuantile((1 + level) / 2, n - 1) * standardError(values))
}

/** Gives the interval of a half-width around a center. */
export function around(center: number, half: number): Interval {
  return { low: center - half, high: center + half }
}

/**
 * Gives the standard error of a mean whose values come in clusters (rows of one document, of one conversation): the closed form
 * (1/n)·√(Σ_c(Σ_i(x_i − x̄))²), its variance times C/(C − 1), as Inspect AI has it. Undefined below two clusters: one says nothing of others.
 * @param clusters the cluster of each value
 */
export function clusteredError(values: ArrayLike<number>, clusters: ArrayLike<string>): number | undefined {
  const sums = clusterSums(values, clusters)
  const count = sums.length
  if (count < 2) return undefined
  return Math.sqrt((sum(sums.map((one) => one * one)) * count) / (count - 1)) / values.length
}

/** Gives the t interval of a mean of clustered values, with C − 1 degrees of freedom; undefined below two clusters. */
export function clusteredInterval(
  values: ArrayLike<number> & Iterable<number>,
  clusters: ArrayLike<string>,
  level: number = LEVEL,
): Interval | undefined {
  const error = clusteredError(values, clusters)
  if (error === undefined) return undefined
  const count = new Set(Array.from(clusters)).size
  return around(mean(values), studentQuantile((1 + level) / 2, count - 1) * error)
}

/** Gives by how much clusters widen a mean's error: the variance with them over the one without; undefined where either is nothing. */
export function designEffect(
  values: ArrayLike<number> & Iterable<number>,
  clusters: ArrayLike<string>,
): number | undefined {
  const [clustered, plain] = [clusteredError(values, clusters), standardError(values)]
  return clustered === undefined || !(plain > 0) ? undefined : (clustered / plain) ** 2
}

/** The sum of the deviations from the mean of all, per cluster. */
function clusterSums(values: ArrayLike<number>, clusters: ArrayLike<string>): number[] {
  const center = mean(Float64Array.from(values))
  const members = new Map<string, number[]>()
  for (let i = 0; i < values.length; i++) {
    const cluster = clusters[i] as string
    const list = members.get(cluster) ?? []
    members.set(cluster, list)
    list.push((values[i] as number) - center)
  }
  return Array.from(members.values(), sum)
}
