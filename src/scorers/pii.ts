import { quote } from '../errors.ts'
import { plural } from '../std/text.ts'
import { oneOf, type Rule, settle } from './options.ts'
import { findPii, PII_KINDS, type PiiFinding, type PiiKind } from './patterns.ts'
import { type ReadyScorer, ready, verdict } from './ready.ts'
import { OUTPUT_RULES, type OutputOptions, outputText } from './text.ts'

/** Which kinds of personal data are looked for. */
export interface PiiOptions extends OutputOptions {
  /** What to look for. @default all of email, phone, card, iban, ip, ssn */
  readonly kinds?: readonly PiiKind[]
}

/**
 * Gives `yes` when the answer is free of personal data by pattern, else `no` with a rationale that names the kinds and places, masked: what
 * was found never stands in it. Column `pii_free`; no expectation is read.
 *
 * Found are e-mail addresses; phone numbers with a country code or in North American form; payment card numbers (13 to 19 digits, Luhn);
 * IBANs (ISO 13616, checksum); IPv4 and IPv6 addresses other than loopback and unspecified ones; US social security numbers. Names,
 * street addresses and numbers in other national forms are not: no pattern tells them from other text.
 *
 * @throws TypeError, RangeError for options that do not fit
 */
export function pii(options?: PiiOptions): ReadyScorer {
  const settings = settle('pii', options, { name: 'pii_free', kinds: PII_KINDS }, { ...OUTPUT_RULES, kinds: kindList })
  const kinds = PII_KINDS.filter((kind) => settings.kinds.includes(kind))
  return ready('pii', { ...settings, kinds }, (args) => {
    const findings = findPii(outputText(args, settings), kinds)
    return findings.length === 0 ? verdict(true) : verdict(false, rationale(kinds, findings))
  })
}

const SHOWN = 5

function rationale(kinds: readonly PiiKind[], findings: readonly PiiFinding[]): string {
  const counts = kinds
    .map((kind) => ({ kind, count: findings.filter((finding) => finding.kind === kind).length }))
    .filter(({ count }) => count > 0)
    .map(({ kind, count }) => plural(count, kind))
  const places = findings.slice(0, SHOWN).map(({ kind, at, text }) => `${kind} ${masked(text)} at character ${at + 1}`)
  const more = findings.length > SHOWN ? `, and ${findings.length - SHOWN} more` : ''
  return `Found ${counts.join(', ')}: ${places.join(', ')}${more}`
}

/** Keeps the shape only. */
function masked(text: string): string {
  return text.replace(/[\p{L}\p{M}\p{N}]/gu, '•')
}

const kindList: Rule = (value, what) => {
  if (!Array.isArray(value)) throw new TypeError(`${what} must be a list, found ${quote(value)}`)
  if (value.length === 0) throw new RangeError(`${what} must not be empty`)
  value.forEach((item, i) => {
    oneOf(PII_KINDS)(item, `${what}[${i}]`)
  })
}
