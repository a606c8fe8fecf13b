import { clip, visible } from '../src/std/text.ts'

/** Text of users and models made harmless for what is not a terminal: Markdown, XML, workflow commands, OpenMetrics. */

const MAX = 2_000

/**
 * Gives text as a code span of GitHub's Markdown, in which there are no links, mentions, images or HTML. What could end the span or the cell of
 * a table around it is replaced by what looks like it.
 */
export function code(text: string, max = MAX): string {
  const plain = visible(clip(text, max)).replaceAll('`', '\u02cb').replaceAll('|', '\u2502').trim()
  return plain === '' ? '` `' : `\`${plain}\``
}

// What XML 1.0 cannot hold beside the controls that `visible` has already taken: half surrogates and two that are no characters.
const NO_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu

/** Gives text for an attribute or an element of XML. */
export function xml(text: string, max = MAX): string {
  return visible(clip(text, max))
    .replace(NO_XML, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&apos;')
}

/** Gives text for the message of a GitHub workflow command. */
export function commandMessage(text: string, max = MAX): string {
  return visible(clip(text, max)).replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

/** Gives text for a property of a GitHub workflow command. */
export function commandProperty(text: string, max = MAX): string {
  return commandMessage(text, max).replaceAll(':', '%3A').replaceAll(',', '%2C')
}

/** Gives text for the value of a label of OpenMetrics. */
export function label(text: string, max = 200): string {
  return visible(clip(text, max)).replaceAll('\\', '\\\\').replaceAll('"', '\\"')
}
