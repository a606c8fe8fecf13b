import { grouped, visible, visibleBlock } from '../src/std/text.ts'

/** Data as text to read: names and values, lists with dashes, texts of several lines as they are. */

/** Gives any data as harmless lines, neither cut nor wrapped. A text on its own stands as it is, without quotes. */
export function dataLines(value: unknown): string[] {
  return typeof value === 'string' && value !== '' ? visibleBlock(value).split('\n') : linesOf(value)
}

/** Gives any data as one harmless line: `question: How long? · tags: [a, b]`. A text on its own stands without quotes. */
export function dataLine(value: unknown): string {
  if (typeof value === 'string') return value === '' ? '""' : visible(value)
  if (!isNested(value) || Array.isArray(value)) return inline(value)
  return membersOf(value)
    .map(([name, inner]) => (name === undefined ? inline(inner) : `${name}: ${inline(inner)}`))
    .join(' · ')
}

function linesOf(value: unknown): string[] {
  if (typeof value === 'string' && value.includes('\n')) return visibleBlock(value).split('\n')
  if (!isNested(value)) return [single(value)]
  return membersOf(value).flatMap(([name, inner]) => {
    const lines = linesOf(inner)
    if (name === undefined) return lines.map((text, i) => (i === 0 ? `- ${text}` : `  ${text}`))
    const below = lines.length > 1 || isNested(inner)
    return below ? [`${name}:`, ...lines.map((text) => `  ${text}`)] : [`${name}: ${lines[0]}`]
  })
}

function inline(value: unknown): string {
  if (!isNested(value)) return single(value)
  const texts = membersOf(value).map(([name, inner]) =>
    name === undefined ? inline(inner) : `${name}: ${inline(inner)}`,
  )
  return Array.isArray(value) || value instanceof Set ? `[${texts.join(', ')}]` : `{${texts.join(', ')}}`
}

function isNested(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Uint8Array) return false
  return membersOf(value).length > 0
}

/** Gives what a list, set, map or record holds; the items of the first two have no name. */
function membersOf(value: object): [name: string | undefined, value: unknown][] {
  if (Array.isArray(value) || value instanceof Set) return Array.from(value, (inner) => [undefined, inner])
  if (value instanceof Map) return Array.from(value, ([key, inner]) => [dataLine(key), inner])
  return Object.entries(value).map(([key, inner]) => [visible(key), inner])
}

/** Gives what has no members as one harmless text. */
function single(value: unknown): string {
  if (typeof value === 'string') return isPlain(value) ? visible(value) : visible(JSON.stringify(value))
  if (typeof value === 'bigint') return `${value}n`
  if (Object.is(value, -0)) return '-0'
  if (typeof value !== 'object' || value === null) return visible(String(value))
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid date' : value.toISOString()
  if (value instanceof Uint8Array) return bytesOf(value)
  if (value instanceof Set || value instanceof Map) return value instanceof Set ? 'an empty set' : 'an empty map'
  return Array.isArray(value) ? '[]' : '{}'
}

const WORDS = new Set(['true', 'false', 'null', 'undefined'])

/** False for texts that would read as something else without quotes: "", "5", "true", " a", "- b". */
function isPlain(text: string): boolean {
  return text.trim() === text && !/^(["'[{]|- |$)/.test(text) && Number.isNaN(Number(text)) && !WORDS.has(text)
}

function bytesOf(bytes: Uint8Array): string {
  const first = Array.from(bytes.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join(' ')
  return `${grouped(bytes.length)} bytes: ${first}${bytes.length > 16 ? ' …' : ''}`
}
