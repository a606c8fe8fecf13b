import { expect, test } from 'vitest'
import { otlp } from '../../../src/formats/otlp.ts'
import { Trace, type TraceData } from '../../../src/trace.ts'
import { readFrom } from './read.ts'

const TRACE = '5b8efff798038103d269b633813fc60c'
const request = (span: object, group: object = {}, scope: object = {}) => ({
  resourceSpans: [{ ...group, scopeSpans: [{ ...scope, spans: [{ ...SPAN, ...span }] }] }],
})
const SPAN = {
  traceId: TRACE.toUpperCase(),
  spanId: 'EEE19B7EC3C1B174',
  name: 'answer',
  startTimeUnixNano: '1795226650844883331',
  endTimeUnixNano: '1795226650849883331',
}
const pair = (key: string, value: object) => ({ key, value })

test('otlp reads every kind of value, integers and times beyond 2^53 included', async () => {
  const { traces, notes } = await readFrom(
    request({
      attributes: [
        pair('text', { stringValue: 'a' }),
        pair('yes', { boolValue: true }),
        pair('int', { intValue: '12' }),
        pair('number', { intValue: 12 }),
        pair('long', { intValue: '9007199254740993' }),
        pair('double', { doubleValue: 0.5 }),
        pair('nan', { doubleValue: 'NaN' }),
        pair('list', { arrayValue: { values: [{ intValue: 1 }, {}] } }),
        pair('record', { kvlistValue: { values: [pair('a', { stringValue: 'b' })] } }),
        pair('bytes', { bytesValue: 'AP8=' }),
        pair('none', {}),
      ],
      status: { code: 2, message: 'bad' },
      events: [{ name: 'e', timeUnixNano: '1795226650844883332', attributes: [pair('k', { intValue: '1' })] }],
    }),
  )
  expect(notes).toEqual([])
  expect(traces[0]).toMatchObject({ id: `tr-${TRACE}`, name: 'answer', status: 'ERROR', requestTimeMs: 1795226650844 })
  expect(traces[0]?.spans).toEqual([
    {
      id: 'eee19b7ec3c1b174',
      name: 'answer',
      type: 'UNKNOWN',
      startTimeNs: 1795226650844883331n,
      endTimeNs: 1795226650849883331n,
      status: 'ERROR',
      statusMessage: 'bad',
      attributes: {
        text: 'a',
        yes: true,
        int: 12,
        number: 12,
        long: 9007199254740993n,
        double: 0.5,
        nan: Number.NaN,
        list: [1, null],
        record: { a: 'b' },
        bytes: new Uint8Array([0, 255]),
        none: null,
      },
      events: [{ name: 'e', timeNs: 1795226650844883332n, attributes: { k: 1 } }],
    },
  ])
})

test('otlp keeps what spans of ours have no field for', async () => {
  const links = [{ traceId: TRACE, spanId: 'a'.repeat(16) }]
  const { traces } = await readFrom(
    request(
      { kind: 3, links, traceState: 'a=b', droppedAttributesCount: 2, flags: 257 },
      { resource: { attributes: [pair('service.name', { stringValue: 'bot' })] } },
      {
        scope: { name: 'lib', version: '1', attributes: [pair('x', { stringValue: 'y' })] },
        schemaUrl: 'https://x/1',
      },
    ),
  )
  expect(traces[0]?.metadata).toEqual({ 'resource.service.name': 'bot' })
  expect(traces[0]?.spans[0]?.attributes).toEqual({
    'otel.kind': 'CLIENT',
    'otel.links': links,
    'otel.trace_state': 'a=b',
    'otel.dropped_attributes_count': 2,
    'otel.flags': 257,
    'otel.scope.name': 'lib',
    'otel.scope.version': '1',
    'otel.scope.attributes': { x: 'y' },
    'otel.schema_url': 'https://x/1',
  })
})

