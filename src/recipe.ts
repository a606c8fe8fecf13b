import { existsSync, readFileSync } from 'node:fs'
import { isAbsolute, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EvaluationError, messageOf, quote } from './errors.ts'
import { type Origin, originOf } from './lifecycle.ts'
import type { ScorerRecipe } from './registration.ts'
import type { Scorer } from './scorer.ts'
import { canonical, sha256 } from './std/json.ts'

/** Saying of a scorer how it is made again elsewhere: by a factory's name with plain data, or by module and export. */

/** The module that a scorer comes from, as its registration is told. */
export interface ScorerModule {
  readonly module?: string | URL | undefined
  readonly export?: string | undefined
}

interface Described {
  readonly recipe: ScorerRecipe
  /** Tells versions of the scorer apart, on every machine alike. */
  readonly digest: string
}

/**
 * Gives a scorer's recipe and its digest.
 * @param where starts the sentence: `Cannot register scorer "concise"`
 * @throws TypeError for code without a module; EvaluationError MODULE_NOT_FOUND
 */
export function describe(scorer: Scorer, given: ScorerModule, root: string, where: string): Described {
  const origin = originOf(scorer) ?? { kind: 'code' }
  if (given.module !== undefined || given.export !== undefined) return fromModule(scorer, origin, given, root, where)
  if (origin.kind === 'code') {
    const what = 'it is made of code, which is never stored'
    throw new TypeError(`${where}: ${what}\nHint: export it from a module, and add ${moduleHint(scorer.name)}`)
  }
  return fromFactory(origin, where)
}

function moduleHint(name: string): string {
  const isWord = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)
  return `{ module: import.meta.url, export: '${isWord ? name : 'name'}' }`
}

function fromModule(scorer: Scorer, origin: Origin, given: ScorerModule, root: string, where: string): Described {
  const { module, export: exported } = given
  if (module === undefined)
    throw new TypeError(`${where}: "export" needs a "module"\nHint: ${moduleHint(exported ?? scorer.name)}`)
  if (!(module instanceof URL) && (typeof module !== 'string' || module === ''))
    throw new TypeError(`${where}: "module" must be import.meta.url or the path of a file, found ${quote(module)}`)
  if (typeof exported !== 'string' || exported === '')
    throw new TypeError(
      `${where}: "export" must be the name under which the module exports it, found ${quote(exported)}`,
    )
  const file = fileOf(module, root, where)
  const recipe = {
    kind: 'module',
    module: placeOf(file, root),
    export: exported,
    digest: textDigest(file, where),
  } as const
  // Of a function's or a class's own text no digest is the same however it is loaded; the module's is.
  const own = origin.digest ?? (typeof scorer === 'function' ? undefined : scorer.version)
  return { recipe, digest: digestOf(['module', exported, own ?? recipe.digest, modelOf(origin, recipe.digest)]) }
}

/** A model that is code is only told by its module. */
function modelOf({ options }: Origin, digest: string): unknown {
  const { model } = options ?? {}
  return model === undefined || typeof model === 'string' ? model : digest
}

/** What does not change a judgement. */
const OUTWARD = ['name', 'description', 'aggregations', 'timeoutMs', 'version']

function fromFactory({ kind, factory = '', options = {}, digest }: Origin, where: string): Described {
  const plainOptions = plain(options, '', where, kind) as Record<string, unknown>
  const recipe = { kind: kind as 'judge' | 'scorer', factory, options: plainOptions }
  if (plainOptions.version !== undefined) return { recipe, digest: digestOf(['version', plainOptions.version]) }
  const inward = Object.fromEntries(Object.entries(plainOptions).filter(([key]) => !OUTWARD.includes(key)))
  return { recipe, digest: digestOf([factory, digest, inward]) }
}

/** Where an option of a judge, or of a member of a panel, names a model. */
const MODEL = /^(judge\.)*(model|models\[\d+\])$/

/** Gives options as data that any process can be given. @throws TypeError that names the option which is none */
function plain(value: unknown, path: string, where: string, kind: string): unknown {
  // A client has a key somewhere, however plain it looks.
  if (MODEL.test(path) && typeof value !== 'string') throw refused(value, path, where, kind)
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return value
  if (Array.isArray(value)) return value.map((item, i) => plain(item, `${path}[${i}]`, where, kind))
  const inner = typeof value === 'function' ? originOf(value) : undefined
  if (inner && inner.kind === 'judge') {
    const { factory, options, digest } = inner
    return { factory, digest, options: plain(options ?? {}, path, where, kind) }
  }
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined)
    return Object.fromEntries(
      entries.map(([key, item]) => [key, plain(item, path === '' ? key : `${path}.${key}`, where, kind)]),
    )
  }
  throw refused(value, path, where, kind)
}

function refused(value: unknown, path: string, where: string, kind: string): TypeError {
  const hint = `export the ${kind} from a module, and add { module: import.meta.url, export: 'name' }`
  const wanted = MODEL.test(path) ? 'an address such as "openai:/gpt-4.1-mini"' : 'plain data'
  return new TypeError(
    `${where}: "${path}" must be ${wanted} for other processes to make it, found ${quote(value)}\nHint: ${hint}`,
  )
}

function digestOf(parts: readonly unknown[]): string {
  return sha256(canonical(parts.map((part) => part ?? null))).slice(0, 16)
}

/** Gives the path of a module that somebody named by URL or path. */
export function fileOf(module: string | URL, root: string, where: string): string {
  const isUrl = module instanceof URL || /^[a-z][a-z\d+.-]+:/i.test(module)
  let file: string
  try {
    file = isUrl ? fileURLToPath(new URL(module)) : resolve(root, module)
  } catch (cause) {
    throw new TypeError(
      `${where}: "module" must be import.meta.url or the path of a file, found ${quote(String(module))}`,
      {
        cause,
      },
    )
  }
  if (existsSync(file)) return file
  throw new EvaluationError('MODULE_NOT_FOUND', `${where}: there is no module ${quote(file)}`)
}

/** The digest of a module's text. */
export function textDigest(file: string, where: string): string {
  try {
    return sha256(readFileSync(file, 'utf8')).slice(0, 16)
  } catch (cause) {
    throw new EvaluationError(
      'MODULE_NOT_FOUND',
      `${where}: module ${quote(file)} cannot be read: ${messageOf(cause)}`,
      {
        cause,
      },
    )
  }
}

/** From the root with forward slashes, so that it is found on other machines; absolute outside of it. */
function placeOf(file: string, root: string): string {
  const path = relative(root, file)
  const outside = path.startsWith('..') || isAbsolute(path)
  return outside ? file : path.split(sep).join('/')
}
