import { existsSync } from 'node:fs'
import { extname, relative, resolve } from 'node:path'
import { findBaseline } from './baseline.ts'
import type { Column } from './column.ts'
import { clustersOf } from './comparison.ts'
import { ask, type StoredRun, sheetFor } from './decide.ts'
import type { EarlyTest } from './early.ts'
import { EvaluationError, quote } from './errors.ts'
import { estimateMean } from './estimate.ts'
import { runEvaluation } from './evaluate.ts'
import { findRun } from './find.ts'
import type { BaselineNote, GateSpec } from './finding.ts'
import type { Gate } from './gate.ts'
import { toGates } from './gates/index.ts'
import type { Settings } from './host.ts'
import { DEFAULTS, type EvaluateOptions } from './options.ts'
import { Reuse } from './reuse.ts'
import type { RunRecord } from './run.ts'
import type { Scorer } from './scorer.ts'
import type { Sheet } from './sheet.ts'
import { jobOf } from './std/ci.ts'
import { LEVEL } from './std/stats.ts'
import type { Store } from './store.ts'
import { TraceSet } from './traceset.ts'
import { scorerVersion } from './version.ts'

/** Judges a run at its end by the gates that were set at its start. */

/** The gates of an evaluation: its own, and those that the plugin sets for every run that has their column. */
export interface Rules {
  readonly own: readonly Gate[]
  readonly common: readonly Gate[]
}

/** @throws TypeError, RangeError for a gate that cannot be one */
export function rulesOf(options: EvaluateOptions, settings: Settings = {}): Rules {
  const inconclusive = options.inconclusive ?? wish('INCONCLUSIVE', ['warn', 'fail']) ?? settings.inconclusive
  const shared = inconclusive ? { inconclusive } : {}
  if (options.gates === false) return { own: [], common: [] }
  const own = toGates(options.gates ?? [], shared)
  const named = new Set(own.map(({ spec }) => spec.metric.replace(/\/mean$/, '')))
  const common = toGates(settings.gates ?? {}, shared)
  if (own.some(({ spec }) => spec.early !== undefined) && (options.repeats ?? 1) > 1) {
    throw new RangeError(
      'Cannot evaluate: a gate with "early" needs rows that are evaluated once, and "repeats" is set',
    )
  }
  return { own, common: common.filter(({ spec }) => !named.has(spec.metric.replace(/\/mean$/, ''))) }
}

/** Error rates of an early stop, each way, unless its gate says otherwise. */
const EARLY_ALPHA = 0.05

/** Gives the tests that may end a run early. */
export function earlyOf(gates: readonly GateSpec[]): EarlyTest[] {
  return gates.flatMap(({ metric, value, early, alpha = EARLY_ALPHA }) =>
    early === undefined || value === undefined
      ? []
      : [{ column: metric.replace(/\/mean$/, ''), good: value, bad: early, alpha }],
  )
}

/** What a referee has to know of an evaluation. */
export interface Match {
  readonly rules: Rules
  readonly options: EvaluateOptions
  readonly settings: Settings | undefined
  readonly store: Store
  /** Where baselines are: with shards not in the store of one. */
  readonly shelf: Store
  readonly scorers: readonly Scorer[]
  /** The evaluation that is about to begin. */
  readonly next: Pick<RunRecord, 'name' | 'experiment' | 'test'>
}

type Judge = (run: RunRecord) => Promise<Partial<RunRecord>>

/**
 * Finds what a run is going to be held against, before it begins, and gives what judges it at its end; undefined where there is nothing to judge.
 * @throws EvaluationError for a baseline that was named and is not there
 */
export async function referee(match: Match): Promise<Judge | undefined> {
  const { rules, store, options } = match
  const gates = [...rules.own, ...rules.common]
  if (gates.length === 0 && options.cluster === undefined) return undefined
  const { run: baseline, note } = gates.some(({ compares }) => compares) ? await baselineOf(match) : nothing
  const rescored = baseline && (await scoredAgain(baseline, match))
  return async (record) => {
    const held = [...rules.own, ...applicable(rules.common, record)]
    if (held.length === 0 && record.cluster === undefined) return {}
    const sheet = await sheetFor(held, { record, store })
    const columns = clusteredColumns(record, sheet)
    if (held.length === 0) return { columns }
    const findings = await ask(held, sheet, { baseline: rescored ?? baseline, without: note?.note })
    return { columns, gates: held.map(({ spec }) => spec), findings, ...(note && { baseline: noteOf(note, rescored) }) }
  }
}

