import { expect, test } from 'vitest'
import { scorer } from '../../src/scorer.ts'
import { memory } from '../../src/stores/memory.ts'
import { evaluate } from '../../src/workspace.ts'

const verdicts = ['No', 'yes', false, true, 'FAIL', 'maybe', 0]
const run = () =>
  evaluate(
    verdicts.map((n) => ({ inputs: { n } })),
    ({ n }) => n,
    [scorer('verdict', ({ outputs }) => outputs)],
    { store: memory(), name: 'verdicts' },
  )

test('Run.search() finds failed verdicts however they are spelt', async () => {
  const made = await run()
  expect(await made.search('feedback.verdict = false').count()).toBe(3)
  expect(await made.search('feedback.verdict = true').count()).toBe(2)
  expect(await made.search("feedback.verdict = 'No'").count()).toBe(1)
})

test('Run.search() refuses Feedback that the run has not', async () => {
  const made = await run()
  expect(() => made.search("feedback.verdct = 'no'")).toThrow(
    `by "feedback.verdct = 'no'": it has no Feedback "verdct" (did you mean "verdict"?)`,
  )
  expect(() => made.search('NOT (status IS NULL OR feedback.other IS NULL)')).toThrow('it has no Feedback "other"')
  expect(await made.search('expectation.any IS NULL').count()).toBe(7)
})
