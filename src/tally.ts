import { type Aggregation, type Column, ColumnBuilder, passValue } from './column.ts'
import type { AssessmentError, Feedback } from './feedback.ts'
import { UsageMeter, type UsageTotals } from './meter.ts'
import type { FailureGroup, LatencySummary, RunProblem, RunTotals, WorstRow } from './run.ts'
import { dict } from './std/json.ts'
import { quantile } from './std/stats.ts'
import { plural } from './std/text.ts'

/** A scorer as far as columns depend on it. */
export interface TallyScorer {
  readonly name: string
  readonly level?: 'trace' | 'session' | undefined
  readonly aggregations?: readonly Aggregation[] | undefined
}

/** What a tally is told of one scorer's work on one row. */
export interface TallyEntry {
  readonly scorer: string
  readonly feedback: readonly Pick<Feedback, 'name' | 'value' | 'error'>[]
  /** True when the scorer as a whole failed: the error then stands in every column that is its own. */
  readonly failed: boolean
  /** What it asked models for. */
  readonly usage?: UsageTotals | undefined
}

/** How much of a run may be missing before the run itself fails. */
export interface Tolerance {
  /** How many rows may fail. */
  readonly allowFailed: number
  /** The share of rows, 0 to 1, on which every column has to have a value. */
  readonly minScored: number
}

const MAX_GROUPS = 10_000
const SHOWN_GROUPS = 20
const SHOWN_INDEXES = 5
const SHOWN_ROWS = 3
const MAX_PROBLEMS = 50

/** Counts a run while it happens, or again from its store. What comes out does not depend on the order of arrival. */
export class Tally {
  readonly #scorers: TallyScorer[]
  readonly #columns = new Map<string, { builder: ColumnBuilder; owners: Set<number> }>()
  readonly #scorerErrors: Map<string, number>[]
  readonly #usage: UsageMeter[]
  /** By scorer, rows on which it used a name that was taken. */
  readonly #collisions = new Map<string, number>()
  readonly #failedCodes = new Map<string, number>()
  readonly #failures = new Map<string, { code: string; message: string; count: number; indexes: number[] }>()
  readonly #worst: Ranked[] = []
  #latencies = new Float64Array(64)
  #latencyCount = 0
  /** Rows that failed in some of their repeats. */
  readonly #shakyCodes = new Map<string, number>()
  #ok = 0
  #failed = 0
  #sessions = 0
  #retries = 0
  readonly #reused = { predictions: 0, scores: 0 }
  #errors = 0

  constructor(scorers: readonly TallyScorer[]) {
    this.#scorers = [...scorers]
    this.#scorerErrors = scorers.map(() => new Map())
    this.#usage = scorers.map(() => new UsageMeter())
  }

