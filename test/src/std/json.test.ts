import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonical, decode, dict, encode, NotDataError, sha256 } from '../../../src/std/json.ts'

const key = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.constantFrom('__proto__', '$type', 'toJSON', 'value'),
)

/** Data of every kind that is kept, hostile keys and lone surrogates included. */
const { data } = fc.letrec<{ data: unknown }>((tie) => ({
  data: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constantFrom<unknown>(null, undefined, true, false, Number.NaN, Number.POSITIVE_INFINITY, -1 / 0, -0, 0),
    fc.double(),
    fc.bigInt(),
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('\ud800', '\udc00', '$type', '"', '\\', '\u2028') }),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array({ maxLength: 8 }),
    fc.array(tie('data'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('data')), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs)),
    fc.array(fc.tuple(tie('data'), tie('data')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
    fc.array(tie('data'), { maxLength: 3 }).map((items) => new Set(items)),
  ),
}))

/** Records get their keys in the other order, at every depth. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned)
  if (value instanceof Map) return new Map([...value].map(([k, v]) => [turned(k), turned(v)]))
  if (value instanceof Set) return new Set([...value].map(turned))
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([k, v]) => [k, turned(v)]),
  )
}

test('decode() gives back what encode() was given', () => {
  fc.assert(
    fc.property(data, (value) => {
      expect(isDeepStrictEqual(decode(encode(value)), value)).toBe(true)
    }),
    { numRuns: 2_000 },
  )
})

test('canonical() is equal for equal data whatever the order of keys', () => {
  fc.assert(
    fc.property(data, (value) => {
      expect(canonical(turned(value))).toBe(canonical(value))
    }),
    { numRuns: 1_000 },
  )
})

test('canonical() differs for different data', () => {
  fc.assert(
    fc.property(data, data, (a, b) => {
      // Maps and sets are ordered here, unlike for isDeepStrictEqual: the text after decoding says so.
      fc.pre(!isDeepStrictEqual(a, b))
      expect(canonical(a)).not.toBe(canonical(b))
    }),
    { numRuns: 2_000 },
  )
})

test('encode() writes plain data as plain JSON', () => {
  expect(encode({ question: 'Wie?', n: [1, 2.5, null, true] })).toBe('{"question":"Wie?","n":[1,2.5,null,true]}')
})

test.each<[string, unknown, string]>([
  ['undefined', undefined, '{"$type":"undefined"}'],
  ['an undefined field', { a: undefined }, '{"a":{"$type":"undefined"}}'],
  ['a hole', new Array(1).concat(1), '[{"$type":"undefined"},1]'],
  ['a BigInt', 5n, '{"$type":"bigint","value":"5"}'],
  ['NaN', Number.NaN, '{"$type":"number","value":"NaN"}'],
  ['-0', -0, '{"$type":"number","value":"-0"}'],
  ['a Date', new Date(5), '{"$type":"date","value":5}'],
  ['an invalid Date', new Date(Number.NaN), '{"$type":"date","value":null}'],
  ['a RegExp', /a"b/gi, '{"$type":"regexp","source":"a\\"b","flags":"gi"}'],
  ['a Map', new Map([['a', 1n]]), '{"$type":"map","value":[["a",{"$type":"bigint","value":"1"}]]}'],
  ['bytes', Buffer.from('hi'), '{"$type":"bytes","value":"aGk="}'],
  ['a field called $type', { $type: 'date' }, '{"$type":"object","value":{"$type":"date"}}'],
  ['a typed array', new Float32Array([1, 0.5]), '[1,0.5]'],
  ['a URL', { at: new URL('http://a.test/x') }, '{"at":"http://a.test/x"}'],
  [
    'an instance',
    new (class Answer {
      text = 'x'
    })(),
    '{"text":"x"}',
  ],
  ['an Error', { e: new TypeError('bad') }, '{"e":{"name":"TypeError","message":"bad"}}'],
  ['a list with toJSON', Object.assign([1], { toJSON: () => 'mine' }), '"mine"'],
])('encode() writes %s', (_, value, text) => {
  expect(encode(value)).toBe(text)
})

test('decode() gives a RegExp and an invalid Date back', () => {
  expect(decode(encode({ pattern: /x\/y/su }))).toEqual({ pattern: /x\/y/su })
  expect((decode(encode(new Date(Number.NaN))) as Date).getTime()).toBeNaN()
})

test('decode() keeps a field called __proto__ as a field', () => {
  const hostile = JSON.parse('{"__proto__":{"admin":true},"n":{"$type":"bigint","value":"1"}}')
  const back = decode(JSON.stringify(hostile)) as Record<string, unknown>
  expect(Object.hasOwn(back, '__proto__')).toBe(true)
  expect(back.admin).toBeUndefined()
  expect(back.n).toBe(1n)
  expect(({} as Record<string, unknown>).admin).toBeUndefined()
  expect(decode(encode(back))).toEqual(back)
})

const cycle: Record<string, unknown> = { name: 'a' }
cycle.self = [cycle]
function namedFn(): void {}

test.each<[string, unknown, string, string]>([
  [
    'a named function',
    { outputs: { items: [1, 2, { fn: namedFn }] } },
    'outputs.items[2].fn',
    'the function "namedFn"',
  ],
  ['a nameless function', [() => {}], '[0]', 'a function'],
  ['a symbol', { a: Symbol('x') }, 'a', 'a symbol'],
  ['a cycle', { outputs: cycle }, 'outputs.self[0]', 'part of a cycle'],
  ['a promise', { answer: Promise.resolve('x') }, 'answer', 'a Promise (is an await missing?)'],
  ['a response', { answer: new Response('x') }, 'answer', 'a Response'],
  ['a buffer without a view', new ArrayBuffer(2), '', 'an ArrayBuffer'],
  ['a function in a Map', { m: new Map([['k', namedFn]]) }, 'm[0][1]', 'the function "namedFn"'],
  [
    'a getter that throws',
    {
      a: [
        {
          get b(): never {
            throw new Error('no entry')
          },
        },
      ],
    },
    'a[0]',
    'an object that throws when it is read (no entry)',
  ],
  [
    'a toJSON that throws',
    {
      a: {
        toJSON: () => {
          throw new Error('never')
        },
      },
    },
    'a',
    'an object that throws when it is read (never)',
  ],
])('encode() and canonical() refuse %s with its path', (_, value, path, found) => {
  for (const write of [encode, canonical]) {
    const thrown = catching(() => write(value))
    expect(thrown).toBeInstanceOf(NotDataError)
    expect(thrown).toMatchObject({ path, message: `${path || 'value'} is ${found}, which cannot be kept` })
  }
})

test('encode() refuses a revoked proxy', () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  expect(() => encode({ proxy })).toThrow(NotDataError)
})

test('encode() keeps a thousand levels and refuses what is deeper, even far deeper', () => {
  const nested = (levels: number): unknown => {
    let value: unknown = 'x'
    for (let i = 0; i < levels; i++) value = { inner: value }
    return value
  }
  expect(decode(encode(nested(1_000)))).toEqual(nested(1_000))
  for (const levels of [1_002, 100_000]) {
    const thrown = catching(() => encode(nested(levels)))
    expect(thrown).toBeInstanceOf(NotDataError)
    expect((thrown as Error).message).toBe(
      'inner.inner.inner.inner.inner is nested deeper than 1000, which cannot be kept',
    )
  }
})

test('encode() keeps an object that stands in two places, which is no cycle', () => {
  const shared = { a: 1n }
  expect(decode(encode([shared, shared]))).toEqual([{ a: 1n }, { a: 1n }])
})

test('sha256() gives the published digest', () => {
  expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})

test('dict() takes any key', () => {
  const counts = dict<number>()
  for (const [i, key] of ['__proto__', 'constructor'].entries()) counts[key] = i + 1
  expect(Object.entries(counts)).toEqual([
    ['__proto__', 1],
    ['constructor', 2],
  ])
})

function catching(fn: () => unknown): unknown {
  try {
    fn()
  } catch (thrown) {
    return thrown
  }
  return undefined
}
