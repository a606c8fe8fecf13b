import { inspect } from 'node:util'
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

test('Trace.root and Trace.roots take what imports bring: several roots, none, a parent that is not there, a circle', () => {
  const several = trace({
    spans: [span('b', { parentId: 'a' }), span('a'), span('c'), span('d', { parentId: 'gone' })],
  })
  expect(several.roots.map(({ id }) => id)).toEqual(['a', 'c', 'd'])
  const cut = trace({ spans: [span('b', { parentId: 'a' }), span('c', { parentId: 'b' })] })
  expect([cut.root?.id, cut.roots.map(({ id }) => id)]).toEqual(['b', ['b']])
  const circle = trace({ spans: [span('a', { parentId: 'b' }), span('b', { parentId: 'a' })] })
  expect([circle.root, circle.roots]).toEqual([undefined, []])
})

test('Trace.request and Trace.response are the own data, else those of the root', () => {
  const spans = [span('a', { inputs: 'asked', outputs: 'answered' })]
  const bare = trace({ spans })
  expect([bare.request, bare.response]).toEqual(['asked', 'answered'])
  const own = trace({ spans, inputs: 0, outputs: '' })
  expect([own.request, own.response]).toEqual([0, ''])
  expect([trace().request, trace().response]).toEqual([undefined, undefined])
})

test('Trace.tokenUsage counts what an outer span repeats once', () => {
  const usage = (input: number, output: number) => ({
    'gen_ai.usage.input_tokens': input,
    'gen_ai.usage.output_tokens': output,
  })
  const spans = [
    span('agent', { attributes: usage(30, 12) }),
    span('first', { parentId: 'agent', attributes: { ...usage(10, 5), 'gen_ai.usage.cost': 0.25 } }),
    span('second', { parentId: 'agent', attributes: usage(20, 7) }),
  ]
  expect(trace({ spans }).tokenUsage).toEqual({ inputTokens: 30, outputTokens: 12, totalTokens: 42, cost: 0.25 })
  expect(trace().tokenUsage).toEqual({})
})

const asks = (...calls: readonly (readonly [id: string | undefined, name: string])[]): Partial<Span> => ({
  type: 'CHAT_MODEL',
  outputs: {
    choices: [
      {
        message: {
          tool_calls: calls.map(([id, name]) => ({ id, type: 'function', function: { name, arguments: '{"q":1}' } })),
        },
      },
    ],
  },
})

test('Trace.toolCalls() gives each call once: as its span records it, else as the model asked', () => {
  const spans = [
    span('agent', { ...asks(['1', 'search'], ['2', 'mail']), type: 'AGENT' }),
    span('model', { parentId: 'agent', ...asks(['1', 'search'], ['2', 'mail']) }),
    span('search', {
      parentId: 'agent',
      type: 'TOOL',
      inputs: { q: 1 },
      outputs: ['hit'],
      attributes: { 'gen_ai.tool.call.id': '1' },
    }),
    span('again', { parentId: 'agent', ...asks(['2', 'mail'], ['3', 'search']) }),
  ]
  expect(trace({ spans }).toolCalls()).toEqual([
    { name: 'mail', arguments: { q: 1 }, id: '2', spanId: 'model' },
    { name: 'search', arguments: { q: 1 }, id: '1', result: ['hit'], spanId: 'search' },
    { name: 'search', arguments: { q: 1 }, id: '3', spanId: 'again' },
  ])
})

test('Trace.toolCalls() takes a tool without an id for the call of that name', () => {
  const spans = [
    span('model', asks(['1', 'search'], ['2', 'search'])),
    span('search', { type: 'TOOL', inputs: { q: 1 } }),
  ]
  expect(trace({ spans }).toolCalls()).toEqual([
    { name: 'search', arguments: { q: 1 }, id: '2', spanId: 'model' },
    { name: 'search', arguments: { q: 1 }, spanId: 'search' },
  ])
  expect(trace({ spans: [span('plain', { outputs: 'text' })] }).toolCalls()).toEqual([])
})

test('Trace.retrievedDocuments() gives what the outermost retrievers found, and refuses what it cannot read', () => {
  const found = (content: string) => [{ page_content: content, metadata: { doc_uri: `${content}.md` } }]
  const spans = [
    span('rag', { outputs: 'answer' }),
    span('hybrid', { parentId: 'rag', type: 'RETRIEVER', outputs: [...found('a'), ...found('b')] }),
    span('vectors', { parentId: 'hybrid', type: 'RETRIEVER', outputs: found('a') }),
    span('web', { parentId: 'rag', type: 'RETRIEVER', outputs: [] }),
  ]
  expect(trace({ spans }).retrievedDocuments()).toMatchObject([
    { content: 'a', uri: 'a.md', spanId: 'hybrid' },
    { content: 'b', uri: 'b.md', spanId: 'hybrid' },
  ])
  expect(trace().retrievedDocuments()).toEqual([])
  const odd = trace({ spans: [span('odd', { type: 'RETRIEVER', outputs: [{ body_html: 1 }] })] })
  expect(() => odd.retrievedDocuments()).toThrow(/^Cannot read the documents of span "odd" \(odd\): document 1 is /)
})

test('a trace that is read lazily looks like any other, reads each part once, and cannot be changed', () => {
  const reads: string[] = []
  const read = <T>(name: string, value: T): (() => T) => {
    return () => {
      reads.push(name)
      return value
    }
  }
  const base = {
    id: 'tr-1',
    experiment: 'e',
    status: 'OK',
    requestTimeMs: 1,
    tags: {},
    metadata: {},
    assessments: [],
  } as const
  const spans = [span('a')]
  const lazy = Trace.lazy(base, {
    inputs: read('inputs', 1),
    outputs: read('outputs', undefined),
    spans: read('spans', spans),
  })
  expect(lazy).toBeInstanceOf(Trace)
  expect(reads).toEqual([])
  expect({ ...lazy }).toStrictEqual({ ...base, inputs: 1, outputs: undefined, spans })
  expect([lazy.root?.id, lazy.spans, lazy.outputs]).toEqual(['a', spans, undefined])
  expect(reads).toEqual(['inputs', 'outputs', 'spans'])
  expect(inspect(lazy)).toMatch(/^Trace \{[\s\S]*inputs: 1/)
  expect(() => Object.assign(lazy, { status: 'ERROR' })).toThrow(TypeError)
  expect(() => Object.assign(lazy, { inputs: 2 })).toThrow(TypeError)
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
