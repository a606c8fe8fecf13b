import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PROMETHEUS_TYPE, renderPrometheus } from '../../reporters/prometheus.ts'
import { HOSTILE_TEXTS } from '../data/hostile.ts'
import { monitorStatus, scorerStatus } from './monitored.ts'

// It has no types of its own.
const parse = createRequire(import.meta.url)('parse-prometheus-text-format')

interface Sample {
  readonly name: string
  readonly labels: Record<string, string>
  readonly value: number
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.e+-]+)$/s
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)/gsy

/** Reads the text by the grammar of the format, strictly: https://prometheus.io/docs/instrumenting/exposition_formats */
function strictly(text: string): Sample[] {
  expect(text).toMatch(/\n$/)
  const types = new Map<string, string>()
  const seen = new Set<string>()
  const samples: Sample[] = []
  let family = ''
  for (const line of text.slice(0, -1).split('\n')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (kind === 'TYPE') {
      expect(types.has(name), `${name} has one type`).toBe(false)
      expect(rest).toMatch(/^(counter|gauge)$/)
      types.set(name, rest)
    }
    if (kind) {
      family = name
      continue
    }
    const [, metric = '', labelText = '', value] = SAMPLE.exec(line) ?? []
    expect(metric, `${line} belongs to the family above`).toBe(family)
    expect(types.get(metric) === 'counter').toBe(metric.endsWith('_total'))
    const labels: Record<string, string> = {}
    LABEL.lastIndex = 0
    for (let at = 0; at < labelText.length; at = LABEL.lastIndex) {
      const [, label, escaped = ''] = LABEL.exec(labelText) ?? []
      if (label === undefined) throw new Error(`no label at ${at} of ${labelText}`)
      labels[label] = escaped.replace(/\\(.)/gs, (_, char) => (char === 'n' ? '\n' : char))
    }
    const key = `${metric} ${JSON.stringify(labels)}`
    expect(seen.has(key), `${key} stands there once`).toBe(false)
    seen.add(key)
    samples.push({ name: metric, labels, value: Number(value) })
  }
  return samples
}

const figures = {
  receiver: { requests: 40, spans: 1_200, rejected: 3, deferred: 2, waiting: 1, waitingBytes: 4_096 },
  usdToday: 0.42,
  usdBudget: 5,
}

test('renderPrometheus() looks as its golden', async () => {
  await expect(renderPrometheus(monitorStatus(), figures)).toMatchFileSnapshot('../golden/prometheus.txt')
  expect(PROMETHEUS_TYPE).toBe('text/plain; version=0.0.4; charset=utf-8')
})

test('renderPrometheus() gives what a parser of the format reads back', () => {
  const text = renderPrometheus(monitorStatus(), figures)
  const families = parse(text) as { name: string; type: string; metrics: { value: string; labels?: object }[] }[]
  const scored = families.find(({ name }) => name === 'vitest_evaluate_monitor_scored_total')
  expect(scored).toMatchObject({ type: 'COUNTER' })
  expect(scored?.metrics).toContainEqual({ value: '11980', labels: { experiment: 'shop', scorer: 'safety' } })
  const samples = strictly(text)
  expect(samples).toHaveLength(families.reduce((sum, { metrics }) => sum + metrics.length, 0))
  const value = (name: string, labels = {}) =>
    samples.find(
      (one) =>
        one.name === `vitest_evaluate_monitor_${name}` &&
        Object.entries(labels).every(([key, of]) => one.labels[key] === of),
    )?.value
  expect(value('lag_seconds', { scorer: 'safety' })).toBe(10_800)
  expect(value('dead_letters', { scorer: 'grounded' })).toBe(2)
  expect(value('queue_units', { scorer: 'grounded', state: 'retrying' })).toBe(3)
  expect(value('usd_today')).toBe(0.42)
  expect(value('receiver_spans_total')).toBe(1_200)
  expect(value('monitors')).toBe(1)
})

test('renderPrometheus() leaves out what is not known', () => {
  const text = renderPrometheus(monitorStatus({ monitors: [] }))
  expect(text).not.toContain('receiver')
  expect(text).not.toContain('usd_today')
  expect(text).not.toMatch(/last_scored_timestamp_seconds\{[^}]*"tone"/)
  expect(strictly(renderPrometheus(monitorStatus({ scorers: [], monitors: [] })))).toEqual([
    { name: 'vitest_evaluate_monitor_monitors', labels: {}, value: 0 },
  ])
})

test('renderPrometheus() escapes any name so that it is read back as it was', () => {
  const check = (name: string): void => {
    const samples = strictly(
      renderPrometheus(monitorStatus({ scorers: [scorerStatus(name, { registered: { experiment: name } })] })),
    )
    const [first] = samples
    expect(first?.labels).toEqual({ experiment: name.toWellFormed(), scorer: name.toWellFormed() })
  }
  for (const text of Object.values(HOSTILE_TEXTS)) check(text)
  fc.assert(fc.property(fc.string({ unit: 'binary' }), check))
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom('\\', '"', '\n', 'n', '}', ',', ' ') }), check))
})
