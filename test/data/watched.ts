import { mkdtempSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { BackfillRecord, BackfillSettings } from '../../src/backfill.ts'
import { Monitor, type MonitorSettings } from '../../src/monitor.ts'
import type { Registration, ScorerSamplingConfig } from '../../src/registration.ts'
import type { Scorer } from '../../src/scorer.ts'
import { encode } from '../../src/std/json.ts'
import type { Store, StoredTrace, TraceWrite } from '../../src/store.ts'
import { sqlite } from '../../src/stores/sqlite.ts'

/** Production as tests need it: traces that no evaluation made, and scorers that watch them. */

export const EXPERIMENT = 'shop'

export function storeFile(): string {
  return join(mkdtempSync(join(tmpdir(), 'production-')), 'store.sqlite')
}

/** A store of its own, closed when the test ends. */
export function productionStore(path = storeFile()): Store {
  const store = sqlite(path)
  onTestFinished(() => store.close())
  return store
}

export function traceId(i: number): string {
  return `tr-${String(i).padStart(32, '0')}`
}

export function production(i: number, overrides: Partial<TraceWrite> = {}): TraceWrite {
  return {
    id: traceId(i),
    experiment: EXPERIMENT,
    name: 'answer',
    status: 'OK',
    requestTimeMs: 1_760_000_000_000 + i,
    requestTimeSubNs: 0,
    durationNs: 5_000_000,
    tags: {},
    metadata: {},
    inputs: encode({ question: `why ${i}` }),
    outputs: encode(`because ${i}`),
    spans: '',
    ...overrides,
  }
}

export async function arrive(store: Store, ...traces: readonly TraceWrite[]): Promise<void> {
  await store.writeTraces(traces.map((trace) => ({ trace, assessments: [] })))
}

/** Registers scorers by hand, as the life cycle does, and starts them before anything has arrived. */
export async function watch(
  store: Store,
  scorers: readonly Scorer[],
  config: ScorerSamplingConfig = { sampleRate: 1 },
): Promise<Registration[]> {
  const registrations: Registration[] = []
  for (const { name, level = 'trace' } of scorers) {
    const recipe = { kind: 'module', module: 'scorers.ts', export: name, digest: '' } as const
    await store.registerScorer({ experiment: EXPERIMENT, name, recipe, digest: name, level, registeredAt: 1 })
    const registration = await store.configureScorer(EXPERIMENT, name, { sampleRate: 1, ...config })
    if (registration) registrations.push(registration)
  }
  return registrations
}

/** Settings in which nothing has to be waited for. */
export function settings(
  store: Store,
  scorers: readonly Scorer[],
  overrides: Partial<MonitorSettings> = {},
): MonitorSettings {
  const byName = new Map(scorers.map((scorer) => [scorer.name, scorer]))
  return {
    store,
    restore: async ({ name }) => ({ scorer: byName.get(name) as Scorer }),
    models: () => undefined,
    maxConcurrency: 8,
    scorerTimeoutMs: 5_000,
    policy: { maxAttempts: 3, backoffMs: 1, maxBackoffMs: 5 },
    completionBufferMs: 300_000,
    sessionBufferMs: 300_000,
    pollMs: 5,
    leaseMs: 60_000,
    pageSize: 50,
    seed: '',
    onEvent: () => {},
    signal: new AbortController().signal,
    ...overrides,
  }
}

export async function catchUp(
  store: Store,
  scorers: readonly Scorer[],
  overrides: Partial<MonitorSettings> = {},
): Promise<number> {
  const monitor = new Monitor(settings(store, scorers, overrides))
  await monitor.catchUp()
  return monitor.scored
}

/** What scorers have said of every trace, in the order of the traces. */
export async function said(store: Store): Promise<Record<string, unknown>[]> {
  const found: StoredTrace[] = await Array.fromAsync(store.search({ experiment: EXPERIMENT }))
  return found
    .sort((a, b) => a.trace.id.localeCompare(b.trace.id))
    .map(({ assessments }) =>
      Object.fromEntries(
        assessments.filter(({ valid }) => valid).map(({ name, value, error }) => [name, error ? error.code : value]),
      ),
    )
}

/** The record of a backfill that begins now, over everything that has arrived. */
export async function backfillRecord(
  store: Store,
  registrations: readonly Registration[],
  overrides: Partial<BackfillRecord> = {},
): Promise<BackfillRecord> {
  const { head } = await store.arrivals({ experiment: EXPERIMENT, limit: 1 })
  return {
    id: 'bf-1',
    experiment: EXPERIMENT,
    scorers: registrations.map(({ name, version }) => ({ name, version, sampleRate: 1 })),
    startMs: 0,
    endMs: Date.now() + 1,
    status: 'running',
    position: 0,
    through: head,
    examined: 0,
    sampled: 0,
    due: 0,
    scored: 0,
    createdAt: Date.now(),
    updatedAt: Date.now(),
    process: { pid: process.pid, host: hostname() },
    ...overrides,
  }
}

export async function backfillSettings(
  store: Store,
  scorers: readonly Scorer[],
  registrations: readonly Registration[],
  {
    record,
    ...overrides
  }: Partial<Omit<BackfillSettings, 'record'>> & { readonly record?: Partial<BackfillRecord> } = {},
): Promise<BackfillSettings> {
  return {
    ...settings(store, scorers),
    registrations,
    onProgress: () => {},
    ...overrides,
    record: await backfillRecord(store, registrations, record),
  }
}
