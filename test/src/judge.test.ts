import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { scorer, span } from '../../src/index.ts'
import {
  Correctness,
  customPromptJudge,
  Guidelines,
  makeJudge,
  pairwiseJudge,
  panel,
  RetrievalGroundedness,
  RetrievalRelevance,
  Safety,
} from '../../src/judges/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { evaluate } from '../../src/workspace.ts'
import { type Endpoint, endpoint, type Reply } from '../data/endpoint.ts'
import { folder } from '../data/evaluation.ts'

// Judges in an evaluation, over HTTP.

let server: Endpoint
let script: (material: string, nth: number) => string | Reply
beforeEach(async () => {
  server = await endpoint(({ messages }, nth) => script(messages.map(({ content }) => content).join('\n'), nth))
  vi.stubEnv('OPENAI_BASE_URL', server.url)
  vi.stubEnv('OPENAI_API_KEY', 'test-key')
  vi.stubEnv('DATABRICKS_HOST', server.url)
  vi.stubEnv('DATABRICKS_TOKEN', 'test-token')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await server.close()
})

const yes: Reply = { json: { rationale: 'fine', value: 'yes' } }
const no: Reply = { json: { rationale: 'bad', value: 'no' } }
const store = memory()
const options = { store, cache: false, retries: 0 }

test('judges stand beside code scorers, and give columns of verdicts', async () => {
  script = (text) => (text.includes('horrid') ? no : yes)
  const exact = scorer('exact', ({ outputs, expectations }) => outputs === expectations.expected_response)
  const rows = [
    { inputs: 1, outputs: 'a', expectations: { expected_response: 'a' } },
    { inputs: 2, outputs: 'horrid', expectations: { expected_response: 'b' } },
  ]
  const english = Guidelines({ name: 'english', guidelines: 'The response must be in English' })
  const run = await evaluate(
    rows,
    [exact, Safety(), Correctness({ model: 'databricks:/databricks-gpt-oss-20b' }), english],
    options,
  )
  expect(run.metrics).toEqual({ 'exact/mean': 0.5, 'safety/mean': 0.5, 'correctness/mean': 0.5, 'english/mean': 0.5 })
  const [, second] = await Array.fromAsync(run.rows())
  expect(second?.feedback.safety).toMatchObject({
    value: 'no',
    rationale: 'bad',
    source: { type: 'LLM_JUDGE', id: 'openai:/gpt-4.1-mini' },
  })
  expect(second?.feedback.correctness?.source.id).toBe('databricks:/databricks-gpt-oss-20b')
  expect(await run.search("feedback.safety = 'no'").count()).toBe(1)
  expect(server.journal.map(({ body }) => body.model).sort()).toEqual([
    ...Array(2).fill('databricks-gpt-oss-20b'),
    ...Array(4).fill('gpt-4.1-mini'),
  ])
})

test('what is no verdict is counted by its code, out of the mean, and never dropped', async () => {
  const replies: (string | Reply)[] = [
    yes,
    no,
    { ...yes, finishReason: 'length' },
    { text: null, refusal: 'I will not' },
    { ...yes, finishReason: 'content_filter' },
    'yes',
    { json: { rationale: '', value: 'maybe' } },
    '',
    { json: { value: 'yes' } },
    { status: 500, text: 'down' },
    { raw: '<html>', headers: { 'content-type': 'text/html' } },
    { fault: 'reset' },
  ]
  script = (text) => replies[Number(/row (\d+)/.exec(text)?.[1])] ?? yes
  const rows = replies.map((_, i) => ({ inputs: i, outputs: `row ${i}` }))
  const run = await evaluate(rows, [Safety()], { ...options, minScored: 0 })
  expect(run.columns.safety).toMatchObject({
    kind: 'boolean',
    rows: replies.length,
    scored: 2,
    passed: 1,
    missing: 0,
    errors: replies.length - 2,
  })
  expect(run.metrics['safety/mean']).toBe(0.5)
  expect(run.columns.safety?.errorCodes).toMatchObject({
    TRUNCATED: 1,
    REFUSED: 1,
    CONTENT_FILTERED: 1,
    NOT_JSON: 1,
    OFF_MENU: 1,
    EMPTY: 1,
    SCHEMA_MISMATCH: 1,
    TRANSPORT: 2,
    MALFORMED_RESPONSE: 1,
  })
  expect(run.totals.failed).toBe(0)
})

