import { logBeta } from './distribution.ts'

/** Looking at every row and stopping as soon as enough is known, without being wrong more often. */

/** What a pass rate is tested for. */
export interface SprtDesign {
  /** The rate at which all is well, `bad < good < 1`. */
  readonly good: number
  /** The rate that has to be found. */
  readonly bad: number
  /** How often a good app may be called bad. */
  readonly alpha: number
  /** How often a bad app may be called good. */
  readonly beta: number
}

/** A test in progress: `undefined` while more rows are needed. */
export type Decision = 'good' | 'bad' | undefined

/** Wald's sequential probability ratio test of a pass rate (1945). */
export class Sprt {
  readonly step: { readonly pass: number; readonly fail: number }
  /** The evidence at which the rate is called bad, and the one at which it is called good. */
  readonly bounds: { readonly bad: number; readonly good: number }
  #evidence = 0
  #decision: Decision

  constructor({ good, bad, alpha, beta }: SprtDesign) {
    this.step = { pass: Math.log(bad / good), fail: Math.log((1 - bad) / (1 - good)) }
    this.bounds = { bad: Math.log((1 - beta) / alpha), good: Math.log(beta / (1 - alpha)) }
  }

  /** Adds one row's verdict. What has been decided stays so. */
  add(passed: boolean): Decision {
    this.#evidence += passed ? this.step.pass : this.step.fail
    if (this.#decision) return this.#decision
    if (this.#evidence >= this.bounds.bad) this.#decision = 'bad'
    else if (this.#evidence <= this.bounds.good) this.#decision = 'good'
    return this.#decision
  }

  /** Gives how many rows it takes on average where the rate is `good` or `bad` (Wald's approximation). */
  static expected({ good, bad, alpha, beta }: SprtDesign): { readonly good: number; readonly bad: number } {
    const { step, bounds } = new Sprt({ good, bad, alpha, beta })
    const drift = (rate: number): number => rate * step.pass + (1 - rate) * step.fail
    return {
      good: (alpha * bounds.bad + (1 - alpha) * bounds.good) / drift(good),
      bad: ((1 - beta) * bounds.bad + beta * bounds.good) / drift(bad),
    }
  }
}

/**
 * Gives the evidence against a pass rate of exactly `rate` as an e-value: the beta-binomial mixture with a = b = ½. Whenever it is looked at, it
 * exceeds 1/α with probability α at most where the rate is true (Ville 1939).
 * @returns its natural logarithm
 */
export function logEvidence(passed: number, failed: number, rate: number): number {
  const mixture = logBeta(0.5 + passed, 0.5 + failed) - logBeta(0.5, 0.5)
  const supposed = (passed > 0 ? passed * Math.log(rate) : 0) + (failed > 0 ? failed * Math.log1p(-rate) : 0)
  return mixture - supposed
}
