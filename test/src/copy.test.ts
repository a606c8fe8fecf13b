import { writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { copyRun, keepRun } from '../../src/copy.ts'
import {
  evaluate,
  feedback,
  openRun,
  overrideFeedback,
  type Run,
  scorer,
  span,
  updateAssessment,
} from '../../src/index.ts'
import type { Store, StoredTrace } from '../../src/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { folder, STORES, storedOf, thrownBy } from '../data/evaluation.ts'
import { runRecord } from '../data/records.ts'

/** From every kind of store to every kind. */
const WAYS = (['memory', 'sqlite'] as const).flatMap((from) =>
  (['memory', 'sqlite'] as const).map((to) => [from, to] as const),
)

/** A run with a bit of everything: spans, failed rows, expectations, errors, hostile names, values that JSON does not know. */
async function everything(store: Store): Promise<Run> {
  const outputs = [undefined, 2n ** 70n, new Map([['__proto__', new Date(0)]]), '\0\ud800\u2028', -0]
  const odd = scorer('__proto__', ({ inputs }) =>
    inputs === 1 ? null : feedback({ value: inputs % 2 === 0, rationale: '../x\n' }),
  )
  const shaky = scorer('shaky', ({ inputs }) => {
    if (inputs === 2) throw new TypeError('judge is down')
    return feedback({ value: { k: inputs }, metadata: { n: inputs } })
  })
  return evaluate(
    Array.from({ length: 6 }, (_, inputs) => ({
      inputs,
      expectations: { answer: inputs, ['__proto__']: 'x' },
      tags: { 'two\nlines': String(inputs) },
    })),
    async (n: number) => {
      await span('look up', { type: 'TOOL', inputs: 1n }, () => n)
      if (n === 5) throw new Error('the backend is down')
      return outputs[n]
    },
    [odd, shaky],
    { store, name: '../two\nlines', allowFailed: 1, minScored: 0 },
  )
}

/** Rows without the fields that JSON would lose. */
const idsOf = (stored: readonly StoredTrace[]) => stored.map(({ trace }) => trace.id)

test.for(WAYS)('copyRun() gives the same run with the same rows, from %s to %s', async ([from, to]) => {
  const [here, there] = [STORES[from](), STORES[to]()]
  const run = await everything(here)
  await copyRun(run.id, here, there)
  const copy = await openRun(run.id, { store: there })
  expect(copy.record).toEqual(run.record)
  const rows = await storedOf(here, run.record)
  expect(rows).toHaveLength(6)
  expect(await storedOf(there, run.record)).toEqual(rows)
  expect(await copy.search("tag.`two\nlines` = '3' AND feedback.`__proto__` = false").count()).toBe(1)
})

test('copyRun() changes nothing where the run is there already, whole', async () => {
  const [here, there] = [memory(), STORES.sqlite()]
  const run = await everything(here)
  await copyRun(run.id, here, there)
  const before = await storedOf(there, run.record)
  await copyRun(run.id, here, there)
  await copyRun(run.id, there, there)
  expect(await there.listRuns()).toEqual([run.record])
  expect(await storedOf(there, run.record)).toEqual(before)
})

test('copyRun() refuses a run that is not there, and writes nothing', async () => {
  const [here, there] = [memory(), memory()]
  expect(await thrownBy(copyRun('run_none', here, there))).toMatchObject({
    code: 'RUN_NOT_FOUND',
    message: 'Cannot copy run "run_none": memory does not hold it',
  })
  expect(await there.listRuns()).toEqual([])
})

test.for(['memory', 'sqlite'] as const)(
  'keepRun() that was cut off leaves a run that is marked so, and goes on with the rows that are missing (%s)',
  async (kind) => {
    const [here, there] = [memory(), STORES[kind]()]
    const run = await everything(here)
    const rows = await storedOf(here, run.record)
    async function* breaking() {
      yield* rows.slice(0, 2)
      throw new Error('the disk was pulled')
    }
    await expect(keepRun(run.record, breaking(), there)).rejects.toThrow('the disk was pulled')
    await there.flush()
    expect(await there.getRun(run.id)).toMatchObject({ status: 'running' })
    expect(idsOf(await storedOf(there, run.record))).toEqual(idsOf(rows.slice(0, 2)))

    await copyRun(run.id, here, there)
    expect(await there.getRun(run.id)).toEqual(run.record)
    expect(await storedOf(there, run.record)).toEqual(rows)
  },
)

test('copyRun() of a run whose process died copies its rows, and it reads as interrupted in both stores', async () => {
  const [here, there] = [memory(), STORES.sqlite()]
  const run = await everything(here)
  const gone = runRecord({ ...run.record, status: 'running', process: { pid: 2 ** 22 + 1, host: hostname() } })
  await here.updateRun(gone)
  for (const _ of [1, 2]) await copyRun(run.id, here, there)
  expect(await storedOf(there, gone)).toEqual(await storedOf(here, gone))
  const [before, copy] = [await openRun(run.id, { store: here }), await openRun(run.id, { store: there })]
  expect(copy).toMatchObject({ status: 'interrupted', totals: { rows: 6, failed: 1 } })
  expect(copy.record).toEqual(before.record)
})

test('copyRun() of a run that still goes on takes what there is, and the rest and the end with the next copy', async () => {
  const [here, there] = [memory(), STORES.sqlite()]
  const gate = Promise.withResolvers<void>()
  const work = evaluate(
    Array.from({ length: 8 }, (_, inputs) => ({ inputs })),
    async (n: number) => (n < 4 ? n : gate.promise.then(() => n)),
    [scorer('s', () => true)],
    { store: here, name: 'long', maxConcurrency: 8 },
  )
  let running = await here.listRuns()
  while (!running[0] || (await here.count({ runId: running[0].id })) < 4) {
    await new Promise((done) => setTimeout(done, 2))
    running = await here.listRuns()
  }
  const id = running[0].id
  await copyRun(id, here, there)
  expect(await openRun(id, { store: there })).toMatchObject({ status: 'running', totals: { rows: 4 } })
  gate.resolve()
  const run = await work
  await copyRun(id, here, there)
  expect((await openRun(id, { store: there })).record).toEqual(run.record)
  expect(await storedOf(there, run.record)).toEqual(await storedOf(here, run.record))
})

test.for(['older first', 'newer first'])(
  'copyRun() of runs that evaluated the same traces keeps each trace once, with the Feedback of both (%s)',
  async (order) => {
    const [here, there] = [STORES.sqlite(), STORES.sqlite()]
    const first = await everything(here)
    const late = scorer('late', ({ outputs }) => outputs !== undefined)
    const second = await evaluate(first.search("status = 'OK'"), [late], { store: here, name: 'second' })
    const runs = order === 'older first' ? [first, second] : [second, first]
    for (const { id } of runs) await copyRun(id, here, there)
    expect(await there.count({})).toBe(6)
    // The order of a trace's assessments is that of their writing; a run that came later cannot be named before.
    const plain = async (store: Store, { record }: Run) =>
      (await storedOf(store, record)).map(({ assessments, ...rest }) => ({
        ...rest,
        assessments: assessments
          .map(({ id: _, runId, kind, ...one }) => (kind === 'feedback' ? { ...one, kind, runId } : { ...one, kind }))
          .toSorted((a, b) => (`${a.kind} ${a.name}` < `${b.kind} ${b.name}` ? -1 : 1)),
      }))
    for (const run of runs) expect(await plain(there, run)).toEqual(await plain(here, run))
    expect((await openRun(second.id, { store: there })).record.parentRunId).toBe(first.id)
    if (order === 'older first')
      expect(await storedOf(there, second.record)).toEqual(await storedOf(here, second.record))
  },
)

test('copyRun() into a store that cannot be written fails with that, and leaves the run where it is', async () => {
  const here = memory()
  const run = await everything(here)
  const place = folder()
  const there = sqlite(join(place, 'file', 'store.sqlite'))
  writeFileSync(join(place, 'file'), 'no folder')
  onTestFinished(() => there.close().catch(() => {}))
  expect(await thrownBy(copyRun(run.id, here, there))).toMatchObject({ code: 'STORE_NOT_WRITABLE' })
  expect(await here.getRun(run.id)).toEqual(run.record)
  const whole = sqlite(join(place, 'store.sqlite'))
  onTestFinished(() => whole.close())
  await copyRun(run.id, here, whole)
  expect(await whole.getRun(run.id)).toEqual(run.record)
})

const ODD = '__proto__'

/** A run whose row 0 was corrected twice, and whose row 1 was corrected and given back. */
async function corrected(store: Store): Promise<Run> {
  const run = await everything(store)
  const rows = await Array.fromAsync(run.rows())
  const source = { type: 'HUMAN', id: 'ann' } as const
  const over = async (row: number, value: boolean | string) => {
    const id = rows[row]?.feedback[ODD]?.id as string
    return overrideFeedback(id, { value, source, rationale: `row ${row}` }, { store })
  }
  await over(0, 'maybe')
  await over(0, false)
  const first = await over(2, false)
  await updateAssessment(first.id, { rationale: 'changed' }, { store })
  return openRun(run.id, { store })
}

test.for(WAYS)('copyRun() keeps corrections with their history, from %s to %s', async ([from, to]) => {
  const [here, there] = [STORES[from](), STORES[to]()]
  const run = await corrected(here)
  expect(run.columns[ODD]).toMatchObject({ corrected: 2 })
  // Beside another trace's past, ordinals are not what they were.
  const [first] = await storedOf(here, run.record)
  const past = { kind: 'feedback', name: ODD, value: 'other', source: { type: 'CODE', id: 'x' }, createdAt: 1 } as const
  if (first) await there.writeTraces([{ trace: first.trace, assessments: [past] }])
  await copyRun(run.id, here, there)
  const copy = await openRun(run.id, { store: there })
  expect(copy.record).toEqual(run.record)
  const history = async ({ store, record }: Run) =>
    (await storedOf(store, record)).map(({ assessments }) =>
      assessments
        .filter(({ name, value }) => name === ODD && value !== 'other')
        .map(({ id: _, overrides, ...rest }) => ({
          ...rest,
          overrides: assessments.find(({ id }) => id === overrides)?.value,
        })),
    )
  expect(await history(copy)).toEqual(await history(run))
  expect((await history(copy))[0]?.map(({ valid, overrides }) => [valid, overrides])).toContainEqual([true, 'maybe'])
  const newest = (await Array.fromAsync(copy.rows()))[0]?.feedback[ODD]?.id as string
  expect(await there.deleteAssessment(newest)).toBe(true)
  expect((await Array.fromAsync(copy.rows()))[0]?.feedback[ODD]).toMatchObject({ value: 'maybe' })
})

test.for(['.jsonl', '.arrow'])(
  'a run that was exported to %s opens with its corrections, and can be corrected again',
  async (ending) => {
    const store = STORES.sqlite()
    const run = await corrected(store)
    const path = join(folder(), `run${ending}`)
    await run.export(path)
    const opened = await openRun(path)
    expect(opened.record).toEqual(run.record)
    expect(await storedOf(opened.store, opened.record)).toEqual(await storedOf(store, run.record))
    const [row] = await Array.fromAsync(opened.rows())
    expect(await opened.store.deleteAssessment(row?.feedback[ODD]?.id as string)).toBe(true)
    const again = await openRun(run.id, { store: opened.store })
    expect(again.columns[ODD]).toMatchObject({ kind: 'category', counts: { maybe: 1 } })
  },
)

test('export() of a run that was corrected since it ended writes the columns of its rows', async () => {
  const store = memory()
  const run = await everything(store)
  const id = (await Array.fromAsync(run.rows()))[0]?.feedback[ODD]?.id as string
  await overrideFeedback(id, { value: false }, { store })
  const path = join(folder(), 'run.jsonl')
  await run.export(path)
  expect((await openRun(path)).record).toEqual((await openRun(run.id, { store })).record)
  expect((await run.table()).getChild(ODD)?.get(0)).toBe(false)
})
