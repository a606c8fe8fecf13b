/**
 * Gives the length of the longest common subsequence of two lists, by dynamic programming over two rows:
 * O(n · m) time, O(m) space.
 */
export function commonSubsequence<A, B>(
  a: readonly A[],
  b: readonly B[],
  same: (a: A, b: B, i: number, j: number) => boolean,
): number {
  let previous = new Uint32Array(b.length + 1)
  let current = new Uint32Array(b.length + 1)
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < b.length; j++) {
      current[j + 1] = same(a[i] as A, b[j] as B, i, j)
        ? (previous[j] as number) + 1
        : Math.max(previous[j + 1] as number, current[j] as number)
    }
    ;[previous, current] = [current, previous]
  }
  return previous[b.length] as number
}
