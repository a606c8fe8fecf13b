import { type AssessmentWrite, overriddenFirst } from '../../assessment.ts'
import { encode } from '../../std/json.ts'
import type { TraceWrite, TrialWrite } from '../../store.ts'

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

/** Marks beside an assessment's kind (0 or 1), for what few have. */
export const INVALID = 2
/** The time of the last change follows. */
export const UPDATED = 4
/** The place in the list of the one that it overrides follows. */
export const OVERRIDES = 8

/** Writes a list; of what it overrides, only links within the list are kept. */
export function writeAssessments(tape: Tape, assessments: readonly AssessmentWrite[]): void {
  tape.push(assessments.length)
  const places = new Map<string, number>()
  for (const [i, assessment] of overriddenFirst(assessments).entries()) {
    const { id, overrides, createdAt, updatedAt = createdAt, valid = true } = assessment
    const place = overrides === undefined ? undefined : places.get(overrides)
    const [type, num, text] = toCell(assessment.value)
    tape.push(
      (assessment.kind === 'feedback' ? 0 : 1) |
        (valid ? 0 : INVALID) |
        (updatedAt === createdAt ? 0 : UPDATED) |
        (place === undefined ? 0 : OVERRIDES),
      assessment.name,
      type,
      num,
      text,
      assessment.runId ?? null,
      assessment.scorer ?? null,
      assessment.durationMs ?? null,
      createdAt,
      extraOf(assessment),
    )
    if (updatedAt !== createdAt) tape.push(updatedAt)
    if (place !== undefined) tape.push(place)
    if (id !== undefined) places.set(id, i)
  }
}

/** What few assessments have; none of it can be searched. */
export interface Extra extends Pick<AssessmentWrite, 'rationale' | 'error' | 'metadata' | 'spanId' | 'overrides'> {
  readonly source?: AssessmentWrite['source']
}

function extraOf(assessment: AssessmentWrite): string | null {
  const { rationale, error, metadata, spanId, source, scorer } = assessment
  const implied = source.type === 'CODE' && source.id === scorer
  if (implied && !rationale && !error && !metadata && !spanId) return null
  const extra: Record<string, unknown> = { rationale, error, metadata, spanId }
  if (!implied) extra.source = source
  return JSON.stringify(extra)
}

/** An assessment as it is read from a tape. */
export interface Entry {
  readonly kind: number
  readonly valid: number
  readonly name: string
  readonly cell: Cell
  readonly run: string | null
  readonly scorer: string | null
  readonly durationMs: number | null
  readonly createdAt: number
  readonly updatedAt: number
  readonly extra: string | null
  /** The place in the list of the one that it overrides; -1 where it overrides none. */
  readonly overrides: number
}

export function readAssessment(reader: TapeReader): Entry {
  const marks = reader.number()
  const name = reader.text()
  const cell: Cell = [reader.number(), reader.any() as number | null, reader.any() as string | null]
  const run = reader.any() as string | null
  const scorer = reader.any() as string | null
  const durationMs = reader.any() as number | null
  const createdAt = reader.number()
  const extra = reader.any() as string | null
  return {
    kind: marks & 1,
    valid: marks & INVALID ? 0 : 1,
    name,
    cell,
    run,
    scorer,
    durationMs,
    createdAt,
    extra,
    updatedAt: marks & UPDATED ? reader.number() : createdAt,
    overrides: marks & OVERRIDES ? reader.number() : -1,
  }
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
