import { type AssessmentError, toAssessmentError } from './feedback.ts'
import { type Recording, TraceRecorder } from './recorder.ts'
import type { Row } from './row.ts'
import { DeadlineError, isThenable, LazySignal, monotonicMs, nextTurn, sleep } from './std/async.ts'
import { isInfrastructureFault, retryAfterMs } from './std/fault.ts'
import { copies, encode, NotDataError } from './std/json.ts'
import type { Watch } from './std/watch.ts'

/** What predict is told beside the inputs. */
export interface PredictContext {
  /** Aborted when the call's time is over or the evaluation ends. */
  readonly signal: AbortSignal
  readonly row: Row
}

/** The user's function under evaluation. */
export type Predict<Inputs = any, Outputs = any> = (
  inputs: Inputs,
  context: PredictContext,
) => Outputs | Promise<Outputs>

export interface PredictOptions {
  /** Per call; 0 means no limit. */
  readonly timeoutMs: number
  /** How often a call is repeated after a fault of the infrastructure. */
  readonly retries: number
  readonly watch: Watch
  readonly signal: AbortSignal | undefined
  /** Counts what came of the app's spans. */
  readonly recording?: Recording | undefined
}

/** What came of one row. Either `outputs` (with its text) or `error`. */
export interface Prediction {
  readonly recorder: TraceRecorder
  readonly attempts: number
  /** Milliseconds of the last call. */
  readonly durationMs: number
  readonly outputs?: unknown
  readonly text?: string
  readonly error?: AssessmentError
}

/** Calls predict for one row, under a trace, with a deadline and retries. Never throws: a failure is an outcome. */
export async function predictRow(predict: Predict, row: Row, options: PredictOptions): Promise<Prediction> {
  for (let attempts = 1; ; attempts++) {
    const recorder = new TraceRecorder(options.recording)
    try {
      const outputs = await call(predict, row, recorder, options)
      const durationMs = monotonicMs() - recorder.started
      // Streams resolve what they give before their spans end: those get a turn of the event loop.
      if (recorder.waits) await nextTurn()
      return {
        recorder,
        attempts,
        durationMs,
        outputs,
        text: encode(outputs, 'outputs'),
      }
    } catch (thrown) {
      const durationMs = monotonicMs() - recorder.started
      const delay = attempts <= options.retries ? retryDelayMs(thrown, attempts) : undefined
      if (delay !== undefined && (await waited(delay, options.signal))) {
        recorder.close()
        continue
      }
      return { recorder, attempts, durationMs, error: toAssessmentError(failureCode(thrown, options.signal), thrown) }
    }
  }
}

/** A class, because an object literal with a getter would give every call a hidden class of its own. */
class Call implements PredictContext {
  readonly row: Row
  readonly #lazy: LazySignal

  constructor(row: Row, lazy: LazySignal) {
    this.row = row
    this.#lazy = lazy
  }

  get signal(): AbortSignal {
    return this.#lazy.signal
  }
}

function call(predict: Predict, row: Row, recorder: TraceRecorder, options: PredictOptions): unknown {
  const lazy = new LazySignal()
  const context = new Call(row, lazy)
  // What predict does to its inputs must not change the row: its identity and what scorers see.
  const inputs = copies(row.inputs)()
  const result = recorder.run(() => predict(inputs, context))
  return isThenable(result) ? options.watch.run(result, options.timeoutMs, lazy) : result
}

async function waited(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await sleep(ms, signal)
    return true
  } catch {
    return false
  }
}

function failureCode(thrown: unknown, signal: AbortSignal | undefined): string {
  if (thrown instanceof NotDataError) return 'OUTPUT_NOT_DATA'
  if (thrown instanceof DeadlineError) return 'PREDICT_TIMEOUT'
  return signal?.aborted ? 'PREDICT_ABORTED' : 'PREDICT_THREW'
}

const FIRST_DELAY_MS = 250
const LONGEST_DELAY_MS = 30_000
/** A server may ask for more than this; then the row fails at once instead of holding its place for minutes. */
const LONGEST_RETRY_AFTER_MS = 120_000

/**
 * Gives how long to wait before the next call, or undefined when the fault is not of the infrastructure: only 408, 429, 5xx and
 * faults of the network are repeated, never a wrong or refused answer, since that would re-roll the dice.
 */
export function retryDelayMs(thrown: unknown, attempt: number): number | undefined {
  let asked: number | undefined
  try {
    if (!isInfrastructureFault(thrown)) return undefined
    asked = retryAfterMs(thrown)
  } catch {
    // A getter or a proxy of the app's own.
    return undefined
  }
  if (asked !== undefined && asked > LONGEST_RETRY_AFTER_MS) return undefined
  if (asked !== undefined && asked > 0) return asked
  const backoff = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1))
  return backoff * (0.5 + Math.random() / 2)
}
