import { expect, test } from 'vitest'
import { compare } from '../../../src/comparison.ts'
import { improve, margin } from '../../../src/gates/index.ts'
import { clopperPearson } from '../../../src/std/proportion.ts'
import { METRICS, printedDetectable, verdictsOf } from '../../bench/simulate.ts'
import { column, type SheetInit, sheetOf } from '../../data/sheet.ts'

type Values = readonly unknown[]
const against = (before: Values, after: Values, more: Partial<SheetInit> = {}) => {
  const [one, sheet] = [
    sheetOf({ columns: { correct: before }, ...more }),
    sheetOf({ columns: { correct: after }, ...more }),
  ]
  return { sheet, comparison: compare(one, sheet) }
}
/** Verdicts of 400 rows: so many lost, so many gained. */
const changed = (lost: number, gained: number) => {
  const before = Array.from({ length: 400 }, (_, i) => i >= gained)
  const after = Array.from({ length: 400 }, (_, i) => i < 400 - lost)
  return against(before, after)
}

test('margin() passes where a fall by the margin is ruled out, fails where a fall is certain, and cannot tell between', () => {
  const gate = margin('correct/mean', 0.03)
  expect(gate.check(changed(2, 3))).toMatchObject({ verdict: 'pass', rows: 400, of: 400, method: 'tango' })
  const fail = gate.check(changed(40, 5))
  expect(fail).toMatchObject({ verdict: 'fail', blocks: true, figure: 0.9, baseline: 0.9875, worstCount: 40 })
  expect(fail.estimate).toBeCloseTo(-0.0875, 12)
  expect(fail.worst).toHaveLength(20)
  expect(fail.worst?.[0]).toEqual({ rowId: 'q-361', traceId: 'tr-361', index: 360 })
  expect(fail.message).toMatch(
    /^correct\/mean has become worse: 0\.9 after 0\.988, −0\.0875, between −0\.\d+ and −0\.\d+, and a fall by 0\.03 is not ruled out \(400 of 400 rows\)$/,
  )
  const open = gate.check(changed(20, 16))
  expect(open).toMatchObject({ verdict: 'inconclusive', blocks: false })
  expect(open.message).toMatch(/^correct\/mean may or may not fall by 0\.03: .*; about [\d,]+ rows would decide$/)
  expect(open.detectable).toBeGreaterThan(0.03)
})

test('margin() lets a certain fall pass that is certainly smaller than the margin', () => {
  const [before, after] = [
    Array.from({ length: 100 }, (_, i) => 10 + (i % 7)),
    Array.from({ length: 100 }, (_, i) => 9.9 + (i % 7) + (i % 2) / 100),
  ]
  const found = margin('correct', 0.5).check(against(before, after))
  expect(found.verdict).toBe('pass')
  expect(found.interval?.high).toBeLessThan(0)
})

test('margin() of what should be low turns about', () => {
  const [before, after] = [
    Array.from({ length: 50 }, (_, i) => 100 + (i % 5)),
    Array.from({ length: 50 }, (_, i) => 120 + (i % 3)),
  ]
  const gate = margin('correct', 5, { better: 'lower' })
  expect(gate.check(against(before, after))).toMatchObject({ verdict: 'fail', worstCount: 50 })
  expect(gate.check(against(after, before)).verdict).toBe('pass')
  expect(margin('correct', 5).check(against(before, after)).verdict).toBe('pass')
})

test('margin() without a baseline cannot tell, and blocks nobody, even when told to be strict', () => {
  const sheet = sheetOf({ columns: { correct: [true, false] } })
  const found = margin('correct', 0.03, { inconclusive: 'fail' }).check({ sheet, without: 'no earlier run is stored' })
  expect(found).toMatchObject({
    verdict: 'inconclusive',
    reason: 'FIRST_RUN',
    blocks: false,
    message: 'correct has no baseline: no earlier run is stored',
  })
})

test('margin() refuses what cannot be compared, and blocks then when told to be strict', () => {
  const strict = margin('correct', 0.03, { inconclusive: 'fail' })
  const evidence = against([true, true], [true, false])
  const record = { scorers: [{ name: 'correct', version: '2' }] }
  const other = sheetOf({ columns: { correct: [true, false] }, record })
  const found = strict.check({ sheet: other, comparison: compare(evidence.sheet, other) })
  expect(found).toMatchObject({ verdict: 'inconclusive', reason: 'NOT_COMPARABLE', blocks: true })
  expect(found.message).toBe('correct cannot be held against run_a: scorer "correct" has changed')
  const young = sheetOf({ columns: { correct: [true], young: [true] } })
  expect(margin('young', 0.1).check({ sheet: young, comparison: compare(evidence.sheet, young) }).message).toBe(
    'young cannot be held against run_a: the baseline has no such column',
  )
  const apart = against([true, undefined], [undefined, true])
  expect(strict.check(apart).message).toBe('correct cannot be held against run_a: no row has a value in both runs')
})

