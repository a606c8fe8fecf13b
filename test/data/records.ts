import type { RunRecord } from '../../src/run.ts'

/** A run as a store might hold it; every field can be given. */
export function runRecord(overrides: Partial<RunRecord> = {}): RunRecord {
  return {
    schemaVersion: 1,
    id: 'run_a',
    name: 'evaluation',
    experiment: 'exp',
    status: 'running',
    startedAt: 1,
    tags: {},
    scorers: [],
    totals: { rows: 0, failed: 0, failedCodes: {}, retries: 0, wallMs: 0 },
    columns: [],
    problems: [],
    worst: [],
    failures: [],
    process: { pid: 1, host: 'elsewhere' },
    ...overrides,
  }
}
