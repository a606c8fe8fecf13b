import type { Assessment, Primitive } from './feedback.ts'

/** Assessments on their way into a store, and which of them took the place of which. */

/** What is stated of an assessment; its trace and its id there are the store's to give. */
export interface AssessmentWrite extends Omit<Assessment, 'id' | 'traceId' | 'scorerVersion' | 'updatedAt' | 'valid'> {
  /** The id that it had where it comes from: others of the same list may name it as what they override. */
  readonly id?: string
  /** @default createdAt */
  readonly updatedAt?: number
  /** Only for what comes from elsewhere with its history. @default true */
  readonly valid?: boolean
}

/** What may change in an assessment that is there; missing fields stay as they are. */
export interface AssessmentChange {
  /** Takes the place of an error, too. */
  readonly value?: unknown
  readonly rationale?: string
  /** Added key by key. */
  readonly metadata?: Readonly<Record<string, Primitive>>
  readonly updatedAt: number
}

/** An assessment's id is its trace's with its ordinal there, so that no index of ids is needed. */
export function assessmentId(traceId: string, ordinal: number): string {
  return `${traceId}.${ordinal}`
}

export function parseAssessmentId(id: string): { traceId: string; ordinal: number } | undefined {
  const [, traceId, ordinal] = /^(.+)\.(0|[1-9]\d{0,14})$/s.exec(id) ?? []
  return traceId === undefined ? undefined : { traceId, ordinal: Number(ordinal) }
}

/** Gives a list in which each comes after the one that it overrides, if that is in the list; else the order stays. */
export function overriddenFirst<T extends Pick<AssessmentWrite, 'id' | 'overrides'>>(list: readonly T[]): readonly T[] {
  if (list.every(({ overrides }) => overrides === undefined)) return list
  const byId = new Map(list.map((one) => [one.id, one]))
  const ordered = new Set<T>()
  for (const one of list) {
    const chain = new Set<T>()
    let at: T | undefined = one
    while (at && !ordered.has(at) && !chain.has(at)) {
      chain.add(at)
      at = at.overrides === undefined ? undefined : byId.get(at.overrides)
    }
    for (const link of [...chain].reverse()) ordered.add(link)
  }
  return [...ordered]
}

/** Gives what stands in the place of an assessment by now: itself, where nothing overrides it. */
export function standingFor(id: string, list: readonly Assessment[]): Assessment | undefined {
  const seen = new Set<Assessment>()
  let found = list.find((one) => one.id === id)
  for (let next = found; next && !seen.has(next); ) {
    found = next
    seen.add(next)
    next = list.findLast(({ overrides }) => overrides === found?.id)
  }
  return found
}

/**
 * Gives the assessment that a new one takes the place of, if any: the one that it names, or whatever stands in that one's place by now. Within a run a
 * name has one Feedback per trace, so that a column counts each row once: a second one takes the place of the first. What a scorer gives is its run's own work
 * and takes no place but the one that it names.
 *
 * @param list all of the trace
 */
export function replacedBy(
  { overrides, kind, name, runId, scorer }: Pick<AssessmentWrite, 'kind' | 'name' | 'runId' | 'scorer' | 'overrides'>,
  list: readonly Assessment[],
): Assessment | undefined {
  if (overrides !== undefined) return standingFor(overrides, list)
  if (kind !== 'feedback' || runId === undefined || scorer !== undefined) return undefined
  return list.findLast((one) => one.kind === kind && one.name === name && one.runId === runId && one.valid)
}

/** What happens to the others of a trace when one is deleted. */
export interface Deletion {
  /** Those that overrode it; now they override what it overrode itself. */
  readonly followers: readonly Assessment[]
  /** What stood in its place before, and is valid again. */
  readonly restored?: Assessment
}

export function deletionOf({ id, overrides, valid }: Assessment, list: readonly Assessment[]): Deletion {
  const followers = list.filter((one) => one.overrides === id)
  const before = overrides === undefined ? undefined : list.find((one) => one.id === overrides)
  const taken = list.some((one) => one.id !== id && one.overrides === overrides)
  return { followers, ...(before && valid && followers.length === 0 && !taken && { restored: before }) }
}
