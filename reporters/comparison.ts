import type { ColumnComparison, Comparison } from '../src/comparison.ts'
import type { FindingRow } from '../src/finding.ts'
import type { Screen } from '../src/reporter.ts'
import { plural } from '../src/std/text.ts'
import { decimal, placesOf, whole } from './number.ts'
import { colors, fit, hanging, type Style } from './screen.ts'
import { type Cell, table } from './table.ts'

/** Two runs side by side: a line per column, and the rows whose verdicts changed, by name. */

const MAX_COLUMNS = 40
const MAX_NAME = 32
const MAX_ROWS = 10

/** Renders a comparison as text for a terminal. */
export function renderComparison(comparison: Comparison, screen: Screen): string {
  const { before, after, columns } = comparison
  const { bold, dim } = colors(screen)
  const head = [
    bold(fit(`${after.run.name}: ${after.run.id} after ${before.run.id}`, screen.width)),
    dim(fit(pairing(comparison), screen.width)),
  ]
  const flips = columns.slice(0, MAX_COLUMNS).flatMap((column) => flipLines(column, screen))
  return [head, tableLines(comparison, screen), oddLines(comparison, screen), flips]
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')
}

/** Says how the rows of two runs pair. */
export function pairing({ paired, onlyBefore, onlyAfter, changed }: Comparison): string {
  const parts = [`${plural(paired, 'row')} in both`]
  if (onlyBefore > 0) parts.push(`${whole(onlyBefore)} only before`)
  if (onlyAfter > 0) parts.push(`${whole(onlyAfter)} only after`)
  if (changed > 0) parts.push(`${whole(changed)} with other expectations now, not compared`)
  return parts.join(' · ')
}

function tableLines({ columns }: Comparison, screen: Screen): string[] {
  const { dim } = colors(screen)
  const rows = columns.slice(0, MAX_COLUMNS).map((column) => cellsOf(column, screen))
  const lines = table(rows, {
    screen,
    columns: [
      { header: 'column', min: 12 },
      { header: 'before', align: 'right' },
      { header: 'after', align: 'right' },
      { header: 'difference', align: 'right' },
      { header: 'interval', align: 'right', drop: 2 },
      { header: 'fell', align: 'right', drop: 3 },
      { header: 'rose', align: 'right', drop: 3 },
      { header: 'paired', align: 'right', drop: 1 },
    ],
  })
  if (columns.length > MAX_COLUMNS)
    lines.push(dim(fit(`… ${plural(columns.length - MAX_COLUMNS, 'more column')}`, screen.width)))
  return columns.length === 0 ? [dim(fit('no column is in both runs', screen.width))] : lines
}

function cellsOf(column: ColumnComparison, screen: Screen): Cell[] {
  const { dim, green, red } = colors(screen)
  const { name, before, after, difference, fell, rose, paired } = column
  if (before === undefined || after === undefined || !difference) {
    return [fit(name, MAX_NAME), { text: 'nothing to compare', style: dim, span: 4 }, '', '', '', '', '', whole(paired)]
  }
  const places = Math.max(placesOf(before), placesOf(after))
  const { interval, value } = difference
  const sure: Style | undefined = !interval ? dim : interval.high < 0 ? red : interval.low > 0 ? green : undefined
  const range = interval ? `${signed(interval.low, places)} – ${signed(interval.high, places)}` : ''
  return [
    fit(name, MAX_NAME),
    decimal(before, places),
    decimal(after, places),
    { text: signed(value, places), style: sure },
    { text: range, style: dim },
    fell.length > 0 ? whole(fell.length) : '·',
    rose.length > 0 ? whole(rose.length) : '·',
    whole(paired),
  ]
}

function signed(value: number, places: number): string {
  const text = decimal(Math.abs(value), places)
  return !/[1-9]/.test(text) ? text : value < 0 ? `−${text}` : `+${text}`
}

/** What makes figures not comparable, and columns of one run only. */
function oddLines({ columns, gone, added }: Comparison, screen: Screen): string[] {
  const { yellow } = colors(screen)
  const mark = [['! ', yellow]] as const
  const lines = columns
    .filter(({ refused }) => refused !== undefined)
    .flatMap(({ name, refused }) =>
      hanging(mark, `${name} cannot be held against the other run: ${refused}`, screen, 3),
    )
  const names = (list: readonly string[]): string =>
    list.slice(0, MAX_ROWS).join(', ') + (list.length > MAX_ROWS ? ', …' : '')
  if (gone.length > 0) lines.push(...hanging(mark, `only before: ${names(gone)}`, screen, 2))
  if (added.length > 0) lines.push(...hanging(mark, `only after: ${names(added)}`, screen, 2))
  return lines
}

function flipLines({ name, fell, rose }: ColumnComparison, screen: Screen): string[] {
  const { bold, green, red } = colors(screen)
  if (fell.length + rose.length === 0) return []
  return [
    bold(fit(name, screen.width)),
    ...flipped('passed before, failing now', fell, red, screen),
    ...flipped('failed before, passing now', rose, green, screen),
  ]
}

function flipped(words: string, rows: readonly FindingRow[], style: Style, screen: Screen): string[] {
  if (rows.length === 0) return []
  const { dim } = colors(screen)
  const lines = [style(fit(`  ${plural(rows.length, 'row')} ${words}`, screen.width))]
  for (const row of rows.slice(0, MAX_ROWS))
    lines.push(fit(`    row ${whole(row.index + 1)}  ${rowName(row)}`, screen.width))
  if (rows.length > MAX_ROWS) lines.push(dim(fit(`    … ${plural(rows.length - MAX_ROWS, 'more row')}`, screen.width)))
  return lines
}

const DIGEST = /^[0-9a-f]{64}(#\d+)?$/

/** Gives the name of a row: its own id; a digest says less than the trace does. */
export function rowName({ rowId, traceId }: FindingRow): string {
  return DIGEST.test(rowId) ? traceId : rowId
}
