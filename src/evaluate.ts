import { setImmediate as nextTurn } from 'node:timers/promises'
import { EvaluationError, messageOf } from './errors.ts'
import { type Fed, Feed, type Selection, selectionRecord } from './feed.ts'
import { toAssessmentError } from './feedback.ts'
import type { Progress } from './handoff.ts'
import { type Predict, predictRow } from './predict.ts'
import { RowIdentity, type Trial } from './row.ts'
import { RUN_SCHEMA_VERSION, type RunRecord, type RunTest } from './run.ts'
import { type Scored, scoreRow } from './score.ts'
import { type Scorer, scorerVersion } from './scorer.ts'
import { momentOf, monotonicMs, nowMs } from './std/async.ts'
import { canonical, encode, NotDataError } from './std/json.ts'
import { newRunId, newTraceId } from './std/random.ts'
import { Watch } from './std/watch.ts'
import { type AssessmentWrite, type Store, type TraceWrite, type TrialWrite, toTrace } from './store.ts'
import { Tally, type Tolerance } from './tally.ts'
import { encodeSpans, type Trace } from './trace.ts'

/** Everything that is settled before an evaluation starts. */
export interface Evaluation {
  readonly data: Iterable<unknown> | AsyncIterable<unknown>
  /** How many rows there are, where the source knows. */
  readonly count?: number | undefined
  readonly predict?: Predict | undefined
  readonly scorers: readonly Scorer[]
  readonly store: Store
  readonly name: string
  readonly experiment: string
  readonly tags: Readonly<Record<string, string>>
  readonly selection: Selection
  readonly tolerance: Tolerance
  /** Rows in work at once. */
  readonly maxConcurrency: number
  readonly predictTimeoutMs: number
  readonly scorerTimeoutMs: number
  readonly retries: number
  readonly parentRunId?: string | undefined
  readonly test?: RunTest | undefined
  readonly signal?: AbortSignal | undefined
  readonly host: string
  readonly onStart?: ((run: RunRecord) => void) | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Called with the record of a run that has begun, however it ended. */
  readonly onEnd?: ((run: RunRecord) => void) | undefined
}

/**
 * Evaluates rows: predict, score, keep, count. What happens inside a row is recorded, never thrown.
 *
 * @throws EvaluationError DATA_EMPTY when there is no row; ROW_INVALID, SOURCE_… when the data breaks off; RUN_INTERRUPTED on abort;
 * STORE_… when the store fails. Rows finished before that are kept, and the error names the run.
 */
export async function runEvaluation(evaluation: Evaluation): Promise<RunRecord> {
  const running = new Running(evaluation)
  return running.run()
}

const YIELD_MS = 15

class Running {
  readonly #e: Evaluation
  readonly #feed: Feed
  readonly #tally: Tally
  readonly #identity = new RowIdentity()
  readonly #watch: Watch
  readonly #started = monotonicMs()
  #record: RunRecord | undefined
  #stopped = false
  #fault: unknown
  #lastYield = monotonicMs()

  constructor(evaluation: Evaluation) {
    this.#e = evaluation
    this.#feed = new Feed(evaluation.data, evaluation.selection)
    this.#tally = new Tally(evaluation.scorers)
    this.#watch = new Watch(evaluation.signal)
  }

