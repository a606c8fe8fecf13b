import { quote } from '../errors.ts'
import { FormatFault, type SpanDraft, type TraceDraft, type TraceFormat } from '../format.ts'
import type { Span, SpanEvent } from '../span.ts'
import { writeExact } from '../std/exact.ts'
import { decode, encode } from '../std/json.ts'
import type { Trace, TraceData } from '../trace.ts'
import { fromPairs, toPairs, unplain } from './value.ts'
import {
  type Fields,
  field,
  idOf,
  isRecord,
  kindNumber,
  kindOf,
  listOf,
  nanoseconds,
  recordOf,
  requiredId,
  spanHex,
  spanLabel,
  statusOf,
  traceHex,
} from './wire.ts'

/**
 * OTLP/JSON as OpenTelemetry specifies it: hex ids, nanoseconds as text, attributes with their types. Names with underscores are understood too.
 * What a trace has beside spans (tags, assessments, …) stands in an attribute of its first span.
 */
export const otlp: TraceFormat = {
  name: 'otlp',
  title: 'OTLP JSON',
  extension: '.json',
  detect: (part) => isRecord(part) && field(part, 'resourceSpans') !== undefined,
  read: readRequest,
  write: (traces) => writeExact(writeRequest(traces)),
}

const OWN_SCOPE = 'vitest-evaluate'
const OWN_HEAD = 'vitest-evaluate.trace'
const TYPE = 'mlflow.spanType'
const INPUTS = 'mlflow.spanInputs'
const OUTPUTS = 'mlflow.spanOutputs'

/**
 * Reads the request of an export: an object as OTLP/JSON has it.
 * @param refuse is told of a span that cannot be read, and the others are; without it, the first one is thrown
 * @throws FormatFault
 */
export function readRequest(part: unknown, refuse?: (fault: FormatFault) => void): TraceDraft[] {
  const drafts: Read[] = []
  let position = 0
  for (const item of listOf(field(recordOf(part, 'the file'), 'resourceSpans'), '"resourceSpans"')) {
    const group = recordOf(item, 'an item of "resourceSpans"')
    const resource = resourceOf(group)
    const scopes = field(group, 'scopeSpans') ?? field(group, 'instrumentationLibrarySpans')
    for (const scopeItem of listOf(scopes, '"scopeSpans"')) {
      const scope = recordOf(scopeItem, 'an item of "scopeSpans"')
      const about = scopeOf(scope)
      for (const span of listOf(scope.spans, '"spans"')) {
        try {
          drafts.push(readSpan(span, position++, resource, about))
        } catch (fault) {
          if (!refuse || !(fault instanceof FormatFault)) throw fault
          refuse(fault)
        }
      }
    }
  }
  return renamed(drafts)
}

/** A trace whose own id is no id of OpenTelemetry has said so with its first span. */
function renamed(drafts: readonly Read[]): TraceDraft[] {
  const ids = new Map(drafts.flatMap(({ id, ownId }) => (ownId === undefined ? [] : [[id, ownId] as const])))
  return drafts.map(({ ownId: _, ...draft }) => ({ ...draft, id: ids.get(draft.id) ?? draft.id }))
}

interface Read extends TraceDraft {
  readonly ownId?: string | undefined
}

function resourceOf(group: Fields): SpanDraft['resource'] {
  const resource = isRecord(group.resource) ? fromPairs(group.resource.attributes, 'a resource: attributes') : {}
  return Object.keys(resource).length > 0 ? resource : undefined
}

interface Scope {
  readonly isOwn: boolean
  readonly attributes: Fields
}

function scopeOf(group: Fields): Scope {
  const scope = group.scope ?? field(group, 'instrumentationLibrary')
  const { name, version, attributes: pairs } = isRecord(scope) ? scope : ({} as Fields)
  if (name === OWN_SCOPE) return { isOwn: true, attributes: {} }
  const attributes = fromPairs(pairs, 'a scope: attributes')
  const schema = field(group, 'schemaUrl')
  return {
    isOwn: false,
    attributes: {
      ...(name !== undefined && name !== '' && { 'otel.scope.name': name }),
      ...(version !== undefined && version !== '' && { 'otel.scope.version': version }),
      ...(Object.keys(attributes).length > 0 && { 'otel.scope.attributes': attributes }),
      ...(schema !== undefined && schema !== '' && { 'otel.schema_url': schema }),
    },
  }
}

function readSpan(item: unknown, position: number, resource: SpanDraft['resource'], scope: Scope): Read {
  const record = recordOf(item, `span ${position + 1}`)
  const at = spanLabel(position, record.name)
  const traceId = `tr-${requiredId(field(record, 'traceId'), 16, `${at}: trace id`)}`
  const status = isRecord(record.status) ? record.status : {}
  const start = nanoseconds(field(record, 'startTimeUnixNano'), `${at}: start time`)
  const end = nanoseconds(field(record, 'endTimeUnixNano'), `${at}: end time`)
  const parentId = idOf(field(record, 'parentSpanId'), 8, `${at}: parent id`)
  const given = fromPairs(record.attributes, `${at}: attributes`)
  const {
    [TYPE]: type,
    [INPUTS]: inputs,
    [OUTPUTS]: outputs,
    [OWN_HEAD]: head,
    ...attributes
  } = scope.isOwn ? own(given) : given
  const span: SpanDraft = {
    id: requiredId(field(record, 'spanId'), 8, `${at}: span id`),
    ...(parentId !== undefined && { parentId }),
    name: typeof record.name === 'string' ? record.name : '',
    ...(typeof type === 'string' && { type: type.replace(/^"(.*)"$/, '$1') }),
    ...(start !== undefined && { startTimeNs: start }),
    ...(end !== undefined && { endTimeNs: end }),
    status: statusOf(status.code),
    ...(typeof status.message === 'string' && status.message !== '' && { statusMessage: status.message }),
    ...(inputs !== undefined && { inputs: scope.isOwn ? inputs : jsonOf(inputs) }),
    ...(outputs !== undefined && { outputs: scope.isOwn ? outputs : jsonOf(outputs) }),
    attributes: { ...attributes, ...(!scope.isOwn && { ...scope.attributes, ...aside(record) }) },
    events: listOf(record.events, `${at}: events`).map((event, i) => readEvent(event, `${at}: event ${i + 1}`, scope)),
    ...(resource && !scope.isOwn && { resource }),
  }
  if (!scope.isOwn || head === undefined) return { id: traceId, spans: [span] }
  const { id, ...rest } = ownHead(head, at)
  return { id: traceId, ownId: id, head: rest, spans: [span] }
}

