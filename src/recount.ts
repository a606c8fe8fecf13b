import { AGGREGATIONS, type AggregationName, type Column, passValue } from './column.ts'
import { EvaluationError } from './errors.ts'
import type { Assessment, FeedbackValue } from './feedback.ts'
import { Folding } from './folding.ts'
import { UsageMeter, usageOf } from './meter.ts'
import type { RunProblem, RunRecord, RunScorer } from './run.ts'
import { SESSION_KEY } from './session.ts'
import { canonical } from './std/json.ts'
import type { Store } from './store.ts'
import { incomplete, Tally, type TallyEntry } from './tally.ts'

/**
 * Counts a run again from what its store holds: for runs that ended before they could be counted. Aggregations that were functions
 * are not stored and stay out.
 */
export async function recount(store: Store, run: RunRecord): Promise<RunRecord> {
  const tally = new Tally(
    run.scorers.map(({ name, level, aggregations }) => ({
      name,
      level,
      ...(aggregations && { aggregations: aggregations.filter(isBuiltIn) }),
    })),
  )
  const corrected = new Map<string, number>()
  const owners = ownersOf(run)
  const folding = new Folding(tally, run.repeats)
  let lastMs = run.startedAt
  for await (const { trial, trace, assessments } of store.search({ runId: run.id, includeSpans: false })) {
    if (!trial) continue
    const durationMs = trace.durationNs === undefined ? undefined : trace.durationNs / 1e6
    lastMs = Math.max(lastMs, trace.requestTimeMs + (durationMs ?? 0))
    if (trial.attempts > 0) tally.addAttempts(trial.attempts, trial.status === 'ok' ? durationMs : undefined)
    const row = { traceId: trace.id, rowId: trial.rowId, index: trial.index }
    const feedback = assessments.filter(({ kind }) => kind === 'feedback')
    if (trial.error) folding.addFailed(trial.index, trial.error)
    else {
      const own = feedback.filter((one) => ownerOf(one, owners)?.level === undefined)
      for (const one of standing(own)) if (!ownerOf(one, owners)) tally.addScorer({ name: one.name })
      folding.addScored(row, entriesOf(run, undefined, own, owners))
      countCorrections(own, owners, corrected)
    }
    // Where a verdict on a session was corrected, the one that says so is still there.
    if (feedback.some(({ metadata }) => metadata && SESSION_KEY in metadata)) {
      const ofSession = feedback.filter((one) => ownerOf(one, owners)?.level === 'session')
      tally.addSession(row, entriesOf(run, 'session', ofSession, owners))
      countCorrections(ofSession, owners, corrected)
    }
  }
  folding.end()
  const { columns } = tally.columns({ allowFailed: Number.POSITIVE_INFINITY, minScored: 0 })
  return {
    ...run,
    totals: tally.totals(Math.max(0, lastMs - run.startedAt)),
    worst: tally.worst,
    failures: tally.failures,
    columns: columns.map((column) => {
      const count = corrected.get(column.name)
      return count === undefined ? column : { ...column, corrected: count }
    }),
  }
}

/** What `score.ts` says of a scorer that failed as a whole. */
const SCORER_FAILED: ReadonlySet<string | undefined> = new Set(['SCORER_THREW', 'SCORER_TIMEOUT', 'SCORER_RETURN'])

function isBuiltIn(name: string): name is AggregationName {
  return (AGGREGATIONS as readonly string[]).includes(name)
}

/** The valid Feedback of a row, the newest of each name. */
function standing(feedback: readonly Assessment[]): Assessment[] {
  const valid = feedback.filter(({ valid }) => valid)
  return valid.filter(({ name }, i) => valid.findLastIndex((one) => one.name === name) === i)
}

/** A person's word against the scorer's, or where the scorer had none; one that confirms it is no correction. */
function isCorrection({ source, overrides, scorer, value }: Assessment, all: readonly Assessment[]): boolean {
  if (source.type !== 'HUMAN') return false
  const history = new Set<Assessment>()
  for (let id = overrides; id !== undefined; ) {
    const old = all.find((one) => one.id === id)
    if (!old || history.has(old)) break
    history.add(old)
    id = old.overrides
  }
  const said = [...history].find((one) => one.source.type !== 'HUMAN')
  if (!said) return history.size > 0 || scorer === undefined
  const [then, now] = [passValue(said.value), passValue(value)]
  return then === undefined || now === undefined ? canonical(said.value) !== canonical(value) : then !== now
}

function countCorrections(feedback: readonly Assessment[], owners: Owners, counts: Map<string, number>): void {
  for (const one of standing(feedback)) {
    if (ownerOf(one, owners) && isCorrection(one, feedback)) counts.set(one.name, (counts.get(one.name) ?? 0) + 1)
  }
}

