import { quote } from '../errors.ts'

/** Times as people write them on the command line. */

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }
const LAPSE = /^(\d+(?:\.\d+)?)([smhdw])$/

/** Reads `6h` as milliseconds; gives undefined for what is no such text. */
export function lapse(text: string): number | undefined {
  const [, number, unit = ''] = LAPSE.exec(text) ?? []
  return number === undefined ? undefined : Number(number) * (UNITS[unit] as number)
}

/**
 * Reads `7d` (ago), `2026-01-05` or `2026-01-05T12:00Z` as milliseconds since 1970.
 * @param where what cannot be done with another text: `Cannot report quality: --from`
 * @throws RangeError
 */
export function timeIn(where: string, text: string, now: number): number {
  const ago = lapse(text)
  const time = ago === undefined ? Date.parse(text) : now - ago
  // A bare number would be a year.
  if (Number.isNaN(time) || /^-?\d+$/.test(text)) {
    throw new RangeError(
      `${where} must be a time such as 7d (ago), 2026-01-05 or 2026-01-05T12:00Z, found ${quote(text)}`,
    )
  }
  return time
}
