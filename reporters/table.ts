import type { Screen } from '../src/reporter.ts'
import { visible } from '../src/std/text.ts'
import { aligned } from './number.ts'
import { colors, columnsOf, fit, pad, type Style } from './screen.ts'

export interface CellParts {
  readonly text: string
  readonly style?: Style | undefined
  /** How many columns the cell covers; past the last one it may run to the edge of the screen. @default 1 */
  readonly span?: number
  /** Gives a text for a width that `text` does not fit; without it the text is cut. */
  readonly shorten?: (width: number) => string
}

/** One cell: text from anywhere, made harmless here. */
export type Cell = string | CellParts

export interface TableColumn {
  readonly header?: string
  /** `decimal` puts the points of numbers below one another. @default 'left' */
  readonly align?: 'left' | 'right' | 'decimal'
  /** Columns to which it may be cut where the screen is too narrow. @default it keeps its width */
  readonly min?: number
  /** It may be left out where the screen is too narrow, the lowest number first, before anything is cut. */
  readonly drop?: number
}

export interface TableOptions {
  readonly columns: readonly TableColumn[]
  readonly screen: Screen
  /** Spaces before each line. @default 0 */
  readonly indent?: number
}

const GAP = 2

/**
 * Gives the lines of a table without frame, aligned by display width, none wider than the screen. On a narrow screen it first
 * leaves out what may be dropped, then cuts what may be cut, then cuts at the edge.
 */
export function table(rows: readonly (readonly Cell[])[], options: TableOptions): string[] {
  const { columns, screen, indent = 0 } = options
  const texts = textsOf(rows, columns, screen.width + 1)
  const natural = columns.map(({ header = '' }, c) =>
    rows.reduce(
      (most, row, r) => (spanOf(row[c]) > 1 ? most : Math.max(most, columnsOf(texts[r]?.[c] ?? ''))),
      columnsOf(visible(header)),
    ),
  )
  const room = screen.width - indent
  const kept = keep(columns, natural, room)
  const widths = squeeze(kept, columns, natural, room)
  const spare = spareOf(rows, texts, kept, widths, room)
  const { dim } = colors(screen)
  const margin = ' '.repeat(Math.min(indent, screen.width))
  const emit = (cells: readonly Cell[], plain: readonly string[]): string =>
    (margin + lineOf(cells, plain, columns, { kept, widths, spare, room })).trimEnd()
  const lines = rows.map((row, r) => emit(row, texts[r] as string[]))
  if (columns.every(({ header }) => header === undefined)) return lines
  const headers = columns.map(({ header = '' }) => visible(header))
  const title = emit(
    headers.map((text) => ({ text, style: dim })),
    headers,
  )
  return [title, ...lines]
}

function partsOf(cell: Cell | undefined): CellParts {
  return typeof cell === 'object' ? cell : { text: cell ?? '' }
}

function spanOf(cell: Cell | undefined): number {
  return partsOf(cell).span ?? 1
}

/** Gives harmless texts, numbers among them aligned. What is wider than any screen is cut here, before it is measured. */
function textsOf(rows: readonly (readonly Cell[])[], columns: readonly TableColumn[], most: number): string[][] {
  const texts = rows.map((row) => columns.map((_, c) => fit(partsOf(row[c]).text, most)))
  columns.forEach(({ align }, c) => {
    if (align !== 'decimal') return
    const numbers = rows.map((row, r) => (spanOf(row[c]) > 1 ? '' : (texts[r]?.[c] as string)))
    aligned(numbers).forEach((text, r) => {
      if (numbers[r] !== '') (texts[r] as string[])[c] = text
    })
  })
  return texts
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, GAP * Math.max(0, widths.length - 1))
}

/** Gives the columns that stay. */
function keep(columns: readonly TableColumn[], natural: readonly number[], room: number): number[] {
  let kept = columns.map((_, c) => c)
  const droppable = kept
    .filter((c) => columns[c]?.drop !== undefined)
    .sort((a, b) => (columns[a]?.drop as number) - (columns[b]?.drop as number))
  for (const victim of droppable) {
    if (total(kept.map((c) => natural[c] as number)) <= room) break
    kept = kept.filter((c) => c !== victim)
  }
  return kept
}

/** Takes from the widest column that can give, until all fits or none can. */
function squeeze(
  kept: readonly number[],
  columns: readonly TableColumn[],
  natural: readonly number[],
  room: number,
): number[] {
  const widths = natural.slice()
  let excess = total(kept.map((c) => widths[c] as number)) - room
  while (excess > 0) {
    const givers = kept.filter((c) => (widths[c] as number) > (columns[c]?.min ?? Number.POSITIVE_INFINITY))
    if (givers.length === 0) break
    const widest = givers.reduce((a, b) => ((widths[b] as number) > (widths[a] as number) ? b : a))
    widths[widest] = (widths[widest] as number) - 1
    excess--
  }
  return widths
}

/** Gives the spaces to leave behind columns so that a cell over several, which does not fit, gets what room there is. */
function spareOf(
  rows: readonly (readonly Cell[])[],
  texts: readonly (readonly string[])[],
  kept: readonly number[],
  widths: readonly number[],
  room: number,
): number[] {
  const spare = widths.map(() => 0)
  let left = Math.max(0, room - total(kept.map((c) => widths[c] as number)))
  rows.forEach((row, r) => {
    row.forEach((cell, c) => {
      const covered = kept.filter((k) => k >= c && k < c + spanOf(cell))
      const last = covered.at(-1)
      if (spanOf(cell) === 1 || last === undefined || last === kept.at(-1)) return
      const has = total(covered.map((k) => (widths[k] as number) + (spare[k] as number)))
      const more = Math.max(0, Math.min(columnsOf(texts[r]?.[c] ?? '') - has, left))
      spare[last] = (spare[last] as number) + more
      left -= more
    })
  })
  return spare
}

interface Layout {
  readonly kept: readonly number[]
  readonly widths: readonly number[]
  readonly spare: readonly number[]
  readonly room: number
}

function lineOf(
  cells: readonly Cell[],
  texts: readonly string[],
  columns: readonly TableColumn[],
  { kept, widths, spare, room }: Layout,
): string {
  let result = ''
  let left = room
  let next = 0
  cells.forEach((cell, c) => {
    const { style, shorten, span = 1 } = partsOf(cell)
    const covered = kept.filter((k) => k >= c && k < c + span)
    if (c < next || covered.length === 0 || left <= 0) return
    next = c + span
    const last = covered.at(-1) as number
    const full = total(covered.map((k) => (widths[k] as number) + (spare[k] as number)))
    const width = Math.min(left, span > 1 && last === kept.at(-1) ? left : span > 1 ? full : (widths[c] as number))
    const text = texts[c] as string
    const fitted = fit(shorten && columnsOf(text) > width ? shorten(width) : text, width)
    const right = span === 1 && (columns[c]?.align ?? 'left') !== 'left'
    result += paint(pad(fitted, width, right ? 'right' : 'left'), style)
    const gap = Math.min(GAP + (span > 1 ? 0 : (spare[c] as number)), left - width)
    result += ' '.repeat(gap)
    left -= width + gap
  })
  return result
}

/** Colours the text and not the spaces around it, so that the end of a line can be trimmed. */
function paint(text: string, style: Style | undefined): string {
  const word = text.trim()
  return style && word !== '' ? text.replace(word, () => style(word)) : text
}