type Owners = ReadonlyMap<string, RunScorer>

/** Gives who fills a column, by the column's name. */
function ownersOf({ columns, scorers }: RunRecord): Owners {
  const byName = new Map(scorers.map((scorer) => [scorer.name, scorer]))
  const filled = columns.map(({ name, scorer }) => [name, byName.get(scorer)] as const)
  return new Map([...filled.filter((pair): pair is [string, RunScorer] => pair[1] !== undefined), ...byName])
}

/** Feedback that no scorer gave belongs to the scorer whose column has its name, if any. */
function ownerOf({ scorer, name }: Assessment, owners: Owners): RunScorer | undefined {
  return owners.get(scorer ?? name)
}

/** @param feedback of this level, with what was overridden: that was paid, too */
function entriesOf(
  run: RunRecord,
  level: 'session' | undefined,
  feedback: readonly Assessment[],
  owners: Owners,
): TallyEntry[] {
  const own = (one: Assessment): string => ownerOf(one, owners)?.name ?? one.name
  const scorers = new Set(run.scorers.filter((scorer) => scorer.level === level).map(({ name }) => name))
  const valid = standing(feedback)
  for (const one of valid) scorers.add(own(one))
  return [...scorers].map((scorer) => {
    const given = valid.filter((one) => own(one) === scorer)
    const entries = given.map(({ name: column, value, error }) => ({
      name: column,
      ...(value !== undefined && { value: value as FeedbackValue }),
      ...(error && { error }),
    }))
    const meter = new UsageMeter()
    for (const one of feedback) {
      const usage = own(one) === scorer ? usageOf(one.metadata) : undefined
      if (usage) meter.merge(usage)
    }
    const failed = given.length === 1 && SCORER_FAILED.has(given[0]?.error?.code)
    return { scorer, feedback: entries, failed, usage: meter.totals }
  })
}

const ATTEMPTS = 3

/**
 * Gives a run that has ended with columns that follow what people have changed in its Feedback since they were counted, and keeps it so. What cannot be
 * counted, in a damaged store, stays marked as not counted.
 */
export async function upToDate(store: Store, run: RunRecord): Promise<RunRecord> {
  let now = run
  for (let attempt = 0; now.uncounted !== undefined && now.status !== 'running'; attempt++) {
    const counted = await recount(store, now).then((fresh) => following(now, fresh), ifDamaged)
    if (!counted) return now
    // Whoever may only read the store can still see what it amounts to; and what changes all the time is not chased for ever.
    const kept = attempt >= ATTEMPTS || (await store.updateRun(counted, now).catch(ifReadOnly))
    if (kept) return counted
    now = (await store.getRun(run.id)) ?? counted
  }
  return now
}

function ifDamaged(error: unknown): undefined {
  if (!(error instanceof EvaluationError) || error.code !== 'STORE_NOT_READABLE') throw error
}

function ifReadOnly(error: unknown): true {
  if (error instanceof EvaluationError && ['STORE_NOT_WRITABLE', 'STORE_LOCKED'].includes(error.code)) return true
  throw error
}

/** What the run was as a whole stays; its columns, and what is said of them, are those of now. */
function following({ uncounted: _, ...run }: RunRecord, fresh: RunRecord): RunRecord {
  const columns = fresh.columns.map((column) => settled(column, run.columns))
  return { ...run, columns, worst: fresh.worst, problems: problemsNow(run.problems, columns) }
}

/** A column that has not changed keeps the aggregations that were functions; of another they are not known any more. What was spent stays spent. */
function settled(column: Column, before: readonly Column[]): Column {
  const old = before.find(({ name }) => name === column.name)
  if (!old) return column
  const { usage: _, ...now } = column
  const kept = Object.entries(old.aggregates).filter(([name]) => isBuiltIn(name))
  const comparable = { ...old, aggregates: Object.fromEntries(kept) }
  const keys = Object.keys(now) as (keyof typeof now)[]
  const { lost: gone = [], corrected, usage } = old
  if (corrected === now.corrected && keys.every((key) => canonical(comparable[key]) === canonical(now[key]))) return old
  const lost = [...gone, ...Object.keys(old.aggregates).filter((name) => !isBuiltIn(name))]
  return { ...now, ...(usage && { usage }), ...(lost.length > 0 && { lost }) }
}

/** How much may be missing is known to the evaluation only: a column that was incomplete is so until it has every value. */
function problemsNow(problems: readonly RunProblem[], columns: readonly Column[]): RunProblem[] {
  return problems.flatMap((problem) => {
    const of = columns.find(({ name }) => problem.message.startsWith(`column "${name}" has a value on `))
    if (problem.code !== 'COLUMN_INCOMPLETE' || !of) return [problem]
    return of.scored < of.rows ? [{ ...problem, message: incomplete(of) }] : []
  })
}
