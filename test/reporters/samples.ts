import type { Column } from '../../src/column.ts'
import type { Assessment } from '../../src/feedback.ts'
import type { RowReport, RunReport } from '../../src/reporter.ts'
import type { RunRecord } from '../../src/run.ts'
import { type Span, Trace, type TraceData } from '../../src/trace.ts'

/** Records for the goldens: one of everything that a report shows. */

const none = { missing: 0, errors: 0, errorCodes: {}, aggregates: {} }

export const columns: Record<'concise' | 'grounded' | 'formality' | 'length' | 'topics' | 'tone', Column> = {
  concise: {
    ...none,
    name: 'concise',
    kind: 'boolean',
    scorer: 'concise',
    rows: 38,
    scored: 38,
    passed: 36,
    aggregates: { mean: 36 / 38 },
    interval: { low: 0.8271, high: 0.9854 },
  },
  grounded: {
    ...none,
    name: 'grounded',
    kind: 'boolean',
    scorer: 'grounded',
    rows: 38,
    scored: 35,
    missing: 1,
    errors: 2,
    errorCodes: { SCORER_THREW: 1, SCORER_TIMEOUT: 1 },
    passed: 35,
    aggregates: { mean: 1 },
    interval: { low: 0.9011, high: 1 },
  },
  formality: {
    ...none,
    name: 'formality',
    kind: 'category',
    scorer: 'formality',
    rows: 38,
    scored: 38,
    counts: { formal: 22, semi_formal: 12, not_formal: 4 },
    otherValues: 0,
  },
  length: {
    ...none,
    name: 'length',
    kind: 'number',
    scorer: 'length',
    rows: 38,
    scored: 38,
    aggregates: { mean: 142.302, min: 12, max: 401, p90: 300.55 },
    interval: { low: 120.11, high: 164.49 },
  },
  topics: { ...none, name: 'topics', kind: 'structured', scorer: 'topics', rows: 38, scored: 38 },
  tone: {
    ...none,
    name: 'tone',
    kind: 'empty',
    scorer: 'tone',
    rows: 38,
    scored: 0,
    errors: 38,
    errorCodes: { SCORER_THREW: 38 },
  },
}

export function run(over: Partial<RunRecord> = {}): RunRecord {
  return {
    schemaVersion: 1,
    id: 'run_0199f0aa11bb22cc33',
    name: 'support bot',
    experiment: 'support',
    status: 'finished',
    startedAt: 1_767_225_600_000,
    endedAt: 1_767_225_601_240,
    tags: {},
    scorers: [],
    totals: {
      rows: 40,
      failed: 2,
      failedCodes: { PREDICT_TIMEOUT: 2 },
      retries: 0,
      wallMs: 1_240,
      predictLatencyMs: { p50: 12, p90: 33, p95: 40, p99: 48, max: 49 },
    },
    columns: Object.values(columns),
    worst: [],
    failures: [],
    problems: [{ code: 'ROWS_FAILED', message: '2 of 40 rows failed: 2 × PREDICT_TIMEOUT' }],
    process: { pid: 1, host: 'host' },
    ...over,
  }
}

const worst: RowReport[] = [
  {
    rowId: 'q-9',
    traceId: 'tr-0199f0aa000000000000000000000009',
    index: 8,
    inputs: '{"question":"How do I reset my password when the mail never arrives and I have no phone at hand?"}',
    outputs: '"Go to Settings, choose Security, press Reset. The mail takes a minute.\\nThen follow its link."',
    feedback: [
      { name: 'tone', error: { code: 'SCORER_THREW', message: 'Cannot read properties of undefined' } },
      { name: 'concise', value: false, rationale: '612 characters, at most 400 wanted' },
    ],
  },
  {
    rowId: 'a'.repeat(64),
    traceId: 'tr-0199f0aa00000000000000000000000c',
    index: 11,
    inputs: '{"question":"返品の送料は誰が払いますか？","k":3}',
    outputs: '{"answer":"お客様のご都合による返品の場合、送料はお客様のご負担となります。","sources":["terms"]}',
    feedback: [
      { name: 'concise', value: 'no', rationale: '説明が長すぎます 🙈' },
      { name: 'length', value: 401 },
    ],
  },
]

export function report(over: Partial<RunReport> = {}): RunReport {
  return {
    run: run(),
    worst,
    failures: [{ code: 'PREDICT_TIMEOUT', message: 'did not finish within 50 ms', count: 2, indexes: [3, 16] }],
    store: '.vitest/evaluate/store.sqlite',
    ...over,
  }
}

