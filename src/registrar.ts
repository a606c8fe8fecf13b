import { didYouMean, EvaluationError, quote } from './errors.ts'
import { experimentName } from './experiment.ts'
import { parseFilter } from './grammar.ts'
import { currentHost } from './host.ts'
import type { RegisterOptions, SamplingConfig, SamplingOptions, ScorerPlace } from './lifecycle.ts'
import { isLoading } from './load.ts'
import { openStore } from './place.ts'
import { describe } from './recipe.ts'
import { type Place, placeOf, registered, scorerNotFound } from './registered.ts'
import type { Registration, RegistrationWrite, ScorerSamplingConfig } from './registration.ts'
import { restoreLater } from './restore.ts'
import type { RegisteredScorer, Scorer } from './scorer.ts'
import { nowMs } from './std/async.ts'

/** What the methods of scorers do. Loaded when one of them is called. */

export async function register(given: object, options: RegisterOptions): Promise<RegisteredScorer> {
  const before = placeOf(given)
  const scorer = before?.base ?? (given as Scorer)
  const name = options?.name ?? (given as Scorer).name
  const where = `Cannot register scorer ${quote(name)}`
  requireKnown(options, ['name', 'experiment', 'store', 'module', 'export'], where)
  requireName(name, where)
  requireOutside(where)
  const settings = currentHost()?.settings
  const store = openStore(options.store ?? before?.store, settings)
  const experiment = experimentName(options.experiment, settings)
  const recipe = before && options.module === undefined && options.export === undefined ? sameRecipe(before) : undefined
  const described = recipe ?? describe(scorer, options, settings?.root ?? process.cwd(), where)
  const write = writeOf(scorer, { name, experiment, ...described })
  return registered(scorer, await store.registerScorer(write), store)
}

/** A registered scorer is registered elsewhere as what it is. */
function sameRecipe({ registration: { recipe, digest } }: Place): Pick<RegistrationWrite, 'recipe' | 'digest'> {
  return { recipe, digest }
}

function writeOf(
  { level = 'trace', description, aggregations }: Scorer,
  known: Pick<RegistrationWrite, 'name' | 'experiment' | 'recipe' | 'digest'>,
): RegistrationWrite {
  return {
    ...known,
    level,
    ...(description !== undefined && { description }),
    ...(aggregations && { aggregations: aggregations.map((one) => (typeof one === 'string' ? one : one.name)) }),
    registeredAt: nowMs(),
  }
}

/** Whoever looks at scorers, or scores, loads their modules: that must not change what is registered. */
function requireOutside(where: string): void {
  if (!isLoading()) return
  throw new EvaluationError('MODULE_INVALID', `${where}: its module is being loaded for its scorers just now`, {
    hint: 'keep scorers in a module that only exports them, and register and start them from another one',
  })
}

export function start(scorer: object, options: SamplingOptions): Promise<RegisteredScorer> {
  return configure('start', scorer, options, (config, where) => {
    const { sampleRate = 1 } = config
    if (sampleRate === 0)
      throw new RangeError(`${where}: "sampleRate" must be above 0, found 0\nHint: stop() is what stops a scorer`)
    return { ...config, sampleRate }
  })
}

export function update(scorer: object, options: SamplingOptions): Promise<RegisteredScorer> {
  return configure('update', scorer, options, (config, where) => {
    if (config.sampleRate === undefined && config.filterString === undefined)
      throw new TypeError(`${where}: "samplingConfig" must have a "sampleRate" or a "filterString", found neither`)
    return config
  })
}

export function stop(scorer: object, place: ScorerPlace): Promise<RegisteredScorer> {
  return configure('stop', scorer, { ...place, samplingConfig: { sampleRate: 0 } }, (config) => config)
}

async function remove(scorer: object, place: ScorerPlace): Promise<RegisteredScorer> {
  requireKnown(place, ['name', 'experiment'], `Cannot delete scorer ${quote((scorer as Scorer).name)}`)
  const found = await placed('delete', scorer, place)
  const { store, registration, base } = found
  await store.deleteScorer(registration.experiment, registration.name)
  return registered(base, registration, store, 'DELETED')
}

export { remove as delete }

