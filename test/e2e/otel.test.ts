import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Project, project, ROOT } from './project.ts'

/** Apps on real OpenTelemetry SDKs of three majors, and on the AI SDK, evaluated by the built package. */

const SDKS = {
  1: { workspace: 'otel-1', sdk: '@opentelemetry/sdk-trace-base', provider: 'BasicTracerProvider' },
  2: { workspace: 'otel-2', sdk: '@opentelemetry/sdk-trace-base', provider: 'BasicTracerProvider' },
  3: { workspace: 'otel-3', sdk: '@opentelemetry/sdk-trace', provider: 'TracerProvider' },
} as const
type Sdk = keyof typeof SDKS
const MAJORS = [1, 2, 3] as const satisfies Sdk[]

/** A project that finds the packages of one of the workspaces, or of the root. */
function app(sdk: Sdk | 'root', packages: readonly string[], files: Readonly<Record<string, string>>): Project {
  const made = project(5, files)
  for (const name of packages) {
    const nested = sdk === 'root' ? '' : join(ROOT, 'test', SDKS[sdk].workspace, 'node_modules', name)
    const place = join(made.folder, 'node_modules', name)
    mkdirSync(dirname(place), { recursive: true })
    symlinkSync(existsSync(nested) ? nested : join(ROOT, 'node_modules', name), place)
  }
  return made
}

const API = '@opentelemetry/api'
const MANAGER = '@opentelemetry/context-async-hooks'

/** Sets the SDK up, with an exporter that remembers and, where it says so, with our processor. */
const setup = (sdk: Sdk, ours: boolean): string => `import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '${MANAGER}'
import { ${SDKS[sdk].provider}, InMemorySpanExporter, SimpleSpanProcessor } from '${SDKS[sdk].sdk}'
import { EvaluateSpanProcessor } from 'vitest-evaluate/otel'
export const exporter = new InMemorySpanExporter()
const spanProcessors = [new SimpleSpanProcessor(${sdk === 3 ? '{ exporter }' : 'exporter'})${ours ? ', new EvaluateSpanProcessor()' : ''}]
const provider = new ${SDKS[sdk].provider}({ spanProcessors })
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
trace.setGlobalTracerProvider(provider)
`

/** An app whose library, steps and nested calls open spans in every way there is. */
const ANSWER = `import { context, ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api'
import { span } from 'vitest-evaluate'
const tracer = trace.getTracer('library', '1.0')
const pause = (ms) => new Promise((done) => setTimeout(done, ms))
export async function answer({ n }) {
  return tracer.startActiveSpan('library', { attributes: { n } }, async (outer) => {
    await pause(n % 3)
    await span('own', { type: 'RETRIEVER' }, async () => {
      await pause(n % 2)
      await tracer.startActiveSpan('inside own', async (inner) => {
        await pause(1)
        span('own, deeper', () => n)
        inner.addEvent('found', { hits: n })
        inner.end()
      })
      return [n]
    })
    const explicit = tracer.startSpan('explicit', {}, trace.setSpan(context.active(), outer))
    explicit.end()
    tracer.startSpan('new root', { root: true }).end()
    const fails = tracer.startSpan('fails')
    fails.recordException(new RangeError('too far'))
    fails.setStatus({ code: SpanStatusCode.ERROR, message: 'too far' })
    fails.end()
    tracer.startSpan('never ended')
    outer.end()
    return n
  })
}
`

const TREE = `import { evaluate, scorer } from 'vitest-evaluate'
import { memory } from 'vitest-evaluate/stores'
const rows = Array.from({ length: 40 }, (_, n) => ({ inputs: { n } }))
export async function trees(answer) {
  const run = await evaluate(rows, answer, [scorer('same', ({ inputs, outputs }) => inputs.n === outputs)], { store: memory() })
  const found = new Set()
  let n = 0
  for await (const { trace } of run.rows()) {
    const name = new Map(trace.spans.map((one) => [one.id, one.name]))
    const lines = trace.spans.map((one) => (one.parentId ? name.get(one.parentId) ?? '?' : '-') + ' > ' + one.name)
    const library = trace.spans.find((one) => one.name === 'library')
    if (library && library.attributes.n !== n) lines.push('row ' + n + ' has a span of row ' + library.attributes.n)
    found.add(lines.join('\\n'))
    n++
  }
  const [first] = await run.search().toArray()
  return { trees: [...found], notices: run.record.notices ?? [], mean: run.metrics['same/mean'], usage: first.tokenUsage, first: JSON.parse(JSON.stringify(first, (_, value) => (typeof value === 'bigint' ? String(value) : value))) }
}
`

