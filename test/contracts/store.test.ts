import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { test as base, expect } from 'vitest'
import type { FilterNode } from '../../src/filter.ts'
import { parseFilter } from '../../src/grammar.ts'
import { parseOrder, type TraceOrder } from '../../src/order.ts'
import { encode } from '../../src/std/json.ts'
import type { AssessmentWrite, Store, StoredTrace, TraceWrite, TrialWrite } from '../../src/store.ts'
import { toTrace } from '../../src/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { sortKey } from '../../src/subject.ts'
import { encodeSpans, type Span } from '../../src/trace.ts'
import { runRecord } from '../data/records.ts'

const KINDS: Record<string, () => Store> = {
  memory: () => memory(),
  sqlite: () => sqlite(join(mkdtempSync(join(tmpdir(), 'store-')), 'store.sqlite')),
}

function each(criterion: string, check: (store: Store) => Promise<void>): void {
  for (const [kind, make] of Object.entries(KINDS)) {
    base(`${kind} ${criterion}`, async () => {
      const store = make()
      try {
        await check(store)
      } finally {
        await store.close()
      }
    })
  }
}

let traces = 0

function traceWrite(overrides: Partial<TraceWrite> = {}): TraceWrite {
  traces++
  return {
    id: `tr-${String(traces).padStart(32, '0')}`,
    experiment: 'exp',
    name: 'answer',
    status: 'OK',
    requestTimeMs: 1_000 + traces,
    requestTimeSubNs: 123_456,
    durationNs: 5_000_000,
    tags: {},
    metadata: {},
    inputs: encode({ question: 'why' }),
    outputs: encode('because'),
    spans: '',
    ...overrides,
  }
}

function feedback(name: string, value: unknown, extra: Partial<AssessmentWrite> = {}): AssessmentWrite {
  const source = { type: 'CODE', id: 'scorer' } as const
  return {
    kind: 'feedback',
    name,
    ...(value !== undefined && { value }),
    source,
    scorer: 'scorer',
    createdAt: 5,
    ...extra,
  }
}

function trial(index: number, overrides: Partial<TrialWrite> = {}): TrialWrite {
  return {
    index,
    repeat: 0,
    rowId: `row-${index}`,
    status: 'ok',
    attempts: 1,
    trace: traceWrite(),
    assessments: [],
    ...overrides,
  }
}

async function found(store: Store, query: Parameters<Store['search']>[0]): Promise<StoredTrace[]> {
  return Array.fromAsync(store.search(query))
}

each('keeps runs, newest first, and replaces their records', async (store) => {
  const first = runRecord({ id: 'run_a', name: 'one', startedAt: 1 })
  await store.createRun(first)
  await store.createRun(runRecord({ id: 'run_b', name: 'two', startedAt: 2 }))
  await store.createRun(runRecord({ id: 'run_c', name: 'one', startedAt: 3, experiment: 'other' }))
  expect((await store.listRuns()).map(({ id }) => id)).toEqual(['run_c', 'run_b', 'run_a'])
  expect((await store.listRuns({ limit: 1 })).map(({ id }) => id)).toEqual(['run_c'])
  expect((await store.listRuns({ name: 'one' })).map(({ id }) => id)).toEqual(['run_c', 'run_a'])
  expect((await store.listRuns({ experiment: 'exp' })).map(({ id }) => id)).toEqual(['run_b', 'run_a'])
  await store.updateRun({ ...first, status: 'finished' })
  expect(await store.getRun('run_a')).toEqual({ ...first, status: 'finished' })
  expect(await store.getRun('run_z')).toBeUndefined()
  await expect(store.updateRun(runRecord({ id: 'run_z' }))).rejects.toThrow('it does not exist')
})

