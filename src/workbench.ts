import type { Duty } from './duty.ts'
import { messageOf } from './errors.ts'
import { type Models, withModels } from './model.ts'
import { Outages, outcomeOf, type RetryPolicy } from './outcome.ts'
import type { Lease, Queue, Unit, UnitOutcome } from './queue.ts'
import { type Scored, scoreRow } from './score.ts'
import { expectationsOf } from './session.ts'
import { clearTimer, monotonicMs, nextTurn, nowMs, setTimer, sleep } from './std/async.ts'
import { copies } from './std/json.ts'
import { Watch } from './std/watch.ts'
import { type StoredTrace, toTrace } from './store.ts'

/** A unit with what is to be scored. */
export interface Work {
  readonly unit: Unit
  readonly duty: Duty
  /** One trace, or the turns of a session in their order. */
  readonly traces: readonly StoredTrace[]
}

/** Is told what is being worked on, so that somebody else knows when it ends in the middle. */
export interface Witness {
  begin(unit: Unit): void
  end(unit: Unit): void
}

export interface WorkbenchSettings {
  readonly store: Queue
  readonly owner: string
  readonly leaseMs: number
  /** Traces or sessions in work at once, for every scorer. */
  readonly maxConcurrency: number
  readonly scorerTimeoutMs: number
  readonly policy: RetryPolicy
  /** Gives the models that judges ask now: another day has another budget. */
  readonly models: () => Models | undefined
  readonly witness?: Witness | undefined
  /** Is told when a scorer cannot work, and until when it is held up. */
  readonly onBlocked: (duty: Duty, code: string, message: string) => number
  /** Is told when scoring has failed and is tried again, or no more. */
  readonly onFailed: (duty: Duty, outcome: UnitOutcome) => void
  /** Is told when the store fails, which is tried again. */
  readonly onFault: (fault: unknown) => void
  readonly signal: AbortSignal
}

const SETTLE_AT = 500
const SETTLE_MS = 20
const YIELD_MS = 15
/** What is overdue for longer has been taken by somebody else. */
const RETRY_GRACE_MS = 2_000
const STORE_RETRY_MS = 500
/** So often what is done is tried to be kept when everything is to end. */
const LAST_ATTEMPTS = 5

/** Scores what has been claimed, and keeps what comes of it. Each scorer has a lane of its own: a slow one holds nobody up. */
export class Workbench {
  readonly #settings: WorkbenchSettings
  readonly #watch: Watch
  readonly #outages = new Outages()
  readonly #lanes = new Map<number, Work[]>()
  readonly #running = new Map<number, number>()
  /** Work in the middle of which somebody ended: done by itself, so that it takes nothing with it again. */
  readonly #suspects: Work[] = []
  #inWork = 0
  #alone = false
  #isClosing = false
  #outcomes: UnitOutcome[] = []
  #timer: NodeJS.Timeout | undefined
  #settling: Promise<void> | undefined
  #lastYield = monotonicMs()
  #idle: PromiseWithResolvers<void> | undefined
  /** What is to be tried again, by unit. */
  readonly #retries = new Map<string, number>()
  settled = 0

  constructor(settings: WorkbenchSettings) {
    this.#settings = settings
    this.#watch = new Watch(settings.signal)
  }

  /** How much of a scorer's work is here. */
  load(scorer: number): number {
    const suspects = this.#suspects.filter(({ unit }) => unit.scorer === scorer).length
    return (this.#lanes.get(scorer)?.length ?? 0) + (this.#running.get(scorer) ?? 0) + suspects
  }

  add(works: readonly Work[]): void {
    for (const work of works) {
      if (work.unit.crashed) this.#suspects.push(work)
      else {
        const lane = this.#lanes.get(work.unit.scorer) ?? []
        lane.push(work)
        this.#lanes.set(work.unit.scorer, lane)
      }
    }
    this.#pump()
  }

  /** Says what became of units that are not to be scored. */
  note(outcomes: readonly UnitOutcome[]): void {
    for (const outcome of outcomes) this.#keep(outcome)
  }

  /** Settles when everything is done and kept. */
  async drained(): Promise<void> {
    while (
      this.#inWork > 0 ||
      this.#suspects.length > 0 ||
      [...this.#lanes.values()].some(({ length }) => length > 0)
    ) {
      this.#idle ??= Promise.withResolvers<void>()
      await this.#idle.promise
    }
    await this.flush()
  }

  /** Gives back what has not begun. */
  letGo(): void {
    for (const { unit } of [...[...this.#lanes.values()].flat(), ...this.#suspects])
      this.#keep({ ...unit, state: 'free' })
    for (const lane of this.#lanes.values()) lane.length = 0
    this.#suspects.length = 0
  }

  /** Gives back what has not begun, and keeps what is done. @throws what the store throws, again and again */
  async close(): Promise<void> {
    this.#isClosing = true
    this.letGo()
    await this.drained()
    this.#watch.close()
  }

  async flush(): Promise<void> {
    clearTimer(this.#timer)
    this.#timer = undefined
    while (this.#settling || this.#outcomes.length > 0) {
      this.#settling ??= this.#settle().finally(() => {
        this.#settling = undefined
      })
      await this.#settling
    }
  }

  #pump(): void {
    if (this.#alone) return
    if (this.#suspects.length > 0) {
      if (this.#inWork > 0) return
      this.#alone = true
      this.#run(this.#suspects.shift() as Work, () => {
        this.#alone = false
      })
      return
    }
    for (const [scorer, lane] of this.#lanes) {
      for (let running = this.#running.get(scorer) ?? 0; running < this.#settings.maxConcurrency; running++) {
        const work = lane.shift()
        if (!work) break
        this.#run(work)
      }
    }
  }

  #run(first: Work, onEnd?: () => void): void {
    const { scorer } = first.unit
    this.#count(scorer, 1)
    this.#lane(first, onEnd !== undefined).finally(() => {
      this.#count(scorer, -1)
      onEnd?.()
      this.#pump()
      if (this.#inWork > 0) return
      this.#idle?.resolve()
      this.#idle = undefined
    })
  }

  /** Takes work of one scorer after the other, as long as there is any. */
  async #lane(first: Work, once: boolean): Promise<void> {
    let work: Work | undefined = first
    while (work) {
      await this.#one(work)
      if (monotonicMs() - this.#lastYield > YIELD_MS) {
        this.#lastYield = monotonicMs()
        await nextTurn()
      }
      work = once || this.#suspects.length > 0 ? undefined : this.#lanes.get(first.unit.scorer)?.shift()
    }
  }

  #count(scorer: number, change: number): void {
    this.#inWork += change
    this.#running.set(scorer, (this.#running.get(scorer) ?? 0) + change)
  }

