import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openStore, prepare, storePlace, treeNow } from '../../src/place.ts'
import { sleep } from '../../src/std/async.ts'
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

test('treeNow() gives what git said when the test file began to load: once, and to that file only', async () => {
  const repo = repository()
  const settings = { root: repo.folder }
  const commitOf = async (file: string | undefined) => (await treeNow(settings, file))?.commit
  const prepared = async (file: string | undefined) => {
    prepare(settings, file)
    // Git answers in the meantime.
    await sleep(500)
  }
  const first = repo.commit('one')
  await prepared('a.eval.ts')
  const second = repo.commit('two')
  expect(await commitOf('b.eval.ts')).toBe(second)

  await prepared('a.eval.ts')
  const third = repo.commit('three')
  expect([await commitOf('a.eval.ts'), await commitOf('a.eval.ts')]).toEqual([second, third])
  expect(first).not.toBe(second)

  await prepared(undefined)
  expect(await commitOf(undefined)).toBe(third)
})
