import { hostname } from 'node:os'
import { didYouMean, EvaluationError, quote } from './errors.ts'
import { runEvaluation } from './evaluate.ts'
import type { Evaluation } from './evaluation.ts'
import { experimentName } from './experiment.ts'
import type { GateSpec } from './finding.ts'
import { Run } from './handle.ts'
import { currentHost, type Settings } from './host.ts'
import { withModels } from './model.ts'
import { DEFAULTS, type EvaluateOptions, repeatsOf, requireOptions } from './options.ts'
import { openStore, shelfOf, storePlace, treeNow } from './place.ts'
import type { Predict } from './predict.ts'
import type { Takeover } from './reuse.ts'
import { type Row, toRow } from './row.ts'
import type { RunCode, RunJob, RunRepeats } from './run.ts'
import { requireScorers, type Scorer } from './scorer.ts'
import type { Source } from './source.ts'
import { type ArrowTable, arrow, isArrowTable } from './sources/arrow.ts'
import { type Job, jobOf } from './std/ci.ts'
import { sha256 } from './std/json.ts'
import type { Store } from './store.ts'
import { modelsFor } from './supplier.ts'
import type { Trace } from './trace.ts'
import { TraceSet } from './traceset.ts'

/** The composition root: settles store, experiment and options, and brings verbs and kinds together. */

/** Everything that can be evaluated. */
export type Data<Inputs = any> =
  | Source<Inputs>
  | Iterable<Row<Inputs>>
  | AsyncIterable<Row<Inputs>>
  | Iterable<Trace>
  | ArrowTable
  | Run
  | TraceSet
  | Store

/**
 * Evaluates an app: calls it for every row, scores what it gives, keeps everything, and gives the run with a column per Feedback.
 *
 * What happens inside a row is recorded, never thrown: a row whose predict fails, a scorer that throws. Under Vitest such a run makes the
 * test fail, softly, unless `allowFailed` and `minScored` allow it.
 *
 * @param data rows (array, iterable, stream, `csv()`, `jsonl()`, …), an Arrow table, a run, or the result of a search
 * @param predict the function under evaluation, called once per row; left out where rows bring their outputs or traces
 * @param scorers what turns each row into Feedback
 * @throws TypeError, RangeError for mistakes in the arguments, before anything is called
 * @throws EvaluationError when the data has no rows or breaks off, when the store fails, or on abort; finished rows are kept
 */
export function evaluate<Inputs = any>(
  data: Data<Inputs>,
  scorers: readonly Scorer<any, any>[],
  options?: EvaluateOptions,
): Promise<Run>
export function evaluate<Inputs, Outputs>(
  data: Data<Inputs>,
  predict: Predict<Inputs, Outputs>,
  scorers: readonly Scorer<NoInfer<Inputs>, NoInfer<Outputs>>[],
  options?: EvaluateOptions,
): Promise<Run>
export async function evaluate(
  data: Data,
  second: Predict | readonly Scorer[],
  third?: readonly Scorer[] | EvaluateOptions,
  fourth?: EvaluateOptions,
): Promise<Run> {
  if (third === undefined) requireScorers(second)
  const withPredict = !Array.isArray(second)
  const predict = withPredict ? (second as Predict) : undefined
  const scorers = withPredict ? third : second
  const options = ((withPredict ? fourth : third) ?? {}) as EvaluateOptions
  if (withPredict && typeof predict !== 'function') {
    throw new TypeError(`Cannot evaluate: expected a predict function or a list of scorers, found ${quote(second)}`)
  }
  requireScorers(scorers)
  requireOptions(options)
  const { rows, count, parentRunId, files } = readable(data)
  const repeats = repeatsOf(options)
  const evaluation = start({ rows, count, parentRunId, files, predict, scorers, options, repeats })
  currentHost()?.track(evaluation)
  return evaluation
}

interface Readable {
  readonly rows: Iterable<unknown> | AsyncIterable<unknown>
  readonly count?: number | undefined
  readonly parentRunId?: string | undefined
  readonly files: readonly string[]
}

