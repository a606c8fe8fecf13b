import { scorer } from 'vitest-evaluate'
import { test as base } from 'vitest-evaluate/fixtures'
import { sampleApp } from './app.ts'
import { evalDataset } from './data.ts'

const placeholderMetric = scorer('placeholder_metric', () => 1)

/**
 * `test` with the traces of one run over `evalDataset`: what a search finds is data for the next evaluation, and needs no second
 * call of the app.
 */
export const test = base.extend('generatedTraces', async ({ evaluate }) => {
  const run = await evaluate(evalDataset, sampleApp, [placeholderMetric], { name: 'generate traces' })
  return run.search()
})
