import { expect, test } from 'vitest'
import { Safety } from 'vitest-evaluate/judges'
import { deleteScorer, listScorers } from 'vitest-evaluate/monitor'
import './production.ts'
import { responseLength } from './scorers.ts'

const module = new URL('./scorers.ts', import.meta.url)

test('register, start, update, stop, delete', async () => {
  const defined = Safety()
  const states: string[] = [defined.status]
  let safetyJudge = await defined.register({ name: 'safety_check' })
  states.push(safetyJudge.status)
  safetyJudge = await safetyJudge.start({ samplingConfig: { sampleRate: 1.0 } })
  states.push(safetyJudge.status)
  safetyJudge = await safetyJudge.update({ samplingConfig: { sampleRate: 0.8 } })
  states.push(safetyJudge.status)
  safetyJudge = await safetyJudge.stop()
  states.push(safetyJudge.status)
  await deleteScorer({ name: 'safety_check' })

  expect(states).toEqual(['UNREGISTERED', 'REGISTERED', 'ACTIVE', 'ACTIVE', 'STOPPED'])
  expect(await listScorers()).toEqual([])
})

test('a scorer deletes itself, too; one of code goes the same way', async () => {
  let safetyScorer = await Safety().register({ name: 'safety_check' })
  safetyScorer = await safetyScorer.start({ samplingConfig: { sampleRate: 1.0 } })
  safetyScorer = await safetyScorer.update({ samplingConfig: { sampleRate: 0.8 } })
  safetyScorer = await safetyScorer.stop()
  expect((await safetyScorer.delete()).status).toBe('DELETED')

  let lengthScorer = await responseLength.register({ name: 'length_check', module, export: 'responseLength' })
  lengthScorer = await lengthScorer.start({ samplingConfig: { sampleRate: 0.5 } })
  expect((await listScorers()).map(({ name, sampleRate }) => [name, sampleRate])).toEqual([['length_check', 0.5]])
  expect(lengthScorer({ outputs: { response: 'Yes' } })).toBe(3)
})

test('updates are immutable', async () => {
  let originalScorer = await Safety().register({ name: 'safety' })
  originalScorer = await originalScorer.start({ samplingConfig: { sampleRate: 0.3 } })

  // update() gives a new instance.
  const updatedScorer = await originalScorer.update({ samplingConfig: { sampleRate: 0.8 } })

  // The original stays as it was.
  expect(originalScorer.sampleRate).toBe(0.3)
  expect(updatedScorer.sampleRate).toBe(0.8)
})
