import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { newRunId, newSpanId, newTraceId, seeded, unitHash } from '../../../src/std/random.ts'

test('unitHash() is the top 53 bits of the digest over 2^53', () => {
  const digest = createHash('sha256').update('sample 0\0obs-123').digest('hex')
  expect(unitHash('sample 0', 'obs-123')).toBe(Number(BigInt(`0x${digest}`) >> 203n) / 2 ** 53)
  // The published vector of another tool that hashes the same way.
  expect(unitHash('langfuse:evaluation-sampling:v1', 'obs-123')).toBe(0.6881281372814657)
})

test('unitHash() depends on domain and id, and stays in [0, 1)', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (domain, id) => {
      const u = unitHash(domain, id)
      expect(u).toBeGreaterThanOrEqual(0)
      expect(u).toBeLessThan(1)
      expect(unitHash(domain, id)).toBe(u)
      expect(unitHash(`${domain}!`, id)).not.toBe(u)
    }),
  )
})

test('unitHash() is uniform', () => {
  const n = 100_000
  const bins = new Array<number>(20).fill(0)
  for (let i = 0; i < n; i++) bins[Math.floor(unitHash('uniform', String(i)) * 20)]!++
  const chi = bins.reduce((total, count) => total + (count - n / 20) ** 2 / (n / 20), 0)
  // The 99.9 % quantile at 19 degrees of freedom; the input is fixed, so this does not flicker.
  expect(chi).toBeLessThan(43.82)
})

test('newTraceId(), newSpanId(), newRunId() have their form and never repeat', () => {
  const makers: [() => string, RegExp][] = [
    [newTraceId, /^tr-[0-9a-f]{32}$/],
    [newSpanId, /^[0-9a-f]{16}$/],
    [newRunId, /^run_[0-9a-f]{18}$/],
  ]
  for (const [make, form] of makers) {
    const ids = Array.from({ length: 2_000 }, make)
    for (const id of ids) expect(id).toMatch(form)
    if (make !== newRunId) expect(new Set(ids).size).toBe(ids.length)
  }
})

test('newTraceId() and newRunId() sort by time', () => {
  const time = (id: string): number => Number.parseInt(id.replace(/^\w+?[-_]/, '').slice(0, 12), 16)
  for (const make of [newTraceId, newRunId]) expect(Math.abs(time(make()) - Date.now())).toBeLessThan(1_000)
})

test('seeded() repeats itself by its seed, spreads evenly, and differs between neighbours', () => {
  const take = (seed: number, count: number): number[] => Array.from({ length: count }, seeded(seed))
  expect(take(5, 4)).toEqual(take(5, 4))
  expect(take(5, 4)).not.toEqual(take(6, 4))
  const many = take(0, 100_000)
  expect(Math.min(...many.slice(0, 1_000))).toBeGreaterThanOrEqual(0)
  expect(many.every((value) => value < 1)).toBe(true)
  expect(many.reduce((a, b) => a + b, 0) / many.length).toBeCloseTo(0.5, 2)
  const counts = new Array<number>(10).fill(0)
  for (const value of many) counts[Math.floor(value * 10)] = (counts[Math.floor(value * 10)] as number) + 1
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400)
})