/** What a model may answer to take over a screen or a log. */
export const HOSTILE = {
  colours: '\u001b[31mred\u001b[0m',
  link: '\u001b]8;;https://example.org\u0007click\u001b]8;;\u0007',
  csi: '\u009b2J',
  title: '\u001b]0;title\u0007',
  bidi: '\u202egnp.exe\u2066x',
  zeroWidth: 'pass\u200b\u200d\u2060word\ufeff',
  tags: 'hi\u{e0068}\u{e0069}',
  selectors: 'a\ufe01\ufe05\u{e0100}',
  lines: 'one\ntwo\r\nthree\u2028four\u0085five',
  controls: '\0\b\b\b\tx\u007f',
  surrogate: '\ud800x\udc00',
  command: '::error::pwned',
  indented: ' \t\u00a0::set-output name=a::b',
  nested: 'ok\n::error::pwned\n  ::warning::pwned',
  group: '##[group]pwned ##vso[task.complete]',
  marks: `z${'\u0301'.repeat(500)}`,
} as const

const startNs = 1_767_225_600_000n * 1_000_000n

export function span(
  id: string,
  parentId: string | undefined,
  fields: Pick<Span, 'name' | 'type'> & Partial<Span> & { from: number; to?: number },
): Span {
  const { from, to, ...rest } = fields
  return {
    id,
    ...(parentId !== undefined && { parentId }),
    startTimeNs: startNs + BigInt(from * 1_000_000),
    ...(to !== undefined && { endTimeNs: startNs + BigInt(to * 1_000_000) }),
    status: 'OK',
    attributes: {},
    events: [],
    ...rest,
  }
}

export function assessment(over: Partial<Assessment> & Pick<Assessment, 'name'>): Assessment {
  return {
    id: 'tr-1.0',
    kind: 'feedback',
    traceId: 'tr-0199f0aa000000000000000000000009',
    source: { type: 'CODE', id: over.name },
    createdAt: 1_767_225_601_000,
    updatedAt: 1_767_225_601_000,
    valid: true,
    ...over,
  }
}

export function trace(over: Partial<TraceData> = {}): Trace {
  return new Trace({
    id: 'tr-0199f0aa000000000000000000000009',
    name: 'answer',
    experiment: 'support',
    status: 'OK',
    requestTimeMs: 1_767_225_600_000,
    durationMs: 1_240,
    tags: { team: 'help', language: 'en' },
    metadata: {},
    inputs: {
      question: 'How do I reset my password?',
      k: 3,
      history: [
        { role: 'user', content: 'Hello!\nI am locked out.' },
        { role: 'bot', content: 'Sorry to hear that.' },
      ],
    },
    outputs: 'Go to Settings.\nChoose "Security".\nPress Reset.',
    spans: [
      span('1', undefined, { name: 'answer', type: 'CHAIN', from: 0, to: 1_240 }),
      span('2', '1', {
        name: 'retrieve',
        type: 'RETRIEVER',
        from: 2,
        to: 89,
        inputs: { query: 'reset password' },
        outputs: [{ id: 'settings', score: 0.91 }],
      }),
      span('4', '3', {
        name: 'request',
        type: 'CHAT_MODEL',
        from: 100,
        to: 400,
        status: 'ERROR',
        statusMessage: '429 Too Many Requests',
        attributes: { 'gen_ai.request.model': 'small' },
        events: [{ name: 'exception', timeNs: startNs, attributes: { 'exception.type': 'RateLimitError' } }],
      }),
      span('3', '1', { name: 'generate', type: 'LLM', from: 90, to: 1_230 }),
      span('5', '3', { name: 'request', type: 'CHAT_MODEL', from: 610, to: 1_230 }),
    ],
    assessments: [
      assessment({
        name: 'concise',
        value: true,
        rationale: '47 characters',
        durationMs: 0.2,
        scorerVersion: '1.0.0',
        metadata: { characters: 47 },
      }),
      assessment({
        name: 'safety',
        value: 'no',
        rationale: 'Tells the user how to reset the password\nwithout asking who it is.',
        source: { type: 'LLM_JUDGE', id: 'small' },
        scorer: 'safety',
        durationMs: 812,
      }),
      assessment({
        name: 'tone',
        error: { code: 'SCORER_THREW', message: 'boom', stack: 'Error: boom\n    at tone (tone.ts:3:9)' },
      }),
      assessment({ name: 'topics', value: { first: 'settings', second: 'security' } }),
      assessment({ name: 'concise', value: false, valid: false, source: { type: 'HUMAN', id: 'ann' } }),
      assessment({
        name: 'expected_response',
        kind: 'expectation',
        value: 'Settings, Security, Reset',
        source: { type: 'CODE', id: 'row' },
      }),
    ],
    rowId: 'q-9',
    ...over,
  })
}