  async run(): Promise<RunRecord> {
    const { signal, maxConcurrency } = this.#e
    signal?.throwIfAborted()
    const first = await this.#feed.take()
    if (!first) {
      const why = this.#e.selection.filter ? 'the filter leaves no row' : 'the data has no rows'
      throw new EvaluationError('DATA_EMPTY', `Cannot evaluate "${this.#e.name}": ${why}`)
    }
    if (!this.#e.predict && !('outputs' in first.row) && !first.row.trace) {
      throw new TypeError(
        'Cannot evaluate row 1: it has no "outputs"\nHint: give a predict function, evaluate(data, predict, scorers), or rows with outputs',
      )
    }
    const onAbort = (): void => this.#stop(undefined)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await this.#begin()
      const lanes = Array.from({ length: Math.max(1, maxConcurrency) }, (_, i) =>
        this.#lane(i === 0 ? first : undefined),
      )
      await Promise.all(lanes)
      return await this.#end()
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#watch.close()
    }
  }

  #stop(fault: unknown): void {
    if (!this.#stopped) {
      this.#stopped = true
      this.#fault = fault
      void this.#feed.close().catch(() => {})
    }
  }

  async #begin(): Promise<void> {
    const { name, experiment, tags, scorers, parentRunId, test, selection, host } = this.#e
    const cut = selectionRecord(selection)
    this.#record = {
      schemaVersion: RUN_SCHEMA_VERSION,
      id: newRunId(),
      name,
      experiment,
      status: 'running',
      startedAt: nowMs(),
      tags,
      scorers: scorers.map((scorer) => ({
        name: scorer.name,
        version: scorerVersion(scorer),
        ...(scorer.description !== undefined && { description: scorer.description }),
        ...(scorer.aggregations && {
          aggregations: scorer.aggregations.map((a) => (typeof a === 'string' ? a : a.name)),
        }),
      })),
      totals: this.#tally.totals(0),
      columns: [],
      problems: [],
      worst: [],
      failures: [],
      ...(parentRunId !== undefined && { parentRunId }),
      ...(cut && { selection: cut }),
      ...(test && { test }),
      process: { pid: process.pid, host },
    }
    await this.#e.store.createRun(this.#record)
    this.#e.onStart?.(this.#record)
  }

  /** One of several loops that each take a row, see it through, and take the next. */
  async #lane(first: Fed | undefined): Promise<void> {
    try {
      let fed = first ?? (await this.#feed.take())
      while (fed && !this.#stopped) {
        await this.#trial(fed)
        if (monotonicMs() - this.#lastYield > YIELD_MS) await this.#breathe()
        const next = this.#stopped ? undefined : this.#feed.take()
        fed = next instanceof Promise ? await next : next
      }
    } catch (fault) {
      this.#stop(fault)
    }
  }

  /** Lets timers, aborts and messages through: rows that never wait would otherwise keep the event loop to themselves. */
  async #breathe(): Promise<void> {
    this.#lastYield = monotonicMs()
    this.#progress()
    await nextTurn()
  }

  #progress(): void {
    const { onProgress, name, count, selection } = this.#e
    if (!onProgress) return
    const total = Math.min(
      selection.limit ?? Number.POSITIVE_INFINITY,
      selection.sample ?? Number.POSITIVE_INFINITY,
      count ?? Number.POSITIVE_INFINITY,
    )
    onProgress({
      runId: this.#run.id,
      name,
      done: this.#tally.done,
      ...(Number.isFinite(total) && count !== undefined && { total }),
      failed: this.#tally.failed,
      errors: this.#tally.errors,
      elapsedMs: monotonicMs() - this.#started,
    })
  }

  get #run(): RunRecord {
    return this.#record as RunRecord
  }

  async #trial(fed: Fed): Promise<void> {
    const outcome = await this.#outcome(fed)
    // After an abort only what had finished before it counts; a row that was cut off is not a row that failed.
    if (!outcome) return
    const room = this.#e.store.writeTrial(this.#run.id, outcome)
    if (room) await room
  }

  async #outcome({ row, index }: Fed): Promise<TrialWrite | undefined> {
    const { predict, scorers, signal } = this.#e
    const trial = this.#identify({ row, index })
    if ('status' in trial) return trial
    const expectations = row.expectations ?? {}
    const draft = predict ? await this.#predict(trial, predict) : this.#recorded(trial)
    if (signal?.aborted) return undefined
    if (draft.write.error) {
      this.#tally.addFailed(index, draft.write.error)
      return draft.write
    }
    const scored = await scoreRow(
      scorers,
      {
        inputs: row.inputs,
        outputs: draft.outputs,
        expectations,
        tags: row.tags ?? {},
        trace: () => draft.trace ?? (draft.trace = toTrace({ trace: draft.write.trace, assessments: [] })),
      },
      { timeoutMs: this.#e.scorerTimeoutMs, watch: this.#watch },
    )
    if (signal?.aborted) return undefined
    this.#tally.addScored(
      { index, rowId: draft.write.rowId, traceId: draft.write.trace.id },
      scored.map(({ scorer, feedback, failed }) => ({ scorer: scorer.name, feedback, failed })),
    )
    const assessments = [...draft.write.assessments, ...this.#feedback(scored)]
    return { ...draft.write, assessments }
  }

  /** Settles who the row is; one whose data cannot be kept has failed before predict is called. */
  #identify({ row, index }: Fed): (Trial & { readonly texts: Texts }) | TrialWrite {
    try {
      const texts: Texts = {
        ...('inputs' in row && { inputs: encode(row.inputs) }),
        expectations: this.#expectations(row.expectations, row.trace),
      }
      return { row, rowId: this.#identity.identify(row), index, repeat: 0, texts }
    } catch (thrown) {
      if (!(thrown instanceof NotDataError)) throw thrown
      const error = toAssessmentError('ROW_NOT_DATA', thrown)
      this.#tally.addFailed(index, error)
      const now = momentOf(monotonicMs())
      return {
        index,
        repeat: 0,
        rowId: row.id ?? `row-${index + 1}`,
        status: 'failed',
        error,
        attempts: 0,
        trace: {
          ...this.#traceBase(row.tags),
          id: newTraceId(),
          status: 'ERROR',
          requestTimeMs: now.ms,
          requestTimeSubNs: now.subNs,
          spans: '',
        },
        assessments: [],
      }
    }
  }

  /** The row's own ground truth; what already stands on its trace is not written again. */
  #expectations(
    expectations: Readonly<Record<string, unknown>> | undefined,
    trace: Trace | undefined,
  ): AssessmentWrite[] {
    if (!expectations) return []
    const there = trace?.expectations ?? {}
    const entries = Object.entries(expectations).filter(
      ([name, value]) =>
        value !== undefined &&
        value !== null &&
        !(Object.hasOwn(there, name) && canonical(there[name]) === canonical(value)),
    )
    return entries.map(([name, value]) => {
      if (typeof value === 'object' || typeof value === 'function') encode(value)
      return {
        kind: 'expectation',
        name,
        value,
        source: { type: 'HUMAN', id: 'row' },
        runId: this.#run.id,
        createdAt: nowMs(),
      }
    })
  }

  #traceBase(
    tags: Readonly<Record<string, string>> | undefined,
  ): Pick<TraceWrite, 'experiment' | 'name' | 'tags' | 'metadata'> {
    return {
      experiment: this.#e.experiment,
      name: this.#e.predict?.name || this.#e.name,
      tags: tags ?? {},
      metadata: {},
    }
  }

  async #predict(trial: Trial & { readonly texts: Texts }, predict: Predict): Promise<Draft> {
    const { retries, predictTimeoutMs: timeoutMs, signal } = this.#e
    const { row, rowId, index, repeat, texts } = trial
    const prediction = await predictRow(predict, trial, { timeoutMs, retries, watch: this.#watch, signal })
    const { error, attempts, recorder, text, outputs } = prediction
    if (!signal?.aborted) this.#tally.addAttempts(attempts, error ? undefined : prediction.durationMs)
    return {
      outputs,
      write: {
        index,
        repeat,
        rowId,
        status: error ? 'failed' : 'ok',
        ...(error && { error }),
        attempts,
        ...(row.trace && { parentTraceId: row.trace.id }),
        trace: {
          ...this.#traceBase(row.tags),
          id: recorder.id,
          status: error ? 'ERROR' : 'OK',
          ...recorder.finish(prediction.durationMs),
          ...(texts.inputs !== undefined && { inputs: texts.inputs }),
          ...(text !== undefined && { outputs: text }),
        },
        assessments: texts.expectations,
      },
    }
  }

  /** A row that brings its outputs or its trace: nothing is called, what was recorded is scored. */
  #recorded(trial: Trial & { readonly texts: Texts }): Draft {
    const { row, rowId, index, repeat, texts } = trial
    const base = { index, repeat, rowId, attempts: 0, assessments: texts.expectations }
    if (row.trace) {
      const failed = !('outputs' in row)
      const error = { code: 'TRACE_FAILED', message: 'the recorded execution ended in an error' }
      return {
        outputs: row.outputs,
        trace: row.trace,
        write: { ...base, status: failed ? 'failed' : 'ok', ...(failed && { error }), trace: traceWrite(row.trace) },
      }
    }
    const now = momentOf(monotonicMs())
    const times = { requestTimeMs: now.ms, requestTimeSubNs: now.subNs, spans: '' }
    const inputs = texts.inputs === undefined ? {} : { inputs: texts.inputs }
    const trace = { ...this.#traceBase(row.tags), id: newTraceId(), ...times, ...inputs }
    if (!('outputs' in row)) {
      const error = { code: 'OUTPUTS_MISSING', message: 'the row has no outputs, and there is no predict to make them' }
      return { outputs: undefined, write: { ...base, status: 'failed', error, trace: { ...trace, status: 'ERROR' } } }
    }
    try {
      return {
        outputs: row.outputs,
        write: { ...base, status: 'ok', trace: { ...trace, status: 'OK', outputs: encode(row.outputs) } },
      }
    } catch (thrown) {
      const error = toAssessmentError('OUTPUT_NOT_DATA', thrown)
      return { outputs: undefined, write: { ...base, status: 'failed', error, trace: { ...trace, status: 'ERROR' } } }
    }
  }

  #feedback(scored: readonly Scored[]): AssessmentWrite[] {
    const createdAt = nowMs()
    return scored.flatMap(({ scorer, feedback, durationMs }) =>
      feedback.map((item) => ({
        ...item,
        kind: 'feedback' as const,
        runId: this.#run.id,
        scorer: scorer.name,
        durationMs,
        createdAt,
      })),
    )
  }

  async #end(): Promise<RunRecord> {
    const { signal, store } = this.#e
    const stored = await store.flush().then(
      () => undefined,
      (fault: unknown) => fault,
    )
    const fault = this.#fault ?? stored
    const cutOff = signal?.aborted === true
    const reason = fault ? messageOf(fault) : cutOff ? messageOf(signal?.reason) : undefined
    const finished: RunRecord = {
      ...this.#run,
      status: fault ? 'failed' : cutOff ? 'interrupted' : 'finished',
      endedAt: nowMs(),
      totals: this.#tally.totals(monotonicMs() - this.#started),
      ...this.#tally.columns(this.#e.tolerance),
      worst: this.#tally.worst,
      failures: this.#tally.failures,
      ...(reason !== undefined && { reason: reason.split('\n')[0] as string }),
    }
    this.#record = finished
    if (!stored) await store.updateRun(finished)
    this.#progress()
    this.#e.onEnd?.(finished)
    if (fault) throw withRun(fault, finished)
    if (cutOff) {
      const message = `Evaluation "${finished.name}" was interrupted after ${finished.totals.rows} rows: ${reason}`
      throw new EvaluationError('RUN_INTERRUPTED', message, {
        runId: finished.id,
        cause: signal?.reason,
        hint: kept(finished),
      })
    }
    return finished
  }
}

