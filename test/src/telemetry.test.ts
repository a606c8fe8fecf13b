import { EventEmitter } from 'node:events'
import {
  type Span as ApiSpan,
  type Attributes,
  context,
  createContextKey,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Recording, TraceRecorder } from '../../src/recorder.ts'
import { sleep } from '../../src/std/async.ts'
import { type Listening, listen } from '../../src/telemetry.ts'
import { decodeSpans, type Span, spanDurationMs } from '../../src/trace.ts'
import { span } from '../../src/tracer.ts'

// Handed out before anybody listens, as by a library that is loaded first.
const tracer = trace.getTracer('library', '1.0')

let listening: Listening
beforeEach(async () => {
  listening = (await listen()) as Listening
})
afterEach(() => listening.stop())

async function recorded(fn: () => unknown, recording?: Recording): Promise<Span[]> {
  const recorder = new TraceRecorder(recording)
  await recorder.run(fn)
  const { spans } = recorder.finish(1)
  return spans === '' ? [] : decodeSpans(spans)
}

test('listen() finds no provider of the app, and records its spans with everything that they say', async () => {
  expect(listening.foreign).toBe(false)
  const [found] = await recorded(() => {
    const one = tracer.startSpan('raw', {
      kind: 2,
      startTime: [1_700_000_000, 123_456_789],
      attributes: { a: 1, b: undefined },
    })
    expect(one.isRecording()).toBe(true)
    one
      .setAttribute('c', ['x', 'y'])
      .setAttributes({ d: true })
      .addEvent('with attributes', { hits: 2 }, [1_700_000_000, 200_000_000])
      .addEvent('with a time', new Date(1_700_000_000_300))
      .updateName('renamed')
      .setStatus({ code: SpanStatusCode.OK })
      .addLink({ context: one.spanContext() })
      .addLinks([])
    one.end([1_700_000_001, 1])
    expect(one.isRecording()).toBe(false)
    one.setAttribute('late', 1).updateName('late').addEvent('late').setStatus({ code: SpanStatusCode.ERROR }).end()
  })
  expect(found).toMatchObject({
    name: 'renamed',
    status: 'OK',
    startTimeNs: 1_700_000_000_123_456_789n,
    endTimeNs: 1_700_000_001_000_000_001n,
    attributes: {
      a: 1,
      c: ['x', 'y'],
      d: true,
      'otel.scope.name': 'library',
      'otel.scope.version': '1.0',
      'otel.kind': 'CLIENT',
      'otel.links': [
        { traceId: expect.stringMatching(/^[0-9a-f]{32}$/), spanId: expect.stringMatching(/^[0-9a-f]{16}$/) },
      ],
    },
    events: [
      { name: 'with attributes', timeNs: 1_700_000_000_200_000_000n, attributes: { hits: 2 } },
      { name: 'with a time', timeNs: 1_700_000_000_300_000_000n, attributes: {} },
    ],
  })
})

test('times may be given in milliseconds since 1970 or since the process began, or left out', async () => {
  const spans = await recorded(async () => {
    tracer.startSpan('epoch', { startTime: 1_700_000_000_000.5 }).end(1_700_000_000_001)
    tracer.startSpan('process', { startTime: performance.now() }).end(performance.now() + 5)
    const now = tracer.startSpan('now')
    await sleep(5)
    now.end()
    tracer.startSpan('odd', { startTime: Number.NaN }).end()
  })
  expect(spans[0]).toMatchObject({ startTimeNs: 1_700_000_000_000_500_000n, endTimeNs: 1_700_000_000_001_000_000n })
  for (const one of spans.slice(1)) {
    expect(Math.abs(Number(one.startTimeNs / 1_000_000n) - Date.now())).toBeLessThan(5_000)
  }
  expect(spanDurationMs(spans[1] as Span)).toBeCloseTo(5, 0)
  expect(spanDurationMs(spans[2] as Span)).toBeGreaterThanOrEqual(4)
})

test('what is thrown is recorded as an event, as text, error or error with a code', async () => {
  const [found] = await recorded(() => {
    const one = tracer.startSpan('fails')
    one.recordException('just text')
    one.recordException(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))
    one.recordException(new TypeError('bad'))
    one.end()
  })
  expect(
    found?.events.map(({ name, attributes }) => [name, attributes['exception.type'], attributes['exception.message']]),
  ).toEqual([
    ['exception', undefined, 'just text'],
    ['exception', 'ECONNREFUSED', 'refused'],
    ['exception', 'TypeError', 'bad'],
  ])
})

test('spans of OpenTelemetry and of span() are parents of each other, across waits and in rows at the same time', async () => {
  const work = (name: string) =>
    recorded(() =>
      tracer.startActiveSpan(`${name} outer`, {}, async (outer) => {
        await sleep(Math.random() * 4)
        await span(`${name} own`, async () => {
          expect(trace.getActiveSpan()?.spanContext().traceId).toBe(outer.spanContext().traceId)
          await sleep(Math.random() * 4)
          tracer.startActiveSpan(`${name} inner`, {}, context.active(), (inner) => inner.end())
        })
        outer.end()
      }),
    )
  const rows = await Promise.all(Array.from({ length: 20 }, (_, i) => work(String(i))))
  for (const [i, spans] of rows.entries()) {
    expect(spans.map(({ name }) => name)).toEqual([`${i} outer`, `${i} own`, `${i} inner`])
    expect(spans[1]?.parentId).toBe(spans[0]?.id)
    expect(spans[2]?.parentId).toBe(spans[1]?.id)
  }
})

