import { quote } from '../errors.ts'
import { FormatFault } from '../format.ts'
import { sha256 } from '../std/json.ts'

/** Ids, times and enumerations as they stand in files. */

export type Fields = Readonly<Record<string, unknown>>

export function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

/** Reads a field by its camel-case name or, as protobuf's own names are, with underscores. */
export function field(record: Fields, name: string): unknown {
  if (Object.hasOwn(record, name)) return record[name]
  const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return Object.hasOwn(record, snake) ? record[snake] : undefined
}

export function listOf(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return []
  if (Array.isArray(value)) return value
  throw new FormatFault(`${what} must be a list, found ${quote(value)}`)
}

export function recordOf(value: unknown, what: string): Fields {
  if (isRecord(value)) return value
  throw new FormatFault(`${what} must be an object, found ${quote(value)}`)
}

/** Names a span for messages. */
export function spanLabel(position: number, name: unknown): string {
  return typeof name === 'string' && name !== '' ? `span ${position + 1} (${quote(name)})` : `span ${position + 1}`
}

/** Gives an id as hex digits; undefined for none: missing, empty or all zeros. @throws FormatFault */
export function idOf(value: unknown, bytes: 8 | 16, what: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const hex = hexOf(value, bytes)
  if (hex === undefined) {
    const wanted = `${2 * bytes} hex digits or ${bytes} bytes in base64`
    throw new FormatFault(`${what} must be ${wanted}, found ${quote(value)}`)
  }
  return /^0*$/.test(hex) ? undefined : hex
}

/** @throws FormatFault where there is none */
export function requiredId(value: unknown, bytes: 8 | 16, what: string): string {
  const id = idOf(value, bytes, what)
  if (id !== undefined) return id
  throw new FormatFault(`${what} is ${value === undefined || value === null || value === '' ? 'missing' : 'all zeros'}`)
}

function hexOf(value: unknown, bytes: number): string | undefined {
  if (value instanceof Uint8Array) return value.length === bytes ? Buffer.from(value).toString('hex') : undefined
  if (typeof value !== 'string') return undefined
  const plain = value.replace(/^tr-/, '')
  // Python writes an id as a number in hex, without the zeros at its front.
  if (/^0x[\da-f]+$/i.test(plain)) {
    const digits = plain
      .slice(2)
      .toLowerCase()
      .padStart(2 * bytes, '0')
    return digits.length === 2 * bytes ? digits : undefined
  }
  if (plain.length === 2 * bytes && /^[\da-f]+$/i.test(plain)) return plain.toLowerCase()
  if (!/^[\w+/-]+={0,2}$/.test(plain)) return undefined
  const raw = Buffer.from(plain, 'base64')
  return raw.length === bytes && plain.replace(/=+$/, '').length === Math.ceil((bytes * 4) / 3)
    ? raw.toString('hex')
    : undefined
}

/** Gives hex digits that stand for an id of another form; the same ones every time. */
export function derivedId(id: string, bytes: 8 | 16): string {
  return sha256(id).slice(0, 2 * bytes)
}

export function base64Of(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64')
}

const TRACE_ID = /^tr-[\da-f]{32}$/

/** Gives the 32 hex digits for a trace id; one of another form is represented by its digest. */
export function traceHex(id: string): string {
  return TRACE_ID.test(id) ? id.slice(3) : derivedId(id, 16)
}

/** Gives the 16 hex digits for a span id; one of another form is represented by its digest. */
export function spanHex(id: string): string {
  return /^[\da-f]{16}$/.test(id) ? id : derivedId(id, 8)
}

/** The year 2116: what is later is no time, and its milliseconds or durations fit nowhere. */
const LATEST = 2n ** 62n

/** Reads nanoseconds since 1970; undefined for none: missing, empty or 0. @throws FormatFault */
export function nanoseconds(value: unknown, what: string): bigint | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const isNumber = typeof value === 'number' && Number.isFinite(value)
  const isText = typeof value === 'string' && /^-?\d{1,30}$/.test(value)
  const ns = isNumber ? BigInt(Math.round(value)) : isText ? BigInt(value) : value
  if (typeof ns === 'bigint' && ns >= 0n && ns < LATEST) return ns === 0n ? undefined : ns
  throw new FormatFault(`${what} must be nanoseconds since 1970, found ${quote(value)}`)
}

const ISO = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9})\d*)?\s*(Z|[+-]\d\d:?\d\d)?$/i

/**
 * Reads a moment in whatever form libraries write one: `[seconds, nanoseconds]`, ISO 8601, or a number whose size tells its unit.
 * @throws FormatFault
 */
export function moment(value: unknown, what: string): bigint | undefined {
  return nanoseconds(inNanoseconds(value, what), what)
}

function inNanoseconds(value: unknown, what: string): unknown {
  if (Array.isArray(value) && value.length === 2 && value.every((part) => Number.isSafeInteger(part))) {
    return BigInt(value[0]) * 1_000_000_000n + BigInt(value[1])
  }
  if (typeof value === 'number' && Number.isFinite(value)) {
    const unit = value < 1e11 ? 1e9 : value < 1e14 ? 1e6 : value < 1e17 ? 1e3 : 1
    return scaled(value, unit)
  }
  const iso = typeof value === 'string' ? ISO.exec(value) : null
  if (!iso) return value
  const ms = Date.parse(`${iso[1]}T${iso[2]}${iso[4] ?? 'Z'}`)
  if (Number.isNaN(ms)) throw new FormatFault(`${what} is no moment in time: ${quote(value)}`)
  return BigInt(ms) * 1_000_000n + BigInt((iso[3] ?? '').padEnd(9, '0'))
}

/** Multiplies without losing what stands before the decimal point. */
function scaled(value: number, unit: number): bigint {
  const whole = Math.trunc(value)
  return BigInt(whole) * BigInt(unit) + BigInt(Math.round((value - whole) * unit))
}

/** Reads a status code by its number or by one of its names. */
export function statusOf(code: unknown): Span['status'] {
  const text = String(code ?? '').toUpperCase()
  if (code === 2 || text.endsWith('ERROR')) return 'ERROR'
  return code === 1 || /(^|_)OK$/.test(text) ? 'OK' : 'UNSET'
}

type Span = { readonly status: 'UNSET' | 'OK' | 'ERROR' }

const KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'] as const

/** Gives the word for a span kind of OTLP, by its number or its name. */
export function kindOf(kind: unknown, first = 0): string | undefined {
  if (typeof kind === 'number') return KINDS[kind + first]
  if (typeof kind !== 'string' || kind === '') return undefined
  return kind.toUpperCase().replace(/^.*(SPAN_KIND_|SPANKIND\.)/, '')
}

export function kindNumber(kind: unknown): number {
  return Math.max(0, (KINDS as readonly unknown[]).indexOf(kind))
}
