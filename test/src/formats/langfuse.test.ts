import { expect, test } from 'vitest'
import { normaliseSpan } from '../../../src/conventions.ts'
import { usageTotals } from '../../../src/usage.ts'
import { readFrom } from './read.ts'

const TRACE = {
  id: 'ef4b6a9c-0001',
  name: 'support',
  timestamp: '2026-02-03T15:19:57.000Z',
  input: { q: 'hi' },
  output: 'yo',
  sessionId: 's1',
  userId: 'ann',
  tags: ['beta'],
  metadata: { tier: 'gold', nested: { a: 1 } },
  release: 'v1',
  observations: [
    {
      id: 'obs-1',
      type: 'GENERATION',
      name: 'chat',
      startTime: '2026-02-03T15:19:57.100Z',
      endTime: '2026-02-03T15:19:58.500Z',
      parentObservationId: 'obs-0',
      model: 'gpt-4o',
      usage: { input: 1 },
      usageDetails: { input: 10, output: 5, total: 15 },
      costDetails: { total: 0.25 },
      input: [{ role: 'user', content: 'hi' }],
      output: { role: 'assistant', content: 'yo' },
      level: 'ERROR',
      statusMessage: 'slow',
    },
    {
      id: 'obs-0',
      type: 'SPAN',
      name: 'flow',
      startTime: '2026-02-03T15:19:57.050Z',
      endTime: '2026-02-03T15:19:59.000Z',
    },
    { id: 'obs-2', type: 'EVENT', name: 'note', startTime: '2026-02-03T15:19:57.200Z' },
    { id: 'obs-3', type: 'RETRIEVER', name: 'search', startTime: '2026-02-03T15:19:57.300Z' },
  ],
  scores: [
    {
      id: 'sc-1',
      name: 'helpful',
      value: 1,
      dataType: 'BOOLEAN',
      source: 'ANNOTATION',
      authorUserId: 'bob',
      comment: 'good',
      timestamp: '2026-02-04T00:00:00Z',
    },
    {
      id: 'sc-2',
      name: 'tone',
      value: 0,
      stringValue: 'warm',
      dataType: 'CATEGORICAL',
      source: 'EVAL',
      observationId: 'obs-1',
      timestamp: '2026-02-04T00:00:00Z',
    },
    { id: 'sc-3', name: 'rating', value: 0.5, dataType: 'NUMERIC', source: 'API', timestamp: '2026-02-04T00:00:00Z' },
  ],
}

test('langfuse makes a trace the root of its observations', async () => {
  const { traces, notes, formats } = await readFrom(TRACE)
  const [trace] = traces
  expect(formats).toEqual(['langfuse'])
  expect(trace).toMatchObject({
    id: 'ef4b6a9c-0001',
    name: 'support',
    inputs: { q: 'hi' },
    outputs: 'yo',
    sessionId: 's1',
    tags: { beta: 'true' },
    metadata: { tier: 'gold', nested: '{"a":1}', 'mlflow.trace.user': 'ann', 'langfuse.release': 'v1' },
    durationMs: 2000,
  })
  const names = new Map(trace?.spans.map(({ id, name }) => [id, name]))
  expect(trace?.spans.map(({ name, type, parentId }) => [name, type, names.get(parentId ?? '')])).toEqual([
    ['support', 'CHAIN', undefined],
    ['chat', 'LLM', 'flow'],
    ['flow', 'UNKNOWN', 'support'],
    ['note', 'UNKNOWN', 'support'],
    ['search', 'RETRIEVER', 'support'],
  ])
  expect(trace?.spans[1]).toMatchObject({
    status: 'ERROR',
    statusMessage: 'slow',
    inputs: [{ role: 'user', content: 'hi' }],
  })
  expect(trace?.spans[1]?.attributes['langfuse.observation.id']).toBe('obs-1')
  expect(notes).toEqual(['1 span without an end time: kept as unfinished'])
})

test('langfuse gives model, tokens and cost, and what a span used counts once', async () => {
  const spans = (await readFrom(TRACE)).traces[0]?.spans.map(normaliseSpan) ?? []
  expect(usageTotals(spans)).toEqual({ inputTokens: 10, outputTokens: 5, totalTokens: 15, cost: 0.25 })
})

test('langfuse turns scores into Feedback, by who gave them', async () => {
  const [trace] = (await readFrom(TRACE)).traces
  expect(trace?.assessments).toMatchObject([
    { id: 'sc-1', name: 'helpful', value: true, source: { type: 'HUMAN', id: 'bob' }, rationale: 'good' },
    { name: 'tone', value: 'warm', source: { type: 'LLM_JUDGE' }, spanId: trace?.spans[1]?.id },
    { name: 'rating', value: 0.5, source: { type: 'CODE', id: 'API' }, createdAt: Date.UTC(2026, 1, 4) },
  ])
})

test('langfuse refuses traces of a list, which have no observations, and says what to do', async () => {
  const { data } = { data: [{ ...TRACE, observations: ['obs-1'] }] }
  await expect(readFrom({ data, meta: { page: 1 } })).rejects.toThrow(
    /item 1: observation 1 of trace ef4b6a9c-0001 is not there in full\nHint: fetch every trace by its id/,
  )
  await expect(readFrom({ ...TRACE, observations: [{ name: 'x' }] })).rejects.toThrow('observation 1 ("x") has no id')
  await expect(readFrom({ ...TRACE, scores: [{ value: 1 }] })).rejects.toThrow('score 1 has no name')
})
