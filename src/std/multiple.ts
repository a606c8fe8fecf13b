/** Many tests at once: p values adjusted so that each may be held against the level of all. In and out in the same order. */

/** Gives Bonferroni's: each times the number of tests. */
export function bonferroni(ps: readonly number[]): number[] {
  return ps.map((p) => Math.min(1, p * ps.length))
}

/** Gives Holm's (1979): as safe as Bonferroni's against a single false alarm, never weaker. For "has anything become worse?". */
export function holm(ps: readonly number[]): number[] {
  let highest = 0
  return ranked(ps, (p, rank) => {
    highest = Math.max(highest, Math.min(1, p * (ps.length - rank)))
    return highest
  })
}

/** Gives Benjamini and Hochberg's (1995): they bound the share of false ones among the findings. For looking around. */
export function benjaminiHochberg(ps: readonly number[]): number[] {
  const n = ps.length
  let lowest = 1
  return ranked(
    ps,
    (p, rank) => {
      lowest = Math.min(lowest, (p * n) / (rank + 1))
      return lowest
    },
    true,
  )
}

/** Gives Hommel's (1988), never weaker than Holm's, for tests that do not contradict one another (Wright 1992's algorithm). */
export function hommel(ps: readonly number[]): number[] {
  const n = ps.length
  const order = orderOf(ps)
  const sorted = order.map((i) => ps[i] as number)
  const adjusted = sorted.map(() => Math.min(...sorted.map((p, i) => (n * p) / (i + 1))))
  for (let m = n - 1; m >= 2; m--) {
    const split = n - m + 1
    const bound = Math.min(...sorted.slice(split).map((p, i) => (m * p) / (i + 2)))
    for (let i = 0; i < n; i++) {
      // Those after the split take over what the last one before it has.
      const own = m * (sorted[Math.min(i, split - 1)] as number)
      adjusted[i] = Math.max(adjusted[i] as number, Math.min(own, bound))
    }
  }
  const result = new Array<number>(n)
  for (const [rank, i] of order.entries()) {
    result[i] = Math.min(1, Math.max(adjusted[rank] as number, sorted[rank] as number))
  }
  return result
}

function orderOf(ps: readonly number[]): number[] {
  return Array.from(ps.keys()).sort((a, b) => (ps[a] as number) - (ps[b] as number))
}

/** Adjusts each by its rank, the smallest first or, from behind, last. */
function ranked(ps: readonly number[], adjust: (p: number, rank: number) => number, behind = false): number[] {
  const order = [...orderOf(ps).entries()]
  if (behind) order.reverse()
  const result = new Array<number>(ps.length)
  for (const [rank, i] of order) result[i] = adjust(ps[i] as number, rank)
  return result
}
