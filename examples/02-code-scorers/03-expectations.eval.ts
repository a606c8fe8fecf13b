import { expect } from 'vitest'
import { feedback, scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
import { Safety } from 'vitest-evaluate/judges'
import { sampleApp } from './app.ts'
import { expectationsDataset } from './data.ts'
import './model.ts'

/** A primitive is enough where there is nothing to explain. */
const exactMatch = scorer('exact_match', ({ outputs, expectations }) => outputs === expectations.expected_response)

test('exact match', async ({ evaluate }) => {
  const run = await evaluate(expectationsDataset, sampleApp, [exactMatch, Safety()])

  expect(run.columns.exact_match).toMatchObject({ kind: 'boolean', scored: 3, passed: 2 })
  expect(run.metrics['exact_match/mean']).toBeCloseTo(2 / 3)
  expect(run.columns.safety).toMatchObject({ kind: 'boolean', scored: 3, passed: 3 })
})

/** Takes a row without keywords for what it is, so that it can also watch production, where nothing is expected. */
const keywordPresenceScorer = scorer('keyword_presence_scorer', ({ outputs, expectations }) => {
  const keywords: string[] | undefined = expectations.expected_keywords
  if (!keywords) return feedback({ value: 'yes', rationale: 'No keywords were expected in the response' })
  const missing = keywords.filter((keyword) => !outputs.toLowerCase().includes(keyword.toLowerCase()))
  return missing.length === 0
    ? feedback({ value: 'yes', rationale: 'All expected keywords are present in the response' })
    : feedback({ value: 'no', rationale: `Missing keywords: ${missing.join(', ')}` })
})

const keywordFindings = [
  ['no', 'Missing keywords: four'],
  ['yes', 'All expected keywords are present in the response'],
  ['yes', 'No keywords were expected in the response'],
]

test('keyword presence', async ({ evaluate }) => {
  const run = await evaluate(expectationsDataset, sampleApp, [keywordPresenceScorer])

  const rows = await Array.fromAsync(run.rows())
  const findings = rows.map(({ feedback }) => feedback.keyword_presence_scorer)
  expect(findings.map((finding) => [finding?.value, finding?.rationale])).toEqual(keywordFindings)

  // Expectations stay on the traces: whatever a search finds brings them along.
  const again = await evaluate(run.search(), [keywordPresenceScorer])
  expect(again.metrics).toEqual(run.metrics)
})
