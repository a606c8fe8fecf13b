import { expect, test } from 'vitest'
import { dutyOf } from '../../src/duty.ts'
import { scorer } from '../../src/scorer.ts'
import type { Store, StoredTrace } from '../../src/store.ts'
import { Subjects, TooLong } from '../../src/subjects.ts'
import { production, productionStore, traceId, watch } from '../data/watched.ts'

const LONG = 'x'.repeat(2_000_000)
const any = scorer('any', () => 1)

/** A store of traces of one length, and how many were read at a time. */
async function long(text: string) {
  const real = productionStore()
  const [registration] = await watch(real, [any])
  const reads: number[] = []
  const store = {
    search: async function* ({ traceIds = [] }: { traceIds?: readonly string[] }) {
      reads.push(traceIds.length)
      for (const [i] of traceIds.entries())
        yield { trace: production(i, { id: traceIds[i] as string, outputs: text }), assessments: [] } as StoredTrace
    },
  } as unknown as Store
  return { duty: dutyOf(registration as never, any), subjects: new Subjects(store), reads }
}

const ids = Array.from({ length: 500 }, (_, i) => traceId(i))

test('Subjects reads no more long traces than can be held, and knows then how many those are', async () => {
  const { duty, subjects, reads } = await long(LONG)
  expect(subjects.atOnce(500)).toBe(500)
  await expect(subjects.traces(ids, duty)).rejects.toThrow(TooLong)
  expect(reads.reduce((sum, n) => sum + n)).toBeLessThanOrEqual(60)
  const next = subjects.atOnce(500)
  expect(next).toBeLessThanOrEqual(16)
  expect((await subjects.traces(ids.slice(0, next), duty)).size).toBe(next)
})

test('Subjects reads short traces all at once', async () => {
  const { duty, subjects } = await long('short')
  expect((await subjects.traces(ids, duty)).size).toBe(500)
  expect(subjects.atOnce(500)).toBe(500)
})

test('Subjects.atOnce takes few sessions as long as nothing is known of their length', () => {
  const subjects = new Subjects({} as Store)
  expect([subjects.atOnce(500), subjects.atOnce(500, 'session')]).toEqual([500, 10])
})
