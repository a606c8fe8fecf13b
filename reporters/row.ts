import { passValue } from '../src/column.ts'
import type { Assessment, AssessmentError } from '../src/feedback.ts'
import type { Screen } from '../src/reporter.ts'
import { duration, visible, visibleBlock } from '../src/std/text.ts'
import { dataLine, dataLines } from './data.ts'
import { whole } from './number.ts'
import { pairLines, type ShownRow, statusText, valueText } from './pair.ts'
import { colors, fit, flow, line, type Part, type Style, wrap } from './screen.ts'
import { spanLines } from './spans.ts'

export type { ShownRow } from './pair.ts'

/** From this width on there is a margin of one column. */
const ROOMY = 40

/**
 * Renders everything there is to know about one evaluated row, whatever its length: what went in, what came out, what was
 * expected, every Feedback, the spans, and where the outcome differs from its `pair` in the parent or an earlier run.
 */
export function renderRow(row: ShownRow & { readonly pair?: ShownRow }, screen: Screen): string {
  const { trace, trial, pair } = row
  const margin = screen.width >= ROOMY ? ' ' : ''
  const inner = { ...screen, width: Math.max(1, screen.width - margin.length) }
  const { bold, dim } = colors(screen)
  const section = (title: string, body: readonly string[]): string[] =>
    body.length === 0 ? [] : [line([[title, bold]], inner.width), ...body]
  const sections = [
    facts(row, inner),
    ...(trial?.error ? [section(`Error ${trial.error.code}`, errorLines(trial.error, inner))] : []),
    section('Inputs', block(dataLines(trace.inputs), inner)),
    section(
      'Outputs',
      trace.outputs === undefined ? [dim(fit('  none', inner.width))] : block(dataLines(trace.outputs), inner),
    ),
    section('Expectations', expectations(trace.assessments, inner)),
    section('Feedback', feedback(row, inner)),
    section('Spans', spanLines(trace.spans, inner)),
    pair ? pairLines(row, pair, inner) : [],
  ]
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map((text) => (text === '' ? '' : margin + text)).join('\n'))
    .join('\n\n')
}

const LABEL = 12

function facts(row: ShownRow, screen: Screen): string[] {
  const { bold, red } = colors(screen)
  const { run, trace, trial } = row
  const status = statusText(row)
  const what = trial ? `Row ${whole(trial.index + 1)}${run ? ` of ${run.name}` : ''}` : `Trace ${trace.id}`
  const took = trace.durationMs === undefined ? undefined : duration(trace.durationMs)
  const attempts = trial && trial.attempts > 1 ? `${trial.attempts} attempts` : undefined
  const fields: [label: string, text: string | undefined][] = [
    ['row', trial ? `${trial.rowId}${trial.repeat > 0 ? ` (repeat ${trial.repeat})` : ''}` : trace.rowId],
    ['trace', trace.name === undefined ? trace.id : `${trace.id} · ${trace.name}`],
    ['run', run?.id ?? trial?.runId],
    ['again from', trial?.parentTraceId],
    ['experiment', trace.experiment],
    ['test', run?.test && `${run.test.file} > ${run.test.name}`],
    ['session', trace.sessionId],
    ['started', timeText(trace.requestTimeMs)],
    ['took', [took, attempts].filter((part) => part !== undefined).join(', ') || undefined],
    ...pairFields('tags', trace.tags),
    ...pairFields('metadata', trace.metadata),
  ]
  return [
    line([[what, bold], '   ', [status, status.startsWith('failed') ? red : String]], screen.width),
    ...fields.flatMap(([label, text]) => (text === undefined ? [] : field(label, text, screen))),
  ]
}

/** Gives a name and a text of any length; what does not fit goes below the text. */
function field(label: string, text: string, screen: Screen): string[] {
  const { dim } = colors(screen)
  const start = Math.min(LABEL + 2, screen.width - 1)
  return wrap(visible(text), screen.width - start).map((part, i) =>
    i === 0 ? dim(fit(`  ${label}`, start).padEnd(start)) + part : ' '.repeat(start) + part,
  )
}

/** Gives a field for each name and value, the first of them with the label. */
function pairFields(label: string, pairs: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(pairs).map(([key, value], i) => [i === 0 ? label : '', `${key}=${value}`])
}

function timeText(ms: number): string {
  const time = new Date(ms)
  return Number.isNaN(time.getTime()) ? String(ms) : time.toISOString().replace('T', ' ').replace('Z', ' UTC')
}

