import stringWidth from 'string-width'
import { type Colors, createColors, getDefaultColors } from 'tinyrainbow'
import type { Screen } from '../src/reporter.ts'
import { visible } from '../src/std/text.ts'

/** How text stands on a screen: its colours, its width in columns, where it is cut. */

export type Style = (text: string) => string

/** A stretch of text from anywhere, and how it looks. */
export type Part = string | readonly [text: string, style: Style]

const ON = createColors({ force: true })
const OFF = getDefaultColors()

/** Gives the colours of a screen; which ones depends on nothing but the screen. */
export function colors(screen: Screen): Colors {
  return screen.colors ? ON : OFF
}

/** Gives how many columns a text takes; colours take none. */
export function columnsOf(text: string): number {
  return stringWidth(text)
}

const ASCII = /^[\x20-\x7e]*$/
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })
// One character with a pile of marks takes one column and any number of bytes.
const MAX_GRAPHEME = 40

/** Gives the characters as a reader counts them, one by one, so that a long text is read only as far as needed. */
function* charactersOf(text: string): Generator<[character: string, columns: number]> {
  for (const { segment } of graphemes.segment(text)) {
    const character = segment.length > MAX_GRAPHEME ? '\ufffd' : segment
    yield [character, stringWidth(character)]
  }
}

// What `visible` makes longer, and wide enough for any screen. Cuts a text of megabytes before it is looked at.
const READ_PER_COLUMN = 50

/** Gives a text as one harmless line of at most `width` columns; a cut shows as an ellipsis. */
export function fit(text: string, width: number): string {
  if (width <= 0) return ''
  const line = visible(text.slice(0, width * READ_PER_COLUMN + READ_PER_COLUMN))
  if (ASCII.test(line)) return line.length <= width ? line : `${line.slice(0, width - 1)}…`
  let result = ''
  let used = 0
  let keep = 0
  for (const [character, columns] of charactersOf(line)) {
    used += columns
    if (used > width) return `${result.slice(0, keep)}…`
    result += character
    if (used < width) keep = result.length
  }
  return result
}

/** Gives the text with spaces before or after it, `width` columns in all. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const spaces = ' '.repeat(Math.max(0, width - columnsOf(text)))
  return align === 'left' ? text + spaces : spaces + text
}

/** Gives one line of parts, each harmless, cut at `width` columns. */
export function line(parts: readonly Part[], width: number): string {
  let result = ''
  let left = width
  for (const part of parts) {
    const [text, style] = typeof part === 'string' ? [part, undefined] : part
    const piece = fit(text, left)
    left -= columnsOf(piece)
    result += style && piece !== '' ? style(piece) : piece
  }
  return result.trimEnd()
}

/**
 * Gives a text, already harmless, as lines of at most `width` columns, broken between words where possible; after `maxLines`
 * lines the rest is an ellipsis.
 */
export function wrap(text: string, width: number, maxLines = Number.POSITIVE_INFINITY): string[] {
  const lines: string[] = []
  let current = ''
  let used = 0
  let lastSpace = -1
  for (const [character, columns] of charactersOf(text)) {
    if (used + columns > width && current !== '') {
      if (lines.length + 1 >= maxLines) {
        lines.push(fit(`${current}${character}`, width))
        return lines
      }
      const atWord = lastSpace > 0 && character !== ' '
      lines.push((atWord ? current.slice(0, lastSpace) : current).trimEnd())
      current = atWord ? current.slice(lastSpace + 1) : ''
      used = columnsOf(current)
      lastSpace = -1
      if (character === ' ') continue
    }
    if (character === ' ' && current.trim() !== '') lastSpace = current.length
    current += character
    used += columns
  }
  if (current !== '' || lines.length === 0) lines.push(current)
  return lines
}

/** Gives items on as few lines as they need, a separator between them, an item never broken unless wider than a line. */
export function flow(items: readonly Part[], width: number, separator: Part): string[] {
  const textOf = (part: Part): string => visible(typeof part === 'string' ? part : part[0])
  const gap = columnsOf(textOf(separator))
  const lines: Part[][] = []
  let used = 0
  for (const item of items) {
    const columns = columnsOf(textOf(item))
    const current = lines.at(-1)
    if (current && used + gap + columns <= width) {
      current.push(separator, item)
      used += gap + columns
    } else {
      lines.push([item])
      used = columns
    }
  }
  return lines.map((parts) => line(parts, width))
}
