import { betaQuantile, binomialPmf, normalQuantile, studentQuantile } from '../../src/std/distribution.ts'
import { clopperPearson } from '../../src/std/proportion.ts'
import { type Interval, wilson } from '../../src/std/stats.ts'

type Method = (successes: number, n: number) => Interval

const plain = (x: number, n: number, quantile: number, divisor: number): Interval => {
  const half = quantile * Math.sqrt(((x / n) * (1 - x / n)) / divisor)
  return { low: x / n - half, high: x / n + half }
}

/** Intervals of a share at 95 %; those that the package does not use are here to show why. */
export const METHODS: Readonly<Record<string, Method>> = {
  Wald: (x, n) => plain(x, n, normalQuantile(0.975), n),
  "Student's t": (x, n) => plain(x, n, studentQuantile(0.975, n - 1), n - 1),
  Wilson: (x, n) => wilson(x, n),
  'Clopper-Pearson': (x, n) => clopperPearson(x, n),
  Jeffreys: (x, n) => ({
    low: x === 0 ? 0 : betaQuantile(0.025, x + 0.5, n - x + 0.5),
    high: x === n ? 1 : betaQuantile(0.975, x + 0.5, n - x + 0.5),
  }),
}

/** How often a method's intervals hold the rate, summed over every outcome. */
export function coverage(method: Method, n: number, rate: number): number {
  let covered = 0
  for (let x = 0; x <= n; x++) {
    const { low, high } = method(x, n)
    if (low <= rate && rate <= high) covered += binomialPmf(x, n, rate)
  }
  return covered
}
