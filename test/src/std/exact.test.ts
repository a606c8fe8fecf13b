import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseExact, writeExact } from '../../../src/std/exact.ts'

test('parseExact() keeps every digit of an integer, and leaves all else as JSON.parse', () => {
  expect(
    parseExact(
      '{"a":1795226650844883331,"b":-9007199254740993,"c":9007199254740991,"d":1e30,"e":"1795226650844883331"}',
    ),
  ).toEqual({
    a: 1795226650844883331n,
    b: -9007199254740993n,
    c: 9007199254740991,
    d: 1e30,
    e: '1795226650844883331',
  })
  expect(parseExact('[0.1234567890123456]')).toEqual([0.1234567890123456])
  expect(Object.keys(parseExact('{"__proto__":1234567890123456789}') as object)).toEqual(['__proto__'])
})

test('parseExact() throws for what is not JSON', () => {
  expect(() => parseExact('{"a":1795226650844883331')).toThrow(SyntaxError)
})

test('parseExact() reads back what writeExact() wrote', () => {
  const leaf = fc.oneof(fc.string(), fc.boolean(), fc.integer(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 80n }))
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.array(leaf)), (data) => {
      expect(parseExact(writeExact(data))).toEqual(data)
    }),
  )
})
