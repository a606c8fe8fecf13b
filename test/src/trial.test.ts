import { expect, test } from 'vitest'
import { runEvaluation } from '../../src/evaluate.ts'
import type { RunRecord } from '../../src/run.ts'
import { scorer } from '../../src/scorer.ts'
import { decode } from '../../src/std/json.ts'
import type { Store } from '../../src/store.ts'
import { Trace } from '../../src/trace.ts'
import { span } from '../../src/tracer.ts'
import { TraceSet } from '../../src/traceset.ts'
import { evaluation, STORES, storedOf } from '../data/evaluation.ts'

const KINDS = Object.entries(STORES)
const rowsOf = (store: Store, run: RunRecord) => new TraceSet(async () => store, { runId: run.id })
const nothing = scorer('nothing', () => true)

/** A trace such as production would have recorded. */
function recorded(more: Partial<ConstructorParameters<typeof Trace>[0]> = {}): Trace {
  return new Trace({
    id: `tr-${'5'.repeat(32)}`,
    name: 'answer',
    experiment: 'production',
    status: 'OK',
    requestTimeMs: 1_000,
    durationMs: 20,
    tags: { env: 'prod' },
    metadata: { commit: 'abc' },
    inputs: { q: 'why' },
    outputs: 'because',
    spans: [],
    assessments: [],
    ...more,
  })
}

test.for(KINDS)(
  'a row becomes a trace with inputs, outputs, tags, times, spans and expectations (%s)',
  async ([, make]) => {
    const store = make()
    const before = Date.now()
    const run = await runEvaluation(
      evaluation({
        data: [
          {
            inputs: { q: 'why' },
            expectations: { answer: 'because', none: null, un: undefined, list: [1] },
            tags: { lang: 'en' },
          },
        ],
        store,
        predict: async function answer() {
          await span('search', { type: 'RETRIEVER', inputs: 'why' }, async () => ['doc'])
          return 'because'
        },
        scorers: [
          scorer('spans', ({ trace }) =>
            trace
              .searchSpans()
              .map(({ name }) => name)
              .join(),
          ),
        ],
      }),
    )
    const [stored] = await storedOf(store, run)
    expect(stored?.trace).toMatchObject({
      name: 'answer',
      experiment: 'exp',
      status: 'OK',
      tags: { lang: 'en' },
      metadata: {},
    })
    expect([stored?.trace.inputs, stored?.trace.outputs]).toEqual(['{"q":"why"}', '"because"'])
    expect(stored?.trace.requestTimeMs).toBeGreaterThanOrEqual(before - 2)
    expect(stored?.trace.durationNs).toBeGreaterThan(0)
    expect(stored?.assessments).toMatchObject([
      { kind: 'expectation', name: 'answer', value: 'because', source: { type: 'HUMAN', id: 'row' }, runId: run.id },
      { kind: 'expectation', name: 'list', value: [1] },
      { kind: 'feedback', name: 'spans', value: 'answer,search', scorer: 'spans', runId: run.id },
    ])
    const [trace] = await rowsOf(store, run).toArray()
    expect(trace?.spans.map(({ name, type, parentId }) => [name, type, parentId])).toEqual([
      ['answer', 'CHAIN', undefined],
      ['search', 'RETRIEVER', trace?.root?.id],
    ])
  },
)

test('a row takes its own id, else the digest of its inputs; equal ones are numbered', async () => {
  const store = STORES.memory()
  const run = await runEvaluation(
    evaluation({
      data: [
        { inputs: { a: 1, b: 2 } },
        { inputs: { b: 2, a: 1 } },
        { id: 'mine', inputs: 1 },
        { id: 'mine', inputs: 2 },
      ],
      store,
      predict: () => 1,
    }),
  )
  const ids = (await storedOf(store, run)).map(({ trial }) => trial?.rowId)
  expect(ids).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), `${ids[0]}#2`, 'mine', 'mine#2'])
})

