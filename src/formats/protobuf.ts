import type { PbfReader, PbfWriter } from 'pbf'
import { FormatFault, type TraceFormat } from '../format.ts'
import { readRequest, writeRequest } from './otlp.ts'
import { type Fields, isRecord } from './wire.ts'

/**
 * OTLP in protobuf, as exporters send it and collectors keep it: `ExportTraceServiceRequest`, or `TracesData`, which is the same on the wire.
 * The bytes become the objects of OTLP/JSON and come from them, by the tables below; fields that these do not name are passed over.
 */
export const protobuf: TraceFormat = {
  name: 'otlp-protobuf',
  title: 'OTLP protobuf',
  extension: '.pb',
  detect: (part) => part instanceof Uint8Array && part[0] === TRACES_TAG,
  read: async (part) => readRequest(await readBytes(part as Uint8Array)),
  async write(traces) {
    const { PbfWriter } = await import('pbf')
    const pbf = new PbfWriter()
    writeMessage('Traces', writeRequest(traces), pbf)
    return pbf.finish()
  },
}

/** Gives the object of OTLP/JSON for a request's bytes. @throws FormatFault */
export async function readBytes(bytes: Uint8Array): Promise<unknown> {
  const { PbfReader } = await import('pbf')
  return readMessage(new PbfReader(bytes), 'Traces', bytes.length, 0)
}

/** Field 1, of a length: how every request begins that holds anything. */
const TRACES_TAG = 0x0a

type Scalar = 'text' | 'hex' | 'bytes' | 'fixed64' | 'fixed32' | 'int64' | 'uint32' | 'double' | 'bool'
type Kind = Scalar | keyof typeof MESSAGES
type Field = readonly [number: number, name: string, kind: string, repeated?: 'repeated']

/** opentelemetry/proto/trace/v1/trace.proto and common/v1/common.proto. */
const MESSAGES = {
  Traces: [[1, 'resourceSpans', 'ResourceSpans', 'repeated']],
  ResourceSpans: [
    [1, 'resource', 'Resource'],
    [2, 'scopeSpans', 'ScopeSpans', 'repeated'],
    [3, 'schemaUrl', 'text'],
    [1000, 'instrumentationLibrarySpans', 'ScopeSpans', 'repeated'],
  ],
  Resource: [[1, 'attributes', 'KeyValue', 'repeated']],
  ScopeSpans: [
    [1, 'scope', 'Scope'],
    [2, 'spans', 'Span', 'repeated'],
    [3, 'schemaUrl', 'text'],
  ],
  Scope: [
    [1, 'name', 'text'],
    [2, 'version', 'text'],
    [3, 'attributes', 'KeyValue', 'repeated'],
  ],
  Span: [
    [1, 'traceId', 'hex'],
    [2, 'spanId', 'hex'],
    [3, 'traceState', 'text'],
    [4, 'parentSpanId', 'hex'],
    [5, 'name', 'text'],
    [6, 'kind', 'uint32'],
    [7, 'startTimeUnixNano', 'fixed64'],
    [8, 'endTimeUnixNano', 'fixed64'],
    [9, 'attributes', 'KeyValue', 'repeated'],
    [10, 'droppedAttributesCount', 'uint32'],
    [11, 'events', 'Event', 'repeated'],
    [12, 'droppedEventsCount', 'uint32'],
    [13, 'links', 'Link', 'repeated'],
    [14, 'droppedLinksCount', 'uint32'],
    [15, 'status', 'Status'],
    [16, 'flags', 'fixed32'],
  ],
  Event: [
    [1, 'timeUnixNano', 'fixed64'],
    [2, 'name', 'text'],
    [3, 'attributes', 'KeyValue', 'repeated'],
    [4, 'droppedAttributesCount', 'uint32'],
  ],
  Link: [
    [1, 'traceId', 'hex'],
    [2, 'spanId', 'hex'],
    [3, 'traceState', 'text'],
    [4, 'attributes', 'KeyValue', 'repeated'],
    [6, 'flags', 'fixed32'],
  ],
  Status: [
    [2, 'message', 'text'],
    [3, 'code', 'uint32'],
  ],
  KeyValue: [
    [1, 'key', 'text'],
    [2, 'value', 'AnyValue'],
  ],
  AnyValue: [
    [1, 'stringValue', 'text'],
    [2, 'boolValue', 'bool'],
    [3, 'intValue', 'int64'],
    [4, 'doubleValue', 'double'],
    [5, 'arrayValue', 'ArrayValue'],
    [6, 'kvlistValue', 'KeyValueList'],
    [7, 'bytesValue', 'bytes'],
  ],
  ArrayValue: [[1, 'values', 'AnyValue', 'repeated']],
  KeyValueList: [[1, 'values', 'KeyValue', 'repeated']],
} as const satisfies Readonly<Record<string, readonly Field[]>>

/** Wire types of protobuf. */
const VARINT = 0
const FIXED64 = 1
const LENGTH = 2
const FIXED32 = 5

const WIRE: Readonly<Record<Scalar, number>> = {
  text: LENGTH,
  hex: LENGTH,
  bytes: LENGTH,
  fixed64: FIXED64,
  double: FIXED64,
  fixed32: FIXED32,
  int64: VARINT,
  uint32: VARINT,
  bool: VARINT,
}

function isMessage(kind: string): kind is keyof typeof MESSAGES {
  return Object.hasOwn(MESSAGES, kind)
}

const fieldsOf = (message: keyof typeof MESSAGES): readonly Field[] => MESSAGES[message]

/** A value within a value takes three messages. */
const MAX_DEPTH = 1_600