each('gives the trials of a run in the order of its rows, with everything that was written', async (store) => {
  await store.createRun(runRecord({ id: 'run_a' }))
  const spans = [
    {
      id: 'a'.repeat(16),
      parentId: 'b'.repeat(16),
      name: 's',
      type: 'TOOL',
      startTimeNs: '1795246132129553249',
      status: 'OK',
      attributes: {},
    },
  ]
  const written = [
    trial(2, { status: 'failed', error: { code: 'PREDICT_THREW', message: 'boom', stack: 'at x' }, attempts: 3 }),
    trial(0, {
      parentTraceId: 'tr-parent',
      trace: traceWrite({
        tags: { env: 'prod', __proto__x: 'y' },
        metadata: { source: 'app' },
        sessionId: 's1',
        inputs: encode({ big: 2n ** 80n, none: undefined }),
        outputs: encode(`long ${'text '.repeat(1_000)}`),
        spans: encode(spans),
      }),
      assessments: [
        feedback('safe', true, { durationMs: 1.5, runId: 'run_a' }),
        feedback('score', 0.25, { runId: 'run_a', rationale: 'why not', metadata: { n: 1, s: 'x', b: false } }),
        feedback('tone', 'for\ud800mal', {
          runId: 'run_a',
          source: { type: 'LLM_JUDGE', id: 'gpt' },
          spanId: 'a'.repeat(16),
        }),
        feedback('parts', { a: 1, b: 'x' }, { runId: 'run_a' }),
        feedback('broken', undefined, {
          runId: 'run_a',
          error: { code: 'SCORER_THREW', message: 'no', stack: 'at y' },
        }),
        {
          kind: 'expectation',
          name: 'answer',
          value: { deep: [1, null, 2n] },
          source: { type: 'HUMAN', id: 'me' },
          createdAt: 7,
        },
      ],
    }),
    trial(1, { repeat: 1 }),
    trial(1),
  ]
  for (const one of written) await store.writeTrial('run_a', one)
  await store.flush()
  const all = await found(store, { runId: 'run_a' })
  expect(all.map(({ trial: t }) => [t?.index, t?.repeat])).toEqual([
    [0, 0],
    [1, 0],
    [1, 1],
    [2, 0],
  ])
  const byIndex = [written[1], written[3], written[2], written[0]] as TrialWrite[]
  all.forEach((stored, i) => {
    const { trace, assessments, ...rest } = byIndex[i] as TrialWrite
    expect(stored.trial).toEqual({ ...rest, runId: 'run_a' })
    expect(stored.trace).toEqual(trace)
    expect(stored.assessments).toEqual(
      assessments.map((one, n) => ({
        ...one,
        id: `${trace.id}.${n}`,
        traceId: trace.id,
        updatedAt: one.createdAt,
        valid: true,
      })),
    )
  })
  const rebuilt = toTrace(all[0] as StoredTrace)
  expect(rebuilt.inputs).toEqual({ big: 2n ** 80n, none: undefined })
  expect(rebuilt.searchSpans({ type: 'TOOL' })[0]?.startTimeNs).toBe(1795246132129553249n)
  expect(rebuilt.root?.id).toBe((all[0] as StoredTrace).trace.id.slice(-16))
  expect((await found(store, { runId: 'run_a', includeSpans: false }))[0]?.trace.spans).toBe('')
})

each('gives pages of more rows than fit one page, and stops when nobody asks for more', async (store) => {
  await store.createRun(runRecord({ id: 'run_a' }))
  for (let i = 0; i < 1_203; i++) await store.writeTrial('run_a', trial(i))
  await store.flush()
  expect((await found(store, { runId: 'run_a' })).map((one) => one.trial?.index)).toEqual(
    Array.from({ length: 1_203 }, (_, i) => i),
  )
  expect(await found(store, { runId: 'run_a', limit: 501 })).toHaveLength(501)
  expect(await store.count({ runId: 'run_a' })).toBe(1_203)
  const newest = await found(store, {})
  expect(newest).toHaveLength(1_203)
  expect(newest.map(({ trace }) => trace.requestTimeMs)).toEqual(
    newest.map(({ trace }) => trace.requestTimeMs).sort((a, b) => b - a),
  )
})

each('lets two runs evaluate one trace, each with its own Feedback', async (store) => {
  await store.createRun(runRecord({ id: 'run_a' }))
  await store.createRun(runRecord({ id: 'run_b' }))
  const trace = traceWrite()
  const expectation: AssessmentWrite = {
    kind: 'expectation',
    name: 'e',
    value: 'x',
    source: { type: 'HUMAN', id: 'row' },
    createdAt: 1,
  }
  await store.writeTrial(
    'run_a',
    trial(0, { trace, assessments: [expectation, feedback('safe', 'no', { runId: 'run_a' })] }),
  )
  await store.writeTrial('run_b', trial(0, { trace, assessments: [feedback('safe', 'yes', { runId: 'run_b' })] }))
  await store.flush()
  const [inA] = await found(store, { runId: 'run_a' })
  const [inB] = await found(store, { runId: 'run_b' })
  expect(inA?.assessments.map(({ value }) => value)).toEqual(['x', 'no'])
  expect(inB?.assessments.map(({ value }) => value)).toEqual(['x', 'yes'])
  expect(await store.count({ runId: 'run_b', filter: parseFilter("feedback.safe = 'no'") })).toBe(0)
  expect(await store.count({ filter: parseFilter("feedback.safe = 'no' AND run_id = 'run_b'") })).toBe(1)
  expect(await store.count({})).toBe(1)
})

