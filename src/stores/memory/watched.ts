import type * as queue from '../../queue.ts'
import type { Note, Registration, RegistrationWrite, ScorerSamplingConfig } from '../../registration.ts'
import type { RegistrationQuery, Registry } from '../../registry.ts'
import type { ScorePage, ScoreQuery } from '../../series.ts'
import { nowMs } from '../../std/async.ts'
import { Registrations } from './registry.ts'
import { readScores } from './scores.ts'
import { Shelf } from './shelf.ts'
import { Units } from './units.ts'

/** Monitoring on a store in memory: each call is one step, since nothing else runs meanwhile. */
export abstract class Watched implements Registry, queue.Queue {
  protected readonly shelf: Shelf = new Shelf()
  readonly #registrations = new Registrations()
  readonly #units = new Units(this.shelf, this.#registrations)

  async registerScorer(write: RegistrationWrite): Promise<Registration> {
    const { experiment, name } = write
    const before = this.#registrations.list({ experiment, name, version: 'all' })
    const now = this.#registrations.register(write)
    const newest = before.at(-1)
    if (newest && newest.key !== now.key && newest.level === now.level) {
      this.#units.adopt(
        before.map(({ key }) => key),
        now.key,
      )
    }
    return now
  }

  async registrations(query?: RegistrationQuery): Promise<Registration[]> {
    return this.#registrations.list(query)
  }

  async configureScorer(
    experiment: string,
    name: string,
    config: ScorerSamplingConfig,
  ): Promise<Registration | undefined> {
    return this.#registrations.configure(experiment, name, config, this.shelf.head)
  }

  async deleteScorer(experiment: string, name: string, version?: number): Promise<number> {
    const keys = this.#registrations.delete(experiment, name, version)
    this.#units.drop(keys)
    return keys.length
  }

  async keepNote(note: Note, was?: Note['data'] | null): Promise<boolean> {
    return this.#registrations.keepNote(note, was)
  }

  async notes(kind: Note['kind'], id?: string): Promise<Note[]> {
    return this.#registrations.notes(kind, id)
  }

  async dropNote(kind: Note['kind'], id: string): Promise<boolean> {
    return this.#registrations.dropNote(kind, id)
  }

  async standing(traceIds: readonly string[]): Promise<queue.StandingTrace[]> {
    return this.shelf.standing(traceIds)
  }

  async putTraces(changes: readonly queue.TraceChange[]): Promise<string[]> {
    return this.shelf.put(changes)
  }

  async arrivals(query: queue.ArrivalQuery): Promise<queue.Arrivals> {
    return this.shelf.arrivals(query)
  }

  async examine(examination: queue.Examination): Promise<queue.Unit[] | undefined> {
    return this.#units.examine(examination)
  }

  async claim(units: readonly queue.UnitWrite[], lease: queue.Lease, note?: Note): Promise<queue.Unit[]> {
    if (note) this.#registrations.keepNote(note)
    return this.#units.claim(units, lease)
  }

  async claimDue(scorers: readonly number[], lease: queue.Lease, limit: number): Promise<queue.Unit[]> {
    return this.#units.claimDue(scorers, lease, limit)
  }

  async renew(lease: queue.Lease): Promise<void> {
    this.#units.renew(lease)
  }

  async release(owner: string): Promise<number> {
    return this.#units.release(owner, nowMs())
  }

  async settle(outcomes: readonly queue.UnitOutcome[], lease: queue.Lease): Promise<number> {
    return this.#units.settle(outcomes, lease)
  }

  async units(query: queue.UnitQuery): Promise<queue.UnitRecord[]> {
    return this.#units.query(query)
  }

  async countUnits(scorers: readonly number[]): Promise<queue.UnitCount[]> {
    return this.#units.counts(scorers)
  }

  async scores(query: ScoreQuery): Promise<ScorePage> {
    return readScores(this.shelf, query)
  }

  async revive(scorers: readonly number[], entity?: string): Promise<number> {
    return this.#units.revive(scorers, entity, nowMs())
  }
}
