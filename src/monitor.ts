import { hostname } from 'node:os'
import { type Duty, dutyOf } from './duty.ts'
import { messageOf } from './errors.ts'
import { Examiner } from './examiner.ts'
import type { Models } from './model.ts'
import type { RetryPolicy } from './outcome.ts'
import type { Lease, Unit, UnitOutcome } from './queue.ts'
import type { Registration } from './registration.ts'
import type { Scorer } from './scorer.ts'
import { isAlive } from './std/alive.ts'
import { clearTimer, monotonicMs, nowMs, setTimer, sleep } from './std/async.ts'
import type { Store } from './store.ts'
import { Subjects } from './subjects.ts'
import { type Witness, type Work, Workbench } from './workbench.ts'

/** What a monitor says while it works. */
export type MonitorEvent =
  | {
      readonly kind: 'blocked'
      readonly scorer: string
      readonly code: string
      readonly message: string
      readonly untilMs: number
    }
  | { readonly kind: 'notice'; readonly scorer: string; readonly message: string }
  | { readonly kind: 'fault'; readonly message: string }

export interface MonitorSettings {
  readonly store: Store
  /** Only scorers of this experiment. @default those of all */
  readonly experiment?: string | undefined
  /** Makes a registered scorer again; what it throws holds the scorer up. */
  readonly restore: (registration: Registration) => Promise<{ readonly scorer: Scorer; readonly notice?: string }>
  readonly models: () => Models | undefined
  readonly maxConcurrency: number
  readonly scorerTimeoutMs: number
  readonly policy: RetryPolicy
  readonly completionBufferMs: number
  readonly sessionBufferMs: number
  readonly pollMs: number
  readonly leaseMs: number
  readonly pageSize: number
  readonly seed: string
  readonly witness?: Witness | undefined
  readonly onEvent: (event: MonitorEvent) => void
  readonly signal: AbortSignal
}

const REFRESH_MS = 1_000
/** So long scorers that stand together wait for the one that has enough to do. */
const HOLD_MS = 200
const FIRST_BLOCK_MS = 30_000
const LONGEST_BLOCK_MS = 15 * 60_000

/** Scores what production writes to a store, as long as it runs. Several may work on one store: none does what another does. */
export class Monitor {
  readonly #settings: MonitorSettings
  readonly owner: string
  readonly #bench: Workbench
  readonly #examiner: Examiner
  readonly #subjects: Subjects
  /** By key of registration. */
  #duties = new Map<number, Duty>()
  readonly #blocked = new Map<number, { readonly untilMs: number; readonly times: number }>()
  readonly #held = new Map<number, number>()
  #refreshedAt = Number.NEGATIVE_INFINITY
  readonly #startedAt = nowMs()

  constructor(settings: MonitorSettings) {
    this.#settings = settings
    this.owner = `${hostname()} ${process.pid} ${this.#startedAt} ${Math.random().toString(36).slice(2, 8)}`
    this.#subjects = new Subjects(settings.store)
    this.#examiner = new Examiner({ ...settings, subjects: this.#subjects })
    const onBlocked = (duty: Duty, code: string, message: string): number =>
      this.#block(duty.registration, code, message)
    const onFault = (fault: unknown): void => settings.onEvent({ kind: 'fault', message: messageOf(fault) })
    this.#bench = new Workbench({ ...settings, owner: this.owner, onBlocked, onFault })
  }

  /** Units that this monitor has done. */
  get scored(): number {
    return this.#bench.settled
  }

