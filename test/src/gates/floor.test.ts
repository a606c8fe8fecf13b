import { expect, test } from 'vitest'
import { ceiling, floor } from '../../../src/gates/index.ts'
import { wilson } from '../../../src/std/stats.ts'
import { column, sheetOf, verdicts } from '../../data/sheet.ts'

const of = (passed: number, failed: number) => ({ sheet: sheetOf({ columns: { correct: verdicts(passed, failed) } }) })

test('floor() passes when the lower end reaches it, fails when the upper end does not, and cannot tell between', () => {
  const gate = floor('correct/mean', 0.9)
  const [pass, fail, open] = [gate.check(of(970, 30)), gate.check(of(60, 40)), gate.check(of(46, 4))]
  expect(pass).toMatchObject({ verdict: 'pass', blocks: false, rows: 1000, of: 1000, figure: 0.97, method: 'wilson' })
  expect(pass.interval).toEqual(wilson(970, 1000, 0.92))
  expect(pass.message).toBe('correct/mean is at least 0.9: 0.97, between 0.959 and 0.978 (1,000 of 1,000 rows)')
  expect(fail).toMatchObject({ verdict: 'fail', blocks: true })
  expect(fail.message).toBe('correct/mean is 0.6, between 0.512 and 0.682, wanted at least 0.9 (100 of 100 rows)')
  expect(open).toMatchObject({ verdict: 'inconclusive', blocks: false })
  expect(open.message).toBe(
    `correct/mean may or may not be at least 0.9: 0.92, between 0.826 and 0.965 (50 of 50 rows); about ${open.needed?.toLocaleString('en-US')} rows would decide`,
  )
  expect(open.needed).toBeGreaterThan(500)
})

test('floor() blocks where it cannot tell only when it is told so', () => {
  expect(floor('correct', 0.9, { inconclusive: 'fail' }).check(of(46, 4)).blocks).toBe(true)
  expect(floor('correct', 0.9, { inconclusive: 'warn' }).check(of(46, 4)).blocks).toBe(false)
})

test('floor() compares the figure itself when asked, and at the end of the scale', () => {
  expect(floor('correct', 0.9, { exact: true }).check(of(46, 4))).toMatchObject({ verdict: 'pass', method: 'exact' })
  expect(floor('correct', 0.95, { exact: true }).check(of(46, 4))).toMatchObject({ verdict: 'fail' })
  expect(floor('correct', 1).check(of(5, 0))).toMatchObject({ verdict: 'pass', method: 'exact' })
  expect(floor('correct', 1).check(of(999, 1))).toMatchObject({ verdict: 'fail', method: 'exact' })
  expect(ceiling('correct', 0).check(of(0, 5))).toMatchObject({ verdict: 'pass', method: 'exact' })
})

test('ceiling() is floor() upside down', () => {
  const sheet = sheetOf({ columns: { length: Array.from({ length: 50 }, (_, i) => 90 + (i % 10)) } })
  expect(ceiling('length', 100).check({ sheet })).toMatchObject({ verdict: 'pass', method: 't' })
  expect(ceiling('length', 90).check({ sheet })).toMatchObject({ verdict: 'fail', blocks: true })
  expect(ceiling('length', 94.6).check({ sheet }).verdict).toBe('inconclusive')
  expect(ceiling('length/p90', 99).check({ sheet })).toMatchObject({ verdict: 'pass', method: 'bootstrap' })
  expect(ceiling('length/max', 99).check({ sheet })).toMatchObject({ verdict: 'pass', method: 'exact', figure: 99 })
  expect(ceiling('length/min', 89).check({ sheet })).toMatchObject({ verdict: 'fail', figure: 90 })
})

test("floor() takes the figure that the run has stored for an aggregation of one's own", () => {
  const record = { columns: [column('length', { aggregates: { mean: 2, sum: 6 } })] }
  const sheet = sheetOf({ columns: { length: [1, 2, 3] }, record })
  expect(floor('length/sum', 6).check({ sheet })).toMatchObject({ verdict: 'pass', method: 'exact', figure: 6 })
})

test('floor() fails on a column that is not there, and says which was meant', () => {
  const missing = floor('corect/mean', 0.9).check(of(1, 0))
  expect(missing).toMatchObject({ verdict: 'fail', reason: 'UNKNOWN_METRIC', rows: 0, blocks: true })
  expect(missing.message).toBe('there is no column "corect" (did you mean "correct"?)')
  expect(floor('correct/meen', 0.9).check(of(1, 0)).message).toBe(
    'column "correct" has no "meen" (did you mean "mean"?)',
  )
  expect(floor('x', 0.9).check(of(1, 0)).message).toBe('there is no column "x" (the columns are "correct")')
})

test('floor() never passes over no rows, or over values that are no numbers', () => {
  const nothing = sheetOf({ columns: { correct: [undefined, new Error('x')] } })
  expect(floor('correct', 0).check({ sheet: nothing })).toMatchObject({
    verdict: 'fail',
    reason: 'NO_ROWS',
    message: 'column "correct" cannot be gated: no row has a value',
  })
  const words = sheetOf({ columns: { tone: ['formal', 'casual'] } })
  expect(floor('tone', 0).check({ sheet: words }).message).toBe(
    'column "tone" cannot be gated: its values are neither verdicts nor numbers',
  )
})

test('floor() says on how many of how many rows it rests, and asks for the share that it was told', () => {
  const sheet = sheetOf({
    columns: { correct: [true, true, ...new Array(5).fill(undefined)], other: new Array(7).fill(1) },
  })
  expect(floor('correct', 0.2).check({ sheet })).toMatchObject({ rows: 2, of: 7 })
  expect(floor('correct', 0.2, { minScored: 0.9 }).check({ sheet })).toMatchObject({
    verdict: 'fail',
    reason: 'TOO_FEW_SCORED',
    message: 'correct: it has a value on 2 of 7 rows, and 7 are asked for',
  })
  expect(floor('other', 0.2, { minScored: 1 }).check({ sheet }).verdict).toBe('pass')
})

test('floor() on a single number has no interval, and cannot tell', () => {
  const sheet = sheetOf({ columns: { score: [0.8] } })
  expect(floor('score', 0.5).check({ sheet })).toMatchObject({
    verdict: 'inconclusive',
    reason: 'TOO_FEW_ROWS',
    message: 'score may or may not be at least 0.5: 0.8 (1 of 1 row); so few rows allow no interval',
  })
})

test('floor() counts clusters, not rows', () => {
  const plain = sheetOf({ columns: { correct: verdicts(190, 10) } })
  const clusters = Array.from({ length: 200 }, (_, i) => `doc ${Math.floor(i / 10)}`)
  const together = sheetOf({ columns: { correct: verdicts(190, 10) }, clusters })
  expect(floor('correct', 0.9).check({ sheet: plain })).toMatchObject({ verdict: 'pass', method: 'wilson' })
  expect(floor('correct', 0.9).check({ sheet: together })).toMatchObject({
    verdict: 'inconclusive',
    method: 'clustered',
  })
})

test('floor() prints the shortfall that its rows would show', () => {
  const found = floor('correct', 0.9).check(of(95, 5))
  expect(found.detectable).toBeGreaterThan(0.05)
  expect(found.detectable).toBeLessThan(0.15)
})
