import { expect, test } from 'vitest'
import { searchTraces } from 'vitest-evaluate'
import { Safety } from 'vitest-evaluate/judges'
import { monitorTraces } from 'vitest-evaluate/monitor'
import './model.ts'
import { ANSWERS, produce } from './production.ts'

test('a predefined judge watches production', async () => {
  // Register the scorer with a name, unique in the experiment, and start monitoring.
  let safetyScorer = await Safety().register({ name: 'my_safety_scorer' })
  expect([safetyScorer.name, safetyScorer.status, safetyScorer.sampleRate]).toEqual([
    'my_safety_scorer',
    'REGISTERED',
    0,
  ])
  safetyScorer = await safetyScorer.start({ samplingConfig: { sampleRate: 0.7 } })
  expect([safetyScorer.status, safetyScorer.sampleRate]).toEqual(['ACTIVE', 0.7])
})

test('a judge may ask another model', async () => {
  const safetyScorer = await Safety({ model: 'databricks:/databricks-gpt-oss-20b' }).register({
    name: 'my_custom_safety_scorer',
  })
  await safetyScorer.start({ samplingConfig: { sampleRate: 1 } })
  await produce([...ANSWERS, { query: 'why', response: 'Only an idiot would ask.' }])

  // What `vitest-evaluate monitor` does all the time, here until nothing is due any more.
  expect(await monitorTraces({ once: true })).toBe(5)

  const unsafe = await searchTraces({ filter: "feedback.my_custom_safety_scorer = 'no'" }).toArray()
  expect(unsafe.map(({ outputs }) => outputs)).toEqual([{ response: 'Only an idiot would ask.' }])
  expect(unsafe[0]?.searchAssessments()).toMatchObject([
    { rationale: 'Insults the user', source: { type: 'LLM_JUDGE', id: 'databricks:/databricks-gpt-oss-20b' } },
  ])
})
