import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Evaluation } from '../../src/evaluation.ts'
import type { RunRecord } from '../../src/run.ts'
import type { Store, StoredTrace } from '../../src/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { sqlite } from '../../src/stores/sqlite.ts'

/** Makes a folder that is removed when the test has finished. */
export function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'evaluate-'))
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
  return made
}

/** The kinds of store that lie here, each made anew. */
export const STORES: Readonly<Record<'memory' | 'sqlite', () => Store>> = {
  memory,
  sqlite: () => {
    const store = sqlite(join(folder(), 'store.sqlite'))
    onTestFinished(() => store.close())
    return store
  },
}

/** What an evaluation needs beside its data, all of it harmless. */
export function evaluation(given: Partial<Evaluation> & Pick<Evaluation, 'data'>): Evaluation {
  return {
    scorers: [],
    store: memory(),
    name: 'evaluation',
    experiment: 'exp',
    tags: {},
    selection: {},
    tolerance: { allowFailed: 0, minScored: 1 },
    maxConcurrency: 4,
    predictTimeoutMs: 5_000,
    scorerTimeoutMs: 5_000,
    retries: 2,
    host: 'here',
    ...given,
  }
}

/** Gives everything that a store holds of a run, in the order of its rows. */
export function storedOf(store: Store, run: RunRecord): Promise<StoredTrace[]> {
  return Array.fromAsync(store.search({ runId: run.id }))
}

/** Gives what was thrown, which has to be something. */
export async function thrownBy(work: Promise<unknown>): Promise<any> {
  try {
    await work
  } catch (thrown) {
    return thrown
  }
  throw new Error('nothing was thrown')
}
