import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type PiiKind, pii } from '../../../src/scorers/index.ts'
import { findPii, PII_KINDS } from '../../../src/scorers/patterns.ts'

const found = (text: string): [PiiKind, string][] => findPii(text, PII_KINDS).map(({ kind, text }) => [kind, text])

test.each<[PiiKind, string]>([
  ['email', 'jo.doe+x@mail.example.com'],
  ['email', 'jürgen@bücher.example'],
  ['phone', '+44 20 7946 0958'],
  ['phone', '+49 (0)30 901820'],
  ['phone', '+12125550123'],
  ['phone', '(212) 555-0123'],
  ['phone', '212.555.0123'],
  ['phone', '1-212-555-0123'],
  ['card', '4111 1111 1111 1111'],
  ['card', '4111-1111-1111-1111'],
  ['card', '5555555555554444'],
  ['card', '3782 822463 10005'],
  ['card', '2223003122003222'],
  ['iban', 'DE89 3704 0044 0532 0130 00'],
  ['iban', 'GB82WEST12345698765432'],
  ['iban', 'NO93 8601 1117 947'],
  ['ip', '8.8.8.8'],
  ['ip', '192.168.0.254'],
  ['ip', '2001:db8::8a2e:370:7334'],
  ['ip', 'fe80::1'],
  ['ssn', '078-05-1120'],
  ['ssn', '219 09 9999'],
])('pii() finds the %s %s in a sentence, in brackets, at both ends', (kind, text) => {
  for (const around of [text, `see ${text}.`, `(${text})`, `Nr ${text}, please`, `a: ${text}\nb`, `“${text}”`]) {
    expect(found(around), around).toEqual([[kind, text]])
  }
})

test.each([
  'nothing at all',
  'mail me @home, or a@b',
  '4111 1111 1111 1112', // fails the Luhn test
  '1111111111111111', // no card begins with 1
  '1700000000000 ms', // a time stamp
  'DE88 3704 0044 0532 0130 00', // fails the checksum
  '999.1.1.1',
  '1.2.3',
  '1.2.3.4.5',
  '127.0.0.1 and ::1 and 0.0.0.0 and ::',
  'at 12:30:45',
  'std::vector, dead::beef, a::b',
  '00:1a:2b:3c:4d:5e',
  '000-12-3456, 666-12-3456, 912-12-3456, 123-00-4567, 123-45-0000',
  '2024-10-12, 1,234,567.89, +1 and +12',
  'order 20241012-55',
  '3.14159265358979',
])('pii() finds nothing in %j', (text) => {
  expect(found(text)).toEqual([])
})

test('pii() finds a card behind other digits and before an expiry date', () => {
  expect(found('2024 4111 1111 1111 1111 12/26')).toEqual([['card', '4111 1111 1111 1111']])
})

test('pii() ends an IBAN where its checksum does', () => {
  expect(found('DE89 3704 0044 0532 0130 00 BIC COBADEFF')).toEqual([['iban', 'DE89 3704 0044 0532 0130 00']])
})

test('pii() counts no character twice and looks for the kinds asked for', () => {
  const text = 'DE89 3704 0044 0532 0130 00 jo@example.com'
  expect(pii({ kinds: ['phone', 'ssn'] })({ outputs: text }).value).toBe('yes')
  expect(pii({ kinds: ['email'] })({ outputs: text })).toMatchObject({
    value: 'no',
    rationale: 'Found 1 email: email ••@•••••••.••• at character 29',
  })
  expect(pii({ kinds: ['ip', 'email'] }).version).toBe(pii({ kinds: ['email', 'ip'] }).version)
})

test('pii() names kinds and places in the rationale, at most five', () => {
  const outputs = 'a@b.co 8.8.8.8 c@d.co 078-05-1120 e@f.co g@h.co'
  expect(pii()({ outputs }).rationale).toBe(
    'Found 4 emails, 1 ip, 1 ssn: email •@•.•• at character 1, ip •.•.•.• at character 8, email •@•.•• at character 16, ' +
      'ssn •••-••-•••• at character 23, email •@•.•• at character 35, and 1 more',
  )
})

test('pii() never repeats what it found', () => {
  const secrets = [
    'zoë@exämple.com',
    '+44 20 7946 0958',
    '4111 1111 1111 1111',
    'GB82WEST12345698765432',
    '203.0.113.77',
    '078-05-1120',
  ]
  fc.assert(
    fc.property(
      fc.shuffledSubarray(secrets, { minLength: 1 }),
      fc.constantFrom(' ', ', ', '\n', ' / '),
      (chosen, between) => {
        const feedback = pii()({ outputs: chosen.join(between) })
        expect(feedback.value).toBe('no')
        // Apart from the excerpts the sentence has kinds, counts and places only.
        for (const secret of chosen) {
          for (const piece of secret.match(/[\p{L}\p{N}]{3,}/gu) ?? []) expect(feedback.rationale).not.toContain(piece)
        }
      },
    ),
  )
})

test.each<[string, string]>([
  ['letters', 'a'.repeat(300_000)],
  ['digits', '1'.repeat(300_000)],
  ['digits apart', '4 '.repeat(150_000)],
  ['ats', 'a@'.repeat(150_000)],
  ['dots', `a@${'a.'.repeat(150_000)}`],
  ['plus signs', '+1 '.repeat(100_000)],
  ['colons', 'a:'.repeat(150_000)],
  ['card groups', '4444 '.repeat(60_000)],
  ['IBAN heads', 'AB12 '.repeat(60_000)],
  ['finds', 'a@b.co '.repeat(40_000)],
])('pii() takes linear time on hostile %s', (_, text) => {
  const started = performance.now()
  findPii(text, PII_KINDS)
  expect(performance.now() - started).toBeLessThan(5_000)
})
