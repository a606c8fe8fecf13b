import type { Column } from '../src/column.ts'
import type { Drift } from '../src/drift.ts'
import type { Screen } from '../src/reporter.ts'
import type { JudgeSeries, QualityColumn, QualityReport } from '../src/series.ts'
import { plural } from '../src/std/text.ts'
import { anchorNotes } from './anchors.ts'
import { code } from './escape.ts'
import { type Note, noteLines, urgentFirst } from './note.ts'
import { count, decimal, placesOf, share, whole } from './number.ts'
import { colors, fit, type Style } from './screen.ts'
import { sparkline } from './spark.ts'
import { type Cell, table } from './table.ts'
import { lapse, minute } from './time.ts'

/** Quality over time: a line per column, and below what there is to say of each. */

const MAX_COLUMNS = 60
const MAX_NAME = 32
const MAX_TEXT = 80
const SPARK = 24
/** A share that moves less than this looks still. */
const LEAST_SHARE = 0.1
const MAX_CHANGES = 3
const MAX_LABELS = 4

/** Renders quality over time as text for a terminal. */
export function renderQuality(report: QualityReport, screen: Screen): string {
  const { bold, dim } = colors(screen)
  const head = [
    bold(fit(titleOf(report), screen.width)),
    dim(fit(frameOf(report), screen.width)),
    dim(fit(`against ${report.reference}`, screen.width)),
  ]
  const shown = report.columns.slice(0, MAX_COLUMNS)
  const lines = [
    ...(shown.length > 0 ? tableLines(shown, screen) : [dim(fit('no scorer has said anything yet', screen.width))]),
    ...(report.columns.length > shown.length ? [dim(fit(`… ${hidden(report)}`, screen.width))] : []),
  ]
  return [head, lines, noteLines(notesOf(report), screen)]
    .filter((part) => part.length > 0)
    .map((part) => part.join('\n'))
    .join('\n\n')
}

/** Renders quality over time as Markdown. All text of others stands in code spans. */
export function qualityMarkdown(report: QualityReport): string {
  const shown = report.columns.slice(0, MAX_COLUMNS)
  const rows = shown.map((one) => {
    const { column, drift } = one
    const cells = [
      code(labelOf(one), 100),
      code(sparkOf(one, SPARK, {})),
      column.kind === 'category' ? code(shares(column), 200) : meanOf(column),
      intervalOf(column),
      changeOf(one),
      whole(column.scored),
      whole(column.errors),
      whole(column.missing),
      lagOf(one),
      drift.isAlarm ? `**${verdictOf(drift)}**` : verdictOf(drift),
    ]
    return `| ${cells.join(' | ')} |`
  })
  const headers = ['scorer', 'over time', 'mean', '95 % interval', 'change', 'n', 'errors', 'missing', 'lag', 'drift']
  const lines = [
    `### ${code(titleOf(report), 200)}`,
    `${frameOf(report)} · against ${code(report.reference, 200)}`,
    ...(rows.length > 0
      ? [[`| ${headers.join(' | ')} |`, '|---|---|--:|--:|--:|--:|--:|--:|--:|---|', ...rows].join('\n')]
      : ['no scorer has said anything yet']),
    ...(report.columns.length > shown.length ? [hidden(report)] : []),
  ]
  const notes = notesOf(report).map(({ mark, text }) => `- ${mark === 'alarm' ? '**Alarm** ' : ''}${code(text, 500)}`)
  return `${[...lines, ...(notes.length > 0 ? [notes.join('\n')] : [])].join('\n\n')}\n`
}

function hidden({ columns }: QualityReport): string {
  return plural(columns.length - MAX_COLUMNS, 'more column')
}

function titleOf({ experiment, columns }: QualityReport): string {
  const alarms = columns.filter(({ drift }) => drift.isAlarm).length
  return `${experiment}: ${alarms > 0 ? plural(alarms, 'alarm') : 'no alarm'}`
}

function frameOf({ fromMs, toMs, windowMs }: QualityReport): string {
  const windows = Math.ceil((toMs - fromMs) / windowMs)
  const each = `${plural(windows, 'window')} of ${lapse(windowMs)}`
  return `${minute(fromMs)} to ${minute(toMs)} UTC · ${each}`
}

