import { resolve } from 'node:path'
import { Worker } from 'node:worker_threads'
import { EvaluationError } from '../errors.ts'
import type { Assessment } from '../feedback.ts'
import type { RunRecord } from '../run.ts'
import { clearTimer, setTimer } from '../std/async.ts'
import type {
  AssessmentChange,
  AssessmentWrite,
  RunQuery,
  Store,
  StoredTrace,
  TraceQuery,
  TraceRecord,
  TrialPlace,
  TrialWrite,
} from '../store.ts'
import { Forwarding } from './sqlite/forward.ts'
import type { Answer, Message, Methods } from './sqlite/protocol.ts'
import { type Tape, toCell, writeAssessments, writeTrace, writeTrial } from './sqlite/tape.ts'
import { walk } from './sqlite/walk.ts'

/** How the file is opened. */
export interface SqliteOptions {
  /** Makes the file when it is not there. @default true */
  readonly create?: boolean
  /** How long to wait for another process's lock, milliseconds. @default 30000 */
  readonly busyTimeoutMs?: number
}

/**
 * Makes a store that is one SQLite file, which many processes may write at once. It is opened on first use, by a thread of its own.
 *
 * Its methods throw EvaluationError: STORE_NOT_READABLE (no such file, no database, damaged), STORE_TOO_NEW, STORE_LOCKED,
 * STORE_NOT_WRITABLE (disk full, read-only).
 */
export function sqlite(path: string, options: SqliteOptions = {}): Store {
  return new SqliteStore(resolve(path), options)
}

/** A batch goes off when it is this long, … */
const BATCH_TRIALS = 250
const BATCH_CHARS = 1_000_000
/** … or this old. */
const BATCH_MS = 10
/** Above this much on its way to the disk, whoever writes has to wait. */
const MAX_PENDING_TRIALS = 2_000
const MAX_PENDING_CHARS = 32_000_000

class SqliteStore extends Forwarding implements Store {
  readonly location: string
  readonly #options: SqliteOptions
  #thread: Thread | undefined
  #tape: Tape = []
  #trials = 0
  #chars = 0
  #timer = false
  #pendingTrials = 0
  #pendingChars = 0
  #room: PromiseWithResolvers<void> | undefined
  #closing: Promise<void> | undefined
  /** Runs that have lost rows, each with why. */
  readonly #faults = new Map<string, unknown>()
  #inTape = new Set<string>()

  constructor(path: string, options: SqliteOptions) {
    super()
    this.location = path
    this.#options = options
  }

  /** Starts the thread, which opens the file only when it is asked something. */
  prepare(): void {
    this.#open()
  }

  createRun(run: RunRecord): Promise<void> {
    return this.call('createRun', run)
  }

  updateRun(run: RunRecord, was?: RunRecord): Promise<boolean> {
    return this.call('updateRun', run, was)
  }

  getRun(id: string): Promise<RunRecord | undefined> {
    return this.call('getRun', id)
  }

  listRuns(query: RunQuery = {}): Promise<RunRecord[]> {
    return this.call('listRuns', query)
  }

