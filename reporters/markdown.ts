import type { Column } from '../src/column.ts'
import { type Finding, overall, type Verdict } from '../src/finding.ts'
import type { RowReport, RunReport } from '../src/reporter.ts'
import { notFinal } from '../src/run.ts'
import { decode } from '../src/std/json.ts'
import { duration, plural } from '../src/std/text.ts'
import { dataLine } from './data.ts'
import { code } from './escape.ts'
import { against, details, tallied, worstFirst } from './findings.ts'
import { decimal, share, short, whole } from './number.ts'

/** Runs as Markdown for the places where changes are reviewed: a job's summary, a comment. All text of others stands in code spans. */

export interface MarkdownOptions {
  /** The most that may come out, in bytes of UTF-8. What matters less is left out, and that is said. */
  readonly maxBytes: number
  /** Stands first, unseen, so that the text can be found again. */
  readonly marker?: string
}

/** GitHub drops summaries above 1 MiB whole, and refuses comments above 65,536 characters. */
export const SUMMARY_BYTES: number = 900 * 1024
export const COMMENT_BYTES = 60_000

const MARKS: Readonly<Record<Verdict, string>> = { pass: '✅', fail: '❌', inconclusive: '❔' }
const MAX_COLUMNS = 60
const MAX_FINDINGS = 60
const MAX_WORST = 3
const MAX_TEXT = 300

/** A part of the text; those that matter most have the lowest number. */
interface Section {
  readonly rank: number
  readonly text: string
}

/** Renders runs with their gates, columns and worst rows. */
export function renderMarkdown(reports: readonly RunReport[], { maxBytes, marker }: MarkdownOptions): string {
  const findings = reports.flatMap(({ run }) => run.findings ?? [])
  const head = [marker, `### ${headline(findings, reports.length)}`].filter((line) => line !== undefined).join('\n')
  const sections = reports.flatMap((report, i) =>
    sectionsOf(report).map((section) => ({ ...section, rank: section.rank * 1e6 + i })),
  )
  return fitted(head, sections, maxBytes)
}

function headline(findings: readonly Finding[], runs: number): string {
  const evaluations = plural(runs, 'evaluation')
  if (findings.length === 0) return `${evaluations}, no gates`
  return `${MARKS[overall(findings)]} ${evaluations}, gates: ${tallied(findings)}`
}

/** Puts in as many sections as there is room for, the most important first, in their own order. */
function fitted(head: string, sections: readonly Section[], maxBytes: number): string {
  const NOTE = 200
  let room = maxBytes - Buffer.byteLength(head) - NOTE
  const kept = new Set<Section>()
  for (const section of [...sections].sort((a, b) => a.rank - b.rank)) {
    const size = Buffer.byteLength(section.text) + 2
    if (size > room) continue
    room -= size
    kept.add(section)
  }
  const left = sections.length - kept.size
  const note =
    left > 0 ? [`${plural(left, 'section')} left out for want of room; \`vitest-evaluate show\` has them`] : []
  return `${[head, ...sections.filter((section) => kept.has(section)).map(({ text }) => text), ...note].join('\n\n')}\n`
}

function sectionsOf(report: RunReport): Section[] {
  const { run, worst, failures } = report
  const { name, findings = [], problems } = run
  const title = `#### ${code(name, MAX_TEXT)}`
  const held = against(run)
  const facts = [plural(run.totals.rows, 'row'), ...(run.repeats ? [`${run.repeats.times} times each`] : [])]
  if (run.totals.failed > 0) facts.push(`${whole(run.totals.failed)} failed`)
  facts.push(duration(run.totals.wallMs), code(run.id))
  const unfinal = notFinal(run)
  const lines = [
    title,
    facts.join(' · '),
    unfinal && `**Not final**: ${code(unfinal, MAX_TEXT)}`,
    held && code(held, MAX_TEXT),
  ]
  const sections: Section[] = [{ rank: 0, text: lines.filter(Boolean).join('\n\n') }]
  if (findings.length > 0) sections.push({ rank: 1, text: gateTable(findings) })
  if (problems.length > 0) {
    const shown = problems.slice(0, 10).map(({ message }) => `- ${code(message, MAX_TEXT)}`)
    sections.push({ rank: 2, text: ['**Problems**', '', ...shown].join('\n') })
  }
  if (run.columns.length > 0) sections.push({ rank: 3, text: folded('Columns', columnTable(run.columns)) })
  if (failures.length > 0) {
    const shown = failures
      .slice(0, 5)
      .map(({ count, code: kind, message }) => `- ${whole(count)} × ${code(kind)} ${code(message, MAX_TEXT)}`)
    sections.push({ rank: 4, text: folded('Failed rows', shown.join('\n')) })
  }
  if (worst.length > 0)
    sections.push({ rank: 5, text: folded('Worst rows', worst.slice(0, MAX_WORST).map(rowText).join('\n\n')) })
  return sections
}

function gateTable(findings: readonly Finding[]): string {
  const lines = worstFirst(findings)
    .slice(0, MAX_FINDINGS)
    .map((finding) => {
      const { verdict, message, rows, of } = finding
      const more = details(finding).join('; ')
      return `| ${MARKS[verdict]} | ${code(message, 500)} | ${whole(rows)} of ${whole(of)} | ${more === '' ? '' : code(more)} |`
    })
  const rest = findings.length - MAX_FINDINGS
  if (rest > 0) lines.push(`| | ${plural(rest, 'more gate')} | | |`)
  return ['| | gate | rests on | |', '|---|---|---|---|', ...lines].join('\n')
}

function columnTable(columns: readonly Column[]): string {
  const lines = columns.slice(0, MAX_COLUMNS).map((column) => {
    const { name, kind, aggregates, interval, rows, scored, missing, errors } = column
    const mean = aggregates.mean
    const figure = mean === undefined ? kind : kind === 'boolean' ? share(mean) : decimal(mean)
    const range = interval ? `${short(interval.low)} – ${short(interval.high)}` : ''
    return `| ${code(name, 100)} | ${figure} | ${range} | ${whole(scored)} of ${whole(rows)} | ${whole(missing)} | ${whole(errors)} |`
  })
  const rest = columns.length - MAX_COLUMNS
  if (rest > 0) lines.push(`| ${plural(rest, 'more column')} | | | | | |`)
  return ['| column | mean | 95 % interval | scored | missing | errors |', '|---|--:|--:|--:|--:|--:|', ...lines].join(
    '\n',
  )
}

function rowText({ index, inputs, outputs, feedback }: RowReport): string {
  const said = feedback.slice(0, 6).map(({ name, value, rationale, error }) => {
    const verdict = error ? `${error.code}: ${error.message}` : dataLine(value)
    return `  - ${code(name, 100)} ${code(verdict, MAX_TEXT)}${rationale === undefined ? '' : ` ${code(rationale, MAX_TEXT)}`}`
  })
  return [
    `- row ${whole(index + 1)}`,
    `  - inputs ${dataCode(inputs)}`,
    `  - outputs ${dataCode(outputs)}`,
    ...said,
  ].join('\n')
}

const MAX_READ = 100_000

function dataCode(text: string): string {
  if (text === '' || text.length > MAX_READ) return code(text.slice(0, MAX_TEXT), MAX_TEXT)
  try {
    return code(dataLine(decode(text)), MAX_TEXT)
  } catch {
    return code(text, MAX_TEXT)
  }
}

function folded(title: string, text: string): string {
  return `<details><summary>${title}</summary>\n\n${text}\n\n</details>`
}
