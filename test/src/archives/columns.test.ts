import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ArchivedTrace } from '../../../src/archival.ts'
import { COLUMNS, dayOf, requireMeant } from '../../../src/archives/columns.ts'
import { delta } from '../../../src/archives/delta.ts'
import type { Assessment } from '../../../src/feedback.ts'
import { decode, encode } from '../../../src/std/json.ts'
import type { TraceWrite } from '../../../src/store.ts'
import { folder, thrownBy } from '../../data/evaluation.ts'
import { archived, assessment, NOON } from './rows.ts'

/** Whatever the store keeps: it makes U+FFFD of half a surrogate pair as well. */
const text = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', '', '\ufeffmark', 'a\0b', 'line\nend\r\u2028', '\u{1f340}', "'; --"),
  fc.string({ unit: 'binary' }).map((one) => one.toWellFormed()),
)
const time = fc.oneof(fc.integer({ min: 0, max: 2 ** 42 }), fc.integer({ min: -8.64e15, max: 8.64e15 }))
const dictionary = fc.array(fc.tuple(text, text), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs))
const data = fc.oneof(fc.anything({ withBigInt: true, withDate: true, withMap: true }), fc.string({ unit: 'binary' }))

/** As `encode` keeps it, which is what a store gives. */
const kept = (value: unknown): unknown => decode(encode(value))
const encoded = data.map((value) => encode(value))

function without<T extends object>(record: T): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T
}
const maybe = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(one, { nil: undefined })

const trace = fc
  .record({
    id: text,
    experiment: text,
    name: maybe(text),
    status: fc.constantFrom('OK', 'ERROR', 'IN_PROGRESS'),
    requestTimeMs: time,
    requestTimeSubNs: fc.integer({ min: 0, max: 999_999 }),
    durationNs: maybe(fc.integer({ min: 0, max: 2 ** 50 })),
    sessionId: maybe(text),
    tags: dictionary,
    metadata: dictionary,
    inputs: maybe(encoded),
    outputs: maybe(encoded),
    spans: fc.oneof(fc.constant(''), encoded),
  })
  .map((one) => without(one) as TraceWrite)

const judged = fc
  .record({
    id: text,
    kind: fc.constantFrom('feedback', 'expectation'),
    name: text,
    value: maybe(data.map(kept)),
    rationale: maybe(text),
    source: fc.record({ type: fc.constantFrom('CODE', 'LLM_JUDGE', 'HUMAN'), id: text }),
    error: maybe(fc.record({ code: text, message: text, stack: maybe(text) }).map(without)),
    metadata: maybe(
      fc
        .dictionary(text, fc.oneof(text, fc.boolean(), fc.double({ noNaN: true })))
        .map((one) => kept(one) as Assessment['metadata']),
    ),
    spanId: maybe(text),
    runId: maybe(text),
    scorer: maybe(text),
    scorerVersion: maybe(text),
    durationMs: maybe(fc.double({ min: 0, max: 1e9, noNaN: true })),
    createdAt: time,
    updatedAt: time,
    overrides: maybe(text),
    valid: fc.boolean(),
  })
  .map((one) => without(one) as unknown as Assessment)

const row: fc.Arbitrary<ArchivedTrace> = fc
  .record({
    trace,
    assessments: fc.array(judged, { maxLength: 3 }),
    version: fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }),
    archivedAt: time,
  })
  .map(({ trace, assessments, ...rest }) => ({
    ...rest,
    stored: { trace, assessments: assessments.map((one) => ({ ...one, traceId: trace.id })) },
  }))

test('a table gives back every trace as it was, whatever it is made of', { timeout: 120_000 }, async () => {
  const rows = fc.uniqueArray(row, { selector: ({ stored }) => stored.trace.id, minLength: 1, maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(rows, async (written) => {
      const table = delta(folder())
      await table.append(written, { application: 'test', batch: 1 })
      const found = new Map<string, ArchivedTrace>()
      for await (const one of table.read()) found.set(one.stored.trace.id, one)
      expect(found.size).toBe(written.length)
      for (const one of written) expect(found.get(one.stored.trace.id)).toEqual(one)
    }),
    { numRuns: 60 },
  )
})

test('fractions of a millisecond are kept as microseconds', async () => {
  const table = delta(folder())
  const given = { ...archived('a', 1, {}, [assessment('a', { createdAt: NOON + 0.25, updatedAt: -0.001 })]) }
  await table.append([{ ...given, archivedAt: NOON + 0.125 }], { application: 'test', batch: 1 })
  const [found] = await Array.fromAsync(table.read())
  expect(found).toEqual({ ...given, archivedAt: NOON + 0.125 })
})

test.each([
  ['version', archived('a', 1.5), 'Cannot archive trace "a": its version is 1.5'],
  [
    'request time',
    archived('a', 1, { requestTimeMs: Number.NaN }),
    'Cannot archive trace "a": its request time is NaN',
  ],
  [
    'time of archiving',
    { ...archived('a', 1), archivedAt: 1e17 },
    'Cannot archive trace "a": its time of archiving is 100000000000000000',
  ],
])('requireMeant() refuses a %s that is none', (_, given, message) => {
  expect(() => requireMeant(given)).toThrow(new RangeError(message))
})

test('append() of a row that cannot be meant makes no table', async () => {
  const table = delta(folder())
  const thrown = await thrownBy(table.append([archived('a', Number.NaN)], { application: 'test', batch: 1 }))
  expect(thrown).toBeInstanceOf(RangeError)
  expect((await thrownBy(Array.fromAsync(table.read()))).message).toContain('there is none')
})

test('dayOf() gives the day in UTC, and none for years that other calendars lack', () => {
  expect(dayOf(Date.UTC(2026, 10, 21, 23, 59, 59, 999))).toBe('2026-11-21')
  expect(dayOf(-1)).toBe('1969-12-31')
  expect(dayOf(Date.UTC(9999, 11, 31))).toBe('9999-12-31')
  expect(dayOf(Date.UTC(10_000, 0, 1))).toBeNull()
  expect(dayOf(-8.64e15)).toBeNull()
})

test('the columns have the order that is documented', () => {
  expect(COLUMNS.map(({ name }) => name).join(' ')).toBe(
    'trace_id version archived_at experiment name status request_time request_time_ns duration_ms session_id inputs outputs spans tags metadata assessments date',
  )
})