test("otlp understands protobuf's names, and MLflow's attributes in both of their forms", async () => {
  const attributes = [
    pair('mlflow.spanType', { string_value: '"AGENT"' }),
    pair('mlflow.spanInputs', { string_value: '{"q": 1}' }),
    pair('mlflow.spanOutputs', { kvlist_value: { values: [pair('a', { int_value: '2' })] } }),
  ]
  const span = { trace_id: TRACE, span_id: 'a'.repeat(16), name: 'x', start_time_unix_nano: '5', attributes }
  const { traces } = await readFrom({ resource_spans: [{ scope_spans: [{ spans: [span] }] }] })
  expect(traces[0]?.spans[0]).toMatchObject({ type: 'AGENT', inputs: { q: 1 }, outputs: { a: 2 }, attributes: {} })
})

test.each<[string, object, string]>([
  ['an id', { spanId: 'xyz' }, 'span 1 ("answer"): span id must be 16 hex digits or 8 bytes in base64, found "xyz"'],
  ['no id', { traceId: '' }, 'span 1 ("answer"): trace id is missing'],
  [
    'a time',
    { startTimeUnixNano: 'noon' },
    'span 1 ("answer"): start time must be nanoseconds since 1970, found "noon"',
  ],
  ['attributes', { attributes: 'x' }, 'span 1 ("answer"): attributes must be a list, found "x"'],
  [
    'an attribute',
    { attributes: [{ value: 1 }] },
    'span 1 ("answer"): attributes must have { "key", "value" } as items, found an object with value',
  ],
  [
    'a value',
    { attributes: [pair('k', { odd: 1 })] },
    'span 1 ("answer"): attributes: "k" must be a value of OpenTelemetry',
  ],
  ['an integer', { attributes: [pair('k', { intValue: '1.5' })] }, 'attributes: "k" must be an integer, found "1.5"'],
  ['an event', { events: [7] }, 'span 1 ("answer"): event 1 must be an object, found 7'],
])('otlp refuses %s that is none, and names the span', async (_, span, problem) => {
  await expect(readFrom(request(span))).rejects.toThrow(problem)
})

test('otlp stands an attribute of 5 MB and half a surrogate pair', async () => {
  const long = `${'x'.repeat(5_000_000)}\ud800`
  const { traces } = await readFrom(request({ attributes: [pair('long', { stringValue: long })] }))
  expect(traces[0]?.spans[0]?.attributes.long).toBe(long)
})

test('otlp says which part of a file of ours is damaged', async () => {
  const trace = new Trace({ id: `tr-${TRACE}`, experiment: 'x', status: 'OK', requestTimeMs: 0, ...EMPTY } as TraceData)
  const text = String(await otlp.write?.([trace]))
  expect((await readFrom(text)).traces).toHaveLength(1)
  await expect(readFrom(text.replace('{\\"name\\"', '{name'))).rejects.toThrow(
    'span 1 ("root"): the attribute "vitest-evaluate.trace" is damaged',
  )
})

const EMPTY = {
  tags: {},
  metadata: {},
  assessments: [],
  spans: [
    { id: 'a'.repeat(16), name: 'root', type: 'CHAIN', startTimeNs: 1n, status: 'OK', attributes: {}, events: [] },
  ],
}

test('otlp writes what the specification wants', async () => {
  const trace = new Trace({ id: 'own-id', experiment: 'x', status: 'OK', requestTimeMs: 0, ...EMPTY } as TraceData)
  const { resourceSpans } = JSON.parse(String(await otlp.write?.([trace])))
  const [span] = resourceSpans[0].scopeSpans[0].spans
  expect(span).toMatchObject({
    traceId: expect.stringMatching(/^[\da-f]{32}$/),
    spanId: 'a'.repeat(16),
    kind: 1,
    startTimeUnixNano: '1',
    status: { code: 1 },
  })
  expect(span).not.toHaveProperty('endTimeUnixNano')
  expect(span.attributes[0]).toEqual(pair('mlflow.spanType', { stringValue: 'CHAIN' }))
})
