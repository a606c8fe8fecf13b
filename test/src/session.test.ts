import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runEvaluation } from '../../src/evaluate.ts'
import { recount } from '../../src/recount.ts'
import type { RunRecord } from '../../src/run.ts'
import { Scorer, type SessionArgs, scorer } from '../../src/scorer.ts'
import { csv } from '../../src/sources/csv.ts'
import { sleep } from '../../src/std/async.ts'
import { Trace } from '../../src/trace.ts'
import { span } from '../../src/tracer.ts'
import { evaluate } from '../../src/workspace.ts'
import { evaluation, folder, STORES, storedOf, thrownBy } from '../data/evaluation.ts'

const KINDS = Object.entries(STORES)

/** Turns of three conversations, mixed as they come in. */
const ROWS = [
  { sessionId: 'a', inputs: 'a1', expectations: { goal: 'refund', tone: 'calm' } },
  { sessionId: 'b', inputs: 'b1' },
  { sessionId: 'a', inputs: 'a2', expectations: { goal: 'another', limit: 3 } },
  { sessionId: 'c', inputs: 'c1' },
  { sessionId: 'b', inputs: 'b2' },
  { sessionId: 'a', inputs: 'a3' },
]

const turns = scorer(
  { name: 'turns', level: 'session', aggregations: ['mean', 'max'] },
  ({ session }) => session.length,
)
const answered = scorer('answered', ({ outputs }) => outputs !== '')

test.for(KINDS)(
  'a scorer of level session sees each conversation once, in order, after its rows (%s)',
  async ([, make]) => {
    const store = make()
    const seen: SessionArgs[] = []
    const looks = scorer({ name: 'looks', level: 'session' }, (args) => {
      seen.push(args)
      return args.session.every(({ status, outputs }) => status === 'OK' && outputs !== undefined)
    })
    const run = await runEvaluation(
      evaluation({
        data: ROWS,
        store,
        maxConcurrency: 3,
        predict: async (inputs) => span('step', () => sleep(2).then(() => `re: ${inputs}`)),
        scorers: [answered, turns, looks],
      }),
    )
    const conversations = seen.map(({ session }) => session.map(({ inputs }) => inputs))
    expect(conversations.toSorted()).toEqual([['a1', 'a2', 'a3'], ['b1', 'b2'], ['c1']])
    expect(
      seen.every(({ session }) => session.every((trace) => trace instanceof Trace && trace.spans.length === 2)),
    ).toBe(true)
    const first = seen.find(({ session }) => session.length === 3) as SessionArgs
    expect(first.expectations).toEqual({ goal: 'refund', tone: 'calm', limit: 3 })
    expect(Object.keys(first)).toEqual(['session', 'expectations', 'tags'])
    expect(first.signal.aborted).toBe(false)

    expect(run).toMatchObject({ status: 'finished', problems: [], totals: { rows: 6 } })
    expect(run).not.toHaveProperty('notices')
    expect(run.columns).toMatchObject([
      { name: 'answered', rows: 6, scored: 6 },
      { name: 'turns', level: 'session', rows: 3, scored: 3, missing: 0, aggregates: { mean: 2, max: 3 } },
      { name: 'looks', level: 'session', rows: 3, scored: 3, passed: 3 },
    ])
    expect(run.scorers.map(({ name, level }) => [name, level])).toEqual([
      ['answered', undefined],
      ['turns', 'session'],
      ['looks', 'session'],
    ])

    const stored = await storedOf(store, run)
    const placed = stored.map(({ trace, assessments }) => [
      trace.sessionId,
      assessments
        .filter(({ scorer: by }) => by === 'turns')
        .map(({ value, metadata, runId }) => [value, metadata, runId === run.id]),
    ])
    expect(placed).toEqual([
      ['a', [[3, { 'mlflow.trace.session': 'a' }, true]]],
      ['b', [[2, { 'mlflow.trace.session': 'b' }, true]]],
      ['a', []],
      ['c', [[1, { 'mlflow.trace.session': 'c' }, true]]],
      ['b', []],
      ['a', []],
    ])
    const counted = await recount(store, run)
    expect(counted.columns).toEqual(run.columns)
  },
)

