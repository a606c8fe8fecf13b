import { whole } from '../../reporters/number.ts'
import { valueText } from '../../reporters/pair.ts'
import { type Cell, type TableColumn, table } from '../../reporters/table.ts'
import { deleteAssessment, logFeedback, overrideFeedback, person } from '../assess.ts'
import type { Column } from '../column.ts'
import { didYouMean, EvaluationError, quote } from '../errors.ts'
import type { Assessment, AssessmentSource, FeedbackValue } from '../feedback.ts'
import { openRun, storeToRead } from '../open.ts'
import { notFinal, type RunRecord } from '../run.ts'
import { plural, visible } from '../std/text.ts'
import { findAssessment, type Store } from '../store.ts'
import { type Output, printJson, type Shared, storeOption } from './output.ts'

export interface FeedbackOptions extends Shared {
  readonly name?: string
  readonly value?: string
  readonly rationale?: string
  readonly as?: string
  readonly run?: string
  readonly new?: boolean
  readonly delete?: boolean
}

/** What is spoken of: one assessment, or a trace and perhaps a name on it. */
interface Subject {
  readonly traceId: string
  /** Everything that was ever said of the trace, and has not been deleted. */
  readonly all: readonly Assessment[]
  readonly assessment?: Assessment
  readonly name?: string
  readonly runId?: string
}

/** Logs a person's verdict, puts it in the place of a judge's, takes one back, or lists what has been said of a trace. */
export async function giveFeedback(target: string, options: FeedbackOptions, output: Output): Promise<void> {
  const { value, rationale, name } = options
  if (options.delete && (value !== undefined || rationale !== undefined))
    throw refusal('--delete takes something back, --value and --rationale give something: they do not go together')
  if (rationale !== undefined && value === undefined) throw refusal('--rationale says why: give the --value too')
  const store = storeToRead(storeOption(options))
  const subject = await subjectOf(target, options, store)
  if (options.delete) return takeBack(subject, options, store, output)
  if (value === undefined) return list(subject, options, output)
  if (!subject.assessment && name === undefined) throw refusal(`give the --name of the Feedback on ${quote(target)}`)
  return give(subject, value, options, store, output)
}

function refusal(problem: string, hint?: string): EvaluationError {
  return new EvaluationError('CONFIG_INVALID', `Cannot give feedback: ${problem}`, { hint })
}

async function subjectOf(target: string, options: FeedbackOptions, store: Store): Promise<Subject> {
  const { name, run } = options
  const assessment = await findAssessment(store, target)
  const traceId = assessment?.traceId ?? target
  const [found] = await Array.fromAsync(store.search({ traceId, includeSpans: false, limit: 1 }))
  if (!found) {
    const gone = /^(.+)\.\d+$/.exec(target)?.[1]
    const message = `Cannot give feedback: ${store.location} has no trace or assessment ${quote(target)}`
    const hint = gone
      ? `vitest-evaluate feedback ${gone} lists what has been said of that trace`
      : 'show a row, or search, for the id of its trace'
    throw new EvaluationError('TRACE_NOT_FOUND', message, { hint })
  }
  if (assessment && name !== undefined && name !== assessment.name)
    throw refusal(`${quote(target)} is ${quote(assessment.name)}, not ${quote(name)}`)
  const runId =
    run === undefined ? undefined : ((await store.getRun(run)) ?? (await openRun(run, storeOption(options)))).id
  if (assessment && runId !== undefined && runId !== assessment.runId)
    throw refusal(`${quote(target)} belongs to ${assessment.runId ?? 'no run'}, not to ${runId}`)
  return {
    traceId,
    all: found.assessments,
    ...(assessment && { assessment }),
    ...(name !== undefined && { name }),
    ...(runId !== undefined && { runId }),
  }
}

