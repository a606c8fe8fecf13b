import { crc32 } from 'node:zlib'

/**
 * Checksums of records. SQLite notices a page that is torn, but not a bit that has changed inside a value: without these, damage would read
 * as an answer that nobody gave.
 */

/** What a record is made of; null where there is nothing. */
export type Texts = readonly (string | null)[]
export type Numbers = readonly (number | null)[]

const FIELDS = 16
const numeric = new DataView(new ArrayBuffer(8 * FIELDS))

/** Gives the checksum of a record's fields, 32 bits; the same on every machine. */
export function seal(texts: Texts, numbers: Numbers): number {
  for (let i = 0; i < numbers.length; i++) numeric.setFloat64(8 * i, numbers[i] ?? Number.NaN, true)
  return crc32(new Uint8Array(numeric.buffer, 0, 8 * numbers.length), crc32(texts.join('\n')))
}

export function sealText(text: string): number {
  return crc32(text)
}

/** A tag (kind 0) or an entry of metadata (1). */
export type Label = readonly [kind: number, key: string, value: string]

/** Gives one checksum of all labels, in whatever order they come. */
export function sealLabels(labels: readonly Label[]): number {
  let sum = 0
  for (const [kind, key, value] of labels) sum += seal([key, value], [kind])
  return sum
}

/** Whether an assessment is valid may change: that lies in the lowest bit. */
export function sealAssessment(texts: Texts, numbers: Numbers, valid: number): number {
  return seal(texts, numbers) * 2 + valid
}
