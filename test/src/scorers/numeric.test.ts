import { expect, test } from 'vitest'
import { numeric } from '../../../src/scorers/index.ts'

const value = (outputs: unknown, expected_response: unknown, options = {}): unknown =>
  numeric(options)({ outputs, expectations: { expected_response } }).value

const found = (text: string, extract: 'last' | 'first' | 'whole' = 'last'): number | undefined => {
  const { rationale } = numeric({ extract })({ outputs: text, expectations: { expected_response: 0 } })
  const [, number] = /^Expected 0, found (\S+)$/.exec(rationale as string) ?? []
  return number === undefined ? undefined : Number(number)
}

test.each([
  ['A: 42', 42],
  ['The answer is 42.', 42],
  ['$1,234.50', 1234.5],
  ['1,234,567 people', 1234567],
  ['1,2,3', 3],
  ['1,2345', 2345],
  ['-5', -5],
  ['x = −5', -5],
  ['+5', 5],
  ['between 5-10', 10],
  ['GPT-4', 4],
  ['10 - 5', 5],
  ['.5', 0.5],
  ['1.5e3 m', 1500],
  ['1E-2', 0.01],
  ['50%', 50],
  ['no number here', undefined],
  ['', undefined],
  ['1e999', undefined],
])('numeric() finds the last number in %j', (text, number) => {
  expect(found(text)).toBe(number)
})

test('numeric() finds the first number, or asks for nothing but one', () => {
  expect(found('3 of 7', 'first')).toBe(3)
  expect(found(' 1,234.5 ', 'whole')).toBe(1234.5)
  expect(found('A: 42', 'whole')).toBeUndefined()
})

test('numeric() takes what a pattern captures last, its group before the whole', () => {
  const expected = 42
  expect(value('A: 7\nso A: $42 for 3', expected, { extract: /A:(.*)/ })).toBe('yes')
  expect(value('A: 42, then 3', expected, { extract: /A: \d+/g })).toBe('yes')
  expect(value('42', expected, { extract: /A:(.*)/ })).toBe('no')
  expect(value('A: none', expected, { extract: /A:(.*)/ })).toBe('no')
})

test('numeric() takes a function’s number, and nothing else of it', () => {
  expect(value('forty-two', 42, { extract: (text: string) => (text === 'forty-two' ? 42 : undefined) })).toBe('yes')
  expect(value('x', 42, { extract: () => null })).toBe('no')
  expect(value('x', 42, { extract: () => '42' as any })).toBe('no')
  expect(value('x', 42, { extract: () => Number.NaN })).toBe('no')
})

test('numeric() takes numbers as they are', () => {
  expect(value(42, 42)).toBe('yes')
  expect(value(42, 'A: 42')).toBe('yes')
  expect(value(Number.NaN, 42)).toBe('no')
  expect(value({ total: 42 }, 42, { output: (outputs: any) => outputs.total })).toBe('yes')
})

test('numeric() says no, naming the text, where the answer has no number', () => {
  expect(numeric()({ outputs: 'I cannot tell', expectations: { expected_response: 7 } })).toMatchObject({
    value: 'no',
    rationale: 'Expected 7, found no number in "I cannot tell"',
  })
})

test('numeric() gives an error where the expectation has no number or the outputs are structured', () => {
  expect(numeric()({ outputs: '7', expectations: { expected_response: 'seven' } }).error).toEqual({
    code: 'EXPECTATION_INVALID',
    message: 'expectation "expected_response" has no number, found "seven"',
  })
  expect(numeric()({ outputs: '7', expectations: { expected_response: { n: 7 } } }).error).toMatchObject({
    code: 'EXPECTATION_INVALID',
  })
  expect(numeric()({ outputs: { n: 7 }, expectations: { expected_response: 7 } }).error).toMatchObject({
    code: 'OUTPUTS_NOT_TEXT',
    message: expect.stringContaining('outputs must be a number or text, found an object with n'),
  })
})

test('numeric() allows the wider of the absolute and the relative tolerance, edges included', () => {
  expect(value(0.1 + 0.2, 0.3)).toBe('yes')
  expect(value(0.1 + 0.2, 0.3, { relative: 0 })).toBe('no')
  expect(value(1.1, 1, { absolute: 0.1 })).toBe('yes')
  expect(value(1.1001, 1, { absolute: 0.1 })).toBe('no')
  expect(value(110, 100, { relative: 0.1 })).toBe('yes')
  expect(value(-110, -100, { relative: 0.1 })).toBe('yes')
  expect(value(111, 100, { relative: 0.1 })).toBe('no')
  expect(value(111, 100, { relative: 0.1, absolute: 11 })).toBe('yes')
  expect(value(1e-12, 0)).toBe('no')
  expect(value(-42, 42)).toBe('no')
})

test('numeric() compares the final answers of two worked solutions', () => {
  const truth = 'He pays 3 * 4 = $<<3*4=12>>12 and gets 20 - 12 = $<<20-12=8>>8 back.\nA: 8'
  for (const extract of ['last', /A:(.*)/] as const) {
    expect(value('20 - 3 * 4 = <<20-3*4=8.0>>8.0\nA: 8.0', truth, { extract })).toBe('yes')
    expect(value('He has 8 + 4 = <<8+4=12>>12\nA: 12', truth, { extract })).toBe('no')
  }
})
