import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Host, withHost } from '../../src/host.ts'
import { type EvaluateOptions, evaluate, type Run, type Scorer, scorer } from '../../src/index.ts'
import { currentModels, type ModelChoice } from '../../src/model.ts'
import { openai, replay } from '../../src/models/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { type Endpoint, type EndpointOptions, endpoint, type Script } from '../data/endpoint.ts'
import { folder, thrownBy } from '../data/evaluation.ts'

const KEY = 'sk-verysecret-0123456789'
let home: string
let opened: Endpoint[] = []

beforeEach(() => {
  home = folder()
  opened = []
  for (const name of [
    'OPENAI_API_KEY',
    'OPENAI_BASE_URL',
    'VITEST_EVALUATE_JUDGE_MODEL',
    'MLFLOW_GENAI_JUDGE_DEFAULT_MODEL',
  ])
    vi.stubEnv(name, undefined)
  vi.stubEnv('VITEST_EVALUATE_STORE', join(home, 'store.sqlite'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  for (const server of opened) await server.close()
})

async function serve(script: Script = () => 'yes', options?: EndpointOptions): Promise<Endpoint> {
  const server = await endpoint(script, options)
  opened.push(server)
  vi.stubEnv('OPENAI_BASE_URL', server.url)
  vi.stubEnv('OPENAI_API_KEY', KEY)
  return server
}

/** A scorer that asks as judges do, as often as it is told. */
function judge(model?: ModelChoice, times = 1): Scorer {
  return scorer('judge', async ({ inputs, signal }) => {
    let text = ''
    for (let i = 0; i < times; i++) {
      const messages = [{ role: 'user', content: `Is ${inputs.i} fine? (${i})` }] as const
      const answer = await currentModels().resolve(model).generate({ messages }, { signal })
      text = answer.text
    }
    return text
  })
}
const rows = (count: number) => Array.from({ length: count }, (_, i) => ({ inputs: { i }, outputs: i }))
const evaluated = (count: number, asks: Scorer, options: EvaluateOptions = {}): Promise<Run> =>
  evaluate(rows(count), [asks, scorer('code', () => true)], { allowFailed: true, minScored: 0, ...options })

test('evaluate() counts every token that the endpoint has counted, by call, row, column and run', async () => {
  const server = await serve()
  const run = await evaluated(5, judge('openai:/gpt-4.1-mini', 3))
  const { usage } = run.totals
  expect(usage).toMatchObject({ calls: 15, cachedCalls: 0, unknownCost: 0 })
  expect({ input: usage?.inputTokens, output: usage?.outputTokens }).toEqual(server.ledger)
  expect(usage?.cost).toBeCloseTo((server.ledger.input * 0.4 + server.ledger.output * 1.6) / 1e6, 12)
  expect(run.columns.judge?.usage).toEqual(usage)
  expect(run.columns.code).not.toHaveProperty('usage')
  const [first] = await run.search().toArray()
  const metadata = first?.assessments.find(({ name }) => name === 'judge')?.metadata
  expect(metadata).toMatchObject({
    'model.calls': 3,
    'model.inputTokens': expect.any(Number),
    'model.cost': expect.any(Number),
  })
})

test('evaluate() asks nothing again that it has asked before, and says what that saved', async () => {
  const server = await serve()
  const first = await evaluated(10, judge())
  const second = await evaluated(10, judge())
  expect(server.journal).toHaveLength(10)
  expect(second.metrics).toEqual(first.metrics)
  expect(second.totals.usage).toMatchObject({ calls: 0, cachedCalls: 10, inputTokens: 0, cost: 0 })
  expect(second.totals.usage?.savedCost).toBe(first.totals.usage?.cost)
  await evaluated(10, judge(), { cache: false })
  vi.stubEnv('VITEST_EVALUATE_CACHE', '0')
  await evaluated(10, judge())
  expect(server.journal).toHaveLength(30)
})

test('evaluate() leaves a cost that is unknown unknown', async () => {
  const server = await serve()
  const unknown = await evaluated(2, judge('openai:/house-model'))
  expect(unknown.totals.usage).toMatchObject({ calls: 2, cost: 0, unknownCost: 2 })
  const prices = { 'openai:/house-model': { input: 1_000_000, output: 0 } }
  const known = await evaluated(2, judge('openai:/house-model'), { prices, cache: false })
  expect(known.totals.usage).toMatchObject({ cost: server.ledger.input / 2, unknownCost: 0 })
})

test('evaluate() stops before the budget is exceeded, and what was not asked is an error of its own', async () => {
  const server = await serve()
  const run = await evaluated(20, judge(), { budget: { calls: 8 }, maxConcurrency: 5 })
  expect(server.journal).toHaveLength(8)
  expect(run.columns.judge).toMatchObject({ scored: 8, missing: 0, errors: 12 })
  expect(run.columns.code).toMatchObject({ scored: 20 })
  const messages = (await run.search().toArray()).flatMap(({ assessments }) =>
    assessments.map(({ error }) => error?.message),
  )
  expect(messages).toContain('Did not ask openai:/gpt-4.1-mini: the budget would be exceeded, 8 of 8 calls spent')
})

test('evaluate() spends one budget in all evaluations of a run of Vitest', async () => {
  const server = await serve()
  const host = { settings: { root: home, budget: { calls: 6 }, session: 'one' } }
  const inHost = (settings: object) =>
    withHost({ ...quietHost, ...host, settings } as Host, () => evaluated(4, judge(), { cache: false }))
  await inHost(host.settings)
  await inHost(host.settings)
  expect(server.journal).toHaveLength(6)
  await inHost({ ...host.settings, session: 'two' })
  expect(server.journal).toHaveLength(10)
})

test('evaluate() asks the model of the scorer, else of the option, the environment, the plugin, the default', async () => {
  const server = await serve()
  const asked = async (options: EvaluateOptions, settings = {}, model?: string) => {
    await withHost({ ...quietHost, settings: { root: home, ...settings } } as Host, () =>
      evaluated(1, judge(model), { cache: false, ...options }),
    )
    return server.journal.at(-1)?.body.model
  }
  expect(await asked({})).toBe('gpt-4.1-mini')
  vi.stubEnv('MLFLOW_GENAI_JUDGE_DEFAULT_MODEL', 'openai:/mlflow')
  expect(await asked({})).toBe('mlflow')
  expect(await asked({}, { judgeModel: 'openai:/plugin' })).toBe('plugin')
  vi.stubEnv('VITEST_EVALUATE_JUDGE_MODEL', 'openai:/environment')
  expect(await asked({}, { judgeModel: 'openai:/plugin' })).toBe('environment')
  expect(await asked({ judgeModel: 'openai:/option' })).toBe('option')
  expect(await asked({ judgeModel: openai({ model: 'made' }) })).toBe('made')
  expect(await asked({ judgeModel: 'openai:/option' }, {}, 'openai:/own')).toBe('own')
})

test('evaluate() asks whatever a user brings as a model', async () => {
  const choices: ModelChoice[] = [
    () => 'from a function',
    {
      specificationVersion: 'v2',
      provider: 'p',
      modelId: 'm',
      doGenerate: async () => ({ content: [{ type: 'text', text: 'from the SDK' }], finishReason: 'stop', usage: {} }),
    },
    {
      model: 'm',
      client: {
        chat: {
          completions: {
            create: async () => ({ choices: [{ message: { content: 'from a client' }, finish_reason: 'stop' }] }),
          },
        },
      },
    },
  ]
  const values = []
  for (const choice of choices) {
    const run = await evaluated(1, judge(choice))
    for await (const row of run.rows()) values.push(row.feedback.judge?.value)
  }
  expect(values).toEqual(['from a function', 'from the SDK', 'from a client'])
})

test('evaluate() refuses what is no model, and a judge without a key, before predict is called', async () => {
  let calls = 0
  const predict = () => ++calls
  const ready = (model?: ModelChoice): Scorer =>
    ({
      name: 'ready',
      score: () => true,
      requireReady: () => currentModels().resolve(model).requireReady?.(),
    }) as unknown as Scorer
  const refused = (asks: Scorer) => thrownBy(evaluate(rows(3), predict, [asks]))
  expect(await refused(ready())).toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('OPENAI_API_KEY is not set'),
  })
  expect(await refused(ready('opnai:/m'))).toBeInstanceOf(TypeError)
  expect(await refused(ready({} as never))).toMatchObject({
    message: expect.stringContaining('Cannot use an empty object as a model'),
  })
  expect(calls).toBe(0)
  expect(existsSync(join(home, 'store.sqlite'))).toBe(false)
})

