import { expect, test } from 'vitest'
import type { SpanDraft } from '../../../src/format.ts'
import { assemble, REMOTE_PARENT } from '../../../src/formats/assemble.ts'

const id = (letter: string) => letter.repeat(16)
const span = (letter: string, parent?: string, more: Partial<SpanDraft> = {}): SpanDraft => ({
  id: id(letter),
  ...(parent !== undefined && { parentId: id(parent) }),
  name: letter,
  startTimeNs: 10n,
  endTimeNs: 20n,
  status: 'OK',
  attributes: {},
  events: [],
  ...more,
})

const of = (...spans: SpanDraft[]) => {
  const { traces, mended } = assemble([{ id: 'tr-1', spans }])
  const [trace] = traces
  if (!trace) throw new Error('no trace')
  return { trace, notes: mended.map(({ note }) => note), tree: trace.spans.map((one) => [one.name, one.parentId?.[0]]) }
}

test('assemble() says nothing of a trace that is whole', () => {
  const { trace, notes } = of(span('a', undefined, { inputs: 1, outputs: 2 }), span('b', 'a'))
  expect(notes).toEqual([])
  expect(trace).toMatchObject({ id: 'tr-1', name: 'a', status: 'OK', inputs: 1, outputs: 2, durationMs: 0.00001 })
})

test('assemble() joins the parts of a trace, and sorts spans by trace', () => {
  const { traces } = assemble([
    { id: 'tr-1', spans: [span('b', 'a')] },
    { id: 'tr-2', spans: [span('c')] },
    { id: 'tr-1', spans: [span('a')], head: { tags: { env: 'prod' } } },
  ])
  expect(traces.map((one) => [one.id, one.spans.map(({ name }) => name), one.tags])).toEqual([
    ['tr-1', ['b', 'a'], { env: 'prod' }],
    ['tr-2', ['c'], {}],
  ])
})

test.each<[string, SpanDraft[], [string, string | undefined][], string]>([
  [
    'a cycle',
    [span('a'), span('b', 'c', { startTimeNs: 12n }), span('c', 'b', { startTimeNs: 11n })],
    [
      ['a', undefined],
      ['b', 'c'],
      ['c', undefined],
    ],
    'the parents of "b" (bbbbbbbbbbbbbbbb), "c" (cccccccccccccccc) form a cycle: "c" (cccccccccccccccc) has no parent now',
  ],
  [
    'a span that is its own parent',
    [span('a', 'a')],
    [['a', undefined]],
    'the parents of "a" (aaaaaaaaaaaaaaaa) form a cycle: "a" (aaaaaaaaaaaaaaaa) has no parent now',
  ],
  [
    'a parent that is not there',
    [span('b', 'x', { startTimeNs: 11n }), span('a')],
    [
      ['b', 'a'],
      ['a', undefined],
    ],
    '1 span whose parent is not there, such as "b" (bbbbbbbbbbbbbbbb): below the root "a" (aaaaaaaaaaaaaaaa) now',
  ],
  [
    'no root',
    [span('b', 'x')],
    [['b', undefined]],
    '1 span whose parent is not there, such as "b" (bbbbbbbbbbbbbbbb): without a parent now',
  ],
])('assemble() mends %s, says so, and keeps what was there', (_, spans, wanted, note) => {
  const { tree, notes, trace } = of(...spans)
  expect(tree).toEqual(wanted)
  expect(notes).toContain(note)
  const kept = trace.spans.filter(({ attributes }) => REMOTE_PARENT in attributes)
  expect(kept).toHaveLength(1)
  expect(kept[0]?.attributes[REMOTE_PARENT]).toBe(spans.find((one) => one.id === kept[0]?.id)?.parentId)
})

test('assemble() lets the earliest of several roots stand for the trace, and first', () => {
  const late = span('b', undefined, { inputs: 'late', startTimeNs: 15n })
  const { trace, notes, tree } = of(
    late,
    span('a', undefined, { inputs: 'early' }),
    span('c', 'b', { startTimeNs: 16n }),
  )
  expect(trace.inputs).toBe('early')
  expect(tree.map(([name]) => name)).toEqual(['a', 'b', 'c'])
  expect(notes).toEqual([
    '2 spans without a parent: the earliest, "a" (aaaaaaaaaaaaaaaa), gives the trace its inputs and outputs',
  ])
})

