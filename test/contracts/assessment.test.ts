import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { AssessmentWrite } from '../../src/assessment.ts'
import type { Assessment } from '../../src/feedback.ts'
import { parseFilter } from '../../src/grammar.ts'
import { encode } from '../../src/std/json.ts'
import { findAssessment, type Store, type TraceWrite, type TrialWrite } from '../../src/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { STORES, thrownBy } from '../data/evaluation.ts'
import { runRecord } from '../data/records.ts'

/** What every kind of store does with assessments that change. */

const KINDS = Object.entries(STORES)

function traceWrite(id: string): TraceWrite {
  return {
    id,
    experiment: 'exp',
    status: 'OK',
    requestTimeMs: 1_000,
    requestTimeSubNs: 0,
    tags: {},
    metadata: {},
    inputs: encode(1),
    spans: '',
  }
}

function trial(id: string, index: number, assessments: readonly AssessmentWrite[]): TrialWrite {
  return { index, repeat: 0, rowId: `row-${index}`, status: 'ok', attempts: 1, trace: traceWrite(id), assessments }
}

function judged(value: unknown, more: Partial<AssessmentWrite> = {}): AssessmentWrite {
  const source = { type: 'LLM_JUDGE', id: 'model' } as const
  return { kind: 'feedback', name: 'safe', value, source, scorer: 'safe', runId: 'run_a', createdAt: 5, ...more }
}

function person(value: unknown, more: Partial<AssessmentWrite> = {}): AssessmentWrite {
  const source = { type: 'HUMAN', id: 'ann' } as const
  return { kind: 'feedback', name: 'safe', value, source, createdAt: 9, ...more }
}

/** A run with one trace, on which the judge has spoken. */
async function withRun(store: Store, assessments: readonly AssessmentWrite[] = [judged('no')]): Promise<void> {
  await store.createRun(runRecord({ id: 'run_a', status: 'finished' }))
  await store.writeTrial('run_a', trial('tr-1', 0, assessments))
  await store.flush()
}

async function all(store: Store, traceId = 'tr-1'): Promise<readonly Assessment[]> {
  const [stored] = await Array.fromAsync(store.search({ traceId }))
  return stored?.assessments ?? []
}

const brief = (list: readonly Assessment[]) =>
  list.map(({ id, value, valid, overrides }) => [id.split('.')[1], value, valid, overrides?.split('.')[1]])

const uncounted = async (store: Store) => (await store.getRun('run_a'))?.uncounted

test.for(KINDS)(
  'logAssessment() that overrides takes run, scorer and span of what it overrides (%s)',
  async ([, make]) => {
    const store = make()
    const error = { code: 'SCORER_THREW', message: 'down' }
    await withRun(store, [judged(undefined, { error, spanId: 's1', durationMs: 3 })])
    const given = await store.logAssessment('tr-1', person(true, { overrides: 'tr-1.0' }))
    expect(given).toEqual({
      ...person(true),
      id: 'tr-1.1',
      traceId: 'tr-1',
      runId: 'run_a',
      scorer: 'safe',
      spanId: 's1',
      overrides: 'tr-1.0',
      updatedAt: 9,
      valid: true,
    })
    expect(await all(store)).toEqual([expect.objectContaining({ error, valid: false }), given])
    expect(await findAssessment(store, 'tr-1.1')).toEqual(given)
    for (const id of ['tr-1.2', 'tr-2.0', 'tr-1', 'tr-1.', 'tr-1.-0', 'tr-1.1e0', 'tr-1.01', ''])
      expect(await findAssessment(store, id)).toBeUndefined()
  },
)

test.for(KINDS)(
  'logAssessment() of one that was overridden before takes the place of what stands there (%s)',
  async ([, make]) => {
    const store = make()
    await withRun(store)
    await store.logAssessment('tr-1', person('maybe', { overrides: 'tr-1.0' }))
    const last = await store.logAssessment('tr-1', person('yes', { overrides: 'tr-1.0' }))
    expect(last.overrides).toBe('tr-1.1')
    expect(brief(await all(store))).toEqual([
      ['0', 'no', false, undefined],
      ['1', 'maybe', false, '0'],
      ['2', 'yes', true, '1'],
    ])
    for (const [text, count] of [
      ['yes', 1],
      ['maybe', 0],
      ['no', 0],
    ] as const) {
      const filter = parseFilter(`feedback.safe = '${text}'`)
      expect(await store.count({ runId: 'run_a', filter }), text).toBe(count)
      expect(await store.count({ filter }), text).toBe(count)
    }
  },
)

