import type { AnchorCheck, AnchorColumn } from './anchor.ts'
import type { ColumnComparison } from './comparison.ts'
import { against } from './decide.ts'
import type { RunRecord } from './run.ts'
import { canonical } from './std/json.ts'
import type { Store } from './store.ts'
import { tabulate } from './tabulate.ts'

/** Anchors of registered scorers: an evaluation for each check, all of the same traces, and what two of them say together. */

/** Tags of the runs: the scorer, and the set of traces. */
const SCORER_TAG = 'vitest-evaluate.anchors'
const SET_TAG = 'vitest-evaluate.anchorSet'

/** A check is made now and then for years: it should hardly ever cry wolf. */
const ALPHA = 0.005

/** Gives the tags of a run that checks anchors. */
export function anchorTags(scorer: string, set: string): Readonly<Record<string, string>> {
  return { [SCORER_TAG]: scorer, [SET_TAG]: set }
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

/** Holds the newest check of a scorer against the first verdicts of the same judge; undefined where there was none. */
export async function readAnchorCheck(
  store: Store,
  experiment: string,
  scorer: string,
): Promise<AnchorCheck | undefined> {
  const runs = await anchorRuns(store, experiment, scorer)
  const [now] = runs
  if (!now) return undefined
  // A check in which the model was away is no measure.
  const first = runs.findLast((run) => judgeOf(run) === judgeOf(now) && hasSpoken(run)) ?? now
  const columns = first === now ? [] : await columnsOf(store, first, now)
  return {
    scorer,
    verdict: first === now ? 'first' : overall(columns),
    traces: now.totals.rows,
    runId: now.id,
    atMs: now.startedAt,
    firstRunId: first.id,
    firstMs: first.startedAt,
    columns,
    errors: now.columns.reduce((sum, { errors }) => Math.max(sum, errors), 0),
  }
}

/** Another version of the scorer, or another model, is another judge. */
function judgeOf({ scorers }: RunRecord): string {
  return canonical(scorers.map(({ name, version }) => [name, version]))
}

function hasSpoken({ columns }: RunRecord): boolean {
  return columns.some(({ scored }) => scored > 0)
}

async function columnsOf(store: Store, first: RunRecord, now: RunRecord): Promise<AnchorColumn[]> {
  const comparison = await against(await tabulate(store, now), { record: first, store }, ALPHA)
  const [then, today] = [await valuesOf(store, first), await valuesOf(store, now)]
  return comparison.columns.map((column) => {
    const before = then.get(column.name) ?? new Map<string, string>()
    const after = [...(today.get(column.name) ?? [])].filter(([row]) => before.has(row))
    return {
      ...figuresOf(column),
      n: after.length,
      differ: after.filter(([row, value]) => before.get(row) !== value).length,
    }
  })
}

function figuresOf({ name, before, after, difference, refused }: ColumnComparison): Omit<AnchorColumn, 'n' | 'differ'> {
  if (refused !== undefined || before === undefined || after === undefined || !difference?.interval)
    return { name, verdict: 'unknown' }
  const { value, interval } = difference
  const changed = interval.low > 0 || interval.high < 0
  return { name, before, after, difference: { value, interval }, verdict: changed ? 'changed' : 'same' }
}

/** Gives what was said of each row, by column, as text. */
async function valuesOf(store: Store, { id }: RunRecord): Promise<Map<string, Map<string, string>>> {
  const columns = new Map<string, Map<string, string>>()
  for await (const { trial, assessments } of store.search({ runId: id, includeSpans: false })) {
    for (const { kind, name, value, valid, error } of assessments) {
      if (!trial || kind !== 'feedback' || !valid || error || value === undefined) continue
      const values = columns.get(name) ?? new Map<string, string>()
      columns.set(name, values.set(trial.rowId, canonical(value)))
    }
  }
  return columns
}

function overall(columns: readonly AnchorColumn[]): AnchorCheck['verdict'] {
  if (columns.some(({ verdict }) => verdict === 'changed')) return 'changed'
  return columns.some(({ verdict }) => verdict === 'same') ? 'same' : 'unknown'
}
