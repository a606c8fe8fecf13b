import type { Column } from '../../src/column.ts'
import type { Drift } from '../../src/drift.ts'
import type { Registration } from '../../src/registration.ts'
import type { QualityColumn, QualityReport } from '../../src/series.ts'
import type { MonitorStatus, ScorerStanding } from '../../src/status.ts'
import { wilson } from '../../src/std/stats.ts'

/** Records of monitoring for the goldens. */

const TO = Date.UTC(2026, 0, 12)
const HOUR = 3_600_000
const WINDOW = 7 * HOUR
const FROM = TO - 24 * WINDOW

function verdicts(name: string, passed: number, scored: number, more: Partial<Column> = {}): Column {
  const { missing = 0, errors = 0 } = more
  return {
    name,
    kind: scored === 0 ? 'empty' : 'boolean',
    scorer: name,
    rows: scored + missing + errors,
    scored,
    missing,
    errors,
    errorCodes: {},
    passed,
    aggregates: scored === 0 ? {} : { mean: passed / scored },
    ...(scored > 0 && { interval: wilson(passed, scored) }),
    ...more,
  }
}

export const OK: Drift = {
  verdict: 'ok',
  isAlarm: false,
  reference: { n: 1_000, wanted: 1_000, mean: 0.942 },
  n: 3_200,
  evidence: 0.02,
}

/** A column of verdicts by what passed of 200 in each window; undefined where there was nothing. */
export function quality(
  name: string,
  passed: readonly (number | undefined)[],
  more: Partial<QualityColumn> & { readonly whole?: Partial<Column> } = {},
): QualityColumn {
  const { whole, ...rest } = more
  const windows = passed.map((of, i) => ({
    fromMs: FROM + i * WINDOW,
    toMs: FROM + (i + 1) * WINDOW,
    column: of === undefined ? verdicts(name, 0, 0) : verdicts(name, of, 200),
  }))
  const known = passed.filter((of) => of !== undefined)
  const sum = known.reduce((a, b) => a + b, 0)
  return {
    scorer: name,
    name,
    column: verdicts(name, sum, known.length * 200, whole),
    windows,
    corrected: 0,
    judges: [
      {
        version: 1,
        source: { type: 'LLM_JUDGE', id: 'openai:/judge-1' },
        n: known.length * 200,
        mean: sum / known.length / 200,
        firstMs: FROM,
        lastMs: TO,
      },
    ],
    drift: OK,
    lagMs: 4 * 60_000,
    ...rest,
  }
}

const steady = Array.from({ length: 24 }, (_, i) => 188 + ((i * 7) % 5))