function tableLines(columns: readonly QualityColumn[], screen: Screen): string[] {
  const rare = (key: 'missing' | 'errors') => !columns.some(({ column }) => column[key] > 0) && { drop: 0 }
  return table(
    columns.map((column) => cellsOf(column, screen)),
    {
      screen,
      columns: [
        { header: 'scorer', min: 12 },
        { header: 'over time', min: 8 },
        { header: 'mean', align: 'decimal' },
        { header: '95 % interval', align: 'right', drop: 2 },
        { header: 'change', align: 'right', drop: 4 },
        { header: 'n', align: 'right' },
        { header: 'errors', align: 'right', ...rare('errors') },
        { header: 'missing', align: 'right', drop: 1, ...rare('missing') },
        { header: 'lag', align: 'right', drop: 3 },
        { header: 'drift' },
      ],
    },
  )
}

function cellsOf(one: QualityColumn, screen: Screen): Cell[] {
  const { dim, red, yellow } = colors(screen)
  const { column, drift } = one
  const counted = (value: number, style: Style): Cell => ({ text: count(value), style: value > 0 ? style : dim })
  const spark = { text: sparkOf(one, SPARK, screen), shorten: (width: number) => sparkOf(one, width, screen) }
  const figures: Cell[] =
    column.kind === 'category'
      ? [{ text: shares(column), span: 3 }, '', '']
      : [meanOf(column), { text: intervalOf(column), style: dim }, changeCell(one, screen)]
  return [
    fit(labelOf(one), MAX_NAME),
    spark,
    ...figures,
    count(column.scored),
    counted(column.errors, red),
    counted(column.missing, yellow),
    { text: lagOf(one), style: dim },
    { text: verdictOf(drift), style: styleOf(drift, screen) },
  ]
}

function labelOf({ scorer, name }: QualityColumn): string {
  return name === scorer ? name : `${scorer}/${name}`
}

/** What is drawn: the mean, or of words the share of the most frequent one. */
function sparkOf({ column, windows }: QualityColumn, width: number, screen: Pick<Screen, 'blocks'>): string {
  const [most] = Object.keys(column.counts ?? {})
  const points = windows.map(({ column: { aggregates, counts, scored } }) => ({
    value: most === undefined ? aggregates.mean : scored > 0 ? (counts?.[most] ?? 0) / scored : undefined,
    weight: scored,
  }))
  const size = Math.abs(column.aggregates.mean ?? 0)
  return sparkline(points, width, column.kind === 'number' && size > 1 ? size * LEAST_SHARE : LEAST_SHARE, screen)
}

function meanOf({ kind, aggregates: { mean } }: Column): string {
  if (mean === undefined) return ''
  return kind === 'boolean' ? share(mean) : decimal(mean)
}

function intervalOf({ kind, aggregates: { mean }, interval }: Column): string {
  if (!interval || mean === undefined) return ''
  const places = kind === 'boolean' ? 3 : placesOf(mean)
  return `${decimal(interval.low, places)} – ${decimal(interval.high, places)}`
}

function changeOf({ change, column }: QualityColumn): string {
  if (!change) return ''
  return signed(change.value, column.kind === 'boolean' ? 3 : placesOf(column.aggregates.mean ?? change.value))
}

function changeCell(one: QualityColumn, screen: Screen): Cell {
  const { dim, green, red } = colors(screen)
  const { interval } = one.change ?? {}
  const style = !interval ? dim : interval.high < 0 ? red : interval.low > 0 ? green : undefined
  return { text: changeOf(one), style }
}

function signed(value: number, places: number): string {
  const text = decimal(Math.abs(value), places)
  return !/[1-9]/.test(text) ? text : value < 0 ? `−${text}` : `+${text}`
}

function shares({ counts = {}, otherValues = 0, scored }: Column): string {
  const all = Object.entries(counts)
  const items = all
    .slice(0, MAX_LABELS)
    .map(([label, times]) => `${fit(label, MAX_NAME)} ${Math.round((100 * times) / scored)} %`)
  const more = all.length - items.length + otherValues
  return [...items, ...(more > 0 ? [`… ${whole(more)} more`] : [])].join(' · ')
}

