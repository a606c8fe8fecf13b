import { expect } from 'vitest'
import { feedback, scorer, spanDurationMs } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
import { helpDesk, type Question } from './app.ts'

const questions = [
  { inputs: { question: 'Can I return my shoes?' } },
  { inputs: { question: 'Where is order 4711?' } },
  { inputs: { question: 'Do you sell gift cards?' } },
]

/** The time of the model alone, not of what surrounds it. */
const modelTime = scorer('model_time', ({ trace }) => {
  const calls = trace.searchSpans({ type: 'CHAT_MODEL' })
  if (calls.length === 0) throw new Error('The trace has no span of type CHAT_MODEL')
  const seconds = calls.reduce((sum, call) => sum + (spanDurationMs(call) ?? 0), 0) / 1_000
  return feedback({ value: seconds < 2, rationale: `${calls.length} calls took ${seconds.toFixed(2)} s` })
})

const tokens = scorer('tokens', ({ trace }) => trace.tokenUsage.totalTokens)

/** Orders have to be looked up, and nothing else. */
const rightTool = scorer('right_tool', ({ inputs, trace }) => {
  const tools = trace.toolCalls().map(({ name }) => name)
  return tools.join() === (/order \d/.test(inputs.question) ? 'order_status' : '')
})

/** An answer without a page or a tool behind it is a guess. */
const grounded = scorer('grounded', ({ trace }) => {
  const sources = trace.retrievedDocuments().map(({ uri }) => uri)
  const looked = [...sources, ...trace.toolCalls().map(({ name }) => name)]
  return feedback({ value: looked.length > 0 ? 'yes' : 'no', rationale: `looked at ${looked.join(', ') || 'nothing'}` })
})

test('what happened inside', async ({ evaluate }) => {
  const scorers = [modelTime, tokens, rightTool, grounded]
  const run = await evaluate(questions, helpDesk, scorers, { name: 'help desk' })

  const [, order] = await run.search().toArray()
  expect(order?.spans.map(({ name, type }) => [name, type])).toEqual([
    ['helpDesk', 'CHAIN'],
    ['handbook', 'RETRIEVER'],
    ['chat small', 'CHAT_MODEL'],
    ['order_status', 'TOOL'],
    ['chat small', 'CHAT_MODEL'],
  ])
  expect(run.columns.model_time).toMatchObject({ scored: 3, passed: 3 })
  expect(run.columns.right_tool).toMatchObject({ scored: 3, passed: 3 })
  expect(run.columns.tokens?.scored).toBe(3)

  // What guessed is data for the next evaluation: with a new app, or as it was recorded.
  const guesses = run.search("feedback.grounded = 'no'")
  expect(await guesses.count()).toBe(1)
  const careful = async (inputs: Question): Promise<string> => {
    const answer = await helpDesk(inputs)
    return answer.startsWith('Please write') ? 'That is not in our handbook. Please write to our staff.' : answer
  }
  const says = scorer('says_so', ({ outputs }) => outputs.includes('not in our handbook'))
  const before = await evaluate(guesses, [says], { name: 'guesses, as recorded' })
  const after = await evaluate(guesses, careful, [says], { name: 'guesses, careful app' })
  expect([before.metrics, after.metrics]).toEqual([{ 'says_so/mean': 0 }, { 'says_so/mean': 1 }])
})
