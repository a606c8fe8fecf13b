import { type Estimate, estimateDifference } from './estimate.ts'
import { DEFAULT_ALPHA, type FindingRow } from './finding.ts'
import { foldOf, type Sheet, type SheetRow } from './sheet.ts'

/** Two runs of the same rows, side by side: paired by row id, so that order and number of rows do not matter. */

/** How one column differs between two runs. */
export interface ColumnComparison {
  readonly name: string
  /** Rows with a value in both runs, and the same ground truth. */
  readonly paired: number
  /** Means over those rows. */
  readonly before?: number
  readonly after?: number
  /** After minus before; missing where nothing is paired. */
  readonly difference?: Estimate
  /** Why the two cannot be held against each other; there are figures all the same. */
  readonly refused?: string
  /** Rows whose verdict went from passed to failed, and the other way. */
  readonly fell: readonly FindingRow[]
  readonly rose: readonly FindingRow[]
}

export interface Comparison {
  readonly before: Sheet
  readonly after: Sheet
  readonly paired: number
  readonly onlyBefore: number
  readonly onlyAfter: number
  /** Paired rows whose ground truth is another now; no column compares them. */
  readonly changed: number
  /** What stands in both runs, in the order of the second. */
  readonly columns: readonly ColumnComparison[]
  /** Columns of one run only. */
  readonly gone: readonly string[]
  readonly added: readonly string[]
}

/** The values of a column on the rows that both runs have. */
export interface Paired {
  readonly before: Float64Array
  readonly after: Float64Array
  readonly rows: readonly SheetRow[]
  readonly clusters?: readonly string[]
}

/** Below this share of rows in both runs it is another data set. */
const MIN_PAIRED = 0.5

/** Compares two runs column by column. @param alpha of each end of an interval */
export function compare(before: Sheet, after: Sheet, alpha: number = DEFAULT_ALPHA): Comparison {
  const places = placesOf(before)
  let [paired, changed] = [0, 0]
  for (const row of after.rows) {
    const place = places.get(row.rowId)
    if (place === undefined) continue
    paired++
    if (before.rows[place]?.truth !== row.truth) changed++
  }
  const names = [...after.columns.keys()]
  return {
    before,
    after,
    paired,
    onlyBefore: before.rows.length - paired,
    onlyAfter: after.rows.length - paired,
    changed,
    columns: names.filter((name) => before.columns.has(name)).map((name) => columnOf(before, after, name, alpha)),
    gone: [...before.columns.keys()].filter((name) => !after.columns.has(name)),
    added: names.filter((name) => !before.columns.has(name)),
  }
}

function columnOf(before: Sheet, after: Sheet, name: string, alpha: number): ColumnComparison {
  const pairs = pairsOf(before, after, name)
  const refused = refusal(before, after, name)
  const flipped = (from: number, to: number): FindingRow[] =>
    pairs.rows.filter((_, i) => pairs.before[i] === from && pairs.after[i] === to).map(toFindingRow)
  const paired = pairs.rows.length
  const verdicts = [pairs.before, pairs.after].every((values) => values.every((value) => value === 0 || value === 1))
  return {
    name,
    paired,
    ...(paired > 0 && {
      before: meanOf(pairs.before),
      after: meanOf(pairs.after),
      difference: estimateDifference(pairs.before, pairs.after, {
        alpha,
        clusters: pairs.clusters,
      }),
    }),
    ...(refused !== undefined && { refused }),
    fell: verdicts ? flipped(1, 0) : [],
    rose: verdicts ? flipped(0, 1) : [],
  }
}

/** Gives a column's values on the rows that both runs have, with the same ground truth. */
export function pairsOf(before: Sheet, after: Sheet, name: string): Paired {
  const places = placesOf(before)
  const [from, to] = [before.columns.get(name)?.values, after.columns.get(name)?.values]
  const [first, second]: [number[], number[]] = [[], []]
  const rows: SheetRow[] = []
  for (const [i, row] of after.rows.entries()) {
    const place = places.get(row.rowId)
    if (place === undefined || before.rows[place]?.truth !== row.truth) continue
    const [a, b] = [from?.[place] ?? Number.NaN, to?.[i] ?? Number.NaN]
    if (Number.isNaN(a) || Number.isNaN(b)) continue
    first.push(a)
    second.push(b)
    rows.push(row)
  }
  const clusters = clustersOf(rows)
  return {
    before: Float64Array.from(first),
    after: Float64Array.from(second),
    rows,
    ...(clusters && { clusters }),
  }
}

/** Gives the cluster of each row where any has one; rows without one stand alone. */
export function clustersOf(rows: readonly SheetRow[]): string[] | undefined {
  if (!rows.some(({ cluster }) => cluster !== undefined)) return undefined
  return rows.map(({ cluster, rowId }) => (cluster === undefined ? `row ${rowId}` : `cluster ${cluster}`))
}

/** Says why a column of two runs cannot be compared: what judged, or what was judged, is not the same. */
export function refusal(before: Sheet, after: Sheet, name: string): string | undefined {
  const scorer = (sheet: Sheet) => {
    const owner = sheet.run.columns.find((column) => column.name === name)?.scorer ?? name
    return sheet.run.scorers.find((one) => one.name === owner)
  }
  const [then, now] = [scorer(before), scorer(after)]
  if (then && now && then.version !== now.version) return `scorer "${now.name}" has changed`
  const [judged, judges] = [before, after].map((sheet) =>
    [...(sheet.columns.get(name)?.sources ?? [])].sort().join(', '),
  )
  if (judged && judges && judged !== judges) return `it was judged by ${judged} and is by ${judges}`
  const [folded, folds] = [foldOf(before.run, name), foldOf(after.run, name)]
  const [times, time] = [before.run.repeats?.times ?? 1, after.run.repeats?.times ?? 1]
  if (folded !== folds || (folds !== 'mean' && times !== time))
    return `its repeats were folded by ${folded} of ${times} and are by ${folds} of ${time}`
  const places = placesOf(before)
  const paired = after.rows.filter(({ rowId }) => places.has(rowId)).length
  const most = Math.max(before.rows.length, after.rows.length)
  if (paired < MIN_PAIRED * most) return `the data set has changed: ${paired} of ${most} rows are in both runs`
  return undefined
}

const known = new WeakMap<Sheet, ReadonlyMap<string, number>>()

function placesOf(sheet: Sheet): ReadonlyMap<string, number> {
  let places = known.get(sheet)
  if (!places) {
    places = new Map(sheet.rows.map(({ rowId }, place) => [rowId, place]))
    known.set(sheet, places)
  }
  return places
}

function meanOf(values: Float64Array): number {
  return values.reduce((a, b) => a + b, 0) / values.length
}

/** Gives what a finding says of a row. */
export function toFindingRow({ rowId, traceId, index }: SheetRow): FindingRow {
  return { rowId, traceId, index }
}
