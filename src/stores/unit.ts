import type { Lease, UnitOutcome, UnitRecord, UnitWrite } from '../queue.ts'

/** How work goes from one state to the next: the same in every kind of store. */

/** Work as a store keeps it. */
export interface Standing {
  readonly state: UnitRecord['state']
  readonly mark: number
  /** When it is due while it waits; until when others keep away while it is claimed; null when it is over. */
  readonly dueAt: number | null
  /** When there is more to do, found while it was claimed. */
  readonly againAt: number | null
  readonly attempts: number
  readonly crashed: boolean
  readonly owner: string | null
  /** JSON of the last failure. */
  readonly error: string | null
}

export type Move = Partial<Standing>

const FREE = { state: 'waiting', againAt: null, owner: null } as const

/** Work that was not there before. */
export function begun({ mark, dueAt, isDone }: UnitWrite, lease: Lease): Standing {
  const rest = { mark, againAt: null, attempts: 0, crashed: false, error: null }
  if (isDone) return { ...rest, state: 'done', dueAt: null, owner: null }
  return dueAt === undefined
    ? { ...rest, state: 'claimed', dueAt: lease.untilMs, owner: lease.owner }
    : { ...rest, state: 'waiting', dueAt, owner: null }
}

/**
 * Looks again at work that is there.
 * @param reopens whether what is done or dead is to be done again where there is more to score, and what waits is put off
 * @returns undefined where it stays as it is
 */
export function looked(was: Standing, { mark, dueAt }: UnitWrite, lease: Lease, reopens: boolean): Move | undefined {
  const grown = mark > was.mark
  if (was.state === 'claimed') return grown ? { mark, againAt: dueAt ?? lease.nowMs } : undefined
  const isOver = was.state === 'done' || was.state === 'dead'
  if (isOver) {
    if (!grown || !reopens) return undefined
  } else if (!grown && reopens) {
    // Still not at its end, and not quiet either.
    const isLater = was.attempts === 0 && dueAt !== undefined && dueAt > (was.dueAt as number)
    return isLater ? { dueAt } : undefined
  } else if (!grown && (was.dueAt as number) > lease.nowMs) return undefined
  const newest = Math.max(mark, was.mark)
  const fresh = isOver ? { attempts: 0, crashed: false } : {}
  if (dueAt !== undefined) return { ...FREE, ...fresh, mark: newest, dueAt }
  return { ...fresh, ...claimed(lease), mark: newest }
}

export function claimed({ owner, untilMs }: Lease): Move {
  return { state: 'claimed', dueAt: untilMs, againAt: null, owner }
}

export function released({ againAt }: Pick<Standing, 'againAt'>, nowMs: number): Move {
  return { ...FREE, dueAt: againAt ?? nowMs }
}

export function revived(nowMs: number): Move {
  return { ...FREE, dueAt: nowMs, attempts: 0, crashed: false }
}

/** Whether an outcome counts: what is over stays as it is, and whoever has lost a unit may still have finished it first. */
export function counts(was: Standing, outcome: UnitOutcome, { owner }: Lease): boolean {
  if (was.state === 'done' || was.state === 'dead') return false
  return outcome.state === 'done' || (was.state === 'claimed' && was.owner === owner)
}

/** Gives what an outcome makes of work; undefined where there is none any more. */
export function settled(was: Standing, outcome: UnitOutcome, nowMs: number): Move | undefined {
  const { state, dueAt = nowMs, crashed = false } = outcome
  const error = outcome.error ? JSON.stringify(outcome.error) : was.error
  const again: Move = { ...FREE, dueAt: was.againAt ?? nowMs }
  const isMore = was.mark > outcome.mark
  switch (state) {
    case 'free':
      return { ...FREE, dueAt: was.againAt ?? dueAt }
    case 'retry':
      return { ...FREE, dueAt, attempts: was.attempts + 1, crashed, error }
    case 'unfit':
      return isMore ? again : undefined
    case 'done':
      if (isMore) return { ...again, attempts: 0, crashed: false, error: null }
      return { state, dueAt: null, againAt: null, attempts: 0, crashed, owner: null, error: null }
    case 'dead':
      if (isMore) return { ...again, attempts: 0, crashed: false, error }
      return { state, dueAt: null, againAt: null, attempts: was.attempts + 1, crashed, owner: null, error }
  }
}

/** What outcomes add to the progress of a scorer. */
export interface Worked {
  scored: number
  errors: number
  unfit: number
  usd: number
}

export function nothingWorked(): Worked {
  return { scored: 0, errors: 0, unfit: 0, usd: 0 }
}

export function tell(worked: Worked, { state, usd = 0 }: UnitOutcome): void {
  worked.usd += usd
  if (state === 'done') worked.scored++
  else if (state === 'unfit') worked.unfit++
  else if (state !== 'free') worked.errors++
}
