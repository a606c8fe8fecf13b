import { expect, test } from 'vitest'
import type { Assessment } from '../../src/feedback.ts'
import {
  decodeSpans,
  encodeSpans,
  rootSpanId,
  type Span,
  spanDurationMs,
  Trace,
  type TraceData,
} from '../../src/trace.ts'

function span(id: string, more: Partial<Span> = {}): Span {
  return { id, name: id, type: 'UNKNOWN', startTimeNs: 0n, status: 'OK', attributes: {}, events: [], ...more }
}

function assessment(more: Partial<Assessment>): Assessment {
  return {
    id: 'a',
    kind: 'feedback',
    name: 'polite',
    traceId: 'tr-1',
    source: { type: 'CODE', id: 'polite' },
    createdAt: 1,
    updatedAt: 1,
    valid: true,
    ...more,
  }
}

function trace(more: Partial<TraceData> = {}): Trace {
  return new Trace({
    id: 'tr-1',
    experiment: 'e',
    status: 'OK',
    requestTimeMs: 1,
    tags: {},
    metadata: {},
    spans: [],
    assessments: [],
    ...more,
  })
}

test('Trace holds its data and nothing that it was not given', () => {
  const data = {
    id: 'tr-1',
    experiment: 'e',
    status: 'OK',
    requestTimeMs: 1,
    tags: {},
    metadata: {},
    assessments: [],
  } as const
  const spans = [span('a')]
  const made = trace({ ...data, outputs: undefined, spans })
  expect({ ...made }).toStrictEqual({ ...data, outputs: undefined, spans })
  expect(made.spans).toBe(spans)
  expect('inputs' in made).toBe(false)
})

test('Trace.root is the first span without a parent', () => {
  expect(trace().root).toBeUndefined()
  expect(trace({ spans: [span('b', { parentId: 'a' }), span('a'), span('c')] }).root?.id).toBe('a')
})

const tools = trace({
  spans: [
    span('1', { name: 'search docs', type: 'TOOL' }),
    span('2', { name: 'answer', type: 'LLM' }),
    span('3', { name: 'search web', type: 'TOOL' }),
  ],
})
const ids = (query: Parameters<Trace['searchSpans']>[0]): string[] => tools.searchSpans(query).map(({ id }) => id)

test('Trace.searchSpans() matches strings whole, patterns anywhere, and every condition at once', () => {
  expect(ids(undefined)).toEqual(['1', '2', '3'])
  expect(ids({ type: 'TOOL' })).toEqual(['1', '3'])
  expect(ids({ type: 'TOO' })).toEqual([])
  expect(ids({ name: 'search' })).toEqual([])
  expect(ids({ name: /search/ })).toEqual(['1', '3'])
  expect(ids({ name: /SEARCH web$/i })).toEqual(['3'])
  expect(ids({ type: /^(TOOL|LLM)$/, name: /e/, id: '2' })).toEqual(['2'])
  expect(ids({ id: '9' })).toEqual([])
})

test('Trace.searchSpans() does not depend on what a global or sticky pattern did before', () => {
  for (const pattern of [/search/g, /search/y, /search/gy]) {
    pattern.lastIndex = 5
    expect(ids({ name: pattern })).toEqual(['1', '3'])
    expect(ids({ name: pattern })).toEqual(['1', '3'])
    expect(pattern.lastIndex).toBe(5)
  }
})

test('Trace.searchAssessments() fits every condition and leaves replaced ones out', () => {
  const made = trace({
    assessments: [
      assessment({ id: '1', runId: 'r1', spanId: 's' }),
      assessment({ id: '2', valid: false }),
      assessment({ id: '3', name: 'short', runId: 'r2' }),
      assessment({ id: '4', kind: 'expectation', name: 'answer' }),
    ],
  })
  const found = (query?: Parameters<Trace['searchAssessments']>[0]) => made.searchAssessments(query).map(({ id }) => id)
  expect(found()).toEqual(['1', '3', '4'])
  expect(found({ all: true })).toEqual(['1', '2', '3', '4'])
  expect(found({ name: 'polite' })).toEqual(['1'])
  expect(found({ kind: 'expectation' })).toEqual(['4'])
  expect(found({ runId: 'r2' })).toEqual(['3'])
  expect(found({ spanId: 's', runId: 'r1' })).toEqual(['1'])
  expect(found({ spanId: 's', runId: 'r2' })).toEqual([])
})

test('Trace.expectations gives the newest valid one of each name, whatever their order', () => {
  const assessments = [
    assessment({ id: '1', kind: 'expectation', name: 'answer', value: 'new', createdAt: 5 }),
    assessment({ id: '2', kind: 'expectation', name: 'answer', value: 'old', createdAt: 2 }),
    assessment({ id: '3', kind: 'expectation', name: 'answer', value: 'gone', createdAt: 9, valid: false }),
    assessment({ id: '4', kind: 'expectation', name: '__proto__', value: 'x' }),
    assessment({ id: '5', name: 'polite', value: true }),
  ]
  for (const order of [assessments, assessments.toReversed()]) {
    const { expectations } = trace({ assessments: order })
    expect(Object.entries(expectations).sort()).toEqual([
      ['__proto__', 'x'],
      ['answer', 'new'],
    ])
  }
})

test('spanDurationMs() gives milliseconds, and undefined while the span runs', () => {
  expect(
    spanDurationMs(span('a', { startTimeNs: 1_700_000_000_000_000_000n, endTimeNs: 1_700_000_000_001_500_000n })),
  ).toBe(1.5)
  expect(spanDurationMs(span('a'))).toBeUndefined()
})

test('decodeSpans() gives back what encodeSpans() was given', () => {
  const spans: Span[] = [
    span('a', {
      startTimeNs: 1_700_000_000_123_456_789n,
      endTimeNs: 1_700_000_000_123_456_790n,
      inputs: { q: undefined, big: 5n, nan: Number.NaN },
      outputs: new Map([['a', 1]]),
      statusMessage: 'fine',
      attributes: { 'gen_ai.model': 'm' },
      events: [{ name: 'exception', timeNs: 1_700_000_000_123_456_789n, attributes: { message: 'x' } }],
    }),
    span('b', { parentId: 'a', inputs: null }),
  ]
  expect(decodeSpans(encodeSpans(spans))).toStrictEqual(spans)
})

test('rootSpanId() is the random half of the trace id', () => {
  expect(rootSpanId('tr-0123456789abcdef0123456789abcdee')).toBe('0123456789abcdee')
  expect(rootSpanId('x')).toBe('000000000000000x')
})
