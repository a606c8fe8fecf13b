import type { AnchorCheck } from './anchor.ts'
import { anchorName, anchorRuns, anchorSet, anchorTags, readAnchorCheck } from './anchoring.ts'
import { EvaluationError, quote } from './errors.ts'
import { experimentName } from './experiment.ts'
import { currentHost } from './host.ts'
import { isJudge } from './judge.ts'
import { type OpenOptions, storeToRead } from './open.ts'
import type { EvaluateOptions } from './options.ts'
import { placeOf, scorerNotFound } from './registered.ts'
import { requireKnown } from './registrar.ts'
import type { Registration } from './registration.ts'
import { restoreScorer } from './restore.ts'
import type { Row } from './row.ts'
import type { Scorer } from './scorer.ts'
import { nowMs } from './std/async.ts'
import { unitHash } from './std/random.ts'
import { type Store, toTrace } from './store.ts'
import { evaluate } from './workspace.ts'

export type { AnchorCheck, AnchorColumn } from './anchor.ts'

/** The door to anchors: traces of which a judge is asked again and again, so that a judge that has changed is told from an app that has. */

/** Which judges are checked, and by what. */
export interface AnchorOptions
  extends OpenOptions,
    Pick<EvaluateOptions, 'judgeModel' | 'budget' | 'prices' | 'maxConcurrency' | 'signal'> {
  /** Registered names. @default every judge of traces that is started */
  readonly scorers?: readonly string[]
  /** @default the experiment in force */
  readonly experiment?: string
  /** How many traces are chosen where there are no anchors yet. @default 100 */
  readonly traces?: number
  /** Chooses other traces: what was said of the earlier ones is no measure any more. @default false */
  readonly renew?: boolean
  /** Where paths of modules start. @default the project's root, else the working directory */
  readonly root?: string
}

const KNOWN = ['store', 'scorers', 'experiment', 'traces', 'renew', 'root']
const PASSED_ON = ['judgeModel', 'budget', 'prices', 'maxConcurrency', 'signal'] as const
/** Fewer show nothing. */
const LEAST = 10
const MONTH_MS = 30 * 86_400_000
const PAGE = 2_000
/** So many ids are asked for at once. */
const AT_ONCE = 200

/**
 * Asks registered judges again about the same traces, without their kept answers, and holds what they say against what they said first: a model
 * behind an address may change without a word. The first call chooses the traces, at random among those of the last 30 days that the judge has spoken of, and
 * keeps copies; every call is an evaluation of its own, which can be shown and compared.
 *
 * @example
 * const [check] = await checkAnchors({ scorers: ['english'] })
 * if (check?.verdict === 'changed') console.error(check.columns)
 * @throws TypeError, RangeError for options that do not fit
 * @throws EvaluationError SCORER_NOT_FOUND; TRACE_NOT_FOUND where too few traces were judged; CONFIG_INVALID for scorers of sessions; MODULE_…, STORE_…
 */
export async function checkAnchors(options: AnchorOptions = {}): Promise<AnchorCheck[]> {
  const where = 'Cannot check anchors'
  requireKnown(options, [...KNOWN, ...PASSED_ON], where)
  const { traces = 100 } = options
  if (!Number.isSafeInteger(traces) || traces < LEAST)
    throw new RangeError(`${where}: "traces" must be an integer from ${LEAST}, found ${quote(traces)}`)
  const store = storeToRead(options)
  const experiment = options.experiment ?? experimentName(undefined, currentHost()?.settings)
  const checks: AnchorCheck[] = []
  for (const one of await chosen(store, experiment, options, where)) {
    checks.push(await check(store, one, { ...options, traces }))
  }
  return checks
}

interface Checked {
  readonly registration: Registration
  readonly scorer: Scorer
}

