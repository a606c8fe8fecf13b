import { createRequire } from 'node:module'

/** A regular expression whose time grows with the text alone, whatever the pattern: RE2's language. */
export interface Regex {
  /** Whether it fits anywhere in the text. */
  test(text: string): boolean
}

const MOST_KEPT = 100
const kept = new Map<string, Regex>()
let engine: typeof import('re2js') | undefined

/** @throws Error that says what is wrong with the pattern */
export function regex(pattern: string): Regex {
  const known = kept.get(pattern)
  if (known) return known
  // Few filters need it, and what reads filters is loaded with every test run.
  engine ??= createRequire(import.meta.url)('re2js') as typeof import('re2js')
  const compiled = engine.RE2JS.compile(pattern)
  const made: Regex = { test: (text) => compiled.matcher(text).find() }
  if (kept.size >= MOST_KEPT) kept.clear()
  kept.set(pattern, made)
  return made
}
