import { errorFeedback, type Feedback, toFeedback } from './feedback.ts'
import type { Scorer, ScorerArgs } from './scorer.ts'
import { DeadlineError, isThenable, LazySignal, monotonicMs } from './std/async.ts'
import type { Watch } from './std/watch.ts'
import type { Trace } from './trace.ts'

/** What a row offers its scorers. The trace is made when the first of them looks at it. */
export interface Scorable {
  readonly inputs: unknown
  readonly outputs: unknown
  readonly expectations: Readonly<Record<string, unknown>>
  readonly tags: Readonly<Record<string, string>>
  readonly trace: () => Trace
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
}

/**
 * Scores one row with every scorer, all at once, and gives their results in the order of the list.
 *
 * A scorer that throws or hangs does not disturb its neighbours: its failure becomes a Feedback with an error. So does a name that an
 * earlier scorer of the list has already used on this row.
 */
export async function scoreRow(
  scorers: readonly Scorer[],
  row: Scorable,
  options: ScoreOptions,
): Promise<readonly Scored[]> {
  const pending = scorers.map((scorer) => scoreOne(scorer, row, options))
  const results = pending.some(isThenable) ? await Promise.all(pending) : (pending as Scored[])
  return withoutCollisions(results, scorers)
}

function scoreOne(scorer: Scorer, row: Scorable, options: ScoreOptions): Scored | Promise<Scored> {
  const lazy = new LazySignal()
  const started = monotonicMs()
  const origin = { scorer: scorer.name }
  const settle = (returned: unknown): Scored => {
    const feedback = toFeedback(returned, origin)
    const failed = feedback.length === 1 && feedback[0]?.error?.code === 'SCORER_RETURN'
    return { scorer, feedback, failed, durationMs: monotonicMs() - started }
  }
  const fail = (thrown: unknown): Scored => {
    const code = thrown instanceof DeadlineError ? 'SCORER_TIMEOUT' : 'SCORER_THREW'
    return {
      scorer,
      feedback: [errorFeedback(origin, code, thrown)],
      failed: true,
      durationMs: monotonicMs() - started,
    }
  }
  try {
    const returned = scorer.score(argsOf(row, lazy))
    if (!isThenable(returned)) return settle(returned)
    return options.watch.run(returned, scorer.timeoutMs ?? options.timeoutMs, lazy).then(settle, fail)
  } catch (thrown) {
    return fail(thrown)
  }
}

function argsOf(row: Scorable, lazy: LazySignal): ScorerArgs {
  const { inputs, outputs, expectations, tags } = row
  return {
    inputs,
    outputs,
    expectations,
    tags,
    get trace() {
      return row.trace()
    },
    get signal() {
      return lazy.signal
    },
  }
}

/** A scorer's own name belongs to it on every row, whether it speaks there or not. */
function withoutCollisions(results: readonly Scored[], scorers: readonly Scorer[]): readonly Scored[] {
  if (results.every(({ scorer, feedback }) => feedback.length === 1 && feedback[0]?.name === scorer.name))
    return results
  const owner = new Map(scorers.map((scorer) => [scorer.name, scorer]))
  const used = new Set<string>()
  return results.map((result) => {
    const feedback = result.feedback.map((item) => {
      const taken = used.has(item.name)
        ? `an earlier Feedback of this row`
        : foreign(owner.get(item.name), result.scorer)
      used.add(item.name)
      if (!taken) return item
      const message = `the name "${item.name}" already belongs to ${taken}`
      return errorFeedback({ scorer: result.scorer.name }, 'NAME_COLLISION', message)
    })
    return { ...result, feedback }
  })
}

function foreign(owner: Scorer | undefined, scorer: Scorer): string | undefined {
  return owner && owner !== scorer ? `scorer "${owner.name}"` : undefined
}