each('keeps what was overridden before it came, and when it was last changed', async (store) => {
  const trace = traceWrite()
  const old = feedback('safe', 'no', { id: 'old', valid: false, createdAt: 5, updatedAt: 7 })
  const now = feedback('safe', 'yes', { overrides: 'old', createdAt: 6 })
  await store.writeTraces([{ trace, assessments: [old, now] }])
  const [found] = await Array.fromAsync(store.search({ traceId: trace.id }))
  expect(
    found?.assessments.map(({ value, valid, createdAt, updatedAt }) => [value, valid, createdAt, updatedAt]),
  ).toEqual([
    ['no', false, 5, 7],
    ['yes', true, 6, 6],
  ])
  expect(await store.count({ filter: parseFilter("feedback.safe = 'no'") })).toBe(0)
  await store.deleteAssessment(`${trace.id}.1`)
  expect(await store.count({ filter: parseFilter("feedback.safe = 'no'") })).toBe(1)
})

each('overrides an assessment, and brings the old one back when the new one is deleted', async (store) => {
  const trace = traceWrite()
  expect(await store.writeTraces([{ trace, assessments: [feedback('safe', 'no')] }])).toBe(1)
  const other = { trace: traceWrite(), assessments: [feedback('other', 1)] }
  const twice = { trace, assessments: [feedback('safe', 'written twice'), feedback('more', 2)] }
  expect(await store.writeTraces([twice, other, other])).toBe(1)
  expect((await found(store, { traceId: other.trace.id }))[0]?.assessments).toHaveLength(1)
  const id = `${trace.id}.0`
  const person = { type: 'HUMAN', id: 'me' } as const
  const override = await store.logAssessment(
    trace.id,
    feedback('safe', 'yes', { overrides: id, source: person, createdAt: 9 }),
  )
  const [after] = await found(store, { traceId: trace.id })
  expect(after?.assessments.map(({ value, valid, overrides }) => [value, valid, overrides])).toEqual([
    ['no', false, undefined],
    ['yes', true, id],
  ])
  expect(await store.count({ filter: parseFilter("feedback.safe = 'no'") })).toBe(0)
  expect(await store.deleteAssessment(override.id)).toBe(true)
  expect(await store.deleteAssessment(override.id)).toBe(false)
  expect(await store.count({ filter: parseFilter("feedback.safe = 'no'") })).toBe(1)
  await expect(store.logAssessment('tr-none', feedback('x', 1))).rejects.toThrow('there is no trace "tr-none"')
  await expect(store.logAssessment(trace.id, feedback('x', 1, { overrides: 'tr-none.0' }))).rejects.toThrow(
    'does not exist',
  )
})

each('keeps names and values such as __proto__, line ends and ten thousand characters', async (store) => {
  const names = ['__proto__', 'constructor', '../x', 'a\nb', ' ', 'ü'.repeat(10_000)]
  await store.createRun(runRecord({ id: 'run_a', name: names.join() }))
  const assessments = names.map((name) => feedback(name, name, { runId: 'run_a' }))
  await store.writeTrial('run_a', trial(0, { rowId: '__proto__', assessments }))
  await store.flush()
  const [stored] = await found(store, { runId: 'run_a' })
  expect(stored?.assessments.map(({ name, value }) => [name, value])).toEqual(names.map((name) => [name, name]))
  expect((await store.listRuns({ name: names.join() })).map(({ id }) => id)).toEqual(['run_a'])
  expect(await store.count({ runId: 'run_a', filter: parseFilter("feedback.`__proto__` = '__proto__'") })).toBe(1)
})

const NAMES = ['a', 'b', '__proto__', 'x y']
const VALUES = [true, false, 'yes', 'no', 'true', '1', '0.5', '', 'Ünï%_', 1, 0.5, 0, -1, { k: 1 }, ['x', 2], undefined]
const LITERALS = [
  true,
  false,
  "'yes'",
  "'no'",
  "'true'",
  "'1'",
  "'0.5'",
  "''",
  '1',
  '0.5',
  '0',
  '-1',
  `'{"k":1}'`,
  "'Ünï%_'",
]

