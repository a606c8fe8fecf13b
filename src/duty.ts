import type { FilterNode } from './filter.ts'
import { parseFilter } from './grammar.ts'
import type { Registration } from './registration.ts'
import type { Scorer } from './scorer.ts'

/** A registered scorer at work. */
export interface Duty {
  readonly registration: Registration
  readonly scorer: Scorer
  readonly filter: FilterNode | undefined
  /** Whether its filter says which outcomes it wants: else traces that have none are not for it. */
  readonly wantsFailed: boolean
}

export function dutyOf(registration: Registration, scorer: Scorer): Duty {
  const { filterString } = registration
  return {
    registration,
    scorer,
    filter: filterString === undefined ? undefined : parseFilter(filterString),
    wantsFailed: filterString !== undefined && /\bstatus\b/i.test(filterString),
  }
}
