import { expect, test } from 'vitest'
import { flakes } from '../../src/flakiness.ts'
import { wilson } from '../../src/std/stats.ts'
import { sheetOf } from '../data/sheet.ts'

const runs = (count: number) =>
  Array.from({ length: count }, (_, run) =>
    sheetOf({
      columns: {
        good: [true, false, run % 2 === 0, run > 0, run === 0 ? undefined : true],
        length: [run * 100, 100, 100, 100, 100],
      },
    }),
  )

test('flakes() gives the rows whose verdicts differ, those nearest to one in two first', () => {
  const found = flakes(runs(20))
  expect(found.map(({ rowId, passed, runs, unstable }) => [rowId, passed, runs, unstable])).toEqual([
    ['q-3', 10, 20, true],
    ['q-4', 19, 20, false],
  ])
  expect(found[0]?.interval).toEqual(wilson(10, 20))
})

test('flakes() of two runs that differ leaves both ends open; of fewer there is nothing to differ', () => {
  expect(flakes(runs(2)).map(({ unstable }) => unstable)).toEqual([true, true])
  expect(flakes(runs(1))).toEqual([])
  expect(flakes([])).toEqual([])
})
