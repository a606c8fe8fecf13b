import { createRequire } from 'node:module'
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
  return SIMPLE.test(text) ? text.length : ruler().width(text)
}

// One column a character: ASCII, Latin letters, dashes and quotes, arrows, rules and blocks, our marks. Measured without segmentation.
const SIMPLE = /^[\x20-\x7e\xa1-\xac\xae-\u02ff\u2010-\u2027\u2190-\u21ff\u2500-\u259f\u2713\u2717]*$/

interface Ruler {
  readonly width: (text: string) => number
  readonly graphemes: Intl.Segmenter
}

let made: Ruler | undefined

/** Made when the first text needs it: its tables take longer to load than all else that Vitest's main process gets from us. */
function ruler(): Ruler {
  made ??= {
    width: (createRequire(import.meta.url)('string-width') as typeof import('string-width')).default,
    graphemes: new Intl.Segmenter('en', { granularity: 'grapheme' }),
  }
  return made
}

// One character with a pile of marks takes one column and any number of bytes.
const MAX_GRAPHEME = 40

/** Gives the characters as a reader counts them, one by one, so that a long text is read only as far as needed. */
function* charactersOf(text: string): Generator<[character: string, columns: number]> {
  if (SIMPLE.test(text)) {
    for (const character of text) yield [character, 1]
    return
  }
  const { graphemes, width } = ruler()
  for (const { segment } of graphemes.segment(text)) yield [segment, width(shown(segment))]
}

/** A pile of marks on one character is not shown. */
function shown(character: string): string {
  return character.length > MAX_GRAPHEME ? '\ufffd' : character
}

// What `visible` makes longer, and wide enough for any screen. Cuts a text of megabytes before it is looked at.
const READ_PER_COLUMN = 50

/** Gives a text as one harmless line of at most `width` columns; a cut shows as an ellipsis. */
export function fit(text: string, width: number): string {
  if (width <= 0) return ''
  const line = visible(text.slice(0, width * READ_PER_COLUMN + READ_PER_COLUMN))
  if (SIMPLE.test(line)) return line.length <= width ? line : `${line.slice(0, width - 1)}…`
  let result = ''
  let used = 0
  let keep = 0
  for (const [character, columns] of charactersOf(line)) {
    used += columns
    if (used > width) return `${result.slice(0, keep)}…`
    result += shown(character)
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
  const pieces: [text: string, style: Style | undefined][] = []
  let left = width
  for (const part of parts) {
    const [text, style] = typeof part === 'string' ? [part, undefined] : part
    const piece = fit(text, left)
    left -= columnsOf(piece)
    pieces.push([piece, style])
  }
  // No spaces at the end, coloured ones neither.
  for (let last = pieces.at(-1); last && last[0].trim() === ''; last = pieces.at(-1)) pieces.pop()
  return pieces
    .map(([text, style], i) => [i === pieces.length - 1 ? text.trimEnd() : text, style] as const)
    .map(([text, style]) => (style && text !== '' ? style(text) : text))
    .join('')
}

/**
 * Gives a text, already harmless, as lines of at most `width` columns, broken between words where possible; after `maxLines`
 * lines the rest is an ellipsis.
 */
export function wrap(text: string, width: number, maxLines = Number.POSITIVE_INFINITY): string[] {
  const lines: string[] = []
  let at = 0
  do {
    const head = text.slice(at, at + width * READ_PER_COLUMN + READ_PER_COLUMN)
    // A break may leave at the start of a line what was harmless inside of one, and `visible` makes longer.
    const room = /^\s*::/.test(head) ? Math.max(1, width - ESCAPE) : width
    const { end, next } = breakOf(head, room)
    const cut = lines.length + 1 >= maxLines && at + next < text.length
    lines.push(fit(cut ? head : head.slice(0, end), width).trimEnd())
    if (cut) break
    at += next
  } while (at < text.length)
  return lines
}

/** By how much `visible` makes a colon longer. */
const ESCAPE = '\\u003a'.length - 1

/** Gives where the first line ends and where the next one begins. */
function breakOf(text: string, width: number): { end: number; next: number } {
  let used = 0
  let at = 0
  let space = 0
  for (const [character, columns] of charactersOf(text)) {
    used += columns
    if (used > width && at > 0) {
      if (character === ' ') return { end: at, next: at + 1 }
      return space > 0 ? { end: space, next: space + 1 } : { end: at, next: at }
    }
    if (character === ' ' && text.slice(0, at).trim() !== '') space = at
    at += character.length
  }
  return { end: at, next: at }
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

/** Gives a text after its mark, further lines of it below its first word; a wide mark has a line to itself. */
export function hanging(
  mark: readonly (readonly [string, Style])[],
  text: string,
  screen: Screen,
  maxLines: number,
): string[] {
  const columns = mark.reduce((sum, [part]) => sum + columnsOf(fit(part, screen.width)), 0)
  const alone = columns > screen.width / 2
  const indent = alone ? Math.min(4, screen.width - 1) : columns
  const room = Math.max(1, screen.width - indent)
  const lines = wrap(fit(text, room * maxLines + 1), room, maxLines)
  if (alone) return [line(mark, screen.width), ...lines.map((part) => ' '.repeat(indent) + part)]
  return lines.map((part, i) => (i === 0 ? line([...mark, part], screen.width) : ' '.repeat(indent) + part))
}
