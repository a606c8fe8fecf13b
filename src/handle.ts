import type { Column } from './column.ts'
import { metricsOf } from './column.ts'
import { didYouMean, EvaluationError, quote } from './errors.ts'
import type { toArrowTable } from './exporters/arrow.ts'
import { feedbackNames } from './filter.ts'
import { parseFilter } from './grammar.ts'
import { notFinal, type RunProblem, type RunRecord, type RunStatus, type RunTotals } from './run.ts'
import { dict } from './std/json.ts'
import type { Store } from './store.ts'
import { type RowResult, TraceSet, toRowResult } from './traceset.ts'

/** One evaluation and all that came of it; its rows stay in the store until they are asked for. */
export class Run {
  /** The whole record, as the store keeps it. */
  readonly record: RunRecord
  /** Aggregates by `<column>/<aggregation>`. */
  readonly metrics: Readonly<Record<string, number>>
  /** Columns by name. */
  readonly columns: Readonly<Record<string, Column>>
  /** Where its rows are. */
  readonly store: Store

  constructor(record: RunRecord, store: Store) {
    this.record = record
    this.store = store
    this.metrics = metricsOf(record.columns)
    const columns = dict<Column>()
    for (const column of record.columns) columns[column.name] = column
    this.columns = columns
  }

  get id(): string {
    return this.record.id
  }

  get name(): string {
    return this.record.name
  }

  get experiment(): string {
    return this.record.experiment
  }

  get status(): RunStatus {
    return this.record.status
  }

  get totals(): RunTotals {
    return this.record.totals
  }

  get problems(): readonly RunProblem[] {
    return this.record.problems
  }

  /** The run whose rows this one evaluated again. */
  get parentRunId(): string | undefined {
    return this.record.parentRunId
  }

  /** Says in words why the figures are not final, or gives undefined when they are. */
  get notFinal(): string | undefined {
    return notFinal(this.record)
  }

  /** Gives every row with its Feedback, in order, read from the store as it goes. */
  async *rows(): AsyncGenerator<RowResult> {
    for await (const stored of this.store.search({ runId: this.id })) yield toRowResult(stored)
  }

  /**
   * Gives the traces of this run that a filter finds, lazily; all of them without one.
   *
   * @example
   * const failures = run.search("feedback.correct = false AND tag.language = 'en'")
   * @throws EvaluationError FILTER_INVALID with the position of what is wrong, or for Feedback that this run has not
   */
  search(filter?: string): TraceSet {
    const parsed = filter === undefined ? undefined : parseFilter(filter)
    if (parsed && filter !== undefined) this.#requireColumns(feedbackNames(parsed), filter)
    const query = { runId: this.id, ...(parsed && { filter: parsed }) }
    return new TraceSet(async () => this.store, query)
  }

  /** A name that is nowhere in the run finds nothing, which looks like success: it is refused. */
  #requireColumns(names: readonly string[], filter: string): void {
    const known = [...Object.keys(this.columns), ...this.record.scorers.map(({ name }) => name)]
    const unknown = names.find((name) => !known.includes(name))
    if (unknown === undefined) return
    const message = `Cannot search ${this.id} by ${quote(filter)}: it has no Feedback ${quote(unknown)}${didYouMean(unknown, known)}`
    throw new EvaluationError('FILTER_INVALID', message, {
      hint: `its columns are ${Object.keys(this.columns).slice(0, 20).map(quote).join(', ')}`,
    })
  }

  /**
   * Gives the run as an Arrow table: one typed column per Feedback, and everything else about each row.
   * Holds the whole run in memory.
   */
  async table(): ReturnType<typeof toArrowTable> {
    const arrow = await import('./exporters/arrow.ts')
    return arrow.toArrowTable(await this.#snapshot())
  }

  /**
   * Writes the run to a file, by its ending: `.jsonl` and `.arrow` hold everything and can be opened again with `openRun`; `.csv` and
   * `.parquet` are flat tables.
   * @throws EvaluationError EXPORT_FAILED
   */
  async export(path: string): Promise<void> {
    const { exporterFor } = await import('./exporters/index.ts')
    await exporterFor(path).write(await this.#snapshot(), path)
  }

  /** Its rows are those of now: the record has to say the same. */
  async #snapshot() {
    const trials = () => this.store.search({ runId: this.id })
    const now = await this.store.getRun(this.id)
    if (now?.uncounted === undefined) return { record: this.record, trials }
    const { upToDate } = await import('./recount.ts')
    return { record: await upToDate(this.store, now), trials }
  }
}
