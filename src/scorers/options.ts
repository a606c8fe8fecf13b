import { didYouMean, quote } from '../errors.ts'
import type { ScorerOptions } from '../scorer.ts'

/** What every ready scorer takes. */
export interface ReadyOptions extends Pick<ScorerOptions, 'name' | 'description' | 'aggregations' | 'version'> {
  /** The column's name. Needed where one list holds the same scorer twice. */
  readonly name?: string
  /**
   * Stands for the digest of the settings. Worth giving where a function or a schema among them calls code whose changes its own
   * source text does not show.
   */
  readonly version?: string
}

/** Checks one option. `what` starts the sentence: `Cannot make length(): "min"`. */
export type Rule = (value: unknown, what: string) => void

export type Rules<Options> = { readonly [Key in Exclude<keyof Options, keyof ReadyOptions>]-?: Rule }

/** Options with their defaults filled in. */
export type Settled<Options, Given> = Options & Required<Pick<Options, keyof Given & keyof Options>>

/**
 * Checks the options of a factory at once, and fills in what was left out. Options that are `undefined` count as left out.
 * @throws TypeError for an unknown option or a wrong kind of value, RangeError for a value out of bounds
 */
export function settle<Options extends ReadyOptions, Defaults extends Partial<Options> & { readonly name: string }>(
  factory: string,
  options: Options | undefined,
  defaults: Defaults,
  rules: Rules<Options>,
): Settled<Options, Defaults> {
  const where = `Cannot make ${factory}()`
  if (options !== undefined && (typeof options !== 'object' || options === null || Array.isArray(options))) {
    throw new TypeError(`${where}: options must be an object, found ${quote(options)}`)
  }
  const all: Readonly<Record<string, Rule>> = { ...READY_RULES, ...rules }
  const given = Object.entries(options ?? {}).filter(([, value]) => value !== undefined)
  for (const [key, value] of given) {
    const rule = Object.hasOwn(all, key) ? all[key] : undefined
    if (!rule) throw new TypeError(`${where}: unknown option "${key}"${didYouMean(key, Object.keys(all))}`)
    rule(value, `${where}: "${key}"`)
  }
  return { ...defaults, ...Object.fromEntries(given) } as unknown as Settled<Options, Defaults>
}

export const flag: Rule = (value, what) => {
  if (typeof value !== 'boolean') throw new TypeError(`${what} must be true or false, found ${quote(value)}`)
}

export const word: Rule = (value, what) => {
  if (typeof value !== 'string') throw new TypeError(`${what} must be a string, found ${quote(value)}`)
  if (value === '') throw new RangeError(`${what} must not be empty`)
}

export const callback: Rule = (value, what) => {
  if (typeof value !== 'function') throw new TypeError(`${what} must be a function, found ${quote(value)}`)
}

/** A finite number from 0. */
export const amount: Rule = (value, what) => {
  if (typeof value !== 'number') throw new TypeError(`${what} must be a number, found ${quote(value)}`)
  if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
    throw new RangeError(`${what} must be a finite number from 0, found ${value}`)
  }
}

/** An integer from `least`. */
export function integer(least: number): Rule {
  return (value, what) => {
    if (typeof value !== 'number') throw new TypeError(`${what} must be a number, found ${quote(value)}`)
    if (!Number.isSafeInteger(value) || value < least) {
      throw new RangeError(`${what} must be an integer from ${least}, found ${value}`)
    }
  }
}

export function oneOf(choices: readonly string[]): Rule {
  return (value, what) => {
    if (typeof value !== 'string') throw new TypeError(`${what} must be a string, found ${quote(value)}`)
    if (!choices.includes(value)) {
      const known = choices.map(quote).join(', ')
      throw new RangeError(`${what} must be one of ${known}, found ${quote(value)}${didYouMean(value, choices)}`)
    }
  }
}

/** `aggregations` is left to `scorer()`, which knows them. */
const READY_RULES: Readonly<Record<keyof ReadyOptions, Rule>> = {
  name: word,
  description: word,
  aggregations: () => {},
  version: word,
}
