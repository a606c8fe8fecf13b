import { hash } from 'node:crypto'
import { types } from 'node:util'
import { messageOf, quote } from '../errors.ts'

/**
 * Text form of JavaScript data, one step wider than JSON: what JSON would drop or change (`undefined`, BigInt, NaN,
 * infinities, -0, Date, RegExp, Map, Set, bytes) is written as `{"$type": …}` and read back as it was. Objects of a class become
 * their `toJSON()` or their fields, other typed arrays become lists. What is not data at all (a function, a symbol, a promise, a
 * response, a cycle) is refused by name.
 */

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** Says that a value is not data; `path` points at the culprit (`outputs.items[2].fn`). */
export class NotDataError extends TypeError {
  override readonly name = 'NotDataError'
  readonly path: string
  constructor(path: string, found: string) {
    super(`${path || 'value'} is ${found}, which cannot be kept`)
    this.path = path
  }
}

const TYPE = '$type'
const MAX_DEPTH = 1_000

/** Gives an object without prototype, safe for keys such as `__proto__`. */
export function dict<T>(): Record<string, T> {
  return Object.create(null)
}

/**
 * Gives the text of a value.
 * @param name what the value is, for errors: `outputs`
 * @throws NotDataError for a function, a symbol, a cycle, nesting deeper than 1,000, and what throws when it is read
 */
export function encode(value: unknown, name?: string): string {
  return textOf(value, JSON.stringify, name)
}

/** Reads back what `encode` wrote. */
export function decode(text: string): unknown {
  const value = JSON.parse(text)
  return text.includes(TYPE) ? untagged(value) : value
}

/**
 * Gives the same text for equal data whatever the order of keys: the base of every digest. Map and Set are ordered data.
 * @throws NotDataError as `encode`
 */
export function canonical(value: unknown): string {
  return textOf(value, sortedText)
}

function textOf(value: unknown, write: (data: unknown) => string, name?: string): string {
  const path: (string | number)[] = name === undefined ? [] : [name]
  try {
    return write(isPlain(value) ? value : tagged(value, [], path))
  } catch (thrown) {
    if (thrown instanceof NotDataError) throw thrown
    throw new NotDataError(pathText(path), `an object that throws when it is read (${messageOf(thrown)})`)
  }
}

/** Gives the SHA-256 of a text in lower-case hex. */
export function sha256(text: string): string {
  return hash('sha256', text, 'hex')
}

/**
 * Gives a function that gives a copy of its own to everybody who asks, so that nobody can change what another sees. What cannot be changed is
 * given as it is, and so is what is more than plain data: a copy would not be the same.
 */
export function copies<T>(value: T): () => T {
  if (typeof value !== 'object' || value === null || !isPlain(value)) return () => value
  // Of a copy already: whoever made the value may go on changing it.
  const kept = plainCopy(value)
  return () => plainCopy(kept)
}

/** Several times faster than through JSON text for data of the usual size. */
function plainCopy<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(plainCopy) as T
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    const item = plainCopy((value as Record<string, unknown>)[key])
    if (key === '__proto__') {
      Object.defineProperty(copy, key, { value: item, enumerable: true, configurable: true, writable: true })
    } else copy[key] = item
  }
  return copy as T
}

/** Makes plain data, however deep, unchangeable, and gives it back. Maps, dates and bytes stay as they are. */
export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  const prototype = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return value
  Object.freeze(value)
  for (const part of Object.values(value)) frozen(part)
  return value
}

/** True when JSON.stringify keeps the value whole. What throws when it is read is not plain: `tagged` finds out where. */
function isPlain(value: unknown): boolean {
  try {
    return isPlainIn(value, [])
  } catch {
    return false
  }
}

function isPlainIn(value: unknown, ancestors: object[]): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
    case 'object':
      break
    default:
      return false
  }
  if (value === null) return true
  if (ancestors.length > MAX_DEPTH || ancestors.includes(value)) return false
  ancestors.push(value)
  try {
    if (Array.isArray(value)) {
      if ('toJSON' in value) return false
      for (let i = 0; i < value.length; i++) if (!isPlainIn(value[i], ancestors)) return false
      return true
    }
    const prototype = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) return false
    for (const key of Object.keys(value)) {
      if (key === TYPE || key === 'toJSON' || !isPlainIn((value as Record<string, unknown>)[key], ancestors))
        return false
    }
    return true
  } finally {
    ancestors.pop()
  }
}

function pathText(path: readonly (string | number)[]): string {
  return path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? step : `.${step}`)).join('')
}

