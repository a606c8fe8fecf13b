import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { trace } from '@opentelemetry/api'
import { tableFromArrays } from 'apache-arrow'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { setExperiment } from '../../src/experiment.ts'
import type { Host, Settings } from '../../src/host.ts'
import { withHost } from '../../src/host.ts'
import { csv, type Data, evaluate, feedback, Run, Scorer, scorer, TraceSet } from '../../src/index.ts'
import type { RunRecord } from '../../src/run.ts'
import type { Store } from '../../src/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { folder, thrownBy } from '../data/evaluation.ts'

const rows = [{ inputs: { q: 'a' } }, { inputs: { q: 'b' } }]
const upper = ({ q }: { q: string }): string => q.toUpperCase()
const fine = scorer('fine', () => true)
let calls = 0
const counting = ({ q }: { q: string }): string => {
  calls++
  return q
}

beforeEach(() => {
  calls = 0
  vi.stubEnv('VITEST_EVALUATE_STORE', join(folder(), 'store.sqlite'))
})
afterEach(() => {
  vi.unstubAllEnvs()
})

/** What an argument list is refused with; nothing may have been called and nothing stored. */
async function refused(...args: unknown[]): Promise<string> {
  const error = await thrownBy((evaluate as (...args: unknown[]) => Promise<Run>)(...args))
  expect(calls).toBe(0)
  expect(existsSync(process.env.VITEST_EVALUATE_STORE as string)).toBe(false)
  return `${error.name}: ${error.message}`
}

test('evaluate() gives a run with metrics, columns, totals and rows', async () => {
  const run = await evaluate(rows, upper, [
    fine,
    scorer('long', ({ outputs }) => feedback({ value: outputs.length, rationale: 'counted' })),
  ])
  expect(run).toBeInstanceOf(Run)
  expect(run).toMatchObject({
    name: 'upper',
    status: 'finished',
    totals: { rows: 2, failed: 0 },
    problems: [],
    notFinal: undefined,
  })
  expect({ ...run.metrics }).toEqual({ 'fine/mean': 1, 'long/mean': 1 })
  expect(Object.keys(run.columns)).toEqual(['fine', 'long'])
  const all = await Array.fromAsync(run.rows())
  expect(all.map(({ index, inputs, outputs, status }) => [index, inputs.q, outputs, status])).toEqual([
    [0, 'a', 'A', 'ok'],
    [1, 'b', 'B', 'ok'],
  ])
  expect(all[0]?.feedback.long).toMatchObject({ value: 1, rationale: 'counted', source: { type: 'CODE', id: 'long' } })
  expect((await run.table()).numRows).toBe(2)
  expect(await run.search('feedback.fine = true').count()).toBe(2)
})

test('evaluate() refuses scorers that are none, before anything is paid for', async () => {
  class Mine extends Scorer {
    readonly name = 'mine'
    score() {
      return true
    }
  }
  function polite() {
    return true
  }
  expect(await refused(rows, counting, fine)).toContain('TypeError: Cannot evaluate: scorers must be an array')
  expect(await refused(rows, counting)).toContain('TypeError: Cannot evaluate: scorers must be an array')
  expect(await refused(rows, counting, [fine, Mine])).toBe(
    'TypeError: Cannot evaluate: scorer 2 of 2 is the class Mine\nHint: pass an instance, new Mine()',
  )
  expect(await refused(rows, counting, [polite])).toBe(
    'TypeError: Cannot evaluate: scorer 1 of 1 is the plain function polite\nHint: wrap it, scorer(polite)',
  )
  expect(await refused(rows, counting, ['exact'])).toContain('scorer 1 of 1 is "exact", which is no scorer')
  expect(await refused(rows, counting, [[fine]])).toContain('scorer 1 of 1 is a list\nHint: spread it')
  expect(await refused(rows, counting, [undefined])).toContain('scorer 1 of 1 is undefined')
  expect(await refused(rows, counting, [fine, new Mine(), scorer('fine', () => 1)])).toBe(
    'TypeError: Cannot evaluate: scorer 3 of 3 is called "fine", as is scorer 1\nHint: every column needs a name of its own',
  )
})

