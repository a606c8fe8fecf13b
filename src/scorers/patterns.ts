import { isIPv4, isIPv6 } from 'node:net'

/** Personal data that a pattern and, where there is one, a checksum can tell from other text. */

export const PII_KINDS = ['email', 'phone', 'card', 'iban', 'ip', 'ssn'] as const
/** A kind of personal data that can be told by its form. */
export type PiiKind = (typeof PII_KINDS)[number]

export interface PiiFinding {
  readonly kind: PiiKind
  /** Where it begins, in UTF-16 units from 0. */
  readonly at: number
  readonly text: string
}

/** How one form is found. Every pattern begins at an edge and is bounded, so that hostile text costs linear time. */
interface Detector {
  readonly pattern: RegExp
  /** Gives the part of a candidate, from its beginning, that stands the test. */
  readonly accept?: (candidate: string) => string | undefined
}

const EDGE = '(?<![\\p{L}\\p{N}])'
const END = '(?![\\p{L}\\p{N}])'
const CARD_FORMS = [
  '\\d{13,19}',
  '\\d{4}([ -])\\d{4}\\1\\d{4}\\1\\d{4}\\1\\d{3}',
  '\\d{4}([ -])\\d{4}\\1\\d{4}\\1\\d{4}',
  '\\d{4}([ -])\\d{6}\\1\\d{4,5}',
]

const DETECTORS: Readonly<Record<PiiKind, readonly Detector[]>> = {
  email: [{ pattern: /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}._%+-]{1,64}@(?:[\p{L}\p{N}-]{1,63}\.){1,10}\p{L}{2,63}/gu }],
  phone: [
    { pattern: /(?<![\p{L}\p{N}+])\+[1-9]\d{0,2}(?:[ .()\u00a0-]{0,2}\d){7,12}(?!\d)/gu },
    {
      pattern:
        /(?<![\p{L}\p{N}.-])(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])\d{3}[ .-]\d{4}(?![\p{L}\p{N}]|[.-]\d)/gu,
    },
  ],
  card: CARD_FORMS.map((form) => ({
    pattern: new RegExp(`${EDGE}(?=[2-6])${form}${END}`, 'gu'),
    accept: (candidate) => (passesLuhn(candidate) ? candidate : undefined),
  })),
  iban: [{ pattern: new RegExp(`${EDGE}[A-Z]{2}\\d{2}(?: ?[A-Z0-9]){11,30}${END}`, 'gu'), accept: longestIban }],
  ip: [
    { pattern: /(?<![\p{L}\p{N}]|\d\.)\d{1,3}(?:\.\d{1,3}){3}(?![\p{L}\p{N}]|\.\d)/gu, accept: addressV4 },
    { pattern: /(?<![\p{L}\p{N}:.])[0-9a-f:][0-9a-f:.]{2,44}(?![\p{L}\p{N}:])/giu, accept: addressV6 },
  ],
  ssn: [{ pattern: /(?<![\p{L}\p{N}-])(?!000|666|9)\d{3}([ -])(?!00)\d{2}\1(?!0000)\d{4}(?![\p{L}\p{N}]|-\d)/gu }],
}

/** What may hold another kind is looked for before it. */
const ORDER: readonly PiiKind[] = ['iban', 'email', 'card', 'ip', 'ssn', 'phone']

/** Gives what was found, by place. No character belongs to two findings. */
export function findPii(text: string, kinds: readonly PiiKind[]): PiiFinding[] {
  const findings: PiiFinding[] = []
  let rest = text
  for (const kind of ORDER) {
    if (!kinds.includes(kind)) continue
    for (const detector of DETECTORS[kind]) rest = take(rest, kind, detector, findings)
  }
  return findings.sort((a, b) => a.at - b.at)
}

/** Adds what one detector finds, and gives the text with it blanked out, every other character in its place. */
function take(text: string, kind: PiiKind, { pattern, accept }: Detector, findings: PiiFinding[]): string {
  let rest = ''
  let done = 0
  pattern.lastIndex = 0
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    const at = match.index
    const found = accept ? accept(match[0]) : match[0]
    pattern.lastIndex = found === undefined ? at + 1 : at + found.length
    if (found === undefined) continue
    findings.push({ kind, at, text: found })
    rest += text.slice(done, at) + '\0'.repeat(found.length)
    done = at + found.length
  }
  return done === 0 ? text : rest + text.slice(done)
}

/** ISO/IEC 7812: from the right, every second digit doubled, digits summed, divisible by ten. */
function passesLuhn(candidate: string): boolean {
  const digits = candidate.replace(/\D/g, '')
  let sum = 0
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i])
    const doubled = i % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}

/** A candidate may have run on into the words behind it, so each of its groups may be the last. */
function longestIban(candidate: string): string | undefined {
  for (let end = candidate.length; end > 0; end = candidate.lastIndexOf(' ', end - 1)) {
    const iban = candidate.slice(0, end)
    const compact = iban.replaceAll(' ', '')
    if (compact.length < 15) return undefined
    if (remainder97(compact.slice(4) + compact.slice(0, 4)) === 1) return iban
  }
  return undefined
}

/** ISO 7064: letters stand for 10 to 35. */
function remainder97(text: string): number {
  let remainder = 0
  for (const char of text) {
    const value = Number.parseInt(char, 36)
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97
  }
  return remainder
}

function addressV4(candidate: string): string | undefined {
  return isIPv4(candidate) && !candidate.startsWith('127.') && candidate !== '0.0.0.0' ? candidate : undefined
}

/** Without a digit it would rather be two words of a program (`add::bed`). */
function addressV6(candidate: string): string | undefined {
  const sentenceEnd = candidate.replace(/\.+$/, '')
  const address = isIPv6(sentenceEnd) ? sentenceEnd : sentenceEnd.replace(/:$/, '')
  return isIPv6(address) && /\d/.test(address) && address !== '::1' ? address : undefined
}
