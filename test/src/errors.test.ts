import fc from 'fast-check'
import { expect, test } from 'vitest'
import { didYouMean, EvaluationError, messageOf, nearest, quote } from '../../src/errors.ts'

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

test('EvaluationError carries code, hint, cause and run, and shows the hint', () => {
  const cause = new Error('ENOENT')
  const error = new EvaluationError('SOURCE_NOT_FOUND', 'Cannot read "qa.csv"', {
    hint: 'check the path',
    cause,
    runId: 'run_1',
  })
  expect(error).toMatchObject({
    name: 'EvaluationError',
    code: 'SOURCE_NOT_FOUND',
    hint: 'check the path',
    runId: 'run_1',
  })
  expect(error.message).toBe('Cannot read "qa.csv"\nHint: check the path')
  expect(error.cause).toBe(cause)
  expect(error).toBeInstanceOf(Error)
  expect(new EvaluationError('DATA_EMPTY', 'Nothing').message).toBe('Nothing')
})

test.each<[string, string[], string | undefined]>([
  ['corectness', ['latency', 'correctness'], 'correctness'],
  ['Staus', ['status', 'name'], 'status'],
  ['xyz', ['status', 'name'], undefined],
  ['or', ['in', 'is'], undefined],
  ['a', ['b', 'c'], undefined],
  ['ab', ['xy'], undefined],
  ['', ['a'], undefined],
  ['input', ['inputs', 'outputs'], 'inputs'],
  ['x', [], undefined],
])('nearest(%j) of %j is %s', (word, candidates, wanted) => {
  expect(nearest(word, candidates)).toBe(wanted)
})

test('didYouMean() asks only when a candidate is near', () => {
  expect(didYouMean('pasword', ['password'])).toBe(' (did you mean "password"?)')
  expect(didYouMean('foo', ['quux'])).toBe('')
})

class Widget {}
class Ärger {}
class Only {}

test.each<[unknown, string]>([
  ['text', '"text"'],
  ['a "b"\n', '"a \\"b\\"\\n"'],
  ['x'.repeat(100), `"${'x'.repeat(79)}…"`],
  [`${'x'.repeat(78)}👍👍`, `"${'x'.repeat(78)}…"`],
  ['\u001b[31m\u202e', '"\\u001b[31m\\u202e"'],
  [5, '5'],
  [Number.NaN, 'NaN'],
  [10n, '10n'],
  [true, 'true'],
  [null, 'null'],
  [undefined, 'undefined'],
  [Symbol('s'), 'Symbol(s)'],
  [[1, 2], 'an array of 2'],
  [{}, 'an empty object'],
  [{ a: 1, b: 2 }, 'an object with a, b'],
  [{ a: 1, b: 2, c: 3, d: 4, e: 5, f: 6 }, 'an object with a, b, c, d, e, …'],
  [{ ['k'.repeat(100)]: 1 }, `an object with ${'k'.repeat(39)}…`],
  [{ 'a\u001b[2J\n': 1 }, 'an object with a\\u001b[2J⏎'],
  [Object.create(null), 'an empty object'],
  [new Widget(), 'a Widget'],
  [new Only(), 'an Only'],
  [new Ärger(), 'a Ärger'],
  [new Map(), 'a Map'],
  [new Error('x'), 'an Error'],
  [new Uint8Array(1), 'a Uint8Array'],
  [function named() {}, 'function named'],
  [() => {}, 'a function'],
  [{ constructor: 5 }, 'an object with constructor'],
])('quote(%#) is %s', (value, text) => {
  expect(quote(value)).toBe(text)
})

test.each<[unknown, string]>([
  [new Error('boom'), 'boom'],
  [new TypeError(), 'TypeError'],
  [Object.assign(new Error('x'), { message: { code: 5 } }), '[object Object]'],
  ['text', 'text'],
  ['', '""'],
  [{ message: 'like an error' }, 'like an error'],
  [{ code: 5 }, 'an object with code'],
  [null, 'null'],
  [undefined, 'undefined'],
  [404, '404'],
])('messageOf(%#) is %s', (thrown, text) => {
  expect(messageOf(thrown)).toBe(text)
})

test('quote() and messageOf() survive proxies and getters', () => {
  const hostile = Object.defineProperty({}, 'message', { get: () => expect.fail('read') })
  expect(messageOf(hostile)).toBe('a value that cannot be described')
  expect(messageOf(Object.assign(new Error('x'), { message: Object.create(null) }))).toBe(
    'a value that cannot be described',
  )
  expect(quote(revoked())).toBe('a value that cannot be described')
  expect(messageOf(revoked())).toBe('a value that cannot be described')
})

test('quote() and messageOf() give one short line and some text for anything', () => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }), (value) => {
      expect(quote(value)).toMatch(/^[^\p{Cc}\p{Cs}\u2028\u2029]+$/u)
      expect(quote(value).length).toBeLessThan(1_500)
      expect(typeof messageOf(value)).toBe('string')
    }),
  )
})