  /** Works until the signal fires; then what is in work is given back or finished, and kept. */
  async run(): Promise<void> {
    await this.#working(async () => {
      while (!this.#settings.signal.aborted) {
        const busy = await this.#step().catch((fault: unknown) => this.#fault(fault))
        if (!busy) await sleep(this.#settings.pollMs, this.#settings.signal).catch(() => {})
      }
    })
  }

  /** Works until nothing is due any more. @throws what the store throws */
  async catchUp(): Promise<void> {
    await this.#working(async () => {
      while (!this.#settings.signal.aborted) {
        if (await this.#step()) continue
        await this.#bench.drained()
        if (!(await this.#step())) return
      }
    })
  }

  async #working(work: () => Promise<void>): Promise<void> {
    await this.#beat()
    await this.#buryDead()
    const beating = this.#beatOn()
    try {
      await work()
    } finally {
      beating.stop()
      await this.#bench.close()
      await this.#settings.store.release(this.owner)
      await this.#settings.store.dropNote('monitor', this.owner)
    }
  }

  /** One round; gives false where there was nothing to do. */
  async #step(): Promise<boolean> {
    if (monotonicMs() - this.#refreshedAt > REFRESH_MS) await this.#refresh()
    const [examined, taken] = [await this.#examine(), await this.#takeDue()]
    return examined || taken
  }

  async #examine(): Promise<boolean> {
    let busy = false
    for (const group of this.#groups()) {
      const examined = await this.#examiner.examine(group, () => this.#lease())
      if (!examined) {
        this.#refreshedAt = Number.NEGATIVE_INFINITY
        return true
      }
      this.#bench.add(examined.works)
      if (!examined.moved) continue
      busy = true
      this.#refreshedAt = Number.NEGATIVE_INFINITY
    }
    return busy
  }

  /** Newest versions that stand at the same place, as far as they have room. */
  #groups(): Duty[][] {
    const newest = new Map<string, Duty>()
    for (const duty of this.#duties.values()) {
      const { experiment, name, key } = duty.registration
      const id = JSON.stringify([experiment, name])
      if (key >= (newest.get(id)?.registration.key ?? 0)) newest.set(id, duty)
    }
    const working = [...newest.values()].filter(({ registration }) => !this.#isBlocked(registration.key))
    const groups = Map.groupBy(
      working,
      ({ registration: { experiment, progress } }) => `${progress.position} ${experiment}`,
    )
    return [...groups.values()].flatMap((group) => {
      const free = group.filter(({ registration }) => this.#hasRoom(registration.key))
      if (free.length === 0) return []
      const first = (group[0] as Duty).registration.key
      if (free.length === group.length) this.#held.delete(first)
      else {
        const since = this.#held.get(first) ?? monotonicMs()
        this.#held.set(first, since)
        if (monotonicMs() - since < HOLD_MS) return []
      }
      return [free]
    })
  }

  async #takeDue(): Promise<boolean> {
    const keys = [...this.#duties.keys()].filter((key) => !this.#isBlocked(key) && this.#hasRoom(key))
    if (keys.length === 0) return false
    const { store, pageSize } = this.#settings
    const claimed = await store.claimDue(keys, this.#lease(), pageSize)
    if (claimed.length === 0) return false
    this.#bench.add(await this.#worksOf(claimed))
    return true
  }

  async #worksOf(units: readonly Unit[]): Promise<Work[]> {
    const works: Work[] = []
    const unfit: UnitOutcome[] = []
    for (const [key, own] of Map.groupBy(units, ({ scorer }) => scorer)) {
      const duty = this.#duties.get(key) as Duty
      const isSession = duty.registration.level === 'session'
      const traces = isSession
        ? undefined
        : await this.#subjects.traces(
            own.map(({ entity }) => entity),
            duty,
          )
      for (const unit of own) {
        const found = traces
          ? [traces.get(unit.entity)].filter((one) => one !== undefined)
          : await this.#subjects.session(unit.entity, duty)
        if (found.length > 0) works.push({ unit, duty, traces: found })
        else unfit.push({ ...unit, state: 'unfit' })
      }
    }
    this.#bench.note(unfit)
    return works
  }

  #hasRoom(key: number): boolean {
    return this.#bench.load(key) < this.#settings.pageSize
  }

  /** Reads which scorers are to work now. */
  async #refresh(): Promise<void> {
    const { store, experiment } = this.#settings
    const all = await store.registrations({ version: 'all', ...(experiment !== undefined && { experiment }) })
    const duties = new Map<number, Duty>()
    for (const registration of all) {
      if (registration.sampleRate === 0) continue
      const duty = await this.#dutyOf(registration)
      if (duty) duties.set(registration.key, duty)
    }
    this.#duties = duties
    this.#refreshedAt = monotonicMs()
  }

  async #dutyOf(registration: Registration): Promise<Duty | undefined> {
    const { key, name } = registration
    const before = this.#duties.get(key)
    const same = before && JSON.stringify(before.registration.recipe) === JSON.stringify(registration.recipe)
    try {
      if (same) return dutyOf(registration, before.scorer)
      if (this.#isBlocked(key)) return undefined
      const { scorer, notice } = await this.#settings.restore(registration)
      if (notice !== undefined) this.#settings.onEvent({ kind: 'notice', scorer: name, message: notice })
      return dutyOf(registration, scorer)
    } catch (fault) {
      this.#block(registration, 'SCORER_UNAVAILABLE', messageOf(fault))
      return undefined
    }
  }

  /** Holds a scorer up: it would fail on every trace. Nothing is lost, what it has to do waits. */
  #block({ key, name }: Registration, code: string, message: string): number {
    const before = this.#blocked.get(key)
    if (before && before.untilMs > nowMs()) return before.untilMs
    const times = (before?.times ?? 0) + 1
    const wait = Math.min(LONGEST_BLOCK_MS, FIRST_BLOCK_MS * 2 ** (times - 1))
    const untilMs = code === 'BUDGET_EXCEEDED' ? nextDay(nowMs()) : nowMs() + wait
    this.#blocked.set(key, { untilMs, times })
    this.#settings.onEvent({ kind: 'blocked', scorer: name, code, message, untilMs })
    return untilMs
  }

  #isBlocked(key: number): boolean {
    return (this.#blocked.get(key)?.untilMs ?? 0) > nowMs()
  }

  #lease(): Lease {
    const now = nowMs()
    return { owner: this.owner, nowMs: now, untilMs: now + this.#settings.leaseMs }
  }

  /** Gives back what monitors held that are no more. */
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

  #beatOn(): { stop(): void } {
    let timer: NodeJS.Timeout | undefined
    let stopped = false
    const again = (): void => {
      if (stopped) return
      timer = setTimer(() => {
        this.#beat()
          .catch((fault: unknown) => this.#fault(fault))
          .finally(again)
      }, this.#settings.leaseMs / 3)
    }
    again()
    return {
      stop: () => {
        stopped = true
        clearTimer(timer)
      },
    }
  }

  async #beat(): Promise<void> {
    const { store } = this.#settings
    await store.renew(this.#lease())
    const data = {
      pid: process.pid,
      host: hostname(),
      startedAt: this.#startedAt,
      beatAt: nowMs(),
      scored: this.scored,
    }
    await store.keepNote({
      kind: 'monitor',
      id: this.owner,
      data: data satisfies MonitorNote as Record<string, unknown>,
    })
  }

  #fault(fault: unknown): false {
    this.#settings.onEvent({ kind: 'fault', message: messageOf(fault) })
    return false
  }
}

/** What a monitor says of itself in the store. */
export interface MonitorNote {
  readonly pid: number
  readonly host: string
  readonly startedAt: number
  readonly beatAt: number
  readonly scored: number
}

function nextDay(now: number): number {
  return (Math.floor(now / 86_400_000) + 1) * 86_400_000
}
