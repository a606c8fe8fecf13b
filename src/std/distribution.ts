/** Distributions and their quantiles. Pure; no table, no approximation coarser than a double needs. */

/**
 * Gives the place between two ends where a function that rises through zero does so.
 * @param low where it is at most 0
 * @param high where it is at least 0
 */
export function root(rising: (x: number) => number, low: number, high: number): number {
  let [below, above] = [low, high]
  for (let i = 0; i < 200; i++) {
    const middle = (below + above) / 2
    if (middle === below || middle === above) break
    if (rising(middle) < 0) below = middle
    else above = middle
  }
  return (below + above) / 2
}

/** Gives Φ(z), the standard normal distribution (Marsaglia 2004; its continued fraction in the tails). */
export function normalCdf(z: number): number {
  if (z < -5) return normalTail(-z)
  if (z > 5) return 1 - normalTail(z)
  let sum = z
  let term = z
  for (let i = 3; sum + term !== sum || i < 5; i += 2) {
    term *= (z * z) / i
    sum += term
  }
  return 0.5 + sum * density(z)
}

function normalTail(z: number): number {
  let fraction = z
  for (let k = 60; k >= 1; k--) fraction = z + k / fraction
  return density(z) / fraction
}

function density(z: number): number {
  return Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)
}

const quantiles = new Map<number, number>()

/** Gives the quantile of the standard normal distribution: 1.96 at 0.975. */
export function normalQuantile(p: number): number {
  if (!(p > 0 && p < 1)) return p === 0 ? Number.NEGATIVE_INFINITY : p === 1 ? Number.POSITIVE_INFINITY : Number.NaN
  // The upper half is the lower one mirrored: 1 − p loses no digit there.
  if (p > 0.5) return -normalQuantile(1 - p)
  // A handful of levels is asked for again and again.
  let z = quantiles.get(p)
  if (z === undefined) {
    z = root((x) => normalCdf(x) - p, -40, 0)
    if (quantiles.size < 100) quantiles.set(p, z)
  }
  return z
}

/** Gives the p-quantile of Student's t with `df` degrees of freedom, 0 < p < 1. */
export function studentQuantile(p: number, df: number): number {
  if (p < 0.5) return -studentQuantile(1 - p, df)
  if (p === 0.5) return 0
  const tail = 2 * (1 - p)
  // The two tails 2·(1 − F(t)) = I_x(df/2, 1/2) with x = df/(df + t²) fall as t grows.
  const rising = (t: number): number => tail - incompleteBeta(df / (df + t * t), df / 2, 0.5)
  let high = 16
  while (rising(high) < 0) high *= 2
  return root(rising, 0, high)
}

/** Gives the two-sided p value of a t statistic. */
export function studentP(t: number, df: number): number {
  return Number.isFinite(t) ? incompleteBeta(df / (df + t * t), df / 2, 0.5) : 0
}

/** Gives the p-quantile of the beta distribution. */
export function betaQuantile(p: number, a: number, b: number): number {
  return root((x) => incompleteBeta(x, a, b) - p, 0, 1)
}

/** Gives P(X = k) of a binomial distribution. */
export function binomialPmf(k: number, n: number, p: number): number {
  if (p === 0 || p === 1) return k === (p === 0 ? 0 : n) ? 1 : 0
  return Math.exp(logChoose(n, k) + k * Math.log(p) + (n - k) * Math.log1p(-p))
}

/** Gives P(X ≤ k) of a binomial distribution. */
export function binomialCdf(k: number, n: number, p: number): number {
  if (k < 0) return 0
  return k >= n ? 1 : incompleteBeta(1 - p, n - k, k + 1)
}

/** Gives ln C(n, k). */
export function logChoose(n: number, k: number): number {
  return k === 0 || k === n ? 0 : logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1)
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

/** Gives ln B(a, b). */
export function logBeta(a: number, b: number): number {
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
