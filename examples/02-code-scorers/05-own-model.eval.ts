import OpenAI from 'openai'
import { expect } from 'vitest'
import { feedback, scorer } from 'vitest-evaluate'
import type { Chat } from './app.ts'
import './model.ts'
import { test } from './traces.ts'

const judgeSystemPrompt = `
You are an impartial judge of answers that another AI model gave.
Judge by the user's query and the response. Give a quality score as an integer from 1 to 5 (1 poor, 5 excellent), and a brief rationale.
Answer with a single JSON object: {"score": 4, "rationale": "Addresses the query directly."}
`

const judgeUserPrompt = (query: string, response: string): string => `Query:\n${query}\n\nResponse:\n${response}`

const client = new OpenAI()

/** Everything in your own hands: the call, the prompt, reading the answer, and what becomes of it. */
const answerQuality = scorer('answer_quality', async ({ inputs, outputs, signal }: Args) => {
  const query = inputs.messages.at(-1)?.content ?? ''
  const completion = await client.chat.completions.create(
    {
      model: 'gpt-4.1-mini',
      messages: [
        { role: 'system', content: judgeSystemPrompt },
        { role: 'user', content: judgeUserPrompt(query, outputs) },
      ],
      max_completion_tokens: 200,
      temperature: 0,
    },
    { signal },
  )
  // An answer that is no JSON throws here, and costs this one cell.
  const { score, rationale } = JSON.parse(completion.choices[0]?.message.content ?? '')
  return feedback({ value: score, rationale, source: { type: 'LLM_JUDGE', id: 'gpt-4.1-mini' } })
})

interface Args {
  readonly inputs: Chat
  readonly outputs: string
  readonly signal: AbortSignal
}

test('a judge of your own', async ({ evaluate, generatedTraces }) => {
  const run = await evaluate(generatedTraces, [answerQuality])

  expect(run.columns.answer_quality).toMatchObject({ kind: 'number', scored: 3, aggregates: { mean: 4 } })
  for await (const { feedback } of run.rows()) {
    expect(feedback.answer_quality).toMatchObject({
      rationale: 'Helps with the question',
      source: { type: 'LLM_JUDGE', id: 'gpt-4.1-mini' },
    })
  }
})
