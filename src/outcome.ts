import type { Duty } from './duty.ts'
import type { Assessment, Feedback } from './feedback.ts'
import type { Unit, UnitOutcome } from './queue.ts'
import type { Scored } from './score.ts'
import { SESSION_KEY } from './session.ts'
import { sha256 } from './std/json.ts'

/** What becomes of work after a scorer has had its say. */

/** How often, and how soon, scoring that failed is tried again. */
export interface RetryPolicy {
  /** Failures after which it is a dead letter. */
  readonly maxAttempts: number
  /** The first wait; each further one is twice as long. */
  readonly backoffMs: number
  readonly maxBackoffMs: number
}

/** What the trace lacks, no second try will find. */
const FINAL: ReadonlySet<string> = new Set([
  'INPUTS_MISSING',
  'OUTPUTS_MISSING',
  'EXPECTATION_MISSING',
  'EXPECTATION_INVALID',
  'TRACE_MISSING',
  'SESSION_MISSING',
  'SPAN_MISSING',
  'DOCUMENTS_UNREADABLE',
])

/** Nothing is wrong with the trace: the scorer itself cannot work as things are. */
const BLOCKING: ReadonlySet<string> = new Set([
  'CONFIG_INVALID',
  'AUTHENTICATION',
  'MODEL_NOT_FOUND',
  'PRICE_UNKNOWN',
  'BUDGET_EXCEEDED',
])

const DIGEST_KEY = 'vitest-evaluate.scorerDigest'
const DIGEST_CHARS = 16

/**
 * True where a trace holds what this very scorer has said of it, and no failure, wherever it was scored: as after it came back from an archive. What people have put in
 * its place changes nothing about that.
 */
export function hasSaid({ registration: { name, digest } }: Duty, assessments: readonly Assessment[]): boolean {
  const said = assessments.findLast(
    ({ kind, scorer, metadata }) =>
      kind === 'feedback' && scorer === name && metadata?.[DIGEST_KEY] === digest.slice(0, DIGEST_CHARS),
  )
  return said !== undefined && !said.error
}

/** It would fail on every trace. */
function blockOf({ feedback }: Pick<Scored, 'feedback'>): string | undefined {
  return feedback.map(({ error }) => error?.code).find((code) => code !== undefined && BLOCKING.has(code))
}

/** The provider is away, or has had enough: whatever trace is next, the answer will be the same. */
const OUTAGE: ReadonlySet<string> = new Set(['TRANSPORT', 'RATE_LIMITED'])
const OUTAGE_AFTER = 10

/** Tells scorers that cannot work from traces that cannot be scored. */
export class Outages {
  /** Failures of that kind in a row, by scorer. */
  readonly #streaks = new Map<number, number>()

  /** Gives the code for which a scorer has to be held up: at once where it cannot work, after ten in a row where its provider does not answer. */
  blockOf(scorer: number, scored: Pick<Scored, 'feedback'>): string | undefined {
    const blocked = blockOf(scored)
    if (blocked !== undefined) return blocked
    const code = scored.feedback.find(({ error }) => error && OUTAGE.has(error.code))?.error?.code
    const streak = code === undefined ? 0 : (this.#streaks.get(scorer) ?? 0) + 1
    this.#streaks.set(scorer, streak)
    return streak >= OUTAGE_AFTER ? code : undefined
  }
}

export interface Judged {
  readonly unit: Unit
  readonly duty: Duty
  /** The trace that the Feedback belongs to: of a session its first. */
  readonly traceId: string
  readonly nowMs: number
}

export function outcomeOf(judged: Judged, scored: Scored, policy: RetryPolicy): UnitOutcome {
  const { unit, nowMs, traceId } = judged
  const { scorer, entity, mark } = unit
  const cost = scored.usage && { usd: scored.usage.cost }
  const failed = scored.feedback.find(({ error }) => error && !FINAL.has(error.code))
  const attempts = unit.attempts + 1
  if (failed?.error && attempts < policy.maxAttempts) {
    const dueAt = nowMs + backoff(attempts, policy)
    return { scorer, entity, mark, state: 'retry', dueAt, error: failed.error, ...cost }
  }
  const assessments = scored.feedback.map((item) => assessmentOf(item, judged, scored.durationMs))
  const state = failed ? ('dead' as const) : ('done' as const)
  return { scorer, entity, mark, state, traceId, assessments, ...(failed?.error && { error: failed.error }), ...cost }
}

/** Gives how long to wait after so many failures. */
export function backoff(attempts: number, { backoffMs, maxBackoffMs }: RetryPolicy): number {
  return Math.min(maxBackoffMs, backoffMs * 2 ** (attempts - 1))
}

function assessmentOf(feedback: Feedback, { unit, duty, nowMs }: Judged, durationMs: number) {
  const { experiment, name, version, level, digest: whole } = duty.registration
  const digest = sha256([experiment, name, version, unit.entity, feedback.name].join('\0')).slice(0, 24)
  return {
    ...feedback,
    kind: 'feedback' as const,
    metadata: {
      ...feedback.metadata,
      ...(level === 'session' && { [SESSION_KEY]: unit.entity }),
      'vitest-evaluate.unit': digest,
      'vitest-evaluate.scorerVersion': version,
      [DIGEST_KEY]: whole.slice(0, DIGEST_CHARS),
    },
    scorer: name,
    durationMs,
    createdAt: nowMs,
  }
}
