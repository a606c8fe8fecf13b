import type { Column } from '../../../src/column.ts'
import type { RunSnapshot } from '../../../src/exporter.ts'
import type { Assessment } from '../../../src/feedback.ts'
import type { RunRecord } from '../../../src/run.ts'
import { encode } from '../../../src/std/json.ts'
import type { StoredTrace, StoredTrial, TraceWrite } from '../../../src/store.ts'

/** Runs made by hand, for the tests of exporters. */

export interface TrialDraft {
  readonly inputs?: unknown
  readonly outputs?: unknown
  readonly expectations?: Readonly<Record<string, unknown>>
  readonly feedback?: readonly (Partial<Assessment> & { readonly name: string })[]
  readonly trial?: Partial<StoredTrial>
  readonly trace?: Partial<TraceWrite>
}

export function column(name: string, kind: Column['kind'] = 'boolean'): Column {
  return {
    name,
    kind,
    scorer: name,
    rows: 0,
    scored: 0,
    missing: 0,
    errors: 0,
    errorCodes: {},
    aggregates: {},
  }
}

export function runRecord(more: Partial<RunRecord> = {}): RunRecord {
  return {
    schemaVersion: 1,
    id: 'run-1',
    name: 'support bot',
    experiment: 'tests',
    status: 'finished',
    startedAt: 1_700_000_000_000,
    endedAt: 1_700_000_001_000,
    tags: { branch: 'main' },
    scorers: [{ name: 'polite', version: 'v1' }],
    totals: { rows: 1, failed: 0, failedCodes: {}, retries: 0, wallMs: 1_000 },
    columns: [],
    problems: [],
    worst: [],
    failures: [],
    process: { pid: 1, host: 'here' },
    ...more,
  }
}

export function stored(index: number, draft: TrialDraft): StoredTrace {
  const traceId = `tr-${String(index).padStart(32, '0')}`
  const assessment = (kind: Assessment['kind'], part: Partial<Assessment> & { name: string }): Assessment => ({
    id: `a-${index}-${kind}-${part.name}`,
    kind,
    traceId,
    source: { type: 'CODE', id: part.name },
    runId: 'run-1',
    createdAt: 1_700_000_000_500,
    updatedAt: 1_700_000_000_500,
    valid: true,
    ...part,
  })
  return {
    trial: {
      runId: 'run-1',
      index,
      repeat: 0,
      rowId: `row-${index}`,
      status: 'ok',
      attempts: 1,
      ...draft.trial,
    },
    trace: {
      id: traceId,
      experiment: 'tests',
      status: 'OK',
      requestTimeMs: 1_700_000_000_000 + index,
      requestTimeSubNs: 250,
      durationNs: 1_500_000,
      tags: {},
      metadata: {},
      ...('inputs' in draft && { inputs: encode(draft.inputs) }),
      ...('outputs' in draft && { outputs: encode(draft.outputs) }),
      spans: '',
      ...draft.trace,
    },
    assessments: [
      ...Object.entries(draft.expectations ?? {}).map(([name, value]) => assessment('expectation', { name, value })),
      ...(draft.feedback ?? []).map((part) => assessment('feedback', part)),
    ],
  }
}

export function snapshot(trials: readonly StoredTrace[], more: Partial<RunRecord> = {}): RunSnapshot {
  return {
    record: runRecord(more),
    async *trials() {
      yield* trials
    },
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}
