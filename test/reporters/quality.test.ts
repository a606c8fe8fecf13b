import { marked } from 'marked'
import stringWidth from 'string-width'
import { expect, test } from 'vitest'
import { qualityMarkdown, renderQuality } from '../../reporters/quality.ts'
import { lapse } from '../../reporters/time.ts'
import type { QualityReport } from '../../src/series.ts'
import { HOSTILE_TEXTS } from '../data/hostile.ts'
import { OK, quality, qualityReport } from './monitored.ts'

const golden = (name: string): string => `../golden/${name}`

const hostile = (): QualityReport => {
  const texts = Object.values(HOSTILE_TEXTS)
  return qualityReport({
    experiment: texts[0] as string,
    reference: texts.join(' '),
    silent: texts,
    columns: texts.map((text, i) => {
      const column = quality(text, [180, 190])
      return {
        ...column,
        name: i % 2 ? text : `${text} 2`,
        column:
          i % 3
            ? { ...column.column, errorCodes: { [text]: 3 } }
            : { ...column.column, kind: 'category', aggregates: {}, counts: { [text]: 380 } },
        judges: [
          { version: 1, source: { type: 'LLM_JUDGE', id: text }, n: 1, firstMs: 0, lastMs: 1 },
          { source: { type: 'LLM_JUDGE', id: text }, n: 1, firstMs: Number.NaN, lastMs: 1 },
        ],
        drift: {
          ...OK,
          verdict: 'mix',
          isAlarm: true,
          found: { n: 1, timeMs: 8.64e15 + 1, traceId: text },
          label: { name: text, before: 0.1, after: 0.2 },
        },
      }
    }),
  })
}

for (const width of [60, 80, 100, 140]) {
  test(`renderQuality() looks as its golden: ${width} columns`, async () => {
    const text = renderQuality(qualityReport(), { width, colors: false })
    await expect(`${text}\n`).toMatchFileSnapshot(golden(`quality-${width}.txt`))
  })
}

test('renderQuality() looks as its golden: in ASCII, and where nobody has said anything', async () => {
  const screen = { width: 80, colors: false }
  await expect(`${renderQuality(qualityReport(), { ...screen, blocks: false })}\n`).toMatchFileSnapshot(
    golden('quality-ascii-80.txt'),
  )
  await expect(`${renderQuality(qualityReport({ columns: [] }), screen)}\n`).toMatchFileSnapshot(
    golden('quality-empty-80.txt'),
  )
})

test('qualityMarkdown() looks as its golden, and is one table', async () => {
  const text = qualityMarkdown(qualityReport())
  await expect(text).toMatchFileSnapshot(golden('quality.md'))
  const [heading, , table, list, ...more] = marked.lexer(text).filter(({ type }) => type !== 'space')
  expect([heading?.type, table?.type, list?.type, more]).toEqual(['heading', 'table', 'list', []])
})

test('renderQuality() differs with and without colours in nothing but colours', () => {
  const colored = renderQuality(qualityReport(), { width: 100, colors: true })
  expect(colored).toContain('\u001b[31mdrift: fell')
  expect(colored.replace(/\u001b\[\d+m/g, '')).toBe(renderQuality(qualityReport(), { width: 100, colors: false }))
})

test('renderQuality() is never wider than the screen and harmless, whatever the names', () => {
  for (const make of [qualityReport, hostile]) {
    for (const width of [1, 2, 5, 10, 20, 40, 59, 60, 61, 80, 100, 140, 200]) {
      for (const line of renderQuality(make(), { width, colors: false }).split('\n')) {
        expect(stringWidth(line), JSON.stringify(line)).toBeLessThanOrEqual(width)
        expect(line).not.toMatch(/[\p{Cc}\u200b\u202e\u2066]/u)
        expect(line).not.toMatch(/^\s*::/)
      }
    }
  }
})

test('qualityMarkdown() keeps hostile names inside of code', () => {
  const text = qualityMarkdown(hostile())
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u200b\u202e\u2066]/)
  const html = marked.parse(text, { async: false })
  expect(html).not.toMatch(/<(a|img|script|b|i|h1|details)\b/i)
  expect(html.match(/<table>/g)).toHaveLength(1)
})

test('renderQuality() says how many columns it leaves out', () => {
  const columns = Array.from({ length: 70 }, (_, i) => quality(`column ${i}`, [190]))
  const text = renderQuality(qualityReport({ columns, silent: [] }), { width: 100, colors: false })
  expect(text).toContain('… 10 more columns')
  expect(text).not.toContain('column 65')
  expect(qualityMarkdown(qualityReport({ columns }))).toContain('10 more columns')
})

test('lapse() gives the largest units', () => {
  const [minute, hour] = [60_000, 3_600_000]
  expect([0, 20_000, 5 * minute, 7 * hour, 90 * minute, 30 * hour, 48 * hour, 76 * hour].map(lapse)).toEqual([
    '0.0 ms',
    '20 s',
    '5 min',
    '7 h',
    '1 h 30 min',
    '30 h',
    '2 d',
    '3 d 4 h',
  ])
})
