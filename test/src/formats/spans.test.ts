import { expect, test } from 'vitest'
import { normaliseSpan } from '../../../src/conventions.ts'
import { readFrom } from './read.ts'

const TRACE = '91621bbaaf1920e94ae594e91b3a99fd'
const SPAN = '06a62ec64ae5b0a2'
const PARENT = '1111111111111111'

test.each<[string, object]>([
  [
    'ReadableSpan of the JavaScript SDKs 2 and 3',
    {
      name: 'call',
      kind: 2,
      spanContext: { traceId: TRACE, spanId: SPAN },
      parentSpanContext: { traceId: TRACE, spanId: PARENT },
      startTime: [1770131997, 66000000],
      endTime: [1770132000, 585812667],
      status: { code: 2, message: 'bad' },
      attributes: { a: 1 },
      events: [{ name: 'e', time: [1770131998, 1], attributes: { b: 2 } }],
      resource: { attributes: { 'service.name': 'bot' } },
      instrumentationScope: { name: 'lib', version: '1' },
    },
  ],
  [
    'ReadableSpan of the JavaScript SDK 1',
    {
      name: 'call',
      kind: 2,
      _spanContext: { traceId: TRACE, spanId: SPAN },
      parentSpanId: PARENT,
      startTime: [1770131997, 66000000],
      endTime: [1770132000, 585812667],
      status: { code: 2, message: 'bad' },
      attributes: { a: 1 },
      events: [{ name: 'e', time: [1770131998, 1], attributes: { b: 2 } }],
      resource: { _attributes: { 'service.name': 'bot' } },
      instrumentationLibrary: { name: 'lib', version: '1' },
    },
  ],
  [
    'to_json() of the Python SDK',
    {
      name: 'call',
      kind: 'SpanKind.CLIENT',
      context: { trace_id: `0x${TRACE}`, span_id: `0x${SPAN}`, trace_state: '[]' },
      parent_id: `0x${PARENT}`,
      start_time: '2026-02-03T15:19:57.066000Z',
      end_time: '2026-02-03T15:20:00.585812667Z',
      status: { status_code: 'ERROR', description: 'bad' },
      attributes: { a: 1 },
      events: [{ name: 'e', timestamp: '2026-02-03T15:19:58.000000001Z', attributes: { b: 2 } }],
      links: [],
      resource: { attributes: { 'service.name': 'bot' }, schema_url: '' },
      instrumentationScope: { name: 'lib', version: '1' },
    },
  ],
])('spans reads %s', async (_, dumped) => {
  const { traces } = await readFrom([
    { name: 'root', traceId: TRACE, spanId: PARENT, startTime: [1770131990, 0] },
    dumped,
  ])
  expect(traces.map(({ id }) => id)).toEqual([`tr-${TRACE}`])
  expect(traces[0]?.spans[1]).toMatchObject({
    id: SPAN,
    parentId: PARENT,
    name: 'call',
    startTimeNs: 1770131997066000000n,
    endTimeNs: 1770132000585812667n,
    status: 'ERROR',
    statusMessage: 'bad',
    attributes: { a: 1, 'otel.kind': 'CLIENT', 'otel.scope.name': 'lib', 'otel.scope.version': '1' },
    events: [{ name: 'e', timeNs: 1770131998000000001n, attributes: { b: 2 } }],
  })
})

test("spans reads the console exporter's microseconds", async () => {
  const { traces } = await readFrom({
    traceId: TRACE,
    id: SPAN,
    name: 'call',
    timestamp: 1770131997066000,
    duration: 1500.5,
    status: { code: 0 },
    attributes: {},
  })
  expect(traces[0]?.spans[0]).toMatchObject({ startTimeNs: 1770131997066000000n, endTimeNs: 1770131997067500500n })
})

test("spans reads Phoenix's table, whose kind is OpenInference's", async () => {
  const { traces } = await readFrom({
    name: 'search',
    span_kind: 'RETRIEVER',
    'context.trace_id': TRACE,
    'context.span_id': SPAN,
    parent_id: null,
    start_time: '2026-02-03T15:19:57+00:00',
    end_time: '2026-02-03T15:19:58+00:00',
    status_code: 'OK',
    'attributes.input.value': 'q',
    'attributes.llm.model_name': null,
  })
  const span = normaliseSpan(traces[0]?.spans[0] as NonNullable<(typeof traces)[0]['spans'][0]>)
  expect(span).toMatchObject({ type: 'RETRIEVER', inputs: 'q', status: 'OK' })
  expect(span.attributes).toEqual({ 'openinference.span.kind': 'RETRIEVER', 'input.value': 'q' })
})

test('spans refuses ids and times that are none, and names the span', async () => {
  const span = { name: 'call', traceId: TRACE, spanId: SPAN, startTime: [1, 0] }
  await expect(readFrom([span, { ...span, spanId: 'x' }])).rejects.toThrow(
    'item 2: span ("call"): span id must be 16 hex',
  )
  await expect(readFrom({ ...span, startTime: [1] })).rejects.toThrow('span ("call"): start time must be nanoseconds')
  await expect(readFrom({ ...span, events: [{ name: 'e' }] })).rejects.toThrow('span ("call"): event 1 has no time')
})
