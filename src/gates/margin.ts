import { type Comparison, type Paired, pairsOf, refusal, toFindingRow } from '../comparison.ts'
import {
  detectableFall,
  type Estimate,
  estimateDifference,
  estimateFigure,
  exactly,
  figureOf,
  rowsToDecide,
} from '../estimate.ts'
import { DEFAULT_ALPHA, type Finding, type GateSpec, type Verdict } from '../finding.ts'
import {
  type Evidence,
  finding,
  type Gate,
  type GateOptions,
  isObstacle,
  type Metric,
  metricOf,
  tooFew,
  toSpec,
} from '../gate.ts'
import { mean } from '../std/stats.ts'
import { plural } from '../std/text.ts'
import { number, rested, signed } from './words.ts'

/**
 * A figure is not worse than the baseline's by `value` or more: passes when that is certain, fails when a fall is certain and one by the
 * margin is not ruled out (non-inferiority). Where nothing has changed it fails at most as often as `alpha`.
 */
export function margin(metric: string, value: number, options?: GateOptions): Gate {
  return against(toSpec({ kind: 'margin', metric, value }, options))
}

/** A figure is better than the baseline's by more than `value`: passes when that is certain, fails when it is ruled out (superiority). */
export function improve(metric: string, value: number = 0, options?: GateOptions): Gate {
  return against(toSpec({ kind: 'improve', metric, value }, options))
}

/** Makes a margin or an improvement of its data. */
export function against(spec: GateSpec): Gate {
  return { spec, compares: true, check: (evidence) => check(spec, evidence) }
}

const SHOWN = 20

function check(spec: GateSpec, { sheet, comparison, without }: Evidence): Finding {
  const metric = metricOf(sheet, spec.metric)
  if (isObstacle(metric)) return finding(spec, sheet, { verdict: 'fail', ...metric })
  const values = sheet.columns.get(metric.column)?.values ?? new Float64Array()
  const scored = values.filter((value) => !Number.isNaN(value)).length
  const few = tooFew(spec, scored, sheet.rows.length)
  if (few) return finding(spec, sheet, { verdict: 'fail', ...few, message: `${spec.metric}: ${few.message}` })
  if (!comparison) {
    const message = `${spec.metric} has no baseline: ${without ?? 'this is the first run'}`
    return finding(spec, sheet, { verdict: 'inconclusive', reason: 'FIRST_RUN', message, rows: scored })
  }
  const refused = comparison.before.columns.has(metric.column)
    ? refusal(comparison.before, sheet, metric.column)
    : 'the baseline has no such column'
  if (refused !== undefined) {
    const message = `${spec.metric} cannot be held against ${comparison.before.run.id}: ${refused}`
    return finding(spec, sheet, { verdict: 'inconclusive', reason: 'NOT_COMPARABLE', message, rows: 0 })
  }
  const pairs = pairsOf(comparison.before, sheet, metric.column)
  if (pairs.rows.length === 0) {
    const message = `${spec.metric} cannot be held against ${comparison.before.run.id}: no row has a value in both runs`
    return finding(spec, sheet, { verdict: 'inconclusive', reason: 'NOT_COMPARABLE', message })
  }
  return decide(spec, metric, pairs, comparison)
}

function decide(spec: GateSpec, metric: Metric, pairs: Paired, comparison: Comparison): Finding {
  const { alpha = DEFAULT_ALPHA, value: margin = 0, better = 'higher', kind } = spec
  const found = difference(metric, pairs, comparison, spec)
  const sign = better === 'higher' ? 1 : -1
  const { interval, method, n, value } = found
  const [low, high] = method === 'exact' ? [value, value] : interval ? [interval.low, interval.high] : [-1e300, 1e300]
  const [worst, best] = sign > 0 ? [low, high] : [-high, -low]
  const verdict =
    kind === 'margin' ? notWorse(worst, best, margin, method === 'exact') : surelyBetter(worst, best, margin)
  const needed =
    verdict === 'inconclusive' ? rowsToDecide(found, distance(kind, sign * value, margin), alpha) : undefined
  const detectable =
    kind === 'margin' && method !== 'exact'
      ? detectableFall({ ...found, value: sign * value }, margin, alpha)
      : undefined
  const fell = pairs.rows.filter((_, i) => sign * ((pairs.after[i] as number) - (pairs.before[i] as number)) < 0)
  const figure = figureOf(metric.aggregation) ?? mean
  const said = {
    verdict,
    figure: figure(pairs.after),
    baseline: figure(pairs.before),
    estimate: value,
    method,
    rows: n,
    ...(interval && { interval }),
    ...(!interval && method !== 'exact' && { reason: 'TOO_FEW_ROWS' as const }),
    ...(detectable !== undefined && { detectable }),
    ...(needed !== undefined && { needed }),
    ...(verdict !== 'pass' &&
      fell.length > 0 && { worst: fell.slice(0, SHOWN).map(toFindingRow), worstCount: fell.length }),
  }
  const { after } = comparison
  const unpaired = leftOut(comparison)
  const message = sentence(spec, { ...said, of: after.rows.length })
  return finding(spec, after, { ...said, message: unpaired ? `${message}; not compared: ${unpaired}` : message })
}

