import { EvaluationError, quote } from './errors.ts'

/** The words and signs of the filter language. */

/** A word or sign of a filter, with its place. */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'symbol' | 'end'
  readonly text: string
  readonly position: number
}

const TOKEN =
  /\s+|(?<number>[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.]))|(?<string>'(?:[^']|'')*'|"(?:[^"]|"")*")|(?<quoted>`(?:[^`]|``)*`)|(?<word>[A-Za-z_][\w$]*(?:[-/:]+[\w$]+)*)|(?<symbol><=|>=|!=|<>|[=<>(),.])/y

/** Cuts a filter into tokens; the last one is the end. */
export function tokens(text: string): Token[] {
  const result: Token[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.length) {
    const position = TOKEN.lastIndex
    const match = TOKEN.exec(text)
    if (!match) fail(text, position, problemAt(text, position))
    const { groups = {} } = match
    for (const kind of ['number', 'string', 'quoted', 'word', 'symbol'] as const) {
      const found = groups[kind]
      if (found !== undefined) result.push({ kind, text: found, position })
    }
  }
  result.push({ kind: 'end', text: '', position: text.length })
  return result
}

function problemAt(text: string, position: number): string {
  const char = String.fromCodePoint(text.codePointAt(position) as number)
  if (/['"`]/.test(char)) return `the quote ${char} is never closed`
  const hint = /[\p{L}\p{N}]/u.test(char)
    ? ' (a name other than letters, digits and _ goes into back-ticks: feedback.`naïve`)'
    : ''
  return `${quote(char)} has no meaning here${hint}`
}

/** @throws EvaluationError FILTER_INVALID that shows the place */
export function fail(text: string, position: number, problem: string): never {
  const start = Math.max(0, position - 60)
  const excerpt = text.slice(start, position + 40).replace(/\s/g, ' ')
  throw new EvaluationError(
    'FILTER_INVALID',
    `Cannot read the filter at position ${position + 1}: ${problem}\n  ${excerpt}\n  ${' '.repeat(position - start)}^`,
  )
}
