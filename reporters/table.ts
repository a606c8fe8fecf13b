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
  const texts = textsOf(rows, columns)
  const natural = columns.map(({ header = '' }, c) =>
    Math.max(
      columnsOf(visible(header)),
      ...rows.map((row, r) => (spanOf(row[c]) > 1 ? 0 : columnsOf(texts[r]?.[c] ?? ''))),
    ),
  )
  const kept = keep(columns, natural, screen.width - indent)
  const widths = squeeze(kept, columns, natural, screen.width - indent)
  widen(rows, texts, kept, widths, screen.width - indent)
  const { dim } = colors(screen)
  const emit = (cells: readonly Cell[], plain: readonly string[]): string =>
    `${' '.repeat(Math.min(indent, screen.width))}${lineOf(cells, plain, columns, kept, widths, screen.width - indent)}`.trimEnd()
  const lines = rows.map((row, r) => emit(row, texts[r] as string[]))
  if (columns.every(({ header }) => header === undefined)) return lines
  const headers = columns.map(({ header = '' }) => ({ text: header, style: dim }))
  return [
    emit(
      headers,
      headers.map(({ text }) => visible(text)),
    ),
    ...lines,
  ]
}

function partsOf(cell: Cell | undefined): CellParts {
  return typeof cell === 'object' ? cell : { text: cell ?? '' }
}

function spanOf(cell: Cell | undefined): number {
  return partsOf(cell).span ?? 1
}

function textsOf(rows: readonly (readonly Cell[])[], columns: readonly TableColumn[]): string[][] {
  const texts = rows.map((row) => columns.map((_, c) => visible(partsOf(row[c]).text)))
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

/** Gives spare room to the last column below a cell that spans several and does not fit. */
function widen(
  rows: readonly (readonly Cell[])[],
  texts: readonly (readonly string[])[],
  kept: readonly number[],
  widths: number[],
  room: number,
): void {
  rows.forEach((row, r) =>
    row.forEach((cell, c) => {
      const span = spanOf(cell)
      const covered = kept.filter((k) => k >= c && k < c + span)
      const last = covered.at(-1)
      if (span === 1 || last === undefined || last === kept.at(-1)) return
      const wanted = columnsOf(texts[r]?.[c] ?? '') - total(covered.map((k) => widths[k] as number))
      const spare = room - total(kept.map((k) => widths[k] as number))
      widths[last] = (widths[last] as number) + Math.max(0, Math.min(wanted, spare))
    }),
  )
}

function lineOf(
  cells: readonly Cell[],
  texts: readonly string[],
  columns: readonly TableColumn[],
  kept: readonly number[],
  widths: readonly number[],
  room: number,
): string {
  let result = ''
  let left = room
  let next = 0
  cells.forEach((cell, c) => {
    const { style, shorten, span = 1 } = partsOf(cell)
    const covered = kept.filter((k) => k >= c && k < c + span)
    if (c < next || covered.length === 0 || left <= 0) return
    next = c + span
    const runsOut = span > 1 && covered.at(-1) === kept.at(-1)
    const width = Math.min(left, runsOut ? left : total(covered.map((k) => widths[k] as number)))
    const text = texts[c] as string
    const fitted = fit(shorten && columnsOf(text) > width ? shorten(width) : text, width)
    const padded = pad(fitted, width, span === 1 && columns[c]?.align !== undefined ? alignOf(columns[c]) : 'left')
    const blank = padded.length - padded.trimStart().length
    result += style
      ? `${padded.slice(0, blank)}${paint(padded.slice(blank), style)}`
      : padded
    left -= width + GAP
    if (left > 0) result += ' '.repeat(GAP)
  })
  return result
}

function alignOf(column: TableColumn | undefined): 'left' | 'right' {
  return column?.align === undefined || column.align === 'left' ? 'left' : 'right'
}

/** Colours the text and not the spaces after it, so that the end of a line can be trimmed. */
function paint(text: string, style: Style): string {
  const trimmed = text.trimEnd()
  return trimmed === '' ? text : style(trimmed) + text.slice(trimmed.length)
}
