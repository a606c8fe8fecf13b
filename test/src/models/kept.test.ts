import { join } from 'node:path'
import { expect, test } from 'vitest'
import { evaluate, type Run } from '../../../src/index.ts'
import { cached } from '../../../src/models/index.ts'
import { folder } from '../../data/evaluation.ts'

const rows = [{ inputs: { q: 'a' } }, { inputs: { q: 'b' } }]

async function outputsOf(run: Run): Promise<unknown[]> {
  return (await Array.fromAsync(run.rows())).map(({ outputs }) => outputs)
}

test('cached() answers the same inputs from what is kept, values of any kind', async () => {
  const store = join(folder(), 'store.sqlite')
  let calls = 0
  const predict = ({ q }: { q: string }) => ({ q, at: new Date(0), big: 10n ** 20n, nth: ++calls })
  const first = await evaluate(rows, cached(predict), [], { store })
  const second = await evaluate(rows, cached(predict), [], { store })
  expect(calls).toBe(2)
  expect(await outputsOf(second)).toEqual(await outputsOf(first))
  expect((await outputsOf(second))[0]).toMatchObject({ at: new Date(0), big: 10n ** 20n })
  expect(first.name).toBe('predict')
  await evaluate(rows, cached(predict, { version: '2' }), [], { store })
  await evaluate([{ inputs: { q: 'c' } }], cached(predict), [], { store })
  expect(calls).toBe(5)
  await evaluate(rows, cached(predict), [], { store, cache: false })
  expect(calls).toBe(7)
})

test('cached() keeps no failure', async () => {
  const store = join(folder(), 'store.sqlite')
  let calls = 0
  const flaky = () => {
    if (calls++ === 0) throw new Error('broken')
    return 'fine'
  }
  const row = [{ inputs: { q: 'a' } }]
  const first = await evaluate(row, cached(flaky), [], { store, allowFailed: true })
  const second = await evaluate(row, cached(flaky), [], { store })
  expect([first.totals.failed, second.totals.failed]).toEqual([1, 0])
})

test('cached() refuses what is no function', () => {
  expect(() => cached('answer' as never)).toThrow('Cannot keep answers of "answer": it is no function')
})
