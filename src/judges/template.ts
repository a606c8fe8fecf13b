import { didYouMean, quote } from '../errors.ts'

/** Variables in a developer's own prompt: `{{ outputs }}`. */

const VARIABLE = /\{\{\s*([^{}]*?)\s*\}\}/g

/** Gives the names of the variables in a template, each once, in order. */
export function variablesOf(template: string): string[] {
  return [...new Set(Array.from(template.matchAll(VARIABLE), ([, name]) => name as string))]
}

/** Puts something in the place of every variable. */
export function fillTemplate(template: string, fill: (name: string) => string): string {
  return template.replace(VARIABLE, (_, name: string) => fill(name))
}

/**
 * Checks a template and gives its variables.
 * @param what starts the sentence: `Cannot make makeJudge(): "instructions"`
 * @throws TypeError for what is no text, names no variable, or names one that there is not
 */
export function requireVariables(template: unknown, what: string, known?: readonly string[]): string[] {
  if (typeof template !== 'string' || template.trim() === '')
    throw new TypeError(`${what} must be text that is not empty, found ${quote(template)}`)
  const names = variablesOf(template)
  const unknown = known && names.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    const there = known?.map((name) => `{{ ${name} }}`).join(', ')
    throw new TypeError(
      `${what} has an unknown variable ${quote(unknown)}${didYouMean(unknown, known ?? [])}; there are ${there}`,
    )
  }
  if (names.length === 0) {
    const wanted = known
      ? `one of ${known.map((name) => `{{ ${name} }}`).join(', ')}`
      : 'a variable such as {{ response }}'
    throw new TypeError(`${what} names nothing to judge: it needs ${wanted}`)
  }
  return names
}
