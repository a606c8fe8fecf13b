import { type DriftOptions, DriftWatch } from '../../src/drift.ts'
import { seeded } from '../../src/std/random.ts'
import { normal } from './simulate.ts'

/** Production that never was: streams of values whose truth is known, watched for drift. */

type Value = number | string
/** Gives the values of a stream, one after another. */
export type Stream = (next: () => number) => () => Value

const verdicts =
  (rate: number): Stream =>
  (next) =>
  () =>
    next() < rate ? 1 : 0

/** Gamma numbers of a shape above 1 (Marsaglia and Tsang 2000). */
function gamma(next: () => number, shape: number): () => number {
  const draw = normal(next)
  const d = shape - 1 / 3
  return () => {
    for (;;) {
      const x = draw()
      const v = (1 + x / Math.sqrt(9 * d)) ** 3
      if (v > 0 && Math.log(1 - next()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v
    }
  }
}

const beta =
  (mean: number, size: number): Stream =>
  (next) => {
    const [a, b] = [gamma(next, mean * size), gamma(next, (1 - mean) * size)]
    return () => {
      const x = a()
      return x / (x + b())
    }
  }

/** Points of 0, ½ and 1: as far apart as numbers of one range can be. */
const thirds =
  (full: number, half: number): Stream =>
  (next) =>
  () => {
    const x = next()
    return x < full ? 1 : x < full + half ? 0.5 : 0
  }

/** Long tails in no range. */
const lengths =
  (middle: number): Stream =>
  (next) => {
    const draw = normal(next)
    return () => middle * Math.exp(0.8 * draw())
  }

const words =
  (formal: number, casual: number): Stream =>
  (next) =>
  () => {
    const x = next()
    return x < formal ? 'formal' : x < formal + casual ? 'casual' : 'rude'
  }

/** Streams as they are, and what becomes of each. */
export const STREAMS: Readonly<
  Record<string, { readonly before: Stream; readonly after: Stream; readonly what: string }>
> = {
  'verdict 0.9': { before: verdicts(0.9), after: verdicts(0.8), what: '0.9 to 0.8' },
  'verdict 0.5': { before: verdicts(0.5), after: verdicts(0.4), what: '0.5 to 0.4' },
  'verdict 0.99': { before: verdicts(0.99), after: verdicts(0.95), what: '0.99 to 0.95' },
  'score 0.9': { before: beta(0.9, 15), after: beta(0.8, 15), what: '0.9 to 0.8' },
  'thirds 0.9': { before: thirds(0.83, 0.14), after: thirds(0.68, 0.24), what: '0.9 to 0.8' },
  length: { before: lengths(200), after: lengths(150), what: 'a quarter shorter' },
  'words 70/25/5': { before: words(0.7, 0.25), after: words(0.55, 0.4), what: '70/25/5 to 55/40/5' },
}

export interface Watching {
  readonly seed: number
  readonly times: number
  /** Values of the reference. @default 1000 */
  readonly reference?: number
  readonly options?: DriftOptions
}

function watchOf(draw: () => Value, { reference = 1_000, options }: Omit<Watching, 'seed' | 'times'>): DriftWatch {
  const watch = new DriftWatch(reference, options)
  for (let i = 0; i < reference; i++) watch.refer({ value: draw(), timeMs: i })
  watch.settle()
  return watch
}

/** Gives how many of so many unchanged streams raise an alarm at any of so many looks. */
export function falseAlarms(stream: Stream, looks: number, watching: Watching): number {
  const next = seeded(watching.seed)
  let alarms = 0
  for (let time = 0; time < watching.times; time++) {
    const draw = stream(next)
    const watch = watchOf(draw, watching)
    for (let i = 0; i < looks; i++) {
      watch.add({ value: draw(), timeMs: i, traceId: '' })
      if (!watch.isAlarm) continue
      alarms++
      break
    }
  }
  return alarms
}

/** Gives the median of how many values it takes to find a change that begins after so many unchanged ones. */
export function medianDelay(before: Stream, after: Stream, unchanged: number, watching: Watching): number {
  const next = seeded(watching.seed)
  const delays: number[] = []
  for (let time = 0; time < watching.times; time++) {
    const [now, later] = [before(next), after(next)]
    const watch = watchOf(now, watching)
    for (let i = 0; i < unchanged; i++) watch.add({ value: now(), timeMs: i, traceId: '' })
    let delay = 0
    while (!watch.isAlarm && delay < 50_000) {
      watch.add({ value: later(), timeMs: delay, traceId: '' })
      delay++
    }
    delays.push(delay)
  }
  return delays.sort((a, b) => a - b)[Math.floor(delays.length / 2)] as number
}