test('a context that was kept leads to its row, wherever it is used', async () => {
  const key = createContextKey('mine')
  const emitter = new EventEmitter()
  const spans = await recorded(() => {
    const bound = context.bind(context.active().setValue(key, 'kept'), (name: string) => {
      tracer.startSpan(`${name} ${String(context.active().getValue(key))}`).end()
      return name.length
    })
    expect(bound).toHaveLength(1)
    expect(context.bind(context.active(), emitter)).toBe(emitter)
    // As from a queue that another call works off.
    return new Promise<void>((done) => {
      context.with(ROOT_CONTEXT, () =>
        setTimeout(() => {
          expect(bound('from the queue')).toBe(14)
          done()
        }, 1),
      )
    })
  })
  expect(spans.map(({ name }) => name)).toEqual(['from the queue kept'])
})

test('what the app puts into a context stays there below further spans, and a context that it sets is the one in force', async () => {
  const key = createContextKey('mine')
  const seen: unknown[] = []
  const look = () => seen.push([context.active().getValue(key), trace.getActiveSpan()?.spanContext().spanId])
  const spans = await recorded(() => {
    look()
    context.with(context.active().setValue(key, 'kept'), () => {
      span('own', () => {
        look()
        span('deeper', look)
        context.with(ROOT_CONTEXT, look)
      })
      look()
    })
    expect(context.active()).toBe(context.active())
  })
  const [own, deeper] = spans.map(({ id }) => id)
  const root = spans[0]?.parentId
  expect(seen).toEqual([
    [undefined, root],
    ['kept', own],
    ['kept', deeper],
    [undefined, undefined],
    ['kept', root],
  ])
})

test('a context that carries the trace only, as after a request within the process, leads to its row', async () => {
  const spans = await recorded(() => {
    const outer = tracer.startSpan('request')
    const remote = trace.setSpanContext(ROOT_CONTEXT, { ...outer.spanContext(), isRemote: true })
    tracer.startSpan('served', {}, remote).end()
    outer.end()
  })
  expect(spans[1]?.parentId).toBe(spans[0]?.id)
})

test('outside a row nothing is recorded, and the app gets spans that do nothing', () => {
  const outside = tracer.startSpan('outside')
  expect(outside.isRecording()).toBe(false)
  expect(tracer.startActiveSpan('active', (one: ApiSpan) => one.isRecording())).toBe(false)
})

test('spans that come too late are counted, and those that never end have no end', async () => {
  const recording = new Recording()
  let later: Promise<void> | undefined
  const spans = await recorded(() => {
    tracer.startSpan('never ends').setAttribute('so far', 1)
    later = sleep(5).then(() => {
      tracer.startSpan('late').end()
      span('late too', () => 1)
    })
  }, recording)
  await later
  expect(spans).toMatchObject([{ name: 'never ends', attributes: { 'so far': 1 } }])
  expect(spans[0]).not.toHaveProperty('endTimeNs')
  expect(recording).toMatchObject({ arrived: 1, late: 2 })
})

test('attributes that are no data cost a note, not the row', async () => {
  const [found] = await recorded(() => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    tracer.startSpan('odd', { attributes: { fn: () => 1, cycle, fine: 1 } as unknown as Attributes }).end()
  })
  expect(found).toMatchObject({
    attributes: {
      fn: expect.stringMatching(/^\(not kept: .*function/),
      cycle: expect.stringContaining('cycle'),
      fine: 1,
    },
  })
})

test('10,000 spans of one row are kept, each below its parent', async () => {
  const spans = await recorded(() => {
    for (let i = 0; i < 100; i++) {
      tracer.startActiveSpan(`outer ${i}`, (outer) => {
        for (let j = 0; j < 99; j++) span('inner', () => j)
        outer.end()
      })
    }
  })
  expect(spans).toHaveLength(10_000)
  const children = spans.filter(({ name }) => name === 'inner')
  const names = new Map(spans.map(({ id, name }) => [id, name]))
  expect(children.map(({ parentId }) => names.get(parentId ?? ''))).toEqual(
    children.map((_, i) => `outer ${Math.floor(i / 99)}`),
  )
})

test('what is registered stays while somebody listens, and is gone afterwards', async () => {
  const second = (await listen()) as Listening
  second.stop()
  second.stop()
  expect((await recorded(() => tracer.startSpan('still').end())).map(({ name }) => name)).toEqual(['still'])
  listening.stop()
  expect(await recorded(() => tracer.startSpan('gone').end())).toEqual([])
  expect(context.with(ROOT_CONTEXT.setValue(createContextKey('x'), 1), () => context.active())).toBe(ROOT_CONTEXT)
})
