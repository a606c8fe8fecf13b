import stringWidth from 'string-width'
import { expect, test } from 'vitest'
import { renderRow, type ShownRow } from '../../reporters/row.ts'
import type { StoredTrial } from '../../src/store.ts'
import { assessment, HOSTILE, run, span, trace } from './samples.ts'

type PairedRow = ShownRow & { pair?: ShownRow }

const plain = (width: number) => ({ width, colors: false })

const trial = (over: Partial<StoredTrial> = {}): StoredTrial => ({
  runId: 'run_2',
  index: 8,
  repeat: 0,
  rowId: 'q-9',
  status: 'ok',
  attempts: 1,
  ...over,
})

const expected = trace().assessments.filter(({ kind }) => kind === 'expectation')

const before: ShownRow = {
  run: run({ id: 'run_1', name: 'support bot, small' }),
  trace: trace({
    id: 'tr-0199f0aa00000000000000000000aaaa',
    outputs: 'Go to Settings.\nCall us.\nPress Reset.\nWait for the mail.',
    assessments: [
      assessment({ name: 'concise', value: true }),
      assessment({ name: 'safety', value: 'yes' }),
      assessment({ name: 'length', value: 55 }),
      ...expected,
    ],
  }),
  trial: trial({ runId: 'run_1' }),
}

const again = (): PairedRow => ({
  run: run({
    id: 'run_2',
    parentRunId: 'run_1',
    test: { file: 'support.eval.ts', name: 'support bot', attempt: 0, repeat: 0 },
  }),
  trace: trace(),
  trial: trial({ attempts: 2, parentTraceId: before.trace.id }),
  pair: before,
})

const failed = (): PairedRow => {
  const { outputs: _, ...rest } = trace({ status: 'ERROR', assessments: expected, spans: trace().spans.slice(0, 1) })
  return {
    run: run({ id: 'run_2' }),
    trace: trace({ ...rest, outputs: undefined }),
    trial: trial({
      status: 'failed',
      repeat: 2,
      error: {
        code: 'PREDICT_THREW',
        message: 'Cannot reach the index',
        stack: 'Error: Cannot reach the index\n    at answer (support.ts:12:9)',
      },
    }),
    pair: before,
  }
}

const bare = (): PairedRow => ({
  trace: trace({ inputs: 'just a text', outputs: { answer: 42, sources: [] }, assessments: [], tags: {}, spans: [] }),
})

const hostile = (): PairedRow => {
  const texts = Object.values(HOSTILE)
  const poison = Object.fromEntries(texts.map((text) => [text, text]))
  const all = texts.map((text) =>
    assessment({
      name: text,
      value: text,
      rationale: text,
      source: { type: 'LLM_JUDGE', id: text },
      scorer: text,
      spanId: text,
      metadata: { [text]: text },
    }),
  )
  return {
    run: run({ name: HOSTILE.command, test: { file: HOSTILE.link, name: HOSTILE.nested, attempt: 0, repeat: 0 } }),
    trace: trace({
      id: HOSTILE.title,
      name: HOSTILE.nested,
      experiment: HOSTILE.csi,
      sessionId: HOSTILE.bidi,
      tags: poison,
      metadata: poison,
      inputs: poison,
      outputs: texts.join('\n'),
      spans: texts.map((text, i) =>
        span(String(i), i === 0 ? undefined : String(i - 1), {
          name: text,
          type: text,
          from: i,
          to: i + 1,
          inputs: poison,
          statusMessage: text,
          attributes: poison,
          events: [{ name: text, timeNs: 0n, attributes: poison }],
        }),
      ),
      assessments: [...all, assessment({ name: 'e', error: { code: HOSTILE.command, message: HOSTILE.nested } })],
    }),
    trial: trial({
      rowId: HOSTILE.command,
      status: 'failed',
      error: { code: HOSTILE.command, message: HOSTILE.nested, stack: texts.join('\n') },
    }),
    pair: { trace: trace({ id: HOSTILE.command, outputs: poison }) },
  }
}

const rows = { again, failed, bare, hostile }

for (const [name, make] of Object.entries(rows)) {
  for (const width of name === 'again' ? [60, 80, 140] : [80]) {
    test(`renderRow() looks as its golden: ${name}, ${width} columns`, async () => {
      await expect(`${renderRow(make(), plain(width))}\n`).toMatchFileSnapshot(`../golden/row-${name}-${width}.txt`)
    })
  }
}

test('renderRow() is never wider than the screen, with colours or without', () => {
  for (const [name, make] of Object.entries(rows)) {
    for (const width of [1, 10, 39, 40, 60, 80, 119, 120, 121, 200]) {
      for (const colors of [true, false]) {
        for (const line of renderRow(make(), { width, colors }).split('\n')) {
          expect(stringWidth(line), `${name} at ${width}: ${JSON.stringify(line)}`).toBeLessThanOrEqual(width)
        }
      }
    }
  }
})

