import { expect, test } from 'vitest'
import { TraceRecorder } from '../../src/recorder.ts'
import { sleep } from '../../src/std/async.ts'
import { decodeSpans, rootSpanId, type Span, spanDurationMs } from '../../src/trace.ts'
import { span, trace } from '../../src/tracer.ts'

/** Gives what a function returned and the spans that it opened, as they would be read back. */
async function recorded<T>(fn: () => T): Promise<{ result: Awaited<T>; spans: Span[]; root: string }> {
  const recorder = new TraceRecorder()
  const result = await recorder.run(fn)
  const { spans } = recorder.finish(12.5)
  return { result, spans: spans === '' ? [] : decodeSpans(spans), root: rootSpanId(recorder.id) }
}

test('span() outside an evaluation only runs the function', () => {
  expect(
    span('x', (open) => {
      open.setInputs(1)
      open.setOutputs(2)
      open.setAttributes({ a: 1 })
      return 'result'
    }),
  ).toBe('result')
  expect(() =>
    span('x', () => {
      throw new Error('as it was')
    }),
  ).toThrow('as it was')
})

test('span() records name, type, data and times, nested under the span that is open around it', async () => {
  const { result, spans, root } = await recorded(async () => {
    await span('search', { type: 'RETRIEVER', inputs: { q: 'why' }, attributes: { k: 3 } }, async (open) => {
      await sleep(5)
      span('rank', () => 'ranked')
      open.setAttributes({ hits: 2 })
      return ['doc']
    })
    return span('answer', { type: 'LLM' }, () => 'because')
  })
  expect(result).toBe('because')
  const [search, rank, answer] = spans as [Span, Span, Span]
  expect(spans).toMatchObject([
    {
      name: 'search',
      type: 'RETRIEVER',
      parentId: root,
      inputs: { q: 'why' },
      outputs: ['doc'],
      status: 'OK',
      attributes: { k: 3, hits: 2 },
    },
    { name: 'rank', type: 'UNKNOWN', parentId: search.id, outputs: 'ranked' },
    { name: 'answer', type: 'LLM', parentId: root, outputs: 'because' },
  ])
  expect(rank).not.toHaveProperty('inputs')
  expect(new Set(spans.map(({ id }) => id)).size).toBe(3)
  expect(spanDurationMs(search)).toBeGreaterThanOrEqual(4)
  expect(search.startTimeNs <= rank.startTimeNs && (rank.endTimeNs as bigint) <= (search.endTimeNs as bigint)).toBe(
    true,
  )
  expect(answer.startTimeNs).toBeGreaterThanOrEqual(search.endTimeNs as bigint)
})

test('span() keeps traces that are recorded at the same time apart', async () => {
  const work = (name: string) =>
    recorded(async () => {
      await sleep(Math.random() * 5)
      await Promise.all([
        span(`${name}1`, () => sleep(3)),
        span(`${name}2`, () => sleep(1).then(() => span(`${name}3`, () => 1))),
      ])
    })
  const all = await Promise.all(Array.from({ length: 10 }, (_, i) => work(`${i}.`)))
  all.forEach(({ spans, root }, i) => {
    expect(spans.map(({ name }) => name).toSorted()).toEqual([`${i}.1`, `${i}.2`, `${i}.3`])
    const [one, two, three] = spans.toSorted((a, b) => (a.name < b.name ? -1 : 1))
    expect([one?.parentId, two?.parentId, three?.parentId]).toEqual([root, root, two?.id])
  })
})

test('span() records what is thrown, and throws it on', async () => {
  const thrown = new RangeError('too far')
  for (const fail of [
    () => {
      throw thrown
    },
    () => Promise.reject(thrown),
  ]) {
    const { spans } = await recorded(async () => {
      await expect((async () => span('fails', fail))()).rejects.toBe(thrown)
    })
    expect(spans).toMatchObject([
      {
        status: 'ERROR',
        statusMessage: 'too far',
        events: [
          {
            name: 'exception',
            attributes: {
              'exception.type': 'RangeError',
              'exception.message': 'too far',
              'exception.stacktrace': expect.stringContaining('tracer.test'),
            },
          },
        ],
      },
    ])
    expect(spans[0]?.endTimeNs).toBe(spans[0]?.events[0]?.timeNs)
  }
  const { spans } = await recorded(() => Promise.resolve(span('odd', () => Promise.reject(7))).catch(() => {}))
  expect(spans[0]).toMatchObject({ status: 'ERROR', statusMessage: '7' })
})

