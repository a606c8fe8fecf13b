import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compare, pairsOf, refusal } from '../../src/comparison.ts'
import { tango } from '../../src/std/proportion.ts'
import { sheetOf, verdicts } from '../data/sheet.ts'

const before = sheetOf({
  ids: ['a', 'b', 'c', 'd', 'e'],
  columns: { good: [true, true, false, true, true], old: [1, 1, 1, 1, 1] },
  truth: ['', '', '', '', 'x'],
})
const after = sheetOf({
  ids: ['e', 'd', 'c', 'b', 'f'],
  columns: { good: [true, false, true, true, true], young: [1, 1, 1, 1, 1] },
  truth: ['y', '', '', '', ''],
})

test('compare() pairs rows by id, whatever their order, and says what has no pair', () => {
  const found = compare(before, after, 0.05)
  expect(found).toMatchObject({ paired: 4, onlyBefore: 1, onlyAfter: 1, changed: 1, gone: ['old'], added: ['young'] })
  const [good] = found.columns
  expect(good).toMatchObject({ name: 'good', paired: 3, before: 2 / 3, after: 2 / 3 })
  expect(good?.difference?.interval).toEqual(tango(1, 1, 3, 0.9))
  expect(good?.fell.map(({ rowId }) => rowId)).toEqual(['d'])
  expect(good?.rose.map(({ rowId }) => rowId)).toEqual(['c'])
})

test('compare() leaves rows out whose ground truth or value is not in both', () => {
  const [one, other] = [
    sheetOf({ columns: { good: [true, undefined, false, new Error('x')] } }),
    sheetOf({ columns: { good: [true, true, undefined, true] } }),
  ]
  expect(compare(one, other).columns[0]).toMatchObject({ paired: 1, before: 1, after: 1 })
  const nothing = compare(one, sheetOf({ ids: ['x'], columns: { good: [true] } })).columns[0]
  expect(nothing).toMatchObject({ paired: 0, fell: [], rose: [] })
  expect(nothing).not.toHaveProperty('difference')
})

test('compare() of numbers names no row as flipped', () => {
  const found = compare(sheetOf({ columns: { score: [0.5, 1] } }), sheetOf({ columns: { score: [0.2, 0] } })).columns[0]
  expect(found).toMatchObject({ fell: [], rose: [], difference: { method: 't' } })
})

test('pairsOf() gives the same pairs for any order of rows', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 50 }), { minLength: 1 }), fc.integer(), (ids, salt) => {
      const names = ids.map((id) => `r${id}`)
      const turned = [...names].sort((a, b) => (a + salt < b + salt ? 1 : -1))
      const value = (name: string): number => Number(name.slice(1))
      const one = sheetOf({ ids: names, columns: { v: names.map(value) } })
      const other = sheetOf({ ids: turned, columns: { v: turned.map((name) => value(name) + 1) } })
      const pairs = pairsOf(one, other, 'v')
      expect(pairs.rows).toHaveLength(ids.length)
      for (const [i, v] of pairs.before.entries()) expect(pairs.after[i]).toBe(v + 1)
    }),
  )
})

test('pairsOf() carries clusters; a row without one stands alone', () => {
  const one = sheetOf({ columns: { good: verdicts(2, 1) }, clusters: ['doc', 'doc'] })
  expect(pairsOf(one, one, 'good').clusters).toEqual(['cluster doc', 'cluster doc', 'row q-3'])
  expect(pairsOf(before, after, 'good').clusters).toBeUndefined()
})

test('refusal() says what has changed: scorer, judge, folding, data set', () => {
  const base = { columns: { good: verdicts(3, 1) } }
  const one = sheetOf(base)
  const scorers = [{ name: 'good', version: '2' }]
  expect(refusal(one, one, 'good')).toBeUndefined()
  expect(refusal(one, sheetOf({ ...base, record: { scorers } }), 'good')).toBe('scorer "good" has changed')
  const [small, large] = ['small', 'large'].map((model) => sheetOf({ ...base, source: `LLM_JUDGE ${model}` }))
  expect(small && large && refusal(small, large, 'good')).toBe(
    'it was judged by LLM_JUDGE small and is by LLM_JUDGE large',
  )
  const folded = sheetOf({ ...base, record: { repeats: { times: 3, fold: 'all' } } })
  expect(refusal(one, folded, 'good')).toBe('its repeats were folded by mean of 1 and are by all of 3')
  expect(refusal(one, sheetOf({ ...base, record: { repeats: { times: 3 } } }), 'good')).toBeUndefined()
  const others = sheetOf({ ...base, ids: ['q-1', 'x', 'y', 'z'] })
  expect(refusal(one, others, 'good')).toBe('the data set has changed: 1 of 4 rows are in both runs')
})
