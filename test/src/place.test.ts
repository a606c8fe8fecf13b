import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openStore, prepare, storePlace, treeNow } from '../../src/place.ts'
import { treeState } from '../../src/std/git.ts'
import { memory } from '../../src/stores/memory.ts'
import { folder } from '../data/evaluation.ts'
import { repository } from '../data/repository.ts'

test('openStore() gives one store per file and process', () => {
  const path = join(folder(), 'store.sqlite')
  expect(openStore(path, undefined)).toBe(openStore('store.sqlite', { root: join(path, '..') }))
  expect(openStore(path, undefined)).not.toBe(openStore(`${path}2`, undefined))
})

test('storePlace() is relative to the root where the store lies below it', () => {
  const root = folder()
  expect(storePlace(openStore('a/store.sqlite', { root }), { root })).toBe('a/store.sqlite')
  expect(storePlace(openStore(join(root, 'b.sqlite')), { root: join(root, 'deep') })).toBe(join(root, 'b.sqlite'))
  expect(storePlace(memory())).toBe('memory')
})

test('treeNow() takes what is committed from what git was asked ahead, unless somebody has committed since; all else is of now', async () => {
  const repo = repository()
  const settings = { root: repo.folder }
  const commit = repo.commit('one')
  const clean = await treeNow(settings, 'a.eval.ts')
  prepare(settings)
  writeFileSync(join(repo.folder, 'app.txt'), 'edited')
  const changed = await treeNow(settings, 'a.eval.ts')
  expect(changed).toMatchObject({ commit, changes: expect.stringMatching(/^[0-9a-f]{16}$/) })
  expect(changed?.around).not.toBe(clean?.around)

  const second = repo.commit('two')
  const then = await treeNow(settings, 'a.eval.ts')
  expect(then).toEqual(await treeState(repo.folder, 'a.eval.ts'))
  expect(then).toMatchObject({ commit: second })
  expect((await treeNow({ root: folder() }, 'a.eval.ts'))?.commit).not.toBe(second)
})
