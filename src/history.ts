import { type Column, ColumnBuilder, passValue } from './column.ts'
import { type DriftOptions, DriftWatch } from './drift.ts'
import type { JudgeSeries, QualityColumn, Score, Stretch } from './series.ts'
import { differenceInterval, Moments } from './std/moments.ts'

/** Gathers what was said over time, score by score, in the order of the requests. */

/** Windows of one length, side by side; the last one may be shorter. Counts in each of how many traces a scorer has spoken. */
export class Frame implements Stretch {
  readonly fromMs: number
  readonly toMs: number
  readonly windowMs: number
  readonly count: number
  readonly #spoken = new Map<string, Float64Array>()

  constructor({ fromMs, toMs }: Stretch, windowMs: number) {
    this.fromMs = fromMs
    this.toMs = toMs
    this.windowMs = windowMs
    this.count = Math.ceil((toMs - fromMs) / windowMs)
  }

  /** Gives the window that a time lies in, or undefined for none. */
  windowOf(timeMs: number): number | undefined {
    const window = Math.floor((timeMs - this.fromMs) / this.windowMs)
    return timeMs >= this.fromMs && timeMs < this.toMs ? window : undefined
  }

  stretchOf(window: number): Stretch {
    const fromMs = this.fromMs + window * this.windowMs
    return { fromMs, toMs: Math.min(this.toMs, fromMs + this.windowMs) }
  }

  /** Counts a trace of which a scorer has said anything. */
  speak({ scorer, requestTimeMs }: Pick<Score, 'scorer' | 'requestTimeMs'>): void {
    const window = this.windowOf(requestTimeMs)
    if (window === undefined) return
    let counts = this.#spoken.get(scorer)
    if (!counts) {
      counts = new Float64Array(this.count)
      this.#spoken.set(scorer, counts)
    }
    counts[window] = (counts[window] as number) + 1
  }

  spoken(scorer: string, window: number): number {
    return this.#spoken.get(scorer)?.[window] ?? 0
  }
}

/** What values are held against: the earliest so many of them, those of a stretch of time, or values from elsewhere. */
export type ReferenceValues =
  | { readonly kind: 'first'; readonly n: number }
  | ({ readonly kind: 'stretch' } & Stretch)
  | { readonly kind: 'given'; readonly values: readonly unknown[] }

/** One name of one scorer. */
export class ColumnHistory {
  readonly scorer: string
  readonly name: string
  readonly #frame: Frame
  readonly #options: DriftOptions
  readonly #reference: ReferenceValues
  readonly #whole: ColumnBuilder
  readonly #windows: (ColumnBuilder | undefined)[] = []
  readonly #series = new Map<string, Series>()
  /** The one that the value before this one belonged to. */
  #latest: Series | undefined
  #place = 0
  #corrected = 0
  #lastMs: number | undefined

  constructor(
    { scorer, name }: Pick<Score, 'scorer' | 'name'>,
    frame: Frame,
    options: DriftOptions,
    reference: ReferenceValues,
  ) {
    this.scorer = scorer
    this.name = name
    this.#frame = frame
    this.#options = options
    this.#reference = reference
    this.#whole = new ColumnBuilder(name, scorer)
  }

  add(score: Score): void {
    const { requestTimeMs, isCorrected } = score
    const window = this.#frame.windowOf(requestTimeMs)
    if (window !== undefined) {
      this.#windows[window] ??= new ColumnBuilder(this.name, this.scorer)
      this.#windows[window].add(this.#place, score as Parameters<ColumnBuilder['add']>[1])
      this.#whole.add(this.#place++, score as Parameters<ColumnBuilder['add']>[1])
      if (isCorrected) this.#corrected++
      this.#lastMs = requestTimeMs
    }
    if (score.value === undefined || score.error) return
    this.#seriesOf(score).add(score, window !== undefined)
  }

