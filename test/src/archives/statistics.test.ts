import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toCells } from '../../../src/archives/columns.ts'
import { Statistics } from '../../../src/archives/statistics.ts'
import { archived, NOON } from './rows.ts'

function statistics(rows: readonly ReturnType<typeof archived>[]) {
  const gathered = new Statistics()
  for (const row of rows) gathered.add(toCells(row))
  return JSON.parse(gathered.text())
}

test('statistics bound what a file holds, and count what is null', () => {
  const rows = [
    archived('b', 5, { durationNs: 2_000_000, requestTimeSubNs: 1_000 }),
    archived('a', -3, { status: 'ERROR', requestTimeMs: NOON + 10 }),
  ]
  expect(statistics(rows)).toEqual({
    numRecords: 2,
    minValues: {
      trace_id: 'a',
      version: -3,
      archived_at: '2026-11-21T12:00:00.000Z',
      experiment: 'shop',
      status: 'ERROR',
      request_time: '2026-11-21T12:00:00.000Z',
      duration_ms: 2,
    },
    maxValues: {
      trace_id: 'b',
      version: 5,
      archived_at: '2026-11-21T12:00:00.000Z',
      experiment: 'shop',
      status: 'OK',
      request_time: '2026-11-21T12:00:00.010Z',
      duration_ms: 2,
    },
    nullCount: { trace_id: 0, version: 0, archived_at: 0, experiment: 0, status: 0, request_time: 0, duration_ms: 1 },
  })
})

test('statistics say nothing of texts that are long, or that readers may order differently', () => {
  const found = statistics([
    archived('a', 1),
    archived('x'.repeat(65), 1, { experiment: '\u{1f340}' }),
    archived('b', 1),
  ])
  expect(Object.keys(found.minValues)).toEqual(['version', 'archived_at', 'status', 'request_time'])
  expect(Object.keys(found.maxValues)).toEqual(Object.keys(found.minValues))
})

test('statistics of times are whole milliseconds on the outside', () => {
  const ms = fc.integer({ min: 0, max: 4e12 })
  fc.assert(
    fc.property(fc.array(fc.tuple(ms, fc.integer({ min: 0, max: 999_999 })), { minLength: 1 }), (times) => {
      const rows = times.map(([requestTimeMs, requestTimeSubNs]) =>
        archived('a', 1, { requestTimeMs, requestTimeSubNs }),
      )
      const { minValues, maxValues } = statistics(rows)
      for (const [ms, ns] of times) {
        expect(Date.parse(minValues.request_time)).toBeLessThanOrEqual(ms)
        expect(Date.parse(maxValues.request_time)).toBeGreaterThanOrEqual(ms + Math.floor(ns / 1_000) / 1_000)
      }
    }),
  )
})

test('statistics leave out times that are no dates of four digits', () => {
  expect(Object.keys(statistics([archived('a', 1, { requestTimeMs: 8.64e15 })]).maxValues)).not.toContain(
    'request_time',
  )
})
