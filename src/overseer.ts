import { resolve } from 'node:path'
import { quote } from './errors.ts'
import { currentHost } from './host.ts'
import type { RegistryOptions } from './lifecycle.ts'
import { Monitor } from './monitor.ts'
import type { RetryPolicy } from './outcome.ts'
import { openStore } from './place.ts'
import { requireKnown } from './registrar.ts'
import { changeOf, restoreScorer } from './restore.ts'
import type { ShiftEvent, ShiftSettings } from './shift.ts'
import type { Store } from './store.ts'
import { dailySupply, type MonitorModels } from './supply.ts'
import type { Witness } from './workbench.ts'

/** Settles what monitors and backfills need: store, models, scorers. */

/** What monitors and backfills may be told. */
export interface ScoringOptions extends RegistryOptions, MonitorModels {
  /** Where the paths of scorers' modules start. @default the working directory */
  readonly root?: string
  /** Traces or sessions in work at once, for every scorer. @default 16, for a backfill 4 */
  readonly maxConcurrency?: number
  /** For one trace; 0: no limit. @default 120000 */
  readonly scorerTimeoutMs?: number
  /** Failures of a scorer on a trace after which it is a dead letter. @default 5 */
  readonly maxAttempts?: number
  /** The wait before the second try; each further one is twice as long, an hour at most. @default 10000 */
  readonly backoffMs?: number
  /** A session is complete when it has been quiet for so long. @default 300000 */
  readonly sessionBufferMs?: number
  /** Draws other samples than those that everybody draws without one. @default '' */
  readonly seed?: string
  /** Is told what holds a scorer up, what is worth knowing of one, and when the store fails. */
  readonly onEvent?: (event: ShiftEvent) => void
  readonly signal?: AbortSignal
}

/** What a monitor may be told. */
export interface MonitorOptions extends ScoringOptions {
  /** A trace that has not ended counts as complete when it has been quiet for so long. @default 300000 */
  readonly completionBufferMs?: number
  /** How often to look for new traces. @default 1000 */
  readonly pollMs?: number
  /** Others keep away from what is claimed for so long after the last sign of life. @default 60000 */
  readonly leaseMs?: number
  /** Is told what is being worked on. */
  readonly witness?: Witness
  /** Is told when it starts: who it is to the store, and how many traces and sessions it has scored by now. */
  readonly onStart?: (monitor: { readonly owner: string; readonly scored: number }) => void
}

const LEASE_MS = 60_000
const PAGE = 500
const HOUR_MS = 3_600_000

/** The same for everybody who scores what a store holds. */
export function shiftSettings(
  options: ScoringOptions & Pick<MonitorOptions, 'leaseMs' | 'witness'>,
  store: Store,
  maxConcurrency: number,
): ShiftSettings & { readonly seed: string; readonly sessionBufferMs: number } {
  const { root, scorerTimeoutMs = 120_000, maxAttempts = 5, backoffMs = 10_000 } = options
  const policy: RetryPolicy = { maxAttempts, backoffMs, maxBackoffMs: HOUR_MS }
  return {
    store,
    restore: (registration) => restoreScorer(registration, { store, ...(root !== undefined && { root }) }),
    noticeOf: (registration) => changeOf(registration, resolve(root ?? currentHost()?.settings.root ?? '.')),
    models: dailySupply(options, store.location),
    maxConcurrency: options.maxConcurrency ?? maxConcurrency,
    scorerTimeoutMs,
    policy,
    sessionBufferMs: options.sessionBufferMs ?? 300_000,
    seed: options.seed ?? '',
    leaseMs: options.leaseMs ?? LEASE_MS,
    pageSize: PAGE,
    witness: options.witness,
    onEvent: options.onEvent ?? (() => {}),
    signal: options.signal ?? new AbortController().signal,
  }
}

const NUMBERS: Readonly<Record<string, number>> = {
  maxConcurrency: 1,
  scorerTimeoutMs: 0,
  maxAttempts: 1,
  backoffMs: 0,
  sessionBufferMs: 0,
  completionBufferMs: 0,
  pollMs: 1,
  leaseMs: 1_000,
  maxModelConcurrency: 1,
}
const SHARED = [
  'store',
  'experiment',
  'root',
  'seed',
  'onEvent',
  'signal',
  'judgeModel',
  'prices',
  'cache',
  'budget',
  'witness',
  'onStart',
  ...Object.keys(NUMBERS),
]

/** @throws TypeError, RangeError that name what does not fit */
export function requireScoring(options: object, own: readonly string[], where: string): void {
  requireKnown(options, [...own, ...SHARED], where)
  for (const [key, least] of Object.entries(NUMBERS)) {
    const value = (options as Record<string, unknown>)[key]
    if (value !== undefined && !(Number.isSafeInteger(value) && (value as number) >= least))
      throw new RangeError(`${where}: "${key}" must be an integer from ${least}, found ${quote(value)}`)
  }
}

/**
 * Scores what production writes to a store, in this process, until the signal fires: every trace that a registered and started scorer is to see, once. Several
 * may run on one store. The command `vitest-evaluate monitor` does the same in a process of its own, which outlives scorers that hang or crash.
 *
 * @param options with `once` it ends when nothing is due any more
 * @returns how many traces and sessions were scored, counted per scorer
 * @throws EvaluationError STORE_…
 */
export async function monitorTraces(options: MonitorOptions & { readonly once?: boolean } = {}): Promise<number> {
  const where = 'Cannot monitor'
  requireScoring(options, ['once'], where)
  const { once = false, experiment, completionBufferMs = 300_000, pollMs = 1_000 } = options
  const store = openStore(options.store, currentHost()?.settings)
  const monitor = new Monitor({
    ...shiftSettings(options, store, 16),
    experiment,
    completionBufferMs,
    pollMs,
  })
  options.onStart?.(monitor)
  await (once ? monitor.catchUp() : monitor.run())
  return monitor.scored
}

/** Gives a time as milliseconds since 1970. @throws TypeError for what is none */
export function timeOf(value: Date | number | string | undefined, name: string, where: string): number | undefined {
  if (value === undefined) return undefined
  const ms = value instanceof Date ? value.getTime() : typeof value === 'string' ? Date.parse(value) : value
  if (typeof ms === 'number' && Number.isFinite(ms)) return ms
  throw new TypeError(
    `${where}: "${name}" must be a date, or milliseconds since 1970, found ${quote(value)}\nHint: such as 2026-11-14 or 2026-11-14T09:00:00Z`,
  )
}
