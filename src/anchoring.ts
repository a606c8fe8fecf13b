import type { AnchorCheck, AnchorColumn } from './anchor.ts'
import { passValue } from './column.ts'
import { estimateDifference, estimateMean } from './estimate.ts'
import type { Registration } from './registration.ts'
import type { RunRecord } from './run.ts'
import { canonical } from './std/json.ts'
import { mean } from './std/stats.ts'
import type { Store } from './store.ts'

/** Anchors of registered scorers: an evaluation for each check, all of the same traces, and what two of them say together. */

/** Fewer traces show nothing. */
export const LEAST_ANCHORS = 10

/** Tags of the runs: the scorer, its registered version, and the set of traces. */
const SCORER_TAG = 'vitest-evaluate.anchors'
const VERSION_TAG = 'vitest-evaluate.anchorVersion'
const SET_TAG = 'vitest-evaluate.anchorSet'

/** A check is made now and then for years: it should hardly ever cry wolf. */
const ALPHA = 0.005
/** A judge does not always say the same of the same: of so large a share it may say something else. */
const FICKLE = 0.2

/** Gives the tags of a run that checks anchors. */
export function anchorTags(scorer: string, version: number, set: string): Readonly<Record<string, string>> {
  return { [SCORER_TAG]: scorer, [VERSION_TAG]: String(version), [SET_TAG]: set }
}

/** Gives the set that a run belongs to. */
export function anchorSet(run: RunRecord): string | undefined {
  return run.tags[SET_TAG]
}

/** Gives the name under which the checks of a scorer are evaluated. */
export function anchorName(scorer: string): string {
  return `anchors of ${scorer}`
}

/** Gives the runs that have checked a scorer by the anchors that it has now, the newest first. */
export async function anchorRuns(store: Store, experiment: string, scorer: string): Promise<RunRecord[]> {
  const runs = await store.listRuns({ experiment, name: anchorName(scorer) })
  const checks = runs.filter(({ status, tags }) => status === 'finished' && tags[SCORER_TAG] === scorer)
  const newest = checks[0] && anchorSet(checks[0])
  return checks.filter((run) => anchorSet(run) === newest)
}

/** Holds the newest check of a registered version against the first verdicts of the same judge; undefined where there was none. */
export async function readAnchorCheck(
  store: Store,
  { experiment, name, version }: Pick<Registration, 'experiment' | 'name' | 'version'>,
): Promise<AnchorCheck | undefined> {
  const runs = (await anchorRuns(store, experiment, name)).filter(({ tags }) => tags[VERSION_TAG] === String(version))
  const [now] = runs
  if (!now) return undefined
  // A check in which the model was away is no measure.
  const first = runs.findLast((run) => judgeOf(run) === judgeOf(now) && hasSpoken(run)) ?? now
  const columns = first === now ? [] : columnsOf(await wordsOf(store, first), await wordsOf(store, now))
  return {
    scorer: name,
    verdict: first === now ? 'first' : overall(columns),
    traces: now.totals.rows,
    runId: now.id,
    atMs: now.startedAt,
    firstRunId: first.id,
    firstMs: first.startedAt,
    columns,
    errors: now.totals.failed + now.columns.reduce((most, { errors }) => Math.max(most, errors), 0),
  }
}

/** Another version of the scorer, or another model, is another judge. */
function judgeOf({ scorers }: RunRecord): string {
  return canonical(scorers.map(({ name, version }) => [name, version]))
}

function hasSpoken({ columns, totals }: RunRecord): boolean {
  return columns.some(({ scored }) => scored >= LEAST_ANCHORS && scored >= totals.rows / 2)
}

type Words = ReadonlyMap<string, ReadonlyMap<string, unknown>>

/** Gives what the judge itself said of each row, by column. */
async function wordsOf(store: Store, { id }: RunRecord): Promise<Words> {
  const columns = new Map<string, Map<string, unknown>>()
  for await (const { trial, assessments } of store.search({ runId: id, includeSpans: false })) {
    for (const { kind, name, value, source, error, runId } of assessments) {
      if (!trial || kind !== 'feedback' || runId !== id || source.type === 'HUMAN' || error || value === undefined)
        continue
      const values = columns.get(name) ?? new Map<string, unknown>()
      columns.set(name, values.set(trial.rowId, value))
    }
  }
  return columns
}

function columnsOf(first: Words, now: Words): AnchorColumn[] {
  return [...now].flatMap(([name, values]) => {
    const known = first.get(name)
    const pairs = known
      ? [...values].filter(([row]) => known.has(row)).map(([row, value]) => [known.get(row), value])
      : []
    return pairs.length > 0 ? [columnOf(name, pairs as [unknown, unknown][])] : []
  })
}

function columnOf(name: string, pairs: readonly (readonly [unknown, unknown])[]): AnchorColumn {
  const n = pairs.length
  const other = Float64Array.from(pairs, ([before, after]) => Number(canonical(before) !== canonical(after)))
  const counted = { name, n, differ: other.reduce((sum, one) => sum + one, 0) }
  const [before, after] = [0, 1].map((i) => Float64Array.from(pairs, (pair) => numberOf(pair[i])))
  const countable = before && after && ![...before, ...after].some(Number.isNaN)
  const { value, interval } = countable ? estimateDifference(before, after, { alpha: ALPHA }) : {}
  const figures = countable && {
    before: mean(before),
    after: mean(after),
    ...(value !== undefined && { difference: { value, ...(interval && { interval }) } }),
  }
  if (n < LEAST_ANCHORS) return { ...counted, ...figures, verdict: 'unknown' }
  const hasMoved = interval !== undefined && (interval.low > 0 || interval.high < 0)
  const isOther = (estimateMean(other, { alpha: ALPHA }).interval?.low ?? 0) > FICKLE
  return { ...counted, ...figures, verdict: hasMoved || isOther ? 'changed' : 'same' }
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : (passValue(value) ?? Number.NaN)
}

function overall(columns: readonly AnchorColumn[]): AnchorCheck['verdict'] {
  if (columns.some(({ verdict }) => verdict === 'changed')) return 'changed'
  return columns.some(({ verdict }) => verdict === 'same') ? 'same' : 'unknown'
}
