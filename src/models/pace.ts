/**
 * How fast an endpoint may be asked: a plan that all processes share and that learns from 429.
 *
 * Launches are spread evenly, so that the first 429 finds few calls behind it. Until then the plan grows with every launch. Afterwards it
 * goes by what was measured: a refusal means that nothing is left, so between two refusals exactly as much was let through as the endpoint
 * gives in that time. Towards that rate it grows slowly, and faster the longer nothing is refused (additive increase, multiplicative
 * decrease, as TCP does with CUBIC). Before the time that the endpoint asks for, nothing is launched at all.
 */
export interface Plan {
  /** Calls a second. */
  rate: number
  /** When the next call may go, milliseconds since 1970. */
  next: number
  /** Nothing goes before that. */
  closedUntil: number
  /** How many refusals there have been, those of one moment counted as one. */
  cuts: number
  /** When the last of them was. */
  cutAt: number
  /** Calls that have been answered so far; counted until the first refusal. */
  answered: number
  /** What was let through since. */
  passed: number
  /** When the rate last grew. */
  grownAt: number
  /** Refusals without a time, in a row. */
  blind: number
  /** Calls in work by process. */
  holders: Record<string, Holder>
}

/** A process and its calls. */
export interface Holder {
  count: number
  /** When it last said so. */
  at: number
}

/** What a process may do now: launch so many calls, and ask again after so long. */
export interface Grant {
  readonly launches: number
  readonly waitMs: number
  /** True where only places are lacking: then the end of any call is worth another look. */
  readonly full?: boolean
}

const FIRST_RATE = 60
const FIRST_PLACES = 20
const TOP_RATE = 5_000
/** After the first refusal a rate of this is found out by the second one. */
const SEARCH_RATE = 60
const LEAST_RATE = 0.2
/** Late timers may be made up for by so much. */
const SLACK_MS = 20
const POLL_MS = 20
/** A process that has not been heard of for so long holds nothing. Calls take longer, so it says it again while they do. */
export const HOLDER_MS = 15_000
const FORGET_MS = 600_000
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000
/** Clocks count in milliseconds, here and there. */
const CLOCK_MS = 5

export function newPlan(now: number): Plan {
  return {
    rate: FIRST_RATE,
    next: now,
    closedUntil: 0,
    cuts: 0,
    cutAt: now,
    answered: 0,
    passed: 0,
    grownAt: now,
    blind: 0,
    holders: {},
  }
}

/** What was learned long ago is not known any more. */
export function isStale(plan: Plan, now: number): boolean {
  return now - Math.max(plan.next, plan.closedUntil) > FORGET_MS
}

/**
 * Lets calls go.
 * @param self the process, with the calls that it has in work now
 * @param wanted how many are waiting there
 * @param most how many may be in work at once, in all processes
 */
export function grant(
  plan: Plan,
  now: number,
  self: { readonly id: string; readonly count: number },
  wanted: number,
  most: number,
): Grant {
  hold(plan, now, self)
  if (wanted === 0) return { launches: 0, waitMs: 0 }
  if (plan.closedUntil > now) return { launches: 0, waitMs: plan.closedUntil - now }
  const inWork = Object.values(plan.holders).reduce((sum, { count }) => sum + count, 0)
  // As long as nothing has come back, nothing is known: an endpoint may be refusing everything at that moment.
  const places = plan.cuts > 0 ? most : Math.min(most, FIRST_PLACES + plan.answered)
  const room = Math.min(wanted, places - inWork)
  if (room <= 0) return { launches: 0, waitMs: POLL_MS, full: true }
  grow(plan, now)
  plan.next = Math.max(plan.next, now - SLACK_MS)
  let launches = 0
  while (launches < room && plan.next <= now) {
    plan.next += 1_000 / plan.rate
    launches++
    if (plan.cuts === 0) plan.rate = Math.min(TOP_RATE, plan.rate + 3)
  }
  plan.passed += launches
  hold(plan, now, { id: self.id, count: self.count + launches })
  const full = launches === room && room < wanted
  return { launches, waitMs: full ? POLL_MS : Math.max(1, plan.next - now), full }
}

/** Writes down what a process has in work, and forgets those that are gone. */
export function hold(plan: Plan, now: number, { id, count }: { readonly id: string; readonly count: number }): void {
  if (count > 0) plan.holders[id] = { count, at: now }
  else delete plan.holders[id]
  for (const [other, { at }] of Object.entries(plan.holders)) if (now - at > HOLDER_MS) delete plan.holders[other]
}

/** Slowly at first, then faster: 2 % in the first seconds after a refusal, up to 16 % a second. */
function grow(plan: Plan, now: number): void {
  if (plan.cuts === 0) return
  const quietS = Math.min((now - plan.cutAt) / 1_000, 60)
  const dt = Math.min((now - plan.grownAt) / 1_000, 1)
  plan.grownAt = now
  // What the second refusal says is too little where the endpoint saves little up: look on until a third one.
  const perSecond = plan.cuts === 1 ? 0 : plan.cuts === 2 ? 0.3 : Math.min(0.16, 0.02 * 2 ** Math.max(0, quietS - 2))
  plan.rate = Math.min(TOP_RATE, plan.rate * (1 + perSecond) ** dt)
}

/**
 * Learns from a refusal.
 * @param launchedAt when the refused call went: those that were under way at an earlier refusal say nothing new about the rate
 * @param askedMs how long the endpoint asked to wait; undefined where it did not say
 */
export function refused(plan: Plan, now: number, launchedAt: number, askedMs: number | undefined): void {
  plan.passed = Math.max(0, plan.passed - 1)
  const news = plan.cuts === 0 || launchedAt > plan.cutAt
  if (askedMs !== undefined) plan.blind = 0
  else if (news) plan.blind++
  const pauseMs = askedMs ?? Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.max(0, plan.blind - 1))
  if (askedMs !== undefined || news) plan.closedUntil = Math.max(plan.closedUntil, now + pauseMs + CLOCK_MS)
  if (!news) return
  const seconds = Math.max(0.05, (now - plan.cutAt) / 1_000)
  const measured = (plan.passed / seconds) * 0.98
  if (plan.cuts === 0) plan.rate = Math.min(plan.rate, SEARCH_RATE)
  else if (plan.cuts === 1) plan.rate = measured
  else plan.rate = Math.max(Math.min(measured, plan.rate), plan.rate * 0.6)
  plan.rate = Math.max(LEAST_RATE, plan.rate)
  plan.cuts++
  plan.cutAt = now
  plan.grownAt = now
  plan.passed = 0
}

/** Calls that went through show that the endpoint takes calls. */
export function answered(plan: Plan, count: number): void {
  if (count === 0) return
  plan.blind = 0
  plan.answered += count
}
