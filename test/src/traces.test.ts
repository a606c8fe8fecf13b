import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { evaluate, exportTraces, importTraces, scorer, searchTraces, Trace, traces } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { folder, STORES } from '../data/evaluation.ts'

const RECORDED = new URL('../data/mlflow-trace.json', import.meta.url)
const ID = 'tr-419cd40b27b36c6f2b321a25d89288a4'

const span = (trace: string, name: string, attributes: object = {}) => ({
  name,
  spanContext: { traceId: trace.repeat(32), spanId: 'a'.repeat(16) },
  startTime: [1, 0],
  endTime: [2, 0],
  attributes,
})

function file(name: string, content: unknown, place = folder()): string {
  const path = join(place, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

test('traces() gives rows with the inputs, outputs and expectations of their traces', async () => {
  const seen: unknown[] = []
  const look = scorer('look', ({ inputs, outputs, expectations, trace }) => {
    seen.push({ inputs, outputs, expectations, spans: trace?.spans.length })
    return true
  })
  const run = await evaluate(traces(RECORDED), [look], { store: memory(), experiment: 'exp' })
  expect(run.totals).toMatchObject({ rows: 1, failed: 0 })
  expect(seen).toEqual([
    {
      inputs: { question: 'Where is Paris?' },
      outputs: 'In France',
      expectations: { expected_facts: ['Paris', 'France'], expected_response: 'In France' },
      spans: 4,
    },
  ])
})

test('traces() lets predict run on the inputs again, and expectations of a row win', async () => {
  async function* rows() {
    for await (const row of traces(RECORDED)) yield { ...row, expectations: { expected_response: 'NEW' } }
  }
  const match = scorer('match', ({ outputs, expectations }) => outputs === expectations?.expected_response)
  const run = await evaluate(rows(), (inputs: { question: string }) => (inputs.question ? 'NEW' : ''), [match], {
    store: memory(),
  })
  expect(run.metrics['match/mean']).toBe(1)
})

test('traces() reads what spans say in the words of their instrumentation', async () => {
  const path = file('s.json', [span('1', 'ai.embed', { 'ai.operationId': 'ai.embed', 'ai.value': '"text"' })])
  const [row] = await Array.fromAsync(traces(path))
  expect(row?.trace).toBeInstanceOf(Trace)
  expect(row?.trace?.root).toMatchObject({ type: 'EMBEDDING', inputs: 'text' })
})

test('traces() takes globs and lists, and describes itself by them', async () => {
  const place = folder()
  file('b.json', [span('2', 'b')], place)
  file('a.json', [span('1', 'a')], place)
  const source = traces(join(place, '*.json'))
  expect((await Array.fromAsync(source)).map(({ trace }) => trace?.name)).toEqual(['a', 'b'])
  expect(source.files).toEqual([join(place, '*.json')])
  const both = traces([join(place, 'b.json'), pathToFileURL(join(place, 'a.json'))])
  expect((await Array.fromAsync(both)).map(({ trace }) => trace?.name)).toEqual(['b', 'a'])
  expect(both.files).toEqual([join(place, 'b.json'), join(place, 'a.json')])
  await expect(Array.fromAsync(traces(join(place, '*.xml')))).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
})

test('traces() refuses paths that cannot be meant, at once', () => {
  expect(() => traces('')).toThrow(
    'Cannot read traces: expected the path of a file, a glob or a list of them, found ""',
  )
  expect(() => traces([])).toThrow('found an array of 0')
  expect(() => traces(7 as never)).toThrow('found 7')
})

for (const [kind, make] of Object.entries(STORES)) {
  test(`importTraces() keeps traces with their assessments in ${kind}, once`, async () => {
    const store = make()
    const report = await importTraces(RECORDED, { store, experiment: 'prod' })
    expect(report).toMatchObject({ experiment: 'prod', imported: 1, known: 0, spans: 4, assessments: 6, mended: [] })
    expect(report.files).toMatchObject([{ formats: ['mlflow'], spans: 4 }])
    const again = await importTraces(RECORDED, { store })
    expect(again).toMatchObject({ imported: 0, known: 1, spans: 0, assessments: 0, mended: [] })

    const [trace, ...others] = await searchTraces({ store, experiment: 'prod' }).toArray()
    expect(others).toEqual([])
    expect(trace).toMatchObject({ id: ID, sessionId: 's-1', requestTimeMs: 1795270819294 })
    expect(trace?.metadata['mlflow.experimentId']).toBe('1')
    expect(trace?.spans[0]?.startTimeNs).toBe(1795270819294699662n)
    expect(trace?.expectations).toEqual({ expected_facts: ['Paris', 'France'], expected_response: 'In France' })
    expect(trace?.searchAssessments({ name: 'correct' }).map(({ value }) => value)).toEqual(['yes'])
    const [old, now] = trace?.searchAssessments({ name: 'correct', all: true }) ?? []
    expect([old?.value, old?.valid, now?.overrides]).toEqual(['no', false, old?.id])
    expect(await searchTraces({ store, filter: "feedback.correct = 'yes'" }).count()).toBe(1)
    expect(await searchTraces({ store, filter: "feedback.correct = 'no'" }).count()).toBe(0)

    expect(await store.deleteAssessment(now?.id as string)).toBe(true)
    expect(await searchTraces({ store, filter: "feedback.correct = 'no'" }).count()).toBe(1)
  })

  test(`importTraces() brings back from ${kind} what exportTraces() wrote, in every format`, async () => {
    const from = make()
    await importTraces(RECORDED, { store: from, experiment: 'prod' })
    await importTraces(file('s.json', [span('1', 'one', { 'ai.value': '"x"', n: 1 })]), {
      store: from,
      experiment: 'prod',
    })
    const before = await searchTraces({ store: from }).toArray()
    const place = folder()
    for (const [format, name] of [
      ['mlflow', 't.json'],
      ['mlflow', 't.jsonl'],
      ['otlp', 'o.json'],
      ['otlp', 'o.ndjson'],
      ['otlp-protobuf', 'o.pb'],
    ] as const) {
      const path = join(place, name)
      expect(await exportTraces(searchTraces({ store: from }), path, { format })).toBe(2)
      const store = memory()
      const report = await importTraces(path, { store, experiment: 'prod' })
      expect(report, name).toMatchObject({ imported: 2, mended: [] })
      expect(await searchTraces({ store }).toArray(), name).toEqual(before)
    }
  })

  test(`importTraces() cannot refer to a run that ${kind} does not have, but keeps its id`, async () => {
    const store = make()
    const from = memory()
    const run = await evaluate([{ id: 'r', inputs: 1, outputs: 1 }], [scorer('good', () => true)], { store: from })
    const path = join(folder(), 'run.pb')
    expect(await exportTraces(run, path)).toBe(1)
    expect(await importTraces(path, { store })).toMatchObject({ imported: 1, assessments: 1, mended: [] })
    const [trace] = await searchTraces({ store }).toArray()
    const [good] = trace?.assessments ?? []
    expect(good).toMatchObject({ name: 'good', value: true, scorer: 'good' })
    expect(good?.runId).toBeUndefined()
    expect(good?.metadata?.['mlflow.assessment.sourceRunId']).toBe(run.id)
    expect(trace?.metadata['vitest-evaluate.rowId']).toBe('r')
  })
}

test('importTraces() says what it mended, what it left out, and nothing twice', async () => {
  const store = memory()
  const twice = { ...span('1', 'x'), parentSpanContext: { spanId: 'b'.repeat(16) } }
  const note = '1 span whose parent is not there, such as "x" (aaaaaaaaaaaaaaaa): without a parent now'
  const first = file('a.json', [twice])
  expect((await importTraces(first, { store })).mended).toEqual([`trace tr-${'1'.repeat(32)}: ${note}`])
  expect((await importTraces(first, { store })).mended).toEqual([])
  const more = { ...twice, name: 'y', spanContext: { ...twice.spanContext, spanId: 'b'.repeat(16) } }
  expect((await importTraces(file('b.json', [more]), { store })).mended).toEqual([
    `trace tr-${'1'.repeat(32)}: it is in the store already, without 1 span of the file: left out`,
  ])
})

test('importTraces() puts what is overridden before what overrides it, and ends where that is a cycle', async () => {
  const at = '2026-01-01T00:00:00Z'
  const one = (id: string, more: object) => ({
    assessment_id: id,
    assessment_name: 'safe',
    feedback: { value: id },
    create_time: at,
    ...more,
  })
  const assessments = [
    one('c', { overrides: 'b' }),
    one('b', { overrides: 'a', valid: false }),
    one('a', { valid: false }),
    one('x', { overrides: 'y' }),
    one('y', { overrides: 'x' }),
    one('z', { overrides: 'gone' }),
  ]
  const info = { trace_id: 'tr-1', trace_location: {}, request_time: at, state: 'OK', assessments }
  const store = memory()
  const { mended } = await importTraces(file('m.json', { info, data: { spans: [] } }), { store })
  expect(mended).toContain(
    'trace tr-1: assessment "safe" overrides "gone", which is not in the file: it stands by itself',
  )
  expect(mended).toContain('trace tr-1: assessment "safe" overrides "x", which goes back to it: it stands by itself')
  const [trace] = await searchTraces({ store }).toArray()
  expect(trace?.assessments.map(({ value, overrides, valid }) => [value, overrides, valid])).toEqual([
    ['a', undefined, false],
    ['b', 'tr-1.0', false],
    ['c', 'tr-1.1', true],
    ['y', undefined, true],
    ['x', 'tr-1.3', true],
    ['z', undefined, true],
  ])
})

test('importTraces() imports nothing when one of the files is broken, or holds what cannot be kept', async () => {
  const store = memory()
  const place = folder()
  copyFileSync(RECORDED, join(place, 'a.json'))
  file('b.json', '{"half', place)
  await expect(importTraces([join(place, 'a.json'), join(place, 'b.json')], { store })).rejects.toMatchObject({
    code: 'SOURCE_MALFORMED',
  })
  let deep: unknown = 1
  for (let i = 0; i < 2_000; i++) deep = [deep]
  file('b.json', [span('1', 'deep', { deep })], place)
  await expect(importTraces([join(place, 'a.json'), join(place, 'b.json')], { store })).rejects.toThrow(/nested deeper/)
  expect(await searchTraces({ store }).count()).toBe(0)
})

test('evaluate() over files of traces says what was mended', async () => {
  const path = join(folder(), 'odd.json')
  const span = (spanId: string, parentSpanId?: string) => ({
    traceId: 'a'.repeat(32),
    spanId,
    ...(parentSpanId && { parentSpanId }),
    name: 'answer',
    startTimeUnixNano: '1795226650844883331',
    endTimeUnixNano: '1795226650849883331',
  })
  writeFileSync(
    path,
    JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span('b'.repeat(16), 'c'.repeat(16))] }] }] }),
  )
  const run = await evaluate(traces(path), [scorer('always', () => true)], { store: memory(), minScored: 0 })
  expect(run.record.notices).toMatchObject([
    { code: 'DATA_MENDED', message: expect.stringContaining(`trace tr-${'a'.repeat(32)}: `) },
  ])
})