interface Texts {
  readonly inputs?: string
  readonly expectations: AssessmentWrite[]
}

interface Draft {
  readonly write: TrialWrite
  readonly outputs: unknown
  trace?: Trace
}

function kept(run: RunRecord): string {
  return `the ${run.totals.rows} rows before that are kept in ${run.id}`
}

function withRun(fault: unknown, run: RunRecord): EvaluationError {
  const details = { cause: fault, runId: run.id, hint: kept(run) }
  if (fault instanceof EvaluationError) {
    const [message = ''] = fault.message.split('\nHint: ')
    return new EvaluationError(fault.code, message, {
      ...details,
      hint: [fault.hint, kept(run)].filter(Boolean).join('; '),
    })
  }
  return new EvaluationError(fault instanceof TypeError ? 'ROW_INVALID' : 'RUN_FAILED', messageOf(fault), details)
}

/** Gives a trace that was handed in as data the form a store takes. */
function traceWrite(trace: Trace): TraceWrite {
  const { id, experiment, name, status, requestTimeMs, durationMs, sessionId, tags, metadata, spans } = trace
  return {
    id,
    experiment,
    ...(name !== undefined && { name }),
    status,
    requestTimeMs,
    requestTimeSubNs: 0,
    ...(durationMs !== undefined && { durationNs: Math.round(durationMs * 1e6) }),
    ...(sessionId !== undefined && { sessionId }),
    tags,
    metadata,
    ...(trace.inputs !== undefined && { inputs: encode(trace.inputs) }),
    ...(trace.outputs !== undefined && { outputs: encode(trace.outputs) }),
    spans: encodeSpans(spans),
  }
}
