import { hash } from 'node:crypto'

/**
 * Text form of JavaScript data, one step wider than JSON: what JSON would drop or change (`undefined`, BigInt, NaN,
 * infinities, -0, Date, Map, Set, bytes) is written as `{"$type": …}` and read back as it was. What is not data at all (a
 * function, a symbol, a cycle) is refused by name.
 */

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
 * @throws NotDataError for a function, a symbol, a cycle, or nesting deeper than 1,000
 */
export function encode(value: unknown): string {
  if (value === undefined) return '{"$type":"undefined"}'
  return JSON.stringify(isPlain(value, []) ? value : tagged(value, [], []))
}

/** Reads back what `encode` wrote. */
export function decode(text: string): unknown {
  const value = JSON.parse(text)
  return text.includes(TYPE) || text.includes('"__proto__"') ? untagged(value) : value
}

/** Gives the same text for equal data whatever the order of keys: the base of every digest. */
export function canonical(value: unknown): string {
  return sortedText(isPlain(value, []) ? value : tagged(value, [], []))
}

/** Gives the SHA-256 of a text in lower-case hex. */
export function sha256(text: string): string {
  return hash('sha256', text, 'hex')
}

/** True when JSON.stringify keeps the value whole; throws for what is not data. */
function isPlain(value: unknown, ancestors: object[]): boolean {
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
      for (let i = 0; i < value.length; i++) if (!isPlain(value[i], ancestors)) return false
      return true
    }
    const prototype = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) return false
    for (const key of Object.keys(value)) {
      if (key === TYPE || key === 'toJSON' || !isPlain((value as Record<string, unknown>)[key], ancestors)) return false
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
  if (Array.isArray(value)) return Array.from(value, inner)
  if (value instanceof Date) return { [TYPE]: 'date', value: value.getTime() }
  if (value instanceof Map) return { [TYPE]: 'map', value: Array.from(value, (pair, i) => inner(pair, i)) }
  if (value instanceof Set) return { [TYPE]: 'set', value: Array.from(value, inner) }
  if (value instanceof Uint8Array) return { [TYPE]: 'bytes', value: Buffer.from(value).toString('base64') }
  const record = value as Record<string, unknown>
  if (typeof record.toJSON === 'function') return inner(record.toJSON(), 'toJSON()')
  if (value instanceof Error) return inner({ ...value, name: value.name, message: value.message }, 'error')
  const result = dict<unknown>()
  for (const key of Object.keys(record)) result[key] = inner(record[key], key)
  return TYPE in result ? { [TYPE]: 'object', value: result } : result
}

function untagged(value: any): unknown {
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = untagged(value[i])
    return value
  }
  const type = Object.hasOwn(value, TYPE) ? value[TYPE] : undefined
  switch (type) {
    case 'undefined':
      return undefined
    case 'bigint':
      return BigInt(value.value)
    case 'number':
      return Number(value.value)
    case 'date':
      return new Date(value.value)
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
    Object.defineProperty(record, key, {
      value: untagged(record[key]),
      enumerable: true,
      configurable: true,
      writable: true,
    })
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
