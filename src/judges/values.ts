import { quote } from '../errors.ts'
import type { StandardSchema } from '../source.ts'

/** What a judge may say, and how it is told so. */

/**
 * The values that a judge may give: `'boolean'`; `'number'` or a range, ends included; a list of categories; or a schema that knows its
 * own JSON Schema (zod: `z.boolean()`, `z.number().min(1).max(5)`, `z.enum([…])`).
 */
export type FeedbackValueType = 'boolean' | 'number' | NumberRange | readonly string[] | StandardSchema

/** Numbers from `min` to `max`, both included; whole ones only where `integer` says so. */
export interface NumberRange {
  readonly min?: number
  readonly max?: number
  readonly integer?: boolean
}

/** A value type, settled. */
export type Domain =
  | { readonly kind: 'boolean' }
  | { readonly kind: 'number'; readonly min?: number; readonly max?: number; readonly integer?: boolean }
  | { readonly kind: 'category'; readonly choices: readonly string[] }

/** The words of every ready judge. */
export const YES_NO: Domain = { kind: 'category', choices: ['yes', 'no'] }

/**
 * Settles a value type.
 * @param what starts the sentence: `Cannot make makeJudge(): "feedbackValueType"`
 * @throws TypeError for what is no value type, RangeError for a range or a list that nothing fits
 */
export function domainOf(type: unknown, what: string): Domain {
  if (type === 'boolean') return { kind: 'boolean' }
  if (type === 'number') return { kind: 'number' }
  if (Array.isArray(type)) return categories(type, what)
  const standard = (type as { '~standard'?: unknown } | null | undefined)?.['~standard']
  if (standard !== undefined) return fromSchema(standard, what)
  if (typeof type === 'object' && type !== null) {
    const odd = Object.keys(type).find((key) => !['min', 'max', 'integer'].includes(key))
    if (odd === undefined && Object.keys(type).length > 0) return range(type, what)
  }
  const wanted = "'boolean', 'number', { min, max, integer }, a list of strings or a schema"
  throw new TypeError(`${what} must be ${wanted}, found ${quote(type)}`)
}

/** Gives the value type of a domain as plain data, also where it was a schema. */
export function valueTypeOf(domain: Domain): FeedbackValueType {
  if (domain.kind === 'category') return domain.choices
  const { kind, ...range } = domain
  return Object.keys(range).length > 0 ? range : kind
}

function categories(list: readonly unknown[], what: string): Domain {
  const odd = list.find((item) => typeof item !== 'string' || item === '')
  if (odd !== undefined)
    throw new TypeError(`${what} must be a list of strings that are not empty, found ${quote(odd)}`)
  if (new Set(list).size !== list.length) throw new RangeError(`${what} has a category twice`)
  if (list.length < 2) throw new RangeError(`${what} must have two categories at least, found ${list.length}`)
  return { kind: 'category', choices: list as readonly string[] }
}

function range({ min, max, integer }: NumberRange, what: string): Domain {
  for (const [key, value] of Object.entries({ min, max })) {
    if (value !== undefined && !Number.isFinite(value))
      throw new TypeError(`${what}: "${key}" must be a finite number, found ${quote(value)}`)
  }
  if (integer !== undefined && typeof integer !== 'boolean')
    throw new TypeError(`${what}: "integer" must be true or false, found ${quote(integer)}`)
  if (min !== undefined && max !== undefined && min >= max)
    throw new RangeError(`${what}: "min" must be less than "max", found ${min} and ${max}`)
  return {
    kind: 'number',
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(integer && { integer }),
  }
}

/** https://standardschema.dev/json-schema: what zod has from 4.2 on, without its being loaded here. */
function fromSchema(standard: unknown, what: string): Domain {
  const { jsonSchema } = standard as { jsonSchema?: { input?: (options: { target: string }) => unknown } }
  if (typeof jsonSchema?.input !== 'function')
    throw new TypeError(`${what} is a schema that does not know its own JSON Schema (zod does from 4.2 on)`)
  const schema = jsonSchema.input({ target: 'draft-2020-12' }) as JsonSchema
  const words = schema.enum ?? schema.anyOf?.map((one) => one.const)
  if (words?.every((word) => typeof word === 'string')) return categories(words, what)
  if (schema.type === 'boolean') return { kind: 'boolean' }
  if ((schema.type === 'number' || schema.type === 'integer') && schema.const === undefined && !schema.enum) {
    const { minimum: min, maximum: max } = schema
    const beyond = schema.exclusiveMinimum ?? schema.exclusiveMaximum ?? schema.multipleOf
    if (beyond !== undefined) throw new TypeError(`${what}: a number may have a minimum and a maximum, nothing more`)
    // An integer schema brings the bounds of safe integers along, which are none to tell a model.
    const bound = (value: number | undefined) =>
      value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : undefined
    const [low, high] = [bound(min), bound(max)]
    return range(
      {
        ...(low !== undefined && { min: low }),
        ...(high !== undefined && { max: high }),
        ...(schema.type === 'integer' && { integer: true }),
      },
      what,
    )
  }
  throw new TypeError(`${what} must be a schema of a boolean, a number or an enum of strings`)
}

interface JsonSchema {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly JsonSchema[]
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly multipleOf?: number
}

/** Gives the JSON Schema of a domain. */
export function domainSchema(domain: Domain): Readonly<Record<string, unknown>> {
  switch (domain.kind) {
    case 'boolean':
      return { type: 'boolean' }
    case 'category':
      return { type: 'string', enum: domain.choices }
    case 'number':
      return {
        type: domain.integer ? 'integer' : 'number',
        ...(domain.min !== undefined && { minimum: domain.min }),
        ...(domain.max !== undefined && { maximum: domain.max }),
      }
  }
}

/** Says in words what a domain holds: `"yes" or "no"`, `a whole number from 1 to 5`. */
export function domainText(domain: Domain): string {
  switch (domain.kind) {
    case 'boolean':
      return 'true or false'
    case 'category': {
      const words = domain.choices.map((choice) => JSON.stringify(choice))
      return words.length === 2 ? words.join(' or ') : `one of ${words.join(', ')}`
    }
    case 'number': {
      const { min, max, integer } = domain
      const bounds = `${min === undefined ? '' : ` from ${min}`}${max === undefined ? '' : min === undefined ? ` up to ${max}` : ` to ${max}`}`
      return `a ${integer ? 'whole ' : ''}number${bounds}`
    }
  }
}

/** Why a value is not one of a domain. */
export type ValueFault = 'SCHEMA_MISMATCH' | 'OFF_MENU' | 'OUT_OF_RANGE'

/** Gives the kind of fault, or undefined for a value of the domain. No text is turned into a number or a boolean. */
export function valueFault(domain: Domain, value: unknown): ValueFault | undefined {
  switch (domain.kind) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'SCHEMA_MISMATCH'
    case 'category':
      if (typeof value !== 'string') return 'SCHEMA_MISMATCH'
      return domain.choices.includes(value) ? undefined : 'OFF_MENU'
    case 'number': {
      if (typeof value !== 'number') return 'SCHEMA_MISMATCH'
      const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, integer } = domain
      return Number.isFinite(value) && value >= min && value <= max && (!integer || Number.isInteger(value))
        ? undefined
        : 'OUT_OF_RANGE'
    }
  }
}
