import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ModelCall, UsageMeter, usageMetadata, usageOf, withoutUsage } from '../../src/meter.ts'

const call: fc.Arbitrary<ModelCall> = fc.record(
  {
    model: fc.constant('m'),
    usage: fc.record({ inputTokens: fc.nat(), outputTokens: fc.nat(), cachedTokens: fc.nat() }),
    cost: fc.double({ min: 0, max: 10, noNaN: true }),
    cached: fc.boolean(),
  },
  { requiredKeys: ['model'] },
)

function totalsOf(calls: readonly ModelCall[]) {
  const meter = new UsageMeter()
  for (const one of calls) meter.add(one)
  return meter.totals
}

test('UsageMeter gives the same sums in any order and in any grouping', () => {
  fc.assert(
    fc.property(fc.array(call, { minLength: 2 }), fc.nat(), (calls, at) => {
      const cut = 1 + (at % (calls.length - 1))
      const grouped = new UsageMeter()
      for (const part of [calls.slice(cut), calls.slice(0, cut)]) {
        const totals = totalsOf(part)
        if (totals) grouped.merge(totals)
      }
      expect(totalsOf(calls.toReversed())).toEqual(totalsOf(calls))
      expect(grouped.totals).toEqual(totalsOf(calls))
    }),
  )
})

test('UsageMeter counts what was paid, what was saved, and what is unknown apart', () => {
  const usage = { inputTokens: 10, outputTokens: 5, reasoningTokens: 2 }
  const paid = { model: 'm', usage, cost: 0.1 }
  expect(
    totalsOf([paid, { ...paid, cost: 0.2 }, { ...paid, cached: true }, { model: 'm' }, { model: 'm', cached: true }]),
  ).toEqual({
    calls: 3,
    cachedCalls: 2,
    inputTokens: 20,
    outputTokens: 10,
    cachedTokens: 0,
    reasoningTokens: 4,
    cost: 0.3,
    savedCost: 0.1,
    unknownCost: 1,
  })
  expect(totalsOf([])).toBeUndefined()
})

test('usageOf() reads what usageMetadata() wrote; withoutUsage() leaves the rest', () => {
  fc.assert(
    fc.property(fc.array(call, { minLength: 1 }), (calls) => {
      const totals = totalsOf(calls)
      if (!totals) throw new Error('there are calls')
      const metadata = { looks: 2, ...usageMetadata(totals) }
      expect(usageOf(metadata)).toEqual(totals)
      expect(withoutUsage(metadata)).toEqual({ looks: 2 })
    }),
  )
  expect(usageOf({ looks: 2 })).toBeUndefined()
  expect(usageOf(undefined)).toBeUndefined()
})
