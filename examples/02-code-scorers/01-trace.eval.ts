import { expect } from 'vitest'
import { feedback, scorer } from 'vitest-evaluate'
import { test } from './traces.ts'

const maxDuration = 5

/** A scorer sees the whole trace: every span with its inputs, outputs, attributes and times. */
const llmResponseTimeGood = scorer('llm_response_time_good', ({ trace }) => {
  const [llm] = trace.searchSpans({ type: 'CHAT_MODEL' })
  if (llm?.endTimeNs === undefined) throw new Error('The trace has no finished span of type CHAT_MODEL')
  const seconds = Number(llm.endTimeNs - llm.startTimeNs) / 1e9
  const took = `LLM response time ${seconds.toFixed(2)}s`
  return seconds <= maxDuration
    ? feedback({ value: 'yes', rationale: `${took} is within the ${maxDuration}s limit` })
    : feedback({ value: 'no', rationale: `${took} exceeds the ${maxDuration}s limit` })
})

test('response time', async ({ evaluate, generatedTraces }) => {
  const run = await evaluate(generatedTraces, [llmResponseTimeGood])

  expect(run.metrics).toEqual({ 'llm_response_time_good/mean': 1 })
  for await (const row of run.rows()) {
    expect(row.feedback.llm_response_time_good?.rationale).toMatch(
      /^LLM response time 0\.\d\ds is within the 5s limit$/,
    )
  }
})
