import { hostname } from 'node:os'
import { type Duty, dutyOf } from './duty.ts'
import { messageOf } from './errors.ts'
import type { Models } from './model.ts'
import type { RetryPolicy } from './outcome.ts'
import type { Lease, Unit } from './queue.ts'
import type { Registration } from './registration.ts'
import type { Scorer } from './scorer.ts'
import { isAlive } from './std/alive.ts'
import { clearTimer, monotonicMs, nowMs, setTimer } from './std/async.ts'
import type { Store } from './store.ts'
import { charsOf, HELD_CHARS, Subjects, TooLong } from './subjects.ts'
import { type ShiftEvent, Telling } from './telling.ts'
import { type Witness, Workbench } from './workbench.ts'

export type { ShiftEvent } from './telling.ts'

export interface ShiftSettings {
  readonly store: Store
  /** Makes a registered scorer again; what it throws holds the scorer up. */
  readonly restore: (registration: Registration) => Promise<{ readonly scorer: Scorer; readonly notice?: string }>
  /** Says what is worth knowing of a registered scorer now, such as that its module has changed. */
  readonly noticeOf?: ((registration: Registration) => string | undefined) | undefined
  readonly models: () => Models | undefined
  /** Traces or sessions in work at once, for every scorer. */
  readonly maxConcurrency: number
  readonly scorerTimeoutMs: number
  readonly policy: RetryPolicy
  readonly leaseMs: number
  readonly pageSize: number
  readonly witness?: Witness | undefined
  readonly onEvent: (event: ShiftEvent) => void
  readonly signal: AbortSignal
}

/** What whoever works says of itself in the store. */
export interface MonitorNote {
  readonly pid: number
  readonly host: string
  readonly startedAt: number
  readonly beatAt: number
  readonly scored: number
}

const FIRST_BLOCK_MS = 30_000
const LOOK_MS = 15_000
const LONGEST_BLOCK_MS = 15 * 60_000
const DAY_MS = 86_400_000

/** Somebody who works for registered scorers: what is claimed, for how long, and by whom. Several may work on one store: none does what another does. */
export class Shift {
  readonly #settings: ShiftSettings
  readonly owner: string
  readonly #telling: Telling
  readonly bench: Workbench
  readonly subjects: Subjects
  /** By key of registration. */
  #duties: ReadonlyMap<number, Duty> = new Map()
  readonly #blocked = new Map<number, { readonly untilMs: number; readonly times: number }>()
  readonly #lookedAt = new Map<number, number>()
  readonly #startedAt = nowMs()
  #renewedAt = this.#startedAt

  constructor(settings: ShiftSettings) {
    this.#settings = settings
    this.#telling = new Telling(settings.onEvent)
    this.owner = `${hostname()} ${process.pid} ${this.#startedAt} ${Math.random().toString(36).slice(2, 8)}`
    this.subjects = new Subjects(settings.store)
    const onBlocked = (duty: Duty, code: string, message: string): number =>
      this.#block(duty.registration, code, message)
    this.bench = new Workbench({
      ...settings,
      owner: this.owner,
      onBlocked,
      onFailed: (duty, { error }) => error && this.#telling.failed(duty.registration.name, error),
      onFault: (fault) => void this.fault(fault),
    })
  }

  /** Does a work between first and last sign of life, and gives back what is not done at its end. */
  async during(work: () => Promise<void>): Promise<void> {
    const { store } = this.#settings
    await this.#beat()
    await this.#buryDead()
    const stop = this.#beatOn()
    try {
      await work()
    } finally {
      stop()
      try {
        await this.bench.close()
      } finally {
        await store.release(this.owner)
        await store.dropNote('monitor', this.owner)
      }
    }
  }

  /** The scorers that work, by key of registration. */
  get duties(): ReadonlyMap<number, Duty> {
    return this.#duties
  }

