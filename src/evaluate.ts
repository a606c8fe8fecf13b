import { Early } from './early.ts'
import type { Evaluation } from './evaluation.ts'
import { ending, faultOf, interrupted, withRun } from './fault.ts'
import { clusterTag, type Fed, Feed, requireRow, selectionRecord } from './feed.ts'
import { Folding } from './folding.ts'
import { noticesOf } from './notice.ts'
import { Recording } from './recorder.ts'
import { RUN_SCHEMA_VERSION, type RunRecord } from './run.ts'
import type { Scored } from './score.ts'
import type { Sessions } from './session.ts'
import { monotonicMs, nextTurn, nowMs } from './std/async.ts'
import { newRunId } from './std/random.ts'
import { Watch } from './std/watch.ts'
import { Tally, type TallyEntry } from './tally.ts'
import { type Listening, listen } from './telemetry.ts'
import { Trials } from './trial.ts'
import { scorerVersion } from './version.ts'

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
  readonly #folding: Folding
  readonly #early: Early
  #trials: Trials | undefined
  readonly #watch: Watch
  readonly #started = monotonicMs()
  #record: RunRecord | undefined
  #stopped = false
  /** A row was counted that the store has not. */
  #rowsLost = false
  #ended = false
  #codeKnown: Promise<void> | undefined
  #fault: { readonly thrown: unknown } | undefined
  #lastYield = monotonicMs()
  readonly #recording = new Recording()
  #listening: Promise<Listening | undefined> | undefined
  #sessions: Sessions | undefined

  constructor(evaluation: Evaluation) {
    this.#e = evaluation
    const { data, selection, scorers, repeats, cluster, early = [] } = evaluation
    this.#early = new Early(early)
    this.#feed = new Feed(data, selection, { times: repeats?.times, cluster, shuffle: early.length > 0 })
    this.#tally = new Tally(scorers)
    this.#folding = new Folding(this.#tally, repeats)
    this.#watch = new Watch(evaluation.signal)
  }

  async run(): Promise<RunRecord> {
    const { signal, maxConcurrency, predict } = this.#e
    const onAbort = (): void => this.#stop()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      const first = signal?.aborted ? undefined : await this.#feed.take()
      if (signal?.aborted) throw interrupted(signal.reason, this.#e.name)
      requireRow(first, this.#e)
      const begun = this.#begin()
      // What listens is loaded while the store opens.
      this.#listening = predict && listen().catch((thrown: unknown) => this.#stop({ thrown }))
      await begun
      await this.#listening
      const lanes = Array.from({ length: maxConcurrency }, (_, i) => this.#lane(i === 0 ? first : undefined))
      await Promise.all(lanes)
      await this.#scoreSessions()
      return await this.#end()
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#watch.close()
      const listening = await this.#listening
      listening?.stop()
      // Never waited for: a source that hangs cannot be told so.
      this.#feed.close().catch(() => {})
    }
  }

  #stop(fault?: { readonly thrown: unknown }): undefined {
    if (this.#stopped) return
    this.#stopped = true
    this.#fault = fault
    this.#feed.close().catch(() => {})
  }

  async #begin(): Promise<void> {
    const { name, experiment, tags, scorers, parentRunId, resumedFrom, supersedes, test, selection, host, code } =
      this.#e
    const { job, cluster, gates, repeats } = this.#e
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
        ...(scorer.level === 'session' && { level: scorer.level }),
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
      ...(resumedFrom !== undefined && { resumedFrom }),
      ...(supersedes !== undefined && { supersedes }),
      ...noticesOf(this.#recording, undefined, undefined, this.#e.notices),
      ...(code && { code }),
      ...(job && { job }),
      ...(cut && { selection: cut }),
      ...(repeats && { repeats }),
      ...(cluster !== undefined && { cluster: clusterTag(cluster) }),
      ...(gates && gates.length > 0 && { gates }),
      ...(test && { test }),
      process: { pid: process.pid, host },
    }
    await this.#e.store.createRun(this.#record)
    const shared = { ...this.#e, signal: this.#e.signal, runId: this.#run.id, watch: this.#watch }
    const { predict, reuse, scorerTimeoutMs: timeoutMs } = this.#e
    const ofRows = scorers.filter(({ level }) => level !== 'session')
    const ofSessions = scorers.filter(({ level }) => level === 'session')
    const times = repeats?.times ?? 1
    this.#trials = new Trials({
      ...shared,
      repeats: times,
      scorers: ofRows,
      predict,
      reuse,
      recording: this.#recording,
    })
    if (ofSessions.length > 0) {
      const { Sessions } = await import('./session.ts')
      this.#sessions = new Sessions({ ...shared, scorers: ofSessions, timeoutMs })
    }
    this.#learnCode()
    this.#e.onStart?.(this.#record)
  }

  /** Completes the record when git has answered: an interrupted run should know its code, but no row has to wait for it. */
  #learnCode(): void {
    this.#codeKnown = this.#e.laterCode?.then(async (code) => {
      this.#record = { ...this.#run, code }
      if (!this.#ended) await this.#e.store.updateRun(this.#record)
    })
    // A store that fails says so at the end.
    this.#codeKnown?.catch(() => {})
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
    } catch (thrown) {
      this.#stop({ thrown })
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
    const outcome = await (this.#trials as Trials).run(fed)
    if (!outcome) return
    const { write, scored, latencyMs, reused } = outcome
    if (reused) this.#tally.addReused(reused.size)
    if (write.attempts > 0) this.#tally.addAttempts(write.attempts, latencyMs)
    if (write.error) this.#folding.addFailed(write.index, write.error)
    else if (scored) {
      const { index, rowId, trace } = write
      this.#folding.addScored({ index, rowId, traceId: trace.id }, scored.map(entryOf))
    }
    if (this.#early.add(fed.order, scored)) this.#stop()
    this.#sessions?.add(write)
    try {
      const room = this.#e.store.writeTrial(this.#run.id, write)
      if (room) await room
    } catch (thrown) {
      this.#rowsLost = true
      throw thrown
    }
  }

  async #scoreSessions(): Promise<void> {
    if (this.#stopped || this.#e.signal?.aborted) return
    try {
      await this.#sessions?.score(({ first, scored }) => this.#tally.addSession(first, scored.map(entryOf)))
    } catch (thrown) {
      this.#stop({ thrown })
    }
  }

  async #end(): Promise<RunRecord> {
    const { signal, store } = this.#e
    const wallMs = monotonicMs() - this.#started
    const cutOff = signal?.aborted === true
    this.#ended = true
    this.#folding.end()
    const unsaved = await faultOf(store.flush(this.#run.id))
    await this.#codeKnown?.catch(() => {})
    let fault = this.#fault ?? unsaved
    const early = this.#early.record(this.#tally.done, this.#feed.held - this.#tally.done)
    const listening = await this.#listening
    let counted: RunRecord =
      unsaved || this.#rowsLost
        ? await this.#recounted(wallMs)
        : {
            ...this.#run,
            ...(early && early.notRun > 0 && { early }),
            endedAt: nowMs(),
            totals: this.#tally.totals(wallMs),
            ...this.#tally.columns(this.#e.tolerance),
            ...noticesOf(this.#recording, listening, this.#sessions, this.#e.notices, this.#e.data),
            worst: this.#tally.worst,
            failures: this.#tally.failures,
          }
    if (!fault && !cutOff && this.#e.judge) {
      const judged = await this.#e.judge(counted).catch((thrown: unknown) => ({ thrown }))
      if ('thrown' in judged) fault = judged
      else counted = { ...counted, ...judged }
    }
    const ended = (): RunRecord => ({ ...counted, ...ending(fault, cutOff ? signal : undefined) })
    // Also after a write has failed: the run may still get its mark.
    const unmarked = await faultOf(store.updateRun(ended()))
    fault ??= unmarked
    const record = ended()
    this.#record = record
    this.#progress()
    this.#e.onEnd?.(record)
    if (fault) throw withRun(fault.thrown, record)
    if (cutOff) throw interrupted(signal.reason, record.name, record)
    return record
  }

  /** After the store has failed: only what it holds may be said to be kept, and where it cannot even be read, nothing. */
  async #recounted(wallMs: number): Promise<RunRecord> {
    const { recount } = await import('./recount.ts')
    const kept = await recount(this.#e.store, this.#run).catch(() => this.#run)
    return { ...kept, endedAt: nowMs(), totals: { ...kept.totals, wallMs } }
  }
}

function entryOf({ scorer, feedback, failed, usage }: Scored): TallyEntry {
  return { scorer: scorer.name, feedback, failed, usage }
}
