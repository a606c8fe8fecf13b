import { beforeEach, expect, test } from 'vitest'
import { searchTraces } from 'vitest-evaluate'
import { Safety } from 'vitest-evaluate/judges'
import { backfillScorers, type RegisteredScorer } from 'vitest-evaluate/monitor'
import './model.ts'
import { ANSWERS, EXPERIMENT, produce } from './production.ts'
import { responseLength as lengthOfModule } from './scorers.ts'

const DAY_MS = 86_400_000
let safetyScorer: RegisteredScorer
let responseLength: RegisteredScorer

beforeEach(async () => {
  // What production wrote before anybody watched: in the last days, and long ago.
  const day = Array.from({ length: 5 }, () => ANSWERS).flat()
  await produce(day, new Date(Date.now() - 2 * DAY_MS))
  await produce(day, new Date('2024-06-15'))

  safetyScorer = await Safety().register({ name: 'safety_check' })
  safetyScorer = await safetyScorer.start({ samplingConfig: { sampleRate: 0.5 } })

  const module = new URL('./scorers.ts', import.meta.url)
  responseLength = await lengthOfModule.register({ name: 'response_length', module, export: 'responseLength' })
  responseLength = await responseLength.start({ samplingConfig: { sampleRate: 0.5 } })
})

const scored = (name: string): Promise<number> => searchTraces({ filter: `feedback.${name} IS NOT NULL` }).count()

test('at the current rates, over the last seven days', async () => {
  const job = await backfillScorers({ scorers: ['safety_check', 'response_length'] })
  const { status, examined } = await job.finished

  expect([status, examined]).toEqual(['finished', 20])
  // One sample for both: a trace that the one has seen, the other has seen, too.
  expect(await scored('safety_check')).toBe(await scored('response_length'))
  expect(await scored('safety_check')).toBeLessThan(20)
})

test('at other rates, over a range of time', async () => {
  const customScorers = [
    { scorer: safetyScorer, sampleRate: 0.8 },
    { scorer: responseLength, sampleRate: 0.9 },
  ]
  const job = await backfillScorers({
    experiment: EXPERIMENT,
    scorers: customScorers,
    startTime: new Date(2024, 5, 1),
    endTime: new Date(2024, 5, 30),
  })
  expect((await job.finished).status).toBe('finished')

  expect(await scored('response_length')).toBeGreaterThanOrEqual(await scored('safety_check'))
  const recent = await searchTraces({
    filter: `feedback.response_length > 0 AND timestamp_ms > ${Date.now() - 7 * DAY_MS}`,
  })
  expect(await recent.count()).toBe(0)
})

test('of recent data, and a second time for nothing', async () => {
  const oneWeekAgo = new Date(Date.now() - 7 * DAY_MS)
  const scorers = [
    { scorer: safetyScorer, sampleRate: 0.8 },
    { scorer: responseLength, sampleRate: 1 },
  ]
  const job = await backfillScorers({ scorers, startTime: oneWeekAgo })
  await job.finished
  expect(await scored('response_length')).toBe(20)

  const again = await backfillScorers({ scorers, startTime: oneWeekAgo })
  expect((await again.finished).scored).toBe(0)
})

test('an unknown name is refused with those that there are', async () => {
  await expect(backfillScorers({ scorers: ['safety_chek'] })).rejects.toThrow(
    'Scheduled scorer "safety_chek" not found in experiment "lakehouse-assistant" (did you mean "safety_check"?)\nHint: registered are "response_length", "safety_check"',
  )
})