test.for(KINDS)('a row that is no data fails alone, before predict is called (%s)', async ([, make]) => {
  const store = make()
  let called = 0
  const run = await runEvaluation(
    evaluation({
      data: [
        { inputs: () => 1 },
        { id: 'named', inputs: 1, expectations: { check: () => true } },
        { inputs: 2, expectations: { deep: { symbol: Symbol('s') } } },
        { inputs: 2, expectations: { symbol: Symbol('s') } },
        { inputs: 3, expectations: { big: 2n ** 70n } },
      ],
      store,
      predict: () => ++called,
    }),
  )
  expect(called).toBe(1)
  expect(run.totals).toMatchObject({ rows: 5, failed: 4, failedCodes: { ROW_NOT_DATA: 4 } })
  const stored = await storedOf(store, run)
  expect(stored.map(({ trial }) => [trial?.rowId.slice(0, 5), trial?.attempts, trial?.error?.message])).toEqual([
    ['row-1', 0, 'inputs is the function "inputs", which cannot be kept'],
    ['named', 0, 'expectations.check is the function "check", which cannot be kept'],
    ['row-3', 0, 'expectations.deep.symbol is a symbol, which cannot be kept'],
    ['row-4', 0, 'expectations.symbol is a symbol, which cannot be kept'],
    [expect.any(String), 1, undefined],
  ])
  expect(stored[4]?.assessments[0]?.value).toBe(2n ** 70n)
})

test('what predict does to its inputs changes neither what is kept nor what is counted', async () => {
  const store = STORES.memory()
  const run = await runEvaluation(
    evaluation({
      data: [{ inputs: { list: [1] } }],
      store,
      predict: (inputs) => {
        inputs.list.push(2)
        return inputs
      },
    }),
  )
  const [stored] = await storedOf(store, run)
  expect([stored?.trace.inputs, stored?.trace.outputs]).toEqual(['{"list":[1]}', '{"list":[1,2]}'])
})

test.for(KINDS)('a trace as data is scored as it was recorded, and linked, not copied (%s)', async ([, make]) => {
  const store = make()
  const trace = recorded()
  const scorers = [scorer('short', ({ outputs, trace }) => outputs.length < 10 && trace.tags.env === 'prod')]
  const first = await runEvaluation(evaluation({ data: [trace], store, scorers }))
  const second = await runEvaluation(evaluation({ data: [trace], store, scorers }))
  expect(first.columns[0]).toMatchObject({ passed: 1 })
  for (const run of [first, second]) {
    const [stored] = await storedOf(store, run)
    expect(stored?.trace).toMatchObject({ id: trace.id, experiment: 'production', metadata: { commit: 'abc' } })
    expect(stored?.assessments).toHaveLength(1)
  }
  expect(await store.count({})).toBe(1)
})

test('a trace that ended in an error is a failed row, unless the row states outputs', async () => {
  const store = STORES.memory()
  const { outputs: _, ...data } = recorded({ status: 'ERROR' })
  const trace = new Trace(data)
  const run = await runEvaluation(
    evaluation({ data: [trace, { trace, outputs: 'mended' }], store, scorers: [nothing] }),
  )
  expect(run.totals).toMatchObject({ rows: 2, failed: 1, failedCodes: { TRACE_FAILED: 1 } })
  const stored = await storedOf(store, run)
  expect(stored.map(({ trial, trace }) => [trial?.status, trace.status, trial?.parentTraceId])).toEqual([
    ['failed', 'ERROR', undefined],
    ['ok', 'OK', trace.id],
  ])
})

test.for(KINDS)('a row that states other outputs than its trace keeps what was scored (%s)', async ([, make]) => {
  const store = make()
  const spans = [
    { id: '1'.repeat(16), name: 'root', type: 'CHAIN', startTimeNs: 1n, status: 'OK', attributes: {}, events: [] },
  ] as const
  const trace = recorded({ spans })
  const tool = scorer('seen', ({ outputs, trace }) => `${outputs} ${trace.root?.name}`)
  const run = await runEvaluation(evaluation({ data: [{ trace, outputs: 'better' }], store, scorers: [tool] }))
  const [stored] = await storedOf(store, run)
  expect(stored?.assessments[0]?.value).toBe('better root')
  expect(decode(stored?.trace.outputs ?? '')).toBe('better')
  expect(stored?.trial?.parentTraceId).toBe(trace.id)
  expect(stored?.trace.id).not.toBe(trace.id)
  expect((await rowsOf(store, run).toArray())[0]?.root?.name).toBe('root')
})

