import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { agreement, agreementOf } from '../../src/agreement.ts'
import { feedback, scorer } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { evaluate } from '../../src/workspace.ts'

const pairs = (text: string) =>
  text.split(' ').map((pair) => {
    const [person, judge] = pair.split('/')
    return { person: person || undefined, judge: judge || undefined }
  })
const times = (count: number, text: string) => Array.from({ length: count }, () => pairs(text)).flat()

test('agreementOf() counts, and gives every figure of the published table', () => {
  const one = agreementOf('safety', [
    ...times(20, 'yes/yes'),
    ...times(5, 'yes/no'),
    ...times(10, 'no/yes'),
    ...times(15, 'no/no'),
    ...pairs('yes/ /no'),
  ])
  expect(one).toMatchObject({
    pairs: 50,
    unlabelled: 1,
    unscored: 1,
    labels: ['yes', 'no'],
    matrix: [
      [20, 5],
      [10, 15],
    ],
    accuracy: { value: 0.7, count: 35, of: 50 },
    sensitivity: { value: 0.8, count: 20, of: 25 },
    specificity: { value: 0.6, count: 15, of: 25 },
  })
  expect(one.kappa.value).toBeCloseTo(0.4, 12)
  expect(one.kappa.interval?.low).toBeCloseTo(0.1511, 4)
  expect(one.accuracy.interval.low).toBeLessThan(0.7)
})

test('agreementOf() takes all words of pass and fail as one pair', () => {
  const one = agreementOf('ok', [
    { person: true, judge: 'yes' },
    { person: 'fail', judge: false },
    { person: 'pass', judge: 'no' },
  ])
  expect(one.labels).toEqual(['yes', 'no'])
  expect(one.accuracy.count).toBe(2)
})

test('agreementOf() compares categories and numbers, without sensitivity', () => {
  const words = agreementOf('tone', pairs('warm/warm cold/warm cold/cold neutral/neutral'))
  expect(words.labels).toEqual(['cold', 'neutral', 'warm'])
  expect(words.sensitivity).toBeUndefined()
  expect(words.accuracy.value).toBe(0.75)
  const numbers = agreementOf('rating', [
    { person: 1, judge: 2 },
    { person: 3, judge: 4 },
    { person: 1, judge: 1 },
    { person: 10, judge: 10 },
  ])
  expect(numbers.labels).toEqual(['1', '2', '3', '4', '10'])
  expect(numbers.alpha).toBeGreaterThan(0.9)
})

test('agreementOf() of nothing has no figures', () => {
  expect(agreementOf('x', [])).toMatchObject({
    pairs: 0,
    alpha: undefined,
    accuracy: { value: undefined },
    kappa: { value: undefined },
  })
})

const polite = scorer('polite', ({ outputs }) =>
  outputs === 'broken'
    ? feedback({ error: 'no verdict' })
    : feedback({ value: outputs.includes('please') ? 'yes' : 'no' }),
)

test.each([
  ['memory', () => memory()],
  ['sqlite', () => sqlite(join(mkdtempSync(join(tmpdir(), 'agreement-')), 'store.sqlite'))],
])('agreement() pairs a run with what people said of its traces, in %s', async (_, open) => {
  const store = open()
  const rows = [
    { inputs: 1, outputs: 'please sit' },
    { inputs: 2, outputs: 'sit' },
    { inputs: 3, outputs: 'please go' },
    { inputs: 4, outputs: 'broken' },
    { inputs: 5, outputs: 'go', expectations: { polite: 'no' } },
    { inputs: 6, outputs: 'nobody looked at this' },
  ]
  const run = await evaluate(rows, [polite], { store, minScored: 0 })
  const traces = await run.search().toArray()
  const say = async (row: number, value: string, overrides?: string) => {
    const trace = traces[row]
    const source = { type: 'HUMAN', id: 'ann' } as const
    await store.logAssessment(trace?.id as string, {
      kind: 'feedback',
      name: 'polite',
      value,
      source,
      createdAt: Date.now(),
      ...(overrides !== undefined && { overrides }),
    })
  }
  await say(0, 'yes')
  await say(1, 'no')
  await say(2, 'no', traces[2]?.assessments.find(({ name }) => name === 'polite')?.id)
  await say(3, 'yes')
  const found = await agreement(run, 'polite')
  expect(found).toMatchObject({
    pairs: 4,
    unlabelled: 1,
    unscored: 1,
    matrix: [
      [1, 0],
      [1, 2],
    ],
  })
  await store.close()
})

test('agreement() refuses a column that the run has not', async () => {
  const run = await evaluate([{ inputs: 1, outputs: 'please' }], [polite], { store: memory() })
  await expect(agreement(run, 'polit')).rejects.toThrow(/has no such column \(did you mean "polite"\?\)/)
})
