import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { messageOf } from './errors.ts'
import type { Unit, UnitOutcome } from './queue.ts'
import type { ShiftEvent } from './shift.ts'
import { clearTimer, monotonicMs, nowMs, setTimer } from './std/async.ts'
import type { Store } from './store.ts'

/**
 * Keeps a process that scores alive. Scorers are code of users: one that never gives control back, or ends its process, must cost neither the receiver nor the traces that
 * were being scored beside it.
 */

/** What the process that scores says, one line of JSON each. */
export type WorkerLine =
  | { readonly owner: string }
  /** A unit has begun, under a number of its own. */
  | { readonly n: number; readonly unit: Unit }
  /** It has ended. */
  | { readonly e: number }
  | { readonly event: ShiftEvent }
  /** So many have been scored: a sign of life. */
  | { readonly beat: number }
  /** It ends because it was told to, or there is nothing left to do: whatever else ends it is a crash, with code 0 too. */
  | { readonly done: true }

export interface SupervisorSettings {
  readonly store: Store
  /** Of the process that scores: they go to it as JSON. */
  readonly settings: object
  /** A process that gives no sign of life for so long is ended. */
  readonly hangTimeoutMs: number
  readonly onEvent: (event: SupervisorEvent) => void
}

export type SupervisorEvent =
  | ShiftEvent
  /** `units`: how many were being scored. */
  | { readonly kind: 'crashed'; readonly message: string; readonly units: number }

/** A scorer that ends its process so often, alone, on one trace is not let near it again. */
const MAX_CRASHES = 3
const RESTART_MS = 500
/** So long others go first; four times as long after every further crash. */
const AGAIN_MS = 500
const LONGEST_RESTART_MS = 30_000
/** A process that lives for so long has begun rightly. */
const SETTLED_MS = 10_000
const CHECK_MS = 1_000

/** Where the pipe of the process that scores is. */
export const WITNESS_FD = 3

export class Supervisor {
  readonly #settings: SupervisorSettings
  #child: ChildProcess | undefined
  #owner: string | undefined
  readonly #inWork = new Map<number, Unit>()
  readonly #noticed = new Set<string>()
  #lastSign = 0
  #checkedAt = 0
  /** When the last of what others went before is due, milliseconds since 1970. */
  #againMs = 0
  #stopping = false
  #isHung = false
  #restarts = 0
  #scored = 0
  /** By processes that have ended. */
  #scoredBefore = 0
  readonly #blocked = new Set<string>()
  #isDone = false
  #wasWorking = false
  readonly #ended = Promise.withResolvers<void>()

  constructor(settings: SupervisorSettings) {
    this.#settings = settings
  }

  /** How many traces and sessions have been scored, counted per scorer, as far as the processes that ended early could say. */
  get scored(): number {
    return this.#scoredBefore + this.#scored
  }

  /** Scorers that were held up. */
  get blocked(): ReadonlySet<string> {
    return this.#blocked
  }

  /** Works until it is stopped, or the process that scores has nothing left to do. */
  run(): Promise<void> {
    this.#start()
    return this.#ended.promise
  }

  /** Lets what is being scored end, and waits for that for a while. */
  stop(graceMs: number): void {
    this.#stopping = true
    const child = this.#child
    if (!child) {
      this.#ended.resolve()
      return
    }
    child.stdin?.end()
    const timer = setTimer(() => child.kill('SIGKILL'), graceMs)
    child.once('exit', () => clearTimer(timer))
  }