async function give(
  subject: Subject,
  text: string,
  options: FeedbackOptions,
  store: Store,
  output: Output,
): Promise<void> {
  if (text === '') throw refusal('--value takes a verdict, found ""')
  if (options.as?.trim() === '') throw refusal('--as takes the name of a person, found ""')
  const source: AssessmentSource = options.as === undefined ? await person() : { type: 'HUMAN', id: options.as }
  const { rationale } = options
  const said = { value: valueOf(text), source, ...(rationale !== undefined && { rationale }) }
  const replaced = subject.assessment ?? replaceable(subject, source)
  const runId = replaced ? replaced.runId : (subject.runId ?? (await silentRun(subject, store)))
  if (!replaced && !options.new) await requireName(subject, runId, store)
  const before = await counted(runId, store)
  const entry = { name: subject.name as string, ...said, ...(runId !== undefined && { runId }) }
  const given = replaced
    ? await overrideFeedback(replaced.id, said, { store })
    : await logFeedback(subject.traceId, entry, { store })
  const after = await counted(before?.id, store)
  const old = subject.all.find(({ id }) => id === given.overrides)
  if (options.json)
    return printJson(output, { assessment: given, ...(old && { replaced: old }), ...runJson(given, after) })
  const change = old ? `${valueText(old)} → ${valueText(given)}` : valueText(given)
  output.print(`${visible(given.name)}: ${change}`)
  output.print(`${by(given)}, ${given.id}${given.overrides === undefined ? '' : ` in place of ${given.overrides}`}`)
  printRun(given.name, before, after, output)
}

/** Reads a value as a person types it: true, 0.5, ["a"] and "3" as in JSON, anything else as the text that it is. */
function valueOf(text: string): FeedbackValue {
  try {
    const value = JSON.parse(text)
    return value === null ? text : value
  } catch {
    return text
  }
}

/** Gives the verdict that a new one takes the place of: a scorer's, a corrected one, or the person's own. What other people said by themselves stands. */
function replaceable({ all, name, runId }: Subject, by: AssessmentSource): Assessment | undefined {
  const named = all.filter((one) => one.kind === 'feedback' && one.valid && one.name === name)
  const open = named.filter(
    (one) =>
      (runId === undefined || one.runId === runId) &&
      (one.source.type !== 'HUMAN' || one.overrides !== undefined || one.source.id === by.id || runId !== undefined),
  )
  if (open.length < 2) return open[0]
  const ids = open.map((one) => `${one.id} (${one.runId ?? 'no run'}, ${valueText(one)})`).join(', ')
  throw refusal(
    `${plural(open.length, 'verdict')} on ${quote(name)} could be meant: ${ids}`,
    'say which by its id, or by its --run',
  )
}

/** Where the scorer of a column has said nothing, a verdict of its name is one for the run that evaluated the trace, if that was one only. */
async function silentRun({ all, name }: Subject, store: Store): Promise<string | undefined> {
  const runIds = new Set(all.flatMap(({ runId }) => (runId === undefined ? [] : [runId])))
  const [only] = runIds
  if (only === undefined || runIds.size > 1 || name === undefined) return undefined
  const columns = (await store.getRun(only))?.columns ?? []
  return columns.some((column) => column.name === name) ? only : undefined
}

/** A name that nobody has used, and that is nearly one that somebody has, is likely to be mistyped. */
async function requireName({ all, name = '' }: Subject, runId: string | undefined, store: Store) {
  const used = all.filter(({ kind }) => kind === 'feedback').map((one) => one.name)
  const run = runId === undefined ? undefined : await store.getRun(runId)
  const known = new Set([...used, ...(run?.columns ?? []).map((column) => column.name)])
  const near = known.has(name) ? '' : didYouMean(name, known)
  if (near === '') return
  throw refusal(`there is no ${quote(name)}${near}`, '--new logs it under this name all the same')
}

async function takeBack(subject: Subject, options: FeedbackOptions, store: Store, output: Output): Promise<void> {
  const { all, name, traceId } = subject
  const own = all.filter(
    (one) => one.name === name && one.valid && (subject.runId === undefined || one.runId === subject.runId),
  )
  if (!subject.assessment && name === undefined)
    throw refusal('say what to delete: the id of an assessment, or a --name')
  if (!subject.assessment && own.length !== 1) {
    const ids = own.map(({ id }) => id).join(', ')
    const names = all.map((one) => one.name)
    throw refusal(
      own.length === 0
        ? `there is no valid ${quote(name)} on ${quote(traceId)}${didYouMean(name as string, names)}`
        : `${plural(own.length, 'assessment')} called ${quote(name)} could be meant: ${ids}`,
      own.length === 0 ? undefined : 'say which by its id',
    )
  }
  const gone = subject.assessment ?? (own[0] as Assessment)
  const { runId } = gone
  const before = await counted(runId, store)
  const deleted = await deleteAssessment(gone.id, { store })
  const after = await counted(before?.id, store)
  if (options.json) return printJson(output, { deleted, assessment: gone, ...runJson(gone, after) })
  const old = gone.valid ? all.find(({ id }) => id === gone.overrides) : undefined
  output.print(`Deleted ${visible(gone.name)}: ${valueText(gone)}, ${by(gone)}, ${gone.id}`)
  if (old) output.print(`${valueText(old)}, ${by(old)}, ${old.id} is valid again`)
  printRun(gone.name, before, after, output)
}

