import type { UsageTotals } from '../src/meter.ts'
import { grouped } from '../src/std/text.ts'

/** Numbers as people read them. */

/** Gives a count with thousands separators; nothing is a dot, so that what is there stands out. */
export function count(value: number): string {
  return value === 0 ? '·' : whole(value)
}

/** Gives a whole number with thousands separators: "12,000". */
export function whole(value: number): string {
  return grouped(Math.round(value))
}

const MIN_PLACES = 3
const MAX_PLACES = 6

/** Gives a share between 0 and 1 with three places; more where it would read as all or none and is neither. */
export function share(value: number): string {
  for (let places = MIN_PLACES; places < MAX_PLACES; places++) {
    const text = value.toFixed(places)
    if (value === Number(text) || (Number(text) !== 0 && Number(text) !== 1)) return text
  }
  return Math.min(0.999999, Math.max(0.000001, value)).toFixed(MAX_PLACES)
}

/** Gives how many places make about three significant digits. */
export function placesOf(value: number): number {
  const size = Math.abs(value)
  if (size >= 1_000) return 0
  if (size >= 100) return 1
  if (size >= 10) return 2
  return size >= 0.1 || size === 0 ? 3 : Math.min(8, 2 - Math.floor(Math.log10(size)))
}

/** Gives a number with about three significant digits, or with the places given: "0.950", "142.3", "12,034". */
export function decimal(value: number, places = placesOf(value)): string {
  const size = Math.abs(value)
  if (size >= 1e12 || (size > 0 && size < 1e-6)) return value.toExponential(2)
  const text = grouped(value, places)
  return /[1-9]/.test(text) ? text : text.replace('-', '')
}

/** Gives a number as short as it goes: whole ones without places. */
export function short(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e12 ? whole(value) : decimal(value)
}

/** Gives US dollars: "0.0042 USD"; at least so much where not every call's cost is known, "unknown" where none is. */
export function money({ calls, cost, unknownCost }: UsageTotals): string {
  if (unknownCost > 0 && unknownCost === calls) return 'unknown'
  return `${unknownCost > 0 ? '≥ ' : ''}${dollars(cost)}`
}

/** Gives an amount in cents, or with two significant digits where it is small: "12.40 USD", "0.0042 USD". */
export function dollars(usd: number): string {
  const places = usd >= 0.1 || usd < 1e-8 ? 2 : 1 - Math.floor(Math.log10(usd))
  return `${grouped(usd, places)} USD`
}

/** Gives texts of one width whose decimal points stand in one column; an empty text stays without a point. */
export function aligned(texts: readonly string[]): string[] {
  const parts = texts.map((text) => {
    const at = text.search(/[.e]/)
    return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at)]
  }) as [string, string][]
  const before = parts.reduce((most, [left]) => Math.max(most, left.length), 0)
  const after = parts.reduce((most, [, right]) => Math.max(most, right.length), 0)
  return parts.map(([left, right]) => (left + right).trim() && left.padStart(before) + right.padEnd(after))
}
