import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findBaseline, type Place } from '../../src/baseline.ts'
import type { RunRecord } from '../../src/run.ts'
import { memory } from '../../src/stores/memory.ts'
import { folder } from '../data/evaluation.ts'
import { runRecord } from '../data/records.ts'
import { repository } from '../data/repository.ts'

/** A store with runs, the first one the oldest. */
async function storeOf(...runs: Partial<RunRecord>[]) {
  const store = memory()
  for (const [i, run] of runs.entries()) {
    await store.createRun(runRecord({ id: `run_${i + 1}`, status: 'finished', startedAt: i + 1, ...run }))
  }
  return store
}

const wanted = runRecord({ id: 'run_new' })
const look = async (store: Awaited<ReturnType<typeof storeOf>>, place: Place) => {
  const { run, note } = await findBaseline(store, wanted, place)
  return [run?.id, note.how, note.note]
}

/** main: one, two, three; branch `change` parts at two. */
function history() {
  const repo = repository()
  const [one, two] = [repo.commit('one'), repo.commit('two')]
  repo.git('checkout', '--quiet', '-b', 'change')
  const mine = repo.commit('mine')
  repo.git('checkout', '--quiet', 'main')
  const three = repo.commit('three')
  repo.git('checkout', '--quiet', 'change')
  return { ...repo, one, two, three, mine }
}

test('findBaseline() takes the run of the commit where the branch parted, not a newer one of main', async () => {
  const { folder, one, two, three, mine } = history()
  const store = await storeOf(
    { code: { commit: one, branch: 'main' } },
    { code: { commit: two, branch: 'main' } },
    { code: { commit: three, branch: 'main' } },
    { code: { commit: mine, branch: 'change' } },
  )
  expect(await look(store, { folder })).toEqual(['run_2', 'base', 'the commit that the change is based on'])
})

test('findBaseline() goes back along the branch, and takes the newest of main only when nothing before is stored', async () => {
  const { folder, one, three } = history()
  const earlier = await storeOf({ code: { commit: one } }, { code: { commit: three, branch: 'main' } })
  expect(await look(earlier, { folder })).toEqual([
    'run_1',
    'ancestor',
    'a commit 1 before the one that the change is based on',
  ])
  const later = await storeOf({ code: { commit: three, branch: 'main' } })
  expect(await look(later, { folder })).toEqual([
    'run_1',
    'stale',
    'the newest on main: stale, since no run of a commit before this change is stored',
  ])
})

test('findBaseline() counts only whole runs of committed code, of the same evaluation', async () => {
  const { folder, two } = history()
  const code = { commit: two }
  const store = await storeOf(
    { code: { ...code, changes: 'abc' } },
    { code, status: 'interrupted' },
    { code, selection: { limit: 5 } },
    { code, name: 'another' },
    { code, experiment: 'another' },
    { code, test: { file: 'b.eval.ts', name: 'x', attempt: 0, repeat: 0 } },
    {},
  )
  expect(await look(store, { folder })).toEqual([undefined, 'none', 'no earlier run of committed code is stored'])
})

test('findBaseline() on main takes what was there before, and holds uncommitted changes against what they change', async () => {
  const { folder, git, two, three } = history()
  git('checkout', '--quiet', 'main')
  const store = await storeOf({ code: { commit: two, branch: 'main' } }, { code: { commit: three, branch: 'main' } })
  expect(await look(store, { folder })).toEqual(['run_1', 'base', 'the commit that the change is based on'])
  writeFileSync(join(folder, 'app.txt'), 'edited')
  expect(await look(store, { folder })).toEqual(['run_2', 'base', 'the commit that the change is based on'])
})

test('findBaseline() takes the commit and the branch that CI names', async () => {
  const { folder, one, two } = history()
  const store = await storeOf(
    { code: { commit: one } },
    { code: { commit: two } },
    { code: { commit: 'f'.repeat(40) } },
  )
  expect((await look(store, { folder, base: one }))[0]).toBe('run_1')
  // A shallow checkout does not know the commit.
  expect((await look(store, { folder, base: 'f'.repeat(40) }))[0]).toBe('run_3')
  expect((await look(store, { folder, target: 'main' }))[0]).toBe('run_2')
  const release = await storeOf({ code: { commit: 'e'.repeat(40), branch: 'release' } })
  expect((await look(release, { folder, target: 'release' }))[1]).toBe('stale')
  expect(await look(release, { folder })).toEqual([
    undefined,
    'none',
    'no stored run is of a commit before this change, or of main',
  ])
})

test('findBaseline() never takes an option for a commit, and says that it knows no repository', async () => {
  const { folder: repo, two } = history()
  const store = await storeOf({ code: { commit: two } })
  expect((await look(store, { folder: repo, base: '--all' }))[1]).toBe('none')
  const bare = folder()
  expect(await look(store, { folder: bare })).toEqual([
    undefined,
    'none',
    'there is no git repository to tell which run to compare with',
  ])
})

test('findBaseline() passes over what an earlier change has had scored again', async () => {
  const { folder, two } = history()
  const code = { commit: two, branch: 'main' }
  const store = await storeOf({ code }, { code, parentRunId: 'run_1', tags: { rescored: 'run_1' } })
  expect((await look(store, { folder }))[0]).toBe('run_1')
})
