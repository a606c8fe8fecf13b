import type { ArchivedTrace } from '../archival.ts'
import { passValue } from '../column.ts'
import type { Assessment } from '../feedback.ts'
import { decode, encode } from '../std/json.ts'
import type { TraceWrite } from '../store.ts'
import { recordOf } from './pieces.ts'
import { type DeltaField, field, list, map, struct } from './schema.ts'

/** The columns of an archived trace, and what stands in them. Times are microseconds since 1970, as BigInt. */

const ASSESSMENT: readonly DeltaField[] = [
  field('id', 'string'),
  field('kind', 'string'),
  field('name', 'string'),
  field('value', 'string'),
  field('number', 'double'),
  field('rationale', 'string'),
  field('source_type', 'string'),
  field('source_id', 'string'),
  field('error_code', 'string'),
  field('error_message', 'string'),
  field('error_stack', 'string'),
  field('scorer', 'string'),
  field('scorer_version', 'string'),
  field('run_id', 'string'),
  field('span_id', 'string'),
  field('metadata', 'string'),
  field('duration_ms', 'double'),
  field('created_at', 'timestamp'),
  field('updated_at', 'timestamp'),
  field('overrides', 'string'),
  field('valid', 'boolean'),
]

/** The column whose values name the folders, and stand in no file. */
export const PARTITION = 'date'

/** What stands in the data files. */
export const DATA_COLUMNS: readonly DeltaField[] = [
  field('trace_id', 'string'),
  field('version', 'long'),
  field('archived_at', 'timestamp'),
  field('experiment', 'string'),
  field('name', 'string'),
  field('status', 'string'),
  field('request_time', 'timestamp'),
  field('request_time_ns', 'long'),
  field('duration_ms', 'double'),
  field('session_id', 'string'),
  field('inputs', 'string'),
  field('outputs', 'string'),
  field('spans', 'string'),
  field('tags', map('string', 'string')),
  field('metadata', map('string', 'string')),
  field('assessments', list(struct(ASSESSMENT))),
]

/** The columns of the table. */
export const COLUMNS: readonly DeltaField[] = [...DATA_COLUMNS, field(PARTITION, 'date')]

/** One row of a data file, by column. */
export type Cells = Readonly<Record<string, unknown>>

const MAX_DATE_MS = 8.64e15

/** @throws RangeError for a time that is none, and a version that is no whole number */
export function requireMeant({ stored: { trace }, version, archivedAt }: ArchivedTrace): void {
  const refuse = (what: string, found: unknown): never => {
    throw new RangeError(`Cannot archive trace "${trace.id}": its ${what} is ${found}`)
  }
  if (!Number.isSafeInteger(version)) refuse('version', version)
  // Negated, so that NaN is refused too.
  if (!(Math.abs(trace.requestTimeMs) <= MAX_DATE_MS)) refuse('request time', trace.requestTimeMs)
  if (!(Math.abs(archivedAt) <= MAX_DATE_MS)) refuse('time of archiving', archivedAt)
}

/** Gives the row of a trace. */
export function toCells({ stored: { trace, assessments }, version, archivedAt }: ArchivedTrace): Cells {
  return {
    trace_id: trace.id,
    version: BigInt(version),
    archived_at: micros(archivedAt),
    experiment: trace.experiment,
    name: trace.name,
    status: trace.status,
    request_time: micros(trace.requestTimeMs) + BigInt(Math.floor(trace.requestTimeSubNs / 1_000)),
    request_time_ns: BigInt(trace.requestTimeSubNs % 1_000),
    duration_ms: trace.durationNs === undefined ? undefined : trace.durationNs / 1e6,
    session_id: trace.sessionId,
    inputs: trace.inputs,
    outputs: trace.outputs,
    spans: trace.spans,
    tags: Object.entries(trace.tags),
    metadata: Object.entries(trace.metadata),
    assessments: assessments.map(assessmentCells),
  }
}

function assessmentCells(one: Assessment): Cells {
  const { value } = one
  return {
    id: one.id,
    kind: one.kind,
    name: one.name,
    value: value === undefined ? undefined : encode(value),
    number: typeof value === 'number' ? value : passValue(value),
    rationale: one.rationale,
    source_type: one.source.type,
    source_id: one.source.id,
    error_code: one.error?.code,
    error_message: one.error?.message,
    error_stack: one.error?.stack,
    scorer: one.scorer,
    scorer_version: one.scorerVersion,
    run_id: one.runId,
    span_id: one.spanId,
    metadata: one.metadata && encode(one.metadata),
    duration_ms: one.durationMs,
    created_at: micros(one.createdAt),
    updated_at: micros(one.updatedAt),
    overrides: one.overrides,
    valid: one.valid,
  }
}

