import stringWidth from 'string-width'
import { expect, test } from 'vitest'
import { renderRun } from '../../reporters/terminal.ts'
import type { Column } from '../../src/column.ts'
import type { Finding } from '../../src/finding.ts'
import type { RunReport } from '../../src/reporter.ts'
import { columns, HOSTILE, report, run } from './samples.ts'

const golden = (name: string): string => `../golden/${name}.txt`
const plain = (width: number) => ({ width, colors: false })

const long: Column = { ...columns.concise, name: 'retrieval_groundedness_of_every_single_claim' }
const wide: Column = { ...columns.concise, name: '簡潔さ 🙂' }
const joined: Column = { ...columns.concise, name: '👩🏽‍🚀 crew' }

const hostile = (): RunReport => {
  const texts = Object.values(HOSTILE)
  return report({
    run: run({
      name: HOSTILE.command,
      columns: [
        ...texts.map((name) => ({ ...columns.concise, name })),
        { ...columns.formality, counts: Object.fromEntries(texts.map((text) => [text, 1])) },
        { ...columns.tone, errorCodes: { [HOSTILE.command]: 1, [HOSTILE.nested]: 2 } },
        { ...columns.length, aggregates: { [HOSTILE.command]: 1 } },
      ],
      status: 'interrupted',
      reason: HOSTILE.nested,
      parentRunId: HOSTILE.indented,
      baseline: { how: 'given', runId: HOSTILE.link, note: HOSTILE.command },
      findings: texts.map((text) => finding('fail', text)),
      problems: texts.map((message) => ({ code: 'NAME_COLLISION', message })),
    }),
    worst: texts.slice(0, 8).map((text, index) => ({
      rowId: text,
      traceId: text,
      index,
      inputs: JSON.stringify(text),
      outputs: text,
      feedback: texts.map((rationale) => ({ name: rationale, value: rationale, rationale })),
    })),
    failures: texts.map((text) => ({ code: text, message: text, count: 1, indexes: [0] })),
    store: HOSTILE.link,
  })
}

const finding = (verdict: Finding['verdict'], message: string, more: Partial<Finding> = {}): Finding => ({
  gate: { kind: 'floor', metric: 'concise' },
  verdict,
  blocks: verdict === 'fail',
  message,
  rows: 38,
  of: 40,
  ...more,
})
const spent = { inputTokens: 12_000, outputTokens: 3_400, cachedTokens: 0, reasoningTokens: 0 }

const reports: Record<string, () => RunReport> = {
  cost: () => {
    const usage = { ...spent, calls: 38, cachedCalls: 2, cost: 0.0042, savedCost: 0.0001, unknownCost: 0 }
    const unknown = { ...spent, calls: 5, cachedCalls: 0, cost: 0, savedCost: 0, unknownCost: 5 }
    return report({
      run: run({
        columns: [{ ...columns.concise, usage }, columns.length, { ...columns.grounded, usage: unknown }],
        totals: { ...run().totals, usage: { ...usage, calls: 43, unknownCost: 5 } },
        problems: [],
      }),
      worst: [],
      failures: [],
    })
  },
  run: () => report(),
  clean: () => {
    const base = run()
    return report({
      run: run({
        columns: [columns.concise, columns.length],
        totals: { ...base.totals, rows: 38, failed: 0 },
        problems: [],
      }),
      worst: [],
      failures: [],
    })
  },
  'not-final': () =>
    report({ run: run({ selection: { limit: 40 }, parentRunId: 'run_0199f0aa000000aaaa' }), worst: [] }),
  interrupted: () => report({ run: run({ status: 'interrupted', reason: 'the test timed out' }), worst: [] }),
  wide: () => report({ run: run({ name: '検索ボット 🔍', columns: [columns.concise, wide, joined, long] }) }),
  gates: () =>
    report({
      run: run({
        baseline: {
          how: 'base',
          runId: 'run_0199f0aa000000aaaa',
          commit: '1a2b3c4d5e',
          note: 'the commit that the change is based on',
        },
        findings: [
          finding('pass', 'concise is at least 0.8: 0.947, between 0.84 and 0.98 (38 of 40 rows)', {
            estimate: 0.947,
            detectable: 0.19,
          }),
          finding(
            'inconclusive',
            'grounded may or may not fall by 0.03: 0.95 after 0.95, 0, between −0.08 and +0.08 (38 of 40 rows); about 512 rows would decide',
            {
              estimate: 0,
              detectable: 0.113,
            },
          ),
          finding('fail', 'safe does not pass on 7 of 38 rows that tag.critical = true finds', {
            worst: [3, 5, 8, 11, 12, 20, 21].map((index) => ({ rowId: `q-${index}`, traceId: 'tr-1', index })),
            worstCount: 7,
          }),
        ],
      }),
      worst: [],
    }),
  empty: () =>
    report({
      run: run({
        totals: { rows: 0, failed: 0, failedCodes: {}, retries: 0, wallMs: 3 },
        columns: [],
        problems: [],
      }),
      worst: [],
      failures: [],
    }),
  hostile,
}