const fieldArb = fc.oneof(
  fc.constantFrom(...NAMES).map((name) => `feedback.\`${name}\``),
  fc.constantFrom(...NAMES).map((name) => `expectation.\`${name}\``),
)
const textFieldArb = fc.constantFrom(
  'tag.a',
  'tag.`x y`',
  'metadata.a',
  'status',
  'name',
  'session_id',
  'run_id',
  'trace_id',
)
const numberFieldArb = fc.constantFrom('timestamp_ms', 'execution_time_ms', 'end_time_ms')
const literalArb = fc.constantFrom(...LITERALS.map(String))
const patternArb = fc.constantFrom("'%'", "'y%'", "'%e%'", "'_es'", "'%\\%%'", "''", "'TRUE'", "'0.%'", "'{%'")
const conditionArb = fc.oneof(
  fc.tuple(fieldArb, fc.constantFrom('=', '!='), literalArb).map((parts) => parts.join(' ')),
  fc
    .tuple(fieldArb, fc.constantFrom('<', '<=', '>', '>=', '=', '!='), fc.constantFrom('0', '0.5', '1', '-1'))
    .map((parts) => parts.join(' ')),
  fc
    .tuple(fieldArb, fc.constantFrom('IN', 'NOT IN'), fc.array(literalArb, { minLength: 1, maxLength: 3 }))
    .map(([f, op, v]) => `${f} ${op} (${v})`),
  fc
    .tuple(
      fc.oneof(fieldArb, textFieldArb),
      fc.constantFrom('LIKE', 'NOT LIKE', 'ILIKE', 'NOT ILIKE', 'NOT RLIKE'),
      patternArb,
    )
    .map((parts) => parts.join(' ')),
  fc
    .tuple(fc.oneof(fieldArb, textFieldArb, numberFieldArb), fc.constantFrom('IS NULL', 'IS NOT NULL'))
    .map((parts) => parts.join(' ')),
  fc
    .tuple(
      textFieldArb,
      fc.constantFrom('=', '!='),
      fc.constantFrom("'OK'", "'ERROR'", "'yes'", "'run_a'", "'s1'", "''"),
    )
    .map((parts) => parts.join(' ')),
  fc.tuple(textFieldArb, fc.constantFrom('IN', 'NOT IN')).map(([f, op]) => `${f} ${op} ('OK', 'yes', 'run_a')`),
  fc
    .tuple(numberFieldArb, fc.constantFrom('<', '<=', '>', '>=', '=', '!='), fc.constantFrom('5', '1000', '1010.5'))
    .map((parts) => parts.join(' ')),
  fc
    .tuple(
      fc.constantFrom(
        'span.name',
        'span.type',
        'span.status',
        'span.content',
        'span.attributes.a',
        'span.attributes.`x y`',
      ),
      fc.constantFrom(
        "= 'yes'",
        "!= 'yes'",
        "= 'CHAIN'",
        "= 'OK'",
        "LIKE '%yes%'",
        "NOT LIKE '%e%'",
        "ILIKE '%YES%'",
        "RLIKE '^y|O'",
        "IN ('yes', 'TOOL')",
        'IS NULL',
        'IS NOT NULL',
        "= '0.5'",
        '= 0.5',
        '= \'{"a":1}\'',
        'LIKE \'%"a":%\'',
      ),
    )
    .map((parts) => parts.join(' ')),
  fc.constantFrom(
    "span.name = 'yes' AND span.type = 'TOOL'",
    "(span.name = 'yes') AND (span.type = 'TOOL')",
    "text LIKE '%why%'",
  ),
  fc.constantFrom("timestamp > '2020-01-01'", "timestamp < '1970-01-01T00:00:01.030Z'"),
)
const { filter: filterArb } = fc.letrec<{ filter: string }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3 },
    conditionArb,
    fc.tuple(tie('filter'), fc.constantFrom('AND', 'OR'), tie('filter')).map(([a, op, b]) => `(${a}) ${op} (${b})`),
    tie('filter').map((inner) => `NOT (${inner})`),
  ),
}))

const ATTRIBUTES = [{}, { a: 'yes' }, { a: 0.5, 'x y': 'OK' }, { a: { a: 1 } }, { 'x y': 'yes yes '.repeat(300) }]

