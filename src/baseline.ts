import type { BaselineNote } from './finding.ts'
import type { RunRecord } from './run.ts'
import { ancestors, mainBranch, mergeBase, type TreeState, treeState } from './std/git.ts'
import type { Store } from './store.ts'

/** Where baselines are looked for. */
export interface Place {
  /** The folder whose repository is asked. */
  readonly folder: string
  /** The branch that the change goes into. @default the remote's main one */
  readonly target?: string | undefined
  /** The commit that the change is based on, where CI says so: a shallow checkout does not know. */
  readonly base?: string | undefined
}

/** A run to compare with, and how it was come by. */
export interface Found {
  readonly run?: RunRecord
  readonly note: BaselineNote
}

/** Which evaluation a baseline is wanted for. */
export type Wanted = Pick<RunRecord, 'name' | 'experiment' | 'test' | 'id'>

/**
 * Finds the run that a change is held against: of the commit where its branch parted, else of the nearest commit before that, else the newest
 * of the target branch. Only whole runs of committed code count.
 */
export async function findBaseline(store: Store, wanted: Wanted, place: Place): Promise<Found> {
  const runs = (await store.listRuns({ name: wanted.name, experiment: wanted.experiment })).filter(
    (run) => run.id !== wanted.id && run.test?.file === wanted.test?.file && isWhole(run),
  )
  if (runs.length === 0) return none('no earlier run of committed code is stored')
  const tree = await treeState(place.folder)
  if (!tree) return none('there is no git repository to tell which run to compare with')
  const target = place.target ?? (await mainBranch(place.folder))
  const line = await lineOf(place, target, tree)
  for (const [i, commit] of line.entries()) {
    const run = runs.find(({ code }) => code?.commit === commit)
    if (!run) continue
    const words =
      i === 0 ? 'the commit that the change is based on' : `a commit ${i} before the one that the change is based on`
    return found(run, i === 0 ? 'base' : 'ancestor', words)
  }
  const newest = target === undefined ? undefined : runs.find(({ code }) => code?.branch === target)
  if (newest)
    return found(
      newest,
      'stale',
      `the newest on ${target}: stale, since no run of a commit before this change is stored`,
    )
  return none(`no stored run is of a commit before this change${target === undefined ? '' : `, or of ${target}`}`)
}

/** The commits that may have a baseline, the nearest first. */
async function lineOf({ folder, base }: Place, target: string | undefined, tree: TreeState): Promise<string[]> {
  const parted = base ?? (target === undefined ? undefined : await mergeBase(folder, target))
  const from = parted ?? tree.commit
  const line = await ancestors(folder, from)
  if (line.length === 0) line.push(from)
  // On the target branch itself what was there before is the baseline; uncommitted changes are held against what they change.
  return from === tree.commit && tree.changes === undefined ? line.slice(1) : line
}

function isWhole({ status, selection, early, code, tags, parentRunId }: RunRecord): boolean {
  // What a change has had scored again by its own scorers is no baseline of other changes.
  const rescored = parentRunId !== undefined && tags.rescored === parentRunId
  const committed = code?.commit !== undefined && code.changes === undefined
  return status === 'finished' && !selection && !early && !rescored && committed
}

function found(run: RunRecord, how: BaselineNote['how'], words: string): Found {
  const { id, code } = run
  return { run, note: { how, runId: id, ...(code?.commit && { commit: code.commit }), note: words } }
}

function none(note: string): Found {
  return { note: { how: 'none', note } }
}
