import type { Assessment, AssessmentSource } from '../../feedback.ts'
import { assessmentId, type StoredTrace, type StoredTrial, type TraceWrite } from '../../store.ts'
import { isSealable, type Label, seal, sealAssessment, sealLabels, sealText } from './seal.ts'
import type { Extra } from './tape.ts'
import { cellValue, unpackText } from './values.ts'

/** A row of a table, as SQLite gives it. */
export type Row = Record<string, any>

/** What belongs to a trace in other tables. */
export interface Given {
  readonly labels: readonly Row[]
  readonly assessments: readonly Row[]
}

/** Makes a record of rows; undefined when something of it is not as it was written. */
export function toStored(row: Row, { labels, assessments }: Given, runId: string | undefined): StoredTrace | undefined {
  const texts = textsOf(row)
  if (!texts || !isWhole(row, texts, labels)) return undefined
  if (runId !== undefined && !isWholeTrial(row, runId)) return undefined
  if (!assessments.every(isWholeAssessment)) return undefined
  return {
    trace: toTraceWrite(row, texts, labels),
    ...(runId !== undefined && { trial: toTrial(row, runId) }),
    assessments: assessments.map((one) => toAssessment(one, row.id)),
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

function isWhole(row: Row, { inputs, outputs, spans }: Bodies, labels: readonly Row[]): boolean {
  if (!labels.every(({ kind, key, value }) => isSealable([key, value], [kind]))) return false
  const sealed = sealLabels(labels.map(({ kind, key, value }): Label => [kind, key, value]))
  const texts = [row.id, row.experiment, row.name, row.status, row.session, inputs, outputs]
  const numbers = [row.request_ms, row.request_sub_ns, row.duration_ns, sealed]
  if (!isSealable(texts, numbers) || seal(texts, numbers) !== row.seal) return false
  return spans === undefined || (spans === null ? null : sealText(spans)) === row.spans_seal
}

function isWholeTrial(row: Row, runId: string): boolean {
  const texts = [runId, row.id, row.row_id, row.error, row.parent]
  const numbers = [row.position, row.repeat, row.failed, row.attempts]
  return isSealable(texts, numbers) && seal(texts, numbers) === row.trial_seal
}

function isWholeAssessment(one: Row): boolean {
  const { name_text: name, scorer_text: scorer, run_id: runId, text, extra } = one
  const times = [one.duration_ms, one.created_at, one.updated_at]
  const numbers = [one.trace, one.ordinal, one.kind, one.name, one.type, one.num, one.run, one.scorer, ...times]
  if (!isSealable([text, extra], numbers) || sealAssessment(numbers, text, extra, one.valid) !== one.seal) return false
  if (typeof name !== 'string' || sealText(name) !== one.name_seal) return false
  if (one.scorer !== null && (typeof scorer !== 'string' || sealText(scorer) !== one.scorer_seal)) return false
  return (one.run === null) === (runId === null)
}

function toTraceWrite(row: Row, { inputs, outputs, spans }: Bodies, labels: readonly Row[]): TraceWrite {
  const pick = (kind: number): Record<string, string> =>
    Object.fromEntries(labels.filter((one) => one.kind === kind).map(({ key, value }) => [key, value]))
  return {
    id: row.id,
    experiment: row.experiment,
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

function toAssessment(row: Row, traceId: string): Assessment {
  const value = cellValue(row.type, row.num, row.text)
  const extra: Extra = row.extra === null ? {} : JSON.parse(row.extra)
  const { source = { type: 'CODE', id: row.scorer_text } satisfies AssessmentSource, ...rest } = extra
  return {
    id: assessmentId(traceId, row.ordinal),
    kind: row.kind === 0 ? 'feedback' : 'expectation',
    name: row.name_text,
    traceId,
    ...(value !== undefined && { value }),
    ...rest,
    source,
    ...(row.run_id !== null && { runId: row.run_id }),
    ...(row.scorer_text !== null && { scorer: row.scorer_text }),
    ...(row.duration_ms !== null && { durationMs: row.duration_ms }),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    valid: row.valid === 1,
  }
}