test('evaluate() repeats calls after faults of the infrastructure, and gives up on others at once', async () => {
  const faults = [{ status: 500 }, { fault: 'reset' as const }, { status: 429, headers: { 'retry-after-ms': '30' } }]
  const server = await serve((_, nth) => faults[nth] ?? 'yes')
  const run = await evaluated(1, judge())
  expect(server.statuses()).toEqual({ 500: 1, 0: 1, 429: 1, 200: 1 })
  expect(run.columns.judge).toMatchObject({ scored: 1 })
  expect(run.totals.usage).toMatchObject({ calls: 1 })
  const broken = await serve(() => ({ status: 400 }))
  expect((await evaluated(1, judge())).columns.judge).toMatchObject({ errors: 1 })
  expect(broken.journal).toHaveLength(1)
  const down = await serve(() => ({ status: 503 }))
  expect((await evaluated(1, judge(), { retries: 1 })).columns.judge).toMatchObject({ errors: 1 })
  expect(down.journal).toHaveLength(2)
})

test('evaluate() does not hold a row for minutes because an endpoint asks for it', async () => {
  const server = await serve(() => ({ status: 429, headers: { 'retry-after': '3600' } }))
  expect((await evaluated(1, judge())).columns.judge).toMatchObject({ errors: 1 })
  expect(server.journal).toHaveLength(1)
})

