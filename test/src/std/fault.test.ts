import { expect, test } from 'vitest'
import { isInfrastructureFault, retryAfterMs } from '../../../src/std/fault.ts'

test.each<[unknown, boolean]>([
  [{ status: 408 }, true],
  [{ statusCode: '429' }, true],
  [{ response: { status: 503 } }, true],
  [{ status: 600 }, false],
  [{ status: 400 }, false],
  [{ code: 'ECONNRESET' }, true],
  [{ code: 'UND_ERR_SOCKET' }, true],
  [{ code: 'ENOENT' }, false],
  [new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } }), true],
  [{ name: 'APIConnectionTimeoutError' }, true],
  [new Error('wrong'), false],
  ['429', false],
  [null, false],
])('isInfrastructureFault() of %o is %s', (thrown, wanted) => {
  expect(isInfrastructureFault(thrown)).toBe(wanted)
})

test('isInfrastructureFault() does not follow causes for ever', () => {
  const thrown: { cause?: unknown } = {}
  thrown.cause = thrown
  expect(isInfrastructureFault(thrown)).toBe(false)
})

test.each<[object, number | undefined]>([
  [{ headers: new Headers({ 'retry-after-ms': '120', 'retry-after': '9' }) }, 120],
  [{ headers: { 'retry-after': '2' } }, 2_000],
  [{ response: { headers: new Headers({ 'Retry-After': '1.5' }) } }, 1_500],
  [{ retryAfter: 3 }, 3_000],
  [{ headers: new Headers({ 'retry-after': 'soon' }) }, undefined],
  [{ headers: {} }, undefined],
  [{}, undefined],
])('retryAfterMs() of %o is %s', (thrown, wanted) => {
  expect(retryAfterMs(thrown)).toBe(wanted)
})

test('retryAfterMs() reads a date, and takes one that is over for now', () => {
  const ms = retryAfterMs({ headers: { 'retry-after': new Date(Date.now() + 5_000).toUTCString() } })
  expect(ms).toBeGreaterThan(3_000)
  expect(ms).toBeLessThanOrEqual(5_000)
  expect(retryAfterMs({ headers: { 'retry-after': 'Tue, 01 Jan 2019 00:00:00 GMT' } })).toBe(0)
})