const EXPECTED = `- > answer
answer > library
library > own
own > inside own
inside own > own, deeper
library > explicit
answer > new root
library > fails
library > never ended`

interface Seen {
  readonly trees: readonly string[]
  readonly notices: readonly { readonly code: string; readonly message: string }[]
  readonly mean: number
  readonly usage: object
  readonly first: { readonly spans: readonly Record<string, unknown>[] }
  readonly exported: readonly string[]
}

async function seen(made: Project): Promise<Seen> {
  const { code, stdout, stderr } = await made.node('main.js')
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout)
}

function expectTree({ trees, mean, first }: Seen): void {
  expect(trees).toEqual([EXPECTED])
  expect(mean).toBe(1)
  const byName = new Map(first.spans.map((one) => [one.name, one]))
  expect(byName.get('inside own')).toMatchObject({ events: [{ name: 'found', attributes: { hits: 0 } }] })
  expect(byName.get('fails')).toMatchObject({
    status: 'ERROR',
    statusMessage: 'too far',
    events: [{ name: 'exception', attributes: { 'exception.type': 'RangeError', 'exception.message': 'too far' } }],
  })
  expect(byName.get('never ended')).not.toHaveProperty('endTimeNs')
  const { startTimeNs, endTimeNs } = byName.get('library') ?? {}
  expect(Number(BigInt(String(endTimeNs)) - BigInt(String(startTimeNs)))).toBeGreaterThan(500_000)
}

describe.each(MAJORS)('OpenTelemetry SDK %i', (sdk) => {
  const packages = [API, MANAGER, SDKS[sdk].sdk]

  test('spans of an app without a provider land in their rows', async () => {
    const main = `import { answer } from './answer.js'
import { trees } from './tree.js'
console.log(JSON.stringify(await trees(answer)))
`
    const found = await seen(app(sdk, [API], { 'main.js': main, 'answer.js': ANSWER, 'tree.js': TREE }))
    expectTree(found)
    expect(found.notices).toEqual([])
  })

  test('a provider of the app keeps exporting, and with our processor its spans land in their rows', async () => {
    const main = `import { exporter } from './setup.js'
import { trace } from '@opentelemetry/api'
import { answer } from './answer.js'
import { trees } from './tree.js'
trace.getTracer('app').startSpan('before').end()
const found = await trees(answer)
trace.getTracer('app').startSpan('after').end()
console.log(JSON.stringify({ ...found, exported: exporter.getFinishedSpans().map((one) => one.name) }))
`
    const files = { 'main.js': main, 'setup.js': setup(sdk, true), 'answer.js': ANSWER, 'tree.js': TREE }
    const found = await seen(app(sdk, packages, files))
    expectTree(found)
    expect(found.notices).toEqual([])
    expect(found.exported).toHaveLength(2 + 40 * 5)
    expect([found.exported[0], found.exported.at(-1)]).toEqual(['before', 'after'])
  })

  test('a provider of the app without our processor keeps exporting, and the run says what is missing', async () => {
    const main = `import { exporter } from './setup.js'
import { answer } from './answer.js'
import { trees } from './tree.js'
const found = await trees(answer)
console.log(JSON.stringify({ ...found, exported: exporter.getFinishedSpans().map((one) => one.name) }))
`
    const files = { 'main.js': main, 'setup.js': setup(sdk, false), 'answer.js': ANSWER, 'tree.js': TREE }
    const found = await seen(app(sdk, packages, files))
    expect(found.trees).toEqual(['- > answer\nanswer > own\nown > own, deeper'])
    expect(found.exported).toHaveLength(40 * 5)
    expect(found.notices).toEqual([
      {
        code: 'SPANS_MISSING',
        message:
          'the app has an OpenTelemetry provider, but none of its spans has reached a trace: add new EvaluateSpanProcessor() from vitest-evaluate/otel to its span processors',
      },
    ])
  })
})