  #seriesOf(score: Score): Series {
    const { version, source } = score
    if (this.#latest?.is(score)) return this.#latest
    const key = JSON.stringify([version, source.type, source.id])
    let series = this.#series.get(key)
    if (!series) {
      series = new Series(score, this.#reference, this.#options)
      this.#series.set(key, series)
    }
    this.#latest = series
    return series
  }

  build(): QualityColumn {
    const windows = Array.from({ length: this.#frame.count }, (_, window) => ({
      ...this.#frame.stretchOf(window),
      column: built(
        this.#windows[window] ?? new ColumnBuilder(this.name, this.scorer),
        this.#frame.spoken(this.scorer, window),
      ),
    }))
    const rows = windows.reduce((sum, { column }) => sum + column.rows, 0)
    // Today's judge is that of the highest version; of one version, whoever judged last.
    const judges = [...this.#series.values()].sort((a, b) => (a.version ?? 0) - (b.version ?? 0) || a.lastMs - b.lastMs)
    const today = judges.at(-1) ?? new Series(undefined, this.#reference, this.#options)
    const change = today.change()
    return {
      scorer: this.scorer,
      name: this.name,
      column: built(this.#whole, rows),
      windows,
      corrected: this.#corrected,
      ...(change && { change }),
      judges: judges.map((series) => series.record()),
      drift: today.drift(),
      ...(this.#lastMs !== undefined && { lagMs: this.#frame.toMs - this.#lastMs }),
    }
  }
}

/** The values of one judge. */
class Series {
  readonly version: number | undefined
  readonly source: Score['source']
  readonly #reference: ReferenceValues
  readonly #watch: DriftWatch
  readonly #all = new Moments()
  readonly #before = new Moments()
  readonly #after = new Moments()
  #n = 0
  #firstMs = 0
  lastMs = 0

  constructor(score: Score | undefined, reference: ReferenceValues, options: DriftOptions) {
    this.version = score?.version
    this.source = score?.source ?? { type: 'CODE', id: '' }
    this.#firstMs = score?.requestTimeMs ?? 0
    this.#reference = reference
    this.#watch = new DriftWatch(reference.kind === 'first' ? reference.n : undefined, options)
    if (reference.kind !== 'given') return
    for (const value of reference.values) this.#refer({ value, timeMs: Number.NaN })
    this.#watch.settle()
  }

  is({ version, source }: Score): boolean {
    return version === this.version && source.type === this.source.type && source.id === this.source.id
  }

  add({ value, requestTimeMs, traceId }: Score, isShown: boolean): void {
    this.#n++
    this.lastMs = requestTimeMs
    const number = numberOf(value)
    if (number !== undefined) this.#all.add(number)
    if (this.#belongs(requestTimeMs)) {
      this.#refer({ value, timeMs: requestTimeMs })
      if (this.#reference.kind === 'first' && this.#watch.referenceSize === this.#reference.n) this.#watch.settle()
      return
    }
    if (this.#reference.kind === 'stretch' && requestTimeMs < this.#reference.fromMs) return
    if (!this.#watch.isSettled) this.#watch.settle()
    this.#watch.add({ value, timeMs: requestTimeMs, traceId })
    if (isShown && number !== undefined) this.#after.add(number)
  }

  #belongs(timeMs: number): boolean {
    if (this.#reference.kind === 'stretch') return timeMs >= this.#reference.fromMs && timeMs < this.#reference.toMs
    return !this.#watch.isSettled
  }

  #refer(given: { readonly value: unknown; readonly timeMs: number }): void {
    const number = numberOf(given.value)
    if (this.#watch.refer(given) && number !== undefined) this.#before.add(number)
  }

  change(): QualityColumn['change'] {
    // Of words there is no mean to be compared.
    if (!this.#watch.isSettled || this.#watch.referenceMean === undefined || this.#after.n === 0) return undefined
    const interval = differenceInterval(this.#after, this.#before)
    return { value: this.#after.mean - this.#before.mean, ...(interval && { interval }), n: this.#after.n }
  }

  drift(): QualityColumn['drift'] {
    if (this.#reference.kind === 'stretch' && !this.#watch.isSettled) this.#watch.settle()
    return this.#watch.result()
  }

  record(): JudgeSeries {
    const hasMean = this.#all.n === this.#n && this.#n > 0
    return {
      ...(this.version !== undefined && { version: this.version }),
      source: this.source,
      n: this.#n,
      ...(hasMean && { mean: this.#all.mean }),
      firstMs: this.#firstMs,
      lastMs: this.lastMs,
    }
  }
}

function built(builder: ColumnBuilder, rows: number): Column {
  return builder.build(rows, new Map(), ['mean'], () => {})
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : passValue(value)
}
