import { type Interval, sum, wilson } from './stats.ts'

/** How far raters agree beyond chance. Pure; the formulas are those of the papers named. */

/** z at 97.5 %. */
const Z_975 = 1.959963984540054

/** Cohen's κ of two raters. */
export interface Kappa {
  /** (p_o − p_e) / (1 − p_e); undefined where chance alone explains everything: no pairs, or one label throughout. */
  readonly value: number | undefined
  /** Large-sample standard error (Fleiss, Cohen and Everitt 1969); undefined where κ is. */
  readonly standardError: number | undefined
  /** κ ± 1.96 standard errors, cut at −1 and 1; undefined where the error is 0, which says that the formula fails there, not that κ is certain. */
  readonly interval: Interval | undefined
  /** p_o, the share of equal labels. */
  readonly observed: number
  /** p_e, the share of equal labels that chance would give. */
  readonly expected: number
}

const NO_WIDTH = 1e-9

/**
 * Gives Cohen's κ (Cohen 1960).
 * @param matrix how often the first rater said row i while the second said column j
 * @throws RangeError when the matrix is not square
 */
export function cohenKappa(matrix: readonly (readonly number[])[]): Kappa {
  const size = matrix.length
  if (matrix.some((row) => row.length !== size)) throw new RangeError('Cannot compute kappa: the matrix is not square')
  const n = sum(matrix.flat())
  const share = (i: number, j: number): number => (matrix[i]?.[j] ?? 0) / n
  const indices = Array.from({ length: size }, (_, i) => i)
  const rows = indices.map((i) => sum(indices.map((j) => share(i, j))))
  const columns = indices.map((j) => sum(indices.map((i) => share(i, j))))
  const observed = n === 0 ? Number.NaN : sum(indices.map((i) => share(i, i)))
  const expected = n === 0 ? Number.NaN : sum(indices.map((i) => (rows[i] ?? 0) * (columns[i] ?? 0)))
  if (n === 0 || 1 - expected < 1e-12) {
    return { value: undefined, standardError: undefined, interval: undefined, observed, expected }
  }
  const value = (observed - expected) / (1 - expected)
  const agreeing = sum(
    indices.map((i) => share(i, i) * (1 - expected - ((rows[i] ?? 0) + (columns[i] ?? 0)) * (1 - observed)) ** 2),
  )
  const differing = sum(
    indices.flatMap((i) =>
      indices.filter((j) => j !== i).map((j) => share(i, j) * ((columns[i] ?? 0) + (rows[j] ?? 0)) ** 2),
    ),
  )
  const variance =
    (agreeing + (1 - observed) ** 2 * differing - (observed * expected - 2 * expected + observed) ** 2) /
    (n * (1 - expected) ** 4)
  const standardError = Math.sqrt(Math.max(0, variance))
  const half = Z_975 * standardError
  const interval =
    standardError < NO_WIDTH ? undefined : { low: Math.max(-1, value - half), high: Math.min(1, value + half) }
  return { value, standardError, interval, observed, expected }
}

/**
 * Gives Fleiss' κ of many raters (Fleiss 1971), or undefined where chance alone explains everything.
 * @param counts how many raters put item i into category j; equally many for every item, at least two
 * @throws RangeError when the items have different numbers of ratings, or fewer than two
 */
export function fleissKappa(counts: readonly (readonly number[])[]): number | undefined {
  if (counts.length === 0) return undefined
  const raters = sum(counts[0] ?? [])
  const odd = counts.findIndex((row) => sum(row) !== raters)
  if (odd >= 0) throw new RangeError(`Cannot compute kappa: item ${odd + 1} has another number of ratings than item 1`)
  if (raters < 2) throw new RangeError(`Cannot compute kappa: it takes two ratings per item, found ${raters}`)
  const categories = Math.max(...counts.map((row) => row.length))
  const total = counts.length * raters
  const shares = Array.from({ length: categories }, (_, j) => sum(counts.map((row) => row[j] ?? 0)) / total)
  const expected = sum(shares.map((share) => share ** 2))
  const observed =
    sum(counts.map((row) => (sum(row.map((count) => count ** 2)) - raters) / (raters * (raters - 1)))) / counts.length
  return 1 - expected < 1e-12 ? undefined : (observed - expected) / (1 - expected)
}

/** How far apart two ratings are: not at all or wholly (`nominal`), by rank, by difference, by relative difference. */
export type MeasurementLevel = 'nominal' | 'ordinal' | 'interval' | 'ratio'

/**
 * Gives Krippendorff's α (Krippendorff 2011): any number of raters, gaps allowed. 1 when all ratings are equal, undefined when no unit has
 * two.
 * @param units the ratings of each unit, whoever gave them; a unit with one rating says nothing and is left out
 */
export function krippendorffAlpha(
  units: readonly (readonly number[])[],
  level: MeasurementLevel = 'nominal',
): number | undefined {
  const pairable = units.filter((ratings) => ratings.length >= 2)
  const all = pairable.flat()
  if (all.length === 0) return undefined
  const values = [...new Set(all)].sort((a, b) => a - b)
  const totals = values.map((value) => all.filter((other) => other === value).length)
  const distance = distanceOf(level, values, totals)
  const indices = values.map((_, i) => i)
  const place = new Map(values.map((value, i) => [value, i]))
  const observed = sum(
    pairable.flatMap((ratings) => {
      const places = ratings.map((rating) => place.get(rating) as number)
      const apart = places.flatMap((a, i) => places.slice(i + 1).map((b) => 2 * distance(a, b)))
      return apart.map((one) => one / (ratings.length - 1))
    }),
  )
  const expected = sum(
    indices.flatMap((a) => indices.map((b) => (totals[a] as number) * (totals[b] as number) * distance(a, b))),
  )
  return expected === 0 ? 1 : 1 - ((all.length - 1) * observed) / expected
}

/** Squared distances between values, by their places in the sorted list. */
function distanceOf(level: MeasurementLevel, values: readonly number[], totals: readonly number[]) {
  const value = (i: number): number => values[i] as number
  const below: number[] = [0]
  for (const total of totals) below.push((below.at(-1) as number) + total)
  return (a: number, b: number): number => {
    if (a === b) return 0
    if (level === 'nominal') return 1
    if (level === 'interval') return (value(a) - value(b)) ** 2
    if (level === 'ratio') return ((value(a) - value(b)) / (value(a) + value(b))) ** 2
    const [low, high] = a < b ? [a, b] : [b, a]
    const between = (below[high + 1] as number) - (below[low] as number)
    return (between - ((totals[low] as number) + (totals[high] as number)) / 2) ** 2
  }
}

/** A share of counted cases with Wilson's interval at 95 %; undefined where there is no case to count. */
export interface Share {
  readonly value: number | undefined
  readonly count: number
  readonly of: number
  readonly interval: Interval
}

/** Gives `count` of `of` as a share. */
export function shareOf(count: number, of: number): Share {
  return { value: of === 0 ? undefined : count / of, count, of, interval: wilson(count, of) }
}
