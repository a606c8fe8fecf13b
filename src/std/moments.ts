import { studentQuantile } from './distribution.ts'
import { newcombe } from './proportion.ts'
import { around, type Interval, LEVEL } from './stats.ts'

/** Count, mean and spread of numbers that are seen once, by Welford's recurrence (1962): as little memory for millions as for two. */
export class Moments {
  n = 0
  mean = 0
  #squares = 0
  /** True while there was nothing but 0 and 1. */
  areVerdicts = true

  add(value: number): void {
    this.n++
    const off = value - this.mean
    this.mean += off / this.n
    this.#squares += off * (value - this.mean)
    this.areVerdicts &&= value === 0 || value === 1
  }

  /** The unbiased variance; NaN below two values. */
  get variance(): number {
    return this.n < 2 ? Number.NaN : this.#squares / (this.n - 1)
  }
}

/**
 * Gives the interval of the difference a − b of two independent means: for verdicts Newcombe's, for other numbers Welch's (1947). Undefined where
 * so few values allow none, or none of them varies.
 */
export function differenceInterval(a: Moments, b: Moments, level: number = LEVEL): Interval | undefined {
  if (a.n === 0 || b.n === 0) return undefined
  if (a.areVerdicts && b.areVerdicts) {
    return newcombe([Math.round(a.mean * a.n), a.n], [Math.round(b.mean * b.n), b.n], level)
  }
  const [p, q] = [a.variance / a.n, b.variance / b.n]
  if (!(p + q > 0)) return undefined
  const freedom = (p + q) ** 2 / (p ** 2 / (a.n - 1) + q ** 2 / (b.n - 1))
  return around(a.mean - b.mean, studentQuantile((1 + level) / 2, freedom) * Math.sqrt(p + q))
}
