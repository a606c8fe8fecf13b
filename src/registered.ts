import { didYouMean, EvaluationError, quote } from './errors.ts'
import type { FeedbackInit } from './feedback.ts'
import { isJudge } from './judge.ts'
import { type ScorerStatus, withLifeCycle } from './lifecycle.ts'
import type { Registration } from './registration.ts'
import type { RegisteredScorer, Scorer, ScorerArgs, ScorerResult } from './scorer.ts'
import { isThenable } from './std/async.ts'
import type { Store } from './store.ts'
import { scorerVersion } from './version.ts'

/** A scorer with its registration. */

/** Where an instance stands in a store. */
export interface Place {
  readonly registration: Registration
  readonly store: Store
  /** The scorer as it was before it had its registered name. */
  readonly base: Scorer
}

const PLACE = Symbol.for('vitest-evaluate.registered')

/** Gives where a registered instance stands; undefined for scorers that are not registered. */
export function placeOf(scorer: object): Place | undefined {
  return (scorer as { [PLACE]?: Place })[PLACE]
}

/** Makes the instance of a registration. */
export function registered(
  base: Scorer,
  registration: Registration,
  store: Store,
  status: ScorerStatus = statusOf(registration),
): RegisteredScorer {
  const { name, version, experiment, sampleRate, filterString } = registration
  const named: Scorer = isJudge(base) ? base.with({ name }) : base
  const call = typeof named === 'function' ? (named as (args: object) => unknown) : named.score.bind(named)
  const made = (args: Partial<ScorerArgs>) => renamed(call((args ?? {}) as ScorerArgs), base.name, name)
  const own = Object.entries(Object.getOwnPropertyDescriptors(named)).filter(([, { enumerable }]) => enumerable)
  const { description, level, aggregations, timeoutMs } = named
  const known = {
    name,
    score: (args: ScorerArgs) => renamed(named.score(args), base.name, name),
    ...(description !== undefined && { description }),
    ...(level !== undefined && { level }),
    ...(aggregations !== undefined && { aggregations }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    // A judge says it anew each time: it depends on the model that would be asked now.
    ...(!isJudge(named) && { version: scorerVersion(named) }),
    sampleRate: status === 'DELETED' ? 0 : sampleRate,
    filterString,
    status,
    experiment,
    registeredVersion: version,
  }
  withLifeCycle(made)
  Object.defineProperties(made, Object.fromEntries(own.filter(([key]) => !Object.hasOwn(known, key))))
  for (const [key, value] of Object.entries(known)) Object.defineProperty(made, key, { value, enumerable: true })
  Object.defineProperty(made, PLACE, { value: { registration, store, base } satisfies Place })
  return Object.freeze(made) as unknown as RegisteredScorer
}

/** Stands for a scorer that cannot be made: it can be listed, started and stopped, and says what is wrong when it is to score. */
export function unavailable({ name, level, description }: Registration, fault: unknown): Scorer {
  const fail = () => {
    throw fault
  }
  const stub = { name, level, ...(description !== undefined && { description }), score: fail, requireReady: fail }
  return stub as unknown as Scorer
}

/** Whatever a scorer calls by its own name comes under the registered one. */
function renamed(result: unknown, from: string, to: string): ScorerResult | Promise<ScorerResult> {
  if (from === to) return result as ScorerResult
  if (isThenable(result)) return result.then((settled) => renamed(settled, from, to)) as Promise<ScorerResult>
  if (Array.isArray(result)) return result.map((one) => feedbackNamed(one, from, to))
  return feedbackNamed(result, from, to) as ScorerResult
}

function feedbackNamed(given: unknown, from: string, to: string): any {
  if (typeof given !== 'object' || given === null) return given
  const { name } = given as FeedbackInit
  if (name !== from && !(typeof name === 'string' && name.startsWith(`${from}/`))) return given
  return { ...given, name: `${to}${name.slice(from.length)}` }
}

function statusOf({ sampleRate, startedAt }: Registration): ScorerStatus {
  if (sampleRate > 0) return 'ACTIVE'
  return startedAt === undefined ? 'REGISTERED' : 'STOPPED'
}

/** Says that there is no such registered scorer, and which there are. */
export async function scorerNotFound(name: string, experiment: string, store: Store): Promise<EvaluationError> {
  const names = (await store.registrations({ experiment })).map((one) => one.name)
  const message = `Scheduled scorer ${quote(name)} not found in experiment ${quote(experiment)}${didYouMean(name, names)}`
  const hint =
    names.length > 0
      ? `registered are ${names.map(quote).join(', ')}`
      : 'none is registered there, scorer.register() does it'
  return new EvaluationError('SCORER_NOT_FOUND', message, { hint })
}
