import { compare } from '../../src/comparison.ts'
import type { Finding } from '../../src/finding.ts'
import type { Gate } from '../../src/gate.ts'
import { seeded } from '../../src/std/random.ts'
import { Sprt, type SprtDesign } from '../../src/std/sequential.ts'
import { sheetOf } from '../data/sheet.ts'

/** Pull requests that never were: what gates say of runs whose truth is known. */

/** A source of normal numbers. */
export function normal(next: () => number): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
}

/** Five kinds of metrics, each as the values of a baseline and of a run after it, `drop` worse. */
export type Metric = (next: () => number, rows: number, drop: number) => readonly [number[], number[]]

/** Verdicts: each row has its own chance to pass, and only some change from run to run. */
const verdicts =
  (rate: number, noise: number): Metric =>
  (next, rows, drop) => {
    const [before, after]: [number[], number[]] = [[], []]
    for (let i = 0; i < rows; i++) {
      const passes = next() < rate ? 1 : 0
      const flip = (): number => (next() < noise ? (next() < rate ? 1 : 0) : passes)
      before.push(flip())
      const now = flip()
      // A share of what passed falls, so that the mean falls by `drop`.
      after.push(now === 1 && next() < drop / rate ? 0 : now)
    }
    return [before, after]
  }

const scores =
  (spread: number, noise: number): Metric =>
  (next, rows, drop) => {
    const draw = normal(next)
    const own = Array.from({ length: rows }, () => 0.7 + spread * draw())
    return [own.map((value) => value + noise * draw()), own.map((value) => value + noise * draw() - drop)]
  }

/** Lengths: long tails, where means are hardest. */
const lengths: Metric = (next, rows, drop) => {
  const draw = normal(next)
  const own = Array.from({ length: rows }, () => draw())
  const of = (value: number): number => Math.exp(0.8 * value + 0.4 * draw())
  return [own.map(of), own.map((value) => of(value) - drop)]
}

export const METRICS: Readonly<Record<string, Metric>> = {
  'verdict 0.9': verdicts(0.9, 0.3),
  'verdict 0.6': verdicts(0.6, 0.5),
  'verdict 0.98': verdicts(0.98, 0.5),
  score: scores(0.2, 0.1),
  length: lengths,
}

/** Asks one gate about one simulated pull request. */
export function ask(gate: Gate, metric: Metric, next: () => number, rows: number, drop: number): Finding {
  const [before, after] = metric(next, rows, drop)
  const [one, other] = [sheetOf({ columns: { metric: before } }), sheetOf({ columns: { metric: after } })]
  return gate.check({ sheet: other, comparison: compare(one, other) })
}

/** How often each verdict came. */
export interface Counts {
  pass: number
  fail: number
  inconclusive: number
}

export function verdictsOf(
  gate: Gate,
  metric: Metric,
  { seed, rows, drop, times }: { seed: number; rows: number; drop: number; times: number },
): Counts {
  const next = seeded(seed)
  const counts = { pass: 0, fail: 0, inconclusive: 0 }
  for (let i = 0; i < times; i++) counts[ask(gate, metric, next, rows, drop).verdict]++
  return counts
}

/** The mean of what neutral runs print as detectable. */
export function printedDetectable(
  gate: Gate,
  metric: Metric,
  { seed, rows, times }: { seed: number; rows: number; times: number },
): number {
  const next = seeded(seed)
  let sum = 0
  for (let i = 0; i < times; i++) sum += ask(gate, metric, next, rows, 0).detectable ?? Number.NaN
  return sum / times
}

/** What a sequential test costs, and how often it is wrong, where the rate is known. */
export function stopped(design: SprtDesign, rate: number, { seed, times }: { seed: number; times: number }) {
  const next = seeded(seed)
  let [rows, good, bad] = [0, 0, 0]
  for (let i = 0; i < times; i++) {
    const sprt = new Sprt(design)
    for (;;) {
      rows++
      const decision = sprt.add(next() < rate)
      if (!decision) continue
      if (decision === 'good') good++
      else bad++
      break
    }
  }
  return { rows: rows / times, good: good / times, bad: bad / times }
}
