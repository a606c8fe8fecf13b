import { globSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { COLUMNS } from '../../../src/archives/columns.ts'
import { delta } from '../../../src/archives/delta.ts'
import { type DeltaField, misfit } from '../../../src/archives/schema.ts'
import { folder, thrownBy } from '../../data/evaluation.ts'
import { metaData, PROTOCOL, writeCommit } from './made.ts'
import { archived, versions } from './rows.ts'

const HINT = '\nHint: archive to another folder, and a table that fits is made there'
const changed = (name: string, more: object): object[] =>
  COLUMNS.map((one) => (one.name === name ? { ...one, ...more } : one))
const protocol = (more: object): object => ({ protocol: { minReaderVersion: 1, minWriterVersion: 2, ...more } })

async function refusals(actions: readonly object[]): Promise<{ read?: string; append?: string }> {
  const location = folder()
  writeCommit(location, 0, actions)
  const told = async (work: Promise<unknown>): Promise<string | undefined> => {
    const { code, message } = await work.then(
      () => ({}) as any,
      (thrown) => thrown,
    )
    if (code !== undefined) expect(code).toBe('ARCHIVE_UNFIT')
    return message?.replace(`Cannot use "${location}" as a Delta table: `, '')
  }
  const read = await told(versions(delta(location)))
  const append = await told(delta(location).append([archived('a', 1)], { application: 'x', batch: 1 }))
  return { ...(read !== undefined && { read }), ...(append !== undefined && { append }) }
}

test.each<[string, object[], string]>([
  [
    'lacks a column',
    COLUMNS.filter(({ name }) => name !== 'spans'),
    'column "spans": found no such column, wanted string',
  ],
  [
    'has a column of another type',
    changed('version', { type: 'integer' }),
    'column "version": found integer, wanted long',
  ],
  [
    'has times without a zone',
    changed('request_time', { type: 'timestamp_ntz' }),
    'column "request_time": found timestamp_ntz, wanted timestamp',
  ],
  ['has text for a map', changed('tags', { type: 'string' }), 'column "tags": found string, wanted map<string,string>'],
  [
    'has a map of another type',
    changed('tags', { type: { type: 'map', keyType: 'string', valueType: 'long', valueContainsNull: true } }),
    'column "tags.value": found long, wanted string',
  ],
  [
    'has other assessments',
    changed('assessments', {
      type: {
        type: 'array',
        elementType: { type: 'struct', fields: [{ name: 'id', type: 'long', nullable: true, metadata: {} }] },
        containsNull: true,
      },
    }),
    'column "assessments.element.id": found long, wanted string',
  ],
  [
    'wants a column that we do not have',
    [...COLUMNS, { name: 'region', type: 'string', nullable: false, metadata: {} }],
    'column "region": found string that is never null, wanted no such column',
  ],
])('a table that %s is refused', async (_, fields, problem) => {
  expect(await refusals([PROTOCOL, metaData({}, fields)])).toEqual({ read: problem + HINT, append: problem + HINT })
})

test.each<[string, string[], string]>([
  ['not at all', [], 'it is not partitioned, and has to be partitioned by date'],
  ['otherwise', ['experiment', 'date'], 'it is partitioned by experiment, date, and has to be partitioned by date'],
])('a table that is partitioned %s is refused', async (_, partitionColumns, problem) => {
  const both = problem + HINT
  expect(await refusals([PROTOCOL, metaData({ partitionColumns })])).toEqual({ read: both, append: both })
})

const needs = (verb: string, what: string, known: number): string =>
  `to ${verb} it needs ${what}; known here is version ${known} without features${HINT}`

test.each<[string, object, { read?: string; append?: string }]>([
  [
    'reader 2',
    { minReaderVersion: 2, minWriterVersion: 5 },
    { read: needs('read', 'version 2 of the protocol', 1), append: needs('read', 'version 2 of the protocol', 1) },
  ],
  ['writer 4', { minWriterVersion: 4 }, { append: needs('write', 'version 4 of the protocol', 2) }],
  [
    'deletion vectors',
    {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: ['deletionVectors'],
      writerFeatures: ['deletionVectors', 'appendOnly'],
    },
    {
      read: needs('read', 'the features deletionVectors', 1),
      append: needs('read', 'the features deletionVectors', 1),
    },
  ],
  [
    'row tracking',
    { minWriterVersion: 7, writerFeatures: ['rowTracking', 'domainMetadata'] },
    { append: needs('write', 'the features rowTracking, domainMetadata', 2) },
  ],
  [
    'named features that are known',
    { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: [], writerFeatures: ['appendOnly', 'invariants'] },
    {},
  ],
  ['what we write', {}, {}],
])('a table with the protocol of %s is used as far as it is known', async (_, more, told) => {
  expect(await refusals([protocol(more), metaData()])).toEqual(told)
})

test('mapped columns, invariants, deletion vectors and files elsewhere are refused', async () => {
  const mapped = metaData({ configuration: { 'delta.columnMapping.mode': 'name' } })
  expect((await refusals([PROTOCOL, mapped])).read).toBe('it maps its columns by name, which is not known here')
  const ruled = metaData(
    {},
    changed('name', { metadata: { 'delta.invariants': '{"expression":{"expression":"name > 3"}}' } }),
  )
  expect(await refusals([PROTOCOL, ruled])).toEqual({
    append: `its column "name" has an invariant, which cannot be checked here${HINT}`,
  })
  const add = (more: object) => ({ add: { path: 'x.parquet', partitionValues: { date: null }, size: 1, ...more } })
  expect((await refusals([PROTOCOL, metaData(), add({ deletionVector: { storageType: 'u' } })])).read).toBe(
    'its file "x.parquet" has a deletion vector, which is not known here\nHint: rewrite the table',
  )
  for (const path of ['file:///etc/x.parquet', '/etc/x.parquet', '../x.parquet', 's3://b/x.parquet', 'a/../../x']) {
    expect((await refusals([PROTOCOL, metaData(), add({ path })])).append).toBe(
      `its file "${path}" is outside of its folder`,
    )
  }
})

test('a schema that is none is refused', async () => {
  expect((await refusals([PROTOCOL, metaData({ schemaString: '{' })])).read).toMatch(
    /^its schema cannot be understood: /,
  )
  expect((await refusals([PROTOCOL, metaData({ schemaString: '{}' })])).read).toBe(
    'its schema cannot be understood: it has no fields',
  )
})

test('columns of its own and another order do not keep a table from being used', async () => {
  const location = folder()
  const own = { name: 'region', type: 'string', nullable: true, metadata: {} }
  writeCommit(location, 0, [PROTOCOL, metaData({}, [own, ...COLUMNS.toReversed()])])
  const table = delta(location)
  await table.append([archived('a', 1)], { application: 'x', batch: 1 })
  expect(await versions(table)).toEqual(['a 1'])
})

test('what changes while an append is under way is checked again', async () => {
  const location = folder()
  const table = delta(location)
  await table.append([archived('a', 1)], { application: 'x', batch: 1 })
  const appending = table.append(
    Array.from({ length: 5_000 }, (_, i) => archived(`t${i}`, i)),
    { application: 'x', batch: 2 },
  )
  const files = (): string[] => globSync('date=*/*', { cwd: location })
  // It has looked at the table, and is writing its rows.
  await expect.poll(files, { interval: 1 }).toHaveLength(2)
  writeCommit(location, 1, [protocol({ minReaderVersion: 2, minWriterVersion: 5 })])
  expect((await thrownBy(appending)).message).toContain('to read it needs version 2 of the protocol')
  expect(files()).toHaveLength(1)
})

const leaf = fc.constantFrom('string', 'long', 'double', 'boolean', 'timestamp') as fc.Arbitrary<DeltaField['type']>
const fields = fc
  .uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 6 })
  .chain((names) =>
    fc.tuple(...names.map((name) => leaf.map((type) => ({ name, type, nullable: true, metadata: {} })))),
  )

test('misfit() finds nothing wrong with any order of the same fields, and something with any one less', () => {
  fc.assert(
    fc.property(fields, fc.nat(), (wanted, nth) => {
      expect(misfit(wanted.toReversed(), wanted)).toBeUndefined()
      const gone = wanted[nth % wanted.length] as DeltaField
      expect(
        misfit(
          wanted.filter((one) => one !== gone),
          wanted,
        ),
      ).toMatchObject({ column: gone.name })
    }),
  )
})