test('a provider of the app that keeps no context gets one for the time of the evaluation', async () => {
  const main = `import { exporter } from './setup.js'
import { context, createContextKey, ROOT_CONTEXT } from '@opentelemetry/api'
import { answer } from './answer.js'
import { trees } from './tree.js'
const found = await trees(answer)
const kept = context.with(ROOT_CONTEXT.setValue(createContextKey('x'), 1), () => context.active() !== ROOT_CONTEXT)
console.log(JSON.stringify({ ...found, exported: [String(kept)] }))
`
  const without = setup(2, true).replace(/^.*AsyncLocalStorageContextManager.*\n/gm, '')
  const files = { 'main.js': main, 'setup.js': without, 'answer.js': ANSWER, 'tree.js': TREE }
  const found = await seen(app(2, [API, SDKS[2].sdk], files))
  expectTree(found)
  expect(found.exported).toEqual(['false'])
})

test('a provider that is registered between two evaluations takes over from ours', async () => {
  const main = `import { answer } from './answer.js'
import { trees } from './tree.js'
const without = await trees(answer)
const { exporter } = await import('./setup.js')
const found = await trees(answer)
console.log(JSON.stringify({ ...found, trees: [...without.trees, ...found.trees], exported: exporter.getFinishedSpans().map((one) => one.name) }))
`
  const files = { 'main.js': main, 'setup.js': setup(3, true), 'answer.js': ANSWER, 'tree.js': TREE }
  const found = await seen(app(3, [API, MANAGER, SDKS[3].sdk], files))
  expect(found.trees).toEqual([EXPECTED, EXPECTED])
  expect(found.exported).toHaveLength(40 * 5)
})

test('a library on the other copy of the API, with a tracer from before the evaluation, is recorded', async () => {
  const main = `import './library.cjs'
import { createRequire } from 'node:module'
import { trees } from './tree.js'
const { work } = createRequire(import.meta.url)('./library.cjs')
const found = await trees(async ({ n }) => work(n))
console.log(JSON.stringify(found))
`
  const library = `const { trace } = require('@opentelemetry/api')
const tracer = trace.getTracer('cjs')
exports.work = (n) => tracer.startActiveSpan('in cjs', (span) => { span.end(); return n })
`
  const found = await seen(app(3, [API], { 'main.js': main, 'library.cjs': library, 'tree.js': TREE }))
  expect(found.trees).toEqual(['- > evaluation\nevaluation > in cjs'])
})

const aiApp = (major: 6 | 7): string => `import { generateText, simulateReadableStream, streamText } from 'ai'
import { ${major === 6 ? 'MockLanguageModelV3 as Mock' : 'MockLanguageModelV4 as Mock'} } from 'ai/test'
import { span } from 'vitest-evaluate'
import { trees } from './tree.js'
${major === 6 ? '' : "import { registerTelemetry } from 'ai'\nimport { OpenTelemetry } from '@ai-sdk/otel'\nregisterTelemetry(new OpenTelemetry())"}
const usage = { inputTokens: { total: 10 }, outputTokens: { total: 20 } }
const text = [{ type: 'text-start', id: '1' }, { type: 'text-delta', id: '1', delta: 'Hi' }, { type: 'text-end', id: '1' }]
const finish = { type: 'finish', finishReason: { unified: 'stop' }, usage }
const experimental_telemetry = { isEnabled: true }
async function answer({ n }) {
  const model = new Mock({
    modelId: 'mock',
    doGenerate: async () => span('own', () => ({ content: [{ type: 'text', text: 'Hello' }], finishReason: { unified: 'stop' }, usage, warnings: [] })),
    doStream: async () => ({ stream: simulateReadableStream({ chunks: [{ type: 'stream-start', warnings: [] }, ...text, finish] }) }),
  })
  await generateText({ model, prompt: String(n), experimental_telemetry })
  await streamText({ model, prompt: String(n), experimental_telemetry }).text
  return n
}
console.log(JSON.stringify(await trees(answer)))
`

