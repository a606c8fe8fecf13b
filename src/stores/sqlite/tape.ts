import { encode } from '../../std/json.ts'
import type { AssessmentWrite, TraceWrite, TrialWrite } from '../../store.ts'

/**
 * Records laid out as one flat list of primitives. Such a list crosses to another thread several times faster than the records
 * themselves, whose every field name would have to be written and read again.
 */
export type Tape = (string | number | null)[]

/** How a value lies in the table of assessments; see the schema for the types. */
export type Cell = [type: number, num: number | null, text: string | null]

export function toCell(value: unknown): Cell {
  switch (typeof value) {
    case 'undefined':
      return [0, null, null]
    case 'boolean':
      return [1, value ? 1 : 0, null]
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return [2, value, null]
      break
    case 'string':
      // SQLite keeps UTF-8, which has no place for a lone surrogate; JSON escapes it.
      return value.isWellFormed() ? [3, null, value] : [5, null, JSON.stringify(value)]
  }
  return value === null ? [0, null, null] : [4, null, encode(value)]
}

export function writeTrial(tape: Tape, runId: string, trial: TrialWrite): void {
  const { error } = trial
  tape.push(
    runId,
    trial.index,
    trial.repeat,
    trial.rowId,
    trial.status === 'failed' ? 1 : 0,
    trial.attempts,
    error ? JSON.stringify(error) : null,
    trial.parentTraceId ?? null,
  )
  writeTrace(tape, trial.trace)
  writeAssessments(tape, trial.assessments)
}

export function writeTrace(tape: Tape, trace: TraceWrite): void {
  tape.push(
    trace.id,
    trace.experiment,
    trace.name ?? null,
    trace.status,
    trace.requestTimeMs,
    trace.requestTimeSubNs,
    trace.durationNs ?? null,
    trace.sessionId ?? null,
    trace.inputs ?? null,
    trace.outputs ?? null,
    trace.spans === '' ? null : trace.spans,
  )
  writeLabels(tape, trace.tags)
  writeLabels(tape, trace.metadata)
}

function writeLabels(tape: Tape, labels: Readonly<Record<string, string>>): void {
  const at = tape.push(0) - 1
  for (const key of Object.keys(labels)) {
    tape.push(key, labels[key] as string)
    ;(tape[at] as number)++
  }
}

/** How many entries one assessment has. */
export const ASSESSMENT_FIELDS = 12

export function writeAssessments(tape: Tape, assessments: readonly AssessmentWrite[]): void {
  tape.push(assessments.length)
  for (const assessment of assessments) {
    const [type, num, text] = toCell(assessment.value)
    tape.push(
      assessment.kind === 'feedback' ? 0 : 1,
      assessment.name,
      type,
      num,
      text,
      assessment.runId ?? null,
      assessment.scorer ?? null,
      assessment.durationMs ?? null,
      assessment.createdAt,
      assessment.updatedAt ?? assessment.createdAt,
      assessment.valid === false ? 0 : 1,
      extraOf(assessment),
    )
  }
}

/** What few assessments have; none of it can be searched. */
export interface Extra extends Pick<AssessmentWrite, 'rationale' | 'error' | 'metadata' | 'spanId' | 'overrides'> {
  readonly source?: AssessmentWrite['source']
}

function extraOf(assessment: AssessmentWrite): string | null {
  const { rationale, error, metadata, spanId, overrides, source, scorer } = assessment
  const implied = source.type === 'CODE' && source.id === scorer
  if (implied && !rationale && !error && !metadata && !spanId && !overrides) return null
  const extra: Record<string, unknown> = { rationale, error, metadata, spanId, overrides }
  if (!implied) extra.source = source
  return JSON.stringify(extra)
}

/** Reads a tape from front to back. */
export class TapeReader {
  readonly #tape: Tape
  #at = 0

  constructor(tape: Tape) {
    this.#tape = tape
  }

  get done(): boolean {
    return this.#at >= this.#tape.length
  }

  text(): string {
    return this.#tape[this.#at++] as string
  }

  number(): number {
    return this.#tape[this.#at++] as number
  }

  /** Gives what the next `number` will give. */
  peek(): number {
    return this.#tape[this.#at] as number
  }

  any(): string | number | null {
    return this.#tape[this.#at++] as string | number | null
  }
}
