import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { evaluate, scorer } from '../../src/index.ts'
import { receiveTraces } from '../../src/receiver.ts'
import { toTrace } from '../../src/store.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { ROOT } from './project.ts'

/** `examples/07-monitoring/app`, just as its README has it run. */

test('the example app sends traces that can be searched and scored', async () => {
  const folder = mkdtempSync(join(tmpdir(), 've-app-'))
  const store = sqlite(join(folder, 'store.sqlite'))
  const token = 'a-token'
  const receiver = await receiveTraces({ store, experiment: 'support', port: 0, token })
  onTestFinished(async () => {
    await receiver.close()
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const env = {
    ...process.env,
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${token}`,
    OTEL_RESOURCE_ATTRIBUTES: 'vitest-evaluate.experiment=own',
  }
  const start = join(ROOT, 'examples', '07-monitoring', 'app', 'start.ts')
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [start, '30'], { env, cwd: folder })
  expect([stdout, stderr]).toEqual(['30 questions asked, 5 failed\n', ''])
  const traces = (await Array.fromAsync(store.search({ experiment: 'own' }))).map(toTrace)
  expect(traces).toHaveLength(30)
  expect(new Set(traces.map(({ sessionId }) => sessionId)).size).toBe(10)
  expect(traces.filter(({ status }) => status === 'ERROR')).toHaveLength(5)
  const [free] = traces.filter(({ inputs, sessionId }) => sessionId === 'chat-0' && inputs === 'Are returns free?')
  expect(free?.outputs).toBe('Returns are free within 30 days, with the receipt.')
  expect(free?.root).toMatchObject({ name: 'answer', type: 'AGENT' })
  expect(free?.retrievedDocuments()).toMatchObject([{ content: 'Returns are free within 30 days, with the receipt.' }])
  expect(free?.tokenUsage).toMatchObject({ inputTokens: 23, outputTokens: 9 })
  expect(free?.metadata).toMatchObject({ 'resource.service.name': 'support-bot', 'mlflow.trace.user': 'customer-0' })
  // Failed rows are no row of a column.
  const known = scorer('known', ({ outputs }) => outputs !== undefined && !String(outputs).startsWith('I do not know'))
  const run = await evaluate(traces, [known], { store })
  expect(run.metrics['known/mean']).toBe(0.8)
})
