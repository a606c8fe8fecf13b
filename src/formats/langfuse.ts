import type { Assessment } from '../feedback.ts'
import { FormatFault, type SpanDraft, type TraceDraft, type TraceFormat } from '../format.ts'
import { encode } from '../std/json.ts'
import { derivedId, type Fields, isRecord, listOf, moment, recordOf, spanLabel } from './wire.ts'

/** Traces as Langfuse's interface and its export give them: a trace with its observations and scores. */
export const langfuse: TraceFormat = {
  name: 'langfuse',
  title: 'Langfuse trace JSON',
  detect: (part) => isRecord(part) && typeof part.id === 'string' && Array.isArray(part.observations),
  read: (part) => [readTrace(recordOf(part, 'a trace'))],
}

const TYPES: Readonly<Record<string, string>> = {
  GENERATION: 'LLM',
  SPAN: 'UNKNOWN',
  EVENT: 'UNKNOWN',
}

/** Fields of an observation that become attributes, under the names that Langfuse's own SDK gives them. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  model: 'langfuse.observation.model.name',
  modelParameters: 'langfuse.observation.model.parameters',
  usageDetails: 'langfuse.observation.usage_details',
  usage: 'langfuse.observation.usage_details',
  costDetails: 'langfuse.observation.cost_details',
  metadata: 'langfuse.observation.metadata',
  level: 'langfuse.observation.level',
  version: 'langfuse.version',
  completionStartTime: 'langfuse.observation.completion_start_time',
  promptName: 'langfuse.observation.prompt.name',
  promptVersion: 'langfuse.observation.prompt.version',
  environment: 'langfuse.environment',
}

function readTrace(record: Fields): TraceDraft {
  const id = String(record.id)
  const traceId = /^[\da-f]{32}$/.test(id) ? `tr-${id}` : id
  const observations = listOf(record.observations, '"observations"').map((item, i) => {
    if (isRecord(item)) return item
    // Lists of traces name their observations only by id.
    throw new FormatFault(
      `observation ${i + 1} of trace ${id} is not there in full`,
      'fetch every trace by its id: lists of traces do not hold observations',
    )
  })
  const start = moment(record.timestamp, `trace ${id}: timestamp`)
  const rootId = derivedId(`trace ${id}`, 8)
  const spans = observations.map((item, i) => readObservation(item, i, rootId))
  const ends = spans.flatMap(({ startTimeNs, endTimeNs }) =>
    [startTimeNs, endTimeNs].filter((time) => time !== undefined),
  )
  // Inputs and outputs of a trace are its own in Langfuse, so it becomes the root of its observations.
  const root: SpanDraft = {
    id: rootId,
    name: typeof record.name === 'string' && record.name !== '' ? record.name : 'trace',
    type: 'CHAIN',
    ...(start !== undefined && { startTimeNs: start }),
    ...endOf(start, ends),
    status: spans.some(({ parentId, status }) => parentId === rootId && status === 'ERROR') ? 'ERROR' : 'UNSET',
    ...given('inputs', record.input),
    ...given('outputs', record.output),
    attributes: {},
    events: [],
  }
  return { id: traceId, head: headOf(record, traceId), spans: [root, ...spans] }
}

function endOf(start: bigint | undefined, times: readonly bigint[]): { endTimeNs?: bigint } {
  const last = times.reduce((a, b) => (b > a ? b : a), start ?? 0n)
  return last > 0n ? { endTimeNs: last } : {}
}

function headOf(record: Fields, traceId: string): NonNullable<TraceDraft['head']> {
  const { sessionId, userId, tags, metadata } = record
  const texts = isRecord(metadata) ? metadata : metadata === undefined || metadata === null ? {} : { metadata }
  const others = ['release', 'version', 'environment', 'externalId', 'projectId', 'public'].filter(
    (name) => record[name] !== undefined && record[name] !== null && record[name] !== '',
  )
  return {
    ...(typeof sessionId === 'string' && sessionId !== '' && { sessionId }),
    tags: Object.fromEntries(listOf(tags, '"tags"').map((tag) => [String(tag), 'true'])),
    metadata: {
      ...Object.fromEntries(Object.entries(texts).map(([key, value]) => [key, textOf(value)])),
      ...Object.fromEntries(others.map((name) => [`langfuse.${name}`, textOf(record[name])])),
      ...(typeof userId === 'string' && userId !== '' && { 'mlflow.trace.user': userId }),
    },
    assessments: listOf(record.scores, '"scores"').map((score, i) => readScore(score, i, traceId)),
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : encode(value)
}

function given<Key extends string>(key: Key, value: unknown): { [K in Key]?: unknown } {
  return (value === undefined || value === null ? {} : { [key]: value }) as { [K in Key]?: unknown }
}

function spanIdOf(id: string): string {
  return /^[\da-f]{16}$/.test(id) ? id : derivedId(id, 8)
}

function readObservation(record: Fields, position: number, rootId: string): SpanDraft {
  const at = spanLabel(position, record.name).replace('span', 'observation')
  if (typeof record.id !== 'string' || record.id === '') throw new FormatFault(`${at} has no id`)
  const id = spanIdOf(record.id)
  const parent = record.parentObservationId
  const type = String(record.type ?? '').toUpperCase()
  const start = moment(record.startTime, `${at}: startTime`)
  const end = moment(record.endTime, `${at}: endTime`) ?? (type === 'EVENT' ? start : undefined)
  const attributes = Object.entries(ATTRIBUTES).filter(
    ([name]) => record[name] !== undefined && record[name] !== null && record[name] !== '',
  )
  return {
    id,
    parentId: typeof parent === 'string' && parent !== '' ? spanIdOf(parent) : rootId,
    name: typeof record.name === 'string' ? record.name : '',
    ...(type !== '' && { type: TYPES[type] ?? type }),
    ...(start !== undefined && { startTimeNs: start }),
    ...(end !== undefined && { endTimeNs: end }),
    status: record.level === 'ERROR' ? 'ERROR' : 'UNSET',
    ...(typeof record.statusMessage === 'string' &&
      record.statusMessage !== '' && { statusMessage: record.statusMessage }),
    ...given('inputs', record.input),
    ...given('outputs', record.output),
    attributes: {
      // The later name wins where both are there: usageDetails says more than usage.
      ...Object.fromEntries(attributes.reverse().map(([name, attribute]) => [attribute, record[name]])),
      ...(id !== record.id && { 'langfuse.observation.id': record.id }),
    },
    events: [],
  }
}

const SOURCES: Readonly<Record<string, Assessment['source']['type']>> = { ANNOTATION: 'HUMAN', EVAL: 'LLM_JUDGE' }

function readScore(item: unknown, position: number, traceId: string): Assessment {
  const score = recordOf(item, `score ${position + 1}`)
  if (typeof score.name !== 'string' || score.name === '') throw new FormatFault(`score ${position + 1} has no name`)
  const at = Number((moment(score.timestamp ?? score.createdAt, `score ${position + 1}: time`) ?? 0n) / 1_000_000n)
  const updated = moment(score.updatedAt, `score ${position + 1}: time`)
  const isVerdict = score.dataType === 'BOOLEAN'
  const value = isVerdict ? Number(score.value) === 1 : (score.stringValue ?? score.value)
  const author = score.authorUserId ?? score.source
  return {
    id: typeof score.id === 'string' ? score.id : `${traceId}.${position}`,
    kind: 'feedback',
    name: score.name,
    traceId,
    ...given('value', value),
    ...(typeof score.comment === 'string' && score.comment !== '' && { rationale: score.comment }),
    source: { type: SOURCES[String(score.source)] ?? 'CODE', id: String(author ?? 'langfuse') },
    ...(isRecord(score.metadata) &&
      Object.keys(score.metadata).length > 0 && {
        metadata: Object.fromEntries(Object.entries(score.metadata).map(([key, one]) => [key, textOf(one)])),
      }),
    ...(typeof score.observationId === 'string' &&
      score.observationId !== '' && { spanId: spanIdOf(score.observationId) }),
    createdAt: at,
    updatedAt: updated === undefined ? at : Number(updated / 1_000_000n),
    valid: true,
  }
}
