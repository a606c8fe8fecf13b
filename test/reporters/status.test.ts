import stringWidth from 'string-width'
import { expect, test } from 'vitest'
import { renderDeadLetters, renderStatus } from '../../reporters/status.ts'
import type { DeadLetter } from '../../src/status.ts'
import { HOSTILE_TEXTS } from '../data/hostile.ts'
import { monitorStatus, scorerStatus } from './monitored.ts'

const golden = (name: string): string => `../golden/${name}.txt`
const plain = (width: number) => ({ width, colors: false })

const letter = (over: Partial<DeadLetter> = {}): DeadLetter => ({
  experiment: 'shop',
  scorer: 'grounded',
  version: 2,
  level: 'trace',
  entity: 'tr-0199f0aa000000000000000000000009',
  attempts: 5,
  crashed: false,
  error: { code: 'SCORER_TIMEOUT', message: 'did not finish within 60 s' },
  ...over,
})
const letters = [letter(), letter({ scorer: 'safety', version: 1, level: 'session', entity: 's-12', crashed: true })]

for (const width of [60, 80, 100, 140]) {
  test(`renderStatus() looks as its golden: ${width} columns`, async () => {
    await expect(`${renderStatus(monitorStatus(), plain(width))}\n`).toMatchFileSnapshot(golden(`status-${width}`))
  })
}

test('renderDeadLetters() looks as its golden', async () => {
  await expect(`${renderDeadLetters(letters, 12, plain(100))}\n`).toMatchFileSnapshot(golden('dead-100'))
  expect(renderDeadLetters([], 0, plain(100))).toBe('No dead letters')
})

test('renderStatus() names the experiment where there are several', () => {
  const scorers = [scorerStatus('safe'), scorerStatus('safe', { registered: { experiment: 'bank' } })]
  const text = renderStatus(monitorStatus({ scorers }), plain(140))
  expect(text).toMatch(/^experiment +scorer/)
  expect(text).toMatch(/^bank +safe/m)
})

test('renderStatus() says when no monitor runs, and when nothing is registered', () => {
  const none = renderStatus(monitorStatus({ monitors: monitorStatus().monitors.slice(1) }), plain(140))
  expect(none).toContain(
    '! no monitor runs; the last one was heard of 27 h ago, 2026-01-10 21:00 UTC: start one with vitest-evaluate monitor',
  )
  expect(renderStatus(monitorStatus({ monitors: [] }), plain(140))).toContain('! no monitor runs: start one')
  const stopped = monitorStatus({ monitors: [], scorers: [scorerStatus('tone', { registered: { sampleRate: 0 } })] })
  expect(renderStatus(stopped, plain(140))).not.toContain('no monitor runs')
  expect(renderStatus(monitorStatus({ scorers: [], monitors: [] }), plain(140))).toMatch(
    /^no scorer is registered: scorer\.register/,
  )
})

test('renderStatus() and renderDeadLetters() are never wider than the screen and harmless', () => {
  const texts = Object.values(HOSTILE_TEXTS)
  const status = monitorStatus({
    scorers: texts.map((text, i) =>
      scorerStatus(text, { registered: { experiment: i % 2 ? text : 'shop', filterString: text } }),
    ),
    monitors: texts.map((text) => ({ id: text, host: text, isAlive: true })),
  })
  const dead = texts.map((text) =>
    letter({ experiment: text, scorer: text, entity: text, error: { code: text, message: text } }),
  )
  for (const width of [1, 5, 20, 59, 60, 80, 100, 140, 200]) {
    for (const text of [renderStatus(status, plain(width)), renderDeadLetters(dead, 100, plain(width))]) {
      for (const line of text.split('\n')) {
        expect(stringWidth(line), JSON.stringify(line)).toBeLessThanOrEqual(width)
        expect(line).not.toMatch(/[\p{Cc}\u200b\u202e\u2066]/u)
        expect(line).not.toMatch(/^\s*::/)
      }
    }
  }
})
