import { expect, test } from 'vitest'
import { errorFeedback, feedback, isGivenFeedback, toAssessmentError, toFeedback } from '../../src/feedback.ts'

const origin = { scorer: 'polite' }
const source = { type: 'CODE', id: 'polite' }

test.each<[string, unknown]>([
  ['true', true],
  ['false', false],
  ['a whole number', 3],
  ['a fraction', 0.25],
  ['zero', 0],
  ['text', 'yes'],
  ['empty text', ''],
])('toFeedback() of %s is one Feedback of the scorer', (_, value) => {
  expect(toFeedback(value, origin)).toStrictEqual([{ name: 'polite', source, value }])
})

test.each([[null], [undefined], [[]]])('toFeedback() of %s is none', (returned) => {
  expect(toFeedback(returned, origin)).toEqual([])
})

test('toFeedback() keeps what a Feedback says of itself', () => {
  const given = feedback({
    name: 'tone',
    value: 'warm',
    rationale: 'says please',
    source: { type: 'HUMAN', id: 'ann' },
    metadata: { model: 'm', n: 2, ok: true },
    spanId: 'abc',
  })
  expect(toFeedback(given, origin)).toStrictEqual([
    {
      name: 'tone',
      source: { type: 'HUMAN', id: 'ann' },
      rationale: 'says please',
      metadata: { model: 'm', n: 2, ok: true },
      spanId: 'abc',
      value: 'warm',
    },
  ])
})

test.each<[string, object]>([
  ['no name', { value: 1 }],
  ['the default name', { name: 'feedback', value: 1 }],
  ['an empty name', { name: '', value: 1 }],
  ['an undefined name', { name: undefined, value: 1 }],
])('toFeedback() names a Feedback with %s after the scorer', (_, init) => {
  expect(toFeedback(feedback(init), origin)).toStrictEqual([{ name: 'polite', source, value: 1 }])
})

test('toFeedback() takes a plain object of the same shape for a Feedback', () => {
  expect(toFeedback({ value: true, rationale: 'short' }, origin)).toStrictEqual([
    { name: 'polite', source, rationale: 'short', value: true },
  ])
})

test('toFeedback() of a list gives each its own name, an unnamed one the scorer’s', () => {
  const returned = [
    feedback({ name: 'a', value: 1 }),
    { name: 'feedback', value: 2 },
    feedback({ name: 'b', value: null }),
  ]
  expect(toFeedback(returned, origin)).toStrictEqual([
    { name: 'a', source, value: 1 },
    { name: 'polite', source, value: 2 },
    { name: 'b', source },
  ])
})

test.each<[string, object]>([
  ['null', { value: null, rationale: 'no answer to judge' }],
  ['undefined', { value: undefined, rationale: 'no answer to judge' }],
  ['no value at all', { rationale: 'no answer to judge' }],
])('toFeedback() of a Feedback with %s has neither value nor error', (_, init) => {
  expect(toFeedback(feedback(init), origin)).toStrictEqual([
    { name: 'polite', source, rationale: 'no answer to judge' },
  ])
})

test.each<[string, unknown]>([
  ['a list', ['a', 1, true]],
  ['a record', { precision: 0.5, label: 'ok' }],
  ['an empty list', []],
])('toFeedback() keeps %s inside a Feedback', (_, value) => {
  expect(toFeedback(feedback({ value: value as never }), origin)).toStrictEqual([{ name: 'polite', source, value }])
})

const wanted = 'expected a boolean, number, string, Feedback, a list of Feedback, null or undefined, found '

test.each<[string, unknown, string]>([
  ['an object', { score: 1 }, `${wanted}an object with score (a structured value goes into feedback({ value: … }))`],
  ['a Map', new Map(), `${wanted}a Map (a structured value goes into feedback({ value: … }))`],
  ['a function', function named() {}, `${wanted}function named`],
  ['a symbol', Symbol('x'), `${wanted}Symbol(x)`],
  ['a BigInt', 3n, `${wanted}3n`],
  [
    'a nested list',
    [[feedback({ value: 1 })]],
    'a list may hold Feedback only, found an array of 1 as item 1 (a list of values goes into feedback({ value: […] }))',
  ],
  [
    'a list of numbers',
    [1, 2, 3],
    'a list may hold Feedback only, found 1 as item 1 (a list of values goes into feedback({ value: […] }))',
  ],
  ['a nested value', feedback({ value: { a: { b: 1 } } as never }), `${wanted}an object with a`],
  ['a value with NaN inside', feedback({ value: [1, Number.NaN] }), `${wanted}an array of 2`],
  ['a promise as value', feedback({ value: Promise.resolve(1) as never }), `${wanted}a Promise`],
  ['a date as value', feedback({ value: new Date() as never }), `${wanted}a Date`],
  ['a function as value', { value: () => 1 }, `${wanted}function value`],
  ['a rationale that is no text', { value: 1, rationale: 5 }, 'the Feedback\'s "rationale" must be a string, found 5'],
  ['a name that is no text', { value: 1, name: 5 }, 'the Feedback\'s "name" must be a string, found 5'],
  [
    'a span that is no text',
    { value: 1, spanId: {} },
    'the Feedback\'s "spanId" must be a string, found an empty object',
  ],
  [
    'a source of no known type',
    { value: 1, source: 'me' },
    "the Feedback's \"source\" must be { type: 'CODE' | 'LLM_JUDGE' | 'HUMAN', id }, found \"me\"",
  ],
  [
    'metadata that is no object',
    { value: 1, metadata: [1] },
    'the Feedback\'s "metadata" must be an object, found an array of 1',
  ],
  [
    'metadata that is nested',
    { value: 1, metadata: { usage: { tokens: 1 } } },
    'the Feedback\'s metadata "usage" must be a boolean, number or string, found an object with tokens',
  ],
])('toFeedback() of %s is one error of the scorer', (_, returned, message) => {
  expect(toFeedback(returned, origin)).toStrictEqual([
    { name: 'polite', source, error: { code: 'SCORER_RETURN', message } },
  ])
})

