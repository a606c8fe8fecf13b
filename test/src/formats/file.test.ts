import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { EvaluationError } from '../../../src/errors.ts'
import { readTraceFiles } from '../../../src/formats/index.ts'
import { folder } from '../../data/evaluation.ts'
import { readFrom } from './read.ts'

const span = (trace: string, name = 'step') => ({
  name,
  spanContext: { traceId: trace.repeat(32), spanId: 'a'.repeat(16) },
  startTime: [1, 0],
  endTime: [2, 0],
})

test.each<[string, unknown]>([
  ['a list', [span('1'), span('2')]],
  ['lines', `${JSON.stringify(span('1'))}\n\n${JSON.stringify(span('2'))}\r\n`],
  ['an envelope', { spans: [span('1'), span('2')] }],
  ['a page', { data: [span('1'), span('2')], meta: { page: 1 } }],
  ['gzip', gzipSync(JSON.stringify([span('1'), span('2')]))],
  ['a byte order mark', `\ufeff\n ${JSON.stringify([span('1'), span('2')])}`],
])('readTraceFiles() reads %s', async (_, content) => {
  const { traces, formats } = await readFrom(content)
  expect(traces.map(({ id }) => id)).toEqual([`tr-${'1'.repeat(32)}`, `tr-${'2'.repeat(32)}`])
  expect(formats).toEqual(['spans'])
})

test('readTraceFiles() finds the format of every part by itself, and joins traces over files', async () => {
  const otlp = {
    resourceSpans: [
      {
        scopeSpans: [
          { spans: [{ traceId: '1'.repeat(32), spanId: 'b'.repeat(16), name: 'x', startTimeUnixNano: '1500000000' }] },
        ],
      },
    ],
  }
  const { path: one } = await readFrom([span('1'), otlp])
  const { path: other } = await readFrom([span('1', 'again')])
  const { traces, files } = await readTraceFiles([one, other])
  expect(files.map(({ formats, spans }) => [formats, spans])).toEqual([
    [['spans', 'otlp'], 2],
    [['spans'], 1],
  ])
  expect(traces.map(({ spans }) => spans.length)).toEqual([3])
})

test('readTraceFiles() takes an empty list for no traces', async () => {
  expect((await readFrom([])).traces).toEqual([])
})

const failure = async (content: unknown, format?: string): Promise<EvaluationError> => {
  const { path, error } = await readFrom(content, format).then(
    () => {
      throw new Error('it was read')
    },
    (thrown: EvaluationError) => ({ path: /"([^"]+traces\.json)"/.exec(thrown.message)?.[1] ?? '', error: thrown }),
  )
  expect(error).toBeInstanceOf(EvaluationError)
  expect(error.message).toContain(`Cannot read traces of "${path}": `)
  return error
}

test.each<[string, unknown, string]>([
  ['an empty file', ' \n', 'it is empty'],
  ['a text', 'hello', 'it begins neither like JSON nor like OTLP protobuf'],
  ['half a JSON', '{"resourceSpans": [{"scopeSp', 'it is not JSON: unexpected end at line 1, column 29'],
  ['half a line', `${JSON.stringify(span('1'))}\n{"name": `, 'it is not JSON: unexpected end at line 2, column 10'],
  ['a word in JSON', '[{"name": NaN}]', 'it is not JSON: unexpected "NaN" at line 1, column 11'],
  ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 'it is not UTF-8'],
  ['a damaged gzip', gzipSync('{}').subarray(0, 15), 'its gzip is damaged: unexpected end of file'],
  ['an unknown object', { rows: [] }, 'it is of no known format: found an object with rows'],
  ['an unknown item', [span('1'), { a: 1 }], 'item 2: it is of no known format: found an object with a'],
  ['an unknown line', `${JSON.stringify(span('1'))}\n7`, 'line 2: it is of no known format: found 7'],
])('readTraceFiles() refuses %s', async (_, content, problem) => {
  const error = await failure(content)
  expect(error.message).toContain(problem)
  expect(error.code).toBe('SOURCE_MALFORMED')
})

test('readTraceFiles() refuses another format than the one it was told', async () => {
  expect((await failure(span('1'), 'mlflow')).message).toContain(
    'it is not MLflow trace JSON: found an object with name',
  )
  await expect(readFrom(span('1'), 'mlfow')).rejects.toThrow(
    'Cannot read traces as "mlfow": there is no such format (did you mean "mlflow"?)',
  )
})

test('readTraceFiles() tells a missing file from a folder', async () => {
  const place = folder()
  await expect(readTraceFiles([`${place}/none.json`])).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
  await expect(readTraceFiles([place])).rejects.toMatchObject({ code: 'SOURCE_NOT_READABLE' })
})

test('readTraceFiles() is not overthrown by depth', async () => {
  const deep = (levels: number) => `${'['.repeat(levels)}12345678901234567${']'.repeat(levels)}`
  const withValue = (value: string) => JSON.stringify(span('1')).replace('{', `{"attributes":{"deep":${value}},`)
  expect((await readFrom(withValue(deep(400)))).traces).toHaveLength(1)
  const error = await readFrom(withValue(deep(100_000))).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'SOURCE_MALFORMED', message: expect.stringContaining('nested too deeply') })
})