test('span() prefers outputs that were set, whenever that was', async () => {
  const { spans } = await recorded(() => {
    span('set', (open) => {
      open.setInputs('changed')
      open.setOutputs('summary')
      return 'a very long answer'
    })
    span('undefined', (open) => {
      open.setOutputs(undefined)
      return 1
    })
  })
  expect(spans).toMatchObject([{ inputs: 'changed', outputs: 'summary' }, { outputs: undefined }])
})

test('a span whose data cannot be kept says so, and costs nothing else', async () => {
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  const { spans } = await recorded(() => {
    span('a', { inputs: () => 1, attributes: { a: 1 } }, () => cycle)
    span('b', { inputs: 1 }, () => 2)
  })
  expect(spans).toMatchObject([
    {
      name: 'a',
      inputs: expect.stringContaining('not kept'),
      outputs: expect.stringContaining('cycle'),
      attributes: { a: 1 },
    },
    { name: 'b', inputs: 1, outputs: 2 },
  ])
})

test('a span that is still open when its trace ends has no end', async () => {
  const { spans } = await recorded(() => {
    void span('open', () => sleep(50))
  })
  expect(spans).toMatchObject([{ name: 'open', status: 'UNSET' }])
  expect(spans[0]).not.toHaveProperty('endTimeNs')
})

test('trace() gives the same function, recorded with its arguments', async () => {
  const add = trace(
    function add(a: number, b: number) {
      return a + b
    },
    { type: 'TOOL', attributes: { unit: 'm' } },
  )
  const shout = trace(async (text: string) => text.toUpperCase(), { name: 'shout' })
  expect(add(1, 2)).toBe(3)
  const { result, spans } = await recorded(async () => [add(1, 2), await shout('a'), trace(() => 0)()])
  expect(result).toEqual([3, 'A', 0])
  expect(spans).toMatchObject([
    { name: 'add', type: 'TOOL', inputs: [1, 2], outputs: 3, attributes: { unit: 'm' } },
    { name: 'shout', type: 'UNKNOWN', inputs: 'a', outputs: 'A' },
    { name: 'anonymous', inputs: [], outputs: 0 },
  ])
})

test('TraceRecorder.finish() gives the wall-clock start and a duration in nanoseconds', () => {
  const recorder = new TraceRecorder()
  const { requestTimeMs, requestTimeSubNs, durationNs, spans } = recorder.finish(1.5)
  expect(Math.abs(requestTimeMs - Date.now())).toBeLessThan(1_000)
  expect(requestTimeSubNs).toBeGreaterThanOrEqual(0)
  expect(requestTimeSubNs).toBeLessThan(1_000_000)
  expect([durationNs, spans]).toEqual([1_500_000, ''])
})

test('trace() in the place of a method passes `this` on', async () => {
  const index = {
    size: 3,
    find: trace(function (this: { size: number }, n: number) {
      return this.size + n
    }),
  }
  expect(index.find(1)).toBe(4)
  const { result, spans } = await recorded(() => index.find(2))
  expect(result).toBe(5)
  expect(spans).toMatchObject([{ inputs: 2, outputs: 5 }])
})

test('span() and trace() refuse what is no name and no function, also outside an evaluation', async () => {
  const refusals: readonly [() => unknown, string][] = [
    [() => span(undefined as never, () => 1), 'Cannot open a span: its name must be a string, found undefined'],
    [() => span('x', undefined as never), 'Cannot open the span "x": expected a function to run, found undefined'],
    [() => span('x', {}, 3 as never), 'Cannot open the span "x": expected a function to run, found 3'],
    [() => trace('x' as never), 'Cannot trace "x": expected a function'],
  ]
  for (const [refused, message] of refusals) {
    expect(refused).toThrow(new TypeError(message))
    await expect(recorded(refused)).rejects.toThrow(message)
  }
})
