import { betaQuantile, root } from './distribution.ts'
import { mean } from './stats.ts'

/**
 * Evidence about the mean of values between 0 and 1, gathered by betting (Waudby-Smith and Ramdas 2024): whoever bets on a claim that is true hardly
 * ever gets rich, however long the game and however often the purse is looked at. Nothing is supposed of how the values are distributed.
 */

/** The bets that are laid side by side, as shares of the highest that is allowed: each suits falls of another size. */
const BETS = Array.from({ length: 12 }, (_, i) => 0.7 * 2 ** (-i / 2))
/** So much of the purse is staked at once; the rest evenly over so many values, and as much again over every further so many. */
const AT_ONCE = 0.3
const TERM = 10_000
/** Nobody gets richer than this many times what an alarm takes, so that an alarm ends soon after its reason has. */
const RICHEST = 100

/**
 * Evidence that the mean of a stream has fallen below a bound, whenever that may have begun. While it has not, the evidence reaches 1/α within
 * the first 10,000 values with probability α at most, however often it is looked at (Ville 1939); each further 10,000 add 0.7 α at most. All
 * beginnings are weighed as Shiryaev (1963) and Roberts (1966) do, so that a fall that begins late is found nearly as soon as an early one.
 *
 * Each bet is laid anew at every value with a part of the purse that is put by for it: Σ w_j Π_{i>j}(1 + λ(bound − x_i)) needs one number per λ.
 */
export class FallEvidence {
  readonly bound: number
  readonly alpha: number
  readonly #stakes: Float64Array
  readonly #purses: Float64Array
  readonly #most: number
  readonly #stake = (1 - AT_ONCE) / TERM / BETS.length

  /**
   * @param bound what the mean is claimed not to lie below, from 0 to 1
   * @param alpha how often a false alarm may happen within the first 10,000 values
   */
  constructor(bound: number, alpha: number) {
    this.bound = bound
    this.alpha = alpha
    // Above this a single value could cost more than there is.
    const highest = 1 / Math.max(1 - bound, 1e-6)
    this.#stakes = Float64Array.from(BETS, (share) => share * highest)
    this.#purses = new Float64Array(BETS.length).fill(AT_ONCE / BETS.length)
    this.#most = RICHEST / alpha / BETS.length
  }

  /** Takes the next value, from 0 to 1. @returns the evidence by now */
  add(value: number): number {
    const miss = this.bound - value
    let total = 0
    for (let i = 0; i < this.#stakes.length; i++) {
      const grown = ((this.#purses[i] as number) + this.#stake) * (1 + (this.#stakes[i] as number) * miss)
      this.#purses[i] = Math.min(grown, this.#most)
      total += this.#purses[i] as number
    }
    return total
  }

  /** Whether so much evidence is an alarm. */
  isAlarm(evidence: number): boolean {
    return evidence >= 1 / this.alpha
  }
}

/**
 * Gives a bound that the mean of where independent values come from lies above with probability 1 − α at least: for verdicts that of Clopper and Pearson
 * (1934), for other values from 0 to 1 by betting on what the spread was so far.
 */
export function lowerBound(values: Float64Array, alpha: number): number {
  const n = values.length
  if (n === 0) return 0
  const center = mean(values)
  if (values.every((value) => value === 0 || value === 1)) {
    const passed = Math.round(center * n)
    return passed === 0 ? 0 : betaQuantile(alpha, passed, n - passed + 1)
  }
  const bets = betsOf(values, alpha)
  const wanted = -Math.log(alpha)
  // The purse of who bets on a mean above m: it falls as m rises.
  const short = (m: number): number => {
    let purse = 0
    for (let i = 0; i < n; i++)
      purse += Math.log1p(Math.min(bets[i] as number, CAUTION / m) * ((values[i] as number) - m))
    return wanted - purse
  }
  return short(center) < 0 ? center : root(short, 1e-9, center)
}

/** So much of the purse at most is staked on one value. */
const CAUTION = 0.75

/** What to bet on each value, from those before it: √(2 ln(1/α) / (n·variance)). */
function betsOf(values: Float64Array, alpha: number): Float64Array {
  const scale = (2 * Math.log(1 / alpha)) / values.length
  let [sum, squares] = [0.5, 0.25]
  return values.map((value, i) => {
    const bet = Math.sqrt(scale / (squares / (i + 1)))
    const before = sum / (i + 1)
    sum += value
    squares += (value - before) * (value - sum / (i + 2))
    return bet
  })
}
