import { normalCdf, normalQuantile } from './distribution.ts'
import { seeded } from './random.ts'
import { type Interval, LEVEL, mean, quantile } from './stats.ts'

/** Intervals and tests that suppose no distribution: they draw from the values themselves. The same seed gives the same figures. */

export interface BootstrapOptions {
  /** Gives the figure of a sample. @default the mean */
  readonly statistic?: (values: Float64Array) => number
  /** The cluster of each value: whole clusters are drawn. */
  readonly clusters?: ArrayLike<string>
  /** @default 10000 */
  readonly draws?: number
  /** @default 0 */
  readonly seed?: number
  /** Two-sided. @default 0.95 */
  readonly level?: number
  /** BCa corrects the percentiles for bias and skewness (Efron 1987). @default 'bca' */
  readonly method?: 'bca' | 'percentile'
}

/** Gives the bootstrap interval of a figure; undefined below two values, or two clusters. */
export function bootstrap(values: ArrayLike<number>, options: BootstrapOptions = {}): Interval | undefined {
  const { statistic = mean, clusters, draws = 10_000, seed = 0, level = LEVEL, method = 'bca' } = options
  const groups = clusters ? grouped(values, clusters) : undefined
  const units = groups?.length ?? values.length
  if (units < 2) return undefined
  const all = Float64Array.from(values)
  const found = new Float64Array(draws)
  const next = seeded(seed)
  if (groups) for (let i = 0; i < draws; i++) found[i] = statistic(drawGroups(groups, next))
  else {
    const sample = new Float64Array(units)
    for (let i = 0; i < draws; i++) {
      for (let j = 0; j < units; j++) sample[j] = all[Math.floor(next() * units)] as number
      found[i] = statistic(sample)
    }
  }
  found.sort()
  const tail = (1 - level) / 2
  if (method === 'percentile') return { low: quantile(found, tail), high: quantile(found, 1 - tail) }
  const place = corrected(found, statistic(all), leftOut(all, groups, statistic))
  return { low: quantile(found, place(tail)), high: quantile(found, place(1 - tail)) }
}

function grouped(values: ArrayLike<number>, clusters: ArrayLike<string>): number[][] {
  const groups = new Map<string, number[]>()
  for (let i = 0; i < values.length; i++) {
    const cluster = clusters[i] as string
    const group = groups.get(cluster) ?? []
    groups.set(cluster, group)
    group.push(values[i] as number)
  }
  return [...groups.values()]
}

function drawGroups(groups: readonly (readonly number[])[], next: () => number): Float64Array {
  const drawn = groups.map(() => groups[Math.floor(next() * groups.length)] as readonly number[])
  return Float64Array.from(drawn.flat())
}

/** Gives the figure without each of the values, or of the groups, in turn. */
function leftOut(
  all: Float64Array,
  groups: readonly (readonly number[])[] | undefined,
  statistic: (values: Float64Array) => number,
): Float64Array {
  if (groups) return Float64Array.from(groups, (_, i) => statistic(Float64Array.from(groups.toSpliced(i, 1).flat())))
  const rest = all.slice(1)
  return Float64Array.from(all, (_, i) => {
    if (i > 0) rest[i - 1] = all[i - 1] as number
    return statistic(rest)
  })
}

/** Gives what moves a percentile to its place: by the bias of the draws, and by how the figure's error grows with the figure. */
function corrected(sorted: Float64Array, figure: number, jackknife: Float64Array): (p: number) => number {
  let below = 0
  for (const value of sorted) below += value < figure ? 1 : value === figure ? 0.5 : 0
  const bias = normalQuantile(Math.min(1 - 1e-9, Math.max(1e-9, below / sorted.length)))
  const center = mean(jackknife)
  let [squares, cubes] = [0, 0]
  for (const value of jackknife) {
    squares += (center - value) ** 2
    cubes += (center - value) ** 3
  }
  const acceleration = squares > 0 ? cubes / (6 * squares ** 1.5) : 0
  return (p) => {
    const z = bias + normalQuantile(p)
    return normalCdf(bias + z / (1 - acceleration * z))
  }
}

/** Up to so many values every choice of signs is tried. */
const EXACT = 20

/**
 * Gives the two-sided p value of paired differences: how often their mean would be as far from 0 if each had its sign by chance. Exact
 * up to 20 differences other than 0, else (1 + hits)/(draws + 1).
 */
export function signFlip(
  differences: ArrayLike<number>,
  { draws = 10_000, seed = 0 }: { readonly draws?: number; readonly seed?: number } = {},
): number {
  const moved = Array.from(differences).filter((value) => value !== 0)
  if (moved.length === 0) return 1
  const observed = Math.abs(moved.reduce((a, b) => a + b, 0))
  // Sums of the same numbers in another order differ in their last digits.
  const least = observed * (1 - 1e-12)
  if (moved.length <= EXACT) return exactFlip(moved, least)
  const next = seeded(seed)
  let hits = 0
  for (let i = 0; i < draws; i++) {
    let total = 0
    for (const value of moved) total += next() < 0.5 ? value : -value
    if (Math.abs(total) >= least) hits++
  }
  return (1 + hits) / (draws + 1)
}

function exactFlip(moved: readonly number[], least: number): number {
  const count = 2 ** moved.length
  let hits = 0
  for (let signs = 0; signs < count; signs++) {
    let total = 0
    for (let i = 0; i < moved.length; i++) total += (signs >> i) & 1 ? (moved[i] as number) : -(moved[i] as number)
    if (Math.abs(total) >= least) hits++
  }
  return hits / count
}
