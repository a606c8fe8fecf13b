import { expect, test } from 'vitest'
import { runEvaluation } from '../../src/evaluate.ts'
import type { Feedback } from '../../src/feedback.ts'
import { type Scorable, scoreRow } from '../../src/score.ts'
import { Scorer, type ScorerArgs, type ScorerResult, scorer } from '../../src/scorer.ts'
import { sleep } from '../../src/std/async.ts'
import { Watch } from '../../src/std/watch.ts'
import { Trace } from '../../src/trace.ts'
import { evaluation } from '../data/evaluation.ts'

const trace = new Trace({
  id: 'tr-1',
  experiment: 'e',
  status: 'OK',
  requestTimeMs: 0,
  tags: {},
  metadata: {},
  spans: [],
  assessments: [],
})
const row: Scorable = {
  inputs: () => 'in',
  outputs: () => 'out',
  expectations: () => ({ e: 1 }),
  tags: { t: 'x' },
  trace,
}

async function scored(scorers: readonly Scorer[], timeoutMs = 1_000, outer?: AbortSignal) {
  const watch = new Watch(outer)
  try {
    return await scoreRow(scorers, row, { timeoutMs, watch })
  } finally {
    watch.close()
  }
}

/** What a list of scorers gives, as `name: value` or `name: code`. */
async function said(...scorers: Scorer[]): Promise<string[][]> {
  const short = ({ name, value, error }: Feedback): string => `${name}: ${error?.code ?? JSON.stringify(value)}`
  return (await scored(scorers)).map(({ feedback }) => feedback.map(short))
}

const giving = (name: string, ...results: Extract<ScorerResult, object>[]) =>
  scorer(name, () => results as ScorerResult)

test('scoreRow() starts all scorers of a row together, and gives their results in the order of the list', async () => {
  let waiting = 0
  const gate = Promise.withResolvers<void>()
  const meeting = (name: string) =>
    scorer(name, async () => {
      if (++waiting === 3) gate.resolve()
      await gate.promise
      return name
    })
  expect(
    await said(
      meeting('c'),
      meeting('a'),
      scorer('now', () => 1),
      meeting('b'),
    ),
  ).toEqual([['c: "c"'], ['a: "a"'], ['now: 1'], ['b: "b"']])
})

test('scoreRow() hands everything about the row over', async () => {
  let seen: unknown
  await scored([
    scorer('look', ({ inputs, outputs, expectations, tags, trace, signal }) => {
      seen = { inputs, outputs, expectations, tags, trace: trace.id, aborted: signal.aborted }
      return null
    }),
  ])
  expect(seen).toEqual({
    inputs: 'in',
    outputs: 'out',
    expectations: { e: 1 },
    tags: { t: 'x' },
    trace: 'tr-1',
    aborted: false,
  })
})

test('scoreRow() keeps the neighbours of a scorer that throws, rejects, hangs or gives nonsense', async () => {
  const aborted = Promise.withResolvers<unknown>()
  const results = await scored(
    [
      scorer('throws', () => {
        throw new TypeError('bad')
      }),
      scorer('rejects', () => Promise.reject('reason')),
      scorer('hangs', ({ signal }) => {
        signal.addEventListener('abort', () => aborted.resolve(signal.reason))
        return new Promise<boolean>(() => {})
      }),
      scorer('nonsense', (() => ({ what: 1 })) as never),
      scorer('fine', async () => sleep(5).then(() => true)),
      scorer('silent', () => undefined),
    ],
    40,
  )
  expect(results.map(({ feedback, failed }) => [feedback[0]?.error?.code ?? feedback[0]?.value, failed])).toEqual([
    ['SCORER_THREW', true],
    ['SCORER_THREW', true],
    ['SCORER_TIMEOUT', true],
    ['SCORER_RETURN', true],
    [true, false],
    [undefined, false],
  ])
  expect(results[1]?.feedback[0]?.error?.message).toBe('reason')
  expect(results[2]?.durationMs).toBeGreaterThanOrEqual(39)
  expect(await aborted.promise).toMatchObject({ name: 'DeadlineError', timeoutMs: 40 })
})

test("scoreRow() prefers a scorer's own time limit, 0 being none", async () => {
  const slow = (timeoutMs: number) => scorer({ name: `slow ${timeoutMs}`, timeoutMs }, () => sleep(30).then(() => 1))
  const results = await scored([slow(5), slow(0), slow(1_000)], 10)
  expect(results.map(({ feedback }) => feedback[0]?.error?.code ?? 'in time')).toEqual([
    'SCORER_TIMEOUT',
    'in time',
    'in time',
  ])
})

test('scoreRow() calls class scorers with their own this', async () => {
  class Longer extends Scorer {
    readonly name = 'longer'
    readonly than: number
    constructor(than: number) {
      super()
      this.than = than
    }
    score({ outputs }: ScorerArgs) {
      return outputs.length > this.than
    }
  }
  expect(await said(new Longer(2))).toEqual([['longer: true']])
})

