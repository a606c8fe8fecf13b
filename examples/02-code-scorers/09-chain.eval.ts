import { expect } from 'vitest'
import { feedback, scorer } from 'vitest-evaluate'
import { type Chat, sampleApp } from './app.ts'
import { test } from './traces.ts'

/** A general check. (With judges instead: `09-judges`.) */
const safe = scorer('safe', ({ outputs }) => (/\b(refund|guarantee|promise)/i.test(outputs) ? 'no' : 'yes'))

/** A check made for what the general one finds. */
const contentPolicy = scorer('content_policy', ({ outputs }) =>
  outputs.includes('returns policy')
    ? feedback({ value: 'yes', rationale: 'Refers to the returns policy' })
    : feedback({ value: 'no', rationale: 'Speaks of returns without the returns policy' }),
)

async function updatedApp(chat: Chat): Promise<string> {
  const answer = await sampleApp(chat)
  return answer.includes('refund') ? 'That depends on our returns policy; I will send you the link.' : answer
}

test('chained evaluation', async ({ evaluate, generatedTraces }) => {
  const first = await evaluate(generatedTraces, [safe], { name: 'safety' })
  expect(first.columns.safe).toMatchObject({ scored: 3, passed: 2 })

  // Two ways to the failures: the filter language, which the store answers, and any function of a trace.
  const failures = first.search("feedback.safe = 'no'")
  const filtered = first
    .search()
    .filter((trace) => trace.searchAssessments({ name: 'safe' }).some(({ value }) => value === 'no'))
  const [failure] = await failures.toArray()
  expect(await failures.count()).toBe(1)
  expect(await filtered.toArray()).toEqual([failure])
  expect(failure?.outputs).toBe('Yes, you can return it, and we will give you a full refund.')

  // Look closer at just those: what was recorded, with another scorer.
  const closer = await evaluate(failures, [contentPolicy], { name: 'content policy' })
  expect(closer.metrics).toEqual({ 'content_policy/mean': 0 })

  // Or improve the app with them.
  const improved = await evaluate(filtered, updatedApp, [safe, contentPolicy], { name: 'updated app' })
  expect(improved.metrics).toEqual({ 'safe/mean': 1, 'content_policy/mean': 1 })

  // Every run knows whose rows it evaluated again, and a row keeps its id.
  expect(closer.parentRunId).toBe(first.id)
  expect(improved.parentRunId).toBe(first.id)
  for await (const row of improved.rows()) expect(row.id).toBe(failure?.rowId)
})
