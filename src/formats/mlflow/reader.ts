import { quote } from '../../errors.ts'
import { FormatFault, type SpanDraft, type TraceDraft } from '../../format.ts'
import type { SpanEvent } from '../../span.ts'
import { parseExact } from '../../std/exact.ts'
import { decode, encode } from '../../std/json.ts'
import type { TraceStatus } from '../../trace.ts'
import { doubles, fromPairs, unplain } from '../value.ts'
import {
  type Fields,
  field,
  idOf,
  isRecord,
  listOf,
  nanoseconds,
  recordOf,
  requiredId,
  spanLabel,
  statusOf,
} from '../wire.ts'
import { readAssessments, timeOf } from './assessments.ts'
import { CLIENT, INPUTS, NAME, OUTPUTS, OWN, type Own, REQUEST_ID, ROW, SESSION, stated, TYPE } from './keys.ts'

/** Tells whether a part of a file is of MLflow: a trace in whatever form, or a span of one. */
export function isMlflow(part: unknown): boolean {
  return isRecord(part) && (infoOf(part) !== undefined || isRecord(part.trace) || isSpan(part))
}

/** @throws FormatFault */
export function readMlflow(part: unknown): TraceDraft[] {
  const record = recordOf(part, 'a trace')
  if (isRecord(record.trace)) return [readTrace(record.trace)]
  return [isSpan(record) ? readLoneSpan(record) : readTrace(record)]
}

function infoOf(record: Fields): Fields | undefined {
  const info = record.info ?? record.trace_info
  if (isRecord(info)) return info
  return 'trace_id' in record && ('trace_location' in record || 'trace_metadata' in record) ? record : undefined
}

function isSpan({ attributes }: Fields): boolean {
  return isRecord(attributes) && REQUEST_ID in attributes
}

/** The artifact `traces.json` has spans without the trace's own record. */
function readLoneSpan(record: Fields): TraceDraft {
  const request = foreignJson((record.attributes as Fields)[REQUEST_ID])
  if (typeof request === 'string' && request !== '') return { id: request, spans: [readSpan(record, 0, false)] }
  throw new FormatFault(`span ${quote(record.name)}: "${REQUEST_ID}" must be a trace id, found ${quote(request)}`)
}

function readTrace(record: Fields): TraceDraft {
  const info = infoOf(record)
  if (!info) throw new FormatFault(`a trace must have "info" or "trace_info", found ${quote(record)}`)
  const id = info.trace_id ?? info.request_id
  if (typeof id !== 'string' || id === '') throw new FormatFault(`the trace has no "trace_id", found ${quote(id)}`)
  const client = typeof info[CLIENT] === 'string' && info[CLIENT] !== '' ? info[CLIENT] : undefined
  const metadata: Record<string, string> = {
    ...stated(CLIENT, client),
    ...texts(info.trace_metadata ?? info.request_metadata, '"trace_metadata"'),
  }
  const own = metadata[OWN] === undefined ? undefined : ownPart(metadata[OWN])
  const data = isRecord(record.data) ? record.data : record
  const spans = listOf(data.spans, '"spans"').map((item, i) => readSpan(item, i, own !== undefined))
  const notes: string[] = []
  const head = headOf(info, metadata, own, id, notes)
  if (spans.length > 0) return { id, head, spans, notes }
  // Searches give traces without their spans; the previews are all there is of inputs and outputs.
  notes.push('it has no spans: inputs and outputs are the previews')
  const previews = { inputs: preview(info.request_preview), outputs: preview(info.response_preview) }
  return { id, head: { ...previews, ...head }, spans, notes }
}

function preview(text: unknown): unknown {
  return typeof text === 'string' ? jsonText(text) : undefined
}

type Head = NonNullable<TraceDraft['head']>

function headOf(
  info: Fields,
  metadata: Record<string, string>,
  own: Own | undefined,
  id: string,
  notes: string[],
): Head {
  const tags = texts(info.tags, '"tags"')
  const location = isRecord(info.trace_location) ? info.trace_location : {}
  const experiment = isRecord(location.mlflow_experiment)
    ? location.mlflow_experiment.experiment_id
    : info.experiment_id
  const time = timeOf(info.request_time ?? info.timestamp_ms, 'the trace')
  const duration = durationMs(info)
  const common = {
    ...(tags[NAME] !== undefined && { name: tags[NAME] }),
    experiment: String(experiment ?? ''),
    ...stated('status', stateOf(info.state ?? info.status)),
    ...(time !== undefined && { requestTimeMs: time }),
    ...(duration !== undefined && { durationMs: duration }),
    ...(metadata[SESSION] !== undefined && { sessionId: metadata[SESSION] }),
    ...(metadata[ROW] !== undefined && { rowId: metadata[ROW] }),
    assessments: readAssessments(listOf(info.assessments, '"assessments"'), id, (note) => notes.push(note)),
  }
  if (!own) return { ...common, tags, metadata }
  const kept = (labels: Record<string, string>) =>
    Object.fromEntries(Object.entries(labels).filter(([key]) => !own.added.includes(key)))
  return { ...ABSENT, ...common, tags: kept(tags), metadata: kept(metadata), ...own.head } as Head
}

