import { crc32 } from 'node:zlib'

/**
 * Checksums of records. SQLite notices a page that is torn, but not a bit that has changed inside a value: without these, damage would read
 * as an answer that nobody gave.
 */

/** What a record is made of; null where there is nothing. */
export type Texts = readonly (string | null)[]
export type Numbers = readonly (number | null)[]

const FIELDS = 12
const doubles = new Float64Array(FIELDS)
const words = new Uint32Array(doubles.buffer)
/** Which half of a double comes first differs between machines; a store may move from one to another. */
const SWAP = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 0 : 1
/** Stands for what is missing: no number in a record is infinite. NaN stands for what was never written, such as bytes. */
const NOTHING = Number.NEGATIVE_INFINITY

/** Gives the checksum of a record's fields, 32 bits, the same on every machine. */
export function seal(texts: Texts, numbers: Numbers): number {
  return crc32(texts.join('\n'), sealNumbers(numbers))
}

/** MurmurHash3 over the bits of numbers, in JavaScript: several times faster than to call out for so few of them. */
function sealNumbers(numbers: Numbers): number {
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i]
    doubles[i] = typeof value === 'number' ? value : value === null ? NOTHING : Number.NaN
  }
  let sum = numbers.length
  for (let i = 0; i < 2 * numbers.length; i++) {
    const mixed = Math.imul(words[i ^ SWAP] as number, 0xcc9e2d51)
    sum ^= Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
    sum = (Math.imul((sum << 13) | (sum >>> 19), 5) + 0xe6546b64) | 0
  }
  sum = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b)
  sum = Math.imul(sum ^ (sum >>> 13), 0xc2b2ae35)
  return (sum ^ (sum >>> 16)) >>> 0
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