test('renderRow() differs with and without colours in nothing but colours', () => {
  for (const make of Object.values(rows)) {
    const colored = renderRow(make(), { width: 130, colors: true })
    expect(colored).toContain('\u001b[')
    expect(colored.replace(/\u001b\[\d+m/g, '')).toBe(renderRow(make(), plain(130)))
  }
})

test('renderRow() lets no text steer a terminal or a log', () => {
  for (const width of [30, 80, 200]) {
    const text = renderRow(hostile(), plain(width))
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/)
    expect(text).not.toMatch(/[\ufe00-\ufe0d]|[\u{e0000}-\u{e0fff}]/u)
    for (const line of text.split('\n')) {
      expect(line.trim()).not.toMatch(/^::/)
      expect(line).not.toMatch(/##(\[|vso\[)/)
    }
  }
})

test('renderRow() cuts neither inputs nor outputs nor rationales', () => {
  const words = Array.from({ length: 2_000 }, (_, i) => `word${i}`)
  const text = renderRow(
    {
      trace: trace({
        inputs: { question: words.join(' ') },
        outputs: words.join('\n'),
        assessments: [assessment({ name: 'a', value: 'no', rationale: words.join(' ') })],
      }),
    },
    plain(70),
  )
  for (const word of words) expect(text.split(new RegExp(`\\b${word}\\b`)).length).toBe(4)
})

test('renderRow() shows every span once, whatever its parents', () => {
  const make = (id: string, parent: string | undefined) =>
    span(id, parent, { name: `span-${id}`, type: 'TOOL', from: 0, to: 1 })
  const spans = [
    make('a', 'b'),
    make('b', 'a'),
    make('c', 'c'),
    make('d', 'gone'),
    make('e', undefined),
    make('f', 'e'),
    make('f', 'e'),
  ]
  const text = renderRow({ trace: trace({ spans }) }, plain(100))
  for (const name of ['a', 'b', 'c', 'd', 'e']) expect(text.split(`span-${name}`)).toHaveLength(2)
  expect(text.split('span-f')).toHaveLength(3)
})

test('renderRow() shows a chain of ten thousand spans', () => {
  const spans = Array.from({ length: 10_000 }, (_, i) =>
    span(String(i), i === 0 ? undefined : String(i - 1), { name: `s${i}`, type: 'TOOL', from: 0, to: 1 }),
  )
  expect(renderRow({ trace: trace({ spans }) }, plain(80))).toContain('s9999')
})

test('renderRow() says of its pair what changed, old before new', () => {
  const text = renderRow(again(), plain(80))
  expect(text).toContain('Pair in the parent run  run_1')
  expect(text).toMatch(/safety +yes → no/)
  expect(text).toMatch(/concise +true \(as before\)/)
  expect(text).toMatch(/tone +none → SCORER_THREW/)
  expect(text).toMatch(/length +55 → none/)
  expect(text).toContain('│ - Call us.')
  expect(text).toContain('│ + Choose "Security".')
  expect(text).not.toMatch(/inputs +differ/)
})

test('renderRow() says when the pair gave the same outputs or had other inputs', () => {
  const row = again()
  const text = renderRow(
    { ...row, run: run({ id: 'run_2' }), pair: { run: run({ id: 'run_0' }), trace: trace({ inputs: 'other' }) } },
    plain(80),
  )
  expect(text).toContain('Pair in an earlier run  run_0')
  expect(text).toContain('outputs as before')
  expect(text).toMatch(/inputs +differ/)
})

test('renderRow() puts outputs side by side from 120 columns on', () => {
  expect(renderRow(again(), plain(120))).toMatch(/│ - Call us\. +│ \+ Choose "Security"\./)
  expect(renderRow(again(), plain(119))).not.toMatch(/Call us\..*Choose/)
})

test('renderRow() compares outputs of thousands of lines', () => {
  const lines = Array.from({ length: 5_000 }, (_, i) => `line ${i}`)
  const other = [...lines.slice(0, 2_500), 'another', ...lines.slice(2_501)]
  const text = renderRow(
    { trace: trace({ outputs: lines.join('\n') }), pair: { trace: trace({ outputs: other.join('\n') }) } },
    plain(80),
  )
  expect(text).toContain('- another')
  expect(text).toContain('+ line 2500')
  expect(text).not.toContain('+ line 2501')
  expect(text).toContain('│   … 2,497 lines alike')
  expect(text).toContain('│   … 2,496 lines alike')
})

test('renderRow() puts what was replaced below what took its place, the newest first', () => {
  const person = (id: string) => ({ type: 'HUMAN', id }) as const
  const all = [
    assessment({ id: 't.0', name: 'safe', value: 'no', valid: false, rationale: 'the judge' }),
    assessment({ id: 't.1', name: 'tone', value: 'warm', updatedAt: 1_767_225_602_000 }),
    assessment({ id: 't.2', name: 'safe', value: 'yes', valid: false, overrides: 't.0', source: person('ann') }),
    assessment({ id: 't.3', name: 'safe', value: 'maybe', overrides: 't.2', source: person(HOSTILE.csi) }),
    assessment({ id: 't.4', name: 'loop', value: 1, valid: false, overrides: 't.5' }),
    assessment({ id: 't.5', name: 'loop', value: 2, valid: false, overrides: 't.4' }),
    assessment({ id: 't.6', name: 'orphan', value: 3, overrides: 'gone' }),
  ]
  const lines = renderRow({ trace: trace({ assessments: all }) }, plain(120)).split('\n')
  const heads = lines.filter((text) => /^ {3}(safe|tone|loop|orphan) /.test(text)).map((text) => text.trim())
  expect(heads.filter((text) => !text.startsWith('loop'))).toEqual([
    'safe  maybe',
    expect.stringMatching(/^safe {2}yes {2}replaced by HUMAN ./),
    'safe  no  replaced by HUMAN ann',
    'tone  warm',
    'orphan  3',
  ])
  expect(heads).toHaveLength(7)
  expect(lines.join()).not.toContain('\u001b')
  expect(lines.filter((text) => text.includes('changed 2026-01-01 00:00:02.000 UTC'))).toHaveLength(1)
})