  async #one(work: Work): Promise<void> {
    const { signal, witness, policy, onBlocked } = this.#settings
    const { unit, duty, traces } = work
    const [first] = traces
    if (!first) return this.#keep({ ...unit, state: 'unfit' })
    if (signal.aborted) return this.#keep({ ...unit, state: 'free' })
    witness?.begin(unit)
    const scored = await this.#score(work).catch(
      (thrown): Scored => ({
        scorer: duty.scorer,
        failed: true,
        durationMs: 0,
        feedback: [
          {
            name: duty.registration.name,
            source: { type: 'CODE', id: duty.registration.name },
            error: { code: 'SCORER_THREW', message: messageOf(thrown) },
          },
        ],
      }),
    )
    witness?.end(unit)
    // What was cut off is no failure.
    if (signal.aborted && scored.feedback.some(({ error }) => error)) return this.#keep({ ...unit, state: 'free' })
    const block = this.#outages.blockOf(unit.scorer, scored)
    if (block !== undefined) {
      const message = scored.feedback.find(({ error }) => error?.code === block)?.error?.message ?? block
      const dueAt = onBlocked(duty, block, message)
      const others = this.#lanes.get(unit.scorer)?.splice(0) ?? []
      // Due at once: whoever has another key, or another budget, need not wait for what held it up here.
      for (const blocked of [unit, ...others.map((other) => other.unit)])
        this.#keep({ ...blocked, state: 'free' }, dueAt)
      return
    }
    const outcome = outcomeOf({ unit, duty, traceId: first.trace.id, nowMs: nowMs() }, scored, policy)
    if (outcome.state !== 'done') this.#settings.onFailed(duty, outcome)
    this.#keep(outcome)
  }

  async #score({ duty: { scorer, registration }, traces }: Work): Promise<Scored> {
    const options = { timeoutMs: this.#settings.scorerTimeoutMs, watch: this.#watch }
    const models = this.#settings.models()
    const session = Object.freeze(traces.map(toTrace))
    const trace = session[0] as (typeof session)[number]
    const { tags } = trace
    const row =
      registration.level === 'session'
        ? { session, expectations: copies(expectationsOf(session)), tags }
        : {
            inputs: copies(trace.inputs),
            outputs: copies(trace.outputs),
            expectations: copies(trace.expectations),
            tags,
            trace,
          }
    const score = () => scoreRow([scorer], row, options)
    const [scored] = await (models ? withModels(models, score) : score())
    return scored as Scored
  }

  /** When the first of what has failed here is to be tried again, milliseconds since 1970; undefined where nothing is. */
  get nextRetryMs(): number | undefined {
    this.#forget()
    let next: number | undefined
    for (const dueAt of this.#retries.values()) next = Math.min(next ?? dueAt, dueAt)
    return next
  }

  #forget(): void {
    const overdue = nowMs() - RETRY_GRACE_MS
    for (const [id, dueAt] of this.#retries) if (dueAt < overdue) this.#retries.delete(id)
  }

  #keep(outcome: UnitOutcome, againAt = outcome.dueAt): void {
    const id = `${outcome.scorer} ${outcome.entity}`
    if (againAt === undefined) this.#retries.delete(id)
    else this.#retries.set(id, againAt)
    if (this.#retries.size % 10_000 === 9_999) this.#forget()
    this.#outcomes.push(outcome)
    // Whoever closes the bench flushes again, and is told.
    const flush = (): void => void this.flush().catch(this.#settings.onFault)
    if (this.#outcomes.length >= SETTLE_AT) flush()
    else this.#timer ??= setTimer(flush, SETTLE_MS)
  }

  /** Nothing that has been scored is given up because the store is locked or full just now. */
  async #settle(): Promise<void> {
    const { store, signal, owner, leaseMs, onFault } = this.#settings
    const outcomes = this.#outcomes
    this.#outcomes = []
    for (let attempt = 1; ; attempt++) {
      const now = nowMs()
      const lease: Lease = { owner, nowMs: now, untilMs: now + leaseMs }
      try {
        this.settled += await store.settle(outcomes, lease)
        return
      } catch (error) {
        if ((signal.aborted || this.#isClosing) && attempt > LAST_ATTEMPTS) throw error
        onFault(error)
        await sleep(STORE_RETRY_MS * Math.min(attempt, 20))
      }
    }
  }
}