/** Reads back what `toCells` gave; throws what says which column is damaged. */
export function fromCells(cells: Cells): ArchivedTrace {
  const id = text(cells, 'trace_id')
  const time = bigint(cells, 'request_time')
  const ms = floored(time, 1_000n)
  const trace: TraceWrite = {
    id,
    experiment: text(cells, 'experiment'),
    ...optional('name', cells.name),
    status: statusOf(cells),
    requestTimeMs: Number(ms),
    requestTimeSubNs: Number(time - ms * 1_000n) * 1_000 + Number(cells.request_time_ns ?? 0),
    ...optional('durationNs', cells.duration_ms, (ms: number) => Math.round(ms * 1e6)),
    ...optional('sessionId', cells.session_id),
    tags: entries(cells.tags),
    metadata: entries(cells.metadata),
    ...optional('inputs', cells.inputs),
    ...optional('outputs', cells.outputs),
    spans: (cells.spans ?? '') as string,
  }
  const assessments = ((cells.assessments ?? []) as Cells[]).map((one) => toAssessment(one, id))
  return {
    stored: { trace, assessments },
    version: Number(bigint(cells, 'version')),
    archivedAt: millis(cells.archived_at ?? 0n),
  }
}

function toAssessment(cells: Cells, traceId: string): Assessment {
  return {
    id: text(cells, 'id', 'assessments.id'),
    kind: cells.kind as Assessment['kind'],
    name: text(cells, 'name', 'assessments.name'),
    traceId,
    ...optional('value', cells.value, json),
    ...optional('rationale', cells.rationale),
    source: { type: cells.source_type, id: cells.source_id } as Assessment['source'],
    ...optional('error', cells.error_code, (code: string) => ({
      code,
      message: cells.error_message ?? '',
      ...optional('stack', cells.error_stack),
    })),
    ...optional('metadata', cells.metadata, json),
    ...optional('spanId', cells.span_id),
    ...optional('runId', cells.run_id),
    ...optional('scorer', cells.scorer),
    ...optional('scorerVersion', cells.scorer_version),
    ...optional('durationMs', cells.duration_ms),
    createdAt: millis(cells.created_at ?? 0n),
    updatedAt: millis(cells.updated_at ?? 0n),
    ...optional('overrides', cells.overrides),
    valid: cells.valid !== false,
  }
}

/** Gives the field, or none where the cell is null. */
function optional<K extends string>(
  name: K,
  cell: unknown,
  read: (cell: any) => unknown = (value) => value,
): { [key in K]?: any } {
  return (cell === null || cell === undefined ? {} : { [name]: read(cell) }) as { [key in K]?: any }
}

function text(cells: Cells, name: string, column: string = name): string {
  if (typeof cells[name] !== 'string') throw new Error(`its column "${column}" is null`)
  return cells[name]
}

function bigint(cells: Cells, name: string): bigint {
  if (typeof cells[name] !== 'bigint') throw new Error(`its column "${name}" is null`)
  return cells[name]
}

function statusOf(cells: Cells): TraceWrite['status'] {
  const { status } = cells
  if (status === 'OK' || status === 'ERROR' || status === 'IN_PROGRESS') return status
  throw new Error(`its status is ${JSON.stringify(status)}, which is none of OK, ERROR, IN_PROGRESS`)
}

function entries(cell: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(recordOf(cell)).map(([key, value]) => [key, value ?? '']))
}

function json(value: string): unknown {
  try {
    return decode(value)
  } catch {
    throw new Error('the JSON of one of its assessments is damaged')
  }
}

function micros(ms: number): bigint {
  const whole = Math.floor(ms)
  return BigInt(whole) * 1_000n + BigInt(Math.round((ms - whole) * 1_000))
}

function millis(time: unknown): number {
  const micros = Number(time)
  return Number.isSafeInteger(micros) ? micros / 1_000 : Number(floored(time as bigint, 1_000n))
}

function floored(value: bigint, by: bigint): bigint {
  return (value - (((value % by) + by) % by)) / by
}

/**
 * Gives the day of a request, UTC, as `2026-11-21`; none for years that other readers' calendars do not have.
 */
export function dayOf(ms: number): string | null {
  const year = new Date(ms).getUTCFullYear()
  return year >= 1 && year <= 9_999 ? new Date(ms).toISOString().slice(0, 10) : null
}
