import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { evaluate, exportTraces, scorer } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { folder } from '../data/evaluation.ts'

const evaluated = () =>
  evaluate(
    [
      { inputs: 'a', outputs: 'b' },
      { inputs: 'c', outputs: 'd' },
    ],
    [scorer('good', () => true)],
    {
      store: memory(),
    },
  )

test('exportTraces() chooses protobuf by the ending, and else OTLP in JSON', async () => {
  const run = await evaluated()
  const place = folder()
  expect(await exportTraces(run, join(place, 't.pb'))).toBe(2)
  expect(readFileSync(join(place, 't.pb'))[0]).toBe(0x0a)
  expect(await exportTraces(run, join(place, 't.json'))).toBe(2)
  expect(Object.keys(JSON.parse(readFileSync(join(place, 't.json'), 'utf8')))).toEqual(['resourceSpans'])
  expect(await exportTraces(run, join(place, 't.jsonl'), { format: 'mlflow' })).toBe(2)
  const lines = readFileSync(join(place, 't.jsonl'), 'utf8').trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line).info.state)).toEqual(['OK', 'OK'])
})

test('exportTraces() takes any traces, none too', async () => {
  const path = join(folder(), 'none.json')
  expect(await exportTraces([], path, { format: 'mlflow' })).toBe(0)
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual([])
})

test('exportTraces() refuses formats that it cannot write, and leaves nothing behind', async () => {
  const path = join(folder(), 'x.jsonl')
  await expect(exportTraces([], path, { format: 'langfuse' as never })).rejects.toThrow(
    'Cannot write traces as "langfuse": there is no such format\nHint: the formats are otlp, otlp-protobuf, mlflow',
  )
  await expect(exportTraces([], path, { format: 'otlp-protobuf' })).rejects.toThrow('name it .pb')
  const broken = { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('broke off')) }) }
  await expect(exportTraces(broken, path)).rejects.toThrow('broke off')
  expect(existsSync(path)).toBe(false)
})
