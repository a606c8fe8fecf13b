import { didYouMean, quote } from '../errors.ts'
import type { Finding, GateSpec } from '../finding.ts'
import { type Budget, type Evidence, finding, type Gate, type GateOptions, toSpec } from '../gate.ts'
import type { Sheet } from '../sheet.ts'
import { quantile } from '../std/stats.ts'
import { number, rested } from './words.ts'

interface Spent {
  /** Undefined where nothing is known of it. */
  readonly value: number | undefined
  readonly rows: number
}

interface Post {
  readonly words: string
  readonly unit?: string
  readonly spent: (sheet: Sheet) => Spent
  /** What to do where nothing is known. */
  readonly unknown: string
}

const POSTS: Readonly<Record<keyof Budget, Post>> = {
  cost: {
    words: 'cost',
    spent: ({ cost, rows }) => ({ value: Number.isNaN(cost) ? undefined : cost, rows: rows.length }),
    unknown: 'calls of models, or some of them, do not say what they have cost',
  },
  latencyP95Ms: {
    words: '95th percentile of predict',
    unit: ' ms',
    spent: ({ latencies }) => ({
      value: latencies.length === 0 ? undefined : quantile(latencies.slice().sort(), 0.95),
      rows: latencies.length,
    }),
    unknown: 'predict was not called',
  },
  errorRate: {
    words: 'share of rows with an error',
    spent: ({ erred, rows }) => ({ value: rows.length === 0 ? undefined : erred / rows.length, rows: rows.length }),
    unknown: 'there are no rows',
  },
  missingRate: {
    words: 'share of missing values',
    spent: ({ run, rows }) => {
      const cells = run.columns.reduce((sum, column) => sum + column.rows, 0)
      const missing = run.columns.reduce((sum, column) => sum + column.missing, 0)
      return { value: cells === 0 ? undefined : missing / cells, rows: rows.length }
    },
    unknown: 'there are no values to be had',
  },
}

const POST_NAMES = Object.keys(POSTS) as (keyof Budget)[]

/**
 * Bounds on a run as a whole, compared as they stand: one gate for each.
 * @throws TypeError for a bound that there is not, RangeError for one that is no number
 */
export function budget(bounds: Budget, options?: Pick<GateOptions, 'inconclusive'>): Gate[] {
  if (typeof bounds !== 'object' || bounds === null) {
    throw new TypeError(`Cannot gate: a budget must be an object of bounds, found ${quote(bounds)}`)
  }
  return Object.entries(bounds)
    .filter(([, value]) => value !== undefined)
    .map(([metric, value]) => post(toSpec({ kind: 'budget', metric, value }, options)))
}

/** Makes one bound of a budget of its data. @throws TypeError */
export function post(spec: GateSpec): Gate {
  if (!POST_NAMES.includes(spec.metric as keyof Budget)) {
    const hint = didYouMean(spec.metric, POST_NAMES) || `; it has ${POST_NAMES.map(quote).join(', ')}`
    throw new TypeError(`Cannot gate: a budget has no ${quote(spec.metric)}${hint}`)
  }
  return { spec, compares: false, check: (evidence) => check(spec, evidence) }
}

function check(spec: GateSpec, { sheet }: Evidence): Finding {
  const { words, unit = '', spent, unknown } = POSTS[spec.metric as keyof Budget]
  const { value, rows } = spent(sheet)
  const { value: limit = 0 } = spec
  if (value === undefined) {
    const message = `the ${words} is not known: ${unknown}`
    return finding(spec, sheet, { verdict: 'inconclusive', reason: 'NOT_KNOWN', message })
  }
  const within = value <= limit
  const rests = rested(rows, sheet.rows.length)
  return finding(spec, sheet, {
    verdict: within ? 'pass' : 'fail',
    message: `the ${words} is ${number(value)}${unit}, ${within ? '' : 'wanted '}at most ${number(limit)}${unit} (${rests})`,
    figure: value,
    estimate: value,
    method: 'exact',
    rows,
  })
}
