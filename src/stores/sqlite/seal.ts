import { crc32 } from 'node:zlib'

/**
 * Checksums of records. SQLite notices a page that is torn, but not a bit that has changed inside a value: without these, damage would read
 * as an answer that nobody gave.
 */

/** What a record is made of; null where there is nothing. */
export type Texts = readonly (string | null)[]
export type Numbers = readonly (number | null)[]

const FIELDS = 12
const numeric = new DataView(new ArrayBuffer(8 * FIELDS))
const bytes = Array.from({ length: FIELDS + 1 }, (_, count) => new Uint8Array(numeric.buffer, 0, 8 * count))

/** Gives the checksum of a record's fields, 32 bits, the same on every machine. */
export function seal(texts: Texts, numbers: Numbers): number {
  return crc32(texts.join('\n'), sealNumbers(numbers))
}

function sealNumbers(numbers: Numbers): number {
  for (let i = 0; i < numbers.length; i++) numeric.setFloat64(8 * i, numbers[i] ?? Number.NaN, true)
  return crc32(bytes[numbers.length] as Uint8Array)
}

/** False for what was never written, such as bytes in the place of a number. */
export function isSealable(texts: Texts, numbers: Numbers): boolean {
  return (
    texts.every((text) => typeof text === 'string' || text === null) &&
    numbers.every((value) => typeof value === 'number' || value === null)
  )
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

/**
 * There are more assessments than anything else, and most are numbers altogether: names go in by their ids. Whether one is valid may change;
 * that lies in the lowest bit.
 */
export function sealAssessment(numbers: Numbers, text: string | null, extra: string | null, valid: number): number {
  const sealed = sealNumbers(numbers)
  return (text === null && extra === null ? sealed : crc32(`${text}\n${extra}`, sealed)) * 2 + valid
}
