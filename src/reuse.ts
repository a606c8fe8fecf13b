import { EvaluationError, quote } from './errors.ts'
import type { Assessment, Feedback } from './feedback.ts'
import { withoutUsage } from './meter.ts'
import type { RunCode, RunNotice, RunRecord } from './run.ts'
import type { Scorer } from './scorer.ts'
import { isAlive } from './std/alive.ts'
import type { Store, StoredTrace } from './store.ts'
import { scorerVersion } from './version.ts'

/** What an earlier run has of a row: its answer, and the Feedback of the scorers that are still the same. */
export interface Reusable {
  readonly stored: StoredTrace
  /** By scorer; a scorer that had nothing to say has an empty list. */
  readonly feedback: ReadonlyMap<string, readonly Feedback[]>
}

interface Place {
  readonly source: RunRecord
  readonly index: number
  readonly repeat: number
}

const PAGE = 200

/**
 * The finished cells of earlier runs, so that they are not paid again. Rows are found by their id; what they hold is read page by page,
 * in the order in which it is asked for.
 */
export class Reuse {
  readonly #store: Store
  readonly #places: ReadonlyMap<string, Place>
  readonly #scorers: readonly Scorer[]
  readonly #versions: ReadonlyMap<string, string>
  #page: { readonly source: string; readonly from: number; readonly found: Promise<readonly StoredTrace[]> } | undefined

  private constructor(store: Store, places: ReadonlyMap<string, Place>, scorers: readonly Scorer[]) {
    this.#store = store
    this.#places = places
    this.#scorers = scorers
    this.#versions = new Map(scorers.map((scorer) => [scorer.name, scorerVersion(scorer)]))
  }

  /** Makes it of runs, the newest first; a row that several have is taken from the newest. */
  static async of(store: Store, sources: readonly RunRecord[], scorers: readonly Scorer[]): Promise<Reuse> {
    const places = new Map<string, Place>()
    for (const source of sources) {
      for (const { rowId, index, repeat, status } of await store.trials(source.id)) {
        const key = keyOf(rowId, repeat)
        if (status === 'ok' && !places.has(key)) places.set(key, { source, index, repeat })
      }
    }
    return new Reuse(store, places, scorers)
  }

