import { AGGREGATIONS } from './column.ts'
import type { Comparison } from './comparison.ts'
import { didYouMean, quote } from './errors.ts'
import type { Finding, FindingReason, GateSpec, Verdict } from './finding.ts'
import { parseFilter } from './grammar.ts'
import type { Sheet } from './sheet.ts'

/** A rule on a run. What it says depends on stored runs only, so that it says the same whenever it is asked. */
export interface Gate {
  /** Itself as data; a kind's factory makes the gate of it again. */
  readonly spec: GateSpec
  /** Whether it holds a run against another. */
  readonly compares: boolean
  check(evidence: Evidence): Finding
}

/** What a gate is given. */
export interface Evidence {
  readonly sheet: Sheet
  /** The run beside its baseline, where there is one. */
  readonly comparison?: Comparison | undefined
  /** In words, why there is none. */
  readonly without?: string | undefined
}

/** What may be said of one metric beside its bound. */
export interface GateOptions {
  /** @default 'higher' */
  readonly better?: 'higher' | 'lower'
  /** How often the gate may be wrong where the truth lies at its bound, 0 to 0.5. @default 0.04 */
  readonly alpha?: number
  /** The share of all rows, 0 to 1, that need a value. */
  readonly minScored?: number
  /** Compares the figure itself, without an allowance for chance. @default false */
  readonly exact?: boolean
  /** What becomes of the test when the gate cannot tell. @default 'warn' */
  readonly inconclusive?: 'warn' | 'fail'
}

/** The gates of one metric, `<column>/<aggregation>`, or `<column>` for its mean. */
export interface MetricGates extends GateOptions {
  /** The figure is at least this. */
  readonly floor?: number
  /**
   * With `floor` on verdicts: ends the run as soon as it is clear whether the rate is the floor or as low as this (Wald 1945), each mistaken for
   * the other once in twenty times. Rows then come in an order by chance; those that are not needed are not run, and that is said.
   */
  readonly early?: number
  /** The figure is at most this. */
  readonly ceiling?: number
  /** The figure is not worse than the baseline's by this much or more. */
  readonly margin?: number
  /** The figure is better than the baseline's; with a number, by more than that. */
  readonly improve?: true | number
  /** Every row passes; with a filter, every row that it finds. */
  readonly must?: true | string
}

/** Bounds on a whole run. */
export interface Budget {
  /** What the calls of models may cost in all, US dollars, as far as spans and judges state it. */
  readonly cost?: number
  /** The 95th percentile of predict, milliseconds. */
  readonly latencyP95Ms?: number
  /** The share of rows, 0 to 1, whose predict or any of whose scorers may fail. */
  readonly errorRate?: number
  /** The share of cells, 0 to 1, that may have no value. */
  readonly missingRate?: number
}

/**
 * Gates by metric, and a budget: `{ concise: { floor: 0.9 }, correct: { margin: 0.03 }, budget: { latencyP95Ms: 2000 } }`. A column that
 * is called "budget" is written "budget/mean".
 */
export type Gates = Readonly<Record<string, MetricGates | Budget>> | readonly Gate[]

/** What a kind of gate says; the rest of a finding follows from its gate. */
export interface Said extends Partial<Omit<Finding, 'gate' | 'verdict' | 'blocks' | 'message'>> {
  readonly verdict: Verdict
  readonly message: string
}

/** Makes a finding of what a gate says. A first run has nothing to be compared with, and blocks nothing. */
export function finding(gate: GateSpec, sheet: Sheet, said: Said): Finding {
  const { verdict, reason } = said
  const blocks =
    verdict === 'fail' || (verdict === 'inconclusive' && gate.inconclusive === 'fail' && reason !== 'FIRST_RUN')
  const { quarantined } = sheet
  return { rows: 0, of: sheet.rows.length, ...said, gate, blocks, ...(quarantined > 0 && { quarantined }) }
}

/** A metric as a run has it. */
export interface Metric {
  readonly column: string
  readonly aggregation: string
}

/** What is wrong before anything is counted. */
export interface Obstacle {
  readonly reason: FindingReason
  readonly message: string
  readonly rows?: number
}

