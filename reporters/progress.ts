import type { Progress } from '../src/handoff.ts'
import type { Screen } from '../src/reporter.ts'
import { duration, plural } from '../src/std/text.ts'
import { whole } from './number.ts'
import { colors, fit } from './screen.ts'
import { type Cell, type TableColumn, table } from './table.ts'

const BAR = 16
const MAX_NAME = 32

/**
 * Gives one line per evaluation under way: name, bar, rows done, rate, time left, failed rows and errors. Never wider than the
 * screen; on a narrow one the rate goes first, then the bar.
 */
export function renderProgress(progress: readonly Progress[], screen: Screen): string[] {
  const { dim, red } = colors(screen)
  const rows = progress.map((one): Cell[] => [
    fit(one.name, MAX_NAME),
    bar(one),
    doneOf(one),
    { text: rateOf(one), style: dim },
    { text: leftOf(one), style: dim },
    { text: one.failed > 0 ? `${whole(one.failed)} failed` : '', style: red },
    { text: one.errors > 0 ? plural(one.errors, 'error') : '', style: red },
  ])
  const columns: TableColumn[] = [
    { min: 8 },
    { drop: 2 },
    { align: 'right' },
    { align: 'right', drop: 1 },
    { align: 'right', drop: 3 },
    { align: 'right' },
    { align: 'right' },
  ]
  // A column in which nobody has anything takes no room.
  const used = columns.map((_, c) => rows.some((row) => textOf(row[c]) !== ''))
  const present = <T>(items: readonly T[]): T[] => items.filter((_, c) => used[c])
  return table(rows.map(present), { columns: present(columns), screen, indent: 1 })
}

/** Gives one plain line for a log: `support bot: 1,204 of 4,000 rows, 312 rows/s, 9 s left, 2 failed, 1 error`. */
export function progressLine(progress: Progress): string {
  const { done, total, failed, errors } = progress
  const facts = [
    total === undefined ? plural(done, 'row') : `${whole(done)} of ${plural(total, 'row')}`,
    rateOf(progress),
    leftOf(progress),
    failed > 0 ? `${whole(failed)} failed` : '',
    errors > 0 ? plural(errors, 'error') : '',
  ]
  return `${fit(progress.name, 80)}: ${facts.filter((fact) => fact !== '').join(', ')}`
}

function textOf(cell: Cell | undefined): string {
  return typeof cell === 'object' ? cell.text : (cell ?? '')
}

function bar({ done, total }: Progress): string {
  if (total === undefined || total === 0) return ''
  const full = Math.floor(Math.min(1, done / total) * BAR)
  return '█'.repeat(full) + '░'.repeat(BAR - full)
}

function doneOf({ done, total }: Progress): string {
  return total === undefined ? plural(done, 'row') : `${whole(done)}/${whole(total)}`
}

function perSecond({ done, elapsedMs }: Progress): number {
  return elapsedMs > 0 ? (done / elapsedMs) * 1_000 : 0
}

function rateOf(progress: Progress): string {
  const rate = perSecond(progress)
  return rate === 0 ? '' : `${rate < 10 ? rate.toFixed(1) : whole(rate)} rows/s`
}

/** The time left if the rest goes as fast as what is done; whole seconds, since it is a guess. */
function leftOf(progress: Progress): string {
  const { done, total } = progress
  const rate = perSecond(progress)
  if (total === undefined || rate === 0 || done >= total) return ''
  const seconds = Math.ceil((total - done) / rate)
  return `${seconds < 60 ? `${seconds} s` : duration(seconds * 1_000)} left`
}