  /** Gives what there is of a row, or undefined where its predict has never succeeded. */
  async find(rowId: string, repeat: number): Promise<Reusable | undefined> {
    const place = this.#places.get(keyOf(rowId, repeat))
    const isIt = ({ trial }: StoredTrace): boolean => trial?.index === place?.index && trial?.repeat === place?.repeat
    const stored = place && (await this.#read(place)).find(isIt)
    if (!place || !stored) return undefined
    const feedback = new Map<string, readonly Feedback[]>()
    for (const { name } of this.#scorers) {
      const kept = keptFeedback(place.source, stored.assessments, name, this.#versions.get(name))
      if (kept) feedback.set(name, kept)
    }
    return { stored, feedback }
  }

  #read({ source, index }: Place): Promise<readonly StoredTrace[]> {
    const page = this.#page
    const times = source.repeats?.times ?? 1
    if (page?.source === source.id && index >= page.from && index < page.from + PAGE) return page.found
    const query = { runId: source.id, fromIndex: index, limit: PAGE * times }
    const found = Array.fromAsync(this.#store.search(query))
    this.#page = { source: source.id, from: index, found }
    return found
  }
}

function keyOf(rowId: string, repeat: number): string {
  return `${repeat}\0${rowId}`
}

/** The Feedback of one scorer on one row, unless the scorer has changed, was not there, or failed. */
function keptFeedback(
  source: RunRecord,
  assessments: readonly Assessment[],
  scorer: string,
  version: string | undefined,
): Feedback[] | undefined {
  if (source.scorers.find(({ name }) => name === scorer)?.version !== version) return undefined
  const given = assessments.filter((one) => one.kind === 'feedback' && one.scorer === scorer && one.valid)
  if (given.some(({ error }) => error)) return undefined
  return given.map(({ name, value, rationale, source: by, metadata, spanId }) => ({
    name,
    source: by,
    ...(value !== undefined && { value: value as NonNullable<Feedback['value']> }),
    ...(rationale !== undefined && { rationale }),
    // Paid by the run that it comes from.
    ...(metadata && { metadata: withoutUsage(metadata) }),
    ...(spanId !== undefined && { spanId }),
  }))
}

type Next = Pick<RunRecord, 'name' | 'experiment' | 'test'>

/** What an evaluation may take over. */
export interface Takeover {
  /** Newest first. */
  readonly sources: readonly RunRecord[]
  /** What is worth knowing of that. */
  readonly notices: readonly RunNotice[]
}

/**
 * Gives the runs that an evaluation of this name and test file resumes.
 * @throws EvaluationError RESUME_REFUSED when the code is not the one that they evaluated, unless it is forced
 */
export async function takeover(store: Store, next: Next, code: Promise<RunCode>, forced: boolean): Promise<Takeover> {
  const { sources, notices } = await resumable(store, next, (run) => isAlive(run.process, run.startedAt))
  const [newest] = sources
  return { sources, notices: newest ? [...notices, ...codeNotices(newest, await code, forced)] : notices }
}

/**
 * Gives the runs whose cells an evaluation of this name and test file may take over: the newest one, and where that one was cut off, those that it had
 * taken over itself.
 * @param isAlive tells whether a run's process is still at work on it; undefined where that is not known
 */
export async function resumable(
  store: Store,
  { name, experiment, test }: Next,
  isAlive: (run: RunRecord) => boolean | undefined,
): Promise<Takeover> {
  const all = (await store.listRuns({ name, experiment })).filter((run) => run.test?.file === test?.file)
  const isGoing = (run: RunRecord): boolean => run.status === 'running' && isAlive(run) === true
  const runs = all.filter((run) => !isGoing(run))
  const sources: RunRecord[] = []
  for (let run = runs[0]; run; ) {
    sources.push(run)
    const { resumedFrom }: RunRecord = run
    run = run.status === 'finished' ? undefined : runs.find(({ id }) => id === resumedFrom)
  }
  const going = all.filter(isGoing).map(({ id, process: { pid, host } }): RunNotice => {
    const message = `${id} of this name is still going (process ${pid} on ${quote(host)}): none of its cells could be taken over`
    return { code: 'STILL_RUNNING', message }
  })
  // To read what it has finished does no harm, whatever has become of it.
  const perhaps = sources
    .filter(({ status }) => status === 'running')
    .filter((run) => isAlive(run) === undefined)
    .map(({ id, process: { host } }): RunNotice => {
      const message = `finished cells of ${id} were taken over, which may still be going on ${quote(host)}: of another machine nothing is known here`
      return { code: 'PERHAPS_RUNNING', message }
    })
  return { sources, notices: [...going, ...perhaps] }
}

/**
 * Gives what is worth knowing of cells that are taken over: that another code made them. Whoever takes them over from here in turn is told too.
 * @throws EvaluationError RESUME_REFUSED when the code is not the one that the run evaluated, unless it is forced
 */
export function codeNotices(run: RunRecord, now: RunCode, forced: boolean): RunNotice[] {
  const then = run.code ?? {}
  // The test's own file is left out where that can be told: predict and scorers have digests of their own, and to add a scorer is no change of the app.
  const sameAround = then.around !== undefined && then.around === now.around
  const changes = [
    then.predict !== now.predict && 'the predict function has changed',
    !sameAround && then.commit !== now.commit && `the commit was ${short(then.commit)} and is ${short(now.commit)}`,
    !sameAround && then.commit === now.commit && then.changes !== now.changes && 'the working tree has changed',
  ].filter((change) => change !== false)
  const earlier = (run.notices ?? []).filter(({ code }) => code === 'CODE_CHANGED')
  if (changes.length === 0) return earlier
  if (forced) {
    const message = `finished cells of ${run.id} were taken over by force: ${changes.join(', ')}`
    return [...earlier, { code: 'CODE_CHANGED', message }]
  }
  throw new EvaluationError(
    'RESUME_REFUSED',
    `Cannot resume ${quote(run.name)} from ${run.id}: ${changes.join(', ')}`,
    {
      hint: "resume: 'force' (or VITEST_EVALUATE_RESUME=force) takes its finished cells over all the same; without resume everything is evaluated again",
    },
  )
}

function short(commit: string | undefined): string {
  return commit === undefined ? 'unknown' : commit.slice(0, 8)
}