  writeTrial(runId: string, trial: TrialWrite): Promise<void> | undefined {
    this.#requireWhole(runId)
    writeTrial(this.#tape, runId, trial)
    this.#inTape.add(runId)
    this.#trials++
    const { inputs = '', outputs = '', spans } = trial.trace
    this.#chars += inputs.length + outputs.length + spans.length
    if (this.#trials >= BATCH_TRIALS || this.#chars >= BATCH_CHARS) this.#send()
    else if (!this.#timer) {
      this.#timer = true
      setTimer(() => this.#send(), BATCH_MS)
    }
    return this.#pendingTrials > MAX_PENDING_TRIALS || this.#pendingChars > MAX_PENDING_CHARS
      ? this.#waitForRoom(runId)
      : undefined
  }

  writeTraces(traces: readonly TraceRecord[]): Promise<number> {
    const tape: Tape = []
    for (const { trace, assessments } of traces) {
      writeTrace(tape, trace)
      writeAssessments(tape, assessments)
    }
    return this.call('writeTraces', tape)
  }

  async flush(runId?: string): Promise<void> {
    this.#send()
    while (this.#pendingTrials > 0) await this.#thread?.settled()
    for (const faulty of runId === undefined ? [...this.#faults.keys()] : [runId]) this.#requireWhole(faulty)
  }

  search({ limit = Number.POSITIVE_INFINITY, ...query }: TraceQuery): AsyncIterable<StoredTrace> {
    return walk(this.location, limit, (cursor, size) => this.call('page', query, cursor, size))
  }

  async count({ limit, ...query }: TraceQuery): Promise<number> {
    return Math.min(limit ?? Number.POSITIVE_INFINITY, await this.call('count', query))
  }

  trials(runId: string): Promise<readonly TrialPlace[]> {
    return this.call('trials', runId)
  }

  async logAssessment(traceId: string, write: AssessmentWrite): Promise<Assessment> {
    const tape: Tape = []
    writeAssessments(tape, [write])
    return this.call('logAssessment', traceId, tape, write.overrides)
  }

  async updateAssessment(id: string, change: AssessmentChange): Promise<Assessment | undefined> {
    const { value, rationale, metadata, updatedAt } = change
    const cell = value === undefined ? undefined : toCell(value)
    return this.call('updateAssessment', id, { cell, rationale, metadata, updatedAt })
  }

  deleteAssessment(id: string): Promise<boolean> {
    return this.call('deleteAssessment', id)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close().finally(() => {
      this.#closing = undefined
    })
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#send()
    const thread = this.#thread
    this.#thread = undefined
    await thread?.call('close').finally(() => thread.end())
    for (const runId of this.#faults.keys()) this.#requireWhole(runId)
  }

  /** A run that has lost rows says so to whoever writes it or waits for it; other runs are not concerned. */
  #requireWhole(runId: string): void {
    const fault = this.#faults.get(runId)
    if (fault !== undefined) throw fault
  }

  #open(): Thread {
    const { create = true, busyTimeoutMs = 30_000 } = this.#options
    if (!this.#thread?.alive) this.#thread = new Thread({ path: this.location, create, busyTimeoutMs })
    return this.#thread
  }

  protected async call<Name extends keyof Methods>(
    method: Name,
    ...args: Parameters<Methods[Name]>
  ): Promise<ReturnType<Methods[Name]>> {
    this.#send()
    return (await this.#open().call(method, ...args)) as ReturnType<Methods[Name]>
  }

  #send(): void {
    this.#timer = false
    if (this.#trials === 0) return
    const [tape, trials, chars, runIds] = [this.#tape, this.#trials, this.#chars, this.#inTape]
    this.#tape = []
    this.#inTape = new Set()
    this.#trials = 0
    this.#chars = 0
    this.#pendingTrials += trials
    this.#pendingChars += chars
    const sent = this.#open().post({ tape })
    // The copy is on its way. An old list, dead but not yet collected, would keep its texts alive past many collections.
    tape.length = 0
    sent
      .catch((fault: unknown) => {
        for (const runId of runIds) this.#faults.set(runId, fault)
      })
      .finally(() => {
        this.#pendingTrials -= trials
        this.#pendingChars -= chars
        if (this.#pendingTrials <= MAX_PENDING_TRIALS / 2 && this.#pendingChars <= MAX_PENDING_CHARS / 2) {
          this.#room?.resolve()
          this.#room = undefined
        }
      })
  }

  async #waitForRoom(runId: string): Promise<void> {
    this.#room ??= Promise.withResolvers<void>()
    await this.#room.promise
    this.#requireWhole(runId)
  }
}

/** How long a thread that has closed its file may take to end. */
const END_MS = 5_000

/**
 * Run from its sources, the store still starts the compiled thread: to strip types, Node compiles WebAssembly in every thread, which
 * takes longer than all else that the thread does, and V8 has crashed where such threads come and go by the hundred.
 */
const THREAD = import.meta.url.endsWith('.ts') ? '../../dist/src/stores/sqlite/thread.js' : './sqlite/thread.js'

/** The other side of `sqlite/thread.ts`. */
class Thread {
  readonly #worker: Worker
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #lastId = 0
  #fault: unknown
  readonly #exit = Promise.withResolvers<void>()

  constructor(workerData: { path: string; create: boolean; busyTimeoutMs: number }) {
    this.#worker = new Worker(new URL(THREAD, import.meta.url), {
      workerData,
      // node:sqlite announces itself as experimental on Node 22; nobody who runs tests needs to read that.
      execArgv: ['--disable-warning=ExperimentalWarning'],
    })
    this.#worker.on('message', (answer: Answer) => this.#settle(answer))
    this.#worker.on('error', (error) => this.#fail(error))
    this.#worker.on('exit', () => {
      this.#exit.resolve()
      this.#fail(new Error('the thread of the store ended'))
    })
    this.#worker.unref()
  }

  get alive(): boolean {
    return this.#fault === undefined
  }

  call(method: keyof Methods, ...args: unknown[]): Promise<unknown> {
    return this.post({ method, args })
  }

  post(message: { tape: Tape } | { method: keyof Methods; args: unknown[] }): Promise<unknown> {
    if (this.#fault) return Promise.reject(this.#fault)
    const id = ++this.#lastId
    const waiting = Promise.withResolvers<unknown>()
    this.#waiting.set(id, waiting)
    // A process must not end while something is on its way to the disk.
    this.#worker.ref()
    this.#worker.postMessage({ ...message, id } as Message)
    return waiting.promise
  }

  /** Settles with the oldest question, whatever became of it. */
  async settled(): Promise<void> {
    const [oldest] = this.#waiting.values()
    await oldest?.promise.catch(() => {})
  }

  /** Settles when the thread has ended: by itself, as it does after `close`, since to end it by force amid native calls may crash the process. */
  async end(): Promise<void> {
    this.#worker.ref()
    const timer = setTimer(() => this.#worker.terminate(), END_MS)
    await this.#exit.promise
    clearTimer(timer)
  }

  #settle({ id, result, error }: Answer): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (this.#waiting.size === 0) this.#worker.unref()
    if (error) waiting?.reject(new EvaluationError(error.code, error.message, { hint: error.hint }))
    else waiting?.resolve(result)
  }

  #fail(error: unknown): void {
    this.#fault ??= error
    for (const waiting of this.#waiting.values()) waiting.reject(this.#fault)
    this.#waiting.clear()
  }
}
