import { passValue } from '../src/column.ts'
import { DEFAULT_STORE } from '../src/handoff.ts'
import type { UsageTotals } from '../src/meter.ts'
import type { Render, RowReport, RunReport, Screen } from '../src/reporter.ts'
import { type FailureGroup, notFinal, type RunRecord } from '../src/run.ts'
import { decode } from '../src/std/json.ts'
import { duration, plural, visible } from '../src/std/text.ts'
import { columnTable } from './columns.ts'
import { dataLine } from './data.ts'
import { findingLines } from './findings.ts'
import { dollars, money, short, whole } from './number.ts'
import { colors, columnsOf, fit, flow, hanging, line, type Part, pad, wrap } from './screen.ts'

/** From this width on there is a margin of one column. */
const ROOMY = 40
const MAX_PROBLEMS = 10
const MAX_FAILURES = 5
const MAX_WORST = 5
const MAX_FEEDBACK = 6
const MAX_NAME = 24
const MAX_CODE = 40

/** Renders one run as text for a terminal: a fixed number of lines whatever the number of rows, none wider than the screen. */
export const renderRun: Render = (report, screen) => {
  const margin = screen.width >= ROOMY ? ' ' : ''
  const inner = { ...screen, width: Math.max(1, screen.width - margin.length) }
  const sections = [
    [...headline(report.run, inner), ...warning(report.run, inner)],
    columnTable(report.run, inner),
    findingLines(report.run, inner),
    [...problems(report.run, inner), ...notices(report.run, inner)],
    failures(report, inner),
    worst(report.worst, inner),
    footer(report, inner),
  ]
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map((text) => (text === '' ? '' : margin + text)).join('\n'))
    .join('\n\n')
}

function headline({ name, totals, repeats }: RunRecord, screen: Screen): string[] {
  const { bold, dim, red } = colors(screen)
  const { predictLatencyMs: latency } = totals
  const facts: Part[] = [plural(totals.rows, 'row')]
  if (repeats) facts.push(`${repeats.times} times each`)
  if (totals.failed > 0) facts.push([`${whole(totals.failed)} failed`, red])
  if (totals.retries > 0) facts.push(plural(totals.retries, 'retry', 'retries'))
  if (totals.reused) facts.push(`${plural(totals.reused.predictions, 'answer')} taken over`)
  facts.push(duration(totals.wallMs))
  if (latency) facts.push([`p50 ${duration(latency.p50)}`, dim], [`p95 ${duration(latency.p95)}`, dim])
  if (totals.usage) facts.push(...spending(totals.usage).map((text): Part => [text, dim]))
  const separator: Part = [' · ', dim]
  const [first = '', ...more] = flow(facts, screen.width, separator)
  const room = screen.width - columnsOf(first) - 3
  if (more.length === 0 && room >= Math.min(MAX_NAME, columnsOf(fit(name, MAX_NAME)))) {
    return [`${bold(fit(name, room))}   ${first}`]
  }
  return [bold(fit(name, screen.width)), first, ...more]
}

function spending(usage: UsageTotals): string[] {
  const { calls, cachedCalls, inputTokens, outputTokens, savedCost } = usage
  const saved =
    cachedCalls > 0
      ? [`${whole(cachedCalls)} from the cache${savedCost > 0 ? `, ${dollars(savedCost)} saved` : ''}`]
      : []
  if (calls === 0) return ['no model calls', ...saved]
  return [plural(calls, 'model call'), `${whole(inputTokens + outputTokens)} tokens`, `cost ${money(usage)}`, ...saved]
}

function warning(run: RunRecord, screen: Screen): string[] {
  const reason = notFinal(run)
  if (reason === undefined) return []
  const { bold, inverse, yellow } = colors(screen)
  const [label = '', ...rest] = visible(reason).split(':')
  const text = `! ${label.toUpperCase()}${rest.length > 0 ? `:${rest.join(':')}` : ''}`
  return wrap(text, screen.width, 3).map((part) => inverse(bold(yellow(part))))
}

function problems({ problems: all }: RunRecord, screen: Screen): string[] {
  const { dim, red } = colors(screen)
  const lines = all.slice(0, MAX_PROBLEMS).flatMap(({ message }) => hanging([['✗ ', red]], message, screen, 2))
  if (all.length > MAX_PROBLEMS)
    lines.push(dim(fit(`… ${plural(all.length - MAX_PROBLEMS, 'more problem')}`, screen.width)))
  return lines
}

function notices({ notices: all = [] }: RunRecord, screen: Screen): string[] {
  const { yellow } = colors(screen)
  return all.flatMap(({ message }) => hanging([['! ', yellow]], message, screen, 3))
}

