import type { Assessment } from '../feedback.ts'
import { RUN_SCHEMA_VERSION, type RunRecord } from '../run.ts'
import { decode, encode } from '../std/json.ts'
import type { StoredTrace, TraceWrite } from '../store.ts'

/** A run and its trials as JSON text, exactly: what the lossless formats are made of. */

const FORMAT = 'vitest-evaluate run'
const VERSION = 1
const TEXT = '$text'

/** Says what is wrong with a text that should hold a run or a trial, in words that follow a colon. */
export class RecordError extends Error {
  override readonly name = 'RecordError'
  readonly hint: string | undefined
  constructor(message: string, hint?: string) {
    super(message)
    this.hint = hint
  }
}

export interface Header {
  readonly run: RunRecord
  /** How many trials follow, where the header says so. */
  readonly trials?: number
}

/**
 * Gives the text that stands before the trials: `{ format, version, trials, run }`.
 * @param trials their number, as text; without it the header does not say
 */
export function encodeHeader(run: RunRecord, trials?: string): string {
  const count = trials === undefined ? '' : `"trials":${trials},`
  return `{"format":${JSON.stringify(FORMAT)},"version":${VERSION},${count}"run":${encode(run)}}`
}

/** @throws RecordError when the text is no such header, or a newer version wrote it */
export function decodeHeader(text: string): Header {
  const header = parse(text)
  if (!isRecord(header) || header.format !== FORMAT) {
    const hint = 'only what run.export() wrote can be opened; other files are data, as in evaluate(jsonl(path), …)'
    throw new RecordError(`it does not begin with the header of a ${FORMAT}`, hint)
  }
  requireVersion('format', header.version, VERSION)
  const run = decode(JSON.stringify(header.run ?? null))
  if (!isRecord(run)) throw new RecordError('its header holds no run')
  requireVersion('run record', run.schemaVersion, RUN_SCHEMA_VERSION)
  if (typeof run.id !== 'string' || !Array.isArray(run.columns) || !isRecord(run.totals)) {
    throw new RecordError('the run in its header is damaged')
  }
  const { trials } = header
  return { run: run as unknown as RunRecord, ...(typeof trials === 'number' && { trials }) }
}

function requireVersion(what: string, found: unknown, known: number): void {
  if (typeof found !== 'number') throw new RecordError(`its ${what} has no version`)
  if (found <= known) return
  const versions = `${what} version ${found}, this one reads up to ${known}`
  throw new RecordError(`a newer vitest-evaluate wrote it (${versions})`, 'update vitest-evaluate')
}

/**
 * Gives one trial as one line of JSON: `{ trial, inputs, outputs, assessments, trace, spans }`.
 *
 * Inputs, outputs and spans are the texts of the trace. They stand in the line as the JSON they are, so that people and other tools
 * can read them; a text that would not come back to the letter is kept as `{"$text": "…"}`.
 */
export function encodeRecord({ trial, trace, assessments }: StoredTrace): string {
  const { inputs, outputs, spans, ...rest } = trace
  const fields = [
    trial && `"trial":${encode(trial)}`,
    inputs !== undefined && `"inputs":${embed(inputs)}`,
    outputs !== undefined && `"outputs":${embed(outputs)}`,
    `"assessments":${encode(assessments)}`,
    `"trace":${encode(rest)}`,
    spans !== '' && `"spans":${embed(spans)}`,
  ]
  return `{${fields.filter(Boolean).join(',')}}`
}

/** @throws RecordError when the text is no such line */
export function decodeRecord(text: string): StoredTrace {
  const line = parse(text)
  if (!isRecord(line)) throw new RecordError('it is not an object')
  const { trial, trace, assessments, inputs, outputs, spans } = line
  if (!isRecord(trace) || typeof trace.id !== 'string' || !isRecord(trace.tags) || !isRecord(trace.metadata)) {
    throw new RecordError('it holds no trace')
  }
  if (!Array.isArray(assessments) || !assessments.every(isAssessment))
    throw new RecordError('its assessments are damaged')
  if (trial !== undefined && (!isRecord(trial) || typeof trial.rowId !== 'string')) {
    throw new RecordError('its trial is damaged')
  }
  const untagged = text.includes('$type') ? (part: unknown) => decode(JSON.stringify(part)) : (part: unknown) => part
  return {
    ...(trial !== undefined && { trial: untagged(trial) as NonNullable<StoredTrace['trial']> }),
    trace: {
      ...(untagged(trace) as TraceWrite),
      ...(inputs !== undefined && { inputs: extract(inputs) }),
      ...(outputs !== undefined && { outputs: extract(outputs) }),
      spans: spans === undefined ? '' : extract(spans),
    },
    assessments: untagged(assessments) as Assessment[],
  }
}

function embed(text: string): string {
  try {
    const value = JSON.parse(text)
    if (JSON.stringify(value) === text && !(isRecord(value) && Object.hasOwn(value, TEXT))) return text
  } catch {
    // Not JSON at all: kept as text below.
  }
  return JSON.stringify({ [TEXT]: text })
}

function extract(value: unknown): string {
  if (!isRecord(value) || !Object.hasOwn(value, TEXT)) return JSON.stringify(value)
  if (typeof value[TEXT] !== 'string') throw new RecordError(`its "${TEXT}" is damaged`)
  return value[TEXT]
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new RecordError('it is not JSON')
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isAssessment(value: unknown): boolean {
  return isRecord(value) && typeof value.name === 'string' && typeof value.kind === 'string'
}