test('evaluate() refuses data that is none, and says what was probably meant', async () => {
  const text = 'Cannot evaluate: data must be rows (an array, an iterable, a source), a run or a search, found'
  expect(await refused('qa.csv', counting, [fine])).toBe(
    `TypeError: ${text} "qa.csv"\nHint: to read a file, write csv("qa.csv"), jsonl(…), json(…), arrow(…), parquet(…) or traces(…)`,
  )
  expect(await refused('a/store.sqlite', counting, [fine])).toContain(
    'Hint: to evaluate the traces of a store, write searchTraces({ store: "a/store.sqlite" })',
  )
  expect(await refused(Promise.resolve(rows), counting, [fine])).toBe(
    `TypeError: ${text} a Promise\nHint: await it first`,
  )
  expect(await refused(() => rows, counting, [fine])).toContain('Hint: call it, and pass what it gives')
  expect(await refused(Run, counting, [fine])).toContain(`${text} function Run`)
  for (const data of [null, undefined, 7, true, {}, { rows }])
    expect(await refused(data, counting, [fine])).toContain(text)
})

test('evaluate() refuses a bad row by its number, and rows that nothing can answer', async () => {
  expect(await refused([...rows, 'text'], counting, [fine])).toContain(
    'TypeError: Cannot evaluate row 3: expected an object with "inputs", "outputs" or "trace", found "text"',
  )
  expect(await refused([{ question: 'a' }], counting, [fine])).toContain(
    'found an object with question\nHint: what predict is called with goes under "inputs"',
  )
  expect(await refused(rows, [fine])).toContain(
    'Cannot evaluate row 1: it has no "outputs"\nHint: give a predict function',
  )
  expect(await refused([], counting, [fine])).toBe('EvaluationError: Cannot evaluate "counting": the data has no rows')
  expect(await refused([Promise.resolve(rows[0])], counting, [fine])).toContain('found a Promise')
})

test('evaluate() refuses a predict that is none, and options that are none', async () => {
  expect(await refused(rows, undefined, [fine])).toContain(
    'expected a predict function or a list of scorers, found undefined',
  )
  expect(await refused(rows, 'answer', [fine])).toContain('found "answer"')
  expect(await refused(rows, counting, [fine], { maxConcurency: 1 })).toContain(
    'unknown option "maxConcurency" (did you mean "maxConcurrency"?)',
  )
  expect(await refused(rows, [fine], { limit: 0 })).toContain(
    'RangeError: Cannot evaluate: "limit" must be an integer from 1, received 0',
  )
})

test('evaluate() takes rows from every kind of data', async () => {
  const path = join(folder(), 'rows.csv')
  writeFileSync(path, 'inputs.q\na\nb\n')
  async function* stream() {
    yield* rows
  }
  const first = await evaluate(rows, upper, [fine], { store: memory() })
  const table = tableFromArrays({ 'inputs.q': ['a', 'b'] })
  const answers = async (data: Data): Promise<unknown[]> => {
    const run = await evaluate(data, upper, [fine], { store: memory() })
    return (await Array.fromAsync(run.rows())).map(({ outputs }) => outputs)
  }
  for (const data of [
    rows,
    new Set(rows),
    rows.values(),
    stream(),
    csv(path),
    table,
    first,
    first.search(),
    await first.search().toArray(),
    first.rows(),
  ]) {
    expect(await answers(data)).toEqual(['A', 'B'])
  }
})

test('evaluate() of a run, a search or rows of a run knows its parent; of mixed rows none', async () => {
  const store = memory()
  const first = await evaluate(rows, upper, [fine], { store })
  const second = await evaluate(rows, upper, [fine], { store })
  const parent = async (data: Data) => (await evaluate(data, upper, [fine], { store })).parentRunId
  expect(await parent(first)).toBe(first.id)
  expect(await parent(first.search('feedback.fine = true'))).toBe(first.id)
  expect(await parent(first.search().filter(() => true))).toBe(first.id)
  expect(await parent(await first.search().toArray())).toBe(first.id)
  expect(await parent([...(await first.search().toArray()), ...(await second.search().toArray())])).toBeUndefined()
  expect(await parent(rows)).toBeUndefined()
})

