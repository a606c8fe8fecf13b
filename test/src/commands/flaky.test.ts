import { join } from 'node:path'
import { expect, test } from 'vitest'
import { evaluate, scorer } from '../../../src/index.ts'
import { folder } from '../../data/evaluation.ts'
import { cli } from '../../data/terminal.ts'

async function stored(times: number) {
  const store = join(folder(), 'store.sqlite')
  const rows = Array.from({ length: 6 }, (_, n) => ({ id: `q-${n}`, inputs: { n } }))
  const good = scorer('good', ({ outputs }) => outputs)
  for (let run = 0; run < times; run++) {
    await evaluate(rows, ({ n }: { n: number }) => n !== 3 || run % 3 === 0, [good], { store, name: 'app' })
  }
  return (...args: string[]) => cli(['flaky', 'app', '--store', store, ...args])
}

test('flaky shows the rows whose verdicts differ from run to run', async () => {
  const ask = await stored(9)
  const { code, out } = await ask()
  expect(code).toBe(0)
  expect(out).toMatch(/q-3 +good +3 of 9 +0\.12 – 0\.65 +unstable\n/)
  expect(out).toContain('1 verdict differs over 9 runs, 1 unstable')
  expect((await ask('--runs', '4')).out).toMatch(/q-3 +good +1 of 4/)
  const data = JSON.parse((await ask('--json')).out)
  expect(data.runs).toHaveLength(9)
  expect(data.rows).toMatchObject([{ rowId: 'q-3', column: 'good', passed: 3, runs: 9 }])
})

test('flaky needs two runs', async () => {
  const ask = await stored(1)
  const { code, err } = await ask()
  expect(code).toBe(1)
  expect(err).toContain('Cannot tell which rows of "app" are flaky: there is one run')
})