test('scoreRow() names Feedback by its own name, else by its scorer', async () => {
  const results = said(
    giving('several', { name: 'x', value: 1 }, { name: 'feedback', value: 2 }),
    scorer('plain', () => ({ value: 3 })),
  )
  expect(await results).toEqual([['x: 1', 'several: 2'], ['plain: 3']])
})

test('scoreRow() turns a name that an earlier scorer of the list has used into an error of the later one', async () => {
  const late = scorer('first', () => sleep(10).then(() => ({ name: 'x', value: 1 })))
  expect(
    await said(late, giving('second', { name: 'y', value: 2 }, { name: 'x', value: 3 }, { name: 'z', value: 4 })),
  ).toEqual([['x: 1'], ['y: 2', 'second: NAME_COLLISION', 'z: 4']])
  const [, second] = await scored([late, giving('second', { name: 'x', value: 3 })])
  expect(second?.feedback[0]?.error?.message).toBe('the name "x" already belongs to an earlier Feedback of this row')
})

test("scoreRow() keeps a scorer's own name for it, even before it has spoken and where it is silent", async () => {
  expect(
    await said(
      giving('a', { name: 'b', value: 1 }),
      scorer('b', () => 2),
    ),
  ).toEqual([['a: NAME_COLLISION'], ['b: 2']])
  expect(
    await said(
      giving('a', { name: 'b', value: 1 }),
      scorer('b', () => null),
    ),
  ).toEqual([['a: NAME_COLLISION'], []])
  const [a] = await scored([giving('a', { name: 'b', value: 1 }), scorer('b', () => 2)])
  expect(a?.feedback[0]?.error?.message).toBe('the name "b" already belongs to scorer "b"')
})

test('scoreRow() never gives one name twice on a row', async () => {
  expect(await said(giving('s', { value: 1 }, { value: 2 }))).toEqual([['s: NAME_COLLISION']])
  expect(await said(giving('s', { name: 'x', value: 1 }, { name: 'x', value: 2 }, { name: 'x', value: 3 }))).toEqual([
    ['x: 1', 's: NAME_COLLISION'],
  ])
  expect(await said(giving('s', { value: 1 }, { name: 'x', value: 2 }, { name: 'x', value: 3 }))).toEqual([
    ['s: NAME_COLLISION', 'x: 2'],
  ])
  expect(await said(giving('s', { value: 1 }, 'stray' as never))).toEqual([['s: SCORER_RETURN']])
})

test('a run with a name collision fails, and every column still adds up to its rows', async () => {
  const run = await runEvaluation(
    evaluation({
      data: Array.from({ length: 6 }, (_, inputs) => ({ inputs })),
      predict: (n) => n,
      scorers: [
        scorer('first', ({ inputs }) => (inputs < 2 ? { name: 'x', value: 1 } : null)),
        scorer('second', ({ inputs }) => [
          { name: 'x', value: 2 },
          { name: 'y', value: inputs },
        ]),
      ],
    }),
  )
  for (const { rows, scored: n, missing, errors } of run.columns) expect(n + missing + errors).toBe(rows)
  expect(run.columns).toMatchObject([
    { name: 'x', scorer: 'first', scored: 6, errors: 0 },
    { name: 'second', scorer: 'second', scored: 0, missing: 4, errors: 2, errorCodes: { NAME_COLLISION: 2 } },
    { name: 'y', scorer: 'second', scored: 6, errors: 0 },
  ])
  expect(run.problems.map(({ code, message }) => `${code}: ${message}`)).toEqual([
    'NAME_COLLISION: column "x" was written by "first" and "second"',
    'NAME_COLLISION: scorer "second" used a name that was taken, on 2 rows',
    'COLUMN_INCOMPLETE: column "second" has a value on 0 of 6 rows (4 missing, 2 errors)',
  ])
})

test('scoreRow() lets go of scorers when the evaluation is aborted', async () => {
  const controller = new AbortController()
  const work = scored([scorer('hangs', () => new Promise<boolean>(() => {}))], 0, controller.signal)
  controller.abort(new Error('over'))
  expect((await work)[0]?.feedback[0]?.error).toMatchObject({ code: 'SCORER_THREW', message: 'over' })
})

test('a scorer that changes what it is given changes it for nobody else', async () => {
  const inputs = { history: ['b', 'a'] }
  const spoils = scorer('spoils', ({ inputs: given, outputs, expectations }) => {
    given.history.sort()
    expectations.order.reverse()
    return outputs.sort()[0]
  })
  const reads = scorer('reads', ({ inputs: given, outputs, expectations }) =>
    [given.history[0], outputs[0], expectations.order[0]].join(),
  )
  const predict = async ({ history }: { history: string[] }) => {
    history.push('c')
    return ['b', 'a']
  }
  const run = await runEvaluation(
    evaluation({ data: [{ inputs, expectations: { order: [1, 2] } }], predict, scorers: [spoils, reads] }),
  )
  expect(run.columns.map(({ counts }) => Object.keys(counts ?? {}))).toEqual([['a'], ['b,b,1']])
  expect(inputs).toEqual({ history: ['b', 'a'] })
})