/** The columns of a run with intervals that count clusters, where it has any. */
function clusteredColumns({ columns, cluster }: RunRecord, sheet: Sheet): readonly Column[] {
  if (cluster === undefined) return columns
  return columns.map((column): Column => {
    const { interval: _, ...rest } = column
    const values = sheet.columns.get(column.name)?.values
    if (!values || (column.kind !== 'boolean' && column.kind !== 'number')) return column
    const rows = sheet.rows.filter((_, place) => !Number.isNaN(values[place]))
    const { interval } = estimateMean(
      values.filter((value) => !Number.isNaN(value)),
      { alpha: (1 - LEVEL) / 2, clusters: clustersOf(rows) },
    )
    return { ...rest, ...(interval && { interval }) }
  })
}

interface Opponent {
  readonly run?: StoredRun | undefined
  readonly note?: BaselineNote
}

const nothing: Opponent = {}

async function baselineOf({ options, settings, shelf, next }: Match): Promise<Opponent> {
  const env = process.env.VITEST_EVALUATE_BASELINE
  // How the first baseline is made, where one is asked for.
  const which = env === 'none' ? false : (options.baseline ?? (env || settings?.baseline))
  if (which === false) return { note: { how: 'none', note: 'none is wanted' } }
  if (typeof which === 'string') {
    const root = settings?.root ?? process.cwd()
    const file = fileOf(which, root)
    const run = await findRun(file ?? which, () => shelf)
    const name = file === undefined ? which : relative(root, file)
    return { run, note: { how: 'given', runId: run.id, ...(file && { file }), note: `given as ${name}` } }
  }
  if (which !== undefined) return { run: which, note: { how: 'given', runId: which.record.id, note: 'given' } }
  const job = jobOf(process.env)
  const { run, note } = await findBaseline(
    shelf,
    { ...next, id: '' },
    {
      folder: settings?.root ?? process.cwd(),
      target: options.targetBranch ?? job?.target ?? settings?.targetBranch,
      base: job?.base,
    },
  )
  return { run: run && { record: run, store: shelf }, note }
}

/** Gives the file that a baseline is, if it is one; its path is Vitest's root's. @throws EvaluationError RUN_NOT_FOUND */
function fileOf(which: string, root: string): string | undefined {
  if (extname(which) === '') return undefined
  const path = [resolve(root, which), resolve(which)].find(existsSync)
  if (path !== undefined) return path
  throw new EvaluationError('RUN_NOT_FOUND', `Cannot open the baseline ${quote(which)}: there is no such file`, {
    hint: `evaluate once with VITEST_EVALUATE_BASELINE=none, then make it: vitest-evaluate export latest ${which}`,
  })
}

/** Gates of the plugin hold where their column is; elsewhere they are another evaluation's business. */
function applicable(gates: readonly Gate[], { columns }: RunRecord): Gate[] {
  const names = new Set(columns.map(({ name }) => name))
  return gates.filter(({ spec: { kind, metric } }) => {
    return kind === 'budget' || names.has(metric) || names.has(metric.slice(0, metric.lastIndexOf('/')))
  })
}

/** Scores a baseline's answers by the scorers of today, where any of them has changed; what has not is taken over. */
async function scoredAgain(baseline: StoredRun, { options, scorers, store }: Match): Promise<StoredRun | undefined> {
  const { record, store: from } = baseline
  const wanted = options.rescore ?? Boolean(wish('RESCORE', ['1', 'true']))
  const isSame = ({ name, version }: RunRecord['scorers'][number]): boolean => {
    const now = scorers.find((scorer) => scorer.name === name)
    return !now || scorerVersion(now) === version
  }
  if (!wanted || record.scorers.every(isSame)) return undefined
  const again = await runEvaluation({
    data: new TraceSet(async () => from, { runId: record.id }),
    count: record.totals.rows,
    scorers,
    store,
    parentRunId: record.id,
    name: record.name,
    experiment: record.experiment,
    ...(record.code && { code: record.code }),
    ...(record.test && { test: record.test }),
    ...(record.repeats && { repeats: { ...record.repeats, times: 1 } }),
    ...(record.cluster !== undefined && { cluster: record.cluster }),
    reuse: await Reuse.of(from, [record], scorers),
    tags: { ...record.tags, rescored: record.id },
    selection: {},
    tolerance: { allowFailed: Number.POSITIVE_INFINITY, minScored: 0 },
    maxConcurrency: options.maxConcurrency ?? DEFAULTS.maxConcurrency,
    predictTimeoutMs: 0,
    scorerTimeoutMs: options.scorerTimeoutMs ?? DEFAULTS.scorerTimeoutMs,
    retries: 0,
    signal: options.signal,
    host: record.process.host,
  })
  return { record: again, store }
}

function noteOf(note: BaselineNote, rescored: StoredRun | undefined): BaselineNote {
  if (!rescored) return note
  return { ...note, runId: rescored.record.id, note: `${note.note}, scored again` }
}

function wish<T extends string>(name: string, values: readonly T[]): T | undefined {
  return values.find((value) => value === process.env[`VITEST_EVALUATE_${name}`])
}
