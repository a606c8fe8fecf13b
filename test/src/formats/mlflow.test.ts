import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { toolCallsOf } from '../../../src/calls.ts'
import { documentsOf } from '../../../src/documents.ts'
import { writeTrace } from '../../../src/formats/mlflow/writer.ts'
import { Trace, type TraceData } from '../../../src/trace.ts'
import { usageTotals } from '../../../src/usage.ts'
import { readFrom } from './read.ts'

/** Recorded by the client of MLflow 3.17.2, `Trace.to_json()`; paths of its machine taken out. */
const RECORDED = readFileSync(new URL('../../data/mlflow-trace.json', import.meta.url), 'utf8')

test('mlflow reads what MLflow writes: spans, exact times, session', async () => {
  const { traces, notes } = await readFrom(RECORDED)
  const [trace] = traces
  expect(notes).toEqual([])
  expect(trace).toMatchObject({
    id: 'tr-419cd40b27b36c6f2b321a25d89288a4',
    name: 'answer',
    experiment: '1',
    status: 'OK',
    sessionId: 's-1',
    requestTimeMs: 1795270819294,
    durationMs: 57,
    inputs: { question: 'Where is Paris?' },
    outputs: 'In France',
  })
  expect(trace?.tags.env).toBe('prod')
  expect(trace?.metadata['mlflow.trace.user']).toBe('ann')
  expect(trace?.spans.map(({ name, type, status, parentId }) => [name, type, status, parentId])).toEqual([
    ['answer', 'AGENT', 'OK', undefined],
    ['search', 'RETRIEVER', 'OK', '46717adec67b6845'],
    ['call', 'CHAT_MODEL', 'OK', '46717adec67b6845'],
    ['weather', 'TOOL', 'ERROR', '46717adec67b6845'],
  ])
  expect(trace?.spans[0]).toMatchObject({ startTimeNs: 1795270819294699662n, endTimeNs: 1795270819352060199n })
  expect(trace?.spans[2]?.attributes.big).toBe(9007199254740993n)
  expect(trace?.spans[3]?.events[0]).toMatchObject({ name: 'exception', timeNs: 1795270819351556864n })
})

test('mlflow reads what scorers ask of such a trace', async () => {
  const spans = (await readFrom(RECORDED)).traces[0]?.spans ?? []
  const [, search, call, tool] = spans
  if (!search || !call || !tool) throw new Error('spans are missing')
  expect(documentsOf(search)).toMatchObject([{ content: 'Paris is in France', uri: 'geo.md' }])
  expect(toolCallsOf(call)).toMatchObject([{ name: 'weather', arguments: { city: 'Paris' }, id: 'c1' }])
  expect(toolCallsOf(tool)).toMatchObject([{ name: 'weather', arguments: { city: 'Paris' } }])
  expect(usageTotals(spans)).toEqual({ inputTokens: 10, outputTokens: 5, totalTokens: 15 })
})

test('mlflow reads assessments with their history, sources and errors', async () => {
  const assessments = (await readFrom(RECORDED)).traces[0]?.assessments ?? []
  const by = (name: string, valid = true) => assessments.find((one) => one.name === name && one.valid === valid)
  const first = by('correct', false)
  expect(first).toMatchObject({ value: 'no', rationale: 'r', source: { type: 'LLM_JUDGE', id: 'judge-1' } })
  expect(by('correct')).toMatchObject({ value: 'yes', overrides: first?.id, source: { type: 'HUMAN', id: 'ann' } })
  expect(by('score')).toMatchObject({ kind: 'feedback', value: 4, source: { type: 'CODE' } })
  expect(by('broken')?.error).toEqual({ code: 'SCORER_ERROR', message: 'boom', stack: 'trace' })
  expect(by('expected_facts')).toMatchObject({ kind: 'expectation', value: ['Paris', 'France'] })
})

const INFO = { trace_id: 'tr-1', trace_location: {}, request_time: '2026-11-21T02:04:10.844Z', state: 'OK' }
const REST_SPAN = {
  trace_id: 'cySZKB4IaaALWswL1mW7cQ==',
  span_id: 'icy6Cx5wov8=',
  name: 'root',
  start_time_unix_nano: '1795226650844883331',
  status: { code: 'STATUS_CODE_OK' },
  attributes: [
    { key: 'mlflow.spanType', value: { string_value: 'AGENT' } },
    { key: 'mlflow.spanInputs', value: { kvlist_value: { values: [{ key: 'q', value: { string_value: '7' } }] } } },
    { key: 'text', value: { string_value: '7' } },
  ],
}

test("mlflow reads the REST interface's form, whose values are decoded already", async () => {
  const info = { ...INFO, execution_duration: '1.250s' }
  const { traces } = await readFrom({ trace: { trace_info: info, spans: [REST_SPAN] } })
  expect(traces[0]).toMatchObject({ durationMs: 1250, inputs: { q: '7' } })
  expect(traces[0]?.spans[0]).toMatchObject({ id: '89ccba0b1e70a2ff', type: 'AGENT', attributes: { text: '7' } })
})

