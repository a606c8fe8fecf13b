import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { marked, type Token } from 'marked'
import { expect, test } from 'vitest'
import { renderAnnotations } from '../../reporters/annotations.ts'
import { renderComparison } from '../../reporters/comparison.ts'
import { renderJUnit } from '../../reporters/junit.ts'
import { renderMarkdown } from '../../reporters/markdown.ts'
import { renderMetrics } from '../../reporters/metrics.ts'
import { renderRun } from '../../reporters/terminal.ts'
import { compare } from '../../src/comparison.ts'
import { evaluate, feedback, scorer } from '../../src/index.ts'
import type { RunReport } from '../../src/reporter.ts'
import { visibleJson } from '../../src/std/text.ts'
import { memory } from '../../src/stores/memory.ts'
import { folder } from '../data/evaluation.ts'
import { HOSTILE_TEXTS } from '../data/hostile.ts'
import { sheetOf } from '../data/sheet.ts'
import { columns, report, run } from './samples.ts'

/** A report in which one text stands wherever text of others may stand: names, categories, rationales, errors, data, sentences. */
function hostile(text: string): RunReport {
  const row = { rowId: text, traceId: text, index: 0 }
  return report({
    run: run({
      name: text,
      reason: text,
      status: 'interrupted',
      test: { file: text, name: text, attempt: 0, repeat: 0 },
      columns: [
        { ...columns.concise, name: text },
        { ...columns.formality, name: `${text} 2`, counts: { [text]: 3 } },
        { ...columns.tone, name: `${text} 3`, errorCodes: { [text]: 1 } },
        { ...columns.length, name: `${text} 4`, aggregates: { mean: 1, [text]: 1 } },
      ],
      problems: [{ code: 'NAME_COLLISION', message: text }],
      baseline: { how: 'given', runId: text, commit: text, note: text },
      findings: (['fail', 'inconclusive', 'pass'] as const).map((verdict) => ({
        gate: { kind: 'must', metric: text, where: text },
        verdict,
        blocks: verdict === 'fail',
        message: text,
        rows: 1,
        of: 1,
        worst: [row],
      })),
    }),
    worst: [
      {
        ...row,
        inputs: JSON.stringify(text),
        outputs: text,
        feedback: [
          { name: text, value: text, rationale: text },
          { name: text, error: { code: text, message: text } },
        ],
      },
    ],
    failures: [{ code: text, message: text, count: 1, indexes: [0] }],
    store: text,
    parentName: text,
  })
}

// Controls other than line ends, half surrogates, bidi and what leaves no mark: none may come out anywhere.
const ESCAPES =
  /[\p{Cs}\0-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\u{e0000}-\u{e0fff}]/u