for (const [name, make] of Object.entries(reports)) {
  for (const width of name === 'run' ? [60, 80, 120] : name === 'cost' ? [80, 120] : [80]) {
    test(`renderRun() looks as its golden: ${name}, ${width} columns`, async () => {
      await expect(`${renderRun(make(), plain(width))}\n`).toMatchFileSnapshot(golden(`${name}-${width}`))
    })
  }
}

test('renderRun() looks as its golden: with colours', async () => {
  const text = renderRun(report(), { width: 80, colors: true })
  await expect(`${text.replaceAll('\u001b', '␛')}\n`).toMatchFileSnapshot(golden('run-80-colors'))
})

test('renderRun() differs with and without colours in nothing but colours', () => {
  for (const make of Object.values(reports)) {
    const colored = renderRun(make(), { width: 90, colors: true })
    expect(colored).toContain('\u001b[')
    expect(colored.replace(/\u001b\[\d+m/g, '')).toBe(renderRun(make(), plain(90)))
  }
})

test('renderRun() is never wider than the screen, whatever the width', () => {
  for (const [name, make] of Object.entries(reports)) {
    for (const width of [1, 2, 5, 10, 20, 39, 40, 41, 59, 60, 61, 79, 80, 81, 99, 120, 200]) {
      for (const colors of [false, true]) {
        for (const line of renderRun(make(), { width, colors }).split('\n')) {
          expect(stringWidth(line), `${name} at ${width}: ${JSON.stringify(line)}`).toBeLessThanOrEqual(width)
        }
      }
    }
  }
})

test('renderRun() has as many lines for a million rows as for forty', () => {
  const small = report()
  const million = 1_000_000
  const large = report({
    run: run({
      totals: { ...small.run.totals, rows: million, failed: million / 2 },
      columns: small.run.columns.map((column) => ({ ...column, rows: million / 2, scored: million / 2 })),
    }),
    failures: [{ ...(small.failures[0] as RunReport['failures'][number]), count: million / 2 }],
  })
  expect(renderRun(large, plain(120)).split('\n')).toHaveLength(renderRun(small, plain(120)).split('\n').length)
  expect(renderRun(large, plain(120))).toContain('500,000/1,000,000')
})

test('renderRun() keeps its size when feedback names, problems, failures and worst rows abound', () => {
  const many = <T>(make: (i: number) => T): T[] => Array.from({ length: 1_000 }, (_, i) => make(i))
  const base = report()
  const text = renderRun(
    report({
      run: run({
        columns: many((i) => ({ ...columns.concise, name: `column ${i}` })),
        problems: many((i) => ({ code: 'NAME_COLLISION', message: `problem ${i}` })),
      }),
      worst: many(() => base.worst[0] as RunReport['worst'][number]),
      failures: many((i) => ({ code: `CODE_${i}`, message: 'no', count: 2, indexes: [i] })),
    }),
    plain(100),
  )
  expect(text.split('\n').length).toBeLessThan(110)
  expect(text).toContain('… 960 more columns')
  expect(text).toContain('… 990 more problems')
  expect(text).toContain('… 1,990 rows more, failed in 995 other ways')
})

test('renderRun() lets no text from users or models steer the terminal', () => {
  const text = renderRun(hostile(), plain(200))
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/)
  expect(text).not.toMatch(/[\ufe00-\ufe0d]|[\u{e0000}-\u{e0fff}]/u)
  expect(text.isWellFormed()).toBe(true)
  expect(text).toContain('\\u001b[31mred')
})

