import type { Duty } from './duty.ts'
import { Examiner } from './examiner.ts'
import { Shift, type ShiftSettings } from './shift.ts'
import { monotonicMs, sleep } from './std/async.ts'

export interface MonitorSettings extends ShiftSettings {
  /** Only scorers of this experiment. @default those of all */
  readonly experiment?: string | undefined
  /** How long a trace that has not ended has to be quiet until it counts as complete. */
  readonly completionBufferMs: number
  /** How long a session has to be quiet. */
  readonly sessionBufferMs: number
  /** How long to wait where there is nothing to do. */
  readonly pollMs: number
  readonly seed: string
}

const REFRESH_MS = 1_000
const LOOK_BACK_MS = 30_000
/** So long scorers that stand together wait for the one that has enough to do. */
const HOLD_MS = 200

/** Scores what production writes to a store, as long as it runs. */
export class Monitor {
  readonly #settings: MonitorSettings
  readonly #shift: Shift
  readonly #examiner: Examiner
  readonly #held = new Map<number, number>()
  #refreshedAt = Number.NEGATIVE_INFINITY
  #lookedBackAt = Number.NEGATIVE_INFINITY
  /** The key of every name's newest version; they alone look at what arrives. */
  #newest: ReadonlyMap<string, number> = new Map()
  #unfinished: ReadonlySet<number> = new Set()

  constructor(settings: MonitorSettings) {
    this.#settings = settings
    this.#shift = new Shift(settings)
    this.#examiner = new Examiner({ ...settings, subjects: this.#shift.subjects })
  }

  /** Who it is to the store. */
  get owner(): string {
    return this.#shift.owner
  }

  /** How many traces and sessions it has scored, counted per scorer. */
  get scored(): number {
    return this.#shift.bench.settled
  }

  /** Works until the signal fires; then what is in work is given back or finished, and kept. */
  async run(): Promise<void> {
    const { signal, pollMs } = this.#settings
    await this.#shift.during(async () => {
      while (!signal.aborted) {
        const busy = await this.#step().catch((fault: unknown) => this.#shift.fault(fault))
        if (!busy) await sleep(pollMs, signal).catch(() => {})
      }
    })
  }

  /** Works until nothing is due any more. @throws what the store throws */
  async catchUp(): Promise<void> {
    await this.#shift.during(async () => {
      while (!this.#settings.signal.aborted) {
        if (await this.#step()) continue
        await this.#shift.bench.drained()
        this.#refreshedAt = Number.NEGATIVE_INFINITY
        if (!(await this.#step())) return
      }
    })
  }

  /** One round; gives false where there was nothing to do. */
  async #step(): Promise<boolean> {
    if (monotonicMs() - this.#refreshedAt > REFRESH_MS) await this.#refresh()
    const examined = await this.#examine()
    const taken = await this.#shift.takeDue()
    return examined || taken
  }

  /** Reads which scorers are to work now: the newest versions, and older ones that have something left to do. */
  async #refresh(): Promise<void> {
    const { store, experiment } = this.#settings
    const all = await store.registrations({ version: 'all', ...(experiment !== undefined && { experiment }) })
    const active = all.filter(({ sampleRate }) => sampleRate > 0)
    this.#newest = new Map(active.map(({ experiment, name, key }) => [JSON.stringify([experiment, name]), key]))
    const newest = new Set(this.#newest.values())
    const older = active.filter(({ key }) => !newest.has(key)).map(({ key }) => key)
    if (older.length > 0 && monotonicMs() - this.#lookedBackAt > LOOK_BACK_MS) {
      const counts = await store.countUnits(older)
      this.#unfinished = new Set(
        counts.filter(({ state }) => state !== 'done' && state !== 'dead').map(({ scorer }) => scorer),
      )
      this.#lookedBackAt = monotonicMs()
    }
    await this.#shift.assign(active.filter(({ key }) => newest.has(key) || this.#unfinished.has(key)))
    this.#refreshedAt = monotonicMs()
  }

  async #examine(): Promise<boolean> {
    let busy = false
    for (const group of this.#groups()) {
      const examined = await this.#examiner.examine(group, () => this.#shift.lease())
      // Where somebody else has been faster, too: the places are others now.
      if (!examined || examined.moved) this.#refreshedAt = Number.NEGATIVE_INFINITY
      if (!examined) return true
      this.#shift.bench.add(examined.works)
      busy ||= examined.moved
    }
    return busy
  }

  /** Scorers that stand at the same place, as far as they have room. */
  #groups(): Duty[][] {
    const newest = new Set(this.#newest.values())
    const working = [...this.#shift.duties.values()].filter(
      ({ registration: { key } }) => newest.has(key) && !this.#shift.isBlocked(key),
    )
    const groups = Map.groupBy(working, ({ registration: { experiment, progress } }) =>
      JSON.stringify([experiment, progress.position]),
    )
    return [...groups.values()].flatMap((group) => {
      const free = group.filter(({ registration }) => this.#shift.isFree(registration))
      return free.length > 0 && (free.length === group.length || this.#hasWaited(group)) ? [free] : []
    })
  }

  #hasWaited([first]: readonly Duty[]): boolean {
    const key = first?.registration.key ?? 0
    const now = monotonicMs()
    const since = this.#held.get(key) ?? now
    const over = now - since >= HOLD_MS
    if (over) this.#held.delete(key)
    else this.#held.set(key, since)
    return over
  }
}