/** Spans below a root that is implied, or with a root of their own. */
function spansOf(index: number): Span[] {
  const span = (id: string, extra: Partial<Span>): Span => ({
    id,
    name: index % 2 ? 'yes' : 'no',
    type: index % 5 ? 'TOOL' : 'LLM',
    startTimeNs: 1n,
    status: index % 7 ? 'OK' : 'ERROR',
    attributes: ATTRIBUTES[index % ATTRIBUTES.length] as Record<string, unknown>,
    events: [],
    ...extra,
  })
  const rootId = 'b'.repeat(16)
  const own = index % 3 === 0 ? [span(rootId, { name: 'root', outputs: 'why' })] : []
  return [...own, span('a'.repeat(16), { parentId: rootId }), span('c'.repeat(16), { parentId: rootId, type: 'yes' })]
}

base('stores agree on every filter', async () => {
  const stores = Object.values(KINDS).map((make) => make())
  const random = fc.sample(
    fc.record({
      values: fc.array(fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES), fc.boolean()), { maxLength: 5 }),
      tag: fc.constantFrom(undefined, 'yes', '', 'OK'),
      failed: fc.boolean(),
      session: fc.constantFrom(undefined, 's1'),
      duration: fc.constantFrom(undefined, 5_000_000, 0),
    }),
    { numRuns: 60, seed: 7 },
  )
  const trials = random.map(({ values, tag, failed, session, duration }, index) => {
    const { durationNs: _, name: __, ...plain } = traceWrite()
    return trial(index, {
      status: failed ? 'failed' : 'ok',
      ...(failed && { error: { code: 'X', message: 'x' } }),
      trace: {
        ...plain,
        ...(index % 3 > 0 && { name: 'yes' }),
        ...(session && { sessionId: session }),
        ...(duration !== undefined && { durationNs: duration }),
        spans: index % 4 === 0 ? '' : encodeSpans(spansOf(index)),
        tags: tag === undefined ? {} : { a: tag, 'x y': 'yes' },
        metadata: tag === undefined ? { a: 'OK' } : {},
      },
      assessments: values.map(([name, value, isFeedback]) =>
        isFeedback
          ? feedback(name, value, { runId: index % 2 ? 'run_a' : 'run_b' })
          : { kind: 'expectation', name, value: value ?? 'e', source: { type: 'HUMAN', id: 'x' }, createdAt: 1 },
      ),
    })
  })
  for (const store of stores) {
    await store.createRun(runRecord({ id: 'run_a' }))
    await store.createRun(runRecord({ id: 'run_b' }))
    for (const one of trials) await store.writeTrial('run_a', one)
    await store.flush()
  }
  let matched = 0
  await fc.assert(
    fc.asyncProperty(filterArb, fc.constantFrom(undefined, 'run_a'), async (text, runId) => {
      const filter: FilterNode = parseFilter(text)
      const query = { filter, ...(runId && { runId }) }
      const [a, b] = await Promise.all(
        stores.map(async (store) => (await found(store, query)).map(({ trace }) => trace.id)),
      )
      expect(b, text).toEqual(a)
      expect(await (stores[1] as Store).count(query)).toBe((a as string[]).length)
      matched += (a as string[]).length > 0 ? 1 : 0
    }),
    { numRuns: 1_500, seed: 11 },
  )
  expect(matched).toBeGreaterThan(300)
  const termArb = fc
    .tuple(
      fc.constantFrom(
        'timestamp_ms',
        'execution_time_ms',
        'status',
        'name',
        'session_id',
        'tag.a',
        'metadata.a',
        'trace_id',
      ),
      fc.constantFrom('', ' ASC', ' DESC'),
    )
    .map((parts) => parseOrder(parts.join(''))[0] as TraceOrder)
  await fc.assert(
    fc.asyncProperty(
      fc.option(fc.array(termArb, { minLength: 1, maxLength: 3 }), { nil: undefined }),
      fc.constantFrom(undefined, 'run_a'),
      fc.nat({ max: 59 }),
      async (orderBy, runId, at) => {
        const query = { ...(orderBy && { orderBy }), ...(runId && { runId }) }
        const [a, b] = await Promise.all(stores.map((store) => found(store, query)))
        const ids = (list: readonly StoredTrace[] = []) => list.map(({ trace }) => trace.id)
        expect(ids(b)).toEqual(ids(a))
        const after = sortKey((a as StoredTrace[])[at] as StoredTrace, query)
        for (const store of stores) expect(ids(await found(store, { ...query, after }))).toEqual(ids(a).slice(at + 1))
      },
    ),
    { numRuns: 150, seed: 5 },
  )
  for (const store of stores) await store.close()
})
