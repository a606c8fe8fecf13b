import { expect, test } from 'vitest'
import type { GateSpec } from '../../../src/finding.ts'
import type { Gates } from '../../../src/gate.ts'
import { floor, toGate, toGates } from '../../../src/gates/index.ts'
import { sheetOf, verdicts } from '../../data/sheet.ts'

const specs = (gates: unknown, shared = {}): GateSpec[] => toGates(gates as Gates, shared).map(({ spec }) => spec)

test('toGates() makes a gate of each rule, with the options that it takes', () => {
  expect(
    specs({
      correct: { floor: 0.9, margin: 0.03, improve: true, must: "tag.a = 'b'", alpha: 0.1, better: 'lower' },
      'length/p90': { ceiling: 400, exact: true },
      budget: { errorRate: 0.01 },
      safe: { must: true, improve: 0.1 },
    }),
  ).toEqual([
    { kind: 'floor', metric: 'correct', value: 0.9, alpha: 0.1 },
    { kind: 'margin', metric: 'correct', value: 0.03, alpha: 0.1, better: 'lower' },
    { kind: 'improve', metric: 'correct', value: 0, alpha: 0.1, better: 'lower' },
    { kind: 'must', metric: 'correct', where: "tag.a = 'b'" },
    { kind: 'ceiling', metric: 'length/p90', value: 400, exact: true },
    { kind: 'budget', metric: 'errorRate', value: 0.01 },
    { kind: 'improve', metric: 'safe', value: 0.1 },
    { kind: 'must', metric: 'safe' },
  ])
})

test("toGates() takes lists of gates, and lets a gate's own policy go before the shared one", () => {
  const shared = { inconclusive: 'fail' }
  expect(specs([floor('a', 1), floor('b', 1, { inconclusive: 'warn' })], shared)).toEqual([
    { kind: 'floor', metric: 'a', value: 1, inconclusive: 'fail' },
    { kind: 'floor', metric: 'b', value: 1, inconclusive: 'warn' },
  ])
  expect(specs({ a: { floor: 1 } }, shared)[0]).toHaveProperty('inconclusive', 'fail')
  expect(specs({})).toEqual([])
})

test('a gate made of its data says the same, also after a trip through JSON', () => {
  const sheet = sheetOf({ columns: { correct: verdicts(46, 4) } })
  const wanted = { correct: { floor: 0.9, ceiling: 0.99, must: true }, budget: { errorRate: 0 } } as const
  for (const gate of toGates(wanted)) {
    const again = toGate(JSON.parse(JSON.stringify(gate.spec)))
    expect(again.check({ sheet })).toEqual(gate.check({ sheet }))
    expect(again.compares).toBe(gate.compares)
  }
  expect(() => toGate({ kind: 'roof', metric: 'a' } as never)).toThrow('Cannot gate: there is no gate of kind "roof"')
})

test.each<[unknown, string]>([
  [{ correct: { flor: 0.9 } }, 'Cannot gate "correct": unknown rule "flor" (did you mean "floor"?)'],
  [
    { correct: {} },
    'Cannot gate "correct": it has no rule; expected one of "floor", "ceiling", "margin", "improve", "must"',
  ],
  [{ correct: 0.9 }, 'Cannot gate "correct": expected rules such as { floor: 0.9 }, found 0.9'],
  [{ correct: { floor: '0.9' } }, 'Cannot gate: the floor of "correct" must be a number, received "0.9"'],
  [{ correct: { margin: -0.1 } }, 'Cannot gate: the margin of "correct" must be at least 0, received -0.1'],
  [
    { correct: { floor: 0.9, alpha: 0.9 } },
    'Cannot gate: "alpha" of the floor of "correct" must be a number from 0 to 0.5, received 0.9',
  ],
  [
    { correct: { floor: 0.9, minScored: 2 } },
    '"minScored" of the floor of "correct" must be a share from 0 to 1, received 2',
  ],
  [{ correct: { floor: 0.9, inconclusive: 'pass' } }, "must be 'warn' or 'fail', received \"pass\""],
  [{ correct: { floor: 0.9, exact: 1 } }, 'must be true or false, received 1'],
  [{ correct: { margin: 0.9, better: 'up' } }, "must be 'higher' or 'lower', received \"up\""],
  [{ '': { floor: 1 } }, 'Cannot gate: a metric must be a name, found ""'],
  [
    { correct: { must: { critical: 'yes' } } },
    'Cannot gate: the must of "correct" needs true or a filter, received an object with critical',
  ],
  [[5], "Cannot gate: expected a gate such as floor('correct', 0.9), found 5"],
  [5, 'Cannot gate: "gates" must be an object of metrics or a list of gates, found 5'],
])('toGates() refuses %j', (gates, message) => {
  expect(() => toGates(gates as Gates)).toThrow(message)
})
