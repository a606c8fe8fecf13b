import type { Assessment, AssessmentSource } from '../../feedback.ts'
import { assessmentId, inScope, type StoredTrace, type StoredTrial, type TraceWrite } from '../../store.ts'
import { type Label, seal, sealAssessment, sealLabels, sealText } from './seal.ts'
import type { Extra } from './tape.ts'
import { cellValue, unpackText } from './values.ts'

/** A row of a table, as SQLite gives it. */
export type Row = Record<string, any>

/** What belongs to a trace in other tables. */
export interface Given {
  readonly labels: readonly Row[]
  readonly assessments: readonly Row[]
}

/** Gives what numbers stand for; undefined where that is lost. */
export interface Names {
  name(id: number): string | undefined
  run(key: number): string | undefined
}

/** Makes a record of rows; undefined when something of it is not as it was written. */
export function toStored(row: Row, given: Given, names: Names, runId: string | undefined): StoredTrace | undefined {
  const texts = textsOf(row)
  const labels = given.labels.map(({ kind, key, value }): Label => [kind, names.name(key) ?? '', value])
  const experiment = names.name(row.experiment)
  if (!texts || experiment === undefined || !isWhole(row, texts, experiment, labels)) return undefined
  if (runId !== undefined && !isWholeTrial(row, runId)) return undefined
  const assessments: Assessment[] = []
  for (const one of given.assessments) {
    const assessment = isWholeAssessment(one) ? toAssessment(one, row.id, names) : undefined
    if (!assessment) return undefined
    if (inScope(assessment, runId)) assessments.push(assessment)
  }
  return {
    trace: toTraceWrite(row, texts, experiment, labels),
    ...(runId !== undefined && { trial: toTrial(row, runId) }),
    assessments,
  }
}

interface Bodies {
  readonly inputs: string | null
  readonly outputs: string | null
  /** Undefined where they were not asked for. */
  readonly spans: string | null | undefined
}

function textsOf({ inputs, outputs, spans }: Row): Bodies | undefined {
  try {
    const given = spans === undefined ? undefined : unpackText(spans)
    return { inputs: unpackText(inputs), outputs: unpackText(outputs), spans: given }
  } catch {
    return undefined
  }
}

function isWhole(row: Row, { inputs, outputs, spans }: Bodies, experiment: string, labels: readonly Label[]): boolean {
  const texts = [row.id, experiment, row.name, row.status, row.session, inputs, outputs]
  const numbers = [row.request_ms, row.request_sub_ns, row.duration_ns, sealLabels(labels)]
  if (seal(texts, numbers) !== row.seal) return false
  return spans === undefined || (spans === null ? null : sealText(spans)) === row.spans_seal
}

function isWholeTrial(row: Row, runId: string): boolean {
  const texts = [runId, row.id, row.row_id, row.error, row.parent]
  return seal(texts, [row.position, row.repeat, row.failed, row.attempts]) === row.trial_seal
}

function isWholeAssessment(one: Row): boolean {
  const times = [one.duration_ms, one.created_at, one.updated_at]
  const numbers = [one.trace, one.ordinal, one.kind, one.name, one.type, one.num, one.run, one.scorer, ...times]
  return sealAssessment(numbers, one.text, one.extra, one.valid) === one.seal
}

function toTraceWrite(
  row: Row,
  { inputs, outputs, spans }: Bodies,
  experiment: string,
  labels: readonly Label[],
): TraceWrite {
  const pick = (wanted: number): Record<string, string> =>
    Object.fromEntries(labels.filter(([kind]) => kind === wanted).map(([, key, value]) => [key, value]))
  return {
    id: row.id,
    experiment,
    ...(row.name !== null && { name: row.name }),
    status: row.status,
    requestTimeMs: row.request_ms,
    requestTimeSubNs: row.request_sub_ns,
    ...(row.duration_ns !== null && { durationNs: row.duration_ns }),
    ...(row.session !== null && { sessionId: row.session }),
    tags: pick(0),
    metadata: pick(1),
    ...(inputs !== null && { inputs }),
    ...(outputs !== null && { outputs }),
    spans: spans ?? '',
  }
}

function toTrial(row: Row, runId: string): StoredTrial {
  return {
    runId,
    index: row.position,
    repeat: row.repeat,
    rowId: row.row_id,
    status: row.failed === 1 ? 'failed' : 'ok',
    ...(row.error !== null && { error: JSON.parse(row.error) }),
    attempts: row.attempts,
    ...(row.parent !== null && { parentTraceId: row.parent }),
  }
}

function toAssessment(row: Row, traceId: string, names: Names): Assessment | undefined {
  const name = names.name(row.name)
  const scorer = row.scorer === null ? undefined : names.name(row.scorer)
  const runId = row.run === null ? undefined : names.run(row.run)
  if (name === undefined || (scorer === undefined) !== (row.scorer === null)) return undefined
  if ((runId === undefined) !== (row.run === null)) return undefined
  const value = cellValue(row.type, row.num, row.text)
  const extra: Extra = row.extra === null ? {} : JSON.parse(row.extra)
  const { source = { type: 'CODE', id: scorer as string } satisfies AssessmentSource, ...rest } = extra
  return {
    id: assessmentId(traceId, row.ordinal),
    kind: row.kind === 0 ? 'feedback' : 'expectation',
    name,
    traceId,
    ...(value !== undefined && { value }),
    ...rest,
    source,
    ...(runId !== undefined && { runId }),
    ...(scorer !== undefined && { scorer }),
    ...(row.duration_ms !== null && { durationMs: row.duration_ms }),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    valid: row.valid === 1,
  }
}
