import { expect, test } from 'vitest'
import { dataLine, dataLines } from '../../reporters/data.ts'

test('dataLines() gives a text as it is, line by line', () => {
  expect(dataLines('one\r\n\ttwo\n\n::three\u001b[2J')).toEqual(['one', '  two', '', '\\u003a:three\\u001b[2J'])
  expect(dataLines('')).toEqual(['""'])
})

test('dataLines() gives records, lists and texts of several lines by indentation', () => {
  const value = { question: 'why?', k: 3, none: null, list: ['a', { b: 1, c: 'x\ny' }, []], empty: {} }
  expect(dataLines(value)).toEqual([
    'question: why?',
    'k: 3',
    'none: null',
    'list:',
    '  - a',
    '  - b: 1',
    '    c:',
    '      x',
    '      y',
    '  - []',
    'empty: {}',
  ])
})

test('dataLines() quotes texts that would read as something else', () => {
  expect(dataLines(['5', 'true', '', ' a', '- b', '"q"', '5 apples'])).toEqual([
    '- "5"',
    '- "true"',
    '- ""',
    '- " a"',
    '- "- b"',
    '- "\\"q\\""',
    '- 5 apples',
  ])
})

test('dataLines() shows what is wider than JSON', () => {
  const value = {
    none: undefined,
    big: 5n,
    nan: Number.NaN,
    zero: -0,
    date: new Date(0),
    noDate: new Date(Number.NaN),
    map: new Map<unknown, unknown>([['k', [1]]]),
    set: new Set([1]),
    noSet: new Set(),
    bytes: new Uint8Array(20),
  }
  expect(dataLines(value)).toEqual([
    'none: undefined',
    'big: 5n',
    'nan: NaN',
    'zero: -0',
    'date: 1970-01-01T00:00:00.000Z',
    'noDate: an invalid date',
    'map:',
    '  k:',
    '    - 1',
    'set:',
    '  - 1',
    'noSet: an empty set',
    `bytes: 20 bytes: ${'00 '.repeat(16)}…`,
  ])
})

test('dataLines() neutralises keys as well as values', () => {
  expect(dataLines({ '\u001b[31m': '\u202e', '::error::': 1, __proto__: 1 })).toEqual([
    '\\u001b[31m: \\u202e',
    '\\u003a:error::: 1',
  ])
})

test('dataLine() gives one line whatever the data', () => {
  expect(dataLine('one\ntwo')).toBe('one⏎two')
  expect(dataLine({ a: 1, list: ['x', { b: 2 }], m: new Map([['k', 1]]) })).toBe('a: 1 · list: [x, {b: 2}] · m: {k: 1}')
  expect(dataLine([1, 2])).toBe('[1, 2]')
  expect([undefined, null, '', {}, []].map(dataLine)).toEqual(['undefined', 'null', '""', '{}', '[]'])
})
