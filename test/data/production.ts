import type { AssessmentWrite } from '../../src/assessment.ts'
import type { AssessmentError, AssessmentSource } from '../../src/feedback.ts'
import type { Registration } from '../../src/registration.ts'
import type { Store } from '../../src/store.ts'

/** Production as a store knows it: traces that registered scorers have spoken of. */

export const START = Date.UTC(2026, 0, 5)

export interface Said {
  readonly scorer: string
  /** @default the scorer's name */
  readonly name?: string
  readonly value?: unknown
  readonly error?: AssessmentError
  /** @default 1 */
  readonly version?: number
  readonly source?: AssessmentSource
}

/** Registers a scorer as a monitor would find it. */
export function register(store: Store, experiment: string, name: string): Promise<Registration> {
  return store.registerScorer({
    experiment,
    name,
    recipe: { kind: 'judge', factory: 'Safety', options: {} },
    digest: `digest of ${name}`,
    level: 'trace',
    registeredAt: START,
  })
}

export function assessmentOf({ scorer, name = scorer, value, error, version = 1, source }: Said): AssessmentWrite {
  return {
    kind: 'feedback',
    name,
    ...(value !== undefined && { value }),
    ...(error && { error }),
    source: source ?? { type: 'CODE', id: scorer },
    scorer,
    metadata: { 'vitest-evaluate.unit': 'u', 'vitest-evaluate.scorerVersion': version },
    createdAt: START,
  }
}

export interface Production {
  readonly experiment: string
  readonly n: number
  /** @default START */
  readonly fromMs?: number
  /** From one request to the next. @default 60000 */
  readonly everyMs?: number
  /** What is said of the trace at a place. */
  readonly said: (place: number) => readonly Said[]
  /** Tells these traces' ids from others'. @default 'p' */
  readonly prefix?: string
}

/** Writes traces with what scorers said of them. */
export async function produce(
  store: Store,
  { experiment, n, fromMs = START, everyMs = 60_000, said, prefix = 'p' }: Production,
): Promise<void> {
  for (let at = 0; at < n; at += 1_000) {
    await store.writeTraces(
      Array.from({ length: Math.min(1_000, n - at) }, (_, i) => ({
        trace: {
          id: `tr-${prefix}-${String(at + i).padStart(7, '0')}`,
          experiment,
          status: 'OK' as const,
          requestTimeMs: fromMs + (at + i) * everyMs,
          requestTimeSubNs: 0,
          durationNs: 1_000_000,
          tags: {},
          metadata: {},
          spans: '',
        },
        assessments: said(at + i).map(assessmentOf),
      })),
    )
  }
}
