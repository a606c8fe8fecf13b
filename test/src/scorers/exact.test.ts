import { expect, test } from 'vitest'
import { exactMatch } from '../../../src/scorers/index.ts'

const value = (outputs: unknown, expected_response: unknown, options = {}): unknown =>
  exactMatch(options)({ outputs, expectations: { expected_response } }).value

test('exactMatch() compares text character by character and shows both on a no', () => {
  expect(value('2+2 equals 4.', '2+2 equals 4.')).toBe('yes')
  expect(value('', '')).toBe('yes')
  expect(exactMatch()({ outputs: 'paris ', expectations: { expected_response: 'Paris' } })).toMatchObject({
    value: 'no',
    rationale: 'Expected "Paris", found "paris "',
  })
})

test('exactMatch() ignores case and outer white space only when asked', () => {
  expect(value(' PARIS\n', 'Paris', { ignoreCase: true })).toBe('no')
  expect(value(' Paris\n', 'Paris', { trim: true })).toBe('yes')
  expect(value(' PARIS\n', 'paris ', { ignoreCase: true, trim: true })).toBe('yes')
})

test('exactMatch() compares numbers and booleans by their text', () => {
  expect(value(42, '42')).toBe('yes')
  expect(value('true', true)).toBe('yes')
  expect(value(false, false)).toBe('yes')
  expect(value(0, '')).toBe('no')
})

test('exactMatch() compares structured data whatever the order of keys', () => {
  expect(value({ city: 'Paris', tags: ['a', 'b'] }, { tags: ['a', 'b'], city: 'Paris' })).toBe('yes')
  expect(value({ city: 'Paris', note: undefined }, { city: 'Paris' })).toBe('yes')
  expect(value({ city: 'Paris', extra: 1 }, { city: 'Paris' })).toBe('no')
  expect(value(['b', 'a'], ['a', 'b'])).toBe('no')
  expect(value([], {})).toBe('no')
  expect(value('text', { city: 'Paris' })).toBe('no')
})

test('exactMatch() refuses to compare structured outputs with text and says how to pick it', () => {
  const expectations = { expected_response: 'Paris' }
  expect(exactMatch()({ outputs: { answer: 'Paris', sources: [] }, expectations }).error).toEqual({
    code: 'OUTPUTS_NOT_TEXT',
    message:
      'outputs must be text, found an object with answer, sources\n' +
      'Hint: pick the text, { output: (outputs) => outputs.answer }',
  })
  const picking = exactMatch({ output: (outputs) => outputs.answer })
  expect(picking({ outputs: { answer: 'Paris' }, expectations }).value).toBe('yes')
  expect(picking({ outputs: { response: 'Paris' }, expectations }).error).toEqual({
    code: 'OUTPUTS_MISSING',
    message: '"output" picked nothing out of outputs, an object with response',
  })
  expect(picking({ outputs: { answer: { text: 'Paris' } }, expectations }).error).toMatchObject({
    code: 'OUTPUTS_NOT_TEXT',
    message: '"output" must pick text out of outputs, found an object with text',
  })
})

test('exactMatch() says which expectations the row has when the wanted one is missing', () => {
  const message = (expectations: object): unknown =>
    (exactMatch()({ outputs: 'x', expectations }).error as Error).message
  expect(message({ expected_respons: 'x', other: null })).toBe(
    'the row has no expectation "expected_response"; it has "expected_respons" (did you mean "expected_respons"?)',
  )
  expect(message({ expected_response: null })).toBe(
    'the row has no expectation "expected_response"; it has none at all',
  )
})

test('exactMatch() takes no expectation from the prototype chain', () => {
  const scorer = exactMatch({ expectation: 'constructor' })
  expect(scorer({ outputs: 'x', expectations: {} }).error).toMatchObject({ code: 'EXPECTATION_MISSING' })
})

test('exactMatch() lets an error of the user’s own function through', () => {
  const scorer = exactMatch({ output: (outputs) => outputs.deep.text })
  expect(() => scorer({ outputs: {}, expectations: { expected_response: 'x' } })).toThrow(TypeError)
})
