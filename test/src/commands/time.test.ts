import { expect, test } from 'vitest'
import { lapse, timeIn } from '../../../src/commands/time.ts'

test('lapse() reads numbers with a unit, and nothing else', () => {
  expect(['30s', '5m', '1.5h', '7d', '2w'].map(lapse)).toEqual([30_000, 300_000, 5_400_000, 604_800_000, 1_209_600_000])
  expect(['7', 'd', '-7d', '7 d', '7y', '', '2026-01-05'].map(lapse)).toEqual(Array(7).fill(undefined))
})

test('timeIn() reads what was so long ago, days and moments', () => {
  const now = Date.UTC(2026, 0, 8)
  expect(timeIn('x', '7d', now)).toBe(Date.UTC(2026, 0, 1))
  expect(timeIn('x', '2026-01-05', now)).toBe(Date.UTC(2026, 0, 5))
  expect(timeIn('x', '2026-01-05T12:00Z', now)).toBe(Date.UTC(2026, 0, 5, 12))
})

test.each(['soon', '2026', '-5', ''])('timeIn() refuses %j', (text) => {
  expect(() => timeIn('Cannot report quality: --from', text, 0)).toThrow(
    new RangeError(
      `Cannot report quality: --from must be a time such as 7d (ago), 2026-01-05 or 2026-01-05T12:00Z, found ${JSON.stringify(text)}`,
    ),
  )
})
