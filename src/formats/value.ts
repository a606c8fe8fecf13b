import { quote } from '../errors.ts'
import { FormatFault } from '../format.ts'
import { encode, untagged } from '../std/json.ts'
import { type Fields, field, isRecord, listOf } from './wire.ts'

/** OpenTelemetry's AnyValue: every value says what it is. */

export type AnyValue =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: string }
  | { readonly doubleValue: number | string }
  | { readonly arrayValue: { readonly values: readonly AnyValue[] } }
  | { readonly kvlistValue: { readonly values: readonly KeyValue[] } }
  | Record<string, never>

export interface KeyValue {
  readonly key: string
  readonly value: AnyValue
}

const MAX_DEPTH = 500

/** Reads a value. Integers beyond 2^53 are BigInts, bytes are a Uint8Array. @throws FormatFault */
export function fromAny(value: unknown, what: string, depth = 0): unknown {
  if (depth > MAX_DEPTH) throw new FormatFault(`${what} is nested deeper than ${MAX_DEPTH}`)
  if (!isRecord(value)) return value
  const text = field(value, 'stringValue')
  if (text !== undefined) return text
  const bool = field(value, 'boolValue')
  if (bool !== undefined) return bool
  const int = field(value, 'intValue')
  if (int !== undefined) return integer(int, what)
  const double = field(value, 'doubleValue')
  if (double !== undefined) return Number(double)
  const list = field(value, 'arrayValue')
  if (isRecord(list)) return listOf(list.values, what).map((item) => fromAny(item, what, depth + 1))
  const pairs = field(value, 'kvlistValue')
  if (isRecord(pairs)) return fromPairs(pairs.values, what, depth + 1)
  const bytes = field(value, 'bytesValue')
  if (bytes !== undefined)
    return bytes instanceof Uint8Array ? bytes : new Uint8Array(Buffer.from(String(bytes), 'base64'))
  const unknown = Object.keys(value)
  if (unknown.length === 0) return null
  throw new FormatFault(`${what} must be a value of OpenTelemetry such as { "stringValue": … }, found ${quote(value)}`)
}

function integer(value: unknown, what: string): number | bigint {
  if (typeof value === 'number') return value
  if (typeof value !== 'bigint' && !(typeof value === 'string' && /^-?\d{1,30}$/.test(value))) {
    throw new FormatFault(`${what} must be an integer, found ${quote(value)}`)
  }
  const exact = BigInt(value)
  const number = Number(exact)
  return Number.isSafeInteger(number) ? number : exact
}

/** Reads attributes: a list of keys with values, or an object as dumps have it. @throws FormatFault */
export function fromPairs(pairs: unknown, what: string, depth = 0): Record<string, unknown> {
  if (isRecord(pairs)) return { ...pairs }
  return Object.fromEntries(
    listOf(pairs, what).map((pair) => {
      if (!isRecord(pair) || typeof pair.key !== 'string') {
        throw new FormatFault(`${what} must have { "key", "value" } as items, found ${quote(pair)}`)
      }
      return [pair.key, fromAny(pair.value, `${what}: ${quote(pair.key)}`, depth)]
    }),
  )
}

const INT64 = 2n ** 63n

/** Gives a value's OpenTelemetry form; what that has no word for is tagged, as `encode` does. @throws NotDataError */
export function toAny(value: unknown): AnyValue {
  if (isLong(value)) return { intValue: String(value) }
  return plainToAny(plain(value))
}

/** Gives plain JSON data for a value. @throws NotDataError */
export function plain(value: unknown): unknown {
  return JSON.parse(encode(value))
}

/** Undoes `plain`. */
export function unplain(value: unknown): unknown {
  return untagged(value)
}

/** Numbers that are doubles by their format are read as such, even where their text has the look of a long integer. */
export function doubles(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(doubles)
  if (!isRecord(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, doubles(item)]))
}

function isLong(value: unknown): value is bigint {
  return typeof value === 'bigint' && value >= -INT64 && value < INT64 && !Number.isSafeInteger(Number(value))
}

function plainToAny(value: unknown): AnyValue {
  if (value === null) return {}
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
  }
  if (Array.isArray(value)) return { arrayValue: { values: value.map(plainToAny) } }
  return {
    kvlistValue: { values: Object.entries(value as Fields).map(([key, item]) => ({ key, value: plainToAny(item) })) },
  }
}

/** Gives attributes as OTLP has them. @throws NotDataError */
export function toPairs(attributes: Fields): KeyValue[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: toAny(value) }))
}
