import { clustersOf } from '../comparison.ts'
import {
  detectableShortfall,
  type Estimate,
  estimateFigure,
  estimateMean,
  exactly,
  figureOf,
  rowsToDecide,
} from '../estimate.ts'
import { DEFAULT_ALPHA, type Finding, type GateSpec } from '../finding.ts'
import {
  type Evidence,
  finding,
  type Gate,
  type GateOptions,
  isObstacle,
  type MetricGates,
  metricOf,
  type Said,
  tooFew,
  toSpec,
} from '../gate.ts'
import type { Sheet } from '../sheet.ts'
import { plural } from '../std/text.ts'
import { number, rested } from './words.ts'

/**
 * A figure is at least so much, with certainty: passes when the lower end of its interval reaches the bound, fails when the upper end does not.
 * A floor of 1 on verdicts asks every row to pass.
 */
export function floor(
  metric: string,
  value: number,
  options: Omit<GateOptions, 'better'> & Pick<MetricGates, 'early'> = {},
): Gate {
  const { early, ...rest } = options
  return bound(toSpec({ kind: 'floor', metric, value, ...(early !== undefined && { early }) }, rest))
}

/** A figure is at most so much, with certainty: `floor` upside down. */
export function ceiling(metric: string, value: number, options?: Omit<GateOptions, 'better'>): Gate {
  return bound(toSpec({ kind: 'ceiling', metric, value }, options))
}

/** Makes a floor or a ceiling of its data. */
export function bound(spec: GateSpec): Gate {
  return { spec, compares: false, check: (evidence) => check(spec, evidence) }
}

function check(spec: GateSpec, { sheet }: Evidence): Finding {
  const { alpha = DEFAULT_ALPHA, value: limit = 0 } = spec
  const metric = metricOf(sheet, spec.metric)
  if (isObstacle(metric)) return finding(spec, sheet, { verdict: 'fail', ...metric })
  const found = figure(sheet, metric, spec)
  const { n, value, interval, method } = found
  const few = tooFew(spec, n, sheet.rows.length)
  if (few)
    return finding(spec, sheet, { verdict: 'fail', ...few, message: `${spec.metric}: ${few.message}`, figure: value })
  const stopped = earlyVerdict(spec, metric.column, found, sheet)
  if (stopped) return finding(spec, sheet, stopped)
  const sign = spec.kind === 'floor' ? 1 : -1
  const exact = method === 'exact'
  const [low, high] = exact
    ? [value, value]
    : interval
      ? [interval.low, interval.high]
      : [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  const [worst, best] = sign > 0 ? [low, high] : [-high, -low]
  const verdict = worst >= sign * limit ? 'pass' : best < sign * limit ? 'fail' : 'inconclusive'
  const needed = verdict === 'inconclusive' ? rowsToDecide(found, Math.abs(value - limit), alpha) : undefined
  const detectable = exact ? undefined : detectableShortfall(found, sign > 0 ? limit : 1 - limit, alpha)
  return finding(spec, sheet, {
    verdict,
    message: sentence(spec, found, verdict, sheet, needed),
    figure: value,
    estimate: value,
    method,
    rows: n,
    ...(interval && { interval }),
    ...(verdict === 'inconclusive' && !interval && { reason: 'TOO_FEW_ROWS' as const }),
    ...(detectable !== undefined && { detectable }),
    ...(needed !== undefined && { needed }),
  })
}

/** What was decided when the run ended early; its interval would be that of a run whose length was fixed, and says too much. */
function earlyVerdict(
  { metric, early, value = 0 }: GateSpec,
  column: string,
  found: Estimate,
  { run, rows }: Sheet,
): Said | undefined {
  const decision = early === undefined ? undefined : run.early?.decisions[column]
  if (!run.early || !decision) return undefined
  const saved = `${plural(run.early.notRun, 'row')} not run`
  const rests = `${rested(found.n, rows.length)}, ${saved}`
  const message =
    decision === 'good'
      ? `${metric} is at least ${number(value)} rather than ${number(early as number)}: ${number(found.value)} (${rests})`
      : `${metric} is as low as ${number(early as number)}, wanted at least ${number(value)}: ${number(found.value)} (${rests})`
  return {
    verdict: decision === 'good' ? 'pass' : 'fail',
    message,
    figure: found.value,
    estimate: found.value,
    method: 'exact',
    rows: found.n,
  }
}

/** Gives a metric's figure with its interval, or as it is. */
function figure(
  sheet: Sheet,
  { column, aggregation }: { column: string; aggregation: string },
  spec: GateSpec,
): Estimate {
  const { alpha = DEFAULT_ALPHA } = spec
  const all = sheet.columns.get(column)?.values ?? new Float64Array()
  const rows = sheet.rows.filter((_, i) => !Number.isNaN(all[i]))
  const values = all.filter((value) => !Number.isNaN(value))
  const clusters = clustersOf(rows)
  if (aggregation === 'mean') {
    const found = estimateMean(values, { alpha, clusters })
    // At the end of the scale there is no room for chance: every row has to pass, and one that does not settles it.
    const end = (spec.kind === 'floor' ? 1 : 0) === spec.value && values.every((one) => one === 0 || one === 1)
    return spec.exact || end ? exactly(found.value, found.n) : found
  }
  const make = figureOf(aggregation)
  const stored = sheet.run.columns.find(({ name }) => name === column)?.aggregates[aggregation]
  if (make && !spec.exact) return estimateFigure(make, values, undefined, { alpha, clusters })
  return exactly(make?.(values) ?? stored ?? extreme(values, aggregation), values.length)
}

function extreme(values: Float64Array, aggregation: string): number {
  const pick = aggregation === 'min' ? Math.min : aggregation === 'max' ? Math.max : () => Number.NaN
  return values.reduce((a, b) => pick(a, b))
}

function sentence(
  spec: GateSpec,
  { value, interval, n, method }: Estimate,
  verdict: Finding['verdict'],
  sheet: Sheet,
  needed: number | undefined,
): string {
  const { metric, kind, value: limit = 0 } = spec
  const wanted = `${kind === 'floor' ? 'at least' : 'at most'} ${number(limit)}`
  const rests = rested(n, sheet.rows.length)
  const range = interval ? `, between ${number(interval.low)} and ${number(interval.high)}` : ''
  if (verdict === 'pass') return `${metric} is ${wanted}: ${number(value)}${range} (${rests})`
  if (verdict === 'fail') return `${metric} is ${number(value)}${range}, wanted ${wanted} (${rests})`
  const few =
    method !== 'exact' && !interval
      ? `; ${method === 'clustered' ? 'one cluster allows' : 'so few rows allow'} no interval`
      : ''
  const more = needed === undefined ? few : `; about ${number(needed)} rows would decide`
  return `${metric} may or may not be ${wanted}: ${number(value)}${range} (${rests})${more}`
}
