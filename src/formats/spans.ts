import { FormatFault, type SpanDraft, type TraceDraft, type TraceFormat } from '../format.ts'
import type { SpanEvent } from '../span.ts'
import { fromPairs } from './value.ts'
import {
  type Fields,
  idOf,
  isRecord,
  kindOf,
  listOf,
  moment,
  recordOf,
  requiredId,
  spanLabel,
  statusOf,
} from './wire.ts'

/**
 * Single spans as OpenTelemetry's SDKs and the tools around them dump them: `ReadableSpan` of the JavaScript SDKs, its console exporter's
 * fields, `to_json()` of the Python SDK, and Phoenix's tables. Each is looked up under the names that these use.
 */
export const spans: TraceFormat = {
  name: 'spans',
  title: 'a dump of spans',
  detect: (part) =>
    isRecord(part) && 'name' in part && first(part, TRACE_ID) !== undefined && first(part, SPAN_ID) !== undefined,
  read: (part) => [readSpan(recordOf(part, 'a span'))],
}

/** A field, or a field of a field. */
type Path = string | readonly [string, string]

const CONTEXTS = ['spanContext', '_spanContext', 'context', 'span_context'] as const
const within = (...names: string[]): Path[] =>
  CONTEXTS.flatMap((context) => names.map((name) => [context, name] as const))

const TRACE_ID: readonly Path[] = [...within('traceId', 'trace_id'), 'traceId', 'trace_id', 'context.trace_id']
const SPAN_ID: readonly Path[] = [...within('spanId', 'span_id'), 'spanId', 'span_id', 'context.span_id', 'id']
const PARENT_ID: readonly Path[] = [
  ['parentSpanContext', 'spanId'],
  'parentSpanId',
  'parent_span_id',
  'parentId',
  'parent_id',
]
const START: readonly Path[] = ['startTime', 'start_time', 'startTimeUnixNano', 'start_time_unix_nano', 'timestamp']
const END: readonly Path[] = ['endTime', 'end_time', 'endTimeUnixNano', 'end_time_unix_nano']
const STATUS: readonly Path[] = [['status', 'code'], ['status', 'status_code'], 'status_code', 'statusCode', 'status']
const STATUS_MESSAGE: readonly Path[] = [
  ['status', 'message'],
  ['status', 'description'],
  'status_message',
  'statusMessage',
]
const KIND: readonly Path[] = ['span_kind', 'kind']
const SCOPE: readonly Path[] = ['instrumentationScope', 'instrumentationLibrary', 'scope']
const RESOURCE: readonly Path[] = [
  ['resource', 'attributes'],
  ['resource', '_attributes'],
]

function first(record: Fields, paths: readonly Path[]): unknown {
  for (const path of paths) {
    const outer = typeof path === 'string' ? record[path] : record[path[0]]
    const value = typeof path === 'string' ? outer : isRecord(outer) ? outer[path[1]] : undefined
    if (value !== undefined && value !== null && value !== '') return value
  }
  return undefined
}

function readSpan(record: Fields): TraceDraft {
  const name = typeof record.name === 'string' ? record.name : ''
  const at = spanLabel(0, name).replace('span 1', 'span')
  const parentId = idOf(first(record, PARENT_ID), 8, `${at}: parent id`)
  const start = moment(first(record, START), `${at}: start time`)
  const end = moment(first(record, END), `${at}: end time`) ?? endBy(record, start)
  const statusMessage = first(record, STATUS_MESSAGE)
  const resource = first(record, RESOURCE)
  const span: SpanDraft = {
    id: requiredId(first(record, SPAN_ID), 8, `${at}: span id`),
    ...(parentId !== undefined && { parentId }),
    name,
    ...(start !== undefined && { startTimeNs: start }),
    ...(end !== undefined && { endTimeNs: end }),
    status: statusOf(first(record, STATUS)),
    ...(typeof statusMessage === 'string' && { statusMessage }),
    attributes: attributesOf(record, at),
    events: listOf(record.events, `${at}: events`).map((event, i) => readEvent(event, `${at}: event ${i + 1}`)),
    ...(isRecord(resource) && Object.keys(resource).length > 0 && { resource }),
  }
  return { id: `tr-${requiredId(first(record, TRACE_ID), 16, `${at}: trace id`)}`, spans: [span] }
}

/** The console exporter of the JavaScript SDK gives a duration in microseconds instead of an end. */
function endBy({ duration }: Fields, start: bigint | undefined): bigint | undefined {
  if (start === undefined || typeof duration !== 'number') return undefined
  return start + BigInt(Math.round(duration * 1_000))
}

function attributesOf(record: Fields, at: string): Record<string, unknown> {
  const attributes = fromPairs(record.attributes, `${at}: attributes`)
  // A table has a column for each attribute.
  for (const [key, value] of Object.entries(record)) {
    if (key.startsWith('attributes.') && value !== null) attributes[key.slice('attributes.'.length)] = value
  }
  const scope = first(record, SCOPE)
  const kind = kindOf(first(record, KIND), 1)
  const links = record.links === undefined ? [] : listOf(record.links, `${at}: links`)
  // Phoenix's kind is OpenInference's, not OpenTelemetry's.
  const isOpenInference = 'span_kind' in record
  return {
    ...attributes,
    ...(isRecord(scope) && typeof scope.name === 'string' && scope.name !== '' && { 'otel.scope.name': scope.name }),
    ...(isRecord(scope) && typeof scope.version === 'string' && { 'otel.scope.version': scope.version }),
    ...(kind !== undefined && { [isOpenInference ? 'openinference.span.kind' : 'otel.kind']: kind }),
    ...(links.length > 0 && { 'otel.links': links }),
  }
}

function readEvent(item: unknown, what: string): SpanEvent {
  const record = recordOf(item, what)
  const time = moment(first(record, ['time', 'timestamp', 'timeUnixNano', 'time_unix_nano']), `${what}: time`)
  if (time === undefined) throw new FormatFault(`${what} has no time`)
  return {
    name: typeof record.name === 'string' ? record.name : '',
    timeNs: time,
    attributes: fromPairs(record.attributes, `${what}: attributes`),
  }
}
