import type { Fed } from './feed.ts'
import { type Assessment, type AssessmentError, type Feedback, toAssessmentError } from './feedback.ts'
import { type Predict, predictRow } from './predict.ts'
import type { Recording } from './recorder.ts'
import type { Reuse } from './reuse.ts'
import { type Row, RowIdentity } from './row.ts'
import { type Scored, scoreRow } from './score.ts'
import type { Scorer } from './scorer.ts'
import { momentOf, monotonicMs, nowMs } from './std/async.ts'
import { canonical, copies, encode, NotDataError } from './std/json.ts'
import { newTraceId } from './std/random.ts'
import type { Watch } from './std/watch.ts'
import { type AssessmentWrite, readTrace, type TraceWrite, type TrialWrite, toTrace, toTraceWrite } from './store.ts'
import { Trace } from './trace.ts'

/** What is the same for every row of an evaluation. */
export interface TrialSettings {
  readonly runId: string
  readonly name: string
  readonly experiment: string
  readonly predict: Predict | undefined
  readonly scorers: readonly Scorer[]
  /** How often each row is evaluated. */
  readonly repeats: number
  readonly predictTimeoutMs: number
  readonly scorerTimeoutMs: number
  readonly retries: number
  readonly watch: Watch
  readonly signal: AbortSignal | undefined
  readonly recording?: Recording | undefined
  /** Finished cells of earlier runs. */
  readonly reuse: Reuse | undefined
}

/** What came of one row, ready to be kept and counted. */
export interface Outcome {
  readonly write: TrialWrite
  /** Missing where the row failed. */
  readonly scored?: readonly Scored[]
  /** How long predict took, milliseconds; missing where it was not called or failed. */
  readonly latencyMs?: number
  /** The scorers whose Feedback was taken over, where the answer was. */
  readonly reused?: ReadonlySet<string>
}

/** A row on its way: what is known of it so far. */
interface Draft {
  readonly write: Omit<TrialWrite, 'status' | 'error'>
  readonly outputs: unknown
  readonly error?: AssessmentError
  readonly latencyMs?: number
  /** The trace that was taken over with the answer. */
  readonly trace?: Trace
  /** What the row's own trace brings along. */
  readonly assessments?: readonly Assessment[]
  /** Feedback taken over from an earlier run, by scorer. */
  readonly feedback?: ReadonlyMap<string, readonly Feedback[]>
}

interface Identified {
  readonly rowId: string
  readonly inputs: string | undefined
  readonly expectations: readonly AssessmentWrite[]
}

/** Sees rows through: identity, predict or the recorded answer, scorers. Nothing that happens in a row is thrown. */
export class Trials {
  readonly #settings: TrialSettings
  readonly #identity = new RowIdentity()

  constructor(settings: TrialSettings) {
    this.#settings = settings
  }