test('mlflow reads schema 2', async () => {
  const info = { request_id: 'abc', experiment_id: '3', timestamp_ms: 5, execution_time_ms: 7, status: 'ERROR' }
  const labels = { request_metadata: { a: 'b' }, tags: [{ key: 'mlflow.traceName', value: 'old' }] }
  const span = {
    name: 'root',
    context: { span_id: '0x89ccba0b1e70a2ff', trace_id: '0x732499281e0869a00b5acc0bd665bb71' },
    parent_id: null,
    start_time: 1_000_000,
    end_time: 2_000_000,
    status_code: 'ERROR',
    status_message: 'bad',
    attributes: { 'mlflow.traceRequestId': '"abc"', 'mlflow.spanOutputs': '"yo"' },
    events: [{ name: 'e', timestamp: 1_500_000, attributes: {} }],
  }
  const { traces } = await readFrom({ info: { ...info, ...labels }, data: { spans: [span] } })
  expect(traces[0]).toMatchObject({ id: 'abc', name: 'old', experiment: '3', status: 'ERROR', metadata: { a: 'b' } })
  expect(traces[0]?.spans[0]).toMatchObject({ statusMessage: 'bad', outputs: 'yo', endTimeNs: 2_000_000n })
  expect(traces[0]?.spans[0]?.events[0]?.timeNs).toBe(1_500_000n)
})

test('mlflow reads the artifact that has spans alone', async () => {
  const { traces, formats } = await readFrom(JSON.parse(RECORDED).data)
  expect(formats).toEqual(['mlflow'])
  expect(traces.map(({ id, spans: read }) => [id, read.length])).toEqual([['tr-419cd40b27b36c6f2b321a25d89288a4', 4]])
})

test('mlflow gives a trace without spans the previews, and says so', async () => {
  const info = { ...INFO, request_preview: '{"q":1}', response_preview: '"cut o' }
  const { traces, notes } = await readFrom({ traces: [info], next_page_token: 'x' })
  expect(traces[0]).toMatchObject({ inputs: { q: 1 }, outputs: '"cut o', spans: [], status: 'OK' })
  expect(notes).toEqual(['it has no spans: inputs and outputs are the previews'])
})

test('mlflow leaves out assessments that are none of ours, and keeps sources that it does not know', async () => {
  const assessments = [
    { assessment_name: 'i', issue: { issue_name: 'x' } },
    { assessment_name: 'f', feedback: { value: 1 }, source: { source_type: 'AI_JUDGE', source_id: 'm' } },
    { assessment_name: 'g', feedback: { value: 'a' }, source: { source_type: 'ROBOT', source_id: 'r' } },
  ]
  const { traces, notes } = await readFrom({ info: { ...INFO, assessments }, data: { spans: [REST_SPAN] } })
  expect(notes).toContain('assessment 1 ("i") is neither Feedback nor an expectation: left out')
  expect(traces[0]?.assessments).toMatchObject([
    { name: 'f', source: { type: 'LLM_JUDGE', id: 'm' } },
    { name: 'g', source: { type: 'CODE', id: 'r' }, metadata: { 'mlflow.assessment.sourceType': 'ROBOT' } },
  ])
})

test.each<[string, object, string]>([
  ['a span id', { span_id: '!!' }, 'span 1 ("root"): span_id must be 16 hex digits or 8 bytes in base64, found "!!"'],
  ['a parent id', { parent_span_id: 'AAA=' }, 'span 1 ("root"): parent id must be 16 hex digits'],
  ['a time', { start_time_unix_nano: [] }, 'span 1 ("root"): start time must be nanoseconds since 1970'],
  ['events', { events: {} }, 'span 1 ("root"): events must be a list, found an empty object'],
])('mlflow refuses %s that is none, and names the span', async (_, span, problem) => {
  await expect(readFrom({ info: INFO, data: { spans: [{ ...REST_SPAN, ...span }] } })).rejects.toThrow(problem)
})

test.each<[string, object, string]>([
  ['no trace id', { trace_id: '' }, 'the trace has no "trace_id", found ""'],
  ['a time that is none', { request_time: 'noon' }, 'the trace has a time that is none: "noon"'],
  ['a time that no Date can have', { request_time: 1e300 }, 'the trace has a time that is none: 1e+300'],
  ['a nameless assessment', { assessments: [{ feedback: { value: 1 } }] }, 'assessment 1 has no name'],
  [
    'a damaged part of ours',
    { trace_metadata: { 'vitest-evaluate.trace': '{' } },
    '"vitest-evaluate.trace" is damaged',
  ],
])('mlflow refuses %s', async (_, info, problem) => {
  await expect(readFrom({ info: { ...INFO, ...info }, data: { spans: [REST_SPAN] } })).rejects.toThrow(problem)
})

test('mlflow takes data that only looks like ours for what it is', async () => {
  const attributes = { 'mlflow.traceRequestId': '"tr-1"', odd: '{"$type": "regexp", "source": "(", "flags": "y"}' }
  const span = { ...REST_SPAN, attributes }
  const { traces } = await readFrom({ info: INFO, data: { spans: [span] } })
  expect(traces[0]?.spans[0]?.attributes).toEqual({ odd: { $type: 'regexp', source: '(', flags: 'y' } })
})

test("mlflow keeps the caller's own id, and gives it back", async () => {
  const info = { ...INFO, client_request_id: 'order-7', trace_metadata: { a: 'b' } }
  const { traces } = await readFrom(JSON.stringify({ info, data: { spans: [] } }))
  expect(traces[0]?.metadata).toEqual({ a: 'b', client_request_id: 'order-7' })
  const written = writeTrace(new Trace({ ...(traces[0] as TraceData), experiment: '1' }))
  expect(written).toMatchObject({ info: { client_request_id: 'order-7' } })
  expect((await readFrom(JSON.stringify(written))).traces[0]?.metadata).toEqual(traces[0]?.metadata)
})
