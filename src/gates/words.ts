import { grouped, plural } from '../std/text.ts'

/** Figures in the sentences of findings. */

/** Gives a number with at most four places that matter. */
export function number(value: number): string {
  if (Number.isInteger(value)) return grouped(value)
  const size = Math.abs(value)
  if (size >= 100) return grouped(value, Number.isInteger(Number(value.toFixed(1))) ? 0 : 1)
  return String(Number(value.toPrecision(size < 1 ? 3 : 4))).replace('-', '−')
}

/** Gives a difference with its sign. */
export function signed(value: number): string {
  const text = number(Math.abs(value))
  return value < 0 ? `−${text}` : value > 0 ? `+${text}` : text
}

/** Gives how many rows a finding rests on, of how many. */
export function rested(n: number, of: number): string {
  return `${grouped(n)} of ${plural(of, 'row')}`
}