test('what the AI SDK 6 emits lands in the rows, every span ended', async () => {
  const found = await seen(app('root', [API, 'ai'], { 'main.js': aiApp(6), 'tree.js': TREE }))
  expect(found.trees).toEqual([
    `- > answer
answer > ai.generateText
ai.generateText > ai.generateText.doGenerate
ai.generateText.doGenerate > own
answer > ai.streamText
ai.streamText > ai.streamText.doStream`,
  ])
  expect(found.first.spans.filter((one) => !('endTimeNs' in one))).toEqual([])
  expect(found.usage).toMatchObject({ inputTokens: 20, outputTokens: 40, totalTokens: 60 })
  const call = found.first.spans.find((one) => one.name === 'ai.generateText.doGenerate')
  expect(call).toMatchObject({ type: 'LLM', inputs: [{ role: 'user' }], outputs: 'Hello' })
})

test('what the AI SDK 7 emits through an API of its own lands in the rows, every span ended', async () => {
  const found = await seen(app(3, [API, 'ai', '@ai-sdk/otel'], { 'main.js': aiApp(7), 'tree.js': TREE }))
  expect(found.trees).toEqual([
    `- > answer
answer > invoke_agent mock
invoke_agent mock > step 1
step 1 > chat mock
chat mock > own
answer > invoke_agent mock
invoke_agent mock > step 1
step 1 > chat mock`,
  ])
  expect(found.first.spans.filter((one) => !('endTimeNs' in one))).toEqual([])
  expect(found.usage).toMatchObject({ inputTokens: 20, outputTokens: 40, totalTokens: 60 })
  const call = found.first.spans.find((one) => one.name === 'chat mock')
  expect(call).toMatchObject({ type: 'CHAT_MODEL', inputs: [{ role: 'user' }], outputs: [{ role: 'assistant' }] })
})

test("Vitest's own tracing goes on, and an app on its SDK is recorded", async () => {
  const sdk = `${setup(3, true)}
import { writeFileSync } from 'node:fs'
export default {
  async shutdown() {
    if (process.env.VITEST_POOL_ID) writeFileSync('spans.json', JSON.stringify(exporter.getFinishedSpans().map((one) => one.name)))
  },
}
`
  const made = app(3, [API, MANAGER, SDKS[3].sdk], {
    'sdk.js': sdk,
    'answer.js': ANSWER,
    'vitest.config.ts': `import { defineConfig } from 'vitest/config'
import evaluate from 'vitest-evaluate/plugin'
const openTelemetry = { enabled: true, sdkPath: new URL('./sdk.js', import.meta.url).pathname }
export default defineConfig({ plugins: [evaluate()], test: { experimental: { openTelemetry } } })
`,
    'app.eval.js': `import { expect } from 'vitest'
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
import { answer } from './answer.js'
test('app', async ({ evaluate }) => {
  const run = await evaluate([{ inputs: { n: 1 } }], answer, [scorer('x', () => true)])
  const [trace] = await run.search().toArray()
  expect(trace.searchSpans({ name: 'inside own' })).toHaveLength(1)
  expect(run.record.notices).toBe(undefined)
})
`,
  })
  const { code, stdout, stderr } = await made.vitest('run')
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toContain('1 passed')
  const spans: string[] = JSON.parse(readFileSync(join(made.folder, 'spans.json'), 'utf8'))
  expect(spans).toEqual(expect.arrayContaining(['library', 'inside own', 'vitest.test.runner.run']))
})

test('the run says in the terminal that spans are missing, and the test passes', async () => {
  const files = {
    'setup.js': setup(2, false),
    'answer.js': ANSWER,
    'app.eval.js': `import './setup.js'
import { scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
import { answer } from './answer.js'
test('app', async ({ evaluate }) => { await evaluate([{ inputs: { n: 1 } }], answer, [scorer('x', () => true)]) })
`,
  }
  const { code, stdout } = await app(2, [API, MANAGER, SDKS[2].sdk], files).vitest('run')
  expect(stdout.replace(/\s+/g, ' ')).toContain(
    '! the app has an OpenTelemetry provider, but none of its spans has reached a trace',
  )
  expect(code).toBe(0)
})
