import { passValue } from './column.ts'
import { FallEvidence, lowerBound } from './std/betting.ts'
import { mean } from './std/stats.ts'
import { grouped } from './std/text.ts'

/**
 * Whether what a scorer says of production has changed: every new value is looked at, and still at most 5 % of scorers raise a false alarm within 10,000
 * values. The mean of the reference is itself uncertain, which is taken into account: seven tenths of the errors are for that.
 *
 * Values are taken to be independent of one another. Quality that goes up and down with the day or the week is change: a reference
 * has to span it.
 */

/** How drift is looked for. */
export interface DriftOptions {
  /** How often a false alarm may happen within 10,000 values. @default 0.05 */
  readonly alpha?: number
  /** Falls of the mean up to this much are no drift. @default 0 */
  readonly tolerance?: number
  /**
   * Where a column's numbers lie; those outside count as its ends. @default 0 to 1 where the first tenth of the reference does, else what that tenth
   * spans, widened by half of it either way
   */
  readonly range?: readonly [low: number, high: number]
  /** What raises an alarm; the other is told. @default 'fall' */
  readonly alarm?: 'fall' | 'rise' | 'both'
}

/** What may be said: nothing has changed, the mean has fallen or risen, labels have other shares, or there is too little to tell. */
export type DriftVerdict = 'ok' | 'fall' | 'rise' | 'mix' | 'not enough'

/** What became of a watch. */
export interface Drift {
  /** `fall` and `rise`: of the mean; `mix`: another share of a label than before. */
  readonly verdict: DriftVerdict
  readonly isAlarm: boolean
  /** Why there is no verdict yet, for people. */
  readonly reason?: string
  readonly reference: {
    readonly n: number
    /** How many there have to be. */
    readonly wanted: number
    readonly mean?: number
    readonly fromMs?: number
    readonly toMs?: number
  }
  /** Values since the reference. */
  readonly n: number
  /** How much of the evidence that an alarm takes there is: 1 or more is an alarm. */
  readonly evidence: number
  /** The value by which there was enough evidence, where there still is. */
  readonly found?: { readonly n: number; readonly timeMs: number; readonly traceId: string }
  /** When the evidence of an earlier drift was gone again. */
  readonly endedMs?: number
  /** The label whose share has changed, and whether it has become rarer. */
  readonly label?: { readonly name: string; readonly before: number; readonly after: number }
}

/** A value on its way into a watch. */
export interface Watched {
  readonly value: unknown
  readonly timeMs: number
  readonly traceId: string
}

/** Below this a reference says too little of anything. */
export const LEAST_REFERENCE = 30
/** So much of what may go wrong is for the reference; the rest for the stream. */
const FOR_REFERENCE = 0.7
/** This share of a reference settles range and labels; what follows is not chosen by itself. */
const SETTLING = 0.1
const MAX_LABELS = 7
const OTHER = '(other)'

interface Side {
  readonly kind: 'fall' | 'rise' | 'mix'
  readonly label?: string
  readonly evidence: FallEvidence
  readonly of: (value: number | string) => number
  amount: number
  found?: NonNullable<Drift['found']>
  endedMs?: number
}

/** Watches one series of values, in their order: what it says depends on nothing else. */
export class DriftWatch {
  readonly #options: Required<Pick<DriftOptions, 'alpha' | 'tolerance' | 'alarm'>> & DriftOptions
  readonly #wanted: number
  #gathered: (number | string | boolean)[] = []
  #kind: 'mean' | 'mix' | 'neither' = 'mean'
  #sides: readonly Side[] | undefined
  #reference: { n: number; mean?: number; fromMs?: number; toMs?: number } = { n: 0 }
  #shares = new Map<string, { before: number; after: number }>()
  #n = 0

  /** @param wanted how many values make the reference; undefined: whatever comes before `settle` is called */
  constructor(wanted: number | undefined, options: DriftOptions = {}) {
    this.#wanted = Math.max(wanted ?? 0, LEAST_REFERENCE)
    const { alpha = 0.05, tolerance = 0, alarm = 'fall' } = options
    this.#options = { ...options, alpha, tolerance, alarm }
  }

  get isSettled(): boolean {
    return this.#sides !== undefined
  }

  /** Whether an alarm is raised by the values so far. */
  get isAlarm(): boolean {
    return this.#sides?.some((side) => side.found !== undefined && this.#isLoud(side)) ?? false
  }

  /** The mean of the reference, once there is one. */
  get referenceMean(): number | undefined {
    return this.#reference.mean
  }

  get referenceSize(): number {
    return this.#reference.n
  }

  /** Takes a value into the reference. @returns false for one that is no verdict, number or word */
  refer({ value, timeMs }: Pick<Watched, 'value' | 'timeMs'>): boolean {
    if (typeof value !== 'number' && typeof value !== 'string' && typeof value !== 'boolean') return false
    this.#gathered.push(value)
    this.#reference.n++
    if (Number.isFinite(timeMs)) {
      this.#reference.fromMs ??= timeMs
      this.#reference.toMs = timeMs
    }
    return true
  }

  /** Ends the reference: what is added from now on is held against it. */
  settle(): void {
    const values = this.#gathered
    this.#gathered = []
    const numbers = values.map(numberOf).filter((value) => value !== undefined)
    const isMix = numbers.length < values.length
    this.#kind = values.length < this.#wanted ? 'neither' : isMix ? 'mix' : 'mean'
    if (!isMix && values.length > 0) this.#reference.mean = mean(numbers)
    this.#sides = this.#kind === 'neither' ? [] : isMix ? this.#labels(values.map(String)) : this.#means(numbers)
  }