function lagOf({ lagMs }: QualityColumn): string {
  return lagMs === undefined ? '' : lapse(lagMs)
}

function verdictOf({ verdict }: Drift): string {
  return { ok: 'ok', fall: 'drift: fell', rise: 'drift: rose', mix: 'drift: other mix', 'not enough': 'not enough' }[
    verdict
  ]
}

function styleOf({ verdict, isAlarm }: Drift, screen: Screen): Style {
  const { dim, green, red, yellow } = colors(screen)
  if (isAlarm) return red
  return verdict === 'ok' ? green : verdict === 'not enough' ? dim : yellow
}

/** Says what the table has no place for, what is urgent first. */
function notesOf({ columns, silent, anchors = [] }: QualityReport): Note[] {
  const notes = columns.slice(0, MAX_COLUMNS).flatMap((one) => {
    const label = fit(labelOf(one), MAX_TEXT)
    return [...driftNotes(one), ...judgeNotes(one), ...countNotes(one)].map(({ mark, text }) => ({
      mark,
      text: `${label}: ${text}`,
    }))
  })
  if (silent.length > 0) {
    const names = silent.slice(0, 10).map((name) => fit(name, MAX_NAME))
    const more = silent.length > names.length ? `, … ${whole(silent.length - names.length)} more` : ''
    notes.push({ mark: 'note', text: `nothing in this time from ${names.join(', ')}${more}` })
  }
  return urgentFirst([...notes, ...anchors.flatMap(anchorNotes)])
}

function driftNotes({ drift }: QualityColumn): Note[] {
  const { verdict, isAlarm, reason, reference, found, endedMs, label } = drift
  if (reason !== undefined) return [{ mark: 'fact', text: `no verdict yet: ${reason}` }]
  const ended =
    endedMs === undefined
      ? []
      : [{ mark: 'note' as const, text: `an earlier drift was over by ${minute(endedMs)} UTC` }]
  if (!found) return ended
  const what =
    label !== undefined
      ? `another mix: ${fit(label.name, MAX_NAME)} went from ${percent(label.before)} to ${percent(label.after)}`
      : `the mean has ${verdict === 'rise' ? 'risen' : 'fallen'} from ${decimal(reference.mean ?? Number.NaN)}`
  const when = `found by ${plural(found.n, 'value')} after the reference, ${minute(found.timeMs)} UTC, trace ${fit(found.traceId, MAX_TEXT)}`
  return [{ mark: isAlarm ? 'alarm' : 'note', text: `${what}; ${when}` }]
}

/** A change of the judge is no drift of what is judged. */
function judgeNotes({ judges }: QualityColumn): Note[] {
  return judges
    .slice(1)
    .map((now, i): Note => {
      const before = judges[i] as JudgeSeries
      const means =
        before.mean === undefined || now.mean === undefined
          ? ''
          : `, means ${decimal(before.mean)} and ${decimal(now.mean)}`
      const text = `the judge changed ${minute(now.firstMs)} UTC, from ${judgeText(before)} to ${judgeText(now)}${means}; what is after is not held against what was before`
      return { mark: 'note', text }
    })
    .slice(-MAX_CHANGES)
}

function judgeText({ version, source }: JudgeSeries): string {
  const by = source.type === 'CODE' ? '' : fit(source.id, MAX_TEXT)
  return [...(version === undefined ? [] : [`version ${version}`]), ...(by === '' ? [] : [by])].join(' by ') || 'code'
}

function countNotes({ column, corrected }: QualityColumn): Note[] {
  const codes = Object.entries(column.errorCodes).slice(0, 5)
  return [
    ...(codes.length > 0
      ? [
          {
            mark: 'fact' as const,
            text: codes.map(([name, times]) => `${whole(times)} × ${fit(name, 40)}`).join(' · '),
          },
        ]
      : []),
    ...(corrected > 0
      ? [{ mark: 'fact' as const, text: `${plural(corrected, 'value')} corrected by people; theirs count` }]
      : []),
  ]
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1)} %`
}
