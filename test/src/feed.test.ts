import { expect, test } from 'vitest'
import { runEvaluation } from '../../src/evaluate.ts'
import { Feed, type Selection } from '../../src/feed.ts'
import type { Row } from '../../src/row.ts'
import { notFinal, type RunRecord } from '../../src/run.ts'
import { sleep } from '../../src/std/async.ts'
import { decode } from '../../src/std/json.ts'
import { evaluation, STORES, storedOf, thrownBy } from '../data/evaluation.ts'

const rows = (count: number): Row[] => Array.from({ length: count }, (_, i) => ({ inputs: i }))

async function taken(
  data: Iterable<unknown> | AsyncIterable<unknown>,
  selection: Selection,
): Promise<[number, unknown][]> {
  const feed = new Feed(data, selection)
  const all: [number, unknown][] = []
  for (;;) {
    const fed = await feed.take()
    if (!fed) return all
    all.push([fed.index, fed.row.inputs])
  }
}

/** A source that counts what is asked of it. */
function counted(count: number, isAsync: boolean) {
  const log = { read: 0, closed: 0 }
  const item = (): IteratorResult<Row> =>
    log.read < count ? { done: false, value: { inputs: log.read++ } } : { done: true, value: undefined }
  const data = isAsync
    ? {
        [Symbol.asyncIterator]: () => ({
          next: async () => item(),
          return: async () => {
            log.closed++
            return { done: true as const, value: undefined }
          },
        }),
      }
    : {
        [Symbol.iterator]: () => ({
          next: item,
          return: () => {
            log.closed++
            return { done: true as const, value: undefined }
          },
        }),
      }
  return { data: data as Iterable<unknown> | AsyncIterable<unknown>, log }
}

test('Feed.take() gives rows in order to many takers, from an array, an iterable and a stream alike', async () => {
  async function* stream() {
    for (const row of rows(5)) {
      await sleep(Number(row.inputs) % 2)
      yield row
    }
  }
  const all = rows(5).map(({ inputs }, i) => [i, inputs])
  expect(await taken(rows(5), {})).toEqual(all)
  expect(await taken(new Set(rows(5)), {})).toEqual(all)
  expect(await taken(stream(), {})).toEqual(all)
  const feed = new Feed(stream(), {})
  const together = await Promise.all(Array.from({ length: 7 }, () => feed.take()))
  expect(together.map((fed) => fed?.index)).toEqual([0, 1, 2, 3, 4, undefined, undefined])
})

test.for([true, false])('Feed is never read further ahead than there are rows in work (async: %s)', async (isAsync) => {
  const { data, log } = counted(200, isAsync)
  let done = 0
  let ahead = 0
  await runEvaluation(
    evaluation({
      data,
      maxConcurrency: 5,
      predict: async () => {
        ahead = Math.max(ahead, log.read - done)
        await sleep(2)
        done++
      },
    }),
  )
  expect(done).toBe(200)
  expect(ahead).toBe(5)
  expect(log.closed).toBe(0)
})

test.for([true, false])(
  'Feed closes its source once when a limit, an abort or a bad row ends it early (async: %s)',
  async (isAsync) => {
    const limited = counted(200, isAsync)
    const run = await runEvaluation(
      evaluation({ data: limited.data, selection: { limit: 12 }, predict: () => sleep(1) }),
    )
    expect([run.totals.rows, limited.log]).toEqual([12, { read: 12, closed: 1 }])

    const aborted = counted(200, isAsync)
    const controller = new AbortController()
    const predict = async (n: number): Promise<void> => {
      await sleep(1)
      if (n === 20) controller.abort()
    }
    await thrownBy(runEvaluation(evaluation({ data: aborted.data, signal: controller.signal, predict })))
    expect(aborted.log.closed).toBe(1)
    expect(aborted.log.read).toBeLessThan(30)

    const { data, log } = counted(200, isAsync)
    const filter = (row: Row): boolean => {
      if (row.inputs === 9) throw new Error('filter broke')
      return true
    }
    const thrown = await thrownBy(runEvaluation(evaluation({ data, selection: { filter }, predict: () => sleep(1) })))
    expect(thrown.message).toContain('filter broke')
    expect(log.closed).toBe(1)
  },
)

test('Feed lets go of a source that never answers', async () => {
  const controller = new AbortController()
  let finished = false
  async function* stuck() {
    try {
      yield* rows(3)
      await new Promise(() => {})
    } finally {
      finished = true
    }
  }
  const store = STORES.memory()
  const work = thrownBy(
    runEvaluation(evaluation({ data: stuck(), store, signal: controller.signal, predict: (n) => n })),
  )
  await sleep(20)
  controller.abort(new Error('stop'))
  const thrown = await work
  expect(thrown).toMatchObject({ code: 'RUN_INTERRUPTED' })
  expect(await store.getRun(thrown.runId)).toMatchObject({ status: 'interrupted', totals: { rows: 3 } })
  expect(finished).toBe(false)
})

test('Feed survives a source that cannot be closed', async () => {
  const data = {
    [Symbol.iterator]: () => ({
      next: () => ({ done: false, value: { inputs: 1 } }),
      return: () => {
        throw new Error('cannot close')
      },
    }),
  }
  const run = await runEvaluation(evaluation({ data, selection: { limit: 3 }, predict: () => 1 }))
  expect(run).toMatchObject({ status: 'finished', totals: { rows: 3 } })
})

