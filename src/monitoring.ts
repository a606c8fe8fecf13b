import './enrol.ts'
import { resolve } from 'node:path'
import { EvaluationError, quote } from './errors.ts'
import { experimentName } from './experiment.ts'
import { currentHost } from './host.ts'
import type { RegistryOptions } from './lifecycle.ts'
import { loadModule } from './load.ts'
import { storeToRead } from './open.ts'
import { fileOf } from './recipe.ts'
import { scorerNotFound } from './registered.ts'
import { requireKnown, requireName } from './registrar.ts'
import { restoreLater } from './restore.ts'
import { isScorer, type RegisteredScorer, type Scorer } from './scorer.ts'
import type { Store } from './store.ts'

/** The door to production monitoring: registered scorers by name. */

export { type AnchorCheck, type AnchorColumn, type AnchorOptions, checkAnchors } from './anchors.ts'
export {
  type ArchivalOptions,
  type ArchivalRecord,
  type ArchivalReport,
  archiveTraces,
  disableTraceArchival,
  enableTraceArchival,
  listArchivals,
} from './archiving.ts'
export {
  type BackfillJob,
  type BackfillOptions,
  type BackfillPlan,
  type BackfillRecord,
  type BackfillScorerConfig,
  backfillScorers,
  listBackfills,
  planBackfillScorers,
  resumeBackfill,
} from './backfills.ts'
export type { Drift, DriftOptions, DriftVerdict } from './drift.ts'
export type {
  Registered,
  RegisterOptions,
  RegistryOptions,
  SamplingConfig as ScorerSamplingConfig,
  SamplingOptions,
  ScorerPlace,
  ScorerStatus,
} from './lifecycle.ts'
export { type MonitorOptions, monitorTraces, type ScoringOptions } from './overseer.ts'
export {
  type ReceiveOptions,
  type Receiver,
  type ReceiverCounts,
  type ReceiverLimits,
  receiveTraces,
} from './receiver.ts'
export type { Registration, ScorerProgress, ScorerRecipe } from './registration.ts'
export { type Restored, type RestoreOptions, restoreScorer } from './restore.ts'
export type { RegisteredScorer } from './scorer.ts'
export { type ReadQualityOptions, readDeadLetters, readQuality, readStatus } from './seen.ts'
export type { JudgeSeries, QualityColumn, QualityReport, QualityWindow } from './series.ts'
export type { DeadLetter, MonitorState, MonitorStatus, ScorerStanding } from './status.ts'

/** Which registered scorer is meant. */
export interface ScorerQuery extends RegistryOptions {
  readonly name: string
  /** @default the newest */
  readonly version?: number
}

/**
 * Gives a registered scorer by its name. One that cannot be made again here, because its module is gone, still comes, and says so when it is to score.
 * @throws EvaluationError SCORER_NOT_FOUND, with the names that are registered; STORE_…
 */
export async function getScorer(query: ScorerQuery): Promise<RegisteredScorer> {
  const where = 'Cannot get a scorer'
  const { name, version, store, experiment } = read(query, ['name', 'version'], where)
  requireName(name, where)
  requireVersion(version, where)
  const [found] = await store.registrations({ experiment, name, ...(version !== undefined && { version }) })
  if (!found) throw await notFound(name, version, experiment, store)
  return restoreLater(found, { store })
}

/** Which dead letters are meant. */
export interface DeadLetterQuery extends RegistryOptions {
  /** The registered name. @default all scorers of the experiment */
  readonly scorer?: string
  /** Only work on this trace or session. */
  readonly traceId?: string
}

/**
 * Lets what has failed too often be tried again: a monitor takes it up.
 * @returns how much work there was
 * @throws as `getScorer`
 */
export async function replayDeadLetters(query: DeadLetterQuery = {}): Promise<number> {
  const { store, experiment, scorer, traceId } = read(query, ['scorer', 'traceId'], 'Cannot replay dead letters')
  const found = await store.registrations({ experiment, version: 'all', ...(scorer !== undefined && { name: scorer }) })
  if (found.length === 0 && scorer !== undefined) throw await scorerNotFound(scorer, experiment, store)
  return store.revive(
    found.map(({ key }) => key),
    traceId,
  )
}

/** Gives the newest version of every scorer that is registered in an experiment, by name. @throws EvaluationError STORE_… */
export async function listScorers(query: RegistryOptions = {}): Promise<RegisteredScorer[]> {
  const { store, experiment } = read(query, [], 'Cannot list scorers')
  const found = await store.registrations({ experiment })
  return Promise.all(found.map((one) => restoreLater(one, { store })))
}

