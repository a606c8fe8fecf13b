import { expect, onTestFinished, test } from 'vitest'
import { parseFilter } from '../../src/grammar.ts'
import {
  deleteAssessment,
  evaluate,
  feedback,
  getAssessment,
  logExpectation,
  logFeedback,
  openRun,
  overrideFeedback,
  type Run,
  scorer,
  searchTraces,
  span,
  updateAssessment,
} from '../../src/index.ts'
import type { Store } from '../../src/store.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { folder, STORES, thrownBy } from '../data/evaluation.ts'

const KINDS = Object.entries(STORES)
const ANN = { type: 'HUMAN', id: 'ann' } as const

function as(user: string | undefined): void {
  const before = process.env.VITEST_EVALUATE_USER
  const set = (value: string | undefined): void => {
    if (value === undefined) delete process.env.VITEST_EVALUATE_USER
    else process.env.VITEST_EVALUATE_USER = value
  }
  set(user)
  onTestFinished(() => set(before))
}

/** Ten rows; a judge that passes the even ones, one that is silent about row 3 and breaks on row 4. */
async function judgedRun(store: Store): Promise<Run> {
  const even = scorer('even', ({ inputs }) =>
    feedback({ value: inputs % 2 ? 'no' : 'yes', source: { type: 'LLM_JUDGE', id: 'small' }, rationale: 'looked' }),
  )
  const moody = scorer('moody', ({ inputs }) => {
    if (inputs === 4) throw new Error('down')
    return inputs === 3 ? null : 0.5
  })
  const rows = Array.from({ length: 10 }, (_, inputs) => ({ inputs }))
  return evaluate(rows, (n: number) => span('think', {}, () => n), [even, moody], {
    store,
    minScored: 0,
    name: 'judged',
  })
}

async function traceIds(run: Run): Promise<string[]> {
  return (await run.search().toArray()).map(({ id }) => id)
}

async function idOf(run: Run, index: number, name: string): Promise<string> {
  const rows = await Array.fromAsync(run.rows())
  return rows[index]?.feedback[name]?.id as string
}

test.for(KINDS)(
  'overrideFeedback() of a judge changes the columns, and its deletion changes them back (%s)',
  async ([, make]) => {
    const store = make()
    const run = await judgedRun(store)
    expect(run.metrics['even/mean']).toBe(0.5)
    const id = await idOf(run, 1, 'even')
    const given = await overrideFeedback(
      id,
      { value: 'yes', rationale: 'it is odd, and right', source: ANN },
      { store },
    )
    expect(given).toMatchObject({
      name: 'even',
      runId: run.id,
      scorer: 'even',
      overrides: id,
      valid: true,
      source: ANN,
    })
    expect(await getAssessment(id, { store })).toMatchObject({ value: 'no', rationale: 'looked', valid: false })

    const corrected = await openRun(run.id, { store })
    expect(corrected.metrics).toEqual({ 'even/mean': 0.6, 'moody/mean': 0.5 })
    expect(corrected.columns.even).toMatchObject({ passed: 6, scored: 10, corrected: 1 })
    expect(corrected.columns.moody).toEqual(run.columns.moody)
    expect(corrected.totals).toEqual(run.totals)
    expect(corrected.notFinal).toBeUndefined()
    expect(await store.getRun(run.id)).toEqual(corrected.record)
    expect(await corrected.search("feedback.even = 'yes'").count()).toBe(6)
    expect(await corrected.search('feedback.even = false').count()).toBe(4)

    expect(await deleteAssessment(given.id, { store })).toBe(true)
    expect(await deleteAssessment(given.id, { store })).toBe(false)
    expect((await openRun(run.id, { store })).record).toEqual(run.record)
  },
)

