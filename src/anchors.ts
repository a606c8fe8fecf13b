import type { AnchorCheck } from './anchor.ts'
import { anchorName, anchorRuns, anchorSet, anchorTags, LEAST_ANCHORS, readAnchorCheck } from './anchoring.ts'
import { EvaluationError, quote } from './errors.ts'
import { isJudge } from './judge.ts'
import { type OpenOptions, storeToRead } from './open.ts'
import type { EvaluateOptions } from './options.ts'
import { placeOf, scorerNotFound } from './registered.ts'
import { requireKnown } from './registrar.ts'
import type { Registration } from './registration.ts'
import { type Restored, restoreScorer } from './restore.ts'
import type { Row } from './row.ts'
import { experimentOf } from './seen.ts'
import { nowMs } from './std/async.ts'
import { newTraceId, unitHash } from './std/random.ts'
import { plural } from './std/text.ts'
import { type Store, toTrace } from './store.ts'
import { Trace } from './trace.ts'
import { evaluate } from './workspace.ts'

export type { AnchorCheck, AnchorColumn } from './anchor.ts'

/** The door to anchors: traces of which a judge is asked again and again, so that a judge that has changed is told from an app that has. */

/** Which judges are checked, and by what. */
export interface AnchorOptions
  extends OpenOptions,
    Pick<EvaluateOptions, 'judgeModel' | 'budget' | 'prices' | 'maxConcurrency' | 'signal'> {
  /** Registered names. @default every judge of traces that is started */
  readonly scorers?: readonly string[]
  /** @default the only experiment with registered scorers, else the one in force */
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
const MONTH_MS = 30 * 86_400_000
const PAGE = 2_000
/** So many ids are asked for at once. */
const AT_ONCE = 200

/**
 * Asks registered judges again about the same traces, without their kept answers, and holds what they say against what they said first: a model
 * behind an address may change without a word. The first call chooses the traces, at random among those of the last 30 days that the judge has spoken of, and
 * keeps copies; every call is an evaluation of its own, which can be shown and compared. A budget is each judge's own.
 *
 * A judge that cannot be asked, or has judged too few traces, has its `problem` said, and the others are checked all the same.
 *
 * @example
 * const [check] = await checkAnchors({ scorers: ['english'] })
 * if (check?.verdict === 'changed') console.error(check.columns)
 * @throws TypeError, RangeError for options that do not fit
 * @throws EvaluationError SCORER_NOT_FOUND; CONFIG_INVALID for scorers of sessions; STORE_NOT_READABLE; RUN_INTERRUPTED on abort
 */
export async function checkAnchors(options: AnchorOptions = {}): Promise<AnchorCheck[]> {
  const where = 'Cannot check anchors'
  requireKnown(options, [...KNOWN, ...PASSED_ON], where)
  const { traces = 100 } = options
  if (!Number.isSafeInteger(traces) || traces < LEAST_ANCHORS)
    throw new RangeError(`${where}: "traces" must be an integer from ${LEAST_ANCHORS}, found ${quote(traces)}`)
  const { scorers } = options
  if (scorers !== undefined && !(Array.isArray(scorers) && scorers.every((name) => typeof name === 'string')))
    throw new TypeError(`${where}: "scorers" must be a list of names, found ${quote(scorers)}`)
  const store = storeToRead(options)
  const experiment = options.experiment ?? (await experimentOf(store))
  const checks: AnchorCheck[] = []
  for (const registration of await chosen(store, experiment, options, where)) {
    try {
      checks.push(await check(store, registration, { ...options, traces }))
    } catch (thrown) {
      // What one judge lacks is no reason to leave the others out.
      if (!(thrown instanceof EvaluationError) || options.signal?.aborted) throw thrown
      const { name } = registration
      checks.push({ scorer: name, verdict: 'unknown', problem: thrown.message, traces: 0, columns: [], errors: 0 })
    }
  }
  return checks
}

async function chosen(
  store: Store,
  experiment: string,
  { scorers: names, root }: AnchorOptions,
  where: string,
): Promise<Registration[]> {
  const all = await store.registrations({ experiment })
  if (!names) {
    const started = all.filter(({ level, sampleRate }) => level === 'trace' && sampleRate > 0)
    // What a module exports shows only when it is loaded; what cannot be loaded is said.
    const isWanted = await Promise.all(
      started.map((one) =>
        restored(one, store, root).then(
          ({ scorer }) => isJudge(placeOf(scorer)?.base),
          () => true,
        ),
      ),
    )
    const judges = started.filter((_, i) => isWanted[i])
    if (judges.length > 0) return judges
    throw new EvaluationError(
      'SCORER_NOT_FOUND',
      `${where}: no judge of traces is started in experiment ${quote(experiment)}`,
      { hint: 'name scorers to check others, as in vitest-evaluate monitor anchors polite' },
    )
  }
  const found: Registration[] = []
  for (const name of names) {
    const registration = all.find((one) => one.name === name)
    if (!registration) throw await scorerNotFound(name, experiment, store)
    if (registration.level === 'session')
      throw new EvaluationError('CONFIG_INVALID', `${where}: ${quote(name)} judges sessions, and anchors are traces`)
    found.push(registration)
  }
  return found
}

function restored(registration: Registration, store: Store, root: string | undefined): Promise<Restored> {
  return restoreScorer(registration, { ...(root !== undefined && { root }), store })
}

type Settled = AnchorOptions & { readonly traces: number }

async function check(store: Store, registration: Registration, options: Settled): Promise<AnchorCheck> {
  const { experiment, name, version } = registration
  const { scorer, notice } = await restored(registration, store, options.root)
  const earlier = options.renew ? [] : await anchorRuns(store, experiment, name)
  const first = earlier.at(-1)
  const set = (first && anchorSet(first)) ?? new Date(nowMs()).toISOString()
  const rows = first ? await rowsAgain(store, first.id) : await chooseRows(store, registration, options.traces, set)
  await evaluate(rows, [scorer], {
    ...Object.fromEntries(PASSED_ON.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]]))),
    name: anchorName(name),
    experiment,
    store,
    tags: anchorTags(name, version, set),
    cache: false,
    resume: false,
    gates: false,
    allowFailed: true,
    minScored: 0,
  })
  const made = await readAnchorCheck(store, registration)
  if (!made)
    throw new EvaluationError('RUN_NOT_FOUND', `Cannot check the anchors of ${quote(name)}: its run has not finished`)
  return notice === undefined ? made : { ...made, notice }
}

