import { join } from 'node:path'
import { expect, test } from 'vitest'
import { evaluate, scorer } from '../../../src/index.ts'
import { folder } from '../../data/evaluation.ts'
import { cli } from '../../data/terminal.ts'

const scorers = [
  scorer('good', ({ outputs }) => outputs.n >= outputs.failures),
  scorer('length', ({ outputs }) => 100 + outputs.n - outputs.failures),
]

async function runs() {
  const store = join(folder(), 'store.sqlite')
  const run = (from: number, failures: number, answer = 'x') => {
    const rows = Array.from({ length: 40 }, (_, i) => ({
      id: `q-${from + i}`,
      inputs: { n: from + i },
      expectations: from + i === 20 ? { answer } : {},
    }))
    const app = ({ n }: { n: number }) => ({ n, failures })
    return evaluate(rows, app, failures > 0 ? [...scorers, scorer('young', () => 1)] : scorers, { store, name: 'app' })
  }
  return { store, before: await run(0, 0), after: await run(5, 12, 'y') }
}

test('compare prints a line per column and the rows that flipped, by name', async () => {
  const { store, before, after } = await runs()
  const { code, out, err } = await cli(['compare', before.id, after.id, '--store', store])
  expect([code, err]).toEqual([0, ''])
  const shown = out.replaceAll(before.id, 'run_before').replaceAll(after.id, 'run_after')
  await expect(shown).toMatchFileSnapshot('../../golden/compare-100.txt')
})

test('compare --json gives the same as data', async () => {
  const { store, before, after } = await runs()
  const data = JSON.parse((await cli(['compare', before.id, after.id, '--store', store, '--json'])).out)
  expect(data).toMatchObject({
    before: before.id,
    after: after.id,
    paired: 35,
    onlyBefore: 5,
    onlyAfter: 5,
    changed: 1,
    added: ['young'],
  })
  expect(data.columns[0]).toMatchObject({ name: 'good', paired: 34, rose: [] })
  expect(data.columns[0].fell.map(({ rowId }: any) => rowId)).toEqual([
    'q-5',
    'q-6',
    'q-7',
    'q-8',
    'q-9',
    'q-10',
    'q-11',
  ])
})

test('compare of a run with itself shows no difference', async () => {
  const { store, before } = await runs()
  const { out } = await cli(['compare', before.id, before.id, '--store', store])
  expect(out).toContain('40 rows in both\n')
  expect(out).not.toContain('passed before')
})
