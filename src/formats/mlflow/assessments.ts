import { quote } from '../../errors.ts'
import type { Assessment, AssessmentSource, Primitive } from '../../feedback.ts'
import { FormatFault } from '../../format.ts'
import { decode, encode } from '../../std/json.ts'
import { doubles } from '../value.ts'
import { isRecord, recordOf } from '../wire.ts'

/** Assessments as MLflow writes them. Metadata holds texts only there; what is more than that goes into one text of ours. */

const EXACT = 'vitest-evaluate.assessment'
const RUN = 'mlflow.assessment.sourceRunId'
const SOURCES: Readonly<Record<string, AssessmentSource['type']>> = {
  HUMAN: 'HUMAN',
  LLM_JUDGE: 'LLM_JUDGE',
  AI_JUDGE: 'LLM_JUDGE',
  CODE: 'CODE',
}

/** @throws NotDataError */
export function writeAssessment(assessment: Assessment): Record<string, unknown> {
  const { id, kind, name, traceId, value, rationale, source, error, metadata, spanId, runId } = assessment
  const exact = exactOf(assessment)
  const texts = {
    ...(metadata && Object.fromEntries(Object.entries(metadata).map(([key, item]) => [key, String(item)]))),
    ...(runId !== undefined && { [RUN]: runId }),
    ...(exact && { [EXACT]: encode(exact) }),
  }
  return {
    assessment_id: id,
    assessment_name: name,
    trace_id: traceId,
    ...(spanId !== undefined && { span_id: spanId }),
    source: { source_type: source.type, source_id: source.id },
    create_time: new Date(assessment.createdAt).toISOString(),
    last_update_time: new Date(assessment.updatedAt).toISOString(),
    ...(kind === 'feedback'
      ? { feedback: { value: jsonOf(value), ...(error && { error: writeError(error) }) } }
      : { expectation: expected(value) }),
    ...(rationale !== undefined && { rationale }),
    ...(Object.keys(texts).length > 0 && { metadata: texts }),
    ...(assessment.overrides !== undefined && { overrides: assessment.overrides }),
    valid: assessment.valid,
  }
}

/** What MLflow has no field for. */
function exactOf(assessment: Assessment): Record<string, unknown> | undefined {
  const { scorer, scorerVersion, durationMs, metadata, runId, value } = assessment
  const exact = {
    ...(scorer !== undefined && { scorer }),
    ...(scorerVersion !== undefined && { scorerVersion }),
    ...(durationMs !== undefined && { durationMs }),
    ...(metadata && { metadata }),
    ...(runId !== undefined && { runId }),
    ...(assessment.kind === 'feedback' && isTagged(encode(value)) && value !== undefined && { value }),
  }
  return Object.keys(exact).length > 0 ? exact : undefined
}

function jsonOf(value: unknown): unknown {
  return value === undefined ? null : JSON.parse(encode(value))
}

/** Tells whether an encoded value is more than JSON. */
function isTagged(text: string): boolean {
  return text.includes('"$type"')
}

function expected(value: unknown): Record<string, unknown> {
  const text = encode(value)
  const isPlain = typeof value !== 'object' && !isTagged(text)
  return isPlain ? { value } : { serialized_value: { serialization_format: 'JSON_FORMAT', value: text } }
}

function writeError({ code, message, stack }: NonNullable<Assessment['error']>): Record<string, unknown> {
  return { error_code: code, error_message: message, ...(stack !== undefined && { stack_trace: stack }) }
}

/**
 * Reads assessments; what is neither Feedback nor an expectation is left out, and said.
 * @throws FormatFault
 */
export function readAssessments(list: readonly unknown[], traceId: string, say: (note: string) => void): Assessment[] {
  const assessments: Assessment[] = []
  for (const [i, item] of list.entries()) {
    const what = `assessment ${i + 1}`
    const record = recordOf(item, what)
    if (isRecord(record.feedback) || isRecord(record.expectation)) {
      assessments.push(readAssessment(record, what, traceId, assessments.length))
    } else say(`${what} (${quote(record.assessment_name)}) is neither Feedback nor an expectation: left out`)
  }
  return assessments
}

