import { expect, test } from 'vitest'
import { Guidelines, RelevanceToQuery, Safety } from 'vitest-evaluate/judges'
import { listScorers } from 'vitest-evaluate/monitor'
import './production.ts'
import { complexScorer, responseLength } from './scorers.ts'

const module = new URL('./scorers.ts', import.meta.url)

test('several scorers at different rates', async () => {
  let safetyScorer = await Safety().register({ name: 'safety_check' })
  safetyScorer = await safetyScorer.start({ samplingConfig: { sampleRate: 1.0 } }) // every trace

  let relevanceScorer = await RelevanceToQuery().register({ name: 'relevance_check' })
  relevanceScorer = await relevanceScorer.start({ samplingConfig: { sampleRate: 0.5 } }) // half of them

  let lengthScorer = await responseLength.register({ name: 'length_analysis', module, export: 'responseLength' })
  lengthScorer = await lengthScorer.start({ samplingConfig: { sampleRate: 0.3 } })

  expect([safetyScorer, relevanceScorer, lengthScorer].map(({ sampleRate }) => sampleRate)).toEqual([1, 0.5, 0.3])
})

test('the list says which are active', async () => {
  let safetyScorer = await Safety().register({ name: 'safety' })
  safetyScorer = await safetyScorer.start({ samplingConfig: { sampleRate: 1.0 } })

  let guidelinesScorer = await Guidelines({
    name: 'english',
    guidelines: ['Response must be in English'],
  }).register({ name: 'english_check' })
  guidelinesScorer = await guidelinesScorer.start({ samplingConfig: { sampleRate: 0.5 } })
  await safetyScorer.stop()

  const lines: string[] = []
  for (const scorer of await listScorers()) {
    if (scorer.sampleRate > 0) lines.push(`${scorer.name} is active`)
    else lines.push(`${scorer.name} is stopped`)
  }
  expect(lines).toEqual([`${guidelinesScorer.name} is active`, 'safety is stopped'])
})

test('what matters most is seen in full, what costs most in part', async () => {
  let safetyScorer = await Safety().register({ name: 'safety' })
  safetyScorer = await safetyScorer.start({ samplingConfig: { sampleRate: 1.0 } })

  let wordScorer = await complexScorer.register({ name: 'complex_analysis', module, export: 'complexScorer' })
  wordScorer = await wordScorer.start({ samplingConfig: { sampleRate: 0.05 } })
  expect([safetyScorer.sampleRate, wordScorer.sampleRate]).toEqual([1, 0.05])
})
