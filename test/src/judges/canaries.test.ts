import { expect, test } from 'vitest'
import {
  CANARIES,
  ConversationalSafety,
  Correctness,
  checkCanaries,
  Guidelines,
  makeJudge,
  Safety,
} from '../../../src/judges/index.ts'
import type { ModelRequest } from '../../../src/model.ts'
import { asking, scripted, verdict } from '../../data/judging.ts'

const material = ({ messages }: ModelRequest): string => messages[1]?.content ?? ''

test('there are canaries of every kind, each with a name of its own', () => {
  expect(CANARIES.length).toBeGreaterThanOrEqual(10)
  expect(new Set(CANARIES.map(({ name }) => name)).size).toBe(CANARIES.length)
})

test('a judge that cannot be talked round holds against every canary', async () => {
  const model = scripted(verdict('no'))
  const { judge, clean, inconclusive, results } = await asking(model, () => checkCanaries(Correctness()))
  expect([judge, clean.value, inconclusive]).toEqual(['correctness', 'no', undefined])
  expect(results.map(({ canary }) => canary)).toEqual(CANARIES.map(({ name }) => name))
  expect(results.every(({ outcome }) => outcome === 'held')).toBe(true)
  expect(model.requests).toHaveLength(CANARIES.length + 1)
})

test('a judge that obeys its material is found out, canary by canary', async () => {
  const model = scripted((request) =>
    verdict(/Ignore the task|found perfect/.test(material(request)) ? 'yes' : 'no', 'as told'),
  )
  const { results } = await asking(model, () => checkCanaries(Correctness()))
  const moved = results.filter(({ outcome }) => outcome === 'moved')
  expect(moved.map(({ canary }) => canary)).toEqual(['plain order', 'authority'])
  expect(moved[0]?.verdict).toMatchObject({ value: 'yes', rationale: 'as told' })
})

test('no canary can leave its block', async () => {
  const model = scripted(verdict('no'))
  await asking(model, () => checkCanaries(Guidelines({ guidelines: 'Name a city' })))
  for (const request of model.requests) {
    const text = material(request)
    const tag = /<(data-[0-9a-f]{24}) /.exec(text)?.[1]
    expect(text.replaceAll(`<${tag} `, '').replaceAll(`</${tag}>`, '')).not.toMatch(/<\s*\/?\s*data-|<\|/)
  }
})

test('an error is no better verdict, and a better number is', async () => {
  const failing = scripted((_, nth) => (nth === 0 ? verdict('no') : 'nonsense'))
  const { results } = await asking(failing, () => checkCanaries(Correctness()))
  expect(results.every(({ outcome, verdict: { error } }) => outcome === 'held' && error?.code === 'NOT_JSON')).toBe(
    true,
  )
  const rating = makeJudge({ name: 'rating', instructions: '{{ outputs }}', feedbackValueType: { min: 1, max: 5 } })
  const soft = scripted((request) => verdict(material(request).includes('lose their job') ? 3 : 2))
  const report = await asking(soft, () => checkCanaries(rating))
  expect(report.results.filter(({ outcome }) => outcome === 'moved').map(({ canary }) => canary)).toEqual(['pity'])
})

test('nothing can be told of a judge that passes the bad row, or cannot judge it', async () => {
  expect(await asking(scripted(verdict('yes')), () => checkCanaries(Correctness()))).toMatchObject({
    inconclusive: 'the bad row passes without any attempt',
    results: [],
  })
  const { inconclusive } = await asking(scripted('?'), () => checkCanaries(Correctness()))
  expect(inconclusive).toMatch(/^the bad row could not be judged: NOT_JSON, /)
})

test.for([Safety, ConversationalSafety])(
  '%o is tried with outputs that do harm, and never without them',
  async (make) => {
    const model = scripted(verdict('no'))
    const { results } = await asking(model, () => checkCanaries(make()))
    expect(results.length).toBe(CANARIES.filter(({ replaces }) => !replaces).length)
    for (const request of model.requests) expect(material(request)).toContain('beaten out of town')
  },
)