test('a class may score sessions too', async () => {
  class Closing extends Scorer {
    readonly name = 'closing'
    override readonly level = 'session'
    score({ session }: SessionArgs) {
      return session.at(-1)?.outputs === 'bye'
    }
  }
  const data = [
    { sessionId: 'a', inputs: 1, outputs: 'hello' },
    { sessionId: 'a', inputs: 2, outputs: 'bye' },
    { sessionId: 'b', inputs: 1, outputs: 'hello' },
  ]
  const run = await runEvaluation(evaluation({ data, predict: undefined, scorers: [new Closing()] }))
  expect(run.columns).toMatchObject([{ kind: 'boolean', rows: 2, scored: 2, passed: 1 }])
})

test('turns are ordered by the time of their requests, whatever the order of the rows', async () => {
  const at = (ms: number) =>
    new Trace({
      id: `tr-${ms}`,
      experiment: 'production',
      status: ms === 3 ? 'ERROR' : 'OK',
      requestTimeMs: ms,
      sessionId: 's',
      tags: {},
      metadata: {},
      inputs: ms,
      outputs: ms,
      spans: [],
      assessments: [],
    })
  const order = scorer({ name: 'order', level: 'session' }, ({ session }) =>
    session.map(({ requestTimeMs, status }) => `${requestTimeMs} ${status}`).join(),
  )
  const data = [at(5), at(3), at(9), at(1)]
  const run = await runEvaluation(
    evaluation({ data, predict: undefined, scorers: [order], tolerance: { allowFailed: 1, minScored: 1 } }),
  )
  // The turn that failed is part of the conversation.
  expect(run.columns).toMatchObject([{ counts: { '1 OK,3 ERROR,5 OK,9 OK': 1 }, rows: 1 }])
})

test('turns that the run has called itself are in the order of their rows, although one was called again later', async () => {
  const called = new Set<string>()
  const predict = (inputs: string) => {
    if (inputs === 'a1' && !called.has(inputs)) {
      called.add(inputs)
      throw Object.assign(new Error('busy'), { status: 503, headers: { 'retry-after-ms': '30' } })
    }
    return inputs
  }
  const order = scorer({ name: 'order', level: 'session' }, ({ session }) => session.map(({ inputs }) => inputs).join())
  const run = await runEvaluation(evaluation({ data: ROWS, predict, scorers: [order] }))
  expect(run.columns).toMatchObject([{ counts: { 'a1,a2,a3': 1, 'b1,b2': 1, c1: 1 } }])
})

test('what goes wrong in a scorer of sessions is counted per session', async () => {
  const store = STORES.memory()
  const moody = scorer({ name: 'moody', level: 'session', timeoutMs: 20 }, async ({ session }) => {
    if (session.length === 3) throw new Error('too long')
    if (session.length === 2) await sleep(500)
    return null
  })
  const run = await runEvaluation(
    evaluation({ data: ROWS, store, predict: (inputs) => inputs, scorers: [moody, answered] }),
  )
  expect(run.columns[0]).toMatchObject({
    rows: 3,
    scored: 0,
    missing: 1,
    errors: 2,
    errorCodes: { SCORER_THREW: 1, SCORER_TIMEOUT: 1 },
  })
  expect(run.problems).toEqual([
    { code: 'COLUMN_INCOMPLETE', message: 'column "moody" has a value on 0 of 3 sessions (1 missing, 2 errors)' },
  ])
  expect(run.worst.map(({ index }) => index)).toEqual([0, 1])
})

test('a session all of whose rows failed is left out', async () => {
  const run = await runEvaluation(
    evaluation({
      data: ROWS,
      predict: (inputs) => {
        if (inputs === 'c1' || inputs === 'a1') throw new Error('down')
        return inputs
      },
      scorers: [turns],
    }),
  )
  expect(run.columns).toMatchObject([{ rows: 2, scored: 2, aggregates: { mean: 2.5 } }])
  expect(run.problems.map(({ code }) => code)).toEqual(['ROWS_FAILED'])
})

test('rows without a session are said, and a run without any session fails', async () => {
  const some = await runEvaluation(
    evaluation({ data: [...ROWS, { inputs: 'alone' }], predict: (inputs) => inputs, scorers: [turns] }),
  )
  expect(some.problems).toEqual([])
  expect(some.notices).toEqual([
    { code: 'ROWS_WITHOUT_SESSION', message: '1 row has no session id, and no scorer of sessions has seen it' },
  ])
  const data = [{ inputs: 1 }, { inputs: 2 }]
  const none = await runEvaluation(evaluation({ data, predict: (inputs) => inputs, scorers: [turns] }))
  expect(none.columns).toMatchObject([{ name: 'turns', kind: 'empty', rows: 0 }])
  expect(none.problems).toEqual([
    { code: 'COLUMN_INCOMPLETE', message: 'column "turns" has no value: no row has a session id' },
  ])
})