test.for(KINDS)(
  'logFeedback() in a run fills what a scorer left out, and opens columns of its own (%s)',
  async ([, make]) => {
    const store = make()
    const run = await judgedRun(store)
    expect(run.columns.moody).toMatchObject({ scored: 8, missing: 1, errors: 1 })
    const ids = await traceIds(run)
    for (const at of [3, 4])
      await logFeedback(ids[at] as string, { name: 'moody', value: 1, runId: run.id, source: ANN }, { store })
    for (const [at, value] of [
      [0, 'warm'],
      [1, 'cold'],
      [1, 'warm'],
    ] as const)
      await logFeedback(ids[at] as string, { name: 'tone', value, runId: run.id, source: ANN }, { store })
    const now = await openRun(run.id, { store })
    expect(now.columns.moody).toMatchObject({ scored: 10, missing: 0, errors: 0, errorCodes: {}, corrected: 2 })
    expect(now.metrics['moody/mean']).toBeCloseTo(0.6, 12)
    expect(now.columns.tone).toMatchObject({ kind: 'category', rows: 10, scored: 2, missing: 8, counts: { warm: 2 } })
    expect(now.columns.tone?.corrected).toBeUndefined()
    expect(Object.keys(now.columns)).toEqual(['even', 'moody', 'tone'])
    expect(await now.search("feedback.tone = 'warm'").count()).toBe(2)
    expect(await now.search("feedback.tone = 'cold'").count()).toBe(0)
  },
)

test.for(KINDS)("logFeedback() without a run stands beside the run's (%s)", async ([, make]) => {
  const store = make()
  as('bob')
  const run = await judgedRun(store)
  const [id = ''] = await traceIds(run)
  const spanId = (await run.search().toArray())[0]?.searchSpans({ name: 'think' })[0]?.id as string
  const given = await logFeedback(
    id,
    { name: 'even', value: { a: 1 }, spanId, metadata: { n: 1 }, rationale: '' },
    { store },
  )
  expect(given).toMatchObject({ value: { a: 1 }, spanId, metadata: { n: 1 }, source: { type: 'HUMAN', id: 'bob' } })
  expect(given).not.toHaveProperty('runId')
  expect(given).not.toHaveProperty('rationale')
  expect((await openRun(run.id, { store })).record).toEqual(run.record)
  expect(await run.search('feedback.even IS NULL').count()).toBe(0)
  expect(await searchTraces({ store, filter: `feedback.even = '{"a":1}'` }).count()).toBe(1)
})

test.for(KINDS)('logExpectation() adds ground truth, of which the newest counts (%s)', async ([, make]) => {
  const store = make()
  const run = await judgedRun(store)
  const [id = ''] = await traceIds(run)
  const first = await logExpectation(id, { name: 'answer', value: { deep: [1n, null] }, source: ANN }, { store })
  await logExpectation(id, { name: 'answer', value: 'newer', rationale: 'asked again' }, { store })
  const [trace] = await run.search("expectation.answer = 'newer'").toArray()
  expect(trace?.expectations).toEqual({ answer: 'newer' })
  expect(await updateAssessment(first.id, { value: new Map([['k', 1]]) }, { store })).toMatchObject({
    kind: 'expectation',
    value: new Map([['k', 1]]),
  })
})

test.for(KINDS)('updateAssessment() changes what stands there, and the columns with it (%s)', async ([, make]) => {
  const store = make()
  const run = await judgedRun(store)
  const id = await idOf(run, 0, 'even')
  const before = await getAssessment(id, { store })
  const updated = await updateAssessment(id, { value: 'maybe', metadata: { seen: true } }, { store })
  expect(updated).toEqual({ ...before, value: 'maybe', metadata: { seen: true }, updatedAt: expect.any(Number) })
  const { columns } = await openRun(run.id, { store })
  expect(columns.even).toMatchObject({ kind: 'category', counts: { no: 5, yes: 4, maybe: 1 } })
  expect(columns.even?.corrected).toBeUndefined()
  await updateAssessment(id, { metadata: { by: 'ann' } }, { store })
  expect((await getAssessment(id, { store }))?.metadata).toEqual({ seen: true, by: 'ann' })
})

test('a verdict that a person confirms is no correction, and one that is corrected twice is one', async () => {
  const store = STORES.memory()
  const run = await judgedRun(store)
  const corrected = async () => (await openRun(run.id, { store })).columns.even?.corrected
  const [zero, one] = [await idOf(run, 0, 'even'), await idOf(run, 1, 'even')]
  await overrideFeedback(zero, { value: true, source: ANN }, { store })
  expect(await corrected()).toBeUndefined()
  await overrideFeedback(one, { value: true, source: ANN }, { store })
  await overrideFeedback(one, { value: 'maybe', source: { type: 'HUMAN', id: 'bob' } }, { store })
  expect(await corrected()).toBe(1)
  await overrideFeedback(one, { value: false, source: ANN }, { store })
  expect(await corrected()).toBeUndefined()
  await overrideFeedback(one, { value: 'yes', source: { type: 'LLM_JUDGE', id: 'large' } }, { store })
  expect(await corrected()).toBeUndefined()
  expect((await openRun(run.id, { store })).columns.even).toMatchObject({ passed: 6 })
})

