/** JSON whose integers keep every digit: those beyond 2^53 are BigInts here, where JSON.parse would round them. */

// TypeScript's library does not know the third argument of a reviver yet, nor raw JSON; Node has both from 21 on.
type Reviver = (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown
const parse = JSON.parse as (text: string, reviver?: Reviver) => unknown
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown }

/** What could be an integer beyond 2^53, also within a text: then it costs some time, and no more. */
const LONG = /\d{16}/
const INTEGER = /^-?\d+$/

/**
 * Parses JSON; integers that a number cannot hold become BigInts.
 * @throws SyntaxError as JSON.parse; RangeError for long integers in data that is nested deeper than the stack
 */
export function parseExact(text: string): unknown {
  if (!LONG.test(text)) return parse(text)
  return parse(text, (_, value, { source }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined && INTEGER.test(source)
      ? BigInt(source)
      : value,
  )
}

/** Gives the text of JSON data in which BigInts are integers. */
export function writeExact(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? rawJSON(String(item)) : item), indent)
}
