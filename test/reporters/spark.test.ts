import { expect, test } from 'vitest'
import { sparkline } from '../../reporters/spark.ts'

const points = (values: readonly (number | undefined)[], weight = 1) => values.map((value) => ({ value, weight }))

test('sparkline() draws from the lowest to the highest', () => {
  expect(sparkline(points([0, 0.25, 0.5, 0.75, 1]), 24, 0.1, {})).toBe('▁▃▅▇█')
  expect(sparkline(points([1, 0]), 24, 0.1, {})).toBe('█▁')
})

test('sparkline() lets what hardly moves look still', () => {
  expect(sparkline(points([0.9, 0.901, 0.899]), 24, 0.1, {})).toMatch(/^[▄▅]{3}$/)
  expect(sparkline(points([5, 5]), 24, 0, {})).toBe('▅▅')
})

test('sparkline() shows where there was nothing', () => {
  expect(sparkline(points([0, undefined, 1]), 24, 0.1, {})).toBe('▁·█')
  expect(sparkline(points([undefined, undefined]), 24, 0.1, {})).toBe('··')
  expect(sparkline([], 24, 0.1, {})).toBe('')
})

test('sparkline() draws in ASCII where blocks cannot be drawn', () => {
  expect(sparkline(points([0, undefined, 0.5, 1]), 24, 0.1, { blocks: false })).toBe('_ =#')
})

test('sparkline() draws windows together where there are more than fit, by their weight', () => {
  expect(sparkline(points(Array.from({ length: 100 }, (_, i) => i)), 4, 0.1, {})).toBe('▁▃▆█')
  const uneven = [
    { value: 0, weight: 1 },
    { value: 1, weight: 9 },
    { value: 0.9, weight: 1 },
    { value: undefined, weight: 5 },
  ]
  expect(sparkline(uneven, 2, 0, {})).toBe('▅▅')
  expect(sparkline(points([1, 2]), 0, 0, {})).toHaveLength(1)
})
