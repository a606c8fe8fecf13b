import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { textOf } from '../../filter.ts'
import { decode } from '../../std/json.ts'

/** Gives the value that lies in a cell of the table of assessments. */
export function cellValue(type: number, num: number | null, text: string | null): unknown {
  switch (type) {
    case 1:
      return num === 1
    case 2:
      return num
    case 3:
      return text
    case 4:
      return decode(text as string)
    case 5:
      return JSON.parse(text as string)
    default:
      return undefined
  }
}

/** Gives the text that filters compare a cell by, or null where there is no value. */
export function cellText(type: unknown, num: unknown, text: unknown): string | null {
  if (type === 3) return text as string
  const value = cellValue(type as number, num as number | null, text as string | null)
  return value === undefined ? null : textOf(value)
}

const DEFLATE_FROM = 4_096

/** Texts longer than a page of the file are deflated where that makes them shorter: for less, it takes longer than to write them. */
export function packText(text: string | null): string | Uint8Array | null {
  if (text === null || text.length < DEFLATE_FROM) return text
  const packed = deflateRawSync(text, { level: 3 })
  return packed.length < text.length ? packed : text
}

/** @throws Error when the text is not as it was packed */
export function unpackText(packed: string | Uint8Array | null): string | null {
  return packed instanceof Uint8Array ? inflateRawSync(packed).toString('utf8') : packed
}