  #start(): void {
    const main = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url))
    const startedAt = monotonicMs()
    // What scorers print goes where people look, and not among the answers of the command. The end of its input tells it that it is to stop.
    const child = spawn(
      process.execPath,
      [...process.execArgv, main, 'monitor', 'worker', JSON.stringify(this.#settings.settings)],
      {
        stdio: ['pipe', 2, 2, 'pipe'],
      },
    )
    this.#child = child
    this.#lastSign = monotonicMs()
    this.#checkedAt = this.#lastSign
    this.#isHung = false
    this.#isDone = false
    child.stdin?.on('error', () => {})
    const lines = createInterface({ input: child.stdio[WITNESS_FD] as NodeJS.ReadableStream })
    lines.on('line', (line) => this.#hear(line))
    const check = setInterval(() => this.#check(child), CHECK_MS)
    const closed = new Promise((resolve) => lines.once('close', resolve))
    child.once('error', (error) => this.#settings.onEvent({ kind: 'fault', message: messageOf(error) }))
    child.once('close', (code, signal) => {
      clearInterval(check)
      void closed
        .then(() => this.#mourn(code, signal))
        .catch((fault: unknown) => this.#settings.onEvent({ kind: 'fault', message: messageOf(fault) }))
        .then(() => this.#next(startedAt))
    })
  }

  #hear(text: string): void {
    this.#lastSign = monotonicMs()
    let line: WorkerLine
    try {
      line = JSON.parse(text)
    } catch {
      // The last line of a process that was ended may be half.
      return
    }
    if ('unit' in line) this.#inWork.set(line.n, line.unit)
    else if ('e' in line) this.#inWork.delete(line.e)
    else if ('beat' in line) this.#scored = line.beat
    else if ('done' in line) this.#isDone = true
    else if ('owner' in line) this.#owner = line.owner
    else this.#tell(line.event)
  }

  /** What is worth knowing of a scorer is said once, however often its process begins anew. */
  #tell(event: ShiftEvent): void {
    if (event.kind === 'blocked') this.#blocked.add(event.scorer)
    if (event.kind === 'notice') {
      if (this.#noticed.has(event.message)) return
      this.#noticed.add(event.message)
    }
    this.#settings.onEvent(event)
  }

  #check(child: ChildProcess): void {
    const now = monotonicMs()
    // Whoever was stopped together with it has not listened meanwhile.
    if (now - this.#checkedAt > 2 * CHECK_MS) this.#lastSign = now
    this.#checkedAt = now
    if (this.#isHung || now - this.#lastSign < this.#settings.hangTimeoutMs) return
    this.#isHung = true
    child.kill('SIGKILL')
  }

  /** Says of every unit that was in work who was near when it happened; each is scored by itself then, so that only the guilty one goes down again. */
  async #mourn(code: number | null, signal: string | null): Promise<void> {
    const units = [...this.#inWork.values()]
    this.#wasWorking = units.length > 0
    const owner = this.#owner
    this.#inWork.clear()
    this.#scoredBefore += this.#scored
    this.#scored = 0
    this.#owner = undefined
    this.#child = undefined
    if (owner === undefined || this.#isDone) return
    const { store, onEvent, hangTimeoutMs } = this.#settings
    const how = this.#isHung
      ? `gave no sign of life for ${hangTimeoutMs / 1_000} s`
      : signal
        ? `was ended by ${signal}`
        : `ended with code ${code}`
    if (!this.#stopping) onEvent({ kind: 'crashed', message: `The process that scores ${how}`, units: units.length })
    const names = new Map((await store.registrations({ version: 'all' })).map(({ key, name }) => [key, name]))
    const error = { code: this.#isHung ? 'SCORER_HUNG' : 'SCORER_CRASHED', message: `the process that ran it ${how}` }
    const now = nowMs()
    const outcomes = units.map((unit): UnitOutcome => {
      if (this.#stopping) return { ...unit, state: 'free' }
      const base = { ...unit, crashed: true, error }
      if (!unit.crashed || unit.attempts + 1 < MAX_CRASHES)
        return { ...base, state: 'retry', dueAt: now + AGAIN_MS * 4 ** unit.attempts }
      const name = names.get(unit.scorer) ?? 'scorer'
      const assessment = { kind: 'feedback', name, source: { type: 'CODE', id: name }, error, scorer: name } as const
      return { ...base, state: 'dead', traceId: unit.entity, assessments: [{ ...assessment, createdAt: now }] }
    })
    this.#againMs = Math.max(this.#againMs, ...outcomes.map(({ dueAt = 0 }) => dueAt))
    if (outcomes.length > 0) await store.settle(outcomes, { owner, nowMs: now, untilMs: now })
    await store.release(owner)
    await store.dropNote('monitor', owner)
  }

  #next(startedAt: number): void {
    const again = this.#againMs - nowMs()
    if (this.#stopping || (this.#isDone && again <= 0)) {
      this.#ended.resolve()
      return
    }
    // One that dies of a trace is needed for the others; one that dies before it has begun will do so again.
    this.#restarts = this.#wasWorking || monotonicMs() - startedAt > SETTLED_MS ? 0 : this.#restarts + 1
    const wait = this.#restarts === 0 ? 0 : Math.min(LONGEST_RESTART_MS, RESTART_MS * 2 ** (this.#restarts - 1))
    // One that ends when nothing is due is asked again for what was only put off.
    setTimer(() => (this.#stopping ? this.#ended.resolve() : this.#start()), this.#isDone ? again : wait)
  }
}
