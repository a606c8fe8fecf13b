import { expect, test } from 'vitest'
import { costOf, PRICES_DATE, priceOf } from '../../../src/models/prices.ts'

test('priceOf() knows a model and its dated snapshots, and says nothing of others', () => {
  expect(priceOf('openai:/gpt-4.1-mini')).toEqual({ input: 0.4, cachedInput: 0.1, output: 1.6 })
  expect(priceOf('openai:/gpt-4.1-mini-2025-04-14')).toEqual(priceOf('openai:/gpt-4.1-mini'))
  expect(priceOf('openai:/gpt-4.1-mini-preview')).toBeUndefined()
  expect(priceOf('databricks:/gpt-4.1-mini')).toBeUndefined()
  expect(priceOf('openai:/constructor')).toBeUndefined()
  expect(PRICES_DATE).toMatch(/^\d{4}-\d{2}-\d{2}$/)
})

test('priceOf() takes the given price before its own, and what runs at home as free', () => {
  const given = { 'openai:/gpt-4.1-mini': { input: 1, output: 2 }, 'ollama:/m': { input: 3, output: 4 } }
  expect(priceOf('openai:/gpt-4.1-mini', given)).toEqual({ input: 1, output: 2 })
  expect(priceOf('openai:/gpt-4.1-mini-2025-04-14', given)).toEqual({ input: 1, output: 2 })
  expect(priceOf('ollama:/m', given)).toEqual({ input: 3, output: 4 })
  expect(priceOf('ollama:/other', given)).toEqual({ input: 0, output: 0 })
})

test('costOf() counts cached input at its own price', () => {
  const price = { input: 4, cachedInput: 1, output: 10 }
  expect(costOf({ inputTokens: 1_000_000, outputTokens: 100_000, cachedTokens: 500_000 }, price)).toBe(2 + 0.5 + 1)
  expect(costOf({ inputTokens: 1_000_000, outputTokens: 0, cachedTokens: 500_000 }, { input: 4, output: 10 })).toBe(4)
})

test('costOf() of what is unknown is unknown, never 0', () => {
  expect(costOf(undefined, { input: 1, output: 1 })).toBeUndefined()
  expect(costOf({ inputTokens: 1, outputTokens: 1 }, undefined)).toBeUndefined()
})
