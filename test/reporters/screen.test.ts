import fc from 'fast-check'
import stringWidth from 'string-width'
import { expect, test } from 'vitest'
import { colors, fit, flow, line, pad, wrap } from '../../reporters/screen.ts'
import { visible } from '../../src/std/text.ts'
import { HOSTILE } from './samples.ts'

// Texts with all that makes widths hard, as models write them.
const text = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 8 }),
      fc.string({ unit: 'binary', maxLength: 4 }),
      fc.constantFrom('検索', '🙂', '👩🏽‍🚀', 'é', ' ', '::', ':', '\n', '한국어', 'ก็', ...Object.values(HOSTILE)),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''))
const width = fc.integer({ min: 1, max: 60 })

test('fit() is never wider than asked and always harmless', () => {
  fc.assert(
    fc.property(text, width, (value, columns) => {
      const fitted = fit(value, columns)
      expect(stringWidth(fitted)).toBeLessThanOrEqual(columns)
      expect(visible(fitted)).toBe(fitted)
    }),
  )
})

test('fit() keeps what fits and marks what it cuts', () => {
  expect(fit('abc', 3)).toBe('abc')
  expect(fit('abcd', 3)).toBe('ab…')
  expect(fit('検索結果', 8)).toBe('検索結果')
  expect(fit('検索結果', 7)).toBe('検索結…')
  expect(fit('検索結果', 6)).toBe('検索…')
  expect(fit('abcd', 0)).toBe('')
  expect(fit('🙂', 1)).toBe('…')
})

test('fit() does not read a text of many megabytes to its end', () => {
  const started = performance.now()
  expect(fit('検索'.repeat(20_000_000), 10)).toBe('検索検索…')
  expect(performance.now() - started).toBeLessThan(500)
})

test('fit() gives a character with hundreds of marks as one replacement character', () => {
  expect(fit(HOSTILE.marks, 10)).toBe('\ufffd')
})

test('wrap() gives lines that fit, lose nothing and begin no command', () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 8, max: 60 }), (value, columns) => {
      const safe = visible(value)
      const lines = wrap(safe, columns)
      for (const one of lines) {
        expect(stringWidth(one)).toBeLessThanOrEqual(columns)
        expect(one).not.toMatch(/^\s*::/)
      }
      const letters = (texts: string): string => texts.replace(/\s|\\u003a|:|\ufffd/g, '')
      if (!safe.includes('\u0301')) expect(letters(lines.join(''))).toBe(letters(safe))
    }),
  )
})

test('wrap() breaks between words, and inside one only where it must', () => {
  expect(wrap('one two three', 8)).toEqual(['one two', 'three'])
  expect(wrap('one two three', 7)).toEqual(['one two', 'three'])
  expect(wrap('abcdefghij kl', 4)).toEqual(['abcd', 'efgh', 'ij', 'kl'])
  expect(wrap('  indented text', 10)).toEqual(['  indented', 'text'])
  expect(wrap('', 5)).toEqual([''])
})

test('wrap() ends with an ellipsis where lines are left out', () => {
  expect(wrap('one two three four', 8, 2)).toEqual(['one two', 'three f…'])
  expect(wrap('one two three', 8, 2)).toEqual(['one two', 'three'])
})

test('wrap() does not let a line begin with what had been inside of one', () => {
  expect(wrap('aaaa ::error::x', 12)).toEqual(['aaaa', '\\u003a:error', '\\u003a:x'])
  expect(wrap('aaaaaaaa::error::', 8)[1]).toMatch(/^\\u003a:/)
})

test('line() colours parts, cuts at the width and leaves no spaces at the end', () => {
  const { red } = colors({ width: 10, colors: true })
  expect(line(['ab ', ['cd', red]], 10)).toBe(`ab ${red('cd')}`)
  expect(line(['ab ', ['cdefgh', red]], 6)).toBe(`ab ${red('cd…')}`)
  expect(line(['ab', ['  ', red]], 6)).toBe('ab')
})

test('flow() keeps items whole', () => {
  expect(flow(['one', 'two', 'three'], 11, ' · ')).toEqual(['one · two', 'three'])
  expect(flow([], 10, ' · ')).toEqual([])
})

test('pad() counts columns, not characters', () => {
  expect(pad('検索', 6)).toBe('検索  ')
  expect(pad('検索', 6, 'right')).toBe('  検索')
  expect(pad('検索', 2)).toBe('検索')
})

test('colors() depends on the screen alone', () => {
  const before = { ...process.env }
  try {
    for (const env of [{ NO_COLOR: '1' }, { FORCE_COLOR: '1' }]) {
      Object.assign(process.env, env)
      expect(colors({ width: 80, colors: true }).red('x')).toBe('\u001b[31mx\u001b[39m')
      expect(colors({ width: 80, colors: false }).red('x')).toBe('x')
    }
  } finally {
    for (const key of ['NO_COLOR', 'FORCE_COLOR']) {
      if (before[key] === undefined) delete process.env[key]
      else process.env[key] = before[key]
    }
  }
})