async function chosen(
  store: Store,
  experiment: string,
  { scorers: names, root }: AnchorOptions,
  where: string,
): Promise<Checked[]> {
  const all = await store.registrations({ experiment })
  const made = async (registration: Registration): Promise<Checked> => {
    const { scorer } = await restoreScorer(registration, { ...(root !== undefined && { root }), store })
    return { registration, scorer }
  }
  if (!names) {
    const started = all.filter(({ level, sampleRate }) => level === 'trace' && sampleRate > 0)
    // What a module exports shows only when it is loaded.
    const judges = (await Promise.all(started.map(made))).filter(({ scorer }) => isJudge(placeOf(scorer)?.base))
    if (judges.length > 0) return judges
    throw new EvaluationError(
      'SCORER_NOT_FOUND',
      `${where}: no judge of traces is started in experiment ${quote(experiment)}`,
      { hint: 'name scorers to check others, as in vitest-evaluate monitor anchors polite' },
    )
  }
  const found: Checked[] = []
  for (const name of names) {
    const registration = all.find((one) => one.name === name)
    if (!registration) throw await scorerNotFound(name, experiment, store)
    if (registration.level === 'session')
      throw new EvaluationError('CONFIG_INVALID', `${where}: ${quote(name)} judges sessions, and anchors are traces`)
    found.push(await made(registration))
  }
  return found
}

type Settled = AnchorOptions & { readonly traces: number }

async function check(store: Store, { registration, scorer }: Checked, options: Settled): Promise<AnchorCheck> {
  const { experiment, name } = registration
  const earlier = options.renew ? [] : await anchorRuns(store, experiment, name)
  const first = earlier.at(-1)
  const set = (first && anchorSet(first)) ?? new Date(nowMs()).toISOString()
  const rows = first ? await rowsAgain(store, first.id) : await chooseRows(store, registration, options.traces)
  await evaluate(rows, [scorer], {
    ...Object.fromEntries(PASSED_ON.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]]))),
    name: anchorName(name),
    experiment,
    store,
    tags: anchorTags(name, set),
    cache: false,
    resume: false,
    baseline: false,
    allowFailed: true,
    minScored: 0,
  })
  const made = await readAnchorCheck(store, experiment, name)
  if (made) return made
  throw new EvaluationError('RUN_NOT_FOUND', `Cannot check the anchors of ${quote(name)}: its run has not finished`)
}

async function rowsAgain(store: Store, runId: string): Promise<Row[]> {
  const rows: Row[] = []
  for await (const stored of store.search({ runId }))
    rows.push({ id: stored.trial?.rowId ?? stored.trace.id, trace: toTrace(stored) })
  return rows
}

/** Gives copies of traces that the scorer has spoken of: those whose hashes are smallest, which is a sample of all. */
async function chooseRows(store: Store, { experiment, name, version }: Registration, most: number): Promise<Row[]> {
  const best = new Map<string, number>()
  const cut = (): void => {
    const kept = [...best].sort(([, a], [, b]) => a - b).slice(0, most)
    best.clear()
    for (const [id, hash] of kept) best.set(id, hash)
  }
  const query = { experiment, scorers: [name], fromMs: nowMs() - MONTH_MS, limit: PAGE }
  let page = await store.scores(query)
  for (;;) {
    for (const { traceId, value, error, version: by } of page.items)
      if (value !== undefined && !error && by === version) best.set(traceId, unitHash('anchors', traceId))
    cut()
    if (!page.next) break
    page = await store.scores({ ...query, after: page.next })
  }
  if (best.size < LEAST) {
    throw new EvaluationError(
      'TRACE_NOT_FOUND',
      `Cannot choose anchors of ${quote(name)}: it has judged ${best.size} traces of the last 30 days, and ${LEAST} are needed`,
      { hint: `vitest-evaluate backfill ${name} lets it judge more` },
    )
  }
  const ids = [...best.keys()]
  const rows: Row[] = []
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    for await (const stored of store.search({ traceIds: ids.slice(at, at + AT_ONCE) })) {
      const trace = toTrace(stored)
      // With a tag of its own a row is a copy: the trace stays what it is, whatever becomes of the anchors.
      rows.push({ id: trace.id, trace, tags: { ...trace.tags, 'vitest-evaluate.anchorOf': trace.id } })
    }
  }
  return rows
}
