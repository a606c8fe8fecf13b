import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { gitUser } from '../../../src/std/git.ts'
import { folder } from '../../data/evaluation.ts'

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
