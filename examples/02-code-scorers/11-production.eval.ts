import { expect } from 'vitest'
import { type Row, scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

// Scorers that can watch production as they are: no expectations, nothing from outside the function, missing data foreseen.

const mentionsDatabricks = scorer('mentions_databricks', ({ outputs }) => /databricks/i.test(outputs.response ?? ''))

const responseLength = scorer(
  { name: 'response_length', description: 'Characters of the response', aggregations: ['mean', 'min', 'max'] },
  ({ outputs }) => String(outputs.response ?? '').length,
)

/** The share of the query's words that the response repeats. */
const responseRelevanceScore = scorer('response_relevance_score', ({ inputs, outputs }) => {
  const words = (text = '') => new Set(text.toLowerCase().match(/\S+/g))
  const queryWords = [...words(inputs.query)]
  const responseWords = words(outputs.response)
  if (queryWords.length === 0) return 0
  return queryWords.filter((word) => responseWords.has(word)).length / queryWords.length
})

const wellDesignedScorer = scorer('well_designed_scorer', ({ outputs }) => {
  const response = outputs.response ?? ''
  if (!response) return 0
  return Number(response.length > 100)
})

const rows: Row[] = [
  {
    inputs: { query: 'what is a lakehouse' },
    outputs: {
      response:
        'A lakehouse is what Databricks calls one place for files and tables: the openness of a data lake with the order of a warehouse.',
    },
  },
  { inputs: { query: 'is it open' }, outputs: { response: 'Yes, it is.' } },
  { inputs: { query: '' }, outputs: {} },
]

test('production scorers', async ({ evaluate }) => {
  const run = await evaluate(rows, [mentionsDatabricks, responseLength, responseRelevanceScore, wellDesignedScorer])

  expect(run.columns.mentions_databricks?.passed).toBe(1)
  expect(run.columns.response_length?.aggregates).toEqual({ mean: 46, min: 0, max: 127 })
  expect(run.metrics['response_relevance_score/mean']).toBeCloseTo((1 + 1 / 3 + 0) / 3)
  expect(run.metrics['well_designed_scorer/mean']).toBeCloseTo(1 / 3)
})

test('a scorer is a function that can be tested by itself', () => {
  expect(mentionsDatabricks({ outputs: { response: 'Made by DATABRICKS' } })).toBe(true)
  expect(wellDesignedScorer({ outputs: {} })).toBe(0)
})
