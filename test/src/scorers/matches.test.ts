import { expect, test } from 'vitest'
import { matches } from '../../../src/scorers/index.ts'

test('matches() finds the pattern anywhere unless it is anchored', () => {
  expect(matches(/\d+/)({ outputs: 'about 42 of them' }).value).toBe('yes')
  expect(matches(/^\d+$/)({ outputs: 'about 42' })).toMatchObject({
    value: 'no',
    rationale: String.raw`/^\d+$/ does not fit "about 42"`,
  })
  expect(matches(/^$/)({ outputs: '' }).value).toBe('yes')
})

test.each([/a/g, /a/y])('matches() with %s judges every row alike and leaves the pattern untouched', (pattern) => {
  pattern.lastIndex = 1
  const scorer = matches(pattern)
  expect([1, 2, 3].map(() => scorer({ outputs: 'ab' }).value)).toEqual(['yes', 'yes', 'yes'])
  expect(pattern.lastIndex).toBe(1)
})

test('matches() has a version for each pattern and flag', () => {
  const versions = [/a/, /b/, /a/i].map((pattern) => matches(pattern).version)
  expect(new Set(versions).size).toBe(3)
  expect(matches(/a/).version).toBe(versions[0])
})

test('matches() refuses what is no RegExp', () => {
  expect(() => matches('a+' as any)).toThrow(
    new TypeError('Cannot make matches(): the pattern must be a RegExp, found "a+"'),
  )
})
