import { toFindingRow } from '../comparison.ts'
import type { Finding, GateSpec } from '../finding.ts'
import { type Evidence, finding, type Gate, type GateOptions, isObstacle, metricOf, toSpec } from '../gate.ts'
import { plural } from '../std/text.ts'
import { number } from './words.ts'

/**
 * Every row passes, or every row that a filter finds; one without a value does not.
 * @param where such as `tag.critical = 'yes'`; all rows without it
 */
export function must(metric: string, where?: string, options?: Pick<GateOptions, 'inconclusive'>): Gate {
  return each(toSpec({ kind: 'must', metric, ...(where !== undefined && { where }) }, options))
}

/** Makes a gate of rows of its data. */
export function each(spec: GateSpec): Gate {
  return { spec, compares: false, check: (evidence) => check(spec, evidence) }
}

const SHOWN = 20

function check(spec: GateSpec, { sheet }: Evidence): Finding {
  const { where } = spec
  const metric = metricOf(sheet, spec.metric)
  if (isObstacle(metric)) return finding(spec, sheet, { verdict: 'fail', ...metric })
  const values = sheet.columns.get(metric.column)?.values ?? new Float64Array()
  const odd = values.find((value) => value < 0 || value > 1)
  if (odd !== undefined) {
    const message = `column "${metric.column}" cannot be asked of each row: it holds numbers such as ${number(odd)}, wanted verdicts`
    return finding(spec, sheet, { verdict: 'fail', reason: 'UNKNOWN_METRIC', message })
  }
  const places = where === undefined ? sheet.rows.keys() : (sheet.found.get(where) ?? [])
  const asked = Array.from(places)
  const found = where === undefined ? '' : ` that ${where} finds`
  if (asked.length === 0) {
    return finding(spec, sheet, {
      verdict: 'fail',
      reason: 'NO_ROWS',
      message: `${metric.column}: there is no row${found}`,
    })
  }
  const bad = asked.filter((place) => !((values[place] as number) >= 1))
  const none = bad.filter((place) => Number.isNaN(values[place])).length
  const rows = `${plural(asked.length, 'row')}${found}`
  const lacking = none > 0 ? ` (${none} of them without a value)` : ''
  return finding(spec, sheet, {
    verdict: bad.length === 0 ? 'pass' : 'fail',
    message:
      bad.length === 0
        ? `${metric.column} passes on all ${rows}`
        : `${metric.column} does not pass on ${bad.length} of ${rows}${lacking}`,
    rows: asked.length,
    figure: (asked.length - bad.length) / asked.length,
    method: 'exact',
    ...(bad.length > 0 && {
      worst: bad.slice(0, SHOWN).map((place) => toFindingRow(sheet.rows[place] as (typeof sheet.rows)[number])),
      worstCount: bad.length,
    }),
  })
}
