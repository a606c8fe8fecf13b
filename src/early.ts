import { passValue } from './column.ts'
import type { RunEarly } from './run.ts'
import type { Scored } from './score.ts'
import { Sprt } from './std/sequential.ts'

/** A pass rate that ends the run once it is clear: is it `good`, or as low as `bad`? */
export interface EarlyTest {
  readonly column: string
  readonly good: number
  readonly bad: number
  /** How often one may be taken for the other. */
  readonly alpha: number
}

/** Decides row by row whether a run may end. Rows count in the order in which they were given, whichever is ready first: no fast row goes before. */
export class Early {
  readonly #tests: { readonly column: string; readonly sprt: Sprt; decision?: 'good' | 'bad' }[]
  /** Rows that are ready and whose turn has not come. */
  readonly #ready = new Map<number, readonly Scored[] | undefined>()
  #turn = 0

  constructor(tests: readonly EarlyTest[]) {
    this.#tests = tests.map(({ column, good, bad, alpha }) => ({
      column,
      sprt: new Sprt({ good, bad, alpha, beta: alpha }),
    }))
  }

  /**
   * Adds one row; one that failed, or has no verdict, says nothing.
   * @returns true when nothing is left to decide
   */
  add(order: number, scored: readonly Scored[] | undefined): boolean {
    if (this.#tests.length === 0) return false
    this.#ready.set(order, scored)
    while (this.#ready.has(this.#turn) && !this.#isOver) {
      this.#count(this.#ready.get(this.#turn))
      this.#ready.delete(this.#turn++)
    }
    return this.#isOver
  }

  /** What there is to say of a run that ended early; undefined of one that did not. */
  record(rows: number, notRun: number): RunEarly | undefined {
    if (!this.#isOver) return undefined
    const decisions: Record<string, 'good' | 'bad'> = {}
    for (const { column, decision } of this.#tests) if (decision) decisions[column] = decision
    return { decisions, rows, notRun }
  }

  /** One that is bad is enough to fail. */
  get #isOver(): boolean {
    if (this.#tests.some(({ decision }) => decision === 'bad')) return true
    return this.#tests.length > 0 && this.#tests.every(({ decision }) => decision)
  }

  #count(scored: readonly Scored[] | undefined): void {
    const all = scored?.flatMap(({ feedback }) => feedback) ?? []
    for (const test of this.#tests) {
      const said = all.find(({ name, error }) => name === test.column && !error)
      const verdict = passValue(said?.value) ?? (said?.value === 1 || said?.value === 0 ? said.value : undefined)
      if (verdict === undefined) continue
      const decision = test.sprt.add(verdict === 1)
      if (decision) test.decision = decision
    }
  }
}