test("the user in force is the environment's, else that of git or of the system", async () => {
  const store = STORES.memory()
  const [id = ''] = await traceIds(await judgedRun(store))
  const who = async () => (await logFeedback(id, { name: 'x', value: 1 }, { store })).source
  as(' carol ')
  expect(await who()).toEqual({ type: 'HUMAN', id: 'carol' })
  as('')
  const { type, id: name } = await who()
  expect(type).toBe('HUMAN')
  expect(name).not.toBe('')
})

test.for([
  [{ value: 1 }, 'Cannot log Feedback undefined: "name" must be a text that is not empty, found undefined'],
  [{ name: '', value: 1 }, '"name" must be a text that is not empty, found ""'],
  [{ name: 'x' }, 'the Feedback\'s "value" must be given, found undefined'],
  [{ name: 'x', value: null }, 'the Feedback\'s "value" must be given, found null'],
  [
    { name: 'x', value: Number.NaN },
    'must be a boolean, a finite number, a string, or a list or record of those, found NaN',
  ],
  [{ name: 'x', value: { a: { b: 1 } } }, 'or a list or record of those, found an object with a'],
  [{ name: 'x', value: 1, rationale: 5 }, '"rationale" must be a string, found 5'],
  [{ name: 'x', value: 1, source: { type: 'human', id: 'a' } }, "must be { type: 'CODE' | 'LLM_JUDGE' | 'HUMAN', id }"],
  [{ name: 'x', value: 1, metadata: { a: [] } }, 'metadata "a" must be a boolean, number or string'],
  [{ name: 'x', value: 1, runId: 5 }, '"runId" must be a string, found 5'],
  [{ name: 'x', value: 1, sorce: ANN }, 'there is no field "sorce" to give (did you mean "source"?)'],
  [undefined, 'expected { name, value, rationale, source, spanId, runId, metadata }, found undefined'],
] as const)('logFeedback() refuses %j at once', async ([entry, message]) => {
  const thrown = await thrownBy(logFeedback('tr-1', entry as never, { store: STORES.memory() }))
  expect(thrown).toBeInstanceOf(TypeError)
  expect(thrown.message).toContain(message)
})

test('nothing can be said of what is not there, and nothing that cannot be said', async () => {
  const store = STORES.sqlite()
  const run = await judgedRun(store)
  const other = await judgedRun(store)
  const [id = ''] = await traceIds(run)
  const at = { store }
  const refused = async (work: Promise<unknown>) => {
    const { code, name, message } = await thrownBy(work)
    return `${code ?? name} ${message.replaceAll(store.location, 'STORE')}`
  }
  expect(await refused(logFeedback('tr-none', { name: 'x', value: 1 }, at))).toBe(
    'TRACE_NOT_FOUND Cannot log Feedback "x": STORE has no trace "tr-none"\nHint: vitest-evaluate search lists the traces',
  )
  expect(await refused(logFeedback(id, { name: 'x', value: 1, spanId: 'none' }, at))).toBe(
    `RangeError Cannot log Feedback "x": trace "${id}" has no span "none"`,
  )
  expect(await refused(logFeedback(id, { name: 'x', value: 1, runId: 'run_none' }, at))).toContain(
    'RUN_NOT_FOUND Cannot log Feedback "x": STORE has no run "run_none"',
  )
  expect(await refused(logFeedback(id, { name: 'x', value: 1, runId: other.id }, at))).toContain(
    `TRACE_NOT_FOUND Cannot log Feedback "x": run "${other.id}" did not evaluate trace "${id}"`,
  )
  expect(await refused(logExpectation(id, { name: 'x', value: () => 1 }, at))).toContain(
    'TypeError Cannot log expectation "x": value is the function "value", which cannot be kept',
  )
  expect(await refused(logExpectation(id, { name: 'x', value: null }, at))).toContain('its "value" must be given')
  expect(await refused(overrideFeedback(`${id}.99`, { value: 1 }, at))).toContain(
    `ASSESSMENT_NOT_FOUND Cannot override Feedback "${id}.99": STORE has no such assessment`,
  )
  expect(await refused(overrideFeedback(id, { value: 1 }, at))).toContain('such as tr-….3')
  expect(await refused(overrideFeedback(`${id}.0`, { value: 1, name: 'x' } as never, at))).toContain(
    'TypeError Cannot override Feedback',
  )
  const expectation = await logExpectation(id, { name: 'e', value: 1 }, at)
  expect(await refused(overrideFeedback(expectation.id, { value: 1 }, at))).toContain('it is the expectation "e"')
  expect(await refused(updateAssessment(`${id}.0`, {}, at))).toContain('there is nothing to change')
  expect(await refused(updateAssessment(`${id}.0`, { source: ANN } as never, at))).toContain(
    'there is no field "source" to give; known are value, rationale, metadata',
  )
  expect(await refused(updateAssessment(`${id}.0`, { value: Number.POSITIVE_INFINITY }, at))).toContain(
    'found Infinity',
  )
  expect(await refused(updateAssessment(`${id}.99`, { value: 1 }, at))).toContain('ASSESSMENT_NOT_FOUND')
  expect(await refused(logFeedback(id, { name: 'x', value: 1 }, { store: `${store.location}.none` }))).toContain(
    'STORE_NOT_READABLE',
  )
  expect((await openRun(run.id, at)).record).toEqual(run.record)
})

