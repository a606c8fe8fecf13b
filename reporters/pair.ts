import type { Assessment } from '../src/feedback.ts'
import type { Screen } from '../src/reporter.ts'
import type { RunRecord } from '../src/run.ts'
import { canonical } from '../src/std/json.ts'
import { plural } from '../src/std/text.ts'
import type { StoredTrial } from '../src/store.ts'
import type { Trace } from '../src/trace.ts'
import { dataLine, dataLines } from './data.ts'
import { short } from './number.ts'
import { colors, fit, line, type Part, pad, wrap } from './screen.ts'
import { table } from './table.ts'

/** One evaluated row, or a trace that no run evaluated. */
export interface ShownRow {
  readonly run?: RunRecord
  readonly trace: Trace
  readonly trial?: StoredTrial
}

/** A screen of 120 columns less its margin. */
const SIDE_BY_SIDE = 119

/** Gives how a row's outcome differs from its pair's, the older one first: status, inputs, Feedback, outputs. */
export function pairLines(row: ShownRow, pair: ShownRow, screen: Screen): string[] {
  const { bold, dim } = colors(screen)
  const role = !pair.run ? 'another trace' : row.run?.parentRunId === pair.run.id ? 'the parent run' : 'an earlier run'
  const title = line([[`Pair in ${role}`, bold], pair.run ? `  ${pair.run.id} · ${pair.run.name}` : ''], screen.width)
  const facts = [
    { name: 'trace', text: pair.trace.id, changed: false },
    change('status', statusText(pair), statusText(row), false),
  ]
  for (const field of ['inputs', 'expectations'] as const) {
    if (!alike(pair.trace[field], row.trace[field])) facts.push({ name: field, text: 'differ', changed: true })
  }
  for (const name of new Set([...names(pair), ...names(row)])) {
    facts.push(change(name, feedbackText(pair, name), feedbackText(row, name), true))
  }
  const lines = table(
    facts.map(({ name, text, changed }) => [fit(name, 32), { text, style: changed ? bold : dim }]),
    { columns: [{ min: 8 }, { min: 8 }], screen, indent: 2 },
  )
  return [title, ...lines, ...outputLines(row, pair, screen)]
}

/** Gives one word and what stands behind it: how the row ended. */
export function statusText({ trace, trial }: ShownRow): string {
  if (trial?.status === 'failed') return trial.error ? `failed ${trial.error.code}` : 'failed'
  if (trial) return 'ok'
  return { OK: 'ok', ERROR: 'failed', IN_PROGRESS: 'in progress' }[trace.status]
}

function change(name: string, before: string, after: string, quiet: boolean) {
  if (before !== after) return { name, text: `${before} → ${after}`, changed: true }
  return { name, text: quiet ? `${after} (as before)` : after, changed: false }
}

function feedbackOf({ trace, run }: ShownRow): Assessment[] {
  return trace
    .searchAssessments({ kind: 'feedback' })
    .filter(({ runId }) => runId === undefined || run === undefined || runId === run.id)
}

function names(row: ShownRow): string[] {
  return feedbackOf(row).map(({ name }) => name)
}

function feedbackText(row: ShownRow, name: string): string {
  const all = feedbackOf(row).filter((feedback) => feedback.name === name)
  return all.length === 0 ? 'none' : all.map(valueText).join(', ')
}

/** Gives a Feedback's value in one line: its error's code where it has one. */
export function valueText({ value, error }: Pick<Assessment, 'value' | 'error'>): string {
  if (error) return error.code
  if (value === undefined) return 'no value'
  return typeof value === 'number' ? short(value) : dataLine(value)
}

function alike(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b)
}

function outputLines(row: ShownRow, pair: ShownRow, screen: Screen): string[] {
  const { dim } = colors(screen)
  if (alike(pair.trace.outputs, row.trace.outputs)) return [dim(fit('  outputs as before', screen.width))]
  const linesOf = ({ trace }: ShownRow): string[] => (trace.outputs === undefined ? [] : dataLines(trace.outputs))
  const steps = shortened(diff(linesOf(pair), linesOf(row)))
  return [
    dim(fit('  outputs, before and after', screen.width)),
    ...(screen.width >= SIDE_BY_SIDE ? beside(steps, screen) : below(steps, screen)),
  ]
}

