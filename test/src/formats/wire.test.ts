import { expect, test } from 'vitest'
import {
  idOf,
  kindOf,
  moment,
  nanoseconds,
  requiredId,
  spanHex,
  statusOf,
  traceHex,
} from '../../../src/formats/wire.ts'

test.each<[string, unknown, string | undefined]>([
  ['hex', '89CCBA0b1e70a2ff', '89ccba0b1e70a2ff'],
  ['base64', 'icy6Cx5wov8=', '89ccba0b1e70a2ff'],
  ['base64 without its end', 'icy6Cx5wov8', '89ccba0b1e70a2ff'],
  ['a number of Python', '0xcba0b1e70a2ff', '000cba0b1e70a2ff'],
  ['bytes', Buffer.from('89ccba0b1e70a2ff', 'hex'), '89ccba0b1e70a2ff'],
  ['nothing', '', undefined],
  ['null', null, undefined],
  ['zeros', '0000000000000000', undefined],
])('idOf() reads %s', (_, value, id) => {
  expect(idOf(value, 8, 'it')).toBe(id)
})

test.each<[unknown, string]>([
  ['89ccba0b1e70a2', 'found "89ccba0b1e70a2"'],
  ['not base 64!', 'found "not base 64!"'],
  [12, 'found 12'],
  ['0x89ccba0b1e70a2ff00', 'found "0x89ccba0b1e70a2ff00"'],
  ['cySZKB4IaaALWswL1mW7cQ==', 'found "cySZKB4IaaALWswL1mW7cQ=="'],
])('idOf() refuses %s', (value, found) => {
  expect(() => idOf(value, 8, 'span 1: id')).toThrow(`span 1: id must be 16 hex digits or 8 bytes in base64, ${found}`)
})

test('requiredId() says what is the matter', () => {
  expect(() => requiredId(undefined, 16, 'span 1: trace id')).toThrow('span 1: trace id is missing')
  expect(() => requiredId('0'.repeat(32), 16, 'span 1: trace id')).toThrow('span 1: trace id is all zeros')
  expect(requiredId('tr-732499281e0869a00b5acc0bd665bb71', 16, 'x')).toBe('732499281e0869a00b5acc0bd665bb71')
})

test('traceHex() and spanHex() give every id a form that fits', () => {
  expect(traceHex('tr-732499281e0869a00b5acc0bd665bb71')).toBe('732499281e0869a00b5acc0bd665bb71')
  expect(traceHex('my-own-id')).toMatch(/^[\da-f]{32}$/)
  expect(spanHex('Any')).toBe(spanHex('Any'))
  expect(spanHex('Any')).not.toBe(spanHex('any'))
})

test.each<[string, unknown, bigint | undefined]>([
  ['seconds and nanoseconds', [1770131997, 66000001], 1770131997066000001n],
  ['ISO with nanoseconds', '2026-11-21T02:04:10.844883331Z', 1795226650844883331n],
  ['ISO with an offset', '2026-11-21T03:04:10.5+01:00', 1795226650500000000n],
  ['ISO of Python, without a zone', '2026-11-21 02:04:10.844883', 1795226650844883000n],
  ['nanoseconds as text', '1795226650844883331', 1795226650844883331n],
  ['a BigInt', 1795226650844883331n, 1795226650844883331n],
  ['seconds', 1795226650.5, 1795226650500000000n],
  ['milliseconds', 1795226650844, 1795226650844000000n],
  ['microseconds', 1795226650844883, 1795226650844883000n],
  ['nothing', undefined, undefined],
  ['zero', [0, 0], undefined],
])('moment() reads %s', (_, value, ns) => {
  expect(moment(value, 'it')).toBe(ns)
})

test.each([['soon'], ['2026-13-41T00:00:00Z'], [{}], [Number.NaN], [true]])('moment() refuses %j', (value) => {
  expect(() => moment(value, 'span 1: start time')).toThrow(/^span 1: start time /)
})

test('nanoseconds() takes zero for none, and refuses what is no integer', () => {
  expect([nanoseconds('0', 'x'), nanoseconds(0, 'x'), nanoseconds('', 'x')]).toEqual([undefined, undefined, undefined])
  expect(() => nanoseconds('12.5', 'span 2: end time')).toThrow(
    'span 2: end time must be nanoseconds since 1970, found "12.5"',
  )
  for (const far of [-5n, 2n ** 62n, 1e300, '9'.repeat(25)]) expect(() => nanoseconds(far, 'it')).toThrow('it must be')
})

test('statusOf() and kindOf() know numbers and names', () => {
  expect([1, 'STATUS_CODE_OK', 'OK', 'ok'].map(statusOf)).toEqual(['OK', 'OK', 'OK', 'OK'])
  expect([2, 'STATUS_CODE_ERROR', 'ERROR'].map(statusOf)).toEqual(['ERROR', 'ERROR', 'ERROR'])
  expect([0, undefined, 'STATUS_CODE_UNSET', 'odd'].map(statusOf)).toEqual(['UNSET', 'UNSET', 'UNSET', 'UNSET'])
  expect([kindOf(2), kindOf('SPAN_KIND_SERVER'), kindOf('SpanKind.SERVER'), kindOf(1, 1)]).toEqual(
    Array.from({ length: 4 }, () => 'SERVER'),
  )
})
