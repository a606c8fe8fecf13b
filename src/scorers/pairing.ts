/**
 * Pairs as many items of two lists as fit each other, each with at most one (maximum bipartite matching, by augmenting paths). Greedy
 * pairing would not do where one item fits several: it might take the only partner of another.
 *
 * Gives, for each item of the first list, the position of its partner in the second, or -1.
 */
export function pairUp(first: number, second: number, fits: (i: number, j: number) => boolean): number[] {
  const partnerOf = new Array<number>(first).fill(-1)
  const takenBy = new Array<number>(second).fill(-1)
  const place = (i: number, tried: Set<number>): boolean => {
    for (let j = 0; j < second; j++) {
      if (tried.has(j) || !fits(i, j)) continue
      tried.add(j)
      const holder = takenBy[j] as number
      if (holder >= 0 && !place(holder, tried)) continue
      takenBy[j] = i
      partnerOf[i] = j
      return true
    }
    return false
  }
  for (let i = 0; i < first; i++) place(i, new Set())
  return partnerOf
}
