import { expect, test } from 'vitest'
import { searchTraces } from 'vitest-evaluate'
import { customPromptJudge } from 'vitest-evaluate/judges'
import { getScorer, monitorTraces } from 'vitest-evaluate/monitor'
import './model.ts'
import { produce } from './production.ts'
import { formality } from './scorers.ts'

const module = new URL('./scorers.ts', import.meta.url)

test('a prompt of your own inside a scorer watches production', async () => {
  // In scorers.ts itself this is { module: import.meta.url }.
  let formalityScorer = await formality.register({ name: 'my_formality_scorer', module, export: 'formality' })
  formalityScorer = await formalityScorer.start({ samplingConfig: { sampleRate: 0.1 } })
  expect([formalityScorer.status, formalityScorer.sampleRate]).toEqual(['ACTIVE', 0.1])

  await formalityScorer.update({ samplingConfig: { sampleRate: 1 } })
  await produce()
  await monitorTraces({ once: true })
  expect(await searchTraces({ filter: 'feedback.my_formality_scorer = 1' }).count()).toBe(1)
  expect(await searchTraces({ filter: 'feedback.my_formality_scorer = 0' }).count()).toBe(3)
})

test('a judge that reads inputs and outputs as they are needs no module', async () => {
  const tone = customPromptJudge({
    name: 'tone',
    promptTemplate:
      'Determine the formality of the response.\n{{outputs}}\n[[formal]]: a letter\n[[not_formal]]: anything else',
  })
  await (await tone.register()).start({ samplingConfig: { sampleRate: 1 } })
  await produce()
  await monitorTraces({ once: true })

  expect(await searchTraces({ filter: "feedback.tone = 'formal'" }).count()).toBe(1)
  expect((await getScorer({ name: 'tone' })).status).toBe('ACTIVE')
})