async function configure(
  action: string,
  scorer: object,
  options: SamplingOptions,
  check: (config: SamplingConfig, where: string) => SamplingConfig,
): Promise<RegisteredScorer> {
  const where = `Cannot ${action} scorer ${quote((scorer as Scorer).name)}`
  requireKnown(options, ['samplingConfig', 'name', 'experiment'], where)
  const config = check(requireSampling(options?.samplingConfig, where), where)
  requireOutside(where)
  const { store, registration, base } = await placed(action, scorer, options)
  const { name, experiment, key } = registration
  const now = await store.configureScorer(experiment, name, toStore(config))
  if (!now) throw gone(action, registration)
  // Sampling belongs to the name, and the newest version is the one that runs.
  return now.key === key ? registered(base, now, store) : restoreLater(now, { store })
}

/** An explicit undefined takes a filter away in the store, for which people write null. */
function toStore({ sampleRate, filterString }: SamplingConfig): ScorerSamplingConfig {
  return {
    ...(sampleRate !== undefined && { sampleRate }),
    ...(filterString !== undefined && { filterString: filterString ?? undefined }),
  }
}

/** Gives where a scorer stands. @throws TypeError where it is not registered */
async function placed(action: string, scorer: object, { name, experiment }: ScorerPlace): Promise<Place> {
  const place = placeOf(scorer)
  const own = (scorer as Scorer).name
  const where = `Cannot ${action} scorer ${quote(own)}`
  if (name !== undefined) requireName(name, where)
  const registration = place?.registration
  const isOther =
    (name !== undefined && name !== registration?.name) ||
    (experiment !== undefined && experiment !== registration?.experiment)
  if (isOther && (place || name !== undefined)) {
    const settings = currentHost()?.settings
    const store = place?.store ?? openStore(undefined, settings)
    const wanted = {
      name: name ?? own,
      experiment: experiment ?? registration?.experiment ?? experimentName(undefined, settings),
    }
    const [found] = await store.registrations(wanted)
    if (!found) throw await scorerNotFound(wanted.name, wanted.experiment, store)
    const restored = await restoreLater(found, { store })
    return placeOf(restored) as Place
  }
  if (!place) {
    const hint = `await ${own}.register() gives an instance that can, and getScorer({ name }) one of a scorer that is registered already`
    throw new TypeError(`${where}: it is not registered\nHint: ${hint}`)
  }
  const versions = await place.store.registrations({ ...nameOf(place.registration), version: 'all' })
  if (!versions.some(({ key }) => key === place.registration.key)) throw gone(action, place.registration)
  return place
}

function nameOf({ name, experiment }: Registration): Pick<Registration, 'name' | 'experiment'> {
  return { name, experiment }
}

function gone(action: string, { name, experiment, version }: Registration): EvaluationError {
  const message = `Cannot ${action} scorer ${quote(name)}: version ${version} in experiment ${quote(experiment)} has been deleted`
  return new EvaluationError('SCORER_NOT_FOUND', message, { hint: 'register it again' })
}

function requireSampling(config: SamplingConfig | undefined, where: string): SamplingConfig {
  if (typeof config !== 'object' || config === null)
    throw new TypeError(`${where}: "samplingConfig" must be { sampleRate, filterString }, found ${quote(config)}`)
  requireKnown(config, ['sampleRate', 'filterString'], where)
  const { sampleRate, filterString } = config
  if (sampleRate !== undefined) {
    if (typeof sampleRate !== 'number')
      throw new TypeError(`${where}: "sampleRate" must be a number from 0 to 1, found ${quote(sampleRate)}`)
    if (!(sampleRate >= 0 && sampleRate <= 1))
      throw new RangeError(`${where}: "sampleRate" must be from 0 to 1, found ${sampleRate}`)
  }
  if (filterString !== undefined && filterString !== null) {
    if (typeof filterString !== 'string')
      throw new TypeError(`${where}: "filterString" must be a string, or null for none, found ${quote(filterString)}`)
    parseFilter(filterString)
  }
  return config
}

/** @throws TypeError for an option that there is not */
export function requireKnown(options: object | undefined, known: readonly string[], where: string): void {
  if (options === undefined) return
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${where}: options must be an object, found ${quote(options)}`)
  const unknown = Object.keys(options).find((key) => !known.includes(key))
  if (unknown !== undefined) throw new TypeError(`${where}: unknown option "${unknown}"${didYouMean(unknown, known)}`)
}

export function requireName(name: unknown, where: string): asserts name is string {
  if (typeof name !== 'string' || name.trim() === '')
    throw new TypeError(`${where}: "name" must be a string that is not empty, found ${quote(name)}`)
}
