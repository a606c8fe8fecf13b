import { passValue } from '../column.ts'
import { quote } from '../errors.ts'
import type { Feedback, FeedbackInit, Primitive } from '../feedback.ts'
import type { Judge, JudgeArgs, JudgeErrorCode, JudgeOptions } from '../judge.ts'
import type { ModelChoice } from '../model.ts'
import { canonical } from '../std/json.ts'
import { mean } from '../std/stats.ts'
import { allOf, Misjudged } from './ask.ts'
import { makeKind } from './judging.ts'

/** What `panel()` takes. */
export interface PanelOptions extends Omit<JudgeOptions, 'model' | 'parameters'> {
  /** Who sits on the panel; a model that is named more than once answers anew each time. */
  readonly models: readonly ModelChoice[]
  /** `majority`: the verdict of most. `mean`: the mean of numbers, yes and no counting 1 and 0. @default 'majority' */
  readonly combine?: 'majority' | 'mean'
  /** The verdict where no other has most votes. Without it a tie is an error `TIE`, and the row has no value. */
  readonly tie?: Primitive
}

/**
 * Asks several models, or one several times, and combines their verdicts. Column as the judge's own.
 *
 * A member whose verdict is an error has no vote; where fewer than half of the members have one, the panel's verdict is the most frequent of
 * these errors. The metadata says how many voted for what, and how many `errors` there were; the rationale says who said what.
 *
 * @example
 * panel(Safety(), { models: ['openai:/gpt-4.1-mini', 'databricks:/databricks-gpt-oss-20b', 'openai:/gpt-4.1'] })
 * @throws TypeError for what is no judge of one verdict, for fewer than two models, and for options that do not fit
 */
export function panel(judge: Judge, options: PanelOptions): Judge {
  const where = 'Cannot make panel()'
  if (typeof judge?.with !== 'function' || typeof judge.score !== 'function')
    throw new TypeError(`${where}: expected a judge and options, found ${quote(judge)}`)
  const { models, combine = 'majority', tie, ...rest } = options ?? {}
  if (!Array.isArray(models) || models.length < 2)
    throw new TypeError(`${where}: "models" must be a list of two models at least, found ${quote(models)}`)
  if (combine !== 'majority' && combine !== 'mean')
    throw new TypeError(`${where}: "combine" must be "majority" or "mean", found ${quote(combine)}`)
  if (tie !== undefined && !['string', 'number', 'boolean'].includes(typeof tie))
    throw new TypeError(`${where}: "tie" must be a verdict, found ${quote(tie)}`)
  const members = models.map((model, i) => {
    const repeat = models.slice(0, i).filter((other) => other === model).length
    return judge.with({ model, ...(repeat > 0 && { repeat }) })
  })
  const { description, aggregations } = judge
  const own = { ...(description !== undefined && { description }), ...(aggregations && { aggregations }), ...rest }
  return makeKind<FeedbackInit>('panel', own, {
    name: judge.name,
    level: judge.level,
    digest: [combine, tie ?? null],
    own: { judge, models, combine, tie },
    members,
    asGiven: true,
    judge: async (args: JudgeArgs, asker) => {
      const given = { ...partsOf(args), ...(asker.signal && { signal: asker.signal }) }
      const said = await allOf(members.map((member) => member(given)))
      return { ...combined(said, combine, tie), source: { type: 'LLM_JUDGE', id: idsOf(said) } }
    },
  })
}

/** An evaluation hands its parts out by getters, which a spread would not see. */
function partsOf({ inputs, outputs, expectations, trace, session }: JudgeArgs): JudgeArgs {
  return {
    inputs,
    outputs,
    ...(expectations && { expectations }),
    ...(trace && { trace }),
    ...(session && { session }),
  }
}

function idsOf(said: readonly Feedback[]): string {
  return [...new Set(said.map(({ source }) => source.id))].join(', ')
}

/** Gives the verdict of many. @throws Misjudged where there is none */
export function combined(said: readonly Feedback[], combine: 'majority' | 'mean', tie?: Primitive): FeedbackInit {
  const votes = said.filter(({ error, value }) => !error && value !== undefined)
  const rationale = said.map((one) => `${one.source.id}: ${textOf(one)}`).join('\n')
  const errors = said.length - votes.length
  if (votes.length * 2 < said.length || votes.length === 0) {
    const [code = 'EMPTY'] = byCount(said.flatMap(({ error }) => (error ? [error.code] : [])))[0] ?? []
    throw new Misjudged(code as JudgeErrorCode, `${errors} of ${said.length} members gave no verdict:\n${rationale}`)
  }
  if (combine === 'mean') {
    const numbers = votes.map(({ value }) => (typeof value === 'number' ? value : passValue(value)))
    const odd = numbers.indexOf(undefined)
    if (odd >= 0) throw new Misjudged('SCHEMA_MISMATCH', `there is no mean of ${quote(votes[odd]?.value)}`)
    return { value: mean(numbers as number[]), rationale, metadata: { votes: votes.length, errors } }
  }
  const counts = byCount(votes.map(({ value }) => canonical(value)))
  const metadata = {
    ...Object.fromEntries(counts.map(([text, count]) => [`votes.${JSON.parse(text)}`, count])),
    errors,
  }
  const [first, second] = counts
  if (first && first[1] > (second?.[1] ?? 0)) return { value: JSON.parse(first[0]), rationale, metadata }
  if (tie === undefined) throw new Misjudged('TIE', `the panel is divided:\n${rationale}`)
  return { value: tie, rationale, metadata: { ...metadata, tie: true } }
}

function textOf({ value, error, rationale }: Feedback): string {
  return error ? `${error.code}, ${error.message}` : `${String(value)}${rationale ? `, ${rationale}` : ''}`
}

/** Most frequent first, then by text, so that the order of members decides nothing. */
function byCount(items: readonly string[]): [string, number][] {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
}