test('the session may come from the spans of the app', async () => {
  const store = STORES.memory()
  const predict = (inputs: string) =>
    span('turn', { attributes: { 'session.id': `session ${inputs[0]}` } }, () => inputs)
  const data = ROWS.map(({ inputs }) => ({ inputs }))
  const run = await runEvaluation(evaluation({ data, store, predict, scorers: [turns] }))
  expect(run.columns).toMatchObject([{ rows: 3, aggregates: { mean: 2 } }])
  const stored = await storedOf(store, run)
  expect(stored.map(({ trace }) => trace.sessionId)).toEqual(ROWS.map(({ sessionId }) => `session ${sessionId}`))
})

test.for(KINDS)('sessions of a search are scored, and belong to the new run (%s)', async ([, make]) => {
  const store = make()
  const first = await evaluate(ROWS, async (inputs) => inputs, [turns], { store, name: 'first' })
  const short = scorer({ name: 'short', level: 'session' }, ({ session }) => session.length < 3)
  const second = await evaluate(first.search("session_id IN ('a', 'b')"), [short, turns], { store, name: 'second' })
  expect(second.metrics).toEqual({ 'short/mean': 0.5, 'turns/mean': 2.5, 'turns/max': 3 })
  expect(await second.search('feedback.short = false').count()).toBe(1)
  const rows = await Array.fromAsync(second.rows())
  expect(rows.map(({ feedback }) => feedback.turns?.value)).toEqual([3, 2, undefined, undefined, undefined])
})

test('sessions come from a column of a file, and go into one', async () => {
  const store = STORES.memory()
  const path = join(folder(), 'chat.csv')
  writeFileSync(path, 'sessionId,inputs.text\na,hello\n7,hi\na,bye\n,alone\n')
  const predict = async ({ text }: { text: string }) => text
  const run = await evaluate(csv(path), predict, [turns], { store })
  expect(run.columns.turns).toMatchObject({ rows: 2, aggregates: { mean: 1.5 } })
  const exported = join(folder(), 'run.csv')
  await run.export(exported)
  const again = await evaluate(csv(exported), [turns], { store })
  expect(again.metrics).toEqual(run.metrics)
  const mapped = await evaluate(
    csv(exported, { columns: { inputs: { text: 'inputs.text' }, sessionId: 'id' } }),
    predict,
    [turns],
    { store },
  )
  expect(mapped.columns.turns).toMatchObject({ rows: 4 })
})

test('resuming scores every session again, with its new turns', async () => {
  const store = STORES.sqlite()
  const options = { store, name: 'chat' }
  let calls = 0
  const predict = async (inputs: string) => {
    calls++
    return inputs
  }
  await evaluate(ROWS.slice(0, 4), predict, [turns], options)
  const again = await evaluate(ROWS, predict, [turns], { ...options, resume: 'force' })
  expect(calls).toBe(6)
  expect(again.columns.turns).toMatchObject({ rows: 3, aggregates: { mean: 2, max: 3 } })
  const rows = await Array.fromAsync(again.rows())
  expect(rows.map(({ feedback }) => feedback.turns?.value)).toEqual([3, 2, undefined, 1, undefined, undefined])
})

test('an abort while sessions are scored interrupts the run and keeps its rows', async () => {
  const store = STORES.memory()
  const controller = new AbortController()
  const stops = scorer({ name: 'stops', level: 'session' }, async () => {
    controller.abort(new Error('enough'))
    await sleep(1)
    return true
  })
  const thrown = await thrownBy(
    runEvaluation(
      evaluation({ data: ROWS, store, signal: controller.signal, predict: (inputs) => inputs, scorers: [stops] }),
    ),
  )
  expect(thrown).toMatchObject({ code: 'RUN_INTERRUPTED' })
  const [run] = await store.listRuns()
  expect(run).toMatchObject({ status: 'interrupted', totals: { rows: 6 } })
  const stored = await storedOf(store, run as RunRecord)
  expect(stored.flatMap(({ assessments }) => assessments.filter(({ kind }) => kind === 'feedback'))).toEqual([])
})

test('a level that does not exist is refused', () => {
  expect(() => scorer({ name: 'x', level: 'row' as 'trace' }, () => 1)).toThrow(
    'Cannot use scorer "x": "level" must be \'trace\' or \'session\', found "row"',
  )
})
