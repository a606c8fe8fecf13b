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

/** What is read: it is named where it cannot be. */
export type Reading = 'filter' | 'order'

/** Cuts a filter into tokens; the last one is the end. */
function tokens(text: string, what: Reading): Token[] {
  const result: Token[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.length) {
    const position = TOKEN.lastIndex
    const match = TOKEN.exec(text)
    if (!match) fail(what, text, position, problemAt(text, position))
    const { groups = {} } = match
    for (const kind of ['number', 'string', 'quoted', 'word', 'symbol'] as const) {
      const found = groups[kind]
      if (found !== undefined) result.push({ kind, text: found, position })
    }
  }
  result.push({ kind: 'end', text: '', position: text.length })
  return result
}

/** Goes through the tokens of a text. */
export class Tokens {
  readonly #text: string
  readonly #what: Reading
  readonly #all: readonly Token[]
  #at = 0

  constructor(text: string, what: Reading) {
    if (typeof text !== 'string')
      throw new TypeError(`Cannot search: the ${what} must be a string, found ${quote(text)}`)
    this.#text = text
    this.#what = what
    this.#all = tokens(text, what)
  }

  peek(): Token {
    return this.#all[this.#at] as Token
  }

  take(): Token {
    return this.#all[this.#at++] as Token
  }

  /** Takes a word, whatever its case, if it comes next. */
  keyword(word: string): boolean {
    return this.#takeIf(this.peek().kind === 'word' && this.peek().text.toUpperCase() === word)
  }

  symbol(symbol: string): boolean {
    return this.#takeIf(this.peek().kind === 'symbol' && this.peek().text === symbol)
  }

  #takeIf(wanted: boolean): boolean {
    if (wanted) this.#at++
    return wanted
  }

  /** @throws EvaluationError FILTER_INVALID */
  expected(what: string, token: Token = this.peek()): never {
    const found = token.kind === 'end' ? 'the end' : `"${token.text}"`
    this.fail(token.position, `expected ${what}, found ${found}`)
  }

  /** @throws EvaluationError FILTER_INVALID that shows the place */
  fail(position: number, problem: string): never {
    fail(this.#what, this.#text, position, problem)
  }
}

/** Gives what stands between quotes. */
export function unquote(text: string): string {
  const mark = text[0] as string
  return text.slice(1, -1).replaceAll(mark + mark, mark)
}

function problemAt(text: string, position: number): string {
  const char = String.fromCodePoint(text.codePointAt(position) as number)
  if (/['"`]/.test(char)) return `the quote ${char} is never closed`
  const hint = /[\p{L}\p{N}]/u.test(char)
    ? ' (a name other than letters, digits and _ goes into back-ticks: feedback.`naïve`)'
    : ''
  return `${quote(char)} has no meaning here${hint}`
}

function fail(what: Reading, text: string, position: number, problem: string): never {
  const start = Math.max(0, position - 60)
  const excerpt = text.slice(start, position + 40).replace(/\s/g, ' ')
  throw new EvaluationError(
    'FILTER_INVALID',
    `Cannot read the ${what} at position ${position + 1}: ${problem}\n  ${excerpt}\n  ${' '.repeat(position - start)}^`,
  )
}