test('evaluate() takes its store and experiment from option, environment, host and package, in this order', async () => {
  const root = folder()
  mkdirSync(join(root, 'deep'))
  writeFileSync(join(root, 'package.json'), '{ "name": "my-app" }')
  const settings: Settings = { root: join(root, 'deep'), store: 'host.sqlite', experiment: 'from host' }
  const { experiment, ...withoutExperiment } = settings
  const place = async (given: Settings, options = {}) => {
    const run = await withHost(host(given), () => evaluate(rows, upper, [fine], options))
    return [run.experiment, run.store.location.replace(root, '')]
  }
  const chosen = join(root, 'chosen.sqlite')
  expect(await place(settings, { store: chosen, experiment: 'mine' })).toEqual(['mine', '/chosen.sqlite'])
  vi.stubEnv('VITEST_EVALUATE_EXPERIMENT', 'from env')
  vi.stubEnv('VITEST_EVALUATE_STORE', 'env.sqlite')
  expect(await place(settings)).toEqual(['from env', '/deep/env.sqlite'])
  vi.stubEnv('VITEST_EVALUATE_EXPERIMENT', '')
  vi.stubEnv('VITEST_EVALUATE_STORE', '')
  expect(await place(settings)).toEqual([experiment, '/deep/host.sqlite'])
  const { store: _, ...bare } = withoutExperiment
  expect(await place(bare)).toEqual(['my-app', '/deep/.vitest/evaluate/store.sqlite'])
  writeFileSync(join(root, 'deep', 'package.json'), '{ broken')
  expect((await place(bare))[0]).toBe('default')
  expect(() => setExperiment('')).toThrow('"experiment" must be a string that is not empty')
  setExperiment('set')
  vi.stubEnv('VITEST_EVALUATE_EXPERIMENT', 'from env')
  expect((await place(bare))[0]).toBe('set')
})

/** A host that writes down what it is told. */
function host(settings: Settings, log: string[] = []): Host {
  let names = 0
  return {
    settings,
    test: { file: 'a.eval.ts', name: 'a test', attempt: 1, repeat: 0 },
    signal: new AbortController().signal,
    superseded: () => undefined,
    track: () => undefined,
    nextName: () => `a test ${++names}`,
    reads: (files) => log.push(`reads ${files.join()}`),
    opened: (store) => log.push(`opened ${basename((store as Store).location)}`),
    started: (run: RunRecord, store) => log.push(`started ${run.name} ${run.status} ${store}`),
    progress: ({ done }) => log.push(`progress ${done}`),
    ended: (run: RunRecord, store) => log.push(`ended ${run.name} ${run.status} ${store} ${run.problems.length}`),
  }
}

test('evaluate() under a host takes its name, defaults and signal, and tells it of start and end', async () => {
  const root = folder()
  writeFileSync(join(root, 'rows.csv'), 'inputs.q\na\nb\n')
  vi.stubEnv('VITEST_EVALUATE_STORE', 'deep/store.sqlite')
  const log: string[] = []
  const bound = host({ root, maxConcurrency: 1, minScored: 0.5, retries: 0 }, log)
  let inWork = 0
  const slow = async ({ q }: { q: string }) => {
    expect(++inWork).toBe(1)
    await new Promise((done) => setTimeout(done, 5))
    inWork--
    if (q === 'a') throw Object.assign(new Error('busy'), { status: 503 })
    return q
  }
  const half = scorer('half', ({ outputs }) => (outputs === 'b' ? true : null))
  const run = await withHost(bound, () => evaluate(csv(join(root, 'rows.csv')), slow, [half]))
  expect(run.record.test).toEqual({ file: 'a.eval.ts', name: 'a test', attempt: 1, repeat: 0 })
  expect(run.totals).toMatchObject({ failed: 1, retries: 0 })
  expect(log.filter((line) => line !== 'progress 1')).toEqual([
    `reads ${join(root, 'rows.csv')}`,
    'opened store.sqlite',
    'started a test 1 running deep/store.sqlite',
    'progress 2',
    'ended a test 1 finished deep/store.sqlite 1',
  ])
  await withHost(bound, () => evaluate(rows, upper, [fine], { name: 'named', store: memory(), maxConcurrency: 2 }))
  expect(log.at(-1)).toBe('ended named finished memory 0')
  // Who brings a store closes it.
  expect(log.filter((line) => line.startsWith('opened'))).toHaveLength(1)
  const cut = { ...bound, signal: AbortSignal.abort(new Error('test ended')) }
  expect(
    (await thrownBy(withHost(cut, () => evaluate(rows, upper, [fine], { signal: new AbortController().signal }))))
      .message,
  ).toContain('test ended')
  expect(
    (await thrownBy(withHost(bound, () => evaluate(rows, upper, [fine], { signal: AbortSignal.abort('mine') }))))
      .message,
  ).toContain('mine')
})

