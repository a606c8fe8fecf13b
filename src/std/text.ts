/** Text from models and users, made fit to print. */

// C0 and C1 controls, DEL, bidi overrides and isolates, zero-width and other invisible format characters, lone surrogates.
const HOSTILE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

const NAMED: Record<string, string> = { '\n': '⏎', '\r': '␍', '\t': '⇥' }

/** Gives one line in which nothing can steer a terminal: control, bidi and invisible characters become visible text. */
export function visible(text: string): string {
  return text.replace(HOSTILE, (char) => NAMED[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Like `visible`, but line ends and tabs stay: for blocks of text, each line on its own. */
export function visibleBlock(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.replaceAll('\t', '  '))
    .map(visible)
    .join('\n')
}

/** Gives at most `length` characters, the last one an ellipsis where something was cut. Never cuts a surrogate pair. */
export function clip(text: string, length: number): string {
  if (text.length <= length) return text
  let end = Math.max(0, length - 1)
  const last = text.charCodeAt(end - 1)
  if (last >= 0xd800 && last <= 0xdbff) end--
  return `${text.slice(0, end)}…`
}

/** Gives "1 row", "2 rows", "12,000 rows". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`
}

/** Gives a duration for people: "0.4 ms", "87 ms", "1.24 s", "3 min 20 s". */
export function duration(ms: number): string {
  if (ms < 1) return `${ms.toFixed(1)} ms`
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(2)} s`
  const seconds = Math.round(ms / 1_000)
  return seconds < 3_600
    ? `${Math.floor(seconds / 60)} min ${seconds % 60} s`
    : `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`
}