  /** Those of them that can work now and have room for more. */
  isFree({ key, level }: Pick<Registration, 'key' | 'level'>): boolean {
    return !this.isBlocked(key) && this.bench.load(key) < this.subjects.atOnce(this.#settings.pageSize, level)
  }

  isBlocked(key: number): boolean {
    return this.blockedUntil(key) > nowMs()
  }

  /** Until when a scorer is held up, milliseconds since 1970; 0 where it never was. */
  blockedUntil(key: number): number {
    return this.#blocked.get(key)?.untilMs ?? 0
  }

  lease(): Lease {
    const now = nowMs()
    return { owner: this.owner, nowMs: now, untilMs: now + this.#settings.leaseMs }
  }

  /** Settles who works. One that cannot be made again is left out, and tried again later. */
  async assign(registrations: readonly Registration[]): Promise<void> {
    const duties = new Map<number, Duty>()
    for (const registration of registrations) {
      const duty = await this.#dutyOf(registration)
      if (duty) duties.set(registration.key, duty)
    }
    this.#duties = duties
  }

  /** Takes over work that waits and is due. @returns false where there was none @throws what the store throws; nothing of it is held then */
  async takeDue(): Promise<boolean> {
    const free = [...this.#duties.values()].filter(({ registration }) => this.isFree(registration))
    const faults: unknown[] = []
    let some = false
    for (const [level, duties] of Map.groupBy(free, ({ registration }) => registration.level)) {
      const keys = duties.map(({ registration }) => registration.key)
      const { store, pageSize } = this.#settings
      const claimed = await store.claimDue(keys, this.lease(), this.subjects.atOnce(pageSize, level))
      for (const [key, units] of Map.groupBy(claimed, ({ scorer }) => scorer))
        await this.#take(units, this.#duties.get(key) as Duty).catch((fault: unknown) => faults.push(fault))
      some ||= claimed.length > 0
    }
    if (faults.length > 0) throw faults[0]
    return some
  }

  fault(fault: unknown): false {
    this.#telling.fault(fault)
    return false
  }

  /** Reads what was claimed. What cannot be read now, or is too much to be held, is given back: it would be kept from everybody else. */
  async #take(units: readonly Unit[], duty: Duty): Promise<void> {
    const isSession = duty.registration.level === 'session'
    const left = new Set(units)
    let chars = 0
    try {
      const found = isSession
        ? undefined
        : await this.subjects.traces(
            units.map(({ entity }) => entity),
            duty,
          )
      for (const unit of units) {
        if (chars > HELD_CHARS) break
        const trace = found?.get(unit.entity)
        const traces = isSession ? await this.subjects.session(unit.entity, duty) : trace ? [trace] : []
        left.delete(unit)
        if (isSession) chars += charsOf(traces)
        if (traces.length > 0) this.bench.add([{ unit, duty, traces }])
        else this.bench.note([{ ...unit, state: 'unfit' }])
      }
      this.bench.note([...left].map((unit) => ({ ...unit, state: 'free' })))
    } catch (fault) {
      const isLong = fault instanceof TooLong
      const dueAt = nowMs() + (isLong ? 0 : this.#settings.policy.backoffMs)
      this.bench.note([...left].map((unit) => ({ ...unit, state: 'free', dueAt })))
      if (!isLong) throw fault
    }
  }

  async #dutyOf(registration: Registration): Promise<Duty | undefined> {
    const { key, name } = registration
    const before = this.#duties.get(key)
    const same = before && JSON.stringify(before.registration.recipe) === JSON.stringify(registration.recipe)
    try {
      if (same) {
        this.#notice(registration)
        return dutyOf(registration, before.scorer)
      }
      if (this.isBlocked(key)) return undefined
      const { scorer, notice } = await this.#settings.restore(registration)
      if (notice !== undefined) this.#telling.notice(name, notice)
      return dutyOf(registration, scorer)
    } catch (fault) {
      this.#block(registration, 'SCORER_UNAVAILABLE', messageOf(fault))
      return undefined
    }
  }

  /** Looks now and then whether a scorer is still what was registered. */
  #notice(registration: Registration): void {
    const { key, name } = registration
    if (monotonicMs() - (this.#lookedAt.get(key) ?? Number.NEGATIVE_INFINITY) < LOOK_MS) return
    this.#lookedAt.set(key, monotonicMs())
    try {
      const notice = this.#settings.noticeOf?.(registration)
      if (notice !== undefined) this.#telling.notice(name, notice)
    } catch (fault) {
      // A module that is gone for a moment, or for good: what was loaded of it still works.
      this.#telling.notice(name, messageOf(fault))
    }
  }

  /** Holds a scorer up: it would fail on every trace. Nothing is lost, what it has to do waits. */
  #block({ key, name }: Registration, code: string, message: string): number {
    const before = this.#blocked.get(key)
    if (before && before.untilMs > nowMs()) return before.untilMs
    // What held it up long ago is forgotten.
    const times = before && nowMs() - before.untilMs < LONGEST_BLOCK_MS ? before.times + 1 : 1
    const wait = Math.min(LONGEST_BLOCK_MS, FIRST_BLOCK_MS * 2 ** (times - 1))
    const untilMs = code === 'BUDGET_EXCEEDED' ? (Math.floor(nowMs() / DAY_MS) + 1) * DAY_MS : nowMs() + wait
    this.#blocked.set(key, { untilMs, times })
    this.#telling.blocked(name, code, message, untilMs)
    return untilMs
  }

  /** Gives back what was held by those who are no more. */
  async #buryDead(): Promise<void> {
    const { store, leaseMs } = this.#settings
    for (const { id, data } of await store.notes('monitor')) {
      const { pid, host, startedAt, beatAt } = data as unknown as MonitorNote
      const alive = host === hostname() ? isAlive({ pid, host }, startedAt) !== false : nowMs() - beatAt < 3 * leaseMs
      if (alive) continue
      await store.release(id)
      await store.dropNote('monitor', id)
    }
  }

  #beatOn(): () => void {
    let timer: NodeJS.Timeout | undefined
    let stopped = false
    const again = (): void => {
      if (stopped) return
      timer = setTimer(() => {
        this.#beat()
          .catch((fault: unknown) => this.fault(fault))
          .finally(again)
      }, this.#settings.leaseMs / 3)
    }
    again()
    return () => {
      stopped = true
      clearTimer(timer)
    }
  }

  async #beat(): Promise<void> {
    const { store, leaseMs } = this.#settings
    // Whoever was stopped for so long may have lost what it holds: others may be at it.
    if (nowMs() - this.#renewedAt > leaseMs) this.bench.letGo()
    const lease = this.lease()
    await store.renew(lease)
    this.#renewedAt = lease.nowMs
    const note: MonitorNote = {
      pid: process.pid,
      host: hostname(),
      startedAt: this.#startedAt,
      beatAt: nowMs(),
      scored: this.bench.settled,
    }
    await store.keepNote({ kind: 'monitor', id: this.owner, data: { ...note } })
  }
}
