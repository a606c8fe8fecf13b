import { XMLValidator } from 'fast-xml-parser'
import { expect, test } from 'vitest'
import { renderAnnotations } from '../../reporters/annotations.ts'
import { renderJUnit } from '../../reporters/junit.ts'
import { COMMENT_BYTES, renderMarkdown, SUMMARY_BYTES } from '../../reporters/markdown.ts'
import { renderMetrics } from '../../reporters/metrics.ts'
import type { Finding, Verdict } from '../../src/finding.ts'
import type { RunReport } from '../../src/reporter.ts'
import { columns, report, run } from './samples.ts'

const golden = (name: string): string => `../golden/${name}`

const finding = (verdict: Verdict, message: string, more: Partial<Finding> = {}): Finding => ({
  gate: { kind: 'floor', metric: 'concise/mean', value: 0.9 },
  verdict,
  blocks: verdict === 'fail',
  message,
  rows: 38,
  of: 40,
  ...more,
})

const gated = (): RunReport =>
  report({
    run: run({
      test: { file: 'evals/support.eval.ts', name: 'support bot', line: 12, attempt: 0, repeat: 0 },
      baseline: {
        how: 'base',
        runId: 'run_0199f0aa000000aaaa',
        commit: '1a2b3c4d5e',
        note: 'the commit that the change is based on',
      },
      findings: [
        finding('pass', 'concise/mean is at least 0.9: 0.947, between 0.91 and 0.98 (38 of 40 rows)', {
          estimate: 0.947,
          detectable: 0.1,
        }),
        finding(
          'inconclusive',
          'grounded may or may not fall by 0.03: 0.95 after 0.95, 0, between −0.08 and +0.08 (38 of 40 rows)',
          {
            gate: { kind: 'margin', metric: 'grounded', value: 0.03 },
          },
        ),
        finding('fail', 'safe does not pass on 2 of 38 rows', {
          gate: { kind: 'must', metric: 'safe' },
          worst: [3, 5].map((index) => ({ rowId: `q-${index}`, traceId: 'tr-1', index })),
          worstCount: 2,
        }),
      ],
    }),
  })

test('renderMarkdown() looks as its golden', async () => {
  await expect(renderMarkdown([gated()], { maxBytes: COMMENT_BYTES, marker: '<!-- here -->' })).toMatchFileSnapshot(
    golden('summary.md'),
  )
})

test('renderAnnotations() looks as its golden: what blocks is an error at the line of its evaluation', async () => {
  await expect(`${renderAnnotations([gated()])}\n`).toMatchFileSnapshot(golden('annotations.txt'))
})

test('renderJUnit() looks as its golden', async () => {
  await expect(renderJUnit([gated()])).toMatchFileSnapshot(golden('junit.xml'))
})

test('renderMetrics() looks as its golden', async () => {
  await expect(renderMetrics([gated()])).toMatchFileSnapshot(golden('metrics.txt'))
})

/** Far more than there is room for: 300 evaluations, each with 50 columns, 60 gates and endless text. */
const many = (): RunReport[] =>
  Array.from({ length: 300 }, (_, n) => {
    const long = 'x'.repeat(5_000)
    return report({
      run: run({
        name: `evaluation ${n} ${long}`,
        columns: Array.from({ length: 50 }, (_, c) => ({ ...columns.concise, name: `column ${c} ${long}` })),
        problems: Array.from({ length: 50 }, () => ({ code: 'ROWS_FAILED' as const, message: long })),
        findings: Array.from({ length: 60 }, (_, g) => finding(g % 3 === 0 ? 'fail' : 'inconclusive', `${g} ${long}`)),
      }),
      worst: Array.from({ length: 3 }, (_, index) => ({
        rowId: long,
        traceId: long,
        index,
        inputs: long,
        outputs: long,
        feedback: [],
      })),
    })
  })

test('whatever there is to say, a summary stays below 900 KiB, a comment below 65,536 characters, and says what it leaves out', () => {
  const reports = many()
  for (const maxBytes of [SUMMARY_BYTES, COMMENT_BYTES]) {
    const text = renderMarkdown(reports, { maxBytes })
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes)
    expect(Buffer.byteLength(text)).toBeGreaterThan(maxBytes / 2)
    expect(text).toMatch(/^### ❌ 300 evaluations, gates: 6000 failed, 12000 inconclusive\n/)
    expect(text).toMatch(/\n[\d,]+ sections left out for want of room; `vitest-evaluate show` has them\n$/)
    expect(text.length).toBeLessThan(65_536 + (maxBytes === SUMMARY_BYTES ? 1e6 : 0))
  }
})

test('of many findings the worst ten errors and ten warnings are shown, with a count of the rest', () => {
  const lines = renderAnnotations(many()).split('\n')
  expect(lines.filter((line) => line.startsWith('::error '))).toHaveLength(10)
  expect(lines.filter((line) => line.startsWith('::warning '))).toHaveLength(10)
  expect(lines[9]).toBe('::error title=Evaluations::5,991 more findings in the job summary')
})

test('JUnit stays below 30 MB, and is valid with what it leaves out', () => {
  const text = renderJUnit([...many(), ...many()])
  expect(Buffer.byteLength(text)).toBeLessThan(30e6)
  expect(XMLValidator.validate(text)).toBe(true)
  expect(text).toMatch(/<!-- \d+ runs left out for want of room -->/)
})

test('runs without gates are reported as they are', () => {
  const reports = [report()]
  expect(renderMarkdown(reports, { maxBytes: COMMENT_BYTES })).toMatch(/^### 1 evaluation, no gates\n/)
  expect(renderAnnotations(reports)).toBe('')
  expect(renderJUnit(reports)).toContain('tests="0" failures="0"')
  expect(renderMetrics([])).toBe('# EOF\n')
})