/**
 * Gives all versions of a registered scorer, the oldest first. Sampling belongs to the name: all of them show the same, and the newest is the one that runs.
 * @throws as `getScorer`
 */
export async function listScorerVersions(query: Omit<ScorerQuery, 'version'>): Promise<RegisteredScorer[]> {
  const where = 'Cannot list the versions of a scorer'
  const { name, store, experiment } = read(query, ['name'], where)
  requireName(name, where)
  const found = await store.registrations({ experiment, name, version: 'all' })
  if (found.length === 0) throw await scorerNotFound(name, experiment, store)
  return Promise.all(found.map((one) => restoreLater(one, { store })))
}

/**
 * Removes a registered scorer with its work that is not done yet, or one version of it: the newest one left then runs with the same sampling. What it has said of traces
 * stays. Without `version` all of them go.
 * @throws as `getScorer`
 */
export async function deleteScorer(query: ScorerQuery): Promise<void> {
  const where = 'Cannot delete a scorer'
  const { name, version, store, experiment } = read(query, ['name', 'version'], where)
  requireName(name, where)
  requireVersion(version, where)
  const count = await store.deleteScorer(experiment, name, version)
  if (count === 0) throw await notFound(name, version, experiment, store)
}

/**
 * Registers every scorer that a module exports, each under its own name: what `monitor` and `backfill` load. A scorer that is not an export of its own (in a list, made
 * by a function) is left out.
 *
 * @example
 * const scorers = await registerScorers('scorers.ts')
 * @param module `import.meta.url` or a path from the project's root
 * @throws TypeError where two of them have one name
 * @throws EvaluationError MODULE_NOT_FOUND, MODULE_INVALID; EXPORT_NOT_FOUND where it exports none; STORE_…
 */
export async function registerScorers(
  module: string | URL,
  options: RegistryOptions = {},
): Promise<RegisteredScorer[]> {
  const where = `Cannot register the scorers of ${quote(String(module))}`
  requireKnown(options, ['experiment', 'store'], where)
  const root = resolve(currentHost()?.settings.root ?? process.cwd())
  const file = fileOf(module, root, where)
  const found = scorersOf(await loadModule(file, root))
  if (found.size === 0) {
    throw new EvaluationError('EXPORT_NOT_FOUND', `${where}: it exports no scorer`, {
      hint: 'export what scorer(…), a judge or new YourScorer() gives',
    })
  }
  const names = new Map<string, string>()
  for (const [scorer, key] of found) {
    const other = names.get(scorer.name)
    if (other !== undefined)
      throw new TypeError(`${where}: ${quote(other)} and ${quote(key)} are both called ${quote(scorer.name)}`)
    names.set(scorer.name, key)
  }
  const registered: RegisteredScorer[] = []
  for (const [scorer, key] of found) registered.push(await scorer.register({ ...options, module: file, export: key }))
  return registered
}

/** Gives the scorers of a module with the first name of each. */
function scorersOf(exports: Readonly<Record<string, unknown>>): Map<Scorer, string> {
  const found = new Map<Scorer, string>()
  for (const [key, value] of Object.entries(exports)) {
    if (isScorer(value) && !found.has(value)) found.set(value, key)
  }
  return found
}

interface Settled {
  readonly store: Store
  readonly experiment: string
}

function read<Query extends RegistryOptions>(
  query: Query,
  keys: readonly string[],
  where: string,
): Omit<Query, 'store' | 'experiment'> & Settled {
  if (typeof query !== 'object' || query === null)
    throw new TypeError(`${where}: expected { ${[...keys, 'experiment'].join(', ')} }, found ${quote(query)}`)
  requireKnown(query, [...keys, 'experiment', 'store'], where)
  const { store, experiment } = query
  return {
    ...query,
    store: storeToRead(store === undefined ? {} : { store }),
    experiment: experimentName(experiment, currentHost()?.settings),
  }
}

function requireVersion(version: unknown, where: string): void {
  if (version !== undefined && !(Number.isSafeInteger(version) && (version as number) > 0))
    throw new RangeError(`${where}: "version" must be a whole number from 1, found ${quote(version)}`)
}

async function notFound(
  name: string,
  version: number | undefined,
  experiment: string,
  store: Store,
): Promise<EvaluationError> {
  const versions = version === undefined ? [] : await store.registrations({ experiment, name, version: 'all' })
  if (versions.length === 0) return scorerNotFound(name, experiment, store)
  const known = versions.map((one) => one.version).join(', ')
  const message = `Scheduled scorer ${quote(name)} has no version ${version} in experiment ${quote(experiment)}`
  return new EvaluationError('SCORER_NOT_FOUND', message, { hint: `it has ${known}` })
}
