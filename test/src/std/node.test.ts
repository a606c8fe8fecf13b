import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { problemOfNode } from '../../../src/std/node.ts'

test('problemOfNode() refuses what the package says that it does not run on', () => {
  const { engines } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
  const oldest = engines.node.replace('>=', '')
  expect(problemOfNode('20.20.2')).toBe(`vitest-evaluate needs Node ${oldest} or newer, and this is 20.20.2`)
  expect(problemOfNode('22.12.0')).toContain('22.12.0')
  expect([`${oldest}.0`, '22.14.1', '24.0.0', '26.1.0-nightly'].map(problemOfNode)).toEqual(Array(4).fill(undefined))
})
