import { passValue } from './column.ts'
import type { AssessmentError, Feedback } from './feedback.ts'
import { UsageMeter } from './meter.ts'
import type { Fold, RunRepeats, WorstRow } from './run.ts'
import { countable, fold } from './sheet.ts'
import type { Tally, TallyEntry } from './tally.ts'

interface Gathered {
  readonly failed: AssessmentError[]
  readonly scored: { readonly row: WorstRow; readonly entries: readonly TallyEntry[] }[]
}

/** Stands before a tally and folds the repeats of each row into one, so that three runs of 60 rows are counted as 60 rows. */
export class Folding {
  readonly #tally: Tally
  readonly #repeats: RunRepeats | undefined
  /** Rows some of whose repeats are still to come, by place. */
  readonly #open = new Map<number, Gathered>()

  constructor(tally: Tally, repeats: RunRepeats | undefined) {
    this.#tally = tally
    this.#repeats = repeats && repeats.times > 1 ? repeats : undefined
  }

  addFailed(index: number, error: AssessmentError): void {
    if (!this.#repeats) this.#tally.addFailed(index, error)
    else this.#gather(index, ({ failed }) => failed.push(error))
  }

  addScored(row: WorstRow, entries: readonly TallyEntry[]): void {
    if (!this.#repeats) this.#tally.addScored(row, entries)
    else this.#gather(row.index, ({ scored }) => scored.push({ row, entries }))
  }

  /** Counts the rows whose other repeats are not going to come. */
  end(): void {
    for (const index of [...this.#open.keys()]) this.#close(index)
  }

  #gather(index: number, add: (gathered: Gathered) => unknown): void {
    const gathered = this.#open.get(index) ?? { failed: [], scored: [] }
    this.#open.set(index, gathered)
    add(gathered)
    if (gathered.failed.length + gathered.scored.length >= (this.#repeats?.times ?? 1)) this.#close(index)
  }

  #close(index: number): void {
    const { failed, scored } = this.#open.get(index) as Gathered
    this.#open.delete(index)
    const [first] = scored
    if (!first) {
      this.#tally.addFailed(index, failed[0] as AssessmentError)
      return
    }
    if (failed.length > 0) this.#tally.addShaky(failed[0] as AssessmentError)
    const worst = scored.toSorted(
      (a, b) => failures(b.entries) - failures(a.entries) || (a.row.traceId < b.row.traceId ? -1 : 1),
    )
    const entries = first.entries.map(({ scorer }) =>
      this.#entry(
        scorer,
        scored.flatMap((one) => one.entries.find((entry) => entry.scorer === scorer) ?? []),
      ),
    )
    this.#tally.addScored((worst[0] as (typeof scored)[number]).row, entries)
  }

  /** What one scorer said of a row, over all of its repeats. Errors count where nothing else was said; what models were asked is paid each time. */
  #entry(scorer: string, entries: readonly TallyEntry[]): TallyEntry {
    const meter = new UsageMeter()
    for (const { usage } of entries) if (usage) meter.merge(usage)
    const usage = meter.totals && { usage: meter.totals }
    const spoke = entries.filter(({ failed }) => !failed)
    if (spoke.length === 0) return { ...(entries[0] as TallyEntry), ...usage }
    const names = [...new Set(spoke.flatMap(({ feedback }) => feedback.map(({ name }) => name)))]
    const all = spoke.flatMap(({ feedback }) => feedback)
    const feedback = names
      .map((name) =>
        folded(
          all.filter((one) => one.name === name),
          this.#how(name),
        ),
      )
      .filter((one) => one !== undefined)
    return { scorer, failed: false, feedback, ...usage }
  }

  #how(column: string): Fold {
    const how = this.#repeats?.fold
    return (typeof how === 'object' ? how[column] : how) ?? 'mean'
  }
}

/** How much went wrong in one repeat: the worst one stands for its row where rows are shown. */
function failures(entries: readonly TallyEntry[]): number {
  const all = entries.flatMap(({ feedback }) => feedback)
  return all.filter(({ value, error }) => error || passValue(value) === 0).length
}

type Said = TallyEntry['feedback'][number]

/** Folds verdicts and numbers by rule; of other values the most frequent stands for all, of equally frequent ones the first in the alphabet. */
function folded(all: readonly Said[], how: Fold): Said | undefined {
  const given = all.filter(({ value }) => value !== undefined)
  const [some] = given
  if (!some) return all.find(({ error }) => error) ?? all[0]
  const { name } = some
  const values = given.map(({ value }) => value)
  if (!values.every(countable)) return { name, value: mostFrequent(values) }
  const number = fold(values, how)
  if (Number.isNaN(number)) return undefined
  const verdict = how !== 'mean' && !how.startsWith('pass') && values.every((value) => typeof value !== 'number')
  return { name, value: verdict ? number === 1 : number }
}

function mostFrequent(values: readonly Feedback['value'][]): NonNullable<Feedback['value']> {
  const counts = new Map<string, { value: Feedback['value']; count: number }>()
  for (const value of values) {
    const key = JSON.stringify(value)
    const known = counts.get(key) ?? { value, count: 0 }
    known.count++
    counts.set(key, known)
  }
  const [best] = [...counts].sort(([a, one], [b, other]) => other.count - one.count || (a < b ? -1 : 1))
  return best?.[1].value as NonNullable<Feedback['value']>
}
