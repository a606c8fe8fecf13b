import { passValue } from './column.ts'
import { didYouMean, EvaluationError, quote } from './errors.ts'
import type { Assessment, Primitive } from './feedback.ts'
import { cohenKappa, type Kappa, krippendorffAlpha, type Share, shareOf } from './std/agreement.ts'
import type { Store, StoredTrace } from './store.ts'

/** How far a judge agrees with people. */

/** Agreement of one name's Feedback with what people said under the same name. */
export interface Agreement {
  readonly name: string
  /** Rows that have both a verdict of the judge and one of a person. */
  readonly pairs: number
  /** Rows with a verdict of the judge alone. */
  readonly unlabelled: number
  /** Rows with a person's verdict, and none of the judge: an error, or nothing. */
  readonly unscored: number
  /** The share of pairs that are equal, with Wilson's interval. */
  readonly accuracy: Share
  /** Cohen's κ with its interval. */
  readonly kappa: Kappa
  /** Krippendorff's α: by differences where all verdicts are numbers, else nominal; undefined without pairs. */
  readonly alpha: number | undefined
  /** The verdicts that there are; yes and no stand for whatever counts as passed and failed. */
  readonly labels: readonly string[]
  /** How often people said label i while the judge said label j. */
  readonly matrix: readonly (readonly number[])[]
  /** Verdicts of pass or fail: the share that the judge passed of what people passed. */
  readonly sensitivity?: Share
  /** Verdicts of pass or fail: the share that the judge failed of what people failed. */
  readonly specificity?: Share
}

/** A verdict of each side on one row; undefined where that side has none. */
export interface VerdictPair {
  readonly person: Primitive | undefined
  readonly judge: Primitive | undefined
}

/** Says how far verdicts agree. */
export function agreementOf(name: string, verdicts: Iterable<VerdictPair>): Agreement {
  const all = [...verdicts]
  const pairs = all.flatMap(({ person, judge }) =>
    person === undefined || judge === undefined ? [] : [{ person, judge }],
  )
  const binary = pairs.every(({ person, judge }) => passValue(person) !== undefined && passValue(judge) !== undefined)
  const word = (value: Primitive): string => (binary ? (passValue(value) === 1 ? 'yes' : 'no') : String(value))
  const said = pairs.map(({ person, judge }) => ({ person: word(person), judge: word(judge) }))
  const labels = binary ? ['yes', 'no'] : sorted(said.flatMap(({ person, judge }) => [person, judge]))
  const place = new Map(labels.map((label, i) => [label, i]))
  const matrix = labels.map(() => labels.map(() => 0))
  for (const { person, judge } of said) {
    const row = matrix[place.get(person) as number] as number[]
    row[place.get(judge) as number]! += 1
  }
  const numeric = pairs.every(({ person, judge }) => typeof person === 'number' && typeof judge === 'number')
  const units = numeric
    ? pairs.map(({ person, judge }) => [Number(person), Number(judge)])
    : said.map(({ person, judge }) => [place.get(person) as number, place.get(judge) as number])
  const count = (i: number, j: number): number => matrix[i]?.[j] ?? 0
  return {
    name,
    pairs: pairs.length,
    unlabelled: all.filter(({ person, judge }) => person === undefined && judge !== undefined).length,
    unscored: all.filter(({ person, judge }) => person !== undefined && judge === undefined).length,
    accuracy: shareOf(said.filter(({ person, judge }) => person === judge).length, said.length),
    kappa: cohenKappa(matrix),
    alpha: krippendorffAlpha(units, numeric ? 'interval' : 'nominal'),
    labels,
    matrix,
    ...(binary && {
      sensitivity: shareOf(count(0, 0), count(0, 0) + count(0, 1)),
      specificity: shareOf(count(1, 1), count(1, 0) + count(1, 1)),
    }),
  }
}

function sorted(words: readonly string[]): string[] {
  return [...new Set(words)].sort((a, b) => Number(a) - Number(b) || (a < b ? -1 : a > b ? 1 : 0))
}

/** A run, as far as agreement looks at it. */
export interface JudgedRun {
  readonly id: string
  readonly store: Store
  readonly columns: Readonly<Record<string, unknown>>
}

/**
 * Compares a run's Feedback of one name with what people said of the same rows: their own Feedback of that name on the rows' traces (the newest counts; it may
 * override the judge's), else the rows' expectation of that name.
 *
 * @throws EvaluationError FILTER_INVALID when the run has no such column
 */
export async function agreement(run: JudgedRun, name: string): Promise<Agreement> {
  const names = Object.keys(run.columns)
  if (!Object.hasOwn(run.columns, name)) {
    const message = `Cannot tell the agreement on ${quote(name)}: ${run.id} has no such column${didYouMean(name, names)}`
    throw new EvaluationError('FILTER_INVALID', message, {
      hint: `its columns are ${names.slice(0, 20).map(quote).join(', ')}`,
    })
  }
  const verdicts: VerdictPair[] = []
  for await (const row of run.store.search({ runId: run.id, includeSpans: false })) {
    // Inside a run only its own Feedback is seen; people's belongs to the trace.
    for await (const whole of run.store.search({ traceId: row.trace.id, includeSpans: false }))
      verdicts.push(pairOf(whole, run.id, name))
  }
  return agreementOf(name, verdicts)
}

function pairOf({ assessments }: StoredTrace, runId: string, name: string): VerdictPair {
  const named = assessments.filter((one) => one.name === name)
  const people = named.filter(({ kind, valid, source }) => kind === 'feedback' && valid && source.type === 'HUMAN')
  const expected = named.filter(({ kind, valid }) => kind === 'expectation' && valid)
  // What a person has overridden is not valid any more, and still what the judge said.
  const judged = named.filter(
    ({ kind, source, runId: id }) => kind === 'feedback' && source.type !== 'HUMAN' && id === runId,
  )
  return { person: valueOf(newest(people) ?? newest(expected)), judge: valueOf(newest(judged)) }
}

function newest(list: readonly Assessment[]): Assessment | undefined {
  return list.reduce<Assessment | undefined>(
    (last, one) => (last && last.createdAt > one.createdAt ? last : one),
    undefined,
  )
}

function valueOf(assessment: Assessment | undefined): Primitive | undefined {
  if (!assessment || assessment.error) return undefined
  const { value } = assessment
  return typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number' ? value : undefined
}