function by({ source }: Assessment): string {
  return visible(`${source.type} ${source.id}`)
}

/** Of more rows than this, a person who corrects one verdict after another would wait too long. */
const SOON = 10_000

/** Gives the run as it stands now, counted again if that is soon done. */
async function counted(runId: string | undefined, store: Store): Promise<RunRecord | undefined> {
  const record = runId === undefined ? undefined : await store.getRun(runId)
  if (!record || record.totals.rows > SOON) return record
  return (await openRun(record.id, { store })).record
}

function runJson({ name }: Assessment, run: RunRecord | undefined): object {
  if (!run) return {}
  const column = run.columns.find((one) => one.name === name)
  return { run: { id: run.id, name: run.name, column, ...(run.uncounted && { uncounted: run.uncounted }) } }
}

/** Says what became of the column. */
function printRun(name: string, before: RunRecord | undefined, after: RunRecord | undefined, output: Output): void {
  if (!before || !after) return
  const [then, now] = [before, after].map(({ columns }) => columns.find((column) => column.name === name))
  const corrected = now?.corrected ? `, ${whole(now.corrected)} corrected` : ''
  const rest = notFinal(after)
  const text = after.uncounted
    ? 'its columns are counted again when it is opened next'
    : `${name} ${figure(then)} → ${figure(now)}${corrected}${rest === undefined ? '' : ` (${rest})`}`
  output.print(visible(`${after.name} ${after.id}: ${text}`))
}

function figure(column: Column | undefined): string {
  if (!column) return 'none'
  const { kind, aggregates, passed, scored, counts = {} } = column
  if (passed !== undefined) return `${whole(passed)}/${whole(scored)} passed`
  if (kind === 'category') {
    const shown = Object.entries(counts).slice(0, 4)
    return `{${shown.map(([value, times]) => `${value} ${whole(times)}`).join(', ')}}`
  }
  return aggregates.mean === undefined ? `${scored} scored` : `mean ${Number(aggregates.mean.toPrecision(4))}`
}

/** Lists everything that was said of a trace, in the order in which it was said. */
function list({ all, assessment, name, runId, traceId }: Subject, options: FeedbackOptions, output: Output): void {
  const wanted = assessment?.name ?? name
  const shown = all.filter(
    (one) => (wanted === undefined || one.name === wanted) && (runId === undefined || one.runId === runId),
  )
  if (options.json) printJson(output, shown)
  else if (shown.length > 0) output.print(listing(shown, all, output).join('\n'))
  else {
    const names = all.map((one) => one.name)
    const as = wanted === undefined ? '' : ` as ${quote(wanted)}${didYouMean(wanted, names)}`
    output.print(`Nothing has been said of ${visible(traceId)}${as}`)
  }
}

function listing(shown: readonly Assessment[], all: readonly Assessment[], { screen }: Output): string[] {
  const columns: TableColumn[] = [
    { header: '' },
    { header: 'name', min: 8 },
    { header: 'value', min: 8 },
    { header: 'by', min: 10 },
    { header: 'at (UTC)', drop: 2 },
    { header: 'run', drop: 1 },
    { header: 'rationale', drop: 3, min: 12 },
  ]
  const lines = table(
    shown.map((one) => lineOf(one, all)),
    { screen, columns, indent: 2 },
  )
  return [visible(shown[0]?.traceId ?? ''), ...lines]
}

function lineOf(one: Assessment, all: readonly Assessment[]): Cell[] {
  const next = all.find(({ overrides }) => overrides === one.id)
  const state = one.valid ? '' : next ? `, replaced by ${ending(next)}` : ', replaced'
  return [
    ending(one),
    one.kind === 'feedback' ? one.name : `${one.name} (expected)`,
    `${valueText(one)}${state}`,
    `${one.source.type} ${one.source.id}`,
    new Date(one.updatedAt).toISOString().slice(0, 16).replace('T', ' '),
    one.runId ?? '',
    one.rationale ?? '',
  ]
}

/** The part of an id that tells it from others of its trace. */
function ending({ id, traceId }: Assessment): string {
  return id.slice(traceId.length)
}