test('assemble() keeps one of two equal spans, the finished one of two states, and both of two different ones', () => {
  const { endTimeNs: _, ...open } = span('b', 'a')
  const { trace, notes } = of(
    span('a'),
    span('a'),
    open,
    span('b', 'a'),
    span('c', 'a'),
    span('c', 'a', { name: 'other' }),
  )
  expect(trace.spans.map(({ name, endTimeNs }) => [name, endTimeNs])).toEqual([
    ['a', 20n],
    ['b', 20n],
    ['c', 20n],
    ['other', 20n],
  ])
  expect(new Set(trace.spans.map((one) => one.id)).size).toBe(4)
  expect(trace.spans[3]?.id).toMatch(/^[\da-f]{16}$/)
  expect(notes).toHaveLength(3)
  expect(notes.join('\n')).toMatch(
    /unfinished and finished.*\n.*two different spans: "other" has become.*\n1 span stood/,
  )
})

test('assemble() tells of times that cannot be', () => {
  const { endTimeNs: _, ...open } = span('b', 'a')
  const { startTimeNs: __, ...begun } = span('c', 'a')
  const { trace, notes } = of(
    span('a'),
    open,
    begun,
    span('d', 'a', { endTimeNs: 3n }),
    span('e', 'a', { startTimeNs: 5n }),
  )
  expect(trace.spans.map(({ startTimeNs, endTimeNs }) => [startTimeNs, endTimeNs])).toEqual([
    [10n, 20n],
    [10n, undefined],
    [5n, 20n],
    [10n, 10n],
    [5n, 20n],
  ])
  expect(notes).toEqual([
    'span "c" (cccccccccccccccc) has no start time: it begins with the trace now',
    'span "d" (dddddddddddddddd) ends 7 ns before it starts: it takes no time now',
    '1 span without an end time: kept as unfinished',
    '2 spans outside the time of the parent, such as "c" (cccccccccccccccc): clocks disagree, and all times are kept as they are',
  ])
})

test('assemble() takes a trace whose root has not ended for one in progress, and one without any time for none', () => {
  const { endTimeNs: _, startTimeNs, ...timeless } = span('a')
  expect(of({ ...timeless, startTimeNs: startTimeNs as bigint }).trace.status).toBe('IN_PROGRESS')
  expect(() => of(timeless)).toThrow('trace tr-1: span "a" (aaaaaaaaaaaaaaaa) has no time, and no other span has one')
})

test('assemble() gives a trace what its spans say of type, session, user and resource', () => {
  const attributes = { 'gen_ai.operation.name': 'chat', 'gen_ai.conversation.id': 's1', 'user.id': 'ann' }
  const resource = { 'service.name': 'bot', 'process.pid': 7 }
  const { trace } = of(
    span('a', undefined, { resource, attributes }),
    span('b', 'a', { resource: { 'service.name': 'db' } }),
  )
  expect(trace.spans[0]).toEqual({ ...span('a'), type: 'CHAT_MODEL', attributes })
  expect(trace.spans[1]?.attributes).toEqual({ 'otel.resource': { 'service.name': 'db' } })
  expect(trace).toMatchObject({
    sessionId: 's1',
    metadata: { 'resource.service.name': 'bot', 'resource.process.pid': '7', 'mlflow.trace.user': 'ann' },
  })
})

test('assemble() stands a chain, a cycle and a crowd of 10,000 spans', () => {
  const ids = Array.from({ length: 10_000 }, (_, i) => `f${i.toString(16).padStart(15, '0')}`)
  const chain = (last: number) =>
    ids.map((one, i) => ({ ...span('a'), id: one, parentId: ids[i === 0 ? last : i - 1] as string }))
  const begun = performance.now()
  const { trace, notes } = of(...chain(9_999))
  expect(trace.spans).toHaveLength(10_000)
  expect(notes).toHaveLength(1)
  expect(trace.spans.filter(({ parentId }) => parentId === undefined)).toHaveLength(1)
  const roots = of(...ids.map((one) => ({ ...span('a'), id: one })))
  expect(roots.notes[0]).toMatch(/^10000 spans without a parent/)
  // Quadratic work would take minutes.
  expect(performance.now() - begun).toBeLessThan(5_000)
})