/** In a file of ours, what is not there is not to be guessed from the spans. */
const ABSENT = { name: undefined, durationMs: undefined, sessionId: undefined }

function ownPart(text: string): Own {
  try {
    const { head, added } = decode(text) as Own
    if (isRecord(head) && Array.isArray(added)) return { head, added }
  } catch {
    // Said below.
  }
  throw new FormatFault(`the metadata "${OWN}" is damaged`)
}

function texts(value: unknown, what: string): Record<string, string> {
  if (value === undefined || value === null) return {}
  // Older forms have lists of { key, value }.
  const record = Array.isArray(value) ? fromPairs(value, what) : recordOf(value, what)
  return Object.fromEntries(
    Object.entries(record).map(([key, item]) => [key, typeof item === 'string' ? item : encode(item)]),
  )
}

function stateOf(state: unknown): TraceStatus | undefined {
  const word = String(state ?? '').replace(/^TRACE_STATUS_/, '')
  return word === 'OK' || word === 'ERROR' || word === 'IN_PROGRESS' ? word : undefined
}

function durationMs(info: Fields): number | undefined {
  const ms = info.execution_duration_ms ?? info.execution_time_ms
  if (ms !== undefined && ms !== null) return Number.isFinite(Number(ms)) ? Number(ms) : undefined
  const text = /^(-?[\d.]+)s$/.exec(String(info.execution_duration ?? ''))
  return text ? Math.round(Number(text[1]) * 1e9) / 1e6 : undefined
}

function readSpan(item: unknown, position: number, isOwn: boolean): SpanDraft {
  const record = recordOf(item, `span ${position + 1}`)
  const name = record.name === undefined || record.name === null ? '' : String(record.name)
  const at = spanLabel(position, name)
  const context = isRecord(record.context) ? record.context : record
  const status = isRecord(record.status) ? record.status : { code: record.status_code, message: record.status_message }
  const isList = Array.isArray(record.attributes)
  const raw = fromPairs(record.attributes, `${at}: attributes`)
  // MLflow keeps every value as JSON; the REST interface has decoded them.
  const read = isOwn ? ownJson : foreignJson
  const {
    [REQUEST_ID]: _,
    [TYPE]: type,
    [INPUTS]: inputs,
    [OUTPUTS]: outputs,
    ...attributes
  } = Object.fromEntries(
    Object.entries(raw).map(([key, value]) => [key, isList && !key.startsWith('mlflow.') ? value : read(value)]),
  )
  const end = nanoseconds(record.end_time_unix_nano ?? record.end_time, `${at}: end time`)
  const start = nanoseconds(record.start_time_unix_nano ?? record.start_time, `${at}: start time`)
  const parentId = idOf(record.parent_span_id ?? record.parent_id, 8, `${at}: parent id`)
  const links = listOf(record.links, `${at}: links`)
  return {
    id: requiredId(context.span_id, 8, `${at}: span_id`),
    ...(parentId !== undefined && { parentId }),
    name,
    ...(typeof type === 'string' && { type }),
    ...(start !== undefined && { startTimeNs: start }),
    ...(end !== undefined && { endTimeNs: end }),
    status: statusOf(status.code),
    ...(typeof status.message === 'string' && status.message !== '' && { statusMessage: status.message }),
    ...(inputs !== undefined && { inputs }),
    ...(outputs !== undefined && { outputs }),
    attributes: links.length > 0 ? { ...attributes, 'otel.links': links } : attributes,
    events: listOf(record.events, `${at}: events`).map((event, i) => readEvent(event, `${at}: event ${i + 1}`, isOwn)),
  }
}

function readEvent(item: unknown, what: string, isOwn: boolean): SpanEvent {
  const record = recordOf(item, what)
  const attributes = fromPairs(record.attributes, `${what}: attributes`)
  return {
    name: String(record.name ?? ''),
    timeNs: nanoseconds(field(record, 'timeUnixNano') ?? record.timestamp, `${what}: time`) ?? 0n,
    attributes: isOwn ? (unplain(doubles(attributes)) as Record<string, unknown>) : attributes,
  }
}

function ownJson(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return decode(value)
  } catch {
    return value
  }
}

function foreignJson(value: unknown): unknown {
  return typeof value === 'string' ? jsonText(value) : value
}

function jsonText(text: string): unknown {
  try {
    return parseExact(text)
  } catch {
    return text
  }
}