test('judges of every make stand in one list, and read the traces of the app', async () => {
  script = (text) => {
    if (text.includes('How formal')) return { json: { rationale: 'r', value: 'casual' } }
    if (text.includes('which of two')) return { json: { rationale: 'r', value: 'first' } }
    return text.includes('Rate it') ? { json: { rationale: 'r', value: 4 } } : yes
  }
  const app = async (question: string) => {
    await span('search', { type: 'RETRIEVER' }, () => [{ page_content: 'one' }, { page_content: 'two' }])
    return `about ${question}`
  }
  const rows = [{ inputs: 'trains', expectations: { baseline_response: 'nothing' } }]
  const formality = customPromptJudge({
    name: 'formality',
    promptTemplate: 'How formal is {{ outputs }}? [[formal]] [[casual]]',
    numericValues: { formal: 1, casual: 0 },
  })
  const rating = makeJudge({
    name: 'rating',
    instructions: 'Rate it: {{ outputs }}',
    feedbackValueType: { min: 1, max: 5 },
  })
  const safest = panel(Safety(), { models: ['openai:/a', 'openai:/b', 'databricks:/c'] })
  const judges = [formality, rating, safest, RetrievalRelevance(), RetrievalGroundedness(), pairwiseJudge()]
  const run = await evaluate(rows, app, judges, options)
  expect(run.problems).toEqual([])
  const [row] = await Array.fromAsync(run.rows())
  const values = Object.fromEntries(Object.entries(row?.feedback ?? {}).map(([name, { value }]) => [name, value]))
  expect(values).toEqual({
    formality: 0,
    rating: 4,
    safety: 'yes',
    'retrieval_relevance/precision': 1,
    retrieval_relevance: ['yes', 'yes'],
    retrieval_groundedness: 'yes',
    pairwise: 0.5,
    'pairwise/consistent': 'no',
  })
  expect(row?.feedback.safety?.source.id).toBe('openai:/a, openai:/b, databricks:/c')
  expect(row?.feedback.retrieval_groundedness?.spanId).toMatch(/^[0-9a-f]{16}$/)
  expect(run.metrics['retrieval_relevance/precision/mean']).toBe(1)
})

test('sampling parameters are sent, and the schema with the rationale first', async () => {
  script = () => yes
  const judge = Safety({ parameters: { temperature: 0, topP: 0.5, maxTokens: 300, seed: 3 } })
  await evaluate([{ inputs: 1, outputs: 'x' }], [judge], options)
  const [call] = server.journal
  expect(call?.body).toMatchObject({ temperature: 0, top_p: 0.5, max_completion_tokens: 300, seed: 3 })
  expect(call?.body.response_format?.json_schema).toMatchObject({
    strict: true,
    schema: { required: ['rationale', 'value'] },
  })
})

test('a judge that cannot ask anybody fails the evaluation before anything is paid for', async () => {
  vi.stubEnv('OPENAI_API_KEY', '')
  let calls = 0
  const predict = () => ++calls
  await expect(evaluate([{ inputs: 1 }], predict, [Safety()], options)).rejects.toThrow(/OPENAI_API_KEY/)
  await expect(evaluate([{ inputs: 1 }], predict, [Safety({ model: 'opnai:/x' })], options)).rejects.toThrow(
    /did you mean "openai/,
  )
  expect(calls).toBe(0)
})

test('a second identical run asks nobody, where answers are kept', async () => {
  script = () => yes
  const rows = [{ inputs: 1, outputs: `x ${Math.random()}` }]
  const kept = sqlite(join(folder(), 'store.sqlite'))
  for (const _ of [1, 2]) {
    const run = await evaluate(rows, [Safety()], { store: kept })
    expect(run.columns.safety?.passed).toBe(1)
  }
  expect(server.journal).toHaveLength(1)
  await kept.close()
})

test('resume takes verdicts over from the same judge model, and from no other', async () => {
  script = () => yes
  const own = memory()
  const rows = [{ inputs: 1, outputs: 'x' }]
  const judged = (judgeModel: string) =>
    evaluate(rows, [Safety()], { ...options, store: own, name: 'resumed', judgeModel, resume: 'force' })
  await judged('openai:/a')
  await judged('openai:/a')
  expect(server.journal.map(({ body }) => body.model)).toEqual(['a'])
  const other = await judged('openai:/b')
  expect(server.journal.map(({ body }) => body.model)).toEqual(['a', 'b'])
  expect(other.columns.safety?.passed).toBe(1)
})

test('a judge keeps to its time in a run', async () => {
  script = () => ({ fault: 'stall' })
  const run = await evaluate([{ inputs: 1, outputs: 'x' }], [Safety({ timeoutMs: 500 })], { ...options, minScored: 0 })
  expect(run.columns.safety?.errorCodes).toEqual({ TIMEOUT: 1 })
})
