import { expect } from 'vitest'
import { feedback, type Row, scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'

/** A Feedback says itself what went wrong; anything else is best thrown: it costs this one cell, and the evaluation goes on. */
const resilientScorer = scorer('resilient_scorer', ({ outputs }) => {
  const { response } = outputs
  if (!response) return feedback({ error: { code: 'MISSING_RESPONSE', message: 'No response field in outputs' } })
  return feedback({ value: true, rationale: 'Valid response' })
})

const isRecorded = scorer('is_recorded', () => true)

const rows: Row[] = [
  { inputs: 'What is 2+2?', outputs: { response: '2+2 equals 4.' } },
  { inputs: 'Say hello.', outputs: {} },
  { inputs: 'Say goodbye.', outputs: null },
]

test('errors', async ({ evaluate }) => {
  // Without minScored the test would fail: by default every column needs a value on every row.
  const run = await evaluate(rows, [resilientScorer, isRecorded], { minScored: 1 / 3 })

  expect(run.columns.resilient_scorer).toMatchObject({
    aggregates: { mean: 1 },
    scored: 1,
    errors: 2,
    errorCodes: { MISSING_RESPONSE: 1, SCORER_THREW: 1 },
  })
  expect(run.columns.is_recorded).toMatchObject({ scored: 3, errors: 0 })

  const [, missing, thrown] = await Array.fromAsync(run.rows())
  expect(missing?.feedback.resilient_scorer?.error?.message).toBe('No response field in outputs')
  expect(thrown?.feedback.resilient_scorer?.error?.message).toMatch(/^Cannot destructure property 'response'/)
  expect(thrown?.feedback.resilient_scorer?.error?.stack).toContain('07-errors.eval.ts')
})
