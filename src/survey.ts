import { didYouMean, EvaluationError, quote } from './errors.ts'
import type { UnitCount } from './queue.ts'
import type { Note, Registration } from './registration.ts'
import type { DeadLetter, MonitorState, MonitorStatus, ScorerStanding } from './status.ts'
import { nowMs } from './std/async.ts'
import type { Store } from './store.ts'

/** How far monitoring has come, read from a store. */

type Watched = Pick<Store, 'registrations' | 'countUnits' | 'units' | 'arrivals' | 'notes'>

/** Which scorers are asked about. */
export interface SurveyOptions {
  /** @default all of the store */
  readonly experiment?: string
  /** A registered scorer. @default all */
  readonly scorer?: string
  /** Gives nothing where nothing is registered by these names, instead of throwing: for whoever starts before anybody has registered anything. */
  readonly isLenient?: boolean
}

/** A monitor that has not been heard of for so long does not run any more. */
const SILENCE_MS = 60_000

/**
 * Says how far each registered scorer has come.
 * @throws EvaluationError SCORER_NOT_FOUND where no such scorer, or none at all, is registered in the experiment that is named
 */
export async function survey(store: Watched, options: SurveyOptions = {}): Promise<MonitorStatus> {
  const atMs = nowMs()
  const versions = await versionsOf(store, options)
  const counts = await store.countUnits([...versions.values()].flat().map(({ key }) => key))
  const scorers: ScorerStanding[] = []
  const oldest = new Map<string, number | undefined>()
  for (const all of versions.values()) {
    const keys = new Set(all.map(({ key }) => key))
    const registration = all.at(-1) as Registration
    const unseen = await unseenAt(store, registration, oldest)
    scorers.push(
      statusOf(
        registration,
        counts.filter(({ scorer }) => keys.has(scorer)),
        unseen,
        atMs,
      ),
    )
  }
  const { head } = await store.arrivals({ experiment: options.experiment ?? '', limit: 1 })
  const notes = await store.notes('monitor')
  return { atMs, head, scorers, monitors: notes.map((note) => monitorOf(note, atMs)) }
}

/** Gives when the first arrival came that a scorer has not looked at yet. Scorers mostly stand at the same place. */
async function unseenAt(
  store: Watched,
  { experiment, progress, sampleRate }: Registration,
  known: Map<string, number | undefined>,
): Promise<number | undefined> {
  if (sampleRate === 0) return undefined
  const key = JSON.stringify([experiment, progress.position])
  if (!known.has(key)) {
    const { items } = await store.arrivals({ experiment, after: progress.position, limit: 1 })
    known.set(key, items[0]?.at)
  }
  return known.get(key)
}

function statusOf(
  registration: Registration,
  counts: readonly UnitCount[],
  unseen: number | undefined,
  atMs: number,
): ScorerStanding {
  const of = (state: UnitCount['state']): readonly UnitCount[] => counts.filter((one) => one.state === state)
  const count = (state: UnitCount['state']): number => of(state).reduce((sum, one) => sum + one.count, 0)
  const retrying = of('waiting').reduce((sum, one) => sum + (one.retrying ?? 0), 0)
  // What is claimed is in hand until its lease ends; a stopped scorer's work is due for nobody.
  const due = registration.sampleRate === 0 ? [] : [...of('waiting'), ...of('claimed')].map(({ dueAt }) => dueAt)
  const since = [unseen, ...due].filter((time) => time !== undefined)
  return {
    registration,
    waiting: count('waiting') - retrying,
    retrying,
    claimed: count('claimed'),
    done: count('done'),
    dead: count('dead'),
    lagMs: Math.max(0, ...since.map((time) => atMs - time)),
  }
}

function monitorOf({ id, data }: Note, atMs: number): MonitorState {
  const { pid, host, startedAt, beatAt, scored } = data
  return {
    id,
    ...(typeof pid === 'number' && { pid }),
    ...(typeof host === 'string' && { host }),
    ...(typeof startedAt === 'number' && { startedMs: startedAt }),
    ...(typeof beatAt === 'number' && { beatMs: beatAt }),
    ...(typeof scored === 'number' && { scored }),
    isAlive: typeof beatAt === 'number' && atMs - beatAt < SILENCE_MS,
  }
}

/**
 * Gives work that failed too often.
 * @throws EvaluationError SCORER_NOT_FOUND as `survey`
 */
export async function deadLetters(
  store: Watched,
  { limit = 100, ...options }: SurveyOptions & { readonly limit?: number } = {},
): Promise<{ readonly letters: DeadLetter[]; readonly count: number }> {
  const all = [...(await versionsOf(store, options)).values()].flat()
  const byKey = new Map(all.map((one) => [one.key, one]))
  const scorers = [...byKey.keys()]
  const counts = await store.countUnits(scorers)
  const units = await store.units({ scorers, state: 'dead', limit })
  const letters = units.map(({ scorer, entity, attempts, crashed, error }) => {
    const { experiment, name, version, level } = byKey.get(scorer) as Registration
    return { experiment, scorer: name, version, level, entity, attempts, crashed, ...(error && { error }) }
  })
  const count = counts.filter(({ state }) => state === 'dead').reduce((sum, one) => sum + one.count, 0)
  return { letters, count }
}

/** Gives all versions of each registered scorer, the newest last. */
async function versionsOf(
  store: Pick<Store, 'registrations'>,
  { experiment, scorer, isLenient = false }: SurveyOptions,
): Promise<Map<string, Registration[]>> {
  const all = await store.registrations({ version: 'all' })
  const here = all.filter((one) => experiment === undefined || one.experiment === experiment)
  if (experiment !== undefined && here.length === 0 && !isLenient)
    requireKnown(
      'experiment',
      experiment,
      all.map((one) => one.experiment),
    )
  const found = here.filter(({ name }) => scorer === undefined || name === scorer)
  if (scorer !== undefined && found.length === 0 && !isLenient)
    requireKnown(
      'scorer',
      scorer,
      here.map(({ name }) => name),
    )
  return Map.groupBy(found, ({ experiment: where, name }) => JSON.stringify([where, name]))
}

function requireKnown(what: 'experiment' | 'scorer', name: string, known: readonly string[]): never {
  const names = [...new Set(known)]
  const problem =
    what === 'experiment' ? `no scorer is registered in ${quote(name)}` : `no scorer ${quote(name)} is registered`
  const listed = names.slice(0, 20).map(quote).join(', ')
  throw new EvaluationError(
    'SCORER_NOT_FOUND',
    `Cannot tell how monitoring stands: ${problem}${didYouMean(name, names)}`,
    {
      hint:
        names.length === 0
          ? 'register one and start it: scorer.register({ name }), then .start({ samplingConfig })'
          : `there ${names.length === 1 ? 'is' : 'are'} ${listed}`,
    },
  )
}