test('renderRun() prints no line that a CI system takes for a command', () => {
  for (const width of [20, 40, 80, 200]) {
    for (const line of renderRun(hostile(), plain(width)).split('\n')) {
      expect(line.trim()).not.toMatch(/^::/)
      expect(line).not.toMatch(/##(\[|vso\[)/)
    }
  }
})

test('renderRun() aligns wide characters and emoji', () => {
  const lines = renderRun(report({ run: run({ columns: [columns.concise, wide] }) }), plain(100)).split('\n')
  const starts = ['concise', '簡潔さ'].map((name) => {
    const line = lines.find((text) => text.trimStart().startsWith(name)) as string
    return stringWidth(line.slice(0, line.indexOf('0.947')))
  })
  expect(starts[0]).toBe(starts[1])
})

test('renderRun() drops the interval before it cuts a name', () => {
  const make = (width: number): string => renderRun(report({ run: run({ columns: [long] }) }), plain(width))
  expect(make(100)).toContain('95 % interval')
  expect(make(100)).toContain('retrieval_groundedness_of_every…')
  expect(make(70)).not.toContain('95 % interval')
  expect(make(70)).toContain('retrieval_groundedness_of_every…')
  expect(make(45)).toContain('retrieval_groundedne…')
})

test('renderRun() never rounds a pass rate to all or none', () => {
  const almost = (passed: number): string =>
    renderRun(
      report({
        run: run({
          columns: [{ ...columns.concise, rows: 9_999, scored: 9_999, passed, aggregates: { mean: passed / 9_999 } }],
        }),
      }),
      plain(100),
    )
  expect(almost(9_998)).toContain('0.9999')
  expect(almost(1)).toContain('0.0001')
  expect(almost(9_999)).toContain('1.000 ')
  expect(almost(0)).toContain('0.000 ')
})

test('renderRun() says of every mean on how many of how many rows it rests', () => {
  const text = renderRun(report(), plain(120))
  expect(text).toMatch(/^ grounded .* 35\/40$/m)
  expect(text).toMatch(/^ tone .* 0\/40$/m)
})

test('renderRun() counts the values of a scorer of sessions in sessions', () => {
  const bySession: Column = {
    ...columns.concise,
    name: 'helped',
    level: 'session',
    rows: 12,
    scored: 11,
    missing: 1,
    passed: 9,
  }
  const text = renderRun(report({ run: run({ columns: [bySession] }) }), plain(120))
  expect(text).toMatch(/^ helped .* 11\/12 sessions$/m)
})

test('renderRun() shows notices below the problems, within the screen', () => {
  const message = 'the app has an OpenTelemetry provider, but none of its spans has reached a trace: add a processor'
  const noticed = report({ run: run({ notices: [{ code: 'SPANS_MISSING', message }] }) })
  const lines = renderRun(noticed, plain(60)).split('\n')
  const at = lines.findIndex((line) => line.startsWith(' ! the app has an OpenTelemetry provider'))
  expect(at).toBeGreaterThan(lines.findLastIndex((line) => line.startsWith(' ✗')))
  expect(lines.every((line) => stringWidth(line) <= 60)).toBe(true)
})

test('renderRun() leaves the mean out where a scorer asked for other aggregates only', () => {
  const { mean: _, ...aggregates } = columns.length.aggregates
  const text = renderRun(report({ run: run({ columns: [{ ...columns.length, aggregates }] }) }), plain(100))
  expect(text).not.toContain('142.3')
  expect(text).toContain('min 12 · max 401 · p90 300.6')
})

test('renderRun() says below a column how many of its values people have corrected, and what is unknown since', () => {
  const corrected = { ...columns.length, corrected: 1_200, lost: ['spread', HOSTILE.csi] }
  const text = renderRun(report({ run: run({ columns: [corrected], uncounted: 2 }) }), plain(120))
  expect(text).toContain('1,200 corrected by people · spread unknown since a correction · ')
  expect(text).not.toContain('\u001b')
  expect(text).toContain('! NOT COUNTED: 2 corrections')
})
