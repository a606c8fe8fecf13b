import { expect, test } from 'vitest'
import { scorer, searchTraces } from 'vitest-evaluate'
import { monitorTraces, registerScorers } from 'vitest-evaluate/monitor'
import { produce } from './production.ts'
import { complexScorer, mentionsDatabricks, responseLength, responseRelevanceScore } from './scorers.ts'

const module = new URL('./scorers.ts', import.meta.url)

test('functions and instances of classes watch production', async () => {
  let databricksScorer = await mentionsDatabricks.register({
    name: 'databricks_mentions',
    module,
    export: 'mentionsDatabricks',
  })
  databricksScorer = await databricksScorer.start({ samplingConfig: { sampleRate: 0.5 } })

  let lengthScorer = await responseLength.register({ name: 'response_length', module, export: 'responseLength' })
  lengthScorer = await lengthScorer.start({ samplingConfig: { sampleRate: 1.0 } })

  let relevanceScorer = await responseRelevanceScore.register({
    name: 'response_relevance_score',
    module,
    export: 'responseRelevanceScore',
  })
  relevanceScorer = await relevanceScorer.start({ samplingConfig: { sampleRate: 1.0 } })

  let wordScorer = await complexScorer.register({ name: 'complex_analysis', module, export: 'complexScorer' })
  wordScorer = await wordScorer.start({ samplingConfig: { sampleRate: 1.0 } })

  const started = [databricksScorer, lengthScorer, relevanceScorer, wordScorer]
  expect(started.map(({ name, sampleRate }) => [name, sampleRate])).toEqual([
    ['databricks_mentions', 0.5],
    ['response_length', 1],
    ['response_relevance_score', 1],
    ['complex_analysis', 1],
  ])

  await produce()
  await monitorTraces({ once: true })
  const [lakehouse] = await searchTraces({ filter: 'feedback.response_length > 100' }).toArray()
  const values = Object.fromEntries((lakehouse?.searchAssessments() ?? []).map(({ name, value }) => [name, value]))
  expect(values).toMatchObject({ response_length: 127, response_relevance_score: 1, complex_analysis: 1 })
})

test('a module registers everything that it exports at once', async () => {
  const registered = await registerScorers(module)
  expect(registered.map(({ name }) => name).sort()).toEqual([
    'complex',
    'formality',
    'mentions_databricks',
    'response_length',
    'response_relevance_score',
    'well_designed_scorer',
  ])
})

test('code that no module exports cannot be registered', async () => {
  const inline = scorer('inline', () => true)
  await expect(inline.register()).rejects.toThrow('it is made of code, which is never stored')
})