function readable(data: Data): Readable {
  if (data instanceof Run) return { rows: data.search(), parentRunId: data.id, count: data.totals.rows, files: [] }
  if (isStore(data)) return { rows: new TraceSet(async () => data, {}), files: [] }
  if (data instanceof TraceSet) return { rows: data, parentRunId: data.runId, files: [] }
  if (isArrowTable(data)) {
    const { count } = arrow(data)
    return { rows: arrow(data), count, files: [] }
  }
  if (Array.isArray(data)) {
    const rows = data.map(toRow)
    const runIds = new Set(rows.map(({ trace }) => trace?.runId))
    return { rows, count: rows.length, parentRunId: runIds.size === 1 ? [...runIds][0] : undefined, files: [] }
  }
  if (typeof data === 'object' && data !== null && (Symbol.asyncIterator in data || Symbol.iterator in data)) {
    const { count, files } = data as Source
    return { rows: data as AsyncIterable<unknown>, count, files: files ?? [] }
  }
  const hint =
    typeof data === 'string'
      ? /\.(sqlite|db)$/.test(data)
        ? `to evaluate the traces of a store, write searchTraces({ store: ${quote(data)} })`
        : `to read a file, write csv(${quote(data)}), jsonl(…), json(…), arrow(…), parquet(…) or traces(…)`
      : (data as unknown) instanceof Promise
        ? 'await it first'
        : typeof data === 'function'
          ? 'call it, and pass what it gives'
          : undefined
  const message = `Cannot evaluate: data must be rows (an array, an iterable, a source), a run or a search, found ${quote(data)}`
  throw new TypeError(hint ? `${message}\nHint: ${hint}` : message)
}

function isStore(data: unknown): data is Store {
  return typeof (data as Store | null)?.writeTrial === 'function' && typeof (data as Store).search === 'function'
}

interface Start extends Readable {
  readonly predict: Predict | undefined
  readonly scorers: readonly Scorer[]
  readonly options: EvaluateOptions
  readonly repeats: RunRepeats | undefined
}

