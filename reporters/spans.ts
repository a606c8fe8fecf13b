import type { Screen } from '../src/reporter.ts'
import { duration } from '../src/std/text.ts'
import { type Span, spanDurationMs } from '../src/trace.ts'
import { dataLine } from './data.ts'
import { colors } from './screen.ts'
import { type Cell, table } from './table.ts'

const BAR = 24
const MAX_GUIDE = 24

/** Where a span stands in the tree: what is drawn before its own name and before what follows it. */
interface Place {
  readonly span: Span
  readonly before: string
  readonly below: string
}

/**
 * Gives a trace's spans as a tree with type, start, duration and a bar, a line each; below a span one line each for its inputs,
 * outputs, attributes, events and failure. The root's inputs and outputs are left out: they are the row's.
 */
export function spanLines(spans: readonly Span[], screen: Screen): string[] {
  if (spans.length === 0) return []
  const { bold, dim, red } = colors(screen)
  const { start, lengthMs } = extentOf(spans)
  const rows = placed(spans).flatMap(({ span, before, below }): Cell[][] => {
    const took = spanDurationMs(span)
    const offset = Number(span.startTimeNs - start) / 1e6
    const failed = span.status === 'ERROR'
    return [
      [
        { text: before + span.name, style: failed ? red : bold },
        { text: span.type, style: dim },
        { text: offset === 0 ? '0 ms' : `+${duration(offset)}`, style: dim },
        took === undefined ? { text: 'running', style: dim } : duration(took),
        { text: bar(offset, took, lengthMs), style: failed ? red : dim },
      ],
      ...details(span).map(([label, text]): Cell[] => [
        { text: `${below}${label} ${text}`, span: 5, style: label === 'failed' ? red : dim },
      ]),
    ]
  })
  const columns = [
    { header: 'span', min: 12 },
    { header: 'type', min: 4, drop: 3 },
    { header: 'start', align: 'right' as const, drop: 2 },
    { header: 'took', align: 'right' as const },
    { header: '', drop: 1 },
  ]
  return table(rows, { columns, screen, indent: 2 })
}

function extentOf(spans: readonly Span[]): { start: bigint; lengthMs: number } {
  let start = spans[0]?.startTimeNs ?? 0n
  let end = start
  for (const { startTimeNs, endTimeNs = startTimeNs } of spans) {
    if (startTimeNs < start) start = startTimeNs
    if (endTimeNs > end) end = endTimeNs
  }
  return { start, lengthMs: Number(end - start) / 1e6 }
}

/** Gives every span once, children below their parents by start. One whose parent is missing, or its own child, is a root. */
function placed(spans: readonly Span[]): Place[] {
  const ids = new Set(spans.map(({ id }) => id))
  const children = new Map<string, Span[]>()
  const roots: Span[] = []
  for (const span of [...spans].sort(byStart)) {
    if (span.parentId === undefined || !ids.has(span.parentId)) roots.push(span)
    else if (children.get(span.parentId)?.push(span) === undefined) children.set(span.parentId, [span])
  }
  const result: Place[] = []
  const seen = new Set<Span>()
  // A stack of its own: a chain of spans may be deeper than calls can nest.
  const visit = (root: Span): void => {
    const open: Place[] = [{ span: root, before: '', below: '' }]
    for (let place = open.pop(); place; place = open.pop()) {
      if (seen.has(place.span)) continue
      seen.add(place.span)
      const inner = (children.get(place.span.id) ?? []).filter((child) => !seen.has(child))
      const { below } = place
      result.push({ ...place, below: below + (inner.length > 0 ? '│ ' : '  ') })
      const deeper = below.length < MAX_GUIDE
      inner.reverse().forEach((span, i) => {
        const last = i === 0
        open.push({
          span,
          before: `${below}${last ? '└' : '├'} `,
          below: deeper ? `${below}${last ? '  ' : '│ '}` : below,
        })
      })
    }
  }
  roots.forEach(visit)
  // What is left goes round in circles.
  for (const span of spans) if (!seen.has(span)) visit(span)
  return result
}

function byStart(a: Span, b: Span): number {
  return a.startTimeNs < b.startTimeNs ? -1 : a.startTimeNs > b.startTimeNs ? 1 : 0
}

function bar(offset: number, took: number | undefined, length: number): string {
  if (length === 0) return ''
  const from = Math.min(BAR - 1, Math.floor((offset / length) * BAR))
  const size = took === undefined ? BAR - from : Math.max(1, Math.round((took / length) * BAR))
  return ' '.repeat(from) + (took === undefined ? '░' : '█').repeat(Math.min(BAR - from, size))
}

function details(span: Span): [label: string, text: string][] {
  const result: [string, string][] = []
  if (span.statusMessage) result.push([span.status === 'ERROR' ? 'failed' : 'status', span.statusMessage])
  if (span.parentId !== undefined) {
    if (span.inputs !== undefined) result.push(['in', dataLine(span.inputs)])
    if (span.outputs !== undefined) result.push(['out', dataLine(span.outputs)])
  }
  if (Object.keys(span.attributes).length > 0) result.push(['attributes', dataLine(span.attributes)])
  for (const { name, attributes } of span.events) {
    result.push(['event', Object.keys(attributes).length > 0 ? `${name} · ${dataLine(attributes)}` : name])
  }
  return result
}
