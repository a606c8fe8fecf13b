import { expect, test } from 'vitest'
import { filled } from '../../data/filled.ts'
import { cli } from '../../data/terminal.ts'

test('search prints the traces that a filter finds, and how many there are', async () => {
  const { path } = await filled()
  const { code, out, err } = await cli(['search', "tag.part = 'a'", '--run', 'bot', '--store', path])
  expect([code, err]).toEqual([0, ''])
  expect(out.match(/tr-[0-9a-f]{32}/g)).toHaveLength(2)
  expect(out).toContain('What is a span?')
  expect(out.trimEnd().split('\n').at(-1)).toBe('2 traces')
  for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100)
  expect((await cli(['search', "tag.part = 'z'", '--store', path])).out).toBe('0 traces\n')
})

test('search without a filter gives everything, up to its limit', async () => {
  const { path, first, second } = await filled()
  const all = first.totals.rows + second.totals.rows
  expect((await cli(['search', '--store', path])).out).toContain(`${all} traces`)
  expect((await cli(['search', '--limit', '2', '--store', path])).out).toContain(
    `${all} traces, 2 shown; --limit shows more`,
  )
  expect((await cli(['search', '--experiment', 'none', '--store', path])).out).toBe('0 traces\n')
})

test('search --run means the Feedback of that run', async () => {
  const { path } = await filled()
  const count = async (...args: string[]) =>
    JSON.parse((await cli(['search', '--json', '--store', path, ...args])).out).count
  expect(await count('feedback.correct = false', '--run', 'bot')).toBe(2)
  expect(await count('feedback.correct = false', '--run', 'bot again')).toBe(0)
  expect(await count("status = 'ERROR'", '--run', 'bot')).toBe(1)
})

test('search --json prints count and traces with everything about them', async () => {
  const { path } = await filled()
  const { out } = await cli([
    'search',
    "feedback.shaky IS NULL AND status = 'OK'",
    '--run',
    'bot',
    '--json',
    '--store',
    path,
  ])
  const { count, traces } = JSON.parse(out)
  expect(count).toBe(1)
  expect(traces[0]).toMatchObject({ inputs: { q: 'What is a row?' }, status: 'OK', tags: { part: 'b' } })
  expect(traces[0].spans.map(({ name }: { name: string }) => name)).toContain('look up')
  expect(traces[0].assessments.map(({ name }: { name: string }) => name)).toEqual(['length', 'correct', 'shaky'])
})

test('search points at what is wrong with a filter', async () => {
  const { path } = await filled()
  const { code, out, err } = await cli(['search', "feedback.correct = 'no' AN status = 'OK'", '--store', path])
  expect([code, out]).toEqual([1, ''])
  expect(err).toContain('Cannot read the filter at position 25: expected AND, OR or the end, found "AN"')
  expect(err).toContain('^')
  expect((await cli(['search', 'x', '--run', 'none', '--store', path])).err).toContain('Cannot open run "none"')
})

test('search lets nothing in a trace steer the terminal', async () => {
  const { path } = await filled()
  expect((await cli(['search', '--run', 'bot', '--store', path])).out).not.toContain('\u001b')
})