type Step = { readonly before?: string; readonly after?: string }

/** How many lines alike stay before and after those that differ. */
const CONTEXT = 3

/** Leaves out lines alike that are far from a difference: the row shows them already. */
function shortened(steps: readonly Step[]): Step[] {
  const result: Step[] = []
  let from = 0
  while (from < steps.length) {
    let to = from
    while (to < steps.length && steps[to]?.before === steps[to]?.after) to++
    const [head, tail] = [from === 0 ? 0 : CONTEXT, to === steps.length ? 0 : CONTEXT]
    const hidden = to - from - head - tail
    if (hidden > 1) {
      const note = `… ${plural(hidden, 'line')} alike`
      result.push(...steps.slice(from, from + head), { before: note, after: note }, ...steps.slice(to - tail, to))
    } else result.push(...steps.slice(from, to))
    from = to
    while (from < steps.length && steps[from]?.before !== steps[from]?.after) result.push(steps[from++] as Step)
  }
  return result
}

function below(steps: readonly Step[], screen: Screen): string[] {
  const { dim, green, red } = colors(screen)
  const room = Math.max(1, screen.width - 6)
  return steps.flatMap(({ before, after }) => {
    const lines = (text: string | undefined, mark: string, style: (text: string) => string): string[] =>
      text === undefined ? [] : wrap(text, room).map((part) => fitLine(`  │ ${mark} `, part, style, screen))
    if (before === after) return lines(before, ' ', dim)
    return [...lines(before, '-', red), ...lines(after, '+', green)]
  })
}

function beside(steps: readonly Step[], screen: Screen): string[] {
  const { dim, green, red } = colors(screen)
  const room = Math.floor((screen.width - 10) / 2)
  return steps.flatMap(({ before, after }) => {
    const [olds, news] = [before, after].map((text) => (text === undefined ? [] : wrap(text, room))) as [
      string[],
      string[],
    ]
    const same = before === after
    return Array.from({ length: Math.max(olds.length, news.length) }, (_, i) => {
      const marks = same ? [' ', ' '] : [olds[i] === undefined ? ' ' : '-', news[i] === undefined ? ' ' : '+']
      const [old, fresh] = same ? [dim, dim] : [red, green]
      const left: Part = [pad(`${marks[0]} ${olds[i] ?? ''}`, room + 2), old]
      return line(['  │ ', left, ' │ ', [`${marks[1]} ${news[i] ?? ''}`, fresh]], screen.width)
    })
  })
}

function fitLine(start: string, text: string, style: (text: string) => string, screen: Screen): string {
  const parts: Part[] = [start, [text, style]]
  return line(parts, screen.width)
}

const MAX_CELLS = 1_000_000

/** Gives the lines of both texts side by side: the longest sequence they share, and between its lines what differs. */
function diff(a: readonly string[], b: readonly string[]): Step[] {
  const shared = a.length * b.length <= MAX_CELLS ? sharedLines(a, b) : []
  const steps: Step[] = []
  let [i, j] = [0, 0]
  for (const [x, y] of [...shared, [a.length, b.length] as const]) {
    while (i < x || j < y)
      steps.push({ ...(i < x && { before: a[i++] as string }), ...(j < y && { after: b[j++] as string }) })
    if (x < a.length && y < b.length) steps.push({ before: a[x] as string, after: b[y] as string })
    i = x + 1
    j = y + 1
  }
  return steps
}

/** Gives the positions of a longest common subsequence. */
function sharedLines(a: readonly string[], b: readonly string[]): (readonly [number, number])[] {
  const wide = b.length + 1
  const best = new Uint32Array((a.length + 1) * wide)
  const at = (i: number, j: number): number => best[i * wide + j] as number
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      best[i * wide + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  const result: (readonly [number, number])[] = []
  let [i, j] = [0, 0]
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) result.push([i++, j++])
    else if (at(i + 1, j) >= at(i, j + 1)) i++
    else j++
  }
  return result
}
