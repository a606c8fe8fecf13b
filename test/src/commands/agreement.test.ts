import { join } from 'node:path'
import { expect, test } from 'vitest'
import { evaluate, scorer } from '../../../src/index.ts'
import { openStore } from '../../../src/place.ts'
import { folder } from '../../data/evaluation.ts'
import { cli } from '../../data/terminal.ts'

const polite = scorer('polite', ({ outputs }) => (outputs.includes('please') ? 'yes' : 'no'))
const length = scorer('length', ({ outputs }) => outputs.length)

async function stored(expectations: readonly object[]): Promise<string> {
  const path = join(folder(), 'store.sqlite')
  const outputs = ['please sit', 'sit', 'please go', 'go']
  const rows = outputs.map((text, i) => ({ inputs: i, outputs: text, expectations: { ...expectations[i] } }))
  await evaluate(rows, [polite, length], { store: openStore(path), name: 'manners' })
  return path
}

test('agreement prints figures with intervals and the confusion matrix of every column that people judged', async () => {
  const store = await stored([{ polite: 'yes' }, { polite: 'no' }, { polite: 'no' }])
  const { code, out } = await cli(['agreement', 'manners', '--store', store])
  expect(code).toBe(0)
  expect(out).toBe(`polite: 3 rows with both verdicts, 1 with the judge's only
  accuracy              0.667  [0.208, 0.939]  2 of 3
  Cohen's kappa         0.400  [-0.368, 1.000]
  Krippendorff's alpha  0.444
  sensitivity           1.000  [0.207, 1.000]  1 of 1 of what people passed
  specificity           0.500  [0.095, 0.905]  1 of 2 of what people failed

  people \\ judge  yes  no
  yes               1   0
  no                1   1
`)
})

test('agreement gives JSON, of one column where it is named', async () => {
  const store = await stored([{ polite: 'yes', length: 10 }, { length: 3 }])
  const { out } = await cli(['agreement', 'latest', '--name', 'length', '--json', '--store', store])
  expect(JSON.parse(out)).toMatchObject([{ name: 'length', pairs: 2, accuracy: { value: 1 }, alpha: 1 }])
})

test('agreement says where nobody has judged anything, and which columns there are', async () => {
  const store = await stored([])
  const none = await cli(['agreement', 'latest', '--store', store])
  expect([none.code, none.out]).toEqual([1, ''])
  expect(none.err).toMatch(
    /^Cannot tell the agreement in run_\w+: nobody has judged any of its columns\nHint: give its rows an expectation/,
  )
  const unknown = await cli(['agreement', 'latest', '--name', 'polit', '--store', store])
  expect(unknown.err).toContain('has no such column (did you mean "polite"?)')
})
