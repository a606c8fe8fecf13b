import type { Column } from '../src/column.ts'
import type { Screen } from '../src/reporter.ts'
import type { RunRecord } from '../src/run.ts'
import { plural } from '../src/std/text.ts'
import { count, decimal, money, placesOf, share, short, whole } from './number.ts'
import { colors, columnsOf, fit, type Style } from './screen.ts'
import { type Cell, type CellParts, type TableColumn, table } from './table.ts'

const MAX_COLUMNS = 40
const MAX_NAME = 32
const MAX_CODE = 40
const MIN_NAME = 12
const SEPARATOR = ' · '

/** The cells between a column's name and its counts of what is not there: figures, or in their place a distribution. */
const FIGURES = 4

/** Gives the lines of the table of a run's columns: a line per column, and one below it for what the line has no place for. */
export function columnTable(run: RunRecord, screen: Screen): string[] {
  const { dim } = colors(screen)
  if (run.columns.length === 0) return [dim(fit('no columns: no scorer has given any Feedback', screen.width))]
  const shown = run.columns.slice(0, MAX_COLUMNS)
  const intervals = intervalsOf(shown)
  // Whether a distribution fits beside its name shows only when the table stands; what does not then goes below its line.
  const cramped = new Set<Column>()
  const draw = (apart: ReadonlySet<Column>): string[] => {
    const rows = shown.flatMap((column, i) => [
      [
        fit(column.name, MAX_NAME),
        ...(column.kind === 'category'
          ? over(distribution(column, apart.has(column), () => cramped.add(column)))
          : figuresOf(column, intervals[i] as string, screen)),
        ...countsOf(column, column.level ? column.rows : Math.max(run.totals.rows, column.rows), screen),
        ...costOf(column, shown, screen),
      ],
      ...belowOf(column, apart.has(column), screen),
    ])
    return table(rows, { columns: layout(shown), screen })
  }
  const drawn = draw(new Set())
  const lines = cramped.size === 0 ? drawn : draw(new Set(cramped))
  const hidden = run.columns.length - shown.length
  if (hidden > 0) lines.push(dim(fit(`… ${plural(hidden, 'more column')}`, screen.width)))
  return lines
}

function layout(columns: readonly Column[]): TableColumn[] {
  // Where no column has any, "missing" and "errors" say what "scored" says as well.
  const rare = (key: 'missing' | 'errors') => !columns.some((column) => column[key] > 0) && { drop: 1 }
  return [
    { header: 'column', min: MIN_NAME },
    { header: 'mean', align: 'decimal' },
    { header: '95 % interval', align: 'right', drop: 2 },
    { header: 'passed', align: 'right', drop: 3 },
    { header: 'failed', align: 'right' },
    { header: 'missing', align: 'right', ...rare('missing') },
    { header: 'errors', align: 'right', ...rare('errors') },
    { header: 'scored', align: 'right' },
    ...(columns.some(({ usage }) => usage) ? [{ header: 'cost', align: 'right', drop: 1.5 } as const] : []),
  ]
}

/** Gives the intervals with their dashes below one another. */
function intervalsOf(columns: readonly Column[]): string[] {
  const pairs = columns.map(({ kind, aggregates: { mean }, interval }) => {
    if (!interval || mean === undefined) return undefined
    const places = kind === 'boolean' ? 3 : placesOf(mean)
    return { low: decimal(interval.low, places), high: decimal(interval.high, places) }
  })
  const low = Math.max(0, ...pairs.map((pair) => pair?.low.length ?? 0))
  const high = Math.max(0, ...pairs.map((pair) => pair?.high.length ?? 0))
  return pairs.map((pair) => (pair ? `${pair.low.padStart(low)} – ${pair.high.padEnd(high)}` : ''))
}

function over(cell: CellParts): Cell[] {
  return [{ ...cell, span: FIGURES }, '', '', '']
}

function figuresOf(column: Column, interval: string, screen: Screen): Cell[] {
  const { dim, red } = colors(screen)
  const { kind, aggregates, passed, scored } = column
  if (kind === 'structured') return over({ text: 'structured', style: dim })
  if (kind === 'empty') return over({ text: 'never scored', style: dim })
  const mean =
    aggregates.mean === undefined ? '' : kind === 'boolean' ? share(aggregates.mean) : decimal(aggregates.mean)
  if (passed === undefined) return [mean, { text: interval, style: dim }, '', '']
  const failed = scored - passed
  return [mean, { text: interval, style: dim }, count(passed), { text: count(failed), style: failed > 0 ? red : dim }]
}

function countsOf(column: Column, rows: number, screen: Screen): Cell[] {
  const { dim, red, yellow } = colors(screen)
  const counted = (value: number, style: Style): Cell => ({ text: count(value), style: value > 0 ? style : dim })
  const rests = `${whole(column.scored)}/${whole(rows)}${column.level ? ` ${column.level}s` : ''}`
  return [
    counted(column.missing, yellow),
    counted(column.errors, red),
    { text: rests, style: column.scored < rows ? yellow : undefined },
  ]
}

/** Only where any column has asked a model. */
function costOf({ usage }: Column, columns: readonly Column[], screen: Screen): Cell[] {
  if (columns.every((column) => !column.usage)) return []
  return [usage ? { text: money(usage), style: colors(screen).dim } : '']
}

function distribution(column: Column, apart: boolean, onCramped: () => void): CellParts {
  const { counts = {}, otherValues = 0 } = column
  const brief = plural(Object.keys(counts).length + otherValues, 'value')
  if (apart) return { text: brief }
  const shorten = (): string => {
    onCramped()
    return brief
  }
  return { text: shares(column).join(SEPARATOR), shorten }
}

/** Gives the values of a category column, each with how often it came. */
function shares({ counts = {}, otherValues = 0 }: Column): string[] {
  const items = Object.entries(counts).map(([value, times]) => `${fit(value, MAX_NAME)} ${whole(times)}`)
  return otherValues > 0 ? [...items, `… ${whole(otherValues)} more`] : items
}

/** Gives as many whole items as fit, and how many more there are; the first one always, cut if need be. */
function shortened(items: readonly string[], others: number, width: number): string {
  for (let shown = items.length - 1; shown > 0; shown--) {
    const text = [...items.slice(0, shown), `… ${whole(items.length - shown + others)} more`].join(SEPARATOR)
    if (shown === 1 || columnsOf(text) <= width) return text
  }
  return items.join(SEPARATOR)
}

/** Gives the lines below a column's: what its line has no place for, other aggregates than the mean, errors by code. */
function belowOf(column: Column, apart: boolean, screen: Screen): Cell[][] {
  const { dim, red } = colors(screen)
  const below = (items: readonly string[], others: number, style: Style | undefined): Cell[][] =>
    items.length === 0
      ? []
      : [['', { text: items.join(SEPARATOR), span: 7, style, shorten: (width) => shortened(items, others, width) }]]
  const asked = Object.entries(column.aggregates).filter(([name]) => name !== 'mean')
  const codes = Object.entries(column.errorCodes).sort(([, a], [, b]) => b - a)
  return [
    ...below(apart ? shares(column) : [], Math.max(0, (column.otherValues ?? 0) - 1), undefined),
    ...below(
      asked.map(([name, value]) => `${fit(name, MAX_NAME)} ${short(value)}`),
      0,
      dim,
    ),
    ...below(
      codes.map(([code, times]) => `${whole(times)} × ${fit(code, MAX_CODE)}`),
      0,
      red,
    ),
  ]
}
