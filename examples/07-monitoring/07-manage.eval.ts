import { beforeEach, expect, test } from 'vitest'
import { Safety } from 'vitest-evaluate/judges'
import { deleteScorer, getScorer, listScorers, listScorerVersions } from 'vitest-evaluate/monitor'
import './production.ts'
import { mentionsDatabricks } from './scorers.ts'

beforeEach(async () => {
  const safety = await Safety().register({ name: 'safety_monitor' })
  await safety.start({ samplingConfig: { sampleRate: 0.5, filterString: "status = 'OK'" } })
  const module = new URL('./scorers.ts', import.meta.url)
  const mentions = await mentionsDatabricks.register({
    name: 'databricks_mentions',
    module,
    export: 'mentionsDatabricks',
  })
  await mentions.start({ samplingConfig: { sampleRate: 0.5 } })
})

test('list all registered scorers', async () => {
  const scorers = await listScorers()
  const lines = scorers.flatMap((scorer) => [
    `Name: ${scorer.name}`,
    `Sample rate: ${scorer.sampleRate}`,
    `Filter: ${scorer.filterString}`,
    '---',
  ])
  expect(lines).toEqual([
    ...['Name: databricks_mentions', 'Sample rate: 0.5', 'Filter: undefined', '---'],
    ...['Name: safety_monitor', 'Sample rate: 0.5', "Filter: status = 'OK'", '---'],
  ])
})

test('get a scorer and update it', async () => {
  const safetyJudge = await getScorer({ name: 'safety_monitor' })
  const updatedJudge = await safetyJudge.update({ samplingConfig: { sampleRate: 0.8 } })

  expect(`Original sample rate: ${safetyJudge.sampleRate}`).toBe('Original sample rate: 0.5')
  expect(`Updated sample rate: ${updatedJudge.sampleRate}`).toBe('Updated sample rate: 0.8')
  expect(updatedJudge.filterString).toBe("status = 'OK'")
  // The filter by itself, and none.
  const filtered = await updatedJudge.update({ samplingConfig: { filterString: 'execution_time_ms > 5000' } })
  expect([filtered.sampleRate, filtered.filterString]).toEqual([0.8, 'execution_time_ms > 5000'])
  expect((await filtered.update({ samplingConfig: { filterString: null } })).filterString).toBeUndefined()
})

test('stop a scorer, restart it, delete it', async () => {
  const databricksScorer = await getScorer({ name: 'databricks_mentions' })

  // Stop monitoring: the rate is 0, the scorer stays registered.
  const stoppedScorer = await databricksScorer.stop()
  expect(`Sample rate after stop: ${stoppedScorer.sampleRate}`).toBe('Sample rate after stop: 0')
  expect((await getScorer({ name: 'databricks_mentions' })).status).toBe('STOPPED')

  // Restart from there.
  const restartedScorer = await stoppedScorer.start({ samplingConfig: { sampleRate: 0.5 } })
  expect(restartedScorer.status).toBe('ACTIVE')

  // Or remove it.
  await deleteScorer({ name: databricksScorer.name })
  expect((await listScorers()).map(({ name }) => name)).toEqual(['safety_monitor'])
  await expect(restartedScorer.stop()).rejects.toThrow('has been deleted')
})

test('another scorer under the name is a new version', async () => {
  await Safety({ model: 'openai:/gpt-4.1' }).register({ name: 'safety_monitor' })
  const versions = await listScorerVersions({ name: 'safety_monitor' })
  expect(versions.map(({ registeredVersion, sampleRate }) => [registeredVersion, sampleRate])).toEqual([
    [1, 0.5],
    [2, 0.5],
  ])
  await deleteScorer({ name: 'safety_monitor', version: 2 })
  expect((await getScorer({ name: 'safety_monitor' })).registeredVersion).toBe(1)
})

test('what cannot be meant is refused before anything is written', async () => {
  await expect(getScorer({ name: 'databrick_mentions' })).rejects.toThrow(
    'Scheduled scorer "databrick_mentions" not found in experiment "lakehouse-assistant" (did you mean "databricks_mentions"?)',
  )
  await expect(Safety().start({ samplingConfig: { sampleRate: 1 } })).rejects.toThrow('it is not registered')
  const safetyJudge = await getScorer({ name: 'safety_monitor' })
  await expect(safetyJudge.update({ samplingConfig: { sampleRate: 2 } })).rejects.toThrow(
    'must be from 0 to 1, found 2',
  )
  await expect(safetyJudge.update({ samplingConfig: { filterString: 'status' } })).rejects.toThrow('at position')
})
