import { betaQuantile, binomialCdf, binomialPmf, normalQuantile, root } from './distribution.ts'
import { type Interval, LEVEL, wilson } from './stats.ts'

/** Shares of successes: alone, side by side, and paired. Every `level` is two-sided, from 0 to 1. */

/** Gives Clopper and Pearson's exact interval (1934): it covers at least at its level, for where a guarantee is needed. */
export function clopperPearson(successes: number, n: number, level: number = LEVEL): Interval {
  const tail = (1 - level) / 2
  return {
    low: successes === 0 ? 0 : betaQuantile(tail, successes, n - successes + 1),
    high: successes === n ? 1 : betaQuantile(1 - tail, successes + 1, n - successes),
  }
}

/** Gives Wilson's interval with continuity correction (Newcombe 1998 method 4). */
export function wilsonCorrected(successes: number, n: number, level: number = LEVEL): Interval {
  const p = successes / n
  const z = normalQuantile((1 + level) / 2)
  const end = (sign: 1 | -1): number => {
    const spread = z * z + sign * 2 - 1 / n + 4 * p * (n * (1 - p) - sign)
    return (2 * n * p + z * z + sign * (1 + z * Math.sqrt(spread))) / (2 * (n + z * z))
  }
  return {
    low: successes === 0 ? 0 : Math.max(0, end(-1)),
    high: successes === n ? 1 : Math.min(1, end(1)),
  }
}

/** Successes and trials. */
export type Share = readonly [successes: number, n: number]

/** Gives the interval of the difference a − b of two independent shares (Newcombe 1998 II, method 10). */
export function newcombe(a: Share, b: Share, level: number = LEVEL): Interval {
  const [p, q] = [a[0] / a[1], b[0] / b[1]]
  const [A, B] = [wilson(...a, level), wilson(...b, level)]
  return { low: p - q - Math.hypot(p - A.low, B.high - q), high: p - q + Math.hypot(A.high - p, q - B.low) }
}

/** The same rows judged twice: how many passed both times, only the second time, only the first, never. */
export interface Pairs {
  readonly both: number
  readonly gained: number
  readonly lost: number
  readonly neither: number
}

/** Gives the interval of a paired difference of shares, second minus first (Newcombe 1998 III, method 10). */
export function newcombePaired({ both, gained, lost, neither }: Pairs, level: number = LEVEL): Interval {
  const n = both + gained + lost + neither
  const [p, q] = [(both + gained) / n, (both + lost) / n]
  const [A, B] = [wilson(both + gained, n, level), wilson(both + lost, n, level)]
  const phi = correlation({ both, gained, lost, neither })
  const reach = (x: number, y: number): number => Math.sqrt(x * x - 2 * phi * x * y + y * y)
  return { low: p - q - reach(p - A.low, B.high - q), high: p - q + reach(A.high - p, q - B.low) }
}

/** Newcombe's corrected correlation of the two verdicts. */
function correlation({ both, gained, lost, neither }: Pairs): number {
  const n = both + gained + lost + neither
  const margins = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
  if (margins === 0) return 0
  const product = both * neither - gained * lost
  return (product > 0 ? Math.max(product - n / 2, 0) : product) / Math.sqrt(margins)
}

/**
 * Gives Tango's score interval of a paired difference of shares, (gained − lost)/n (Tango 1998). It has a width even where no row differs:
 * sameness on few rows promises little of others.
 */
export function tango(gained: number, lost: number, n: number, level: number = LEVEL): Interval {
  if (n === 0) return { low: -1, high: 1 }
  const z = normalQuantile((1 + level) / 2)
  const center = (gained - lost) / n
  // The score falls as the supposed difference rises.
  const score = (difference: number): number => {
    const rest = (2 * n - gained + lost) * difference - gained - lost
    const least = (Math.sqrt(rest * rest + 8 * n * lost * difference * (1 - difference)) - rest) / (4 * n)
    const variance = n * (2 * least + difference * (1 - difference))
    const distance = gained - lost - n * difference
    return variance > 0 ? distance / Math.sqrt(variance) : distance === 0 ? 0 : Math.sign(distance) * 1e300
  }
  return {
    low: lost === n ? -1 : root((difference) => z - score(difference), -1, center),
    high: gained === n ? 1 : root((difference) => -z - score(difference), center, 1),
  }
}

/** What McNemar's test says of rows that changed: p values, two-sided, and χ². */
export interface McNemar {
  readonly exact: number
  /** Less careful than the exact one, and closer to its level (Fagerland 2013). */
  readonly mid: number
  readonly chi: number
  /** With continuity correction. */
  readonly chiCorrected: number
}

/** Tests whether as many rows changed one way as the other (McNemar 1947). With no change at all every p is 1. */
export function mcnemar(gained: number, lost: number): McNemar {
  const n = gained + lost
  if (n === 0) return { exact: 1, mid: 1, chi: 0, chiCorrected: 0 }
  const least = Math.min(gained, lost)
  const doubled = 2 * binomialCdf(least, n, 0.5)
  return {
    exact: Math.min(1, doubled),
    mid: gained === lost ? 1 - binomialPmf(least, n, 0.5) : doubled - binomialPmf(least, n, 0.5),
    chi: (gained - lost) ** 2 / n,
    chiCorrected: Math.max(0, Math.abs(gained - lost) - 1) ** 2 / n,
  }
}