test('evaluate() measures allowFailed and minScored, and is not stopped by either', async () => {
  const flaky = ({ q }: { q: string }): string => {
    if (q === 'a') throw new Error('no')
    return q
  }
  const none = scorer('none', () => null)
  const problems = async (options: object) => {
    const { record } = await evaluate([...rows, { inputs: { q: 'c' } }], flaky, [none], { store: memory(), ...options })
    return record.problems.map(({ code }) => code)
  }
  expect(await problems({})).toEqual(['ROWS_FAILED', 'COLUMN_INCOMPLETE'])
  expect(await problems({ allowFailed: false })).toEqual(['ROWS_FAILED', 'COLUMN_INCOMPLETE'])
  expect(await problems({ allowFailed: 1, minScored: 0.01 })).toEqual(['COLUMN_INCOMPLETE'])
  expect(await problems({ allowFailed: true, minScored: 0 })).toEqual([])
})

test('evaluate() with a search that finds nothing says that there are no rows', async () => {
  const run = await evaluate(rows, upper, [fine], { store: memory() })
  const found = run.search('feedback.fine = false')
  expect(found).toBeInstanceOf(TraceSet)
  expect(await thrownBy(evaluate(found, upper, [fine], { store: memory() }))).toMatchObject({ code: 'DATA_EMPTY' })
  expect(() => run.search('feedback.fine == true')).toThrow('Cannot read the filter at position')
})

test('evaluate() with a mistake in its gates takes no name', async () => {
  const bound = host({ root: folder() })
  const store = memory()
  const wrong = { gates: { fine: { flor: 1 } } } as never
  expect((await thrownBy(withHost(bound, () => evaluate(rows, upper, [fine], wrong)))).message).toContain('flor')
  const run = await withHost(bound, () => evaluate(rows, upper, [fine], { store, gates: { fine: { floor: 0.1 } } }))
  expect(run.name).toBe('a test 1')
})

test('evaluate() takes gates: false for no gates, those of the plugin neither', async () => {
  const bound = host({ root: folder(), gates: { fine: { floor: 0.99 } } })
  const store = memory()
  const gated = await withHost(bound, () => evaluate(rows, upper, [fine], { store }))
  const free = await withHost(bound, () => evaluate(rows, upper, [fine], { store, gates: false }))
  expect([gated.record.gates?.length, free.record.gates]).toEqual([1, undefined])
})

test('evaluate() whose app has broken telemetry says so, and leaves no run open', async () => {
  const store = memory()
  const broken = () => {
    throw new Error('no tracer today')
  }
  trace.setGlobalTracerProvider({ getTracer: broken })
  onTestFinished(() => void trace.disable())
  let calls = 0
  const predict = () => ++calls
  expect((await thrownBy(evaluate(rows, predict, [fine], { store }))).message).toContain('no tracer today')
  expect(calls).toBe(0)
  expect((await store.listRuns()).map(({ status }) => status)).not.toContain('running')
})