test('toFeedback() keeps the Feedback of a list and counts the rest of it as one error', () => {
  const [first, second, ...more] = toFeedback([feedback({ name: 'a', value: 1 }), 2, null], origin)
  expect(first).toMatchObject({ name: 'a', value: 1 })
  expect(second).toMatchObject({
    name: 'polite',
    error: {
      message: 'a list may hold Feedback only, found 2 as item 2 (a list of values goes into feedback({ value: […] }))',
    },
  })
  expect(more).toEqual([])
})

test.each<[number, string]>([
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, 'Infinity'],
  [Number.NEGATIVE_INFINITY, '-Infinity'],
])('toFeedback() of %d is an error, bare or in a Feedback', (value, text) => {
  const error = {
    code: 'NOT_A_NUMBER',
    message: `${text} is not a value; return null when there is nothing to say`,
  }
  expect(toFeedback(value, origin)).toStrictEqual([{ name: 'polite', source, error }])
  expect(toFeedback(feedback({ name: 'x', value }), origin)).toStrictEqual([{ name: 'x', source, error }])
})

test.each<[string, unknown, object]>([
  ['text', 'no answer', { code: 'ASSESSMENT_ERROR', message: 'no answer' }],
  ['a record', { code: 'JUDGE_DOWN', message: 'busy' }, { code: 'JUDGE_DOWN', message: 'busy' }],
  ['a record with a stack', { code: 'X', message: 'm', stack: 's' }, { code: 'X', message: 'm', stack: 's' }],
  ['a record without code', { message: 'busy' }, { code: 'ASSESSMENT_ERROR', message: 'busy' }],
  ['a number', 500, { code: 'ASSESSMENT_ERROR', message: '500' }],
])('toFeedback() keeps an own error that is %s', (_, error, kept) => {
  expect(toFeedback(feedback({ error: error as never, value: 1 }), origin)).toStrictEqual([
    { name: 'polite', source, error: kept },
  ])
})

test('toFeedback() keeps an own Error with its stack', () => {
  const [one] = toFeedback({ error: new RangeError('too far'), rationale: 'r' }, origin)
  expect(one).toMatchObject({ rationale: 'r', error: { code: 'RangeError', message: 'too far' } })
  expect(one?.error?.stack).toContain('feedback.test.ts')
})

test('toFeedback() drops metadata that is undefined and keeps a key called __proto__', () => {
  const metadata = JSON.parse('{"__proto__":"x","a":null,"b":1}')
  const [one] = toFeedback({ value: 1, metadata: { ...metadata, c: undefined } }, origin)
  expect(Object.entries(one?.metadata ?? {})).toEqual([
    ['__proto__', 'x'],
    ['b', 1],
  ])
})

test('toFeedback() never throws, whatever getters and proxies do', () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const hostile = {
    get value(): number {
      throw new Error('no value for you')
    },
  }
  expect(toFeedback(hostile, origin)[0]?.error).toMatchObject({ code: 'SCORER_RETURN', message: 'no value for you' })
  for (const returned of [proxy, [proxy], { value: proxy }, { value: 1, metadata: proxy }, { error: proxy }]) {
    const [one, ...more] = toFeedback(returned, origin)
    expect(one?.error?.code).toMatch(/^(SCORER_RETURN|ASSESSMENT_ERROR)$/)
    expect(more).toEqual([])
  }
})

test('feedback() refuses unknown fields and what is no object', () => {
  expect(() => feedback({ valu: 1 } as never)).toThrow(
    new TypeError('Cannot make a Feedback: unknown field "valu" (did you mean "value"?)'),
  )
  expect(() => feedback('yes' as never)).toThrow(
    new TypeError('Cannot make a Feedback: expected { value, rationale, … }, found "yes"'),
  )
  expect(() => feedback(null as never)).toThrow('found null')
  expect(() => feedback([] as never)).toThrow('found an array of 0')
})

test('isGivenFeedback() knows what feedback() made, also when it was copied', () => {
  expect(isGivenFeedback(feedback({ value: 1 }))).toBe(true)
  expect(isGivenFeedback({ ...feedback({ value: 1 }), rationale: 'more' })).toBe(true)
  expect(isGivenFeedback({ value: 1 })).toBe(false)
  expect(isGivenFeedback(null)).toBe(false)
})

test('errorFeedback() and toAssessmentError() record any thrown value and cut its stack', () => {
  expect(errorFeedback(origin, 'SCORER_THREW', 'text')).toStrictEqual({
    name: 'polite',
    source,
    error: { code: 'SCORER_THREW', message: 'text' },
  })
  const long = Object.assign(new Error('x'), { stack: 's'.repeat(20_000) })
  expect(toAssessmentError('C', long)).toEqual({ code: 'C', message: 'x', stack: 's'.repeat(10_000) })
  const odd = Object.defineProperty(new Error('x'), 'stack', {
    get() {
      throw new Error('no stack')
    },
  })
  expect(toAssessmentError('C', odd)).toEqual({ code: 'C', message: 'x' })
})