test('evaluate() keeps no key: not in the store, not among the answers, not in limits', async () => {
  await serve((_, nth) => (nth % 2 === 0 ? 'yes' : { status: 401, text: `Incorrect API key provided: ${KEY}` }))
  const run = await evaluated(6, judge(), { maxConcurrency: 1 })
  expect(run.columns.judge).toMatchObject({ scored: 3, errors: 3 })
  const files = readdirSync(home).filter((name) => /sqlite/.test(name))
  expect(files).toEqual(expect.arrayContaining(['answers.sqlite', 'limits.sqlite', 'store.sqlite']))
  for (const file of files) expect(readFileSync(join(home, file)).includes(KEY), file).toBe(false)
})

test('evaluate() with a store in memory keeps nothing on disk', async () => {
  const server = await serve()
  for (let i = 0; i < 2; i++) await evaluated(3, judge(), { store: memory() })
  expect(server.journal).toHaveLength(6)
  expect(readdirSync(home)).toEqual([])
})

test('evaluate() replays every model from a file, without a key and without the network', async () => {
  const server = await serve()
  vi.stubEnv('VITEST_EVALUATE_REPLAY', 'recorded.jsonl')
  vi.stubEnv('VITEST_EVALUATE_REPLAY_MODE', 'record')
  const inHome = (count: number) =>
    withHost({ ...quietHost, settings: { root: home } } as Host, () => evaluated(count, judge('openai:/gpt-4.1-mini')))
  const first = await inHome(5)
  expect(server.journal).toHaveLength(5)
  vi.stubEnv('VITEST_EVALUATE_REPLAY_MODE', undefined)
  vi.stubEnv('OPENAI_API_KEY', undefined)
  vi.stubEnv('OPENAI_BASE_URL', undefined)
  const second = await inHome(6)
  expect(server.journal).toHaveLength(5)
  expect(second.columns.judge).toMatchObject({ scored: 5, errors: 1 })
  expect(second.columns.judge?.counts).toEqual(first.columns.judge?.counts)
  expect(readFileSync(join(home, 'recorded.jsonl'), 'utf8')).not.toContain(KEY)
  vi.stubEnv('VITEST_EVALUATE_REPLAY_MODE', 'rec')
  expect(await thrownBy(inHome(1))).toMatchObject({
    code: 'CONFIG_INVALID',
    message: 'Cannot evaluate: VITEST_EVALUATE_REPLAY_MODE must be replay, record, refresh, found "rec"',
  })
})

test('evaluate() replays one judge by address, and records through replay() under limits and budget', async () => {
  const server = await serve()
  const path = join(home, 'one.jsonl')
  const run = await evaluated(3, judge(replay(path, { record: 'openai:/gpt-4.1-mini' })), { budget: { calls: 2 } })
  expect(run.columns.judge).toMatchObject({ scored: 2, errors: 1 })
  const again = await evaluated(3, judge(`replay:/${path}`))
  expect(again.columns.judge).toMatchObject({ scored: 2, errors: 1 })
  expect(server.journal).toHaveLength(2)
})

test('currentModels() finds models outside of any evaluation, beside the store in force', async () => {
  const server = await serve()
  const ask = () =>
    currentModels()
      .resolve()
      .generate({ messages: [{ role: 'user', content: 'Is it?' }] })
  expect(await ask()).toMatchObject({ text: 'yes' })
  expect(await ask()).toMatchObject({ text: 'yes', cached: true })
  expect(server.journal).toHaveLength(1)
  expect(readdirSync(dirname(process.env.VITEST_EVALUATE_STORE as string))).toContain('limits.sqlite')
})

/** A test that nobody watches. */
const quietHost = {
  test: { file: 'a.eval.ts', name: 'a', attempt: 0, repeat: 0 },
  signal: new AbortController().signal,
  superseded: () => undefined,
  opened: () => {},
  track: () => {},
  nextName: () => 'a',
  reads: () => {},
  started: () => {},
  progress: () => {},
  ended: () => {},
}
