import type { Note, Registration, RegistrationWrite, ScorerSamplingConfig } from './registration.ts'

/** The part of a store that keeps registered scorers, and the notes of whoever runs them. */

export interface RegistrationQuery {
  readonly experiment?: string
  readonly name?: string
  /** One version, or all of them. @default the newest */
  readonly version?: number | 'all'
}

export interface Registry {
  /**
   * Adds a version; where the newest one has the same digest, that one's recipe is replaced and no version is added. Work of older versions that waits, or has
   * failed too often, is the new one's, where both are of one level.
   */
  registerScorer(write: RegistrationWrite): Promise<Registration>
  /** Gives registrations in the order of their names, then of their experiments, versions ascending. */
  registrations(query?: RegistrationQuery): Promise<Registration[]>
  /**
   * Changes sampling; what is not given stays, and a `filterString` that is given as undefined is taken away. A scorer that starts (from rate 0) begins with what
   * arrives from now on.
   * @returns the newest version, or undefined where no such scorer is registered
   */
  configureScorer(experiment: string, name: string, config: ScorerSamplingConfig): Promise<Registration | undefined>
  /** Removes one version or all, with their work; what they have said of traces stays. @returns how many versions there were */
  deleteScorer(experiment: string, name: string, version?: number): Promise<number>

  /** Keeps a note. @param was only while its data is still this one; null: only while there is none @returns false where it is not */
  keepNote(note: Note, was?: Note['data'] | null): Promise<boolean>
  notes(kind: Note['kind'], id?: string): Promise<Note[]>
  dropNote(kind: Note['kind'], id: string): Promise<boolean>
}
