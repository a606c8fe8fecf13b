import { expect } from 'vitest'
import { scorer } from 'vitest-evaluate'
import { isContextRelevant } from 'vitest-evaluate/judges'
import type { Chat } from './app.ts'
import './model.ts'
import { test } from './traces.ts'

/** A judge as a function, wrapped: what it is shown is prepared here, and what it says could be looked at before it is given on. */
const isMessageRelevant = scorer('is_message_relevant', ({ inputs, outputs }: { inputs: Chat; outputs: string }) => {
  const last = inputs.messages.findLast(({ role }) => role === 'user')
  if (!last) throw new Error('Could not find the last user message in inputs')
  return isContextRelevant({ request: last.content, context: { response: outputs } })
})

test('a predefined judge, wrapped', async ({ evaluate, generatedTraces }) => {
  const run = await evaluate(generatedTraces, [isMessageRelevant])

  // The Feedback's own name wins.
  expect(run.columns.relevance_to_context).toMatchObject({ kind: 'boolean', scored: 3, passed: 3 })
  for await (const { feedback } of run.rows()) {
    expect(feedback.relevance_to_context?.source).toEqual({ type: 'LLM_JUDGE', id: 'openai:/gpt-4.1-mini' })
    expect(feedback.relevance_to_context?.rationale).toBe('Speaks to the question')
  }
})
