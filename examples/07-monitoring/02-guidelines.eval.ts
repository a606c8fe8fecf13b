import { expect, test } from 'vitest'
import { searchTraces } from 'vitest-evaluate'
import { Guidelines } from 'vitest-evaluate/judges'
import { monitorTraces } from 'vitest-evaluate/monitor'
import './model.ts'
import { produce } from './production.ts'

test('a judge of guidelines watches production', async () => {
  // Create and register the scorer, under a name that is unique in the experiment.
  let englishScorer = await Guidelines({
    name: 'english',
    guidelines: ['The response must be in English'],
  }).register({ name: 'is_english' })

  // Start monitoring with a sample rate. Which traces fall into it is decided by their ids.
  englishScorer = await englishScorer.start({ samplingConfig: { sampleRate: 0.7 } })
  expect([englishScorer.name, englishScorer.sampleRate]).toEqual(['is_english', 0.7])
})

test('it may ask another model', async () => {
  const englishScorer = await Guidelines({
    name: 'english',
    guidelines: ['The response must be in English'],
    model: 'databricks:/databricks-gpt-oss-20b',
  }).register({ name: 'custom_is_english' })
  await englishScorer.start({ samplingConfig: { sampleRate: 1 } })
  await produce()
  await monitorTraces({ once: true })

  const german = await searchTraces({ filter: "feedback.custom_is_english = 'no'" }).toArray()
  expect(german.map(({ inputs }) => inputs)).toEqual([{ query: 'wer bist du' }])
})
