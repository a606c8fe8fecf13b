import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assessmentId, overriddenFirst, parseAssessmentId, standingFor } from '../../src/assessment.ts'
import type { Assessment } from '../../src/feedback.ts'

test('parseAssessmentId() reads what assessmentId() writes, whatever the trace is called, and nothing else', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'binary' }), fc.nat(), (traceId, ordinal) => {
      expect(parseAssessmentId(assessmentId(traceId, ordinal))).toEqual({ traceId, ordinal })
    }),
  )
  for (const id of ['', '.', '.1', 'x', 'x.', 'x.1.', 'x.-1', 'x.01', 'x. 1', 'x.1e3', 'x.0x1', `x.${'9'.repeat(16)}`])
    expect(parseAssessmentId(id), id).toBeUndefined()
})

test('overriddenFirst() keeps all, and lets each come after what it overrides unless they go round in a circle', () => {
  const link = fc.record({
    id: fc.constantFrom('a', 'b', 'c', 'd'),
    overrides: fc.constantFrom('a', 'b', 'c', 'd', 'z', undefined),
  })
  fc.assert(
    fc.property(fc.uniqueArray(link, { selector: ({ id }) => id }), (drafts) => {
      const list = drafts.map(({ id, overrides }) => ({ id, ...(overrides !== undefined && { overrides }) }))
      const ordered = overriddenFirst(list)
      expect(new Set(ordered)).toEqual(new Set(list))
      const late = ordered.filter(
        ({ overrides }, i) => overrides !== undefined && ordered.findIndex(({ id }) => id === overrides) >= i,
      )
      for (const { id } of late) expect(isInCircle(id, list), id).toBe(true)
    }),
  )
  const plain = [{ id: 'b' }, { id: 'a' }]
  expect(overriddenFirst(plain)).toBe(plain)
})

function isInCircle(start: string, list: readonly { id: string; overrides?: string }[]): boolean {
  const seen = new Set<string>()
  let at: string | undefined = start
  while (at !== undefined && !seen.has(at)) {
    seen.add(at)
    at = list.find(({ id }) => id === at)?.overrides
  }
  return at === start
}

test('standingFor() follows a chain to its end, and comes back from a circle', () => {
  const links = (...pairs: [string, string?][]) =>
    pairs.map(([id, overrides]) => ({ id, overrides, valid: true }) as Assessment)
  const chain = links(['a'], ['b', 'a'], ['c', 'b'], ['x'])
  for (const id of ['a', 'b', 'c']) expect(standingFor(id, chain)?.id).toBe('c')
  expect(standingFor('x', chain)?.id).toBe('x')
  expect(standingFor('none', chain)).toBeUndefined()
  expect(['a', 'b']).toContain(standingFor('a', links(['a', 'b'], ['b', 'a']))?.id)
})