  /** Gives undefined when the evaluation was aborted meanwhile: a row that was cut off is not a row that failed. */
  async run(fed: Fed): Promise<Outcome | undefined> {
    const { scorers, signal, watch, scorerTimeoutMs } = this.#settings
    const { row } = fed
    const draft = await this.#draft(fed)
    if (signal?.aborted) return undefined
    const { write, error, latencyMs, outputs } = draft
    if (error) return { write: { ...write, status: 'failed', error } }
    const { inputs, expectations = {}, tags = {} } = row
    const trace = draft.trace ?? readTrace(write.trace, draft.assessments ?? NONE)
    const scored = await scoreRow(
      scorers,
      {
        inputs: copies(inputs),
        outputs: copies(outputs),
        expectations: copies(expectations),
        tags,
        trace,
      },
      { timeoutMs: scorerTimeoutMs, watch },
      draft.feedback,
    )
    if (signal?.aborted) return undefined
    const assessments = [...write.assessments, ...this.#feedback(scored)]
    return {
      write: { ...write, status: 'ok', assessments },
      scored,
      ...(latencyMs !== undefined && { latencyMs }),
      ...(draft.feedback && { reused: new Set(draft.feedback.keys()) }),
    }
  }

  #draft({ row, index, repeat, shared }: Fed): Draft | Promise<Draft> {
    const place = { index, repeat }
    try {
      const identified = this.#identify(row, shared)
      if (this.#settings.reuse) return this.#reused(row, place, identified, this.#settings.reuse)
      return this.#fresh(row, place, identified)
    } catch (thrown) {
      if (!(thrown instanceof NotDataError)) throw thrown
      const trace: TraceWrite = { ...this.#momentary(row), status: 'ERROR' }
      const write = { ...place, rowId: row.id ?? `row-${index + 1}`, attempts: 0, trace, assessments: [] }
      return { write, outputs: undefined, error: toAssessmentError('ROW_NOT_DATA', thrown) }
    }
  }

  #fresh(row: Row, place: Place, identified: Identified): Draft | Promise<Draft> {
    const { predict } = this.#settings
    return predict ? this.#predicted(row, place, identified, predict) : this.#recorded(row, place, identified)
  }

  /** Takes the answer of an earlier run over. Feedback is good only for the ground truth that it was given for. */
  async #reused(row: Row, place: Place, identified: Identified, reuse: Reuse): Promise<Draft> {
    const found = await reuse.find(identified.rowId, place.repeat)
    if (!found) return this.#fresh(row, place, identified)
    const { trace, trial } = found.stored
    const known = toTrace(found.stored)
    const same = canonical(known.expectations) === canonical(present(row.expectations))
    const { attempts = 0, parentTraceId } = trial ?? {}
    return {
      write: {
        ...place,
        rowId: identified.rowId,
        attempts,
        ...(parentTraceId !== undefined && { parentTraceId }),
        trace,
        assessments: same ? [] : identified.expectations,
      },
      outputs: known.outputs,
      trace: known,
      feedback: same ? found.feedback : new Map(),
      ...(attempts > 0 && trace.durationNs !== undefined && { latencyMs: trace.durationNs / 1e6 }),
    }
  }