test('Feed takes the first rows with limit, those that fit with filter, and both together', async () => {
  const even = (row: Row): boolean => row.inputs % 2 === 0
  expect(await taken(rows(9), { limit: 2 })).toEqual([
    [0, 0],
    [1, 1],
  ])
  expect(await taken(rows(9), { limit: 100 })).toHaveLength(9)
  expect(await taken(rows(9), { filter: even, limit: 3 })).toEqual([
    [0, 0],
    [1, 2],
    [2, 4],
  ])
})

test('Feed samples the same rows whatever their order, in the order of the data', async () => {
  const chosen = (data: Row[], selection: Selection) =>
    taken(data, selection).then((all) => all.map(([, n]) => n as number))
  const once = await chosen(rows(5_000), { sample: 50, seed: 3 })
  expect(once).toHaveLength(50)
  expect(once).toEqual(once.toSorted((a, b) => a - b))
  expect(await chosen(rows(5_000), { sample: 50, seed: 3 })).toEqual(once)
  const reversed = await chosen(rows(5_000).toReversed(), { sample: 50, seed: 3 })
  expect(reversed).toEqual(once.toReversed())
  expect(await chosen(rows(5_000), { sample: 80, seed: 3 })).toEqual(expect.arrayContaining(once))
  expect(await chosen(rows(5_000), { sample: 50, seed: 4 })).not.toEqual(once)
  expect(await chosen(rows(5_000), { sample: 50 })).toEqual(await chosen(rows(5_000), { sample: 50, seed: 0 }))
  expect(await chosen(rows(3), { sample: 50 })).toEqual([0, 1, 2])
  const odd = await chosen(rows(100), { sample: 10, filter: (row) => row.inputs % 2 === 1 })
  expect(odd.filter((n) => n % 2 === 1)).toHaveLength(10)
})

test('Feed spreads a sample evenly, and picks rows by their id where they have one', async () => {
  const halves = [0, 0]
  for (let seed = 0; seed < 40; seed++) {
    for (const [, n] of await taken(rows(200), { sample: 20, seed })) (halves[Number((n as number) >= 100)] as number)++
  }
  // 800 draws: 400 ± 4 standard deviations.
  expect(Math.abs((halves[0] as number) - 400)).toBeLessThan(57)
  const named = (order: number[]) => order.map((n) => ({ id: `row ${n}`, inputs: 'same' }))
  const ids = async (data: Row[]): Promise<unknown[]> => {
    const feed = new Feed(data, { sample: 5 })
    const rows: unknown[] = []
    for (let fed = await feed.take(); fed; fed = await feed.take()) rows.push(fed.row.id)
    return rows.sort()
  }
  const order = Array.from({ length: 30 }, (_, i) => i)
  expect(await ids(named(order))).toEqual(await ids(named(order.toReversed())))
})

test('Feed gives the right place of a bad item in its error, also when sampling and filtering', async () => {
  const data = [...rows(6), 5]
  await expect(taken(data, {})).rejects.toThrow('Cannot evaluate row 7: expected an object')
  await expect(taken(data, { sample: 2 })).rejects.toThrow('Cannot evaluate row 7: expected an object')
  await expect(taken(data, { sample: 2, filter: ({ inputs }) => inputs > 3 })).rejects.toThrow('Cannot evaluate row 7:')
  await expect(taken(data, { filter: ({ inputs }) => inputs > 3 })).rejects.toThrow('Cannot evaluate row 7:')
})

test('Feed samples rows that cannot be kept as well: they fail when their turn comes', async () => {
  const data = Array.from({ length: 20 }, () => ({ inputs: () => 1 }))
  const run = await runEvaluation(evaluation({ data, selection: { sample: 4 }, predict: () => 1 }))
  expect(run.totals).toMatchObject({ rows: 4, failed: 4, failedCodes: { ROW_NOT_DATA: 4 } })
  expect(run.failures[0]?.message).toBe('inputs is the function "inputs", which cannot be kept')
})

test.for([1, 16])(
  'runs of a selection hold the same rows with %i lanes, and say that they are not final',
  async (maxConcurrency) => {
    const store = STORES.memory()
    const said = async (selection: Selection): Promise<[RunRecord, unknown[]]> => {
      const predict = async (n: number) => sleep((n * 7) % 4).then(() => n)
      const run = await runEvaluation(evaluation({ data: rows(300), store, maxConcurrency, predict, selection }))
      return [run, (await storedOf(store, run)).map(({ trace }) => decode(trace.inputs ?? ''))]
    }
    const [sampled, inputs] = await said({ sample: 8, seed: 5 })
    expect(inputs).toEqual((await taken(rows(300), { sample: 8, seed: 5 })).map(([, n]) => n))
    expect([sampled.selection, notFinal(sampled)]).toEqual([{ sample: 8, seed: 5 }, 'not final: sample of 8, seed 5'])
    const [limited] = await said({ limit: 4 })
    expect([limited.selection, notFinal(limited)]).toEqual([{ limit: 4 }, 'not final: limit 4'])
    const [filtered] = await said({ filter: ({ inputs }) => inputs > 290, limit: 5 })
    expect([filtered.selection, notFinal(filtered)]).toEqual([
      { limit: 5, filter: true },
      'not final: limit 5, filtered',
    ])
    const [whole] = await said({})
    expect([whole.selection, notFinal(whole)]).toEqual([undefined, undefined])
  },
)
