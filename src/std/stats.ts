/** Numbers about numbers. Pure; the formulas are those of the papers named, the vectors in the tests are published ones. */

/** A 95 % interval, both ends included. */
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

/** z at 97.5 %. */
const Z_975 = 1.959963984540054

/** Gives Wilson's score interval of a proportion at 95 % (Wilson 1927; Newcombe 1998 method 3). */
export function wilson(successes: number, n: number): Interval {
  if (n === 0) return { low: 0, high: 1 }
  const p = successes / n
  const zz = Z_975 * Z_975
  const center = (p + zz / (2 * n)) / (1 + zz / n)
  const half = (Z_975 / (1 + zz / n)) * Math.sqrt((p * (1 - p)) / n + zz / (4 * n * n))
  return {
    low: successes === 0 ? 0 : Math.max(0, center - half),
    high: successes === n ? 1 : Math.min(1, center + half),
  }
}

/** Gives Student's t interval of a mean at 95 %, or undefined below two values. */
export function tInterval(values: ArrayLike<number> & Iterable<number>): Interval | undefined {
  const n = values.length
  if (n < 2) return undefined
  const half = studentT975(n - 1) * standardError(values)
  const center = mean(values)
  return { low: center - half, high: center + half }
}

/** Gives the 97.5 % quantile of Student's t with `df` degrees of freedom. */
export function studentT975(df: number): number {
  // The tail 2·(1 − F(t)) = I_x(df/2, 1/2) with x = df/(df + t²) falls as t grows: bisection, then no derivative is needed.
  let low = 0
  let high = 13
  for (let i = 0; i < 100 && high - low > 1e-14 * high; i++) {
    const middle = (low + high) / 2
    if (incompleteBeta(df / (df + middle * middle), df / 2, 0.5) > 0.05) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** The regularised incomplete beta function I_x(a, b), by Lentz's continued fraction (DLMF 8.17.22). */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a)
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) - logBeta(a, b)) / a
  const tiny = 1e-300
  let c = 1
  let d = 1 - ((a + b) * x) / (a + 1)
  d = 1 / (Math.abs(d) < tiny ? tiny : d)
  let fraction = d
  for (let m = 1; m < 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / nonZero(1 + even * d, tiny)
    c = nonZero(1 + even / c, tiny)
    fraction *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / nonZero(1 + odd * d, tiny)
    c = nonZero(1 + odd / c, tiny)
    const step = d * c
    fraction *= step
    if (Math.abs(step - 1) < 1e-16) break
  }
  return front * fraction
}

function nonZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value
}

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b)
}

/** ln Γ(x) for x > 0: Stirling's series after shifting x past 10 (DLMF 5.11.1). */
function logGamma(x: number): number {
  let shift = 0
  let y = x
  while (y < 10) shift -= Math.log(y++)
  const r = 1 / (y * y)
  const series = 1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r * (1 / 1188 - (r * 691) / 360360))))
  return shift + (y - 0.5) * Math.log(y) - y + 0.9189385332046728 + series / y
}