/** What a span of OTLP has and ours has no field for. */
function aside(record: Fields): Record<string, unknown> {
  const kind = kindOf(record.kind)
  const links = listOf(record.links, 'links')
  const state = field(record, 'traceState')
  return {
    ...(kind !== undefined && kind !== 'UNSPECIFIED' && { 'otel.kind': kind }),
    ...(links.length > 0 && { 'otel.links': links }),
    ...(typeof state === 'string' && state !== '' && { 'otel.trace_state': state }),
    ...dropped(record, 'droppedAttributesCount', 'otel.dropped_attributes_count'),
    ...dropped(record, 'droppedEventsCount', 'otel.dropped_events_count'),
    ...dropped(record, 'droppedLinksCount', 'otel.dropped_links_count'),
    ...dropped(record, 'flags', 'otel.flags'),
  }
}

function dropped(record: Fields, name: string, attribute: string): Record<string, unknown> {
  const count = field(record, name)
  return typeof count === 'number' && count > 0 ? { [attribute]: count } : {}
}

function own(attributes: Record<string, unknown>): Record<string, unknown> {
  return unplain(attributes) as Record<string, unknown>
}

/** MLflow's own client sends these as JSON in text. */
function jsonOf(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

/** Times and ids are texts, the rest is what `encode` makes of it. */
function ownHead(text: unknown, at: string): Partial<TraceData> {
  try {
    return recordOf(decode(String(text)), OWN_HEAD) as Partial<TraceData>
  } catch {
    throw new FormatFault(`${at}: the attribute "${OWN_HEAD}" is damaged, found ${quote(text)}`)
  }
}

function readEvent(item: unknown, what: string, scope: Scope): SpanEvent {
  const record = recordOf(item, what)
  const attributes = fromPairs(record.attributes, `${what}: attributes`)
  return {
    name: typeof record.name === 'string' ? record.name : '',
    timeNs: nanoseconds(field(record, 'timeUnixNano'), `${what}: time`) ?? 0n,
    attributes: scope.isOwn ? own(attributes) : attributes,
  }
}

/** Gives traces as the request of an export. @throws NotDataError */
export function writeRequest(traces: readonly Trace[]): Record<string, unknown> {
  return {
    resourceSpans: [
      {
        resource: { attributes: toPairs({ 'service.name': OWN_SCOPE }) },
        scopeSpans: [{ scope: { name: OWN_SCOPE }, spans: traces.flatMap(writeTrace) }],
      },
    ],
  }
}

function writeTrace(trace: Trace): Record<string, unknown>[] {
  const traceId = traceHex(trace.id)
  return trace.spans.map((span, i) => writeSpan(span, traceId, i === 0 ? { [OWN_HEAD]: encode(headOf(trace)) } : {}))
}

function headOf({ spans, runId: _, rowId, metadata, ...head }: Trace): Record<string, unknown> {
  const [root] = spans.filter(({ parentId }) => parentId === undefined)
  const { inputs, outputs, ...rest } = head
  return {
    ...ABSENT,
    ...rest,
    metadata: rowId === undefined ? metadata : { ...metadata, 'vitest-evaluate.rowId': rowId },
    ...(encode(root?.inputs) !== encode(inputs) && { inputs }),
    ...(encode(root?.outputs) !== encode(outputs) && { outputs }),
  }
}

/** What a trace does not have is not to be guessed from its spans. */
const ABSENT = { name: undefined, durationMs: undefined, sessionId: undefined }

function writeSpan(span: Span, traceId: string, more: Fields): Record<string, unknown> {
  const { parentId, endTimeNs, inputs, outputs, attributes, events, statusMessage } = span
  const all = {
    ...attributes,
    [TYPE]: span.type,
    ...(inputs !== undefined && { [INPUTS]: inputs }),
    ...(outputs !== undefined && { [OUTPUTS]: outputs }),
    ...more,
  }
  return {
    traceId,
    spanId: spanHex(span.id),
    ...(parentId !== undefined && { parentSpanId: spanHex(parentId) }),
    name: span.name,
    kind: Math.max(1, kindNumber(attributes['otel.kind'])),
    startTimeUnixNano: String(span.startTimeNs),
    ...(endTimeNs !== undefined && { endTimeUnixNano: String(endTimeNs) }),
    attributes: toPairs(all),
    ...(events.length > 0 && { events: events.map(writeEvent) }),
    status: { code: STATUS[span.status], ...(statusMessage !== undefined && { message: statusMessage }) },
  }
}

const STATUS = { UNSET: 0, OK: 1, ERROR: 2 } as const

function writeEvent({ name, timeNs, attributes }: SpanEvent): Record<string, unknown> {
  return { timeUnixNano: String(timeNs), name, attributes: toPairs(attributes) }
}