test.for(KINDS)(
  'logAssessment() keeps one Feedback of a name per trace and run, and any number outside runs (%s)',
  async ([, make]) => {
    const store = make()
    await withRun(store)
    await store.createRun(runRecord({ id: 'run_b' }))
    await store.writeTrial('run_b', trial('tr-1', 0, [judged('b', { runId: 'run_b' })]))
    await store.flush()
    const inRun = await store.logAssessment('tr-1', person('yes', { runId: 'run_a' }))
    expect(inRun).toMatchObject({ overrides: 'tr-1.0', scorer: 'safe' })
    const other = await store.logAssessment('tr-1', person('x', { runId: 'run_a', name: 'tone' }))
    expect(other.overrides).toBeUndefined()
    for (const value of ['p', 'q']) expect((await store.logAssessment('tr-1', person(value))).overrides).toBeUndefined()
    await store.logAssessment('tr-1', person('e', { kind: 'expectation', runId: 'run_a' }))
    expect(brief(await all(store)).map(([, value, valid]) => [value, valid])).toEqual([
      ['no', false],
      ['b', true],
      ['yes', true],
      ['x', true],
      ['p', true],
      ['q', true],
      ['e', true],
    ])
    expect(await uncounted(store)).toBe(2)
    expect((await store.getRun('run_b'))?.uncounted).toBeUndefined()
  },
)

test.for(KINDS)('logAssessment() refuses what is not there, and changes nothing (%s)', async ([kind, make]) => {
  const store = make()
  await withRun(store)
  await store.writeTraces([{ trace: traceWrite('tr-2'), assessments: [judged('other', { runId: 'run_a' })] }])
  expect(await thrownBy(store.logAssessment('tr-3', person(1)))).toMatchObject({ code: 'TRACE_NOT_FOUND' })
  for (const overrides of ['tr-1.7', 'tr-2.0', 'x']) {
    expect(await thrownBy(store.logAssessment('tr-1', person(1, { overrides })))).toMatchObject({
      code: 'ASSESSMENT_NOT_FOUND',
      message: `Cannot override assessment "${overrides}": it does not exist on trace "tr-1"`,
    })
  }
  expect(await thrownBy(store.logAssessment('tr-1', person(1, { runId: 'run_z' })))).toMatchObject({
    code: 'RUN_NOT_FOUND',
    message: 'Cannot write to run "run_z": it does not exist',
  })
  expect(brief(await all(store)), kind).toEqual([['0', 'no', true, undefined]])
  expect(await uncounted(store)).toBeUndefined()
})

test.for(KINDS)('deleteAssessment() closes the history around what it removes (%s)', async ([, make]) => {
  const store = make()
  await withRun(store)
  for (const value of ['a', 'b', 'c']) await store.logAssessment('tr-1', person(value, { overrides: 'tr-1.0' }))
  expect(await store.deleteAssessment('tr-1.2')).toBe(true)
  expect(await store.deleteAssessment('tr-1.2')).toBe(false)
  const closed = [
    ['0', 'no', false, undefined],
    ['1', 'a', false, '0'],
    ['3', 'c', true, '1'],
  ]
  expect(brief(await all(store))).toEqual(closed)
  await store.deleteAssessment('tr-1.3')
  expect(brief(await all(store))).toEqual([
    ['0', 'no', false, undefined],
    ['1', 'a', true, '0'],
  ])
  await store.deleteAssessment('tr-1.0')
  expect(brief(await all(store))).toEqual([['1', 'a', true, undefined]])
  await store.deleteAssessment('tr-1.1')
  expect(await all(store)).toEqual([])
  expect(await uncounted(store)).toBe(7)
  for (const id of ['', 'x', 'tr-1', 'tr-9.0', 'tr-1.1.5']) expect(await store.deleteAssessment(id)).toBe(false)
})

