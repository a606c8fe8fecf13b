import { expect, test } from 'vitest'
import { latency } from '../../../src/scorers/index.ts'
import { span, trace } from './trace.ts'

const root = span('root', { type: 'CHAIN', endTimeNs: 7_500_000n })
const slow = span('ask', { type: 'CHAT_MODEL', parentId: root.id, startTimeNs: 1_000_000n, endTimeNs: 6_250_000n })
const fast = span('ask again', { type: 'CHAT_MODEL', parentId: root.id, endTimeNs: 2_000_000n })
const { endTimeNs: _, ...running } = span('hang', { type: 'CHAT_MODEL', parentId: root.id })

test('latency() gives the milliseconds of the trace, or else of its root span', () => {
  expect(latency()({ trace: trace({ durationMs: 12.25, spans: [root] }) }).value).toBe(12.25)
  expect(latency()({ trace: trace({ spans: [root, slow] }) }).value).toBe(7.5)
})

test('latency() gives the slowest finished span that fits', () => {
  const recorded = trace({ durationMs: 99, spans: [root, fast, slow, running] })
  expect(latency({ span: { type: 'CHAT_MODEL' } })({ trace: recorded }).value).toBe(5.25)
  expect(latency({ span: { name: /again/ } })({ trace: recorded }).value).toBe(2)
})

test('latency() with maxMs judges, the bound included', () => {
  const took = (durationMs: number) => latency({ maxMs: 5000 })({ trace: trace({ durationMs }) })
  expect(took(5000)).toMatchObject({ value: 'yes', rationale: 'Took 5.00 s, at most 5.00 s wanted' })
  expect(took(6200)).toMatchObject({ value: 'no', rationale: 'Took 6.20 s, at most 5.00 s wanted' })
})

test('latency() gives an error where nothing was timed or no span fits', () => {
  expect(latency()({ trace: trace() }).error).toEqual({
    code: 'TRACE_UNTIMED',
    message: 'the trace does not say how long it took',
  })
  const recorded = trace({ durationMs: 1, spans: [root, { ...running, type: 'LLM' }] })
  expect(latency({ span: { type: 'LLM', name: 'hang' } })({ trace: recorded }).error).toEqual({
    code: 'SPAN_MISSING',
    message: 'the trace has no finished span with type "LLM" and name "hang"',
  })
})
