/**
 * Gives a value of a columnar format as plain JavaScript: BigInt as number where that loses nothing, typed arrays as lists, null for
 * what is missing; dates and bytes stay.
 */
export function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return toNumber(value)
  if (value === undefined || value === null) return null
  if (typeof value !== 'object' || value instanceof Date) return value
  // A copy, so that one small cell does not keep the whole batch in memory.
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return Array.from(value as unknown as Iterable<unknown>, plain)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}

function toNumber(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
