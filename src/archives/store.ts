import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { EvaluationError } from '../errors.ts'
import type { Store } from '../store.ts'
import { delta } from './delta.ts'

/** True for the folder of a Delta table. */
export function isArchive(path: string): boolean {
  return existsSync(join(path, '_delta_log'))
}

/**
 * Gives the traces of a Delta table as a store that can be searched and not written: the latest version of each, newest first. They belong to no run.
 * No more is held in memory than their ids and some hundreds of them, or `SORTED_AT_ONCE` for an order of one's own.
 *
 * Its methods throw EvaluationError: ARCHIVE_NOT_READABLE, ARCHIVE_UNFIT; STORE_NOT_WRITABLE for all that writes; CONFIG_INVALID for what needs scorers.
 */
export function archiveStore(path: string): Store {
  const archive = delta(path)
  const { location } = archive
  const write = async (): Promise<never> => {
    throw new EvaluationError(
      'STORE_NOT_WRITABLE',
      `Cannot write to the archive "${location}": as a store it is only read`,
      {
        hint: 'name another store; importTraces() brings archived traces into one',
      },
    )
  }
  const watch = async (): Promise<never> => {
    throw new EvaluationError(
      'CONFIG_INVALID',
      `Cannot monitor the archive "${location}": it keeps traces and no scorers`,
      {
        hint: 'import its traces into a store, and backfill those',
      },
    )
  }
  return {
    location,
    async *search(query) {
      yield* (await import('./search.ts')).search(archive, query)
    },
    count: async (query) => (await import('./search.ts')).count(archive, query),
    getRun: async () => undefined,
    listRuns: async () => [],
    trials: async () => [],
    flush: async () => {},
    close: async () => {},

    createRun: write,
    updateRun: write,
    writeTrial: write,
    writeTraces: write,
    logAssessment: write,
    updateAssessment: write,
    deleteAssessment: write,
    putTraces: write,
    registerScorer: write,
    configureScorer: write,
    deleteScorer: write,
    keepNote: write,
    dropNote: write,

    registrations: watch,
    notes: watch,
    standing: watch,
    arrivals: watch,
    examine: watch,
    claim: watch,
    claimDue: watch,
    renew: watch,
    release: watch,
    settle: watch,
    units: watch,
    countUnits: watch,
    scores: watch,
    revive: watch,
  }
}
