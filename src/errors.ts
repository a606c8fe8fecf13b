import { distance } from 'fastest-levenshtein'
import { clip, visible } from './std/text.ts'

/** What went wrong, for programs. Every code is thrown from one kind of place only. */
export type EvaluationErrorCode =
  | 'SOURCE_NOT_FOUND'
  | 'SOURCE_NOT_READABLE'
  | 'SOURCE_MALFORMED'
  | 'ROW_INVALID'
  | 'DATA_EMPTY'
  | 'FILTER_INVALID'
  | 'STORE_NOT_READABLE'
  | 'STORE_NOT_WRITABLE'
  | 'STORE_LOCKED'
  | 'STORE_TOO_NEW'
  | 'RUN_NOT_FOUND'
  | 'TRACE_NOT_FOUND'
  | 'ASSESSMENT_NOT_FOUND'
  | 'SCORER_NOT_FOUND'
  | 'SCORER_INVALID'
  | 'MODULE_NOT_FOUND'
  | 'MODULE_INVALID'
  | 'EXPORT_NOT_FOUND'
  | 'BACKFILL_NOT_FOUND'
  | 'RUN_INTERRUPTED'
  | 'RESUME_REFUSED'
  | 'RUN_FAILED'
  | 'EXPORT_FAILED'
  | 'ARCHIVE_UNFIT'
  | 'ARCHIVE_NOT_READABLE'
  | 'ARCHIVE_NOT_WRITABLE'
  | 'DEPENDENCY_MISSING'
  | 'CONFIG_INVALID'

/** What an EvaluationError says beside its message. */
export interface EvaluationErrorDetails {
  /** What the reader can do about it, in one sentence. */
  readonly hint?: string | undefined
  readonly cause?: unknown
  /** The run that holds everything computed before the fault, where there is one. */
  readonly runId?: string | undefined
}

/**
 * Reports that the environment is not as it has to be: a file, a store, a dependency, a source that breaks off.
 *
 * The caller's own mistakes are `TypeError` and `RangeError`; what happens inside one row is never thrown but recorded.
 */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError'
  readonly code: EvaluationErrorCode
  readonly hint: string | undefined
  readonly runId: string | undefined

  constructor(code: EvaluationErrorCode, message: string, details: EvaluationErrorDetails = {}) {
    super(details.hint ? `${message}\nHint: ${details.hint}` : message, { cause: details.cause })
    this.code = code
    this.hint = details.hint
    this.runId = details.runId
  }
}

/** Gives the candidate nearest to a mistyped word, or undefined when none is near enough to be meant. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  // Never the whole word: everything is two letters away from a word of two letters.
  let bestDistance = Math.min(Math.max(2, Math.floor(word.length / 3)), word.length - 1) + 1
  for (const candidate of candidates) {
    const d = distance(word.toLowerCase(), candidate.toLowerCase())
    if (d < bestDistance) {
      best = candidate
      bestDistance = d
    }
  }
  return best
}

/** Gives ` (did you mean "x"?)` when a candidate is near, else an empty string. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const near = nearest(word, candidates)
  return near === undefined ? '' : ` (did you mean "${near}"?)`
}

/**
 * Quotes a value for an error sentence: strings in double quotes, other things by what they are, on one line, never very long. Never
 * throws, whatever getters and proxies do.
 */
export function quote(value: unknown): string {
  try {
    return visible(described(value))
  } catch {
    return 'a value that cannot be described'
  }
}

function described(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(clip(value, 80))
  if (typeof value === 'bigint') return clip(`${value}n`, 80)
  if (typeof value === 'function') return value.name ? `function ${clip(value.name, 80)}` : 'a function'
  if (value === null || typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return `an array of ${value.length}`
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name
  if (typeof name === 'string' && name !== '' && name !== 'Object') {
    return `${/^[AEIO]/i.test(name) ? 'an' : 'a'} ${clip(name, 80)}`
  }
  const keys = Object.keys(value)
  const shown = keys.slice(0, 5).map((key) => clip(key, 40))
  return keys.length === 0 ? 'an empty object' : `an object with ${shown.join(', ')}${keys.length > 5 ? ', …' : ''}`
}

/** Gives the message of whatever was thrown, which may be any value, with getters that throw. Never empty. */
export function messageOf(thrown: unknown): string {
  try {
    if (thrown instanceof Error) return String(thrown.message || thrown.name || 'Error')
    if (typeof thrown === 'string' && thrown !== '') return thrown
    if (thrown && typeof thrown === 'object' && 'message' in thrown) return String(thrown.message)
    return quote(thrown)
  } catch {
    return 'a value that cannot be described'
  }
}
