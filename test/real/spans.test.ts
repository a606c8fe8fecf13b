import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { importTraces, searchTraces } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { usageOf } from '../../src/usage.ts'

// Spans recorded from AI SDK 6 (Arize, openinference), and the example of OTLP's own specification.
const DATA = new URL('../../../shared/data/genai-spans/', import.meta.url)
const AI_SDK = fileURLToPath(new URL('vercel-ai-sdk/', DATA))

interface Dumped {
  readonly name: string
  readonly spanContext: { readonly traceId: string; readonly spanId: string }
  readonly attributes: Readonly<Record<string, unknown>>
  readonly startTime: readonly [number, number]
  readonly endTime: readonly [number, number]
  readonly events: readonly { readonly name: string; readonly time: readonly [number, number] }[]
}

const ns = ([seconds, rest]: readonly [number, number]) => BigInt(seconds) * 1_000_000_000n + BigInt(rest)

test.skipIf(!existsSync(DATA))('spans of the AI SDK are imported without loss, and understood', async () => {
  const files = readdirSync(AI_SDK).filter((name) => name.endsWith('.json'))
  const dumped = files.flatMap((name) => JSON.parse(readFileSync(`${AI_SDK}${name}`, 'utf8')) as Dumped[])
  const store = memory()
  const report = await importTraces(`${AI_SDK}*.json`, { store })
  expect(report).toMatchObject({ imported: dumped.length, spans: dumped.length, mended: [] })
  const found = await searchTraces({ store }).toArray()
  for (const one of dumped) {
    const trace = found.find(({ id }) => id === `tr-${one.spanContext.traceId}`)
    if (!trace?.root) throw new Error(`${one.name} is missing`)
    const { id, name, startTimeNs, endTimeNs, attributes, events } = trace.root
    expect({ id, name, startTimeNs, endTimeNs, attributes }).toEqual({
      id: one.spanContext.spanId,
      name: one.name,
      startTimeNs: ns(one.startTime),
      endTimeNs: ns(one.endTime),
      attributes: one.attributes,
    })
    expect(events.map((event) => [event.name, event.timeNs])).toEqual(one.events.map((e) => [e.name, ns(e.time)]))
    expect(trace.root.type).toBe(one.name === 'ai.embed' ? 'EMBEDDING' : 'LLM')
    expect(trace.inputs).toBeDefined()
    expect(trace.outputs).toBeDefined()
    expect(usageOf(trace.root)?.totalTokens).toBeGreaterThan(0)
  }
})

test.skipIf(!existsSync(DATA))("the example of OTLP's specification is imported without loss", async () => {
  const store = memory()
  const report = await importTraces(new URL('otlp-trace.json', DATA), { store })
  expect(report.mended).toHaveLength(1)
  const [trace] = await searchTraces({ store }).toArray()
  expect(trace).toMatchObject({
    id: 'tr-5b8efff798038103d269b633813fc60c',
    name: "I'm a server span",
    durationMs: 1000,
    metadata: { 'resource.service.name': 'my.service' },
  })
  expect(trace?.root).toMatchObject({ id: 'eee19b7ec3c1b174', startTimeNs: 1544712660000000000n })
  expect(trace?.root?.attributes).toEqual({
    'my.span.attr': 'some value',
    'otel.kind': 'SERVER',
    'otel.parent_span_id': 'eee19b7ec3c1b173',
    'otel.scope.name': 'my.library',
    'otel.scope.version': '1.0.0',
    'otel.scope.attributes': { 'my.scope.attribute': 'some scope attribute' },
  })
})