function tagged(value: unknown, ancestors: object[], path: (string | number)[]): unknown {
  switch (typeof value) {
    case 'undefined':
      return { [TYPE]: 'undefined' }
    case 'bigint':
      return { [TYPE]: 'bigint', value: String(value) }
    case 'number':
      if (Object.is(value, -0)) return { [TYPE]: 'number', value: '-0' }
      return Number.isFinite(value) ? value : { [TYPE]: 'number', value: String(value) }
    case 'function':
      throw new NotDataError(pathText(path), value.name ? `the function "${value.name}"` : 'a function')
    case 'symbol':
      throw new NotDataError(pathText(path), 'a symbol')
    case 'object':
      break
    default:
      return value
  }
  if (value === null) return null
  if (ancestors.includes(value)) throw new NotDataError(pathText(path), 'part of a cycle')
  if (ancestors.length > MAX_DEPTH)
    throw new NotDataError(pathText(path.slice(0, 5)), `nested deeper than ${MAX_DEPTH}`)
  ancestors.push(value)
  try {
    return taggedObject(value, ancestors, path)
  } finally {
    ancestors.pop()
  }
}

function taggedObject(value: object, ancestors: object[], path: (string | number)[]): unknown {
  const inner = (item: unknown, step: string | number): unknown => {
    path.push(step)
    const result = tagged(item, ancestors, path)
    path.pop()
    return result
  }
  if (types.isDate(value)) return { [TYPE]: 'date', value: Number.isNaN(value.getTime()) ? null : value.getTime() }
  if (types.isRegExp(value)) return { [TYPE]: 'regexp', source: value.source, flags: value.flags }
  if (types.isMap(value)) return { [TYPE]: 'map', value: Array.from(value, inner) }
  if (types.isSet(value)) return { [TYPE]: 'set', value: Array.from(value, inner) }
  if (types.isUint8Array(value)) return { [TYPE]: 'bytes', value: Buffer.from(value).toString('base64') }
  if (types.isTypedArray(value)) return Array.from(value as ArrayLike<unknown>, inner)
  const record = value as Record<string, unknown>
  if (typeof record.toJSON === 'function') return tagged(record.toJSON(), ancestors, path)
  if (Array.isArray(value)) return Array.from(value, inner)
  if (types.isNativeError(value)) return tagged({ ...value, name: value.name, message: value.message }, ancestors, path)
  const keys = Object.keys(record)
  if (keys.length === 0) refuseOpaque(value, path)
  const result = dict<unknown>()
  for (const key of keys) result[key] = inner(record[key], key)
  return TYPE in result ? { [TYPE]: 'object', value: result } : result
}

/** A promise, a response, a buffer: what shows no fields and yet is not empty must not be kept as `{}`. */
function refuseOpaque(value: object, path: readonly (string | number)[]): void {
  const kind = Object.prototype.toString.call(value).slice(8, -1)
  if (kind === 'Object') return
  throw new NotDataError(pathText(path), kind === 'Promise' ? 'a Promise (is an await missing?)' : quote(value))
}

/** Reads back, in place, data whose text `encode` wrote and something else has parsed. */
export function untagged(value: any): unknown {
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = untagged(value[i])
    return value
  }
  switch (Object.hasOwn(value, TYPE) ? value[TYPE] : undefined) {
    case 'undefined':
      return undefined
    case 'bigint':
      return BigInt(value.value)
    case 'number':
      return Number(value.value)
    case 'date':
      return new Date(value.value ?? Number.NaN)
    case 'regexp':
      return new RegExp(value.source, value.flags)
    case 'map':
      return new Map(untagged(value.value) as [unknown, unknown][])
    case 'set':
      return new Set(untagged(value.value) as unknown[])
    case 'bytes':
      return new Uint8Array(Buffer.from(value.value, 'base64'))
    case 'object':
      return untaggedRecord(value.value)
    default:
      return untaggedRecord(value)
  }
}

function untaggedRecord(record: Record<string, unknown>): Record<string, unknown> {
  for (const key of Object.keys(record)) {
    const value = untagged(record[key])
    // Defined, not set: the key may be `__proto__`.
    if (value !== record[key])
      Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true })
  }
  return record
}

function sortedText(value: any): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(sortedText).join(',')}]`
  const keys = Object.keys(value)
  if (keys.length > 1) keys.sort()
  let text = '{'
  for (const key of keys) text += `${text === '{' ? '' : ','}${JSON.stringify(key)}:${sortedText(value[key])}`
  return `${text}}`
}