  /** Takes the next value after the reference. */
  add({ value, timeMs, traceId }: Watched): void {
    const taken = this.#kind === 'mix' ? labelOf(value) : numberOf(value)
    if (taken === undefined || !this.#sides) return
    this.#n++
    if (typeof taken === 'string') {
      const share = this.#shares.get(taken) ?? this.#shares.get(OTHER)
      if (share) share.after++
    }
    for (const side of this.#sides) {
      const { evidence } = side
      side.amount = evidence.add(side.of(taken))
      if (!evidence.isAlarm(side.amount)) {
        if (!side.found) continue
        side.endedMs = timeMs
        delete side.found
      } else side.found ??= { n: this.#n, timeMs, traceId }
    }
  }

  result(): Drift {
    const reference = { ...this.#reference, wanted: this.#wanted }
    const sides = this.#sides ?? []
    const reason = this.#reason()
    const share = ({ amount, evidence }: Side): number => amount * evidence.alpha
    // What raises an alarm goes first, then what says most.
    const [first] = sides
      .filter(({ found }) => found)
      .sort((a, b) => Number(this.#isLoud(b)) - Number(this.#isLoud(a)) || share(b) - share(a))
    const loud = sides.filter((side) => this.#isLoud(side))
    const evidence = Math.max(0, ...(first ? [share(first)] : loud.map(share)))
    const ended = loud.map(({ endedMs = 0 }) => endedMs)
    const endedMs = Math.max(0, ...ended)
    if (reason !== undefined)
      return { verdict: 'not enough', isAlarm: false, reason, reference, n: this.#n, evidence: 0 }
    return {
      verdict: first?.kind ?? 'ok',
      isAlarm: first !== undefined && this.#isLoud(first),
      reference,
      n: this.#n,
      evidence,
      ...(first?.found && { found: first.found }),
      ...(endedMs > 0 && !first && { endedMs }),
      ...(first?.label !== undefined && { label: this.#labelled(first.label) }),
    }
  }

  #isLoud({ kind }: Side): boolean {
    const { alarm } = this.#options
    return kind === 'mix' || alarm === 'both' || alarm === kind
  }

  #reason(): string | undefined {
    const { n } = this.#reference
    if (!this.#sides || this.#kind === 'neither')
      return `the reference has ${grouped(n)} of ${grouped(this.#wanted)} values`
    return this.#n === 0 ? 'no values since the reference' : undefined
  }

  #labelled(name: string): NonNullable<Drift['label']> {
    const { before, after } = this.#shares.get(name) as { before: number; after: number }
    return { name, before, after: after / this.#n }
  }

  #means(values: readonly number[]): Side[] {
    const { alpha, tolerance, alarm } = this.#options
    const isVerdict = values.every((value) => value === 0 || value === 1)
    const settling = isVerdict ? 0 : Math.ceil(values.length * SETTLING)
    const [low, high] = isVerdict ? [0, 1] : (this.#options.range ?? spanOf(values.slice(0, settling)))
    const scaled = (value: number): number => Math.min(1, Math.max(0, (value - low) / (high - low)))
    const rest = Float64Array.from(values.slice(this.#options.range ? 0 : settling), scaled)
    const given = alarm === 'both' ? alpha / 2 : alpha
    const spare = tolerance / (high - low)
    const side = (kind: 'fall' | 'rise', of: (value: number) => number): Side => {
      const bound = Math.max(0, lowerBound(rest.map(of), given * FOR_REFERENCE) - spare)
      const evidence = new FallEvidence(bound, given * (1 - FOR_REFERENCE))
      return { kind, evidence, of: (value) => of(scaled(value as number)), amount: 0 }
    }
    return [side('fall', (value) => value), side('rise', (value) => 1 - value)]
  }

  #labels(values: readonly string[]): Side[] {
    const settling = Math.ceil(values.length * SETTLING)
    const counts = new Map<string, number>()
    for (const label of values.slice(0, settling)) counts.set(label, (counts.get(label) ?? 0) + 1)
    const known = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, MAX_LABELS)
    const labels = [...known.map(([label]) => label), OTHER]
    const rest = values.slice(settling)
    const alpha = this.#options.alpha / (2 * labels.length)
    return labels.flatMap((label) => {
      const has = (value: number | string): number =>
        Number(label === OTHER ? !labels.includes(String(value)) : String(value) === label)
      const before = Float64Array.from(rest, has)
      this.#shares.set(label, { before: mean(before), after: 0 })
      return [has, (value: number | string) => 1 - has(value)].map((of): Side => {
        const bound = lowerBound(Float64Array.from(rest, of), alpha * FOR_REFERENCE)
        return { kind: 'mix', label, of, evidence: new FallEvidence(bound, alpha * (1 - FOR_REFERENCE)), amount: 0 }
      })
    })
  }
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : passValue(value)
}

function labelOf(value: unknown): string | undefined {
  return typeof value === 'object' || value === undefined ? undefined : String(value)
}

/** Where numbers lie, by the first of them. */
function spanOf(values: readonly number[]): readonly [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const value of values) {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  if (low >= 0 && high <= 1) return [0, 1]
  const reach = (high - low) / 2 || Math.abs(low) / 2 || 1
  return [low - reach, high + reach]
}