test.for(KINDS)(
  'updateAssessment() changes value, rationale and metadata in place, of invalid ones too (%s)',
  async ([, make]) => {
    const store = make()
    const error = { code: 'X', message: 'x' }
    await withRun(store, [judged(undefined, { error, metadata: { a: 1, b: 'x' }, rationale: 'r', spanId: 's1' })])
    const [before] = await all(store)
    expect(await store.updateAssessment('tr-1.0', { rationale: '\ud800 new', updatedAt: 7 })).toEqual({
      ...before,
      rationale: '\ud800 new',
      updatedAt: 7,
    })
    const updated = await store.updateAssessment('tr-1.0', {
      value: [1, 'x'],
      metadata: { b: true, c: 2 },
      updatedAt: 8,
    })
    const { error: _, ...plain } = before as Assessment
    const now = { ...plain, value: [1, 'x'], rationale: '\ud800 new', metadata: { a: 1, b: true, c: 2 }, updatedAt: 8 }
    expect(updated).toEqual(now)
    expect(await all(store)).toEqual([now])
    await store.logAssessment('tr-1', person(true, { overrides: 'tr-1.0' }))
    const invalid = await store.updateAssessment('tr-1.0', { value: 'no', updatedAt: 10 })
    expect(invalid).toEqual({ ...now, value: 'no', updatedAt: 10, valid: false })
    expect((await all(store))[0]).toEqual(invalid)
    expect(await store.updateAssessment('tr-1.9', { value: 1, updatedAt: 1 })).toBeUndefined()
    expect(await store.updateAssessment('nothing', { value: 1, updatedAt: 1 })).toBeUndefined()
  },
)

test.for(KINDS)('updateAssessment() of an expectation takes any data, and leaves runs alone (%s)', async ([, make]) => {
  const store = make()
  await withRun(store, [person({ old: 1 }, { kind: 'expectation', name: 'answer', runId: 'run_a' })])
  const value = { deep: [1n, new Map([['a', null]])] }
  await store.updateAssessment('tr-1.0', { value, updatedAt: 8 })
  expect(await all(store)).toMatchObject([{ value, kind: 'expectation', updatedAt: 8 }])
  expect(await uncounted(store)).toBeUndefined()
})

test.for(KINDS)(
  'updateRun() keeps changes that are not counted, unless it replaces exactly what was read (%s)',
  async ([, make]) => {
    const store = make()
    await withRun(store)
    const first = runRecord({ id: 'run_a', status: 'running' })
    await store.logAssessment('tr-1', person(true, { runId: 'run_a' }))
    expect(await store.updateRun({ ...first, status: 'finished', name: '"uncounted":' })).toBe(true)
    const read = await store.getRun('run_a')
    expect(read).toEqual({ ...first, status: 'finished', name: '"uncounted":', uncounted: 1 })
    await store.updateAssessment('tr-1.1', { value: false, updatedAt: 1 })
    expect(await store.updateRun({ ...first, name: 'late' }, read)).toBe(false)
    const now = await store.getRun('run_a')
    expect(now).toEqual({ ...read, uncounted: 2 })
    expect(await store.updateRun({ ...first, name: 'counted' }, now)).toBe(true)
    expect(await store.getRun('run_a')).toEqual({ ...first, name: 'counted' })
  },
)

test.for(KINDS)('writeTrial() and writeTrace() keep a history that comes from elsewhere (%s)', async ([, make]) => {
  const store = make()
  await store.createRun(runRecord({ id: 'run_a' }))
  const history: AssessmentWrite[] = [
    person('yes', { id: 'x.9', overrides: 'x.4', runId: 'run_a' }),
    judged('no', { id: 'x.4', valid: false, updatedAt: 77 }),
    person('lost', { id: 'x.1', name: 'lost', overrides: 'gone.1' }),
    person('loop', { id: 'l.1', name: 'loop', overrides: 'l.2' }),
    person('loop', { id: 'l.2', name: 'loop', overrides: 'l.1', valid: false }),
    person('self', { id: 's.1', name: 'self', overrides: 's.1' }),
  ]
  await store.writeTrial('run_a', trial('tr-1', 0, history))
  await store.flush()
  await store.writeTraces([
    { trace: traceWrite('tr-1'), assessments: history },
    { trace: traceWrite('tr-2'), assessments: history.slice(0, 2) },
  ])
  expect(brief(await all(store))).toEqual([
    ['0', 'no', false, undefined],
    ['1', 'yes', true, '0'],
    ['2', 'lost', true, undefined],
    ['3', 'loop', false, undefined],
    ['4', 'loop', true, '3'],
    ['5', 'self', true, undefined],
  ])
  expect((await all(store))[0]?.updatedAt).toBe(77)
  expect(brief(await all(store, 'tr-2'))).toEqual([
    ['0', 'no', false, undefined],
    ['1', 'yes', true, '0'],
  ])
  expect(await uncounted(store)).toBeUndefined()
})