  /** Adds one that shows only when its Feedback does: a name under which people have judged. */
  addScorer(scorer: TallyScorer): void {
    if (this.#scorers.some(({ name }) => name === scorer.name)) return
    this.#scorers.push(scorer)
    this.#scorerErrors.push(new Map())
    this.#usage.push(new UsageMeter())
  }

  get done(): number {
    return this.#ok + this.#failed
  }

  get failed(): number {
    return this.#failed
  }

  /** Cells whose scorer failed. */
  get errors(): number {
    return this.#errors
  }

  addFailed(index: number, { code, message }: AssessmentError): void {
    this.#failed++
    increment(this.#failedCodes, code)
    const own = `${code} ${message.replace(/\d+/g, '#')}`
    const full = this.#failures.size >= MAX_GROUPS && !this.#failures.has(own)
    const key = full ? code : own
    const group = this.#failures.get(key) ?? { code, message: full ? 'various' : message, count: 0, indexes: [] }
    group.count++
    group.indexes = [...group.indexes, index].sort((a, b) => a - b).slice(0, SHOWN_INDEXES)
    this.#failures.set(key, group)
  }

  /** Counts a row that failed in some of its repeats; what the others gave is counted as any row's. */
  addShaky({ code }: AssessmentError): void {
    increment(this.#shakyCodes, code)
  }

  addScored(row: WorstRow, entries: readonly TallyEntry[]): void {
    this.#ok++
    this.#count(row, entries)
  }

  /** @param first the row of the session's first trace */
  addSession(first: WorstRow, entries: readonly TallyEntry[]): void {
    this.#sessions++
    this.#count(first, entries)
  }

  #count(row: WorstRow, entries: readonly TallyEntry[]): void {
    this.#rank(row, entries)
    for (const entry of entries) {
      const owner = this.#scorers.findIndex(({ name }) => name === entry.scorer)
      if (entry.usage) this.#usage[owner]?.merge(entry.usage)
      for (const feedback of entry.feedback) {
        const { error } = feedback
        if (error) this.#errors++
        if (error?.code === 'NAME_COLLISION') increment(this.#collisions, entry.scorer)
        if (error && entry.failed) increment(this.#scorerErrors[owner] as Map<string, number>, error.code)
        else this.#column(feedback.name, owner).add(row.index, feedback)
      }
    }
  }

  /** Keeps the worst rows; ties go to the earlier row, so that the order of arrival does not matter. */
  #rank(row: WorstRow, entries: readonly TallyEntry[]): void {
    const ranked = { row, failed: 0, lacking: 0 }
    for (const { feedback } of entries) {
      for (const { value, error } of feedback) {
        if (error || passValue(value) === 0) ranked.failed++
        else if (typeof value === 'number' && value >= 0 && value < 1) ranked.lacking += 1 - value
      }
    }
    if (ranked.failed === 0 && ranked.lacking === 0) return
    const last = this.#worst[SHOWN_ROWS - 1]
    if (last && worstFirst(last, ranked) < 0) return
    this.#worst.push(ranked)
    this.#worst.sort(worstFirst)
    this.#worst.length = Math.min(this.#worst.length, SHOWN_ROWS)
  }

  get worst(): WorstRow[] {
    return this.#worst.map(({ row }) => row)
  }

  get failures(): FailureGroup[] {
    return [...this.#failures.values()]
      .sort((a, b) => b.count - a.count || (a.indexes[0] ?? 0) - (b.indexes[0] ?? 0))
      .slice(0, SHOWN_GROUPS)
  }

  /** @param scores how many scorers' Feedback was taken over with the answer */
  addReused(scores: number): void {
    this.#reused.predictions++
    this.#reused.scores += scores
  }

  addAttempts(attempts: number, latencyMs: number | undefined): void {
    this.#retries += Math.max(0, attempts - 1)
    if (latencyMs === undefined) return
    if (this.#latencyCount === this.#latencies.length) {
      const wider = new Float64Array(this.#latencies.length * 2)
      wider.set(this.#latencies)
      this.#latencies = wider
    }
    this.#latencies[this.#latencyCount++] = latencyMs
  }

  #column(name: string, owner: number): ColumnBuilder {
    let column = this.#columns.get(name)
    if (!column) {
      column = { builder: new ColumnBuilder(name, this.#scorers[owner]?.name ?? name), owners: new Set() }
      this.#columns.set(name, column)
    }
    column.owners.add(owner)
    return column.builder
  }

  totals(wallMs: number): RunTotals {
    const failedCodes = dict<number>()
    for (const code of [...this.#failedCodes.keys()].sort()) failedCodes[code] = this.#failedCodes.get(code) as number
    const predictLatencyMs = this.#latency()
    const all = new UsageMeter()
    for (const { totals } of this.#usage) if (totals) all.merge(totals)
    return {
      rows: this.done,
      failed: this.#failed,
      failedCodes,
      retries: this.#retries,
      wallMs,
      ...(predictLatencyMs && { predictLatencyMs }),
      ...(this.#reused.predictions > 0 && { reused: { ...this.#reused } }),
      ...(all.totals && { usage: all.totals }),
    }
  }

  #latency(): LatencySummary | undefined {
    if (this.#latencyCount === 0) return undefined
    const sorted = this.#latencies.slice(0, this.#latencyCount).sort()
    const at = (q: number): number => quantile(sorted, q)
    return { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max: at(1) }
  }

  /** Gives the columns in the order of the scorers, those of one scorer by name, and what is wrong with the run as a whole. */
  columns(tolerance: Tolerance): { columns: Column[]; problems: RunProblem[] } {
    const problems: RunProblem[] = []
    const columns = this.#scorers.flatMap((scorer, i) => this.#columnsOf(scorer, i, problems))
    const shaky = [...this.#shakyCodes.values()].reduce((a, b) => a + b, 0)
    if (this.#failed > tolerance.allowFailed) problems.push(this.#rowsFailed(tolerance))
    if (shaky > 0 && this.#failed + shaky > tolerance.allowFailed) problems.push(this.#rowsShaky(shaky))
    for (const column of columns) {
      const { name, level, rows, scored } = column
      const nowhere = level && rows === 0 && this.#ok > 0 && tolerance.minScored > 0
      if (scored >= Math.ceil(tolerance.minScored * rows - 1e-9) && !nowhere) continue
      const message = nowhere ? `column "${name}" has no value: no row has a session id` : incomplete(column)
      problems.push({ code: 'COLUMN_INCOMPLETE', message })
    }
    const rest = problems.length - MAX_PROBLEMS
    if (rest > 0) {
      const message = `${plural(rest, 'more problem')} of the same kind`
      problems.splice(MAX_PROBLEMS, rest, { code: 'COLUMN_INCOMPLETE', message })
    }
    return { columns, problems }
  }

  #columnsOf(scorer: TallyScorer, index: number, problems: RunProblem[]): Column[] {
    const errors = this.#scorerErrors[index] as Map<string, number>
    const collisions = this.#collisions.get(scorer.name)
    if (collisions !== undefined) {
      const message = `scorer "${scorer.name}" used a name that was taken, on ${plural(collisions, 'row')}`
      problems.push({ code: 'NAME_COLLISION', message })
    }
    const own = [...this.#columns.values()].filter(({ owners }) => Math.min(...owners) === index)
    for (const { builder, owners } of own) {
      if (owners.size === 1) continue
      const names = [...owners].sort((a, b) => a - b).map((owner) => `"${this.#scorers[owner]?.name}"`)
      problems.push({
        code: 'NAME_COLLISION',
        message: `column "${builder.name}" was written by ${names.join(' and ')}`,
      })
    }
    const builders = own.map(({ builder }) => builder).sort((a, b) => (a.name < b.name ? -1 : 1))
    // A scorer that never spoke still has its column: nothing may be silent.
    if (builders.length === 0) builders.push(new ColumnBuilder(scorer.name, scorer.name))
    const onProblem = (message: string) => problems.push({ code: 'AGGREGATION_FAILED', message })
    const bySession = scorer.level === 'session'
    const usage = this.#usage[index]?.totals
    const payer = builders.find(({ name }) => name === scorer.name) ?? builders[0]
    return builders.map((builder) => ({
      ...builder.build(bySession ? this.#sessions : this.#ok, errors, scorer.aggregations ?? ['mean'], onProblem),
      scorer: scorer.name,
      ...(bySession && { level: 'session' as const }),
      ...(usage && builder === payer && { usage }),
    }))
  }

  #rowsShaky(shaky: number): RunProblem {
    const codes = [...this.#shakyCodes].map(([code, count]) => `${count} × ${code}`).sort()
    const message = `${shaky} of ${this.done} rows failed in some of their repeats (${codes.join(', ')})`
    return { code: 'ROWS_FAILED', message }
  }

  #rowsFailed({ allowFailed }: Tolerance): RunProblem {
    const codes = [...this.#failedCodes].map(([code, count]) => `${count} × ${code}`).sort()
    const allowed = allowFailed > 0 ? `, ${allowFailed} allowed` : ''
    return {
      code: 'ROWS_FAILED',
      message: `${this.#failed} of ${this.done} rows failed (${codes.join(', ')}${allowed})`,
    }
  }
}

/** Says how much a column lacks. */
export function incomplete({ name, level, scored, rows, missing, errors }: Column): string {
  return `column "${name}" has a value on ${scored} of ${rows} ${level ?? 'row'}s (${missing} missing, ${plural(errors, 'error')})`
}

interface Ranked {
  readonly row: WorstRow
  /** Feedback that failed or went wrong. */
  failed: number
  /** What its scores between 0 and 1 lack; other numbers have no better or worse. */
  lacking: number
}

function worstFirst(a: Ranked, b: Ranked): number {
  return b.failed - a.failed || b.lacking - a.lacking || a.row.index - b.row.index
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