/** Gives lines behind a rule: none of them can then begin with what a log would read as a command. */
function block(lines: readonly string[], screen: Screen, style: Style = String): string[] {
  const { dim } = colors(screen)
  const start = screen.width > 8 ? '  │ ' : ''
  return lines
    .flatMap((text) => wrap(text, Math.max(1, screen.width - start.length)))
    .map((text) => (dim(start) + style(text)).trimEnd())
}

/** Gives what an error says beside its code; a stack that repeats the message stands for both. */
function errorLines({ message, stack }: AssessmentError, screen: Screen): string[] {
  const { dim } = colors(screen)
  const lines: string[] = []
  if (!stack?.includes(message)) lines.push(...block(visibleBlock(message).split('\n'), screen))
  if (stack !== undefined) lines.push(...block(visibleBlock(stack).split('\n'), screen, dim))
  return lines
}

function expectations(assessments: readonly Assessment[], screen: Screen): string[] {
  return assessments
    .filter(({ kind }) => kind === 'expectation')
    .flatMap((expectation) => [
      nameLine(expectation, '', String, screen),
      ...block(dataLines(expectation.value), screen),
      ...rationaleLines(expectation, screen),
      ...(expectation.source.type === 'CODE' ? [] : originLines(expectation, undefined, screen)),
    ])
}

function feedback({ trace, run }: ShownRow, screen: Screen): string[] {
  const { red } = colors(screen)
  return history(trace.assessments.filter(({ kind }) => kind === 'feedback')).flatMap(({ one, next }) => {
    const { value, error } = one
    const long = !error && (typeof value === 'object' || (typeof value === 'string' && value.includes('\n')))
    const shown = long ? '' : valueText(one)
    return [
      nameLine(one, shown, error || passValue(value) === 0 ? red : String, screen, next),
      ...(error ? errorLines(error, screen) : long ? block(dataLines(value), screen) : []),
      ...rationaleLines(one, screen),
      ...originLines(one, run?.id, screen),
    ]
  })
}

/** Puts what was replaced below what took its place, the newest first. */
function history(all: readonly Assessment[]): { one: Assessment; next?: Assessment }[] {
  const byId = new Map(all.map((one) => [one.id, one]))
  const nexts = new Map(all.flatMap((one) => (one.overrides === undefined ? [] : [[one.overrides, one] as const])))
  const before = (one: Assessment): Assessment | undefined =>
    one.overrides === undefined ? undefined : byId.get(one.overrides)
  const first = (one: Assessment): Assessment => {
    const seen = new Set([one])
    let at = one
    for (let old = before(at); old && !seen.has(old); old = before(at)) {
      seen.add(old)
      at = old
    }
    return at
  }
  // Where a verdict stood, its whole history stands.
  const chains = new Map<Assessment, Assessment[]>()
  for (const one of all) chains.set(first(one), [one, ...(chains.get(first(one)) ?? [])])
  return [...chains.values()].flat().map((one) => {
    const next = nexts.get(one.id)
    return next ? { one, next } : { one }
  })
}

function nameLine({ name, valid }: Assessment, value: string, style: Style, screen: Screen, next?: Assessment): string {
  const { bold, dim } = colors(screen)
  const replaced = valid ? '' : `  replaced by ${next ? `${next.source.type} ${next.source.id}` : 'a newer one'}`
  const parts: Part[] = ['  ', [name, valid ? bold : dim], '  ', [value, valid ? style : dim], [replaced, dim]]
  return line(parts, screen.width)
}

function rationaleLines({ rationale }: Assessment, screen: Screen): string[] {
  return rationale === undefined ? [] : block(visibleBlock(rationale).split('\n'), screen)
}

/** Gives where an assessment comes from: source, scorer, time, what it took, and what is attached to it. */
function originLines(one: Assessment, runId: string | undefined, screen: Screen): string[] {
  const { dim } = colors(screen)
  const { source, scorer, scorerVersion, durationMs, createdAt, updatedAt, spanId, metadata } = one
  const items = [
    `${source.type} ${source.id}`,
    scorer !== undefined && scorer !== source.id && `scorer ${scorer}`,
    scorerVersion !== undefined && `version ${scorerVersion}`,
    durationMs !== undefined && duration(durationMs),
    timeText(createdAt),
    updatedAt !== createdAt && `changed ${timeText(updatedAt)}`,
    spanId !== undefined && `span ${spanId}`,
    one.runId !== undefined && one.runId !== runId && one.runId,
    ...Object.entries(metadata ?? {}).map(([key, value]) => `${key}=${dataLine(value)}`),
  ].filter((item) => item !== false)
  const margin = ' '.repeat(Math.max(0, Math.min(4, screen.width - 10)))
  return flow(
    items.map((item): Part => [item, dim]),
    screen.width - margin.length,
    [' · ', dim],
  ).map((text) => margin + text)
}
