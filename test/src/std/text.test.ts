import fc from 'fast-check'
import { expect, test } from 'vitest'
import { clip, duration, grouped, plural, visible, visibleBlock, visibleJson } from '../../../src/std/text.ts'

test.each<[string, string, string]>([
  ['colour', '\u001b[31mred\u001b[0m', '\\u001b[31mred\\u001b[0m'],
  ['a C1 control', 'a\u009b2J', 'a\\u009b2J'],
  ['line ends and tabs', 'a\nb\r\nc\td', 'a⏎b␍⏎c⇥d'],
  ['a bidi override', 'abc\u202egpj.exe', 'abc\\u202egpj.exe'],
  ['bidi isolates', '\u2066x\u2069', '\\u2066x\\u2069'],
  ['zero width', 'pass\u200bword\ufeff', 'pass\\u200bword\\ufeff'],
  ['a lone surrogate', 'x\ud83dy', 'x\\ud83dy'],
  ['text hidden in tag characters', 'hi\u{e0068}\u{e0069}', 'hi\\u{e0068}\\u{e0069}'],
  ['a workflow command', '::error file=a::b', '\\u003a:error file=a::b'],
  ['an indented workflow command', '  ::set-output::b', '  \\u003a:set-output::b'],
  [
    'a group command',
    'x ##[group]y ##vso[task] ##VSO[a] ##teamcity[b]',
    'x #\\u0023[group]y #\\u0023vso[task] #\\u0023VSO[a] #\\u0023teamcity[b]',
  ],
  ['a heading, as it is', '## Title :: x', '## Title :: x'],
  ['a bell and a backspace', 'a\u0007\u0008', 'a\\u0007\\u0008'],
])('visible() shows %s', (_, text, shown) => {
  expect(visible(text)).toBe(shown)
})

test('visible() leaves ordinary text of any script alone', () => {
  for (const text of ['Grüße, 世界', '👍🏽 ok', '❤️', 'नमस्ते', 'שלום', 'a:b ::c']) expect(visible(text)).toBe(text)
})

test('visible() leaves nothing that can steer a terminal, and does nothing twice', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = visible(text)
      expect(shown).not.toMatch(/[\p{Cc}\p{Cs}\u2028-\u202e\u2066-\u2069]/u)
      expect(shown).not.toMatch(/^\s*::/)
      expect(visible(shown)).toBe(shown)
    }),
  )
})

test('visibleBlock() keeps lines and watches each of them', () => {
  expect(visibleBlock('a\r\n::error::x\r\tb\n\u001b[2J')).toBe('a\n\\u003a:error::x\n  b\n\\u001b[2J')
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(visibleBlock(text)).not.toMatch(/[\r\t\u001b\u2028]|^\s*::/m)
    }),
  )
})

test('clip() gives at most so many characters and never half of one', () => {
  expect(clip('abcdef', 6)).toBe('abcdef')
  expect(clip('abcdef', 5)).toBe('abcd…')
  expect(clip('ab👍cd', 4)).toBe('ab…')
  expect(clip('ab👍cd', 5)).toBe('ab👍…')
  expect(clip('abc', 1)).toBe('…')
  expect(clip('abc', 0)).toBe('')
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(20), (text, length) => {
      const cut = clip(text, length)
      expect(cut.length).toBeLessThanOrEqual(length)
      expect(cut.isWellFormed()).toBe(true)
    }),
  )
})

test('grouped() gives thousands separators, and as many places as wanted', () => {
  expect([0, 999, 1_000, -12_345, 1_234_567].map((value) => grouped(value))).toEqual([
    '0',
    '999',
    '1,000',
    '-12,345',
    '1,234,567',
  ])
  expect([grouped(1_234.5678, 2), grouped(0.5, 3), grouped(-1_000.05, 1)]).toEqual(['1,234.57', '0.500', '-1,000.0'])
  expect([grouped(1e21), grouped(Number.NaN), grouped(Number.POSITIVE_INFINITY)]).toEqual(['1e+21', 'NaN', 'Infinity'])
})

test('plural() counts', () => {
  expect(plural(0, 'row')).toBe('0 rows')
  expect(plural(1, 'row')).toBe('1 row')
  expect(plural(12_000, 'row')).toBe('12,000 rows')
  expect(plural(2, 'entry', 'entries')).toBe('2 entries')
})

test.each<[number, string]>([
  [0, '0.0 ms'],
  [0.44, '0.4 ms'],
  [0.949, '0.9 ms'],
  [0.95, '1 ms'],
  [87, '87 ms'],
  [999.4, '999 ms'],
  [999.5, '1.00 s'],
  [1_240, '1.24 s'],
  [59_994, '59.99 s'],
  [59_995, '1 min 0 s'],
  [200_000, '3 min 20 s'],
  [3_599_600, '1 h 0 min'],
  [7_260_000, '2 h 1 min'],
])('duration() of %d ms is %s', (ms, text) => {
  expect(duration(ms)).toBe(text)
})

test('visibleJson() is the same data, and leaves nothing that can steer a terminal', () => {
  const data = { text: '\u001b[2J\u009b2J\u202e\u200b\u{e0068}\u2028\n\t"\\', '\u009d': 1 }
  const text = visibleJson(JSON.stringify(data, null, 2))
  expect(JSON.parse(text)).toEqual(data)
  expect(text.split('\n').map(visible).join('\n')).toBe(text)
  fc.assert(
    fc.property(fc.json(), (json) => {
      expect(JSON.parse(visibleJson(json))).toEqual(JSON.parse(json))
    }),
  )
})