export function qualityReport(over: Partial<QualityReport> = {}): QualityReport {
  const fallen = steady.map((of, i) => (i < 18 ? of - 10 : of - 34))
  return {
    experiment: 'shop',
    fromMs: FROM,
    toMs: TO,
    windowMs: WINDOW,
    reference: "the first 1,000 values of today's judge",
    columns: [
      quality('grounded', steady, {
        whole: { errors: 57, errorCodes: { SCORER_TIMEOUT: 50, SERVER: 7 } },
        judges: [
          {
            version: 1,
            source: { type: 'LLM_JUDGE', id: 'openai:/judge-1' },
            n: 3_000,
            mean: 0.948,
            firstMs: FROM,
            lastMs: FROM + 90 * HOUR,
          },
          {
            version: 2,
            source: { type: 'LLM_JUDGE', id: 'openai:/judge-2' },
            n: 1_800,
            mean: 0.902,
            firstMs: FROM + 91 * HOUR,
            lastMs: TO,
          },
        ],
        drift: {
          verdict: 'not enough',
          isAlarm: false,
          reason: 'the reference has 800 of 1,000 values',
          reference: { n: 800, wanted: 1_000 },
          n: 0,
          evidence: 0,
        },
      }),
      quality('length', steady, {
        column: {
          ...verdicts('length', 0, 4_800),
          kind: 'number',
          aggregates: { mean: 204.31 },
          interval: { low: 203.2, high: 205.44 },
        },
        change: { value: 12.5, interval: { low: 3.1, high: 21.9 }, n: 3_800 },
        drift: {
          ...OK,
          verdict: 'rise',
          reference: { n: 1_000, wanted: 1_000, mean: 191.8 },
          found: { n: 812, timeMs: FROM + 60 * HOUR, traceId: 'tr-0199f0aa000000000000000000000009' },
        },
      }),
      quality('safety', fallen, {
        change: { value: -0.061, interval: { low: -0.078, high: -0.043 }, n: 3_800 },
        corrected: 12,
        drift: {
          verdict: 'fall',
          isAlarm: true,
          reference: { n: 1_000, wanted: 1_000, mean: 0.9 },
          n: 3_800,
          evidence: 97,
          found: { n: 2_816, timeMs: FROM + 131 * HOUR, traceId: 'tr-0199f0aa00000000000000000000000c' },
        },
      }),
      quality(
        'tone',
        steady.map((of, i) => (i < 4 ? undefined : of)),
        {
          scorer: 'style',
          column: {
            ...verdicts('tone', 0, 4_000),
            kind: 'category',
            aggregates: {},
            counts: { formal: 2_800, casual: 960, rude: 240 },
            otherValues: 0,
            missing: 9,
          },
          drift: { ...OK, endedMs: FROM + 40 * HOUR },
        },
      ),
    ],
    silent: ['mute'],
    ...over,
  }
}

export function registration(name: string, over: Partial<Registration> = {}): Registration {
  return {
    key: 1,
    experiment: 'shop',
    name,
    version: 1,
    recipe: { kind: 'judge', factory: 'Safety', options: {} },
    digest: 'd',
    level: 'trace',
    registeredAt: FROM,
    sampleRate: 0.1,
    progress: {
      position: 90,
      examined: 120_000,
      sampled: 12_040,
      unfit: 40,
      scored: 11_980,
      errors: 31,
      usd: 1.2345,
      lastAt: TO - 4_000,
    },
    ...over,
  }
}

export function scorerStatus(
  name: string,
  over: Partial<ScorerStanding> & { readonly registered?: Partial<Registration> } = {},
): ScorerStanding {
  const { registered, ...rest } = over
  return {
    registration: registration(name, registered),
    waiting: 12,
    retrying: 3,
    claimed: 8,
    done: 11_980,
    dead: 0,
    lagMs: 42_000,
    ...rest,
  }
}

export function monitorStatus(over: Partial<MonitorStatus> = {}): MonitorStatus {
  return {
    atMs: TO,
    head: 120_500,
    scorers: [
      scorerStatus('grounded', {
        registered: { version: 2, filterString: "status = 'OK' AND tag.env = 'prod'" },
        dead: 2,
      }),
      scorerStatus('safety', { registered: { sampleRate: 1 }, lagMs: 3 * HOUR, retrying: 0, claimed: 0 }),
      scorerStatus('tone', {
        registered: {
          sampleRate: 0,
          progress: { position: 0, examined: 0, sampled: 0, unfit: 0, scored: 0, errors: 0, usd: 0, lastAt: 0 },
        },
        waiting: 0,
        retrying: 0,
        claimed: 0,
        done: 0,
        lagMs: 0,
      }),
    ],
    monitors: [
      {
        id: 'a',
        pid: 4_711,
        host: 'worker-1',
        startedMs: TO - 26 * HOUR,
        beatMs: TO - 900,
        scored: 23_960,
        isAlive: true,
      },
      {
        id: 'b',
        pid: 12,
        host: 'worker-0',
        startedMs: TO - 90 * HOUR,
        beatMs: TO - 27 * HOUR,
        scored: 3,
        isAlive: false,
      },
    ],
    ...over,
  }
}
