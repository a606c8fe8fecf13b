import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ancestors, gitUser, mainBranch, mergeBase, treeState } from '../../../src/std/git.ts'
import { folder } from '../../data/evaluation.ts'
import { repository } from '../../data/repository.ts'

test('gitUser() gives the name under which commits are made in a folder', async () => {
  const place = folder()
  execFileSync('git', ['init', '-q', place])
  execFileSync('git', ['-C', place, 'config', 'user.name', 'Ann Ödmann'])
  expect(await gitUser(place)).toBe('Ann Ödmann')
  execFileSync('git', ['-C', place, 'config', 'user.name', ' '])
  expect(await gitUser(place)).toBeUndefined()
})

test('gitUser() gives nothing where there is no such folder', async () => {
  expect(await gitUser(`${folder()}/none`)).toBeUndefined()
})

test('treeState() knows commit, branch and what is not committed', async () => {
  const repo = repository()
  const commit = repo.commit('one')
  expect(await treeState(repo.folder)).toEqual({ commit, branch: 'main' })
  writeFileSync(join(repo.folder, 'app.txt'), 'edited')
  expect((await treeState(repo.folder))?.changes).toMatch(/^[0-9a-f]{16}$/)
  repo.git('checkout', '--quiet', '--force', '--detach')
  expect(await treeState(repo.folder)).toEqual({ commit })
})

test('ancestors() follow one branch, mergeBase() is where two part', async () => {
  const repo = repository()
  const [one, two] = [repo.commit('one'), repo.commit('two')]
  repo.git('checkout', '--quiet', '-b', 'change', one)
  const mine = repo.commit('mine')
  expect(await ancestors(repo.folder, 'main')).toEqual([two, one])
  expect(await ancestors(repo.folder, mine, 1)).toEqual([mine])
  expect(await ancestors(repo.folder, 'no such commit')).toEqual([])
  expect(await mergeBase(repo.folder, 'main')).toBe(one)
  expect(await mergeBase(repo.folder, 'nowhere')).toBeUndefined()
  expect(await mainBranch(repo.folder)).toBe('main')
})

test('mainBranch() is what the remote says; without a repository nothing is known', async () => {
  const origin = repository()
  origin.commit('one')
  origin.git('branch', '-m', 'main', 'trunk')
  const at = folder()
  const copy = repository(join(at))
  copy.git('remote', 'add', 'origin', origin.folder)
  copy.git('fetch', '--quiet', 'origin')
  copy.git('remote', 'set-head', 'origin', 'trunk')
  expect(await mainBranch(copy.folder)).toBe('trunk')
  const bare = folder()
  expect([await mainBranch(bare), await mergeBase(bare, 'main'), await treeState(bare)]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})

test('treeState() tells whether anything but one file has changed', async () => {
  const repo = repository()
  mkdirSync(join(repo.folder, 'evals'))
  const file = join(repo.folder, 'evals', 'a.eval.ts')
  writeFileSync(file, 'one')
  repo.git('add', '.')
  repo.commit('one')
  const around = async () => (await treeState(join(repo.folder, 'evals'), 'a.eval.ts'))?.around
  const clean = await around()
  expect(clean).toMatch(/^[0-9a-f]{16}$/)
  writeFileSync(file, 'two')
  expect(await around()).toBe(clean)
  repo.git('commit', '--quiet', '-am', 'two')
  expect(await around()).toBe(clean)
  writeFileSync(join(repo.folder, 'evals', 'b.eval.ts'), 'new')
  const added = await around()
  expect(added).not.toBe(clean)
  writeFileSync(join(repo.folder, 'app.txt'), 'edited')
  expect([clean, added]).not.toContain(await around())
  expect((await treeState(repo.folder))?.around).toBeUndefined()
})