test('corrections of several processes at once are all there, and the columns follow them all', async () => {
  const path = `${folder()}/store.sqlite`
  const stores = Array.from({ length: 3 }, () => sqlite(path))
  onTestFinished(async () => void (await Promise.all(stores.map((store) => store.close()))))
  const [first] = stores as [Store]
  const run = await judgedRun(first)
  const rows = await Array.fromAsync(run.rows())
  await Promise.all(
    stores.flatMap((store, who) =>
      rows.map(async ({ feedback: { even } }) => {
        await overrideFeedback(even?.id as string, { value: true, source: { type: 'HUMAN', id: `p${who}` } }, { store })
        await openRun(run.id, { store })
      }),
    ),
  )
  const now = await openRun(run.id, { store: first })
  expect(now.columns.even).toMatchObject({ passed: 10, scored: 10, corrected: 5 })
  expect(now.record.uncounted).toBeUndefined()
  for await (const { trace } of now.rows()) {
    const all = trace.searchAssessments({ name: 'even', all: true })
    expect(all.map(({ overrides }) => overrides)).toEqual([undefined, ...all.slice(0, -1).map(({ id }) => id)])
    expect(all.map(({ valid }) => valid)).toEqual([false, false, false, true])
  }
})

test('a correction while the run goes on does not disturb it, and counts once it has ended', async () => {
  const path = `${folder()}/store.sqlite`
  const [mine, theirs] = [sqlite(path), sqlite(path)]
  onTestFinished(async () => void (await Promise.all([mine.close(), theirs.close()])))
  const gate = Promise.withResolvers<void>()
  const work = evaluate(
    Array.from({ length: 4 }, (_, inputs) => ({ inputs })),
    (n: number) => (n < 2 ? n : gate.promise.then(() => n)),
    [scorer('safe', () => false)],
    { store: mine, name: 'long' },
  )
  await expect.poll(async () => theirs.count({ filter: parseFilter('feedback.safe IS NOT NULL') })).toBe(2)
  const running = await openRun('long', { store: theirs })
  await overrideFeedback(await idOf(running, 0, 'safe'), { value: true, source: ANN }, { store: theirs })
  expect((await openRun('long', { store: theirs })).columns.safe).toMatchObject({ passed: 1, scored: 2, corrected: 1 })
  gate.resolve()
  const ended = await work
  expect(ended).toMatchObject({ status: 'finished', totals: { rows: 4 } })
  const now = await openRun('long', { store: theirs })
  expect(now).toMatchObject({ status: 'finished', totals: ended.totals })
  expect(now.columns.safe).toMatchObject({ passed: 1, scored: 4, corrected: 1 })
})

test('corrections are there when the file is opened again', async () => {
  const path = `${folder()}/store.sqlite`
  const store = sqlite(path)
  const run = await judgedRun(store)
  await overrideFeedback(await idOf(run, 1, 'even'), { value: 'yes', source: ANN }, { store })
  await store.close()
  const again = sqlite(path)
  onTestFinished(() => again.close())
  const opened = await openRun('judged', { store: again })
  expect(opened.metrics['even/mean']).toBe(0.6)
  const [, row] = await Array.fromAsync(opened.rows())
  expect(row?.feedback.even).toMatchObject({ value: 'yes', source: ANN })
})
