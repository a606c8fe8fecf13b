import { type FeedbackInit, feedback, type GivenFeedback } from '../feedback.ts'
import { setOrigin } from '../lifecycle.ts'
import { type Scorer, type ScorerArgs, scorer } from '../scorer.ts'
import { isThenable } from '../std/async.ts'
import { canonical, sha256 } from '../std/json.ts'
import type { ReadyOptions } from './options.ts'

/**
 * A scorer that is ready to use. It can also be called by itself with just the parts of a row that it reads:
 * `exactMatch()({ outputs: 'Paris', expectations: { expected_response: 'Paris' } })`.
 */
export interface ReadyScorer<Result extends MaybeAsync<GivenFeedback> = GivenFeedback> extends Scorer {
  (args: Partial<ScorerArgs>): Result
  readonly version: string
  score(args: Partial<ScorerArgs>): Result
}

type MaybeAsync<T> = T | Promise<T>

/** Why a ready scorer cannot judge a row. */
export type UnscoredCode =
  | 'OUTPUTS_MISSING'
  | 'OUTPUTS_NOT_TEXT'
  | 'EXPECTATION_MISSING'
  | 'EXPECTATION_INVALID'
  | 'TRACE_MISSING'
  | 'TRACE_UNTIMED'
  | 'SPAN_MISSING'
  | 'SCHEMA_INVALID'

/** Leaves a row without a value, for a reason that is counted by its code; `ready` turns it into an error Feedback. */
export class Unscored extends Error {
  override readonly name = 'Unscored'
  readonly code: UnscoredCode
  constructor(code: UnscoredCode, message: string) {
    super(message)
    this.code = code
  }
}

/** Gives the Feedback of a judgement: the word yes or no. */
export function verdict(pass: boolean, rationale?: string): FeedbackInit {
  return { value: pass ? 'yes' : 'no', ...(rationale !== undefined && { rationale }) }
}

/** To be raised whenever a ready scorer begins to judge equal rows differently: finished cells are then no longer reused. */
const REVISION = 1

/**
 * Makes the scorer of a factory. Its version is the explicit one, else a digest of the factory's name and its settings, defaults
 * included; name, description and aggregations do not change a judgement and stay out.
 * @throws TypeError for an unknown aggregation
 */
export function ready<Settings extends Named>(
  factory: string,
  settings: Settings,
  score: (args: ScorerArgs) => FeedbackInit,
): ReadyScorer
export function ready<Settings extends Named>(
  factory: string,
  settings: Settings,
  score: (args: ScorerArgs) => MaybeAsync<FeedbackInit>,
): ReadyScorer<MaybeAsync<GivenFeedback>>
export function ready(
  factory: string,
  settings: Named,
  score: (args: ScorerArgs) => MaybeAsync<FeedbackInit>,
): unknown {
  const { name, description, aggregations, version, ...rest } = settings
  const digest = version ?? sha256(canonical([factory, REVISION, describe(rest, new Map())])).slice(0, 16)
  const made = scorer(
    {
      name,
      ...(description !== undefined && { description }),
      ...(aggregations && { aggregations }),
      version: digest,
    },
    (args) => {
      try {
        const given = score(args)
        return isThenable(given) ? given.then(feedback, unscored) : feedback(given)
      } catch (thrown) {
        return unscored(thrown)
      }
    },
  )
  return setOrigin(made, { kind: 'scorer', factory, options: { ...settings }, digest })
}

interface Named extends ReadyOptions {
  readonly name: string
}

/** Gives the error Feedback of an `Unscored`; anything else is thrown on. */
function unscored(thrown: unknown): GivenFeedback {
  if (!(thrown instanceof Unscored)) throw thrown
  return feedback({ error: { code: thrown.code, message: thrown.message } })
}

/** Gives settings as plain data: functions by source text, patterns as written, schemas by what they are made of. */
function describe(value: unknown, seen: Map<unknown, number>): unknown {
  if (value instanceof RegExp) return { pattern: String(value) }
  if (typeof value === 'symbol') return String(value)
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return value
  const earlier = seen.get(value)
  if (earlier !== undefined) return { again: earlier }
  seen.set(value, seen.size)
  if (Array.isArray(value)) return value.map((item) => describe(item, seen))
  // A zod schema keeps what it is made of here, out of sight of Object.entries.
  const definition = (value as { _zod?: { def?: object } })._zod?.def
  const parts = Object.entries(definition ?? value).map(([key, part]) => [key, describe(part, seen)])
  return typeof value === 'function' ? { source: String(value), parts } : { parts }
}
