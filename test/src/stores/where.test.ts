import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseFilter } from '../../../src/grammar.ts'
import { sqlite } from '../../../src/stores/sqlite.ts'

test('where() takes as many conditions as the grammar, and lists of any length', async () => {
  const store = sqlite(join(mkdtempSync(join(tmpdir(), 'where-')), 'store.sqlite'))
  const many = (condition: string, word: string) => Array.from({ length: 2_000 }, () => condition).join(` ${word} `)
  for (const word of ['AND', 'OR']) {
    expect(await store.count({ filter: parseFilter(many("feedback.a = 'true'", word)) })).toBe(0)
  }
  const list = Array.from({ length: 50_000 }, (_, i) => `'${i}'`).join(', ')
  for (const field of ['feedback.a', 'tag.a', 'name']) {
    expect(await store.count({ filter: parseFilter(`${field} IN (${list})`) })).toBe(0)
  }
  expect(() => parseFilter(many('status IS NULL', 'AND').concat(' OR status IS NULL'))).toThrow(
    'at most 2,000 conditions',
  )
  await store.close()
})
