import { expect } from 'vitest'
import { feedback, scorer } from 'vitest-evaluate'
import { test } from './traces.ts'

/** One look at the response, two Feedback; each name becomes a column. */
const comprehensiveResponseChecker = scorer('comprehensive_response_checker', ({ outputs }) => [
  feedback({ name: 'is_not_empty_check', value: outputs === '' ? 'no' : 'yes' }),
  feedback({ name: 'response_char_length', value: outputs.length }),
])

test('several Feedback', async ({ evaluate, generatedTraces }) => {
  const run = await evaluate(generatedTraces, [comprehensiveResponseChecker])

  expect(Object.keys(run.columns)).toEqual(['is_not_empty_check', 'response_char_length'])
  expect(run.columns.is_not_empty_check).toMatchObject({ kind: 'boolean', passed: 3 })
  expect(run.columns.response_char_length).toMatchObject({ kind: 'number', aggregates: { mean: 74 } })
})