/** Finds a metric in a run, or says what is wrong with it: a name that is nowhere must not pass for a success. */
export function metricOf({ run, columns }: Sheet, metric: string): Metric | Obstacle {
  const plain = columns.has(metric) ? { column: metric, aggregation: 'mean' } : undefined
  const slash = metric.lastIndexOf('/')
  const found = plain ?? { column: metric.slice(0, slash), aggregation: metric.slice(slash + 1) }
  const column = slash < 0 && !plain ? undefined : columns.get(found.column)
  const names = [...columns.keys()]
  if (!column) {
    const hint = didYouMean(slash < 0 ? metric : found.column, names) || listed('the columns are', names)
    return {
      reason: 'UNKNOWN_METRIC',
      message: `there is no column ${quote(plain ? metric : slash < 0 ? metric : found.column)}${hint}`,
    }
  }
  const known = run.columns.find(({ name }) => name === found.column)
  const aggregates = [...AGGREGATIONS, ...Object.keys(known?.aggregates ?? {})]
  if (!aggregates.includes(found.aggregation)) {
    const hint = didYouMean(found.aggregation, aggregates)
    return {
      reason: 'UNKNOWN_METRIC',
      message: `column ${quote(found.column)} has no ${quote(found.aggregation)}${hint}`,
    }
  }
  const scored = column.values.reduce((count, value) => count + (Number.isNaN(value) ? 0 : 1), 0)
  if (scored > 0) return found
  const why = column.given > 0 ? 'its values are neither verdicts nor numbers' : 'no row has a value'
  return { reason: 'NO_ROWS', message: `column ${quote(found.column)} cannot be gated: ${why}` }
}

function listed(words: string, names: readonly string[]): string {
  return names.length === 0 ? '' : ` (${words} ${names.slice(0, 10).map(quote).join(', ')})`
}

export function isObstacle(found: Metric | Obstacle): found is Obstacle {
  return 'reason' in found
}

/** Says that a gate rests on fewer rows than it asks for, if it does. */
export function tooFew({ minScored }: GateSpec, rows: number, of: number): Obstacle | undefined {
  if (minScored === undefined || rows >= Math.ceil(minScored * of - 1e-9)) return undefined
  const message = `it has a value on ${rows} of ${of} rows, and ${Math.ceil(minScored * of - 1e-9)} are asked for`
  return { reason: 'TOO_FEW_SCORED', message, rows }
}

const CHECKS: Readonly<Record<string, (value: unknown) => string | undefined>> = {
  better: (value) => (value === 'higher' || value === 'lower' ? undefined : "must be 'higher' or 'lower'"),
  alpha: (value) => (isNumber(value) && value > 0 && value <= 0.5 ? undefined : 'must be a number from 0 to 0.5'),
  minScored: (value) => (isNumber(value) && value >= 0 && value <= 1 ? undefined : 'must be a share from 0 to 1'),
  exact: (value) => (typeof value === 'boolean' ? undefined : 'must be true or false'),
  inconclusive: (value) => (value === 'warn' || value === 'fail' ? undefined : "must be 'warn' or 'fail'"),
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

/** The options that every gate of a metric takes. */
export const GATE_OPTIONS: readonly string[] = Object.keys(CHECKS)

/**
 * Makes the data of a gate, checked.
 * @throws TypeError, RangeError that name the gate and what was wanted
 */
export function toSpec(gate: Omit<GateSpec, keyof GateOptions>, options: GateOptions = {}): GateSpec {
  const { kind, metric, value, where, early } = gate
  const name = `${kind} of ${quote(metric)}`
  if (typeof metric !== 'string' || metric === '')
    throw new TypeError(`Cannot gate: a metric must be a name, found ${quote(metric)}`)
  if ('value' in gate && !isNumber(value))
    throw new RangeError(`Cannot gate: the ${name} must be a number, received ${quote(value)}`)
  if (kind !== 'floor' && kind !== 'ceiling' && value !== undefined && value < 0)
    throw new RangeError(`Cannot gate: the ${name} must be at least 0, received ${value}`)
  if (where !== undefined) {
    if (typeof where !== 'string')
      throw new TypeError(`Cannot gate: the ${name} needs true or a filter, received ${quote(where)}`)
    parseFilter(where)
  }
  if (early !== undefined && !(isNumber(early) && early > 0 && early < (value as number) && (value as number) < 1)) {
    throw new RangeError(
      `Cannot gate: "early" of the ${name} must lie between 0 and the floor, and that below 1, received ${quote(early)}`,
    )
  }
  for (const [key, one] of Object.entries(options)) {
    const check = CHECKS[key]
    if (!check)
      throw new TypeError(`Cannot gate: the ${name} has an unknown option "${key}"${didYouMean(key, GATE_OPTIONS)}`)
    const problem = one === undefined ? undefined : check(one)
    if (problem) throw new RangeError(`Cannot gate: "${key}" of the ${name} ${problem}, received ${quote(one)}`)
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, one]) => one !== undefined))
  return { ...gate, ...given }
}
