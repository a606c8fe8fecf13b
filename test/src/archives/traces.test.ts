import { join } from 'node:path'
import { expect, test } from 'vitest'
import { delta } from '../../../src/archives/delta.ts'
import { deltaTraces } from '../../../src/archives/traces.ts'
import { toTrace } from '../../../src/store.ts'
import { folder, thrownBy } from '../../data/evaluation.ts'
import { archived, assessment, DAY, NOON } from './rows.ts'

async function filled(): Promise<string> {
  const location = folder()
  const table = delta(location)
  const poor = [assessment('b', { value: 2 })]
  const rows = [
    archived('a', 1, { inputs: '{"q":1}', tags: { lang: 'en' } }, [assessment('a', { value: 5 })]),
    archived('b', 2, { requestTimeMs: NOON + DAY, experiment: 'help' }, poor),
    archived('c', 3, { requestTimeMs: NOON + 2 * DAY, status: 'ERROR' }),
  ]
  await table.append(rows, { application: 'x', batch: 1 })
  return location
}
const ids = async (...args: Parameters<typeof deltaTraces>): Promise<string[]> =>
  (await Array.fromAsync(deltaTraces(...args))).map(({ trace }) => trace.id)

test('deltaTraces() gives archived traces as a store gives them, as often as asked', async () => {
  const traces = deltaTraces(await filled())
  for (let times = 0; times < 2; times++) {
    const [first, ...others] = (await Array.fromAsync(traces)).map(toTrace)
    expect(first).toMatchObject({ id: 'a', inputs: { q: 1 }, tags: { lang: 'en' }, assessments: [{ value: 5 }] })
    expect(first?.spans).toHaveLength(1)
    expect(others.map(({ id }) => id)).toEqual(['b', 'c'])
  }
})

test('deltaTraces() gives those of an experiment, of some days, or that a filter fits', async () => {
  const location = await filled()
  expect(await ids(location, { experiment: 'help' })).toEqual(['b'])
  expect(await ids(location, { from: new Date(NOON + DAY) })).toEqual(['b', 'c'])
  expect(await ids(location, { from: NOON, to: NOON + DAY })).toEqual(['a'])
  expect(await ids(location, { filter: "feedback.polite > 3 OR status = 'ERROR'" })).toEqual(['a', 'c'])
  expect(await ids(location, { filter: "tag.lang = 'en'", experiment: 'help' })).toEqual([])
})

test.each<[string, any, RegExp]>([
  [
    'an unknown option',
    { form: NOON },
    /^Cannot read archived traces: unknown option "form" \(did you mean "from"\?\)$/,
  ],
  [
    'a time that is none',
    { from: '2026' },
    /^Cannot read archived traces: "from" must be a Date or milliseconds, found "2026"$/,
  ],
  [
    'a date that is none',
    { to: new Date(Number.NaN) },
    /^Cannot read archived traces: "to" must be a Date or milliseconds, found a Date$/,
  ],
  ['a filter that does not parse', { filter: 'status ~ 3' }, /position|status/],
])('deltaTraces() refuses %s at once', (_, options, message) => {
  expect(() => deltaTraces('x', options)).toThrow(message)
})

test('deltaTraces() of a table that is not there says so when it is read', async () => {
  const traces = deltaTraces(join(folder(), 'none'))
  expect(await thrownBy(Array.fromAsync(traces))).toMatchObject({ code: 'ARCHIVE_NOT_READABLE' })
})