function readAssessment(
  record: Readonly<Record<string, unknown>>,
  what: string,
  traceId: string,
  position: number,
): Assessment {
  const name = record.assessment_name ?? record.name
  if (typeof name !== 'string' || name === '') throw new FormatFault(`${what} has no name`)
  const kind = isRecord(record.feedback) ? 'feedback' : 'expectation'
  const given = recordOf(record[kind], what)
  const texts = isRecord(record.metadata) ? record.metadata : {}
  const { [EXACT]: own, ...theirs } = texts
  const exact = typeof own === 'string' ? ownPart(own, what) : undefined
  const metadata = (exact ? exact.metadata : Object.keys(theirs).length > 0 ? theirs : undefined) as
    | Assessment['metadata']
    | undefined
  const error = isRecord(given.error) ? given.error : isRecord(record.error) ? record.error : undefined
  const value = exact && 'value' in exact ? exact.value : valueOf(given, what)
  const createdAt = timeOf(record.create_time ?? record.create_time_ms, what) ?? 0
  const { type, metadata: odd } = sourceOf(record.source)
  return {
    id: text(record.assessment_id) ?? `${traceId}.${position}`,
    kind,
    name,
    traceId,
    ...(value !== undefined && value !== null && { value }),
    ...(text(record.rationale) !== undefined && { rationale: text(record.rationale) as string }),
    source: type,
    ...(error && { error: readError(error) }),
    ...((metadata || odd) && { metadata: { ...metadata, ...odd } as Record<string, Primitive> }),
    ...(text(record.span_id) !== undefined && { spanId: text(record.span_id) as string }),
    ...pick(exact, ['runId', 'scorer', 'scorerVersion', 'durationMs']),
    createdAt,
    updatedAt: timeOf(record.last_update_time ?? record.last_update_time_ms, what) ?? createdAt,
    ...(text(record.overrides) !== undefined && { overrides: text(record.overrides) as string }),
    valid: record.valid !== false,
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function ownPart(text: string, what: string): Record<string, unknown> {
  try {
    return recordOf(decode(text), what) as Record<string, unknown>
  } catch {
    throw new FormatFault(`${what} has a damaged "${EXACT}" in its metadata`)
  }
}

function pick(record: Record<string, unknown> | undefined, names: readonly string[]): Partial<Assessment> {
  return Object.fromEntries(names.filter((name) => record && name in record).map((name) => [name, record?.[name]]))
}

function valueOf(given: Readonly<Record<string, unknown>>, what: string): unknown {
  const serialized = given.serialized_value
  if (!isRecord(serialized)) return doubles(given.value)
  if (serialized.serialization_format !== 'JSON_FORMAT') return serialized.value
  try {
    return decode(String(serialized.value))
  } catch {
    throw new FormatFault(`${what}: its serialized value is not JSON`)
  }
}

/** A source that MLflow knows and we do not stays in the metadata. */
function sourceOf(source: unknown): { type: AssessmentSource; metadata?: Record<string, string> } {
  const { source_type: type, source_id: id } = isRecord(source) ? source : { source_type: '', source_id: '' }
  const known = SOURCES[String(type).toUpperCase()]
  return {
    type: { type: known ?? 'CODE', id: text(id) ?? 'default' },
    ...(!known && text(type) !== undefined && { metadata: { 'mlflow.assessment.sourceType': String(type) } }),
  }
}

function readError(error: Readonly<Record<string, unknown>>): NonNullable<Assessment['error']> {
  const stack = text(error.stack_trace)
  return {
    code: text(error.error_code) ?? 'ASSESSMENT_ERROR',
    message: String(error.error_message ?? ''),
    ...(stack !== undefined && { stack }),
  }
}

/** Milliseconds since 1970 of a number, or of a moment in text. */
export function timeOf(value: unknown, what: string): number | undefined {
  if (value === undefined || value === null) return undefined
  const ms = typeof value === 'string' ? Date.parse(value) : Number(value)
  // As far as a Date goes.
  if (Math.abs(ms) <= 8.64e15) return Math.floor(ms)
  throw new FormatFault(`${what} has a time that is none: ${quote(value)}`)
}