async function rowsAgain(store: Store, runId: string): Promise<Row[]> {
  const rows: Row[] = []
  for await (const stored of store.search({ runId }))
    rows.push({ id: stored.trial?.rowId ?? stored.trace.id, trace: toTrace(stored) })
  return rows
}

/** Gives copies of traces that the scorer has spoken of: those whose hashes are smallest, which is a sample of all. */
async function chooseRows(
  store: Store,
  { experiment, name, version }: Registration,
  most: number,
  set: string,
): Promise<Row[]> {
  const best = new Map<string, number>()
  const cut = (): void => {
    // Some may be gone, or have failed.
    const kept = [...best].sort(([, a], [, b]) => a - b).slice(0, 2 * most)
    best.clear()
    for (const [id, hash] of kept) best.set(id, hash)
  }
  const query = { experiment, scorers: [name], fromMs: nowMs() - MONTH_MS, limit: PAGE }
  let page = await store.scores(query)
  for (;;) {
    for (const { traceId, value, error, version: by } of page.items)
      if (value !== undefined && !error && by === version) best.set(traceId, unitHash(`anchors ${set}`, traceId))
    cut()
    if (!page.next) break
    page = await store.scores({ ...query, after: page.next })
  }
  const rows: Row[] = []
  const ids = [...best.keys()]
  for (let at = 0; at < ids.length && rows.length < most; at += AT_ONCE) {
    const wanted = ids.slice(at, at + AT_ONCE)
    const found = new Map<string, Trace>()
    for await (const stored of store.search({ traceIds: wanted })) found.set(stored.trace.id, toTrace(stored))
    // In the order of their hashes, not of their times.
    const traces = wanted.map((id) => found.get(id)).filter((trace) => trace !== undefined && trace.status !== 'ERROR')
    rows.push(...traces.slice(0, most - rows.length).map((trace) => copyOf(trace as Trace)))
  }
  if (rows.length >= LEAST_ANCHORS) return rows
  throw new EvaluationError(
    'TRACE_NOT_FOUND',
    `Cannot choose anchors of ${quote(name)}: it has judged ${plural(rows.length, 'trace')} of the last 30 days, and ${LEAST_ANCHORS} are needed`,
    { hint: `vitest-evaluate backfill ${name} lets it judge more` },
  )
}

/** A trace of its own, and of no session: the other one stays what it is, whatever becomes of the anchors. */
function copyOf({ id, sessionId: _, runId: __, rowId: ___, ...trace }: Trace): Row {
  const tags = { ...trace.tags, 'vitest-evaluate.anchorOf': id }
  return { id, trace: new Trace({ ...trace, id: newTraceId(), tags, assessments: [] }) }
}