test.for(KINDS)(
  'writeTrial() keeps expectations once, those that are not valid any more too (%s)',
  async ([, make]) => {
    const store = make()
    const expected = (value: string, more: Partial<AssessmentWrite> = {}) =>
      person(value, { kind: 'expectation', name: 'answer', ...more })
    const history = [expected('old', { id: 'x.0', valid: false }), expected('new', { id: 'x.1', overrides: 'x.0' })]
    for (const id of ['run_a', 'run_b']) {
      await store.createRun(runRecord({ id }))
      await store.writeTrial(id, trial('tr-1', 0, history))
    }
    await store.writeTrial('run_b', trial('tr-1', 1, [expected('old')]))
    await store.flush()
    expect(brief(await all(store))).toEqual([
      ['0', 'old', false, undefined],
      ['1', 'new', true, '0'],
      ['2', 'old', true, undefined],
    ])
  },
)

type Step =
  | { readonly do: 'log'; readonly name: string; readonly run: boolean; readonly over: number | undefined }
  | { readonly do: 'update'; readonly at: number }
  | { readonly do: 'delete'; readonly at: number }

const stepArb = fc.oneof(
  fc.record({
    do: fc.constant('log' as const),
    name: fc.constantFrom('a', 'b', '__proto__'),
    run: fc.boolean(),
    over: fc.option(fc.nat(8), { nil: undefined }),
  }),
  fc.record({ do: fc.constant('update' as const), at: fc.nat(8) }),
  fc.record({ do: fc.constant('delete' as const), at: fc.nat(8) }),
)

test('stores agree on every history, and none loses the valid one of a chain', async () => {
  let trace = 0
  const [here, there] = [memory(), STORES.sqlite()]
  for (const store of [here, there]) await store.createRun(runRecord({ id: 'run_a' }))
  await fc.assert(
    fc.asyncProperty(fc.array(stepArb, { minLength: 1, maxLength: 14 }), async (steps) => {
      const id = `tr-${++trace}`
      const outcomes = await Promise.all(
        [here, there].map(async (store) => {
          const start = [judged(1, { name: 'a' }), judged('x', { name: 'b', runId: 'run_a' })]
          await store.writeTrial('run_a', trial(id, trace, start))
          await store.flush()
          const results: unknown[] = []
          for (const [i, step] of steps.entries()) results.push(await taken(store, id, step, i))
          return { results, all: await all(store, id), run: await store.getRun('run_a') }
        }),
      )
      expect(outcomes[1]).toEqual(outcomes[0])
      const list = outcomes[0]?.all ?? []
      const overridden = new Set(list.map(({ overrides }) => overrides))
      for (const one of list) {
        expect(one.valid, one.id).toBe(!overridden.has(one.id))
        if (one.overrides !== undefined) expect(list.some((old) => old.id === one.overrides)).toBe(true)
      }
      const named = list.filter(({ runId, valid }) => valid && runId === 'run_a').map(({ name }) => name)
      expect(new Set(named).size).toBe(named.length)
    }),
    { numRuns: 150 },
  )
})

async function taken(store: Store, id: string, step: Step, i: number): Promise<unknown> {
  if (step.do === 'delete') return store.deleteAssessment(`${id}.${step.at}`)
  if (step.do === 'update') return store.updateAssessment(`${id}.${step.at}`, { value: i, updatedAt: i })
  const { name, run, over } = step
  // One that is overridden gives its name, as the door above sees to.
  const old = over === undefined ? undefined : await findAssessment(store, `${id}.${over}`)
  const write = person(i, {
    name: old?.name ?? name,
    ...(run && !old && { runId: 'run_a' }),
    ...(over !== undefined && { overrides: `${id}.${over}` }),
  })
  return store.logAssessment(id, write).catch((error) => error.code)
}
