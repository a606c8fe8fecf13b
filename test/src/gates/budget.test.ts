import { expect, test } from 'vitest'
import { budget } from '../../../src/gates/index.ts'
import { column, sheetOf } from '../../data/sheet.ts'

const sheet = sheetOf({
  columns: { a: [1, new Error('x'), undefined, undefined] },
  failed: [3],
  latencies: [10, 20, 30],
  cost: 0.5,
  record: { columns: [column('a', { rows: 3, scored: 1, errors: 1, missing: 1 })] },
})

test('budget() bounds cost, latency, errors and missing values, each by a gate of its own', () => {
  const gates = budget({ cost: 0.5, latencyP95Ms: 25, errorRate: 0.5, missingRate: 0.1 })
  const found = gates.map((gate) => gate.check({ sheet }))
  expect(found.map(({ gate, verdict, figure }) => [gate.metric, verdict, figure])).toEqual([
    ['cost', 'pass', 0.5],
    ['latencyP95Ms', 'fail', 29],
    ['errorRate', 'pass', 0.5],
    ['missingRate', 'fail', 1 / 3],
  ])
  expect(found.map(({ message }) => message)).toEqual([
    'the cost is 0.5, at most 0.5 (4 of 4 rows)',
    'the 95th percentile of predict is 29 ms, wanted at most 25 ms (3 of 4 rows)',
    'the share of rows with an error is 0.5, at most 0.5 (4 of 4 rows)',
    'the share of missing values is 0.333, wanted at most 0.1 (4 of 4 rows)',
  ])
})

test('budget() cannot tell what nobody knows', () => {
  const bare = sheetOf({ columns: { a: [1] } })
  const found = budget({ cost: 1, latencyP95Ms: 1 }).map((gate) => gate.check({ sheet: bare }))
  expect(found.map(({ verdict, reason }) => [verdict, reason])).toEqual([
    ['inconclusive', 'NOT_KNOWN'],
    ['inconclusive', 'NOT_KNOWN'],
  ])
  expect(found[0]?.message).toBe(
    'the cost is not known: calls of models, or some of them, do not say what they have cost',
  )
  expect(budget({ cost: 1 }, { inconclusive: 'fail' })[0]?.check({ sheet: bare }).blocks).toBe(true)
})

test('budget() refuses bounds that there are not', () => {
  expect(() => budget({ latency: 5 } as object)).toThrow('Cannot gate: a budget has no "latency"')
  expect(() => budget({ errorate: 5 } as object)).toThrow('(did you mean "errorRate"?)')
  expect(() => budget({ cost: Number.NaN })).toThrow(RangeError)
  expect(() => budget(5 as never)).toThrow('Cannot gate: a budget must be an object of bounds, found 5')
})