async function start({ rows, count, parentRunId, files, predict, scorers, options, repeats }: Start): Promise<Run> {
  const host = currentHost()
  host?.reads(files)
  // At once, while the stack still knows the line that evaluates.
  const test = host?.test
  // What few evaluations need is not loaded for all.
  const gating = isGated(options, host?.settings) ? await import('./referee.ts') : undefined
  const rules = gating?.rulesOf(options, host?.settings) ?? { own: [], common: [] }
  const specs = [...rules.own, ...rules.common].map(({ spec }) => spec)
  requireWholeSessions(scorers, repeats, specs)
  const store = openStore(options.store, host?.settings)
  if (store !== options.store) host?.opened(store)
  const settled = { ...DEFAULTS, ...defined(host?.settings ?? {}), ...defined(options) }
  const { allowFailed = 0, minScored, signal } = settled
  const place = storePlace(store, host?.settings)
  const name = options.name ?? host?.nextName() ?? (predict?.name || 'evaluation')
  const experiment = experimentName(options.experiment, host?.settings)
  const known: RunCode = predict ? { predict: sha256(predict.toString()).slice(0, 16) } : {}
  const job = jobOf(process.env)
  const code = treeNow(host?.settings, test?.file).then(
    (tree): RunCode => ({ ...known, ...(tree && job?.branch !== undefined && { branch: job.branch }), ...tree }),
  )
  // A retry of the same test starts afresh: what it takes the place of is not to be trusted.
  const resume = test && test.attempt > 0 ? false : (options.resume ?? resumeWish() ?? settled.resume)
  const next = { name, experiment, ...(test && { test }) }
  const reusing = resume ? await import('./reuse.ts') : undefined
  const { sources, notices }: Takeover = reusing
    ? await reusing.takeover(store, next, code, resume === 'force')
    : { sources: [], notices: [] }
  const models = modelsFor(options, host?.settings, store.location)
  withModels(models, () => requireReady(scorers))
  const shelf = shelfOf(store, options, host?.settings)
  const match = { rules, options, settings: host?.settings, store, shelf, scorers, next }
  const judge = await withModels(models, () => gating?.referee(match))
  const evaluation = {
    data: rows,
    count,
    predict,
    scorers,
    store,
    parentRunId,
    name,
    experiment,
    // Whoever wants to resume is going to do it again: not even a run that is killed at once may leave its code unknown.
    ...(resume ? { code: await code } : { code: known, laterCode: code }),
    // Sessions are always scored again: their turns may be others now. A judge's version depends on the model that it would ask.
    reuse:
      reusing && sources.length > 0
        ? await withModels(models, () =>
            reusing.Reuse.of(
              store,
              sources,
              scorers.filter(({ level }) => level !== 'session'),
            ),
          )
        : undefined,
    resumedFrom: sources[0]?.id,
    notices,
    supersedes: host?.superseded(name),
    tags: options.tags ?? {},
    selection: options,
    tolerance: { allowFailed: allowFailed === true ? Number.POSITIVE_INFINITY : Number(allowFailed), minScored },
    maxConcurrency: settled.maxConcurrency,
    predictTimeoutMs: settled.predictTimeoutMs,
    scorerTimeoutMs: settled.scorerTimeoutMs,
    retries: settled.retries,
    test,
    signal: host && signal ? AbortSignal.any([host.signal, signal]) : (host?.signal ?? signal),
    host: hostname(),
    job: jobRecord(job),
    repeats,
    cluster: options.cluster,
    gates: specs,
    early: gating?.earlyOf(specs),
    judge,
    onStart: (run) => host?.started(run, place),
    onProgress: (progress) => host?.progress(progress),
    onEnd: (run) => host?.ended(run, place),
  } satisfies Evaluation
  try {
    return new Run(await withModels(models, () => runEvaluation(evaluation)), store)
  } finally {
    models.flush()
  }
}

/** Whether there is anything to judge by at the end. */
function isGated({ gates, cluster }: EvaluateOptions, settings: Settings = {}): boolean {
  if (cluster !== undefined) return true
  return gates !== false && (gates !== undefined || Object.keys(settings.gates ?? {}).length > 0)
}

/** @throws TypeError where a session would be judged that is not whole, or that is there several times */
function requireWholeSessions(
  scorers: readonly Scorer[],
  repeats: RunRepeats | undefined,
  gates: readonly GateSpec[],
): void {
  const ofSessions = scorers.find(({ level }) => level === 'session')
  if (!ofSessions || !(repeats || gates.some(({ early }) => early !== undefined))) return
  const why = repeats ? 'rows cannot be repeated' : 'a run cannot end early'
  throw new TypeError(`Cannot evaluate: scorer "${ofSessions.name}" judges whole sessions, for which ${why}`)
}

/** A judge that nobody can answer is found out before anything is paid for. */
function requireReady(scorers: readonly Scorer[]): void {
  for (const scorer of scorers as readonly (Scorer & { requireReady?(): void })[]) scorer.requireReady?.()
}

const WISHES = new Map<string, boolean | 'force'>([
  ['1', true],
  ['true', true],
  ['0', false],
  ['false', false],
  ['force', 'force'],
])

function resumeWish(): boolean | 'force' | undefined {
  const wish = process.env.VITEST_EVALUATE_RESUME
  if (!wish) return undefined
  const meant = WISHES.get(wish)
  if (meant !== undefined) return meant
  const message = `Cannot evaluate: VITEST_EVALUATE_RESUME must be 1, 0 or force, found ${quote(wish)}${didYouMean(wish, WISHES.keys())}`
  throw new EvaluationError('CONFIG_INVALID', message)
}

function defined<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>
}

function jobRecord(job: Job | undefined): RunJob | undefined {
  if (!job) return undefined
  const { branch: _, target: __, base: ___, ...record } = job
  return record
}