/** Says which rows the two data sets do not share: a question that is gone cannot fall. */
function leftOut({ onlyBefore, onlyAfter, changed }: Comparison): string {
  const parts = [
    [onlyBefore, 'only in the baseline'],
    [onlyAfter, 'new'],
    [changed, 'with other expectations'],
  ] as const
  return parts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${plural(count, 'row')} ${what}`)
    .join(', ')
}

/** A fall that may be chance fails nobody: it has to be certain, and one by the margin not ruled out. */
function notWorse(worst: number, best: number, margin: number, exact: boolean): Verdict {
  // Figures that are taken as they are may differ by the margin, give or take what a double loses.
  if (worst > -margin || (exact && worst >= -margin - 1e-9)) return 'pass'
  return best < 0 ? 'fail' : 'inconclusive'
}

function surelyBetter(worst: number, best: number, by: number): Verdict {
  if (worst > by) return 'pass'
  return best <= by ? 'fail' : 'inconclusive'
}

/** How far things stand from what would decide. */
function distance(kind: GateSpec['kind'], gain: number, margin: number): number {
  if (kind === 'improve') return Math.abs(gain - margin)
  return gain > -margin ? gain + margin : -gain
}

function difference(
  { aggregation, column }: Metric,
  pairs: Paired,
  { before, after }: Comparison,
  spec: GateSpec,
): Estimate {
  const { alpha = DEFAULT_ALPHA, exact } = spec
  const figure = aggregation === 'mean' ? mean : figureOf(aggregation)
  if (figure && !exact) {
    const options = { alpha, clusters: pairs.clusters }
    if (aggregation === 'mean') return estimateDifference(pairs.before, pairs.after, options)
    return estimateFigure(figure, pairs.after, pairs.before, options)
  }
  if (figure) return exactly(figure(pairs.after) - figure(pairs.before), pairs.rows.length)
  const [then, now] = [before, after].map(
    ({ run }) => run.columns.find(({ name }) => name === column)?.aggregates[aggregation],
  )
  return exactly((now ?? Number.NaN) - (then ?? Number.NaN), pairs.rows.length)
}

function sentence(spec: GateSpec, said: Partial<Finding> & { readonly of: number; readonly verdict: Verdict }): string {
  const { metric, kind, value: margin = 0, better = 'higher' } = spec
  const { estimate = 0, interval, figure = 0, baseline = 0, rows = 0, of, verdict, needed } = said
  const moved = `${number(figure)} after ${number(baseline)}, ${signed(estimate)}${interval ? `, between ${signed(interval.low)} and ${signed(interval.high)}` : ''}`
  const rests = rested(rows, of)
  const worse = better === 'higher' ? 'fall' : 'rise'
  const more = needed === undefined ? '' : `; about ${number(needed)} rows would decide`
  const by = margin > 0 ? ` by more than ${number(margin)}` : ''
  if (kind === 'improve') {
    if (verdict === 'pass') return `${metric} is better than the baseline${by}: ${moved} (${rests})`
    if (verdict === 'fail') return `${metric} is not better than the baseline${by}: ${moved} (${rests})`
    return `${metric} may or may not be better than the baseline${by}: ${moved} (${rests})${more}`
  }
  if (verdict === 'pass') return `${metric} does not ${worse} by ${number(margin)}: ${moved} (${rests})`
  if (verdict === 'fail')
    return `${metric} has become worse: ${moved}, and a ${worse} by ${number(margin)} is not ruled out (${rests})`
  return `${metric} may or may not ${worse} by ${number(margin)}: ${moved} (${rests})${more}`
}