function failures({ failures: groups }: RunReport, screen: Screen): string[] {
  if (groups.length === 0) return []
  const { bold, dim, red } = colors(screen)
  const lines = [bold(fit('Failed rows', screen.width))]
  for (const group of groups.slice(0, MAX_FAILURES)) {
    const where = rowsOf(group)
    const mark = [
      [`  ${whole(group.count)} × `, String],
      [fit(group.code, MAX_CODE), red],
      ['  ', String],
    ] as const
    lines.push(...hanging(mark, group.message, screen, 2))
    const last = lines.at(-1) as string
    if (columnsOf(last) + where.length + 1 <= screen.width) lines[lines.length - 1] = `${last} ${dim(where)}`
    else lines.push(line([`    `, [where, dim]], screen.width))
  }
  const hidden = groups.slice(MAX_FAILURES)
  if (hidden.length > 0) {
    const count = hidden.reduce((sum, group) => sum + group.count, 0)
    lines.push(
      line([[`  … ${plural(count, 'row')} more, failed in ${plural(hidden.length, 'other way')}`, dim]], screen.width),
    )
  }
  return lines
}

function rowsOf({ count, indexes }: FailureGroup): string {
  const positions = indexes.slice(0, 10).map((index) => whole(index + 1))
  return `(${count === 1 ? 'row' : 'rows'} ${positions.join(', ')}${count > positions.length ? ', …' : ''})`
}

const DIGEST = /^[0-9a-f]{64}(#\d+)?$/

function worst(rows: readonly RowReport[], screen: Screen): string[] {
  const shown = rows.slice(0, MAX_WORST)
  if (shown.length === 0) return []
  const { bold, dim } = colors(screen)
  const names = shown.flatMap(({ feedback }) => feedback.slice(0, MAX_FEEDBACK).map(({ name }) => fit(name, MAX_NAME)))
  const labelWidth = Math.max('outputs'.length, ...names.map(columnsOf))
  const label = (text: string): string => `    ${pad(fit(text, MAX_NAME), labelWidth)}  `
  const lines = [bold(fit('Worst rows', screen.width))]
  for (const { rowId, traceId, index, inputs, outputs, feedback } of shown) {
    lines.push(line([`  row ${whole(index + 1)}  `, [DIGEST.test(rowId) ? traceId : rowId, dim]], screen.width))
    lines.push(line([[label('inputs'), dim], ...dataPart(inputs, screen)], screen.width))
    lines.push(line([[label('outputs'), dim], ...dataPart(outputs, screen)], screen.width))
    for (const item of feedback.slice(0, MAX_FEEDBACK)) {
      lines.push(line([label(item.name), ...verdict(item, screen)], screen.width))
    }
    if (feedback.length > MAX_FEEDBACK) {
      lines.push(line([[`    … ${feedback.length - MAX_FEEDBACK} more`, dim]], screen.width))
    }
  }
  return lines
}

// Past this many characters nothing is gained by reading data before its first line is shown.
const MAX_READ = 100_000

/** Gives data that comes as encoded text in one line; text that is something else stands as it is. */
function dataPart(text: string, screen: Screen): Part[] {
  if (text === '') return [['none', colors(screen).dim]]
  if (text.length > MAX_READ) return [text]
  try {
    return [dataLine(decode(text))]
  } catch {
    return [text]
  }
}

function verdict({ value, rationale, error }: RowReport['feedback'][number], screen: Screen): Part[] {
  const { dim, red } = colors(screen)
  if (error)
    return [
      [error.code, red],
      [' · ', dim],
      [error.message, dim],
    ]
  const said: Part = value === undefined ? ['no value', dim] : [valueText(value), passValue(value) === 0 ? red : String]
  return rationale === undefined ? [said] : [said, [' · ', dim], [rationale, dim]]
}

function valueText(value: unknown): string {
  if (typeof value === 'number') return short(value)
  return dataLine(value)
}

function footer({ run, store, parentName }: RunReport, screen: Screen): string[] {
  const { dim } = colors(screen)
  const elsewhere = store === DEFAULT_STORE ? '' : ` --store ${store}`
  const lines = [`stored in ${store} as ${run.id}`, `npx vitest-evaluate show ${run.id}${elsewhere}`]
  if (run.resumedFrom !== undefined) lines.unshift(`resumed from ${run.resumedFrom}`)
  if (run.parentRunId !== undefined) {
    lines.unshift(`evaluated again from ${run.parentRunId}${parentName === undefined ? '' : ` · ${parentName}`}`)
  }
  return lines.flatMap((text) => wrap(visible(text), screen.width, 4)).map((text) => dim(text))
}
