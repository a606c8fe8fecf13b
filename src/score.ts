import { errorFeedback, type Feedback, toFeedback } from './feedback.ts'
import { UsageMeter, type UsageTotals, usageMetadata } from './meter.ts'
import { withMeter } from './model.ts'
import type { Scorer, ScorerArgs, SessionArgs } from './scorer.ts'
import { DeadlineError, isThenable, LazySignal, monotonicMs } from './std/async.ts'
import type { Watch } from './std/watch.ts'
import type { Trace } from './trace.ts'

/** What a conversation offers its scorers. */
export interface ScorableSession {
  readonly session: readonly Trace[]
  readonly expectations: () => Readonly<Record<string, unknown>>
  readonly tags: Readonly<Record<string, string>>
}

/** What a row offers its scorers: to each its own copy of the data, since one that sorts a list must not change what its neighbour sees. */
export interface Scorable {
  readonly inputs: () => unknown
  readonly outputs: () => unknown
  readonly expectations: () => Readonly<Record<string, unknown>>
  readonly tags: Readonly<Record<string, string>>
  readonly trace: Trace
}

export interface ScoreOptions {
  /** Per scorer, where it has none of its own; 0 means no limit. */
  readonly timeoutMs: number
  readonly watch: Watch
}

/** What one scorer made of one row. */
export interface Scored {
  readonly scorer: Scorer
  readonly feedback: readonly Feedback[]
  /** True when the scorer itself failed: threw, ran out of time, or gave what is no Feedback. */
  readonly failed: boolean
  readonly durationMs: number
  /** What it asked models for; missing where it asked none. */
  readonly usage?: UsageTotals
}

/**
 * Scores one row, or one session, with every scorer, all at once, and gives their results in the order of the list.
 *
 * A scorer that throws or hangs does not disturb its neighbours: its failure becomes a Feedback with an error. So does a name that an
 * earlier scorer of the list has already used on this row.
 *
 * @param known Feedback that is there already, by scorer: those are not asked
 */
export async function scoreRow(
  scorers: readonly Scorer[],
  row: Scorable | ScorableSession,
  options: ScoreOptions,
  known?: ReadonlyMap<string, readonly Feedback[]>,
): Promise<readonly Scored[]> {
  const pending = scorers.map((scorer) => {
    const feedback = known?.get(scorer.name)
    return feedback ? { scorer, feedback, failed: false, durationMs: 0 } : scoreOne(scorer, row, options)
  })
  const results = pending.some(isThenable) ? await Promise.all(pending) : (pending as Scored[])
  return withoutCollisions(results, scorers)
}

function scoreOne(scorer: Scorer, row: Scorable | ScorableSession, options: ScoreOptions): Scored | Promise<Scored> {
  const lazy = new LazySignal()
  const started = monotonicMs()
  const meter = new UsageMeter()
  const origin = { scorer: scorer.name }
  const settle = (returned: unknown): Scored => {
    const feedback = toFeedback(returned, origin)
    const failed = feedback.length === 1 && feedback[0]?.error?.code === 'SCORER_RETURN'
    return metered({ scorer, feedback, failed, durationMs: monotonicMs() - started }, meter)
  }
  const fail = (thrown: unknown): Scored => {
    const code = thrown instanceof DeadlineError ? 'SCORER_TIMEOUT' : 'SCORER_THREW'
    const feedback = [errorFeedback(origin, code, thrown)]
    return metered({ scorer, feedback, failed: true, durationMs: monotonicMs() - started }, meter)
  }
  try {
    // A session has no inputs and outputs of its own: a scorer of its level is not told of any.
    const args = 'session' in row ? new SessionCall(row, lazy) : new Call(row, lazy)
    const returned = withMeter(meter, () => scorer.score(args as ScorerArgs))
    if (!isThenable(returned)) return settle(returned)
    return options.watch.run(returned, scorer.timeoutMs ?? options.timeoutMs, lazy).then(settle, fail)
  } catch (thrown) {
    return fail(thrown)
  }
}

/** Says beside the first Feedback what all of them took together: a sum over rows then counts every call once. */
function metered(scored: Scored, { totals }: UsageMeter): Scored {
  if (!totals) return scored
  const [first, ...rest] = scored.feedback
  if (!first) return { ...scored, usage: totals }
  const told = { ...first, metadata: { ...first.metadata, ...usageMetadata(totals) } }
  return { ...scored, feedback: [told, ...rest], usage: totals }
}

/** A class, because an object literal with a getter would give every call a hidden class of its own. */
class Call implements ScorerArgs {
  readonly inputs: unknown
  readonly outputs: unknown
  readonly expectations: Readonly<Record<string, unknown>>
  readonly tags: Readonly<Record<string, string>>
  readonly trace: Trace
  readonly #lazy: LazySignal

  constructor({ inputs, outputs, expectations, tags, trace }: Scorable, lazy: LazySignal) {
    this.inputs = inputs()
    this.outputs = outputs()
    this.expectations = expectations()
    this.tags = tags
    this.trace = trace
    this.#lazy = lazy
  }

  get session(): readonly Trace[] {
    return [this.trace]
  }

  get signal(): AbortSignal {
    return this.#lazy.signal
  }
}

class SessionCall implements SessionArgs {
  readonly session: readonly Trace[]
  readonly expectations: Readonly<Record<string, unknown>>
  readonly tags: Readonly<Record<string, string>>
  readonly #lazy: LazySignal

  constructor({ session, expectations, tags }: ScorableSession, lazy: LazySignal) {
    this.session = session
    this.expectations = expectations()
    this.tags = tags
    this.#lazy = lazy
  }

  get signal(): AbortSignal {
    return this.#lazy.signal
  }
}

/** A scorer's own name belongs to it on every row, whether it speaks there or not. */
function withoutCollisions(results: readonly Scored[], scorers: readonly Scorer[]): readonly Scored[] {
  if (results.every(({ scorer, feedback }) => feedback.length === 1 && feedback[0]?.name === scorer.name))
    return results
  const owner = new Map(scorers.map((scorer) => [scorer.name, scorer]))
  const used = new Set<string>()
  return results.map((result) => ({ ...result, feedback: distinct(result, owner, used) }))
}

/** One Feedback of a name: where several want it, one error under the scorer's own name stands for those that came too late. */
function distinct({ scorer, feedback }: Scored, owner: ReadonlyMap<string, Scorer>, used: Set<string>): Feedback[] {
  const kept = new Map<string, Feedback>()
  for (const item of feedback) {
    const taken = used.has(item.name) ? 'an earlier Feedback of this row' : foreign(owner.get(item.name), scorer)
    if (!taken) {
      used.add(item.name)
      kept.set(item.name, item)
      continue
    }
    if (kept.get(scorer.name)?.error) continue
    const message = `the name "${item.name}" already belongs to ${taken}`
    const own = item.name === scorer.name && item.error
    kept.set(scorer.name, own ? item : errorFeedback({ scorer: scorer.name }, 'NAME_COLLISION', message))
    used.add(scorer.name)
  }
  return [...kept.values()]
}

function foreign(owner: Scorer | undefined, scorer: Scorer): string | undefined {
  return owner && owner !== scorer ? `scorer "${owner.name}"` : undefined
}
