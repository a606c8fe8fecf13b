import { AGGREGATIONS, type AggregationName, type Column, passValue } from './column.ts'
import { EvaluationError } from './errors.ts'
import type { Assessment, FeedbackValue } from './feedback.ts'
import type { RunProblem, RunRecord } from './run.ts'
import { canonical } from './std/json.ts'
import type { Store } from './store.ts'
import { incomplete, Tally, type TallyEntry } from './tally.ts'

/**
 * Counts a run again from what its store holds: for runs that ended before they could be counted. Aggregations that were functions
 * are not stored and stay out.
 */
export async function recount(store: Store, run: RunRecord): Promise<RunRecord> {
  const tally = new Tally(
    run.scorers.map(({ name, aggregations }) => ({
      name,
      ...(aggregations && { aggregations: aggregations.filter(isBuiltIn) }),
    })),
  )
  const corrected = new Map<string, number>()
  const owners = ownersOf(run)
  let lastMs = run.startedAt
  for await (const { trial, trace, assessments } of store.search({ runId: run.id, includeSpans: false })) {
    if (!trial) continue
    const durationMs = trace.durationNs === undefined ? undefined : trace.durationNs / 1e6
    lastMs = Math.max(lastMs, trace.requestTimeMs + (durationMs ?? 0))
    if (trial.attempts > 0) tally.addAttempts(trial.attempts, trial.status === 'ok' ? durationMs : undefined)
    if (trial.error) tally.addFailed(trial.index, trial.error)
    else {
      const valid = standing(assessments)
      for (const one of valid) {
        if (ownerOf(one, owners) === undefined) tally.addScorer({ name: one.name })
        else if (isCorrection(one, assessments)) corrected.set(one.name, (corrected.get(one.name) ?? 0) + 1)
      }
      tally.addScored(
        { traceId: trace.id, rowId: trial.rowId, index: trial.index },
        entriesOf(run, valid, (one) => ownerOf(one, owners)),
      )
    }
  }
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
function standing(assessments: readonly Assessment[]): Assessment[] {
  const valid = assessments.filter(({ kind, valid }) => kind === 'feedback' && valid)
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

/** Gives which scorer fills a column, by its name. */
function ownersOf({ columns, scorers }: RunRecord): ReadonlyMap<string, string> {
  const known = new Set(scorers.map(({ name }) => name))
  const filled = columns.filter(({ scorer }) => known.has(scorer)).map(({ name, scorer }) => [name, scorer] as const)
  return new Map([...filled, ...scorers.map(({ name }) => [name, name] as const)])
}

/** Feedback that no scorer gave belongs to the scorer whose column has its name. */
function ownerOf({ scorer, name }: Assessment, owners: ReadonlyMap<string, string>): string | undefined {
  return scorer ?? owners.get(name)
}

function entriesOf(
  run: RunRecord,
  valid: readonly Assessment[],
  owner: (one: Assessment) => string | undefined,
): TallyEntry[] {
  const scorers = new Set(run.scorers.map(({ name }) => name))
  for (const one of valid) if (owner(one) === undefined) scorers.add(one.name)
  return [...scorers].map((scorer) => {
    const feedback = valid.filter((one) => (owner(one) ?? one.name) === scorer)
    const entries = feedback.map(({ name: column, value, error }) => ({
      name: column,
      ...(value !== undefined && { value: value as FeedbackValue }),
      ...(error && { error }),
    }))
    const failed = feedback.length === 1 && SCORER_FAILED.has(feedback[0]?.error?.code)
    return { scorer, feedback: entries, failed }
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

/** A column that has not changed keeps the aggregations that were functions; of another they are not known any more. */
function settled(column: Column, before: readonly Column[]): Column {
  const old = before.find(({ name }) => name === column.name)
  if (!old) return column
  const kept = Object.entries(old.aggregates).filter(([name]) => isBuiltIn(name))
  const comparable = { ...old, aggregates: Object.fromEntries(kept) }
  const keys = Object.keys(column) as (keyof Column)[]
  const { lost: gone = [], corrected } = old
  if (corrected === column.corrected && keys.every((key) => canonical(comparable[key]) === canonical(column[key])))
    return old
  const lost = [...gone, ...Object.keys(old.aggregates).filter((name) => !isBuiltIn(name))]
  return lost.length > 0 ? { ...column, lost } : column
}

/** How much may be missing is known to the evaluation only: a column that was incomplete is so until it has every value. */
function problemsNow(problems: readonly RunProblem[], columns: readonly Column[]): RunProblem[] {
  return problems.flatMap((problem) => {
    const of = columns.find(({ name }) => problem.message.startsWith(`column "${name}" has a value on `))
    if (problem.code !== 'COLUMN_INCOMPLETE' || !of) return [problem]
    return of.scored < of.rows ? [{ ...problem, message: incomplete(of) }] : []
  })
}