  /** @throws NotDataError before predict is called, when the row itself cannot be kept */
  #identify(row: Row, shared: Fed['shared']): Identified {
    const inputs = 'inputs' in row ? encode(row.inputs, 'inputs') : undefined
    const expectations = this.#expectations(row)
    shared.rowId ??= this.#identity.identify(row)
    return { inputs, expectations, rowId: shared.rowId }
  }

  #expectations({ expectations }: Row): AssessmentWrite[] {
    if (!expectations) return []
    const { runId } = this.#settings
    const source = { type: 'HUMAN', id: 'row' } as const
    const createdAt = nowMs()
    return Object.entries(expectations)
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([name, value]) => {
        if (!['string', 'number', 'boolean'].includes(typeof value)) encode(value, `expectations.${name}`)
        return { kind: 'expectation', name, value, source, runId, createdAt }
      })
  }

  #traceBase(row: Row): Pick<TraceWrite, 'experiment' | 'name' | 'tags' | 'metadata' | 'sessionId'> {
    const { experiment, name, predict } = this.#settings
    const session = row.sessionId === undefined ? undefined : { sessionId: row.sessionId }
    return { experiment, name: predict?.name || name, tags: row.tags ?? {}, metadata: {}, ...session }
  }

  /** The trace of a row that was not executed: it has a time, but no duration. */
  #momentary(row: Row): Omit<TraceWrite, 'status'> {
    const { ms, subNs } = momentOf(monotonicMs())
    return { ...this.#traceBase(row), id: newTraceId(), requestTimeMs: ms, requestTimeSubNs: subNs, spans: '' }
  }

  async #predicted(
    row: Row,
    place: Place,
    { rowId, inputs, expectations }: Identified,
    predict: Predict,
  ): Promise<Draft> {
    const { retries, predictTimeoutMs: timeoutMs, watch, signal, recording } = this.#settings
    const { error, attempts, recorder, text, outputs, durationMs } = await predictRow(predict, row, {
      timeoutMs,
      retries,
      watch,
      signal,
      recording,
    })
    const trace: TraceWrite = {
      id: recorder.id,
      status: error ? 'ERROR' : 'OK',
      ...recorder.finish(durationMs),
      ...this.#traceBase(row),
      ...(inputs !== undefined && { inputs }),
      ...(text !== undefined && { outputs: text }),
    }
    const parent = row.trace && { parentTraceId: row.trace.id }
    const write = { ...place, rowId, attempts, ...parent, trace, assessments: expectations }
    return error ? { write, outputs, error } : { write, outputs, latencyMs: durationMs }
  }

  /** A row that brings its outputs or its trace: nothing is called, what was recorded is scored. */
  #recorded(row: Row, place: Place, { rowId, inputs, expectations }: Identified): Draft {
    const base = { ...place, rowId, attempts: 0, assessments: expectations }
    const { outputs } = row
    if (row.trace) {
      const error = { code: 'TRACE_FAILED', message: 'the recorded execution ended in an error' }
      // A trace is scored once in a run: repeats are traces of their own.
      const write = { ...base, ...traceOf(row, row.trace, this.#settings.repeats > 1) }
      const assessments = Object.freeze([...row.trace.assessments])
      return { write, outputs, assessments, ...(!('outputs' in row) && { error }) }
    }
    const trace = { ...this.#momentary(row), ...(inputs !== undefined && { inputs }) }
    const failed = (error: AssessmentError): Draft => ({
      write: { ...base, trace: { ...trace, status: 'ERROR' } },
      outputs,
      error,
    })
    if (!('outputs' in row)) {
      return failed({
        code: 'OUTPUTS_MISSING',
        message: 'the row has no outputs, and there is no predict to make them',
      })
    }
    try {
      return { write: { ...base, trace: { ...trace, status: 'OK', outputs: encode(outputs, 'outputs') } }, outputs }
    } catch (thrown) {
      return failed(toAssessmentError('OUTPUT_NOT_DATA', thrown))
    }
  }

  #feedback(scored: readonly Scored[]): AssessmentWrite[] {
    const createdAt = nowMs()
    const { runId } = this.#settings
    return scored.flatMap(({ scorer, feedback, durationMs }) =>
      feedback.map((item) => ({
        ...item,
        kind: 'feedback' as const,
        runId,
        scorer: scorer.name,
        durationMs,
        createdAt,
      })),
    )
  }
}

const NONE: readonly Assessment[] = Object.freeze([])

/** The trace itself, or, for a row that states other inputs, outputs, tags or session, a record of its own with the same spans. */
function traceOf(row: Row, trace: Trace, own: boolean): Pick<TrialWrite, 'trace' | 'parentTraceId'> {
  const answered = 'outputs' in row
  const tags = row.tags ?? {}
  const same = row.inputs === trace.inputs && row.sessionId === trace.sessionId && sameTexts(tags, trace.tags)
  if (same && !own && (!answered || row.outputs === trace.outputs)) return { trace: toTraceWrite(trace) }
  const restated = {
    ...(answered && { outputs: row.outputs, status: 'OK' as const }),
    ...(row.sessionId !== undefined && { sessionId: row.sessionId }),
  }
  const copy = new Trace({ ...trace, inputs: row.inputs, tags, ...restated, id: newTraceId() })
  return { trace: toTraceWrite(copy), parentTraceId: trace.id }
}

function sameTexts(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}

/** The expectations that say something. */
function present(expectations: Row['expectations']): Record<string, unknown> {
  const entries = Object.entries(expectations ?? {})
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined && value !== null))
}

interface Place {
  readonly index: number
  readonly repeat: number
}