test.for(KINDS)(
  'rows evaluated again keep their ids, expectations, tags and parent, link after link (%s)',
  async ([, make]) => {
    const store = make()
    const data = Array.from({ length: 6 }, (_, i) => ({
      inputs: i,
      expectations: { even: i % 2 === 0, deep: { i } },
      tags: { t: `${i}` },
    }))
    const even = scorer('right', ({ outputs, expectations }) => outputs === expectations.even)
    const first = await runEvaluation(evaluation({ data, store, predict: () => true, scorers: [even] }))
    const failed = rowsOf(store, first).filter((trace) => trace.assessments.some(({ value }) => value === false))
    const second = await runEvaluation(
      evaluation({ data: failed, store, predict: () => true, scorers: [even], parentRunId: first.id }),
    )
    const third = await runEvaluation(
      evaluation({ data: rowsOf(store, second), store, predict: () => false, scorers: [even] }),
    )
    expect([first, second, third].map(({ columns }) => [columns[0]?.passed, columns[0]?.rows])).toEqual([
      [3, 6],
      [0, 3],
      [3, 3],
    ])
    const [one, two, three] = await Promise.all([first, second, third].map((run) => storedOf(store, run)))
    const odd = one?.filter(({ trial }) => trial && trial.index % 2 === 1)
    for (const later of [two, three]) {
      expect(later?.map(({ trial }) => trial?.rowId)).toEqual(odd?.map(({ trial }) => trial?.rowId))
      expect(later?.map(({ trace }) => trace.tags)).toEqual(odd?.map(({ trace }) => trace.tags))
    }
    expect(two?.map(({ trial }) => trial?.parentTraceId)).toEqual(odd?.map(({ trace }) => trace.id))
    expect(three?.map(({ trial }) => trial?.parentTraceId)).toEqual(two?.map(({ trace }) => trace.id))
    expect(
      three?.[0]?.assessments.filter(({ kind }) => kind === 'expectation').map(({ name, value }) => [name, value]),
    ).toEqual([
      ['even', false],
      ['deep', { i: 1 }],
    ])
  },
)

test.for(KINDS)(
  'rescoring rows without predict adds no expectation that is there already, and brings them into another store (%s)',
  async ([, make]) => {
    const [store, other] = [make(), make()]
    const data = [{ inputs: 1, expectations: { a: { y: 1, x: [2n] }, b: 'old' } }]
    const first = await runEvaluation(evaluation({ data, store, predict: () => 1 }))
    const kept = async (where: Store, run: RunRecord) =>
      (await storedOf(where, run)).flatMap(({ assessments }) => assessments.map(({ name, value }) => [name, value]))
    const again = await runEvaluation(evaluation({ data: rowsOf(store, first), store, scorers: [nothing] }))
    expect(await kept(store, again)).toEqual([
      ['a', { y: 1, x: [2n] }],
      ['b', 'old'],
      ['nothing', true],
    ])
    const elsewhere = await runEvaluation(evaluation({ data: rowsOf(store, first), store: other, scorers: [nothing] }))
    expect(await kept(other, elsewhere)).toEqual([
      ['a', { y: 1, x: [2n] }],
      ['b', 'old'],
      ['nothing', true],
    ])
    const [trace] = await rowsOf(store, first).toArray()
    const changed = [{ trace, expectations: { a: { x: [2n], y: 1 }, b: 'new' } }]
    const third = await runEvaluation(
      evaluation({ data: changed, store, scorers: [scorer('b', ({ expectations }) => expectations.b)] }),
    )
    const values = (await kept(store, third)).filter(([name]) => name === 'b').map(([, value]) => value)
    expect(values).toEqual(['old', 'new', 'new'])
  },
)
