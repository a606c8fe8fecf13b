import { expect, test } from 'vitest'
import type { Assessment } from '../../src/feedback.ts'
import { scorer } from '../../src/scorer.ts'
import { type Span, Trace, type TraceData } from '../../src/trace.ts'
import { span } from '../../src/tracer.ts'
import { TraceSet } from '../../src/traceset.ts'
import { evaluate } from '../../src/workspace.ts'
import { STORES } from '../data/evaluation.ts'

/** Traces as the data of an evaluation. */

const KINDS = Object.entries(STORES)
const right = scorer('right', ({ outputs, expectations }) => outputs === expectations.answer)

function expectation(name: string, value: unknown): Assessment {
  const source = { type: 'HUMAN', id: 'anna' } as const
  return { id: name, kind: 'expectation', name, traceId: 'x', value, source, createdAt: 1, updatedAt: 1, valid: true }
}

function recorded(n: number, more: Partial<TraceData> = {}): Trace {
  const step: Span = {
    id: `000000000000000${n}`,
    name: 'chat',
    type: 'CHAT_MODEL',
    startTimeNs: 1_700_000_000_000_000_001n,
    endTimeNs: 1_700_000_000_000_000_002n,
    status: 'OK',
    attributes: { temperature: 0 },
    events: [],
  }
  return new Trace({
    id: `tr-${n}`,
    experiment: 'production',
    status: 'OK',
    requestTimeMs: 1_700_000_000_000 + n,
    tags: { env: 'prod' },
    metadata: {},
    inputs: { n },
    outputs: n * 2,
    spans: [step],
    assessments: [expectation('answer', n * 2), expectation('tone', 'calm')],
    ...more,
  })
}

test.for(KINDS)('expectations come from the trace unless the row states its own (%s)', async ([, make]) => {
  const store = make()
  const seen: unknown[] = []
  const looks = scorer('looks', ({ expectations }) => {
    seen.push({ ...expectations })
    return true
  })
  const data = [{ trace: recorded(1) }, { trace: recorded(2), expectations: { answer: 'own' } }]
  const run = await evaluate(data, [right, looks], { store })
  expect(seen).toEqual([
    { answer: 2, tone: 'calm' },
    { answer: 'own', tone: 'calm' },
  ])
  expect(run.metrics['right/mean']).toBe(0.5)
  const again = await run.search().toArray()
  expect(again.map(({ expectations }) => ({ ...expectations }))).toEqual(seen)
})

test('with predict the inputs of a trace are run again, into a new trace that knows the old one', async () => {
  const store = STORES.memory()
  const run = await evaluate([recorded(1), recorded(2)], async ({ n }) => span('again', () => n + 1), [right], {
    store,
  })
  expect(run.metrics['right/mean']).toBe(0.5)
  const stored = await Array.fromAsync(store.search({ runId: run.id }))
  expect(stored.map(({ trial }) => trial?.parentTraceId)).toEqual(['tr-1', 'tr-2'])
  const found = await run.search().toArray()
  expect(found.map(({ outputs, spans }) => [outputs, spans.at(-1)?.name])).toEqual([
    [2, 'again'],
    [3, 'again'],
  ])
})

test.for(KINDS)('a store is data: all of its traces (%s)', async ([, make]) => {
  const store = make()
  await evaluate([recorded(1), recorded(2)], [right], { store, name: 'first' })
  const run = await evaluate(store, [right], { store: STORES.memory(), name: 'second' })
  expect(run).toMatchObject({ totals: { rows: 2 }, metrics: { 'right/mean': 1 } })
  const some = await evaluate(new TraceSet(async () => store, { limit: 1 }), [right], { store: STORES.memory() })
  expect(some.totals.rows).toBe(1)
})

test('scorers cannot change a trace that others see', async () => {
  const attempts: ((trace: any) => void)[] = [
    (trace) => trace.spans.push({}),
    (trace) => {
      trace.spans[0].name = 'changed'
    },
    (trace) => {
      trace.spans[0].attributes.temperature = 1
    },
    (trace) => {
      trace.inputs.n = 9
    },
    (trace) => {
      trace.outputs = 9
    },
    (trace) => {
      trace.tags.env = 'test'
    },
    (trace) => trace.assessments.pop(),
  ]
  const meddles = attempts.map((change, i) =>
    scorer(`meddles ${i}`, ({ trace }) => {
      change(trace)
      return true
    }),
  )
  const own = recorded(1)
  const looks = scorer('looks', ({ trace }) => {
    expect({ ...trace }).toMatchObject({ inputs: { n: 1 }, outputs: 2, tags: { env: 'prod' } })
    expect(trace.spans).toEqual(own.spans)
    expect(trace.assessments).toHaveLength(2)
    return true
  })
  const run = await evaluate([own], [...meddles, looks], { store: STORES.memory() })
  expect(run.columns.looks).toMatchObject({ scored: 1, passed: 1 })
  for (const { name } of meddles) expect(run.columns[name]).toMatchObject({ errorCodes: { SCORER_THREW: 1 } })
  // What the caller holds stays as free as it was.
  Object.assign(own.inputs as object, { n: 5 })
  expect(own.inputs).toEqual({ n: 5 })
})
