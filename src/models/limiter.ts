import { hostname } from 'node:os'
import { clearTimer, nowMs, setTimer } from '../std/async.ts'
import type { SharedFile } from './file.ts'
import { answered, type Grant, grant, HOLDER_MS, hold, isStale, newPlan, type Plan, refused } from './pace.ts'

/** The tables of `limits.sqlite`. */
export const LIMITS_SCHEMA = `
  CREATE TABLE IF NOT EXISTS plans (endpoint TEXT PRIMARY KEY, plan TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS purses (scope TEXT PRIMARY KEY, purse TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
`

/** Nobody goes while it is not known who may. */
const BUSY: Grant = { launches: 0, waitMs: 5 }

interface Waiting {
  readonly go: (launchedAt: number) => void
  readonly again: boolean
}

/**
 * Lets calls of one endpoint go, in turn, by a plan that all processes with the same file share. A process that dies loses its places
 * after 15 seconds; without a file the plan is the process's own.
 */
export class Limiter {
  readonly #file: SharedFile
  readonly #endpoint: string
  readonly #most: number
  readonly #id: string
  #own: Plan | undefined
  #queue: Waiting[] = []
  #count = 0
  #timer: NodeJS.Timeout | undefined
  #timerAt = Number.POSITIVE_INFINITY
  #beat: NodeJS.Timeout | undefined
  #answered = 0
  /** What could not be told the others yet, because one of them was writing. */
  #untold: ((plan: Plan) => void)[] = []
  #full = false

  /** @param most calls in work at once, in all processes */
  constructor(file: SharedFile, endpoint: string, most: number, id: string = `${hostname()}/${process.pid}`) {
    this.#file = file
    this.#endpoint = endpoint
    this.#most = most
    this.#id = id
  }

  /**
   * Waits for a call's turn. Whoever got it gives it back with `release`.
   * @param again a call that was refused before goes first
   * @returns when it was launched, for `refused`
   */
  acquire(signal?: AbortSignal, again = false): Promise<number> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const waiting: Waiting = {
        again,
        go: (launchedAt) => {
          signal?.removeEventListener('abort', onAbort)
          resolve(launchedAt)
        },
      }
      const onAbort = (): void => {
        this.#queue = this.#queue.filter((other) => other !== waiting)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      const place = again ? this.#queue.findIndex((other) => !other.again) : -1
      if (place < 0) this.#queue.push(waiting)
      else this.#queue.splice(place, 0, waiting)
      this.#pump()
    })
  }

  release(): void {
    this.#count--
    if (this.#full) this.#timerAt = Number.POSITIVE_INFINITY
    if (this.#queue.length > 0) this.#pump()
    else if (this.#count === 0) this.#tell((plan, now) => hold(plan, now, { id: this.#id, count: 0 }))
    if (this.#count === 0) this.#stopBeat()
  }

  /** A call was answered; the plan learns of it with the next call that goes. */
  answered(): void {
    this.#answered++
  }

  /** @param askedMs how long the endpoint asked to wait */
  refused(launchedAt: number, askedMs: number | undefined): void {
    this.#tell((plan, now) => refused(plan, now, launchedAt, askedMs))
  }

  #pump(): void {
    const wanted = this.#queue.length
    if (wanted === 0) return
    // The next turn is known: only who waits at the head looks whether it has come.
    if (this.#timerAt !== Number.POSITIVE_INFINITY && nowMs() < this.#timerAt) return
    const granted = this.#update((plan, now) => {
      answered(plan, this.#answered)
      this.#answered = 0
      return grant(plan, now, { id: this.#id, count: this.#count }, wanted, this.#most)
    })
    const { launches, waitMs, full = false } = granted ?? BUSY
    this.#count += launches
    this.#full = full
    const launchedAt = nowMs()
    for (const { go } of this.#queue.splice(0, launches)) go(launchedAt)
    if (this.#count > 0) this.#startBeat()
    clearTimer(this.#timer)
    this.#timerAt = Number.POSITIVE_INFINITY
    if (this.#queue.length === 0) return
    this.#timerAt = nowMs() + waitMs
    this.#timer = setTimer(() => {
      this.#timerAt = Number.POSITIVE_INFINITY
      this.#pump()
    }, waitMs)
  }

  /** Gives undefined while another process keeps the file to itself. */
  #update<T>(work: (plan: Plan, now: number) => T): T | undefined {
    const shared = this.#file.transaction((file) => {
      const now = nowMs()
      const row = file.statement('SELECT plan FROM plans WHERE endpoint = ?').get(this.#endpoint)
      const known = row && (JSON.parse(row.plan as string) as Plan)
      const plan = known && !isStale(known, now) ? known : newPlan(now)
      for (const tell of this.#untold) tell(plan)
      const result = work(plan, now)
      const sql = 'INSERT INTO plans VALUES (?, ?) ON CONFLICT DO UPDATE SET plan = excluded.plan'
      file.statement(sql).run(this.#endpoint, JSON.stringify(plan))
      return { result }
    })
    if (shared) this.#untold = []
    if (shared || this.#file.isUsable) return shared?.result
    this.#own ??= newPlan(nowMs())
    return work(this.#own, nowMs())
  }

  /** What the others have to know is told them later where it cannot be now. */
  #tell(work: (plan: Plan, now: number) => void): void {
    const now = nowMs()
    const told = this.#update((plan) => {
      work(plan, now)
      return true
    })
    if (!told) this.#untold.push((plan) => work(plan, now))
  }

  /** Long calls are still there. */
  #startBeat(): void {
    if (this.#beat) return
    this.#beat = setTimer(() => {
      this.#beat = undefined
      this.#tell((plan, now) => hold(plan, now, { id: this.#id, count: this.#count }))
      if (this.#count > 0) this.#startBeat()
    }, HOLDER_MS / 3)
    this.#beat.unref()
  }

  #stopBeat(): void {
    clearTimer(this.#beat)
    this.#beat = undefined
  }
}
