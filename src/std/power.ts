import { normalQuantile } from './distribution.ts'

/** How many rows it takes, and how small a difference so many rows can show (Miller 2024, arXiv 2411.00640). */

/** How certain a test has to be, and how often it has to find what is there. */
export interface Demand {
  /** How often the test may be wrong where there is nothing. @default 0.05 */
  readonly alpha?: number
  /** How often it finds what is there. @default 0.8 */
  readonly power?: number
  /** 2 for a difference either way, 1 for one direction only. @default 2 */
  readonly sides?: 1 | 2
}

function quantiles({ alpha = 0.05, power = 0.8, sides = 2 }: Demand): number {
  return normalQuantile(1 - alpha / sides) + normalQuantile(power)
}

/**
 * Gives the rows needed to show a difference; not rounded.
 * @param variance of one row's difference, whatever varies in it: rows, and what repeats of them leave
 */
export function rowsNeeded(variance: number, difference: number, demand: Demand = {}): number {
  return (quantiles(demand) ** 2 * variance) / difference ** 2
}

/** Gives the smallest difference that so many rows show. @param variance as for `rowsNeeded` */
export function detectable(variance: number, rows: number, demand: Demand = {}): number {
  return quantiles(demand) * Math.sqrt(variance / rows)
}

/**
 * Gives the share of a mean's variance that is left with k repeats of each row, beside one repeat.
 * @param between the variance of the rows' own means
 * @param within the mean variance of one row's repeats
 */
export function varianceLeft(between: number, within: number, k: number): number {
  return (between + within / k) / (between + within)
}

/** Gives how often at least one of `n` rows fails, where each does so by chance with this probability. */
export function anyFails(n: number, probability: number): number {
  return -Math.expm1(n * Math.log1p(-probability))
}

/** Gives the probability that at least one of k drawn attempts passes (Chen 2021, pass@k); undefined where there are fewer than k. */
export function passAtK(attempts: number, passed: number, k: number): number | undefined {
  return attempts < k ? undefined : 1 - allOf(attempts, attempts - passed, k)
}

/** Gives the probability that all of k drawn attempts pass (pass^k, Yao 2024); undefined where there are fewer than k. */
export function passHatK(attempts: number, passed: number, k: number): number | undefined {
  return attempts < k ? undefined : allOf(attempts, passed, k)
}

/** C(some, k) / C(n, k), without their factorials. */
function allOf(n: number, some: number, k: number): number {
  let product = 1
  for (let i = 0; i < k; i++) product *= Math.max(0, some - i) / (n - i)
  return product
}
