/** Text from models and users, made fit to print. */

// Controls, lone surrogates, bidi overrides and isolates, and what leaves no mark: zero-width characters, fillers, variation
// selectors other than the two of emoji, and the tag characters in which a whole hidden text fits.
const HOSTILE =
  /[\p{Cc}\p{Cs}\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]|\u034f|\u17b4|\u17b5|[\u180b-\u180d]|\u180f|[\ufe00-\ufe0d]/gu

const NAMED: Record<string, string> = { '\n': '⏎', '\r': '␍', '\t': '⇥' }

/**
 * Gives one line in which nothing can steer a terminal or a CI log: control, bidi and invisible characters become visible
 * text, and so does what would make the line a workflow command (`::error::`, `##[group]`).
 */
export function visible(text: string): string {
  return text
    .replace(HOSTILE, (char) => NAMED[char] ?? escaped(char))
    .replace(/^(\s*):(?=:)/, '$1\\u003a')
    .replace(/##(?=\[|vso\[|teamcity\[)/gi, '#\\u0023')
}

function escaped(char: string): string {
  const hex = (char.codePointAt(0) as number).toString(16)
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`
}

/** Like `visible`, but line ends and tabs stay: for blocks of text, each line on its own. */
export function visibleBlock(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.replaceAll('\t', '  '))
    .map(visible)
    .join('\n')
}

/** Gives JSON text in which what `visible` would show is written as its escape: the same data, and nothing in it can steer a terminal. */
export function visibleJson(json: string): string {
  return json.replace(HOSTILE, (char) => (char === '\n' ? char : unitsOf(char)))
}

function unitsOf(char: string): string {
  return Array.from({ length: char.length }, (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join(
    '',
  )
}

/** Gives at most `length` characters, the last one an ellipsis where something was cut. Never cuts a surrogate pair. */
export function clip(text: string, length: number): string {
  if (text.length <= length) return text
  if (length <= 0) return ''
  let end = length - 1
  const last = text.charCodeAt(end - 1)
  if (last >= 0xd800 && last <= 0xdbff) end--
  return `${text.slice(0, end)}…`
}

/** Gives a number with thousands separators: "12,000", "1,234.50". Not by ICU, whose first number takes as long as a whole table (17 ms). */
export function grouped(value: number, places = 0): string {
  const [whole = '', rest] = value.toFixed(places).split('.')
  const text = whole.replace(/\B(?=(?:\d{3})+$)/g, ',')
  return rest === undefined ? text : `${text}.${rest}`
}

/** Gives "1 row", "2 rows", "12,000 rows". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${count === 1 ? one : many}`
}

/** Gives a duration for people: "0.4 ms", "87 ms", "1.24 s", "3 min 20 s". */
export function duration(ms: number): string {
  if (ms < 0.95) return `${ms.toFixed(1)} ms`
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_995) return `${(ms / 1_000).toFixed(2)} s`
  const seconds = Math.round(ms / 1_000)
  return seconds < 3_600
    ? `${Math.floor(seconds / 60)} min ${seconds % 60} s`
    : `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`
}
