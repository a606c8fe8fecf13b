import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SchemaElement } from 'hyparquet'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import { expect, test } from 'vitest'
import { pieces, recordOf } from '../../../src/archives/pieces.ts'
import { folder, thrownBy } from '../../data/evaluation.ts'

type Column = { name: string; data: unknown[] }

function written(schema: SchemaElement[], groups: readonly Column[][]): string {
  const writer = new ByteWriter()
  const file = new ParquetWriter({
    writer,
    schema: [{ name: 'root', num_children: groups[0]?.length ?? 0 }, ...schema],
  })
  for (const columnData of groups) file.write({ columnData })
  file.finish()
  const path = join(folder(), 'x.parquet')
  writeFileSync(path, writer.getBytes())
  return path
}

const OPTIONAL = { repetition_type: 'OPTIONAL' } as const
const TEXT = { type: 'BYTE_ARRAY', converted_type: 'UTF8' } as const

test.each(['key_value', 'entries', 'map'])(
  'pieces() and recordOf() read maps of groups called %s, whatever their keys',
  async (group) => {
    const schema: SchemaElement[] = [
      { name: 'm', ...OPTIONAL, num_children: 1, converted_type: 'MAP' },
      { name: group, repetition_type: 'REPEATED', num_children: 2 },
      { name: 'key', repetition_type: 'REQUIRED', ...TEXT },
      { name: 'value', ...OPTIONAL, ...TEXT },
    ]
    const pairs = [
      ['__proto__', 'odd'],
      ['\ufeffa', ''],
      ['none', null],
    ]
    const path = written(schema, [[{ name: 'm', data: [pairs, [], null] }]])
    const [piece] = await Array.fromAsync(pieces(path))
    const [full, empty, missing] = piece?.rows.map(({ m }) => recordOf(m)) ?? []
    expect(Object.entries(full ?? {})).toEqual(pairs)
    expect([empty, missing]).toEqual([{}, {}])
  },
)

test('recordOf() goes by the place of key and value, not by their names', () => {
  expect(recordOf({ entries: [{ keys: 'a', values: '1' }] })).toEqual({ a: '1' })
})

test('pieces() gives times as microseconds, whatever the file has', async () => {
  const time = (name: string, unit: 'MILLIS' | 'MICROS' | 'NANOS'): SchemaElement => ({
    name,
    ...OPTIONAL,
    type: 'INT64',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit },
  })
  const data = { milli: [1_795_262_400_123n], micro: [1_795_262_400_123_456n], nano: [1_795_262_400_123_456_789n] }
  const columns = Object.entries(data).map(([name, values]) => ({ name, data: values }))
  const path = written([time('milli', 'MILLIS'), time('micro', 'MICROS'), time('nano', 'NANOS')], [columns])
  const [piece] = await Array.fromAsync(pieces(path))
  expect(piece?.rows).toEqual([
    { milli: 1_795_262_400_123_000n, micro: 1_795_262_400_123_456n, nano: 1_795_262_400_123_456n },
  ])
})

test('pieces() reads the row groups and columns that are wanted, and no column that is not there', async () => {
  const schema = ['a', 'b'].map((name) => ({ name, ...OPTIONAL, ...TEXT }))
  const group = (...values: string[]) => [
    { name: 'a', data: values },
    { name: 'b', data: values },
  ]
  const path = written(schema, [group('1', '2'), group('3'), group('4', '5')])
  const asked: [number, number][] = []
  const found = pieces(path, ['b', 'c'], (start, end) => {
    asked.push([start, end])
    return start !== 2
  })
  expect(await Array.fromAsync(found)).toEqual([
    { rowStart: 0, rows: [{ b: '1' }, { b: '2' }] },
    { rowStart: 3, rows: [{ b: '4' }, { b: '5' }] },
  ])
  expect(asked).toEqual([
    [0, 2],
    [2, 3],
    [3, 5],
  ])
})

test('pieces() of a file that is cut off throws', async () => {
  const path = written([{ name: 'a', ...OPTIONAL, ...TEXT }], [[{ name: 'a', data: ['x'.repeat(100)] }]])
  writeFileSync(path, readFileSync(path).subarray(0, -20))
  expect(await thrownBy(Array.fromAsync(pieces(path)))).toBeInstanceOf(Error)
})
