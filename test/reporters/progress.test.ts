import stringWidth from 'string-width'
import { expect, test } from 'vitest'
import { progressLine, renderProgress } from '../../reporters/progress.ts'
import type { Progress } from '../../src/handoff.ts'
import { HOSTILE } from './samples.ts'

const base: Progress = {
  runId: 'run_1',
  name: 'support bot',
  done: 1_204,
  total: 4_000,
  failed: 2,
  errors: 1,
  elapsedMs: 3_859,
}
const all: Progress[] = [
  base,
  { runId: 'run_2', name: '検索ボット 🔍', done: 12, failed: 0, errors: 0, elapsedMs: 3_859 },
  { runId: 'run_3', name: 'started just now', done: 0, total: 1_000_000, failed: 0, errors: 0, elapsedMs: 0 },
  { runId: 'run_4', name: 'done', done: 40, total: 40, failed: 0, errors: 12, elapsedMs: 900 },
]

test('renderProgress() looks as its golden', async () => {
  const drawn = [120, 80, 60].map((width) => renderProgress(all, { width, colors: false }).join('\n'))
  await expect(`${drawn.join('\n\n')}\n`).toMatchFileSnapshot('../golden/progress.txt')
})

test('renderProgress() gives one line per evaluation, none wider than the screen', () => {
  const hostile = Object.values(HOSTILE).map((name) => ({ ...base, name }))
  for (const width of [1, 20, 40, 80, 120]) {
    for (const colors of [true, false]) {
      const lines = renderProgress([...all, ...hostile], { width, colors })
      expect(lines).toHaveLength(all.length + hostile.length)
      for (const line of lines) {
        expect(stringWidth(line)).toBeLessThanOrEqual(width)
        expect(line).not.toMatch(/\n|^\s*::/)
      }
    }
  }
  expect(renderProgress([], { width: 80, colors: false })).toEqual([])
})

test('progressLine() says how far, how fast and how long', () => {
  expect(all.map(progressLine)).toEqual([
    'support bot: 1,204 of 4,000 rows, 312 rows/s, 9 s left, 2 failed, 1 error',
    '検索ボット 🔍: 12 rows, 3.1 rows/s',
    'started just now: 0 of 1,000,000 rows',
    'done: 40 of 40 rows, 44 rows/s, 12 errors',
  ])
})

test('progressLine() counts no more than all and never less than no time', () => {
  expect(progressLine({ ...base, done: 5_000 })).not.toContain('left')
  expect(renderProgress([{ ...base, done: 5_000 }], { width: 120, colors: false })[0]).toContain('█'.repeat(16))
  expect(progressLine({ ...base, done: 1, elapsedMs: 10_000 })).toContain('11 h 6 min left')
})

test('progressLine() is one line that no log takes for a command', () => {
  for (const name of Object.values(HOSTILE)) {
    expect(progressLine({ ...base, name })).not.toMatch(/[\u0000-\u001f]|^\s*::|##\[/)
  }
})
