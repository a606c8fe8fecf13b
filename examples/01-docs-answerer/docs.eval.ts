import { expect } from 'vitest'
import { csv, scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
import { includes, latency, length, rougeL } from 'vitest-evaluate/scorers'
import { z } from 'zod'
import { type Answer, answer, answerWider } from './answer.ts'

const questions = csv(new URL('./questions.csv', import.meta.url), {
  schema: z.object({
    id: z.string(),
    inputs: z.object({ question: z.string() }),
    expectations: z.object({
      expected_response: z.string(),
      expected_keywords: z.string().transform((cell) => cell.split(';')),
      section: z.string(),
    }),
    tags: z.record(z.string(), z.string()),
  }),
})

const text = (outputs: unknown) => (outputs as Answer).text

const right_section = scorer('right_section', ({ outputs, expectations }) => outputs.source === expectations.section)

/** Reciprocal rank of the right section among those that the search found. */
const search_rank = scorer('search_rank', ({ trace, expectations }) => {
  const found = trace.searchSpans({ type: 'RETRIEVER' })[0]?.outputs as { metadata: { title: string } }[] | undefined
  const rank = (found ?? []).findIndex(({ metadata }) => metadata.title === expectations.section)
  return rank < 0 ? 0 : 1 / (rank + 1)
})

test('docs answerer', async ({ evaluate }) => {
  const keywords = includes({ name: 'keywords', output: text })
  const scorers = [
    keywords,
    rougeL({ output: text }),
    right_section,
    search_rank,
    length({ output: text, max: 400, name: 'concise' }),
    latency({ maxMs: 1_000 }),
  ]
  const run = await evaluate(questions, answer, scorers)
  expect.soft(run.metrics['right_section/mean']).toBeGreaterThanOrEqual(0.6)
  expect.soft(run.metrics['concise/mean']).toBe(1)

  // What failed is the data of the next evaluation: does the wider answer find the keywords?
  const failures = run.search("feedback.keywords = 'no'")
  if ((await failures.count()) > 0) {
    const again = await evaluate(failures, answerWider, [keywords, search_rank], { name: 'docs answerer, wider' })
    expect(again.parentRunId).toBe(run.id)
    expect.soft(again.metrics['keywords/mean']).toBeGreaterThan(0.5)
  }
})
