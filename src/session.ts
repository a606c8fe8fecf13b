import type { Feedback } from './feedback.ts'
import { type Scored, type ScoreOptions, scoreRow } from './score.ts'
import type { Scorer } from './scorer.ts'
import { nowMs } from './std/async.ts'
import { copies } from './std/json.ts'
import { type AssessmentWrite, type Store, type StoredTrace, type TrialWrite, toTrace } from './store.ts'
import type { Trace } from './trace.ts'

/** What came of one session; it stands with its first trace. */
export interface ScoredSession {
  readonly first: { readonly traceId: string; readonly rowId: string; readonly index: number }
  readonly scored: readonly Scored[]
}

export interface SessionSettings extends ScoreOptions {
  readonly scorers: readonly Scorer[]
  readonly store: Store
  readonly runId: string
  /** Sessions in work at once. */
  readonly maxConcurrency: number
  readonly signal: AbortSignal | undefined
}

/** Under which a Feedback says that it is of a session, as in MLflow. */
export const SESSION_KEY = 'mlflow.trace.session'

interface Known {
  rows: number
  ok: number
}

/** Scores the conversations of a run once its rows are done. */
export class Sessions {
  readonly #settings: SessionSettings
  readonly #known = new Map<string, Known>()
  #without = 0

  constructor(settings: SessionSettings) {
    this.#settings = settings
  }

  /** Takes note of a row that is done. */
  add({ trace: { sessionId }, status }: TrialWrite): void {
    if (sessionId === undefined) {
      this.#without++
      return
    }
    const known = this.#known.get(sessionId) ?? { rows: 0, ok: 0 }
    known.rows++
    if (status === 'ok') known.ok++
    this.#known.set(sessionId, known)
  }

  /** Rows that are in no session. */
  get without(): number {
    return this.#without
  }

  /**
   * Reads the run's traces back in the order of its rows and scores every session as soon as it is complete. One all of whose rows failed is left
   * out, as those rows are.
   */
  async score(onScored: (session: ScoredSession) => void): Promise<void> {
    const { store, runId, maxConcurrency, signal } = this.#settings
    await store.flush(runId)
    const open = new Map<string, StoredTrace[]>()
    const working = new Set<Promise<void>>()
    for await (const stored of store.search({ runId })) {
      if (signal?.aborted) break
      const id = stored.trace.sessionId
      const known = id === undefined ? undefined : this.#known.get(id)
      if (id === undefined || !known?.ok) continue
      const turns = open.get(id) ?? []
      open.set(id, turns)
      if (turns.push(stored) < known.rows) continue
      open.delete(id)
      const work = this.#scoreOne(id, turns)
        .then((scored) => scored && onScored(scored))
        .finally(() => working.delete(work))
      working.add(work)
      if (working.size >= maxConcurrency) await Promise.race(working)
    }
    await Promise.all(working)
  }

  async #scoreOne(id: string, turns: readonly StoredTrace[]): Promise<ScoredSession | undefined> {
    const { scorers, store, runId, signal } = this.#settings
    const ordered = inOrder(turns)
    const session = Object.freeze(ordered.map(toTrace))
    const first = ordered[0] as StoredTrace
    const tags = session[0]?.tags ?? {}
    const scored = await scoreRow(
      scorers,
      { session, expectations: copies(expectationsOf(session)), tags },
      this.#settings,
    )
    if (signal?.aborted) return undefined
    const createdAt = nowMs()
    for (const { scorer, feedback, durationMs } of scored) {
      for (const item of feedback) {
        const write = { runId, scorer: scorer.name, durationMs, createdAt }
        await store.logAssessment(first.trace.id, { ...ofSession(item, id), ...write })
      }
    }
    const { rowId = '', index = 0 } = first.trial ?? {}
    return { first: { traceId: first.trace.id, rowId, index }, scored }
  }
}

export function ofSession(feedback: Feedback, id: string): Omit<AssessmentWrite, 'createdAt'> {
  return { ...feedback, kind: 'feedback', metadata: { ...feedback.metadata, [SESSION_KEY]: id } }
}

/**
 * Every trace once, by the time of its request. Turns that the run has called itself stay in the order of their rows: one that was called again
 * is later, but not in the conversation.
 */
export function inOrder(turns: readonly StoredTrace[]): StoredTrace[] {
  const byId = new Map(turns.map((turn) => [turn.trace.id, turn]))
  if (turns.every(({ trial }) => (trial?.attempts ?? 0) > 0)) return [...byId.values()]
  return [...byId.values()].sort(({ trace: a }, { trace: b }) => {
    return a.requestTimeMs - b.requestTimeMs || a.requestTimeSubNs - b.requestTimeSubNs
  })
}

export function expectationsOf(session: readonly Trace[]): Record<string, unknown> {
  const merged = new Map<string, unknown>()
  for (const { expectations } of session.toReversed())
    for (const [name, value] of Object.entries(expectations)) merged.set(name, value)
  return Object.fromEntries(merged)
}
