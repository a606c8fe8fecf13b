import { resolve } from 'node:path'
import { AGGREGATIONS } from './column.ts'
import { didYouMean, EvaluationError, messageOf, quote } from './errors.ts'
import { currentHost } from './host.ts'
import { loadModule } from './load.ts'
import { openStore } from './place.ts'
import { describe, fileOf, textDigest } from './recipe.ts'
import { registered, unavailable } from './registered.ts'
import type { Registration, ScorerRecipe } from './registration.ts'
import { isScorer, type RegisteredScorer, type Scorer, type ScorerArgs, type ScorerResult } from './scorer.ts'
import type { Store } from './store.ts'

/** Making registered scorers again, from what a store knows of them. */

/** Where a scorer is made again. */
export interface RestoreOptions {
  /** Where paths of modules start. @default the project's root, else the working directory */
  readonly root?: string
  /** Where the registration is. @default as for `evaluate` */
  readonly store?: string | Store
}

/** A scorer that has been made again. */
export interface Restored {
  readonly scorer: RegisteredScorer
  /** One sentence where it may not be what was registered. */
  readonly notice?: string
}

/**
 * Makes the scorer of a registration again: a ready one by its factory, one of code by loading its module.
 * @throws EvaluationError MODULE_NOT_FOUND, MODULE_INVALID, EXPORT_NOT_FOUND; SCORER_INVALID when what is there now is no such scorer
 */
export async function restoreScorer(registration: Registration, options: RestoreOptions = {}): Promise<Restored> {
  const settings = currentHost()?.settings
  const { name, recipe } = registration
  const root = resolve(options.root ?? settings?.root ?? process.cwd())
  const store = openStore(options.store, settings)
  const where = `Cannot make scorer ${quote(name)} again`
  const made = recipe.kind === 'module' ? await fromModule(recipe, root, where) : await fromFactory(recipe, where)
  if ((made.level ?? 'trace') !== registration.level)
    throw new EvaluationError(
      'SCORER_INVALID',
      `${where}: it scored ${registration.level}s, and scores ${made.level ?? 'trace'}s now`,
      {
        hint: 'register it again',
      },
    )
  const notice = noticeOf(registration, made, root)
  return { scorer: registered(made, registration, store), ...(notice !== undefined && { notice }) }
}

/** As `restoreScorer`; where that is not possible, gives one that says why when it is to score. */
export async function restoreOrStub(registration: Registration, options: RestoreOptions): Promise<RegisteredScorer> {
  try {
    return (await restoreScorer(registration, options)).scorer
  } catch (fault) {
    const store = openStore(options.store, currentHost()?.settings)
    return registered(unavailable(registration, fault), registration, store)
  }
}

/** Gives the scorer of a registration to whoever manages it: what is code is loaded when it is to score, and not before. */
export async function restoreLater(registration: Registration, options: RestoreOptions): Promise<RegisteredScorer> {
  const { name, level, description, aggregations, digest, recipe } = registration
  if (recipe.kind !== 'module') return restoreOrStub(registration, options)
  let loading: Promise<Restored> | undefined
  const score = async (args: ScorerArgs): Promise<ScorerResult> => {
    loading ??= restoreScorer(registration, options)
    const { scorer } = await loading
    return scorer.score(args)
  }
  const later = {
    name,
    level,
    ...(description !== undefined && { description }),
    ...(aggregations && { aggregations: aggregations.filter(isAggregation) }),
    version: digest,
    score,
  }
  return registered(later as unknown as Scorer, registration, openStore(options.store, currentHost()?.settings))
}

/** Those that are functions are known by their names only. */
function isAggregation(name: string): name is (typeof AGGREGATIONS)[number] {
  return (AGGREGATIONS as readonly string[]).includes(name)
}

type ModuleRecipe = Extract<ScorerRecipe, { kind: 'module' }>
type FactoryRecipe = Exclude<ScorerRecipe, ModuleRecipe>

async function fromModule({ module, export: exported }: ModuleRecipe, root: string, where: string): Promise<Scorer> {
  const file = fileOf(module, root, where)
  const exports = await loadModule(file, root)
  const found = Object.hasOwn(exports, exported) ? exports[exported] : undefined
  if (isScorer(found)) return found
  const names = Object.keys(exports).filter((key) => isScorer(exports[key]))
  const what =
    found === undefined
      ? `has no export ${quote(exported)}`
      : `exports ${quote(found)} as ${quote(exported)}, which is no scorer`
  throw new EvaluationError(
    'EXPORT_NOT_FOUND',
    `${where}: module ${quote(module)} ${what}${didYouMean(exported, names)}`,
    {
      hint: names.length > 0 ? `scorers that it exports: ${names.join(', ')}` : 'it exports no scorers',
    },
  )
}

type Factory = (...args: unknown[]) => Scorer

async function fromFactory({ kind, factory, options }: FactoryRecipe, where: string): Promise<Scorer> {
  // A judge that comes back has to find its models.
  if (kind === 'judge') await import('./supply.ts')
  const factories: Readonly<Record<string, unknown>> =
    kind === 'judge' ? await import('./judges/catalogue.ts') : await import('./scorers/catalogue.ts')
  const make = Object.hasOwn(factories, factory) ? factories[factory] : undefined
  if (typeof make !== 'function')
    throw new EvaluationError(
      'SCORER_INVALID',
      `${where}: there is no ${kind} ${quote(factory)}${didYouMean(factory, Object.keys(factories))}`,
      {
        hint: 'it was registered by another version of this package',
      },
    )
  try {
    return (make as Factory)(...(await argumentsOf(factory, options)))
  } catch (cause) {
    throw new EvaluationError('SCORER_INVALID', `${where}: ${messageOf(cause)}`, { cause })
  }
}

/** Most factories take their options and nothing else. */
async function argumentsOf(factory: string, options: Readonly<Record<string, unknown>>): Promise<unknown[]> {
  if (factory === 'panel') {
    const { judge, ...rest } = options as { judge: { factory: string; options: Record<string, unknown> } }
    return [await fromFactory({ kind: 'judge', ...judge }, 'Cannot make the judge of a panel again'), rest]
  }
  if (factory === 'jsonSchema') {
    const { schema, ...rest } = options
    return [schema, rest]
  }
  return [options]
}

/** A module, or this package, may have changed since. */
function noticeOf(registration: Registration, made: Scorer, root: string): string | undefined {
  const { name, recipe, digest } = registration
  if (recipe.kind === 'module') return changeOf(registration, root)
  if (describe(made, {}, root, '').digest === digest) return undefined
  return `Scorer ${quote(name)}: ${recipe.factory}() judges otherwise than when it was registered, by another version of this package; ${AGAIN}`
}

const AGAIN = 'register it again to make that a version of its own'

/** Says that the module of a registered scorer is another one by now; undefined where it is not, or there is none. */
export function changeOf({ name, recipe }: Registration, root: string): string | undefined {
  if (recipe.kind !== 'module') return undefined
  const now = textDigest(fileOf(recipe.module, root, 'Cannot look at a module'), 'Cannot look at a module')
  if (now === recipe.digest) return undefined
  return `Scorer ${quote(name)}: module ${quote(recipe.module)} has changed since it was registered; ${AGAIN}`
}
