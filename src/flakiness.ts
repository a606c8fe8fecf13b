import type { Sheet } from './sheet.ts'
import { type Interval, wilson } from './std/stats.ts'

/** How steady each row is over several runs: a row that passes now and then says nothing of a change. */

/** One row's verdicts of one column over several runs. */
export interface Flake {
  readonly rowId: string
  readonly column: string
  readonly runs: number
  readonly passed: number
  /** 95 % interval of how often it passes. */
  readonly interval: Interval
  /** Neither surely always nor surely never: the whole interval lies between 5 % and 95 %. */
  readonly unstable: boolean
}

const EDGE = 0.05

/**
 * Gives the rows whose verdicts differ between runs, those nearest to one in two first. Runs of other code differ with reason: give runs of
 * one commit, or of code that should make no difference.
 * @param sheets of one evaluation, in any order
 */
export function flakes(sheets: readonly Sheet[]): Flake[] {
  const counts = new Map<string, { rowId: string; column: string; runs: number; passed: number }>()
  for (const sheet of sheets) {
    for (const { name, values } of sheet.columns.values()) {
      if (!values.every((value) => Number.isNaN(value) || (value >= 0 && value <= 1))) continue
      for (const [place, value] of values.entries()) {
        if (Number.isNaN(value)) continue
        const rowId = sheet.rows[place]?.rowId as string
        const key = JSON.stringify([name, rowId])
        const known = counts.get(key) ?? { rowId, column: name, runs: 0, passed: 0 }
        counts.set(key, known)
        known.runs++
        known.passed += value
      }
    }
  }
  return [...counts.values()]
    .filter(({ runs, passed }) => passed > 0 && passed < runs)
    .map((one): Flake => {
      const interval = wilson(one.passed, one.runs)
      return { ...one, interval, unstable: interval.low > EDGE && interval.high < 1 - EDGE }
    })
    .sort((a, b) => distance(a) - distance(b) || (a.column < b.column ? -1 : 1) || (a.rowId < b.rowId ? -1 : 1))
}

function distance({ passed, runs }: Flake): number {
  return Math.abs(passed / runs - 0.5)
}