const COMMAND = /^\s*(::|##\[|##vso|##teamcity)/im

test('there are at least sixty hostile texts, all different', () => {
  expect(new Set(HOSTILE_TEXTS).size).toBeGreaterThanOrEqual(60)
})

test.each(HOSTILE_TEXTS)('a terminal is not steered by %j', (text) => {
  const sheets = [
    sheetOf({ ids: [text || 'a'], columns: { [text]: [true] } }),
    sheetOf({ ids: [text || 'a'], columns: { [text]: [false] } }),
  ] as const
  const comparison = compare(...sheets)
  const named = {
    ...comparison,
    gone: [text],
    added: [text],
    columns: comparison.columns.map((one) => ({ ...one, refused: text })),
  }
  for (const shown of [
    renderRun(hostile(text), { width: 80, colors: false }),
    renderComparison(named, { width: 80, colors: false }),
  ]) {
    expect(shown).not.toMatch(ESCAPES)
    expect(shown).not.toMatch(COMMAND)
  }
})

/** Every token of a Markdown text, and of those within. */
function* tokensOf(tokens: readonly Token[]): Generator<Token> {
  for (const token of tokens) {
    yield token
    const { tokens: inner = [], items = [], header = [], rows = [] } = token as any
    yield* tokensOf([
      ...inner,
      ...items,
      ...header.flatMap((cell: any) => cell.tokens),
      ...rows.flat().flatMap((cell: any) => cell.tokens),
    ])
  }
}
const OURS = /^<\/?(details|summary)>|^<!-- marker -->/

test.each(HOSTILE_TEXTS)('Markdown holds %j as text', (text) => {
  const shown = renderMarkdown([hostile(text)], { maxBytes: 100_000, marker: '<!-- marker -->' })
  const harmless = renderMarkdown([hostile('harmless')], { maxBytes: 100_000, marker: '<!-- marker -->' })
  expect(shown).not.toMatch(ESCAPES)
  expect(shown).not.toMatch(COMMAND)
  const shape = (markdown: string): string[] =>
    [...tokensOf(marked.lexer(markdown))].map(({ type }) => type).filter((type) => type !== 'space')
  // The same tables with as many cells, the same lists, and not one link, image or tag more.
  expect(shape(shown)).toEqual(shape(harmless))
  for (const token of tokensOf(marked.lexer(shown))) {
    expect(['link', 'image', 'def']).not.toContain(token.type)
    if (token.type === 'html') for (const tag of token.raw.match(/<[^>]*>/g) ?? []) expect(tag).toMatch(OURS)
    // Outside of code nothing is looked at twice by GitHub: no mention, no reference.
    if (token.type === 'text' && !(token as any).tokens) expect(token.raw).not.toMatch(/[@#]\w|https?:/)
  }
})

test.each(HOSTILE_TEXTS)('annotations of %j are one command each', (text) => {
  const lines = renderAnnotations([hostile(text)]).split('\n')
  expect(lines).toHaveLength(2)
  for (const line of lines) {
    expect(line).toMatch(/^::(error|warning) file=[^,:]*,title=[^,:]*::/)
    expect(line).not.toMatch(ESCAPES)
  }
})

test.each(HOSTILE_TEXTS)('JUnit with %j is XML of the same shape', (text) => {
  const shown = renderJUnit([hostile(text)])
  expect(XMLValidator.validate(shown)).toBe(true)
  expect(shown).not.toMatch(ESCAPES)
  expect(shown).not.toMatch(/[\ufffe\uffff]/)
  const parser = new XMLParser({
    ignoreAttributes: false,
    parseTagValue: false,
    isArray: (name) => name === 'testcase',
  })
  const { testsuites } = parser.parse(shown)
  const cases = testsuites.testsuite.testcase
  expect(cases).toHaveLength(3)
  expect(cases.map((one: object) => Object.keys(one).filter((key) => !key.startsWith('@_')))).toEqual([
    ['failure'],
    ['skipped'],
    ['system-out'],
  ])
  expect(new Set(cases.map((one: any) => one['@_name'])).size).toBe(3)
})

const SAMPLE = /^[a-z_]+\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\} -?[\d.e+-]+$/

test.each(HOSTILE_TEXTS)('metrics of %j are one series a line', (text) => {
  const lines = renderMetrics([hostile(text), hostile(text)])
    .trimEnd()
    .split('\n')
  expect(lines.pop()).toBe('# EOF')
  expect(new Set(lines).size).toBe(lines.length)
  for (const line of lines.filter((one) => !/^# TYPE evaluation(_gate)? gauge$/.test(one))) {
    expect(line).toMatch(SAMPLE)
    expect(line).not.toMatch(ESCAPES)
  }
})

test('JSON holds every text as it was, and nothing in it steers a terminal', () => {
  const json = visibleJson(
    JSON.stringify(
      HOSTILE_TEXTS.map((text) => ({ [text]: text })),
      null,
      2,
    ),
  )
  expect(json).not.toMatch(ESCAPES)
  expect(JSON.parse(json)).toEqual(HOSTILE_TEXTS.map((text) => ({ [text]: text })))
})

test('CSV holds every text in its own cell, and none is a formula', async () => {
  const rows = HOSTILE_TEXTS.map((text, i) => ({ id: `r${i}`, inputs: { text }, tags: { hostile: text } }))
  const said = scorer('said', ({ inputs }) => feedback({ value: inputs.text, rationale: inputs.text }))
  const path = join(folder(), 'run.csv')
  const evaluated = await evaluate(rows, ({ text }: { text: string }) => text, [said], { store: memory() })
  await evaluated.export(path)
  const records: Record<string, string>[] = parse(readFileSync(path), { columns: true })
  expect(records).toHaveLength(HOSTILE_TEXTS.length)
  for (const [i, record] of records.entries()) {
    const text = (HOSTILE_TEXTS[i] as string).toWellFormed().replaceAll('\0', '\ufffd')
    for (const cell of [record.outputs, record['feedback.said']]) {
      expect(cell?.replace(/^'(?='*[=+\-@\t\r\n])/, '')).toBe(text)
      expect(cell).not.toMatch(/^[=+\-@\t\r]/)
    }
  }
})
