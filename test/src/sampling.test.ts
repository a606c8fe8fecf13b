import fc from 'fast-check'
import { expect, test } from 'vitest'
import { samplePoint } from '../../src/sampling.ts'

/**
 * Made by Python, without this package:
 *
 *     import hashlib
 *     d = hashlib.sha256(b'vitest-evaluate.sampling\0' + seed.encode() + b'\0' + id.encode()).digest()
 *     print((int.from_bytes(d, 'big') >> (256 - 53)) / 2**53)
 */
const GOLDEN: [string, string, number][] = [
  ['', '', 0.4699650686227056],
  ['tr-1', '', 0.5219547343051053],
  ['tr-2', '', 0.34567681152927077],
  ['tr-00000000000000000000000000000001', '', 0.23331194683960266],
  ['session 7', '', 0.5777087617510659],
  ['Grüße 🙂', '', 0.6797519400667097],
  ['tr-1', 'other', 0.4282461127334648],
]

test.each(GOLDEN)('samplePoint() is the same on every machine: id %j, seed %j', (id, seed, point) => {
  expect(samplePoint(id, seed)).toBe(point)
})

test('samplePoint() gives a share of ids within 4 sigma of the rate that is asked for, and the samples of lower rates lie in those of higher ones', () => {
  const count = 1_000_000
  const rates = [0.001, 0.01, 0.1, 0.5, 0.9]
  const seen = rates.map(() => 0)
  for (let i = 0; i < count; i++) {
    const point = samplePoint(`tr-${i.toString(16).padStart(32, '0')}`)
    for (const [j, rate] of rates.entries()) if (point < rate) seen[j] = (seen[j] as number) + 1
  }
  for (const [j, rate] of rates.entries()) {
    const sigma = Math.sqrt((rate * (1 - rate)) / count)
    expect(Math.abs((seen[j] as number) / count - rate), `rate ${rate}`).toBeLessThan(4 * sigma)
  }
  expect(seen).toEqual(seen.toSorted((a, b) => a - b))
})

test('samplePoint() is never below 0 and always below 1: rate 0 takes nothing, rate 1 everything', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (id, seed) => {
      const point = samplePoint(id, seed)
      return point >= 0 && point < 1 && point === samplePoint(id, seed)
    }),
  )
})

test('samplePoint() draws an independent sample for another seed', () => {
  let both = 0
  for (let i = 0; i < 100_000; i++) if (samplePoint(`tr-${i}`) < 0.5 && samplePoint(`tr-${i}`, 'other') < 0.5) both++
  expect(Math.abs(both / 100_000 - 0.25)).toBeLessThan(4 * Math.sqrt((0.25 * 0.75) / 100_000))
})

test('samplePoint() decides at least 200,000 times a second', () => {
  const times = Array.from({ length: 10 }, () => {
    const started = performance.now()
    let taken = 0
    for (let i = 0; i < 10_000; i++) if (samplePoint(`tr-${i}`) < 0.5) taken++
    expect(taken).toBeGreaterThan(0)
    return performance.now() - started
  })
  // The best of several: others work on this machine, too.
  expect(10_000 / (Math.min(...times) / 1e3)).toBeGreaterThan(200_000)
})
