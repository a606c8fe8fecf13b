import { quote } from './errors.ts'
import { isScorerClass, SCORER_OPTIONS, type Scorer } from './scorer.ts'
import { canonical, sha256 } from './std/json.ts'

/**
 * Gives the version that tells whether cells of another run may stand for this scorer's: its own `version`, else a digest of
 * source text and configuration. It cannot see changed helpers that the source merely calls.
 */
export function scorerVersion(item: Scorer): string {
  if (item.version !== undefined) return item.version
  const parts = Object.entries(item)
    .filter(([key]) => !SCORER_OPTIONS.includes(key))
    .map(([key, value]) => `${key} ${settingText(value)}`)
    .sort()
  // Every class up to the library's own, of which the text says nothing about the scorer.
  for (
    let made = item.constructor;
    typeof made === 'function' && isScorerClass(made);
    made = Object.getPrototypeOf(made)
  )
    if (made.name !== 'ConfiguredScorer') parts.push(String(made))
  parts.push(String(item.score))
  return sha256(parts.join('\n')).slice(0, 16)
}

function settingText(value: unknown): string {
  if (typeof value === 'function') return String(value)
  if (Array.isArray(value)) return `[${value.map(settingText).join(',')}]`
  try {
    return canonical(value)
  } catch {
    return quote(value)
  }
}
