import { expect } from 'vitest'
import { test } from './traces.ts'

test('a run leaves traces', async ({ generatedTraces }) => {
  expect(await generatedTraces.count()).toBe(3)

  const [microwave] = await generatedTraces.toArray()
  expect(microwave?.inputs).toEqual({ messages: [{ role: 'user', content: 'How much does a microwave cost?' }] })
  expect(microwave?.outputs).toMatch(/between \$60 and \$300/)
  expect(microwave?.spans.map(({ name, type }) => [name, type])).toEqual([
    ['sampleApp', 'CHAIN'],
    ['chat', 'CHAT_MODEL'],
  ])
  expect(microwave?.assessments).toMatchObject([{ name: 'placeholder_metric', value: 1 }])
})
