import type { Screen } from '../src/reporter.ts'
import type { DeadLetter, MonitorStatus, ScorerStanding } from '../src/status.ts'
import { plural } from '../src/std/text.ts'
import { count, dollars, whole } from './number.ts'
import { colors, fit, hanging, line, type Style } from './screen.ts'
import { type Cell, table } from './table.ts'
import { lapse, minute } from './time.ts'

/** How far monitoring has come: a line per registered scorer. */

const MAX_SCORERS = 200
const MAX_NAME = 32
const MAX_FILTER = 20
/** Later than this is worth a colour. */
const LATE_MS = 10 * 60_000

/** Renders how monitoring stands as text for a terminal. */
export function renderStatus(status: MonitorStatus, screen: Screen): string {
  const { dim } = colors(screen)
  const { scorers } = status
  const shown = scorers.slice(0, MAX_SCORERS)
  const parts = [
    shown.length === 0
      ? hanging(
          [['', dim]],
          'no scorer is registered: scorer.register({ name }), then .start({ samplingConfig })',
          screen,
          3,
        )
      : tableLines(status, shown, screen),
    [...monitorLines(status, screen), ...deadLines(status, screen)],
  ]
  if (scorers.length > shown.length)
    parts[0]?.push(dim(fit(`… ${plural(scorers.length - shown.length, 'more scorer')}`, screen.width)))
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')
}

function tableLines({ atMs }: MonitorStatus, scorers: readonly ScorerStanding[], screen: Screen): string[] {
  const several = new Set(scorers.map(({ registration }) => registration.experiment)).size > 1
  const costs = scorers.some(({ registration }) => registration.progress.usd > 0)
  const leavesOut = scorers.some(({ registration }) => registration.progress.unfit > 0)
  return table(
    scorers.map((one) => cellsOf(one, { atMs, several, costs, leavesOut }, screen)),
    {
      screen,
      columns: [
        ...(several ? [{ header: 'experiment', min: 8 }] : []),
        { header: 'scorer', min: 12 },
        { header: 'state' },
        { header: 'rate', align: 'right' },
        { header: 'filter', min: 8, drop: 1 },
        { header: 'examined', align: 'right', drop: 2 },
        { header: 'sampled', align: 'right', drop: 3 },
        ...(leavesOut ? [{ header: 'left out', align: 'right' as const }] : []),
        { header: 'scored', align: 'right' },
        { header: 'waiting', align: 'right' },
        { header: 'retrying', align: 'right', drop: 5 },
        { header: 'dead', align: 'right' },
        { header: 'lag', align: 'right' },
        { header: 'last scored', align: 'right', drop: 4 },
        ...(costs ? [{ header: 'cost', align: 'right' as const, drop: 3.5 }] : []),
      ],
    },
  )
}

interface Columns {
  readonly atMs: number
  readonly several: boolean
  readonly costs: boolean
  /** Sampled, but not what the filter wants. */
  readonly leavesOut: boolean
}

function cellsOf(
  { registration, waiting, claimed, retrying, dead, lagMs }: ScorerStanding,
  { atMs, several, costs, leavesOut }: Columns,
  screen: Screen,
): Cell[] {
  const { dim, green, red, yellow } = colors(screen)
  const { experiment, name, version, sampleRate, filterString = '', progress } = registration
  const counted = (value: number, style: Style): Cell => ({ text: count(value), style: value > 0 ? style : dim })
  const isStarted = sampleRate > 0
  return [
    ...(several ? [fit(experiment, MAX_NAME)] : []),
    version > 1 ? `${fit(name, MAX_NAME)} (version ${version})` : fit(name, MAX_NAME),
    { text: isStarted ? 'started' : 'stopped', style: isStarted ? green : dim },
    isStarted ? rateText(sampleRate) : '·',
    { text: fit(filterString, MAX_FILTER), style: dim },
    count(progress.examined),
    count(progress.sampled),
    ...(leavesOut ? [count(progress.unfit)] : []),
    count(progress.scored),
    count(waiting + claimed),
    counted(retrying, yellow),
    counted(dead, red),
    { text: lagMs === 0 ? '·' : lapse(lagMs), style: lagMs > LATE_MS ? yellow : dim },
    { text: progress.lastAt === 0 ? 'never' : `${lapse(Math.max(0, atMs - progress.lastAt))} ago`, style: dim },
    ...(costs ? [{ text: progress.usd === 0 ? '·' : dollars(progress.usd), style: dim }] : []),
  ]
}

function rateText(rate: number): string {
  return `${Number((100 * rate).toPrecision(4))} %`
}

function monitorLines({ monitors, atMs, scorers }: MonitorStatus, screen: Screen): string[] {
  const { dim, yellow } = colors(screen)
  const alive = monitors.filter(({ isAlive }) => isAlive)
  if (alive.length === 0) {
    const last = Math.max(0, ...monitors.map(({ beatMs = 0 }) => beatMs))
    const when =
      last === 0 ? '' : `; the last one was heard of ${lapse(Math.max(0, atMs - last))} ago, ${minute(last)} UTC`
    if (!scorers.some(({ registration }) => registration.sampleRate > 0)) return []
    return hanging([['! ', yellow]], `no monitor runs${when}: start one with vitest-evaluate monitor`, screen, 3)
  }
  return alive.map(({ pid, host = '', startedMs, scored = 0 }) => {
    const since = startedMs === undefined ? '' : ` for ${lapse(Math.max(0, atMs - startedMs))}`
    const where = `${pid === undefined ? '' : ` as process ${pid}`}${host === '' ? '' : ` on ${host}`}`
    return line([[`a monitor runs${where}${since}, ${whole(scored)} scored`, dim]], screen.width)
  })
}

function deadLines({ scorers }: MonitorStatus, screen: Screen): string[] {
  const dead = scorers.reduce((sum, one) => sum + one.dead, 0)
  if (dead === 0) return []
  const text = `${plural(dead, 'dead letter')}: what failed too often waits for you`
  return hanging([['! ', colors(screen).red]], text, screen, 2)
}

/** Renders work that failed too often. @param total how many there are, shown or not */
export function renderDeadLetters(letters: readonly DeadLetter[], total: number, screen: Screen): string {
  const { dim, red } = colors(screen)
  if (total === 0) return 'No dead letters'
  const several = new Set(letters.map(({ experiment }) => experiment)).size > 1
  const rows = letters.map(({ experiment, scorer, version, entity, level, attempts, crashed, error }): Cell[] => [
    ...(several ? [fit(experiment, MAX_NAME)] : []),
    `${fit(scorer, MAX_NAME)} (version ${version})`,
    level === 'session' ? `session ${entity}` : entity,
    whole(attempts),
    { text: crashed ? 'process ended' : (error?.code ?? ''), style: red },
    { text: error?.message ?? '', style: dim },
  ])
  const lines = table(rows, {
    screen,
    columns: [
      ...(several ? [{ header: 'experiment', min: 8, drop: 2 }] : []),
      { header: 'scorer', min: 12 },
      // What cannot be copied cannot be looked up.
      { header: 'trace or session', min: Math.min(48, Math.max(12, ...letters.map(({ entity }) => entity.length))) },
      { header: 'tries', align: 'right', drop: 1 },
      { header: 'code', min: 12 },
      { header: 'error', min: 12 },
    ],
  })
  const more = total > letters.length ? `, ${whole(letters.length)} shown` : ''
  return [...lines, fit(`${plural(total, 'dead letter')}${more}`, screen.width)].join('\n')
}