function readMessage(pbf: PbfReader, message: keyof typeof MESSAGES, end: number, depth: number): Fields {
  if (depth > MAX_DEPTH) throw new FormatFault(`at byte ${pbf.pos}: messages are nested too deeply`)
  const record: Record<string, unknown> = {}
  while (pbf.pos < end) {
    const at = pbf.pos
    const number = pbf.nextField(end)
    const stop = endOfValue(pbf, end, number, at)
    const field = fieldsOf(message).find(([one]) => one === number)
    if (!field || pbf.type !== wireOf(field[2] as Kind)) {
      pbf.pos = stop
      continue
    }
    const [, name, kind, repeated] = field
    const value = isMessage(kind) ? readMessage(pbf, kind, stop, depth + 1) : readScalar(pbf, kind as Scalar, stop)
    pbf.pos = stop
    if (repeated) {
      record[name] ??= []
      ;(record[name] as unknown[]).push(value)
    } else record[name] = value
  }
  return record
}

function wireOf(kind: Kind): number {
  return isMessage(kind) ? LENGTH : WIRE[kind]
}

/** Gives where the value ends that is about to be read; after a length, the place is that of its content. */
function endOfValue(pbf: PbfReader, end: number, number: number, at: number): number {
  const { type } = pbf
  let stop = pbf.pos
  if (type === FIXED64) stop += 8
  else if (type === FIXED32) stop += 4
  else if (type === LENGTH || type === VARINT) {
    let last = pbf.pos
    while (last < end && last < pbf.pos + 10 && (pbf.buf[last] as number) > 0x7f) last++
    if (last >= end || (pbf.buf[last] as number) > 0x7f) stop = Number.POSITIVE_INFINITY
    else stop = type === VARINT ? last + 1 : pbf.readVarint() + pbf.pos
  } else throw new FormatFault(`at byte ${at}: there is no protobuf field (wire type ${type})`)
  if (number === 0) throw new FormatFault(`at byte ${at}: there is no protobuf field (number 0)`)
  if (stop <= end) return stop
  throw new FormatFault(`at byte ${at}: field ${number} ends beyond byte ${end}`, 'the file seems to be cut off')
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function readScalar(pbf: PbfReader, kind: Scalar, end: number): unknown {
  const bytes = (): Uint8Array => pbf.buf.subarray(pbf.pos, end)
  switch (kind) {
    case 'text':
      try {
        return UTF8.decode(bytes())
      } catch {
        throw new FormatFault(`at byte ${pbf.pos}: the text is not UTF-8`)
      }
    case 'hex':
      return Buffer.from(bytes()).toString('hex')
    case 'bytes':
      return Uint8Array.from(bytes())
    case 'fixed64':
      return BigInt(pbf.readFixed32()) | (BigInt(pbf.readFixed32()) << 32n)
    case 'fixed32':
      return pbf.readFixed32()
    case 'double':
      return pbf.readDouble()
    case 'int64':
      return readInt64(bytes())
    case 'uint32':
      return pbf.readVarint()
    case 'bool':
      return pbf.readBoolean()
  }
}

/** Exactly, where the library would give a number. */
function readInt64(bytes: Uint8Array): bigint {
  let value = 0n
  for (const [i, byte] of bytes.entries()) value |= BigInt(byte & 0x7f) << BigInt(7 * i)
  return BigInt.asIntN(64, value)
}

function writeMessage(message: keyof typeof MESSAGES, record: Fields, pbf: PbfWriter): void {
  for (const [number, name, kind, repeated] of fieldsOf(message)) {
    const value = record[name]
    if (value === undefined) continue
    for (const item of repeated ? (value as readonly unknown[]) : [value]) {
      if (!isMessage(kind)) writeScalar(pbf, number, kind as Scalar, item)
      else if (isRecord(item)) pbf.writeMessage(number, (one, inner) => writeMessage(kind, one, inner), item)
    }
  }
}

function writeScalar(pbf: PbfWriter, number: number, kind: Scalar, value: unknown): void {
  pbf.writeTag(number, WIRE[kind])
  WRITERS[kind](pbf, value)
}

const WRITERS: Readonly<Record<Scalar, (pbf: PbfWriter, value: unknown) => void>> = {
  // Not by the library, which writes some characters beyond U+FFFF as others. Half a surrogate pair becomes U+FFFD.
  text: (pbf, value) => pbf.writeBytes(Buffer.from(String(value), 'utf8')),
  hex: (pbf, value) => pbf.writeBytes(Buffer.from(String(value), 'hex')),
  bytes: (pbf, value) => pbf.writeBytes(value as Uint8Array),
  fixed64(pbf, value) {
    const bits = BigInt.asUintN(64, BigInt(value as string))
    pbf.writeFixed32(Number(bits & 0xffffffffn))
    pbf.writeFixed32(Number(bits >> 32n))
  },
  fixed32: (pbf, value) => pbf.writeFixed32(Number(value)),
  double: (pbf, value) => pbf.writeDouble(Number(value)),
  int64: (pbf, value) => writeInt64(pbf, BigInt(value as string)),
  uint32: (pbf, value) => pbf.writeVarint(Number(value)),
  bool: (pbf, value) => pbf.writeBoolean(Boolean(value)),
}

function writeInt64(pbf: PbfWriter, value: bigint): void {
  let bits = BigInt.asUintN(64, value)
  pbf.realloc(10)
  do {
    const more = bits > 0x7fn
    pbf.buf[pbf.pos++] = Number(bits & 0x7fn) | (more ? 0x80 : 0)
    bits >>= 7n
  } while (bits > 0n)
}
