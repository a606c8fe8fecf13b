import { canonical } from '../std/json.ts'

/**
 * True when two values are the same data: the order of keys does not count, nor do fields that are `undefined`, which JSON
 * would drop. With `subset` the actual records may have more fields than the expected ones, at every depth; lists must agree in length.
 */
export function sameData(actual: unknown, expected: unknown, subset = false): boolean {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return false
    return expected.every((item, i) => sameData(actual[i], item, subset))
  }
  if (isRecord(expected) && isRecord(actual)) {
    const wanted = keysOf(expected)
    if (!subset && keysOf(actual).length !== wanted.length) return false
    return wanted.every((key) => Object.hasOwn(actual, key) && sameData(actual[key], expected[key], subset))
  }
  return actual === expected || canonical(actual) === canonical(expected)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function keysOf(record: Record<string, unknown>): string[] {
  return Object.keys(record).filter((key) => record[key] !== undefined)
}
