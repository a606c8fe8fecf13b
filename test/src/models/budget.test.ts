import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ModelError } from '../../../src/model.ts'
import { budgeted, Purse } from '../../../src/models/budget.ts'
import { SharedFile } from '../../../src/models/file.ts'
import { LIMITS_SCHEMA } from '../../../src/models/limiter.ts'
import { folder, thrownBy } from '../../data/evaluation.ts'
import { ask, scripted } from '../../data/model.ts'

const price = { input: 1_000, output: 1_000 }
const usage = { inputTokens: 10, outputTokens: 10 }

test('budgeted() stops before the call that would exceed a number of calls', async () => {
  const model = scripted()
  const asking = budgeted(model, [new Purse({ calls: 3 })], undefined)
  for (let i = 0; i < 3; i++) await asking.generate(ask())
  expect(await thrownBy(asking.generate(ask()))).toMatchObject({
    code: 'BUDGET_EXCEEDED',
    transient: false,
    message: 'Did not ask test:/m: the budget would be exceeded, 3 of 3 calls spent',
  })
  expect(model.asked).toHaveLength(3)
})

test('budgeted() counts what answers cost, not what they were expected to', async () => {
  // 0.02 USD a call, expected as about 0.024: its prompt is counted high.
  const model = scripted(() => ({ usage }))
  const asking = budgeted(model, [new Purse({ usd: 1 })], price)
  let asked = 0
  const error = await thrownBy(
    (async () => {
      for (;;) {
        await asking.generate({ ...ask(), parameters: { maxTokens: 10 } })
        asked++
      }
    })(),
  )
  expect(error).toMatchObject({ code: 'BUDGET_EXCEEDED' })
  expect(asked * 0.02).toBeLessThanOrEqual(1)
  expect(asked * 0.02).toBeGreaterThan(0.94)
})

test('budgeted() counts calls that are under way: many at once spend no more than one after the other', async () => {
  const model = scripted(async () => {
    await new Promise((resolve) => setTimeout(resolve, 10))
    return { usage }
  })
  const purse = new Purse({ tokens: 1_000 })
  const asking = budgeted(model, [purse], undefined)
  const request = { ...ask(), parameters: { maxTokens: 10 } }
  const all = await Promise.allSettled(Array.from({ length: 200 }, () => asking.generate(request)))
  const answered = all.filter(({ status }) => status === 'fulfilled').length
  expect(answered * 20).toBeLessThanOrEqual(1_000)
  expect(answered).toBeGreaterThan(30)
})

test('budgeted() says what is set aside, and what the call was expected to take', async () => {
  const gate = Promise.withResolvers<void>()
  const model = scripted(async () => {
    await gate.promise
    return { usage }
  })
  const asking = budgeted(model, [new Purse({ usd: 0.04 })], price)
  const request = { ...ask(), parameters: { maxTokens: 10 } }
  const first = asking.generate(request)
  expect(await thrownBy(asking.generate(request))).toMatchObject({
    message:
      'Did not ask test:/m: the budget would be exceeded, 0 USD of 0.04 USD spent and 0.021 USD set aside for calls under way, and this call may take 0.021 USD',
  })
  gate.resolve()
  await first
})

test.for(['TRANSPORT', 'TIMEOUT'] as const)('budgeted() counts calls that failed with %s', async (failure) => {
  const model = scripted(() => {
    throw new ModelError(failure, 'no')
  })
  const asking = budgeted(model, [new Purse({ calls: 2 })], undefined)
  for (let i = 0; i < 2; i++) await thrownBy(asking.generate(ask()))
  expect(await thrownBy(asking.generate(ask()))).toMatchObject({ code: 'BUDGET_EXCEEDED' })
  expect(model.asked).toHaveLength(2)
})

test('budgeted() counts what an endpoint may have answered too late', async () => {
  const model = scripted(() => {
    throw new ModelError('TIMEOUT', 'late')
  })
  const asking = budgeted(model, [new Purse({ tokens: 1_000 })], undefined)
  await thrownBy(asking.generate(ask()))
  expect(await thrownBy(asking.generate(ask()))).toMatchObject({ code: 'BUDGET_EXCEEDED' })
})

test('budgeted() gives back what a call was expected to cost that was refused for its rate', async () => {
  const model = scripted((_, nth) => {
    if (nth < 5) throw new ModelError('RATE_LIMITED', 'slow', { transient: true })
    return {}
  })
  const asking = budgeted(model, [new Purse({ calls: 1 })], undefined)
  for (let i = 0; i < 5; i++) expect(await thrownBy(asking.generate(ask()))).toMatchObject({ code: 'RATE_LIMITED' })
  expect(await asking.generate(ask())).toMatchObject({ text: 'answer 5' })
  expect(await thrownBy(asking.generate(ask()))).toMatchObject({ code: 'BUDGET_EXCEEDED' })
})

test('budgeted() takes an answer without usage for what was expected, not for nothing', async () => {
  const asking = budgeted(scripted(), [new Purse({ tokens: 1_200 })], undefined)
  await asking.generate(ask())
  await asking.generate(ask())
  expect(await thrownBy(asking.generate(ask()))).toMatchObject({ code: 'BUDGET_EXCEEDED' })
})

test('budgeted() asks nothing where it cannot know what is spent', async () => {
  const model = scripted()
  const error = await thrownBy(budgeted(model, [new Purse({ usd: 5 })], undefined).generate(ask()))
  expect(error.code).toBe('PRICE_UNKNOWN')
  expect(error.message).toContain("prices: { 'test:/m': { input: 0.4, output: 1.6 } }")
  expect(model.asked).toEqual([])
  expect(() => budgeted(model, [new Purse({ usd: 5 })], undefined).requireReady?.()).toThrow(
    'the price of test:/m is unknown',
  )
  expect(() => budgeted(model, [new Purse({ calls: 5 })], undefined).requireReady?.()).not.toThrow()
  expect(() => budgeted(model, [new Purse({ usd: 5 })], price).requireReady?.()).not.toThrow()
})

test('budgeted() keeps to the tighter of two budgets, and leaves the other untouched by what was not asked', async () => {
  const wide = new Purse({ calls: 3 })
  const narrow = new Purse({ calls: 1 })
  await budgeted(scripted(), [wide, narrow], undefined).generate(ask())
  for (let i = 0; i < 5; i++)
    expect(await thrownBy(budgeted(scripted(), [wide, narrow], undefined).generate(ask()))).toMatchObject({
      code: 'BUDGET_EXCEEDED',
    })
  for (let i = 0; i < 2; i++) await budgeted(scripted(), [wide], undefined).generate(ask())
  expect(await thrownBy(budgeted(scripted(), [wide], undefined).generate(ask()))).toMatchObject({
    code: 'BUDGET_EXCEEDED',
  })
})

test('Purse shares what is left with others of its scope, through its file', async () => {
  const path = join(folder(), 'limits.sqlite')
  const purse = (scope: string) => new Purse({ calls: 2 }, new SharedFile(path, LIMITS_SCHEMA), scope)
  await budgeted(scripted(), [purse('run 1')], undefined).generate(ask())
  await budgeted(scripted(), [purse('run 1')], undefined).generate(ask())
  expect(await thrownBy(budgeted(scripted(), [purse('run 1')], undefined).generate(ask()))).toMatchObject({
    code: 'BUDGET_EXCEEDED',
  })
  await budgeted(scripted(), [purse('run 2')], undefined).generate(ask())
})
