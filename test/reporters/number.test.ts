import { expect, test } from 'vitest'
import { aligned, count, decimal, dollars, money, share, short } from '../../reporters/number.ts'

test('decimal() gives about three significant digits', () => {
  const pairs: [number, string][] = [
    [0, '0.000'],
    [-0, '0.000'],
    [0.95, '0.950'],
    [0.05, '0.0500'],
    [0.00123, '0.00123'],
    [1.5, '1.500'],
    [14.27, '14.27'],
    [142.302, '142.3'],
    [12_034.4, '12,034'],
    [-0.95, '-0.950'],
    [3.2e15, '3.20e+15'],
    [4e-9, '4.00e-9'],
  ]
  for (const [value, text] of pairs) expect(decimal(value)).toBe(text)
})

test('decimal() gives no minus to what rounds to nothing', () => {
  expect(decimal(-0.0001, 3)).toBe('0.000')
  expect(decimal(-0.6, 0)).toBe('-1')
})

test('short() gives whole numbers without places', () => {
  expect([3, 1_200, 0.5, -2].map(short)).toEqual(['3', '1,200', '0.500', '-2'])
})

test('share() says all and none only of all and none', () => {
  expect([0, 1, 0.5, 0.9996, 0.00004, 1 - 1e-9].map(share)).toEqual([
    '0.000',
    '1.000',
    '0.500',
    '0.9996',
    '0.00004',
    '0.999999',
  ])
})

test('count() has thousands separators and a dot for nothing', () => {
  expect([0, 7, 12_000].map(count)).toEqual(['·', '7', '12,000'])
})

test('aligned() gives texts of one width', () => {
  expect(aligned(['0.95', '142.3', '', '7'])).toEqual(['  0.95', '142.3 ', '', '  7   '])
})

test('dollars() gives cents, and two significant digits of what is less', () => {
  const pairs: [number, string][] = [
    [0, '0.00 USD'],
    [1234.5, '1,234.50 USD'],
    [0.25, '0.25 USD'],
    [0.0114, '0.011 USD'],
    [0.000_42, '0.00042 USD'],
    [1e-9, '0.00 USD'],
  ]
  for (const [usd, text] of pairs) expect(dollars(usd)).toBe(text)
})

test('money() never shows a cost that is unknown as nothing', () => {
  const totals = {
    calls: 2,
    cachedCalls: 0,
    inputTokens: 1,
    outputTokens: 1,
    cachedTokens: 0,
    reasoningTokens: 0,
    savedCost: 0,
  }
  expect(money({ ...totals, cost: 0.5, unknownCost: 0 })).toBe('0.50 USD')
  expect(money({ ...totals, cost: 0.5, unknownCost: 1 })).toBe('≥ 0.50 USD')
  expect(money({ ...totals, cost: 0, unknownCost: 2 })).toBe('unknown')
})
