import { quote } from '../errors.ts'

/** Where and why a text is not JSON. */
export interface JsonFault {
  /** Offset in UTF-16 units. */
  readonly at: number
  /** `unexpected "}"`, `unexpected end`. */
  readonly problem: string
  /** Nothing is wrong but that the text stops. */
  readonly cutOff: boolean
  readonly hint?: string | undefined
}

const SPACE = /[ \t\r\n]*/y
const SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y
const WORD = /[\w.+-]+|./suy
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y

type State = 'value' | 'value or end' | 'key' | 'key or end' | 'colon' | 'after'

/**
 * Finds what is wrong with a text that JSON.parse refused: its own messages name no place for some faults, and quote the text for
 * others.
 */
export function jsonFault(text: string): JsonFault {
  const closers: string[] = []
  let state: State = 'value'
  let at = 0
  const match = (pattern: RegExp): string => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0] ?? ''
  }
  for (;;) {
    at += match(SPACE).length
    const char = text[at]
    if (char === undefined) break
    const closes = char === closers.at(-1) && (state === 'after' || state.endsWith('or end'))
    if (closes) {
      closers.pop()
      state = 'after'
      at++
    } else if (state === 'after' && char === ',' && closers.length > 0) {
      state = closers.at(-1) === '}' ? 'key' : 'value'
      at++
    } else if (state === 'colon' && char === ':') {
      state = 'value'
      at++
    } else if (char === '"' && state !== 'colon' && state !== 'after') {
      const end = stringEnd(text, at)
      if (typeof end !== 'number') return end
      at = end
      state = state.startsWith('key') ? 'colon' : 'after'
    } else if (state.startsWith('value') && (char === '{' || char === '[')) {
      closers.push(char === '{' ? '}' : ']')
      state = char === '{' ? 'key or end' : 'value or end'
      at++
    } else {
      const scalar = state.startsWith('value') ? match(SCALAR) : ''
      if (scalar === '' && state.startsWith('value') && isBegun(text.slice(at))) break
      if (scalar === '') return unexpected(at, match(WORD))
      at += scalar.length
      state = 'after'
    }
  }
  return end(text)
}

function stringEnd(text: string, start: number): number | JsonFault {
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at] as string
    if (char === '"') return at + 1
    if (char < ' ') return { at, problem: `unescaped ${quote(char)} in a string`, cutOff: false }
    if (char !== '\\') continue
    ESCAPE.lastIndex = at
    const escape = ESCAPE.exec(text)?.[0]
    if (escape) at += escape.length - 1
    else if (at + 6 > text.length && !text.includes('"', at)) return end(text)
    else return { at, problem: `unknown escape ${quote(text.slice(at, at + 2))}`, cutOff: false }
  }
  return end(text)
}

function end(text: string): JsonFault {
  return { at: text.length, problem: 'unexpected end', cutOff: true }
}

/** Says whether a text is the first part of a literal or a number, and nothing more. */
function isBegun(rest: string): boolean {
  if (['true', 'false', 'null'].some((name) => name.startsWith(rest))) return true
  return /^-?(?:(?:0|[1-9]\d*)(?:\.\d*)?(?:[eE][+-]?)?)?$/.test(rest)
}

function unexpected(at: number, word: string): JsonFault {
  const hint = /^[-+]?(NaN|Infinity|None|undefined)\b/.test(word)
    ? `JSON has no ${word}: write null`
    : word.startsWith("'")
      ? 'texts and names stand in double quotes'
      : undefined
  return { at, problem: `unexpected ${quote(word)}`, cutOff: false, hint }
}
