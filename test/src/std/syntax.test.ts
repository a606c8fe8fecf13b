import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonFault } from '../../../src/std/syntax.ts'

function accepts(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

test.each([
  ['', 0, 'unexpected end'],
  ['{"a":1', 6, 'unexpected end'],
  ['{"a" 1}', 5, 'unexpected "1"'],
  ['{a:1}', 1, 'unexpected "a"'],
  ['[1,]', 3, 'unexpected "]"'],
  ['[,1]', 1, 'unexpected ","'],
  ['{"a":1,}', 7, 'unexpected "}"'],
  ['[1}', 2, 'unexpected "}"'],
  ['1 2', 2, 'unexpected "2"'],
  ['[01]', 1, 'unexpected "01"'],
  ['[1.]', 1, 'unexpected "1."'],
  ['[-Infinity]', 1, 'unexpected "-Infinity"'],
  ["{'a':1}", 1, 'unexpected "\'"'],
  ['["a\tb"]', 3, 'unescaped "\\t" in a string'],
  ['["\\x"]', 2, 'unknown escape "\\\\x"'],
  ['["\\u12"]', 2, 'unknown escape "\\\\u"'],
  ['[tru]', 1, 'unexpected "tru"'],
  ['[😀]', 1, 'unexpected "😀"'],
  ['[1,nul', 6, 'unexpected end'],
  ['[1,-', 4, 'unexpected end'],
  ['["a\\u00', 7, 'unexpected end'],
])('jsonFault() of %j', (text, at, problem) => {
  expect(accepts(text)).toBe(false)
  expect(jsonFault(text)).toMatchObject({ at, problem, cutOff: problem === 'unexpected end' })
})

test('jsonFault() finds every cut, at its end', () => {
  const cut = fc.json().chain((text) => fc.tuple(fc.constant(text), fc.nat(Math.max(0, text.length - 1))))
  fc.assert(
    fc.property(cut, ([text, length]) => {
      const part = text.slice(0, length)
      fc.pre(!accepts(part))
      expect(jsonFault(part)).toMatchObject({ at: part.length, cutOff: true })
    }),
  )
})

test('jsonFault() stands where JSON stops: what is before it can be completed, with it nothing can', () => {
  const broken = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom(...'{}[]:,"\\0x \n\u0001'))
    .map(([text, at, char]) => `${text.slice(0, at % (text.length + 1))}${char}${text.slice(at % (text.length + 1))}`)
  fc.assert(
    fc.property(broken, (text) => {
      fc.pre(!accepts(text))
      const { at, cutOff } = jsonFault(text)
      if (cutOff) expect(at).toBe(text.length)
      const before = text.slice(0, at)
      if (!accepts(before)) expect(jsonFault(before)).toMatchObject({ at, cutOff: true })
    }),
    { numRuns: 1_000 },
  )
})
