import type * as queue from '../../queue.ts'
import type { Note, Registration, RegistrationWrite, ScorerSamplingConfig } from '../../registration.ts'
import type { RegistrationQuery, Registry } from '../../registry.ts'
import type { ScorePage, ScoreQuery } from '../../series.ts'
import type { Methods } from './protocol.ts'

/** What the thread is asked just as the store is asked. */
export abstract class Forwarding implements Registry, queue.Queue {
  protected abstract call<Name extends keyof Methods>(
    method: Name,
    ...args: Parameters<Methods[Name]>
  ): Promise<ReturnType<Methods[Name]>>

  registerScorer(write: RegistrationWrite): Promise<Registration> {
    return this.call('registerScorer', write)
  }

  registrations(query?: RegistrationQuery): Promise<Registration[]> {
    return this.call('registrations', query)
  }

  configureScorer(experiment: string, name: string, config: ScorerSamplingConfig): Promise<Registration | undefined> {
    return this.call('configureScorer', experiment, name, config)
  }

  deleteScorer(experiment: string, name: string, version?: number): Promise<number> {
    return this.call('deleteScorer', experiment, name, version)
  }

  keepNote(note: Note, was?: Note['data'] | null): Promise<boolean> {
    return this.call('keepNote', note, was)
  }

  notes(kind: Note['kind'], id?: string): Promise<Note[]> {
    return this.call('notes', kind, id)
  }

  dropNote(kind: Note['kind'], id: string): Promise<boolean> {
    return this.call('dropNote', kind, id)
  }

  standing(traceIds: readonly string[]): Promise<queue.StandingTrace[]> {
    return this.call('standing', traceIds)
  }

  putTraces(changes: readonly queue.TraceChange[]): Promise<string[]> {
    return this.call('putTraces', changes)
  }

  arrivals(query: queue.ArrivalQuery): Promise<queue.Arrivals> {
    return this.call('arrivals', query)
  }

  examine(examination: queue.Examination): Promise<queue.Unit[] | undefined> {
    return this.call('examine', examination)
  }

  claim(units: readonly queue.UnitWrite[], lease: queue.Lease, note?: Note): Promise<queue.Unit[]> {
    return this.call('claim', units, lease, note)
  }

  claimDue(scorers: readonly number[], lease: queue.Lease, limit: number): Promise<queue.Unit[]> {
    return this.call('claimDue', scorers, lease, limit)
  }

  renew(lease: queue.Lease): Promise<void> {
    return this.call('renew', lease)
  }

  release(owner: string): Promise<number> {
    return this.call('release', owner)
  }

  settle(outcomes: readonly queue.UnitOutcome[], lease: queue.Lease): Promise<number> {
    return this.call('settle', outcomes, lease)
  }

  units(query: queue.UnitQuery): Promise<queue.UnitRecord[]> {
    return this.call('units', query)
  }

  countUnits(scorers: readonly number[]): Promise<queue.UnitCount[]> {
    return this.call('countUnits', scorers)
  }

  scores(query: ScoreQuery): Promise<ScorePage> {
    return this.call('scores', query)
  }

  revive(scorers: readonly number[], entity?: string): Promise<number> {
    return this.call('revive', scorers, entity)
  }
}