test('margin() fails on a column that is not there, and on fewer scored rows than asked for', () => {
  expect(margin('corect', 0.1).check(changed(0, 0))).toMatchObject({ verdict: 'fail', reason: 'UNKNOWN_METRIC' })
  const evidence = against([true, true, true], [true, undefined, undefined])
  expect(margin('correct', 0.1, { minScored: 0.5 }).check(evidence)).toMatchObject({
    reason: 'TOO_FEW_SCORED',
    rows: 1,
  })
  expect(margin('correct', 0.9).check(evidence)).toMatchObject({ rows: 1, of: 3 })
})

test('margin() compares other figures than means: by bootstrap, or as they are', () => {
  const before = Array.from({ length: 100 }, (_, i) => i)
  const after = before.map((value) => (value > 80 ? value + 40 : value))
  const lower = { better: 'lower' } as const
  expect(margin('correct/p90', 10, lower).check(against(before, after))).toMatchObject({
    verdict: 'fail',
    method: 'bootstrap',
  })
  expect(margin('correct/median', 10, lower).check(against(before, after)).verdict).toBe('pass')
  const stored = (max: number): Partial<SheetInit> => ({
    record: { columns: [column('correct', { aggregates: { max } })] },
  })
  const [one, sheet] = [
    sheetOf({ columns: { correct: before }, ...stored(99) }),
    sheetOf({ columns: { correct: after }, ...stored(139) }),
  ]
  const found = margin('correct/max', 10, lower).check({ sheet, comparison: compare(one, sheet) })
  expect(found).toMatchObject({ verdict: 'fail', method: 'exact', estimate: 40 })
})

test('margin() compares the figures themselves when asked, the margin itself being no breach', () => {
  const exact = (value: number) => margin('correct', value, { exact: true }).check(changed(8, 0))
  expect(exact(0.02)).toMatchObject({ verdict: 'pass', method: 'exact' })
  expect(exact(0.01).verdict).toBe('fail')
  expect(margin('correct', 0, { exact: true }).check(changed(0, 0)).verdict).toBe('pass')
})

test('improve() passes where it is certainly better, fails where that is ruled out, and cannot tell between', () => {
  const gate = improve('correct')
  expect(gate.check(changed(2, 40)).verdict).toBe('pass')
  expect(gate.check(changed(40, 2))).toMatchObject({ verdict: 'fail', blocks: true })
  expect(gate.check(changed(10, 14)).verdict).toBe('inconclusive')
  expect(improve('correct', 0.2).check(changed(2, 40)).message).toContain(
    'is not better than the baseline by more than 0.2',
  )
})

test('margin() counts clusters, not rows', () => {
  const before = new Array(100).fill(true)
  const after = Array.from({ length: 100 }, (_, i) => i >= 10)
  const clusters = Array.from({ length: 100 }, (_, i) => `doc ${Math.floor(i / 10)}`)
  expect(margin('correct', 0.03).check(against(before, after)).verdict).toBe('fail')
  expect(margin('correct', 0.03).check(against(before, after, { clusters })).verdict).toBe('inconclusive')
})

test('margin() fails at most one neutral change in twenty, and most regressions that it prints as detectable', () => {
  for (const [i, [name, metric]] of Object.entries(METRICS).entries()) {
    const gate = margin('metric', name === 'length' ? 0.3 : 0.02)
    const neutral = verdictsOf(gate, metric, { seed: 1 + i, rows: 120, drop: 0, times: 250 })
    expect(clopperPearson(neutral.fail, 250).low, name).toBeLessThan(0.05)
    const drop = printedDetectable(gate, metric, { seed: 50 + i, rows: 120, times: 60 })
    const worse = verdictsOf(gate, metric, { seed: 90 + i, rows: 120, drop, times: 250 })
    expect(clopperPearson(worse.fail, 250).high, name).toBeGreaterThan(0.78)
  }
})

test('margin() says which rows stand in one run only or have other expectations now', () => {
  const passing = (count: number) => Array.from({ length: count }, () => true)
  const [before, sheet] = [
    sheetOf({ columns: { correct: passing(100) } }),
    sheetOf({ columns: { correct: passing(90) } }),
  ]
  const found = margin('correct', 0.1).check({ sheet, comparison: compare(before, sheet) })
  expect(found.message).toMatch(/\(90 of 90 rows\); not compared: 10 rows only in the baseline$/)
  const more = margin('correct', 0.1).check({ sheet: before, comparison: compare(sheet, before) })
  expect(more.message).toMatch(/\(90 of 100 rows\); not compared: 10 rows new$/)
})
