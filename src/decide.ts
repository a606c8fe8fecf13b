import { type Comparison, compare } from './comparison.ts'
import { DEFAULT_ALPHA, type Finding } from './finding.ts'
import type { Gate } from './gate.ts'
import type { RunRecord } from './run.ts'
import type { Sheet } from './sheet.ts'
import type { Store } from './store.ts'
import { tabulate } from './tabulate.ts'

/** A stored run. */
export interface StoredRun {
  readonly record: RunRecord
  readonly store: Store
}

/** What gates are asked about. */
export interface Question {
  readonly gates: readonly Gate[]
  readonly run: StoredRun
  readonly baseline?: StoredRun | undefined
  /** In words, why there is no baseline. */
  readonly without?: string | undefined
}

/** Asks gates about a run, in their order. What they say depends on what the stores hold, and on nothing else. */
export async function decide({ gates, run, ...rest }: Question): Promise<Finding[]> {
  return ask(gates, await sheetFor(gates, run), rest)
}

/** Reads the values of a run, as far as gates need them. */
export function sheetFor(gates: readonly Gate[], { store, record }: StoredRun): Promise<Sheet> {
  const cost = gates.some(({ spec }) => spec.kind === 'budget' && spec.metric === 'cost')
  return tabulate(store, record, { filters: filtersOf(gates), cost })
}

/** Asks gates about values that have been read. */
export async function ask(
  gates: readonly Gate[],
  sheet: Sheet,
  { baseline, without }: Pick<Question, 'baseline' | 'without'>,
): Promise<Finding[]> {
  const compares = baseline && gates.some((gate) => gate.compares)
  const comparison = compares ? await against(sheet, baseline) : undefined
  return gates.map((gate) => gate.check({ sheet, comparison, without }))
}

/** Holds a run against a stored one. */
export async function against(sheet: Sheet, baseline: StoredRun, alpha: number = DEFAULT_ALPHA): Promise<Comparison> {
  return compare(await tabulate(baseline.store, baseline.record), sheet, alpha)
}

function filtersOf(gates: readonly Gate[]): string[] {
  const filters = gates.map(({ spec }) => spec.where).filter((filter) => filter !== undefined)
  return [...new Set(filters)]
}
