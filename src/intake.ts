import { messageOf, quote } from './errors.ts'
import { FormatFault, type SpanDraft, type TraceDraft } from './format.ts'
import { mergeSpans } from './formats/merge.ts'
import type { Queue, StandingTrace, TraceChange } from './queue.ts'
import { sleep } from './std/async.ts'
import { plural } from './std/text.ts'
import type { TraceWrite } from './trace.ts'

/** Brings spans as exporters send them into a store, where those of their traces stand that came before. */

/** What one request holds. */
export interface Delivery {
  readonly drafts: readonly TraceDraft[]
  /** The experiment of traces whose spans name none. */
  readonly experiment: string
}

/** What became of deliveries. */
export interface Stowed {
  /** For each delivery, one sentence per span that cannot be kept. */
  readonly rejected: readonly (readonly string[])[]
  /** Spans of rows that are being evaluated, or have been: their traces belong to their runs, and stay as they are. */
  readonly evaluated: number
  /** Traces that are new, and traces that have more spans now, or other ones. */
  readonly added: number
  readonly grown: number
}

/** Resource attributes that name the experiment, the first one first. */
const EXPERIMENT = ['vitest-evaluate.experiment', 'mlflow.experiment.name']
/** So many traces are asked for at a time. */
const AT_ONCE = 400
/** A trace whose spans take more characters grows no further: it is read and written whole each time. */
const MAX_TRACE_CHARS = 32_000_000
/** Somebody else may write the same traces; each time that happens, somebody's write has succeeded. */
const MAX_TRIES = 30

interface Parcel {
  readonly id: string
  experiment: string | undefined
  readonly fallback: string
  items: { readonly draft: TraceDraft; readonly from: number }[]
}

/**
 * Brings deliveries into the store in one step: when this settles, all of them are there, and none where it throws. A trace stays in the experiment in which it
 * first came.
 * @throws EvaluationError of the store
 */
export async function stow(
  store: Pick<Queue, 'standing' | 'putTraces'>,
  deliveries: readonly Delivery[],
): Promise<Stowed> {
  const rejected = deliveries.map((): string[] => [])
  const { parcels, ours } = sorted(deliveries)
  let [evaluated, added, grown] = [ours, 0, 0]
  let left = parcels
  for (let tries = 1; left.size > 0; tries++) {
    const standing = await standingOf(store, [...left.keys()])
    const changes: TraceChange[] = []
    for (const parcel of left.values()) {
      const there = standing.get(parcel.id)
      if (there && there.position === undefined) {
        evaluated += parcel.items.length
        continue
      }
      const trace = merged(there?.trace, parcel, (from, why) => rejected[from]?.push(why))
      if (trace) changes.push({ trace, ...(there?.position !== undefined && { was: there.position }) })
    }
    const refused = new Set(changes.length > 0 ? await store.putTraces(changes) : [])
    for (const { trace, was } of changes) {
      if (refused.has(trace.id)) continue
      if (was === undefined) added++
      else grown++
    }
    left = new Map([...left].filter(([id]) => refused.has(id)))
    if (tries >= MAX_TRIES) {
      const unseen = changes.filter(({ trace, was }) => was === undefined && left.has(trace.id))
      for (const { trace } of unseen) {
        for (const { from } of left.get(trace.id)?.items ?? []) {
          rejected[from]?.push(`trace ${trace.id} is in the store, but cannot be read there`)
        }
        left.delete(trace.id)
      }
      if (left.size > 0) throw new Error(`${plural(left.size, 'trace')} cannot be written: others write all the time`)
    }
    if (left.size > 0) await sleep(Math.random() * tries)
  }
  return { rejected, evaluated, added, grown }
}

function sorted(deliveries: readonly Delivery[]): { parcels: Map<string, Parcel>; ours: number } {
  const parcels = new Map<string, Parcel>()
  let ours = 0
  for (const [from, { drafts, experiment }] of deliveries.entries()) {
    for (const draft of drafts) {
      if (draft.spans.every(isOfRow)) {
        ours += draft.spans.length
        continue
      }
      let parcel = parcels.get(draft.id)
      if (!parcel) {
        parcel = { id: draft.id, experiment: undefined, fallback: experiment, items: [] }
        parcels.set(draft.id, parcel)
      }
      parcel.experiment ??= experimentIn(draft)
      parcel.items.push({ draft, from })
    }
  }
  return { parcels, ours }
}

/** Spans below a row that is being evaluated carry a mark, wherever they are made: its run keeps what belongs to it. */
function isOfRow({ attributes }: SpanDraft): boolean {
  const state = attributes['otel.trace_state']
  return typeof state === 'string' && /(^|,)\s*vitest-evaluate=row\b/.test(state)
}

function experimentIn({ spans }: TraceDraft): string | undefined {
  for (const { resource } of spans) {
    for (const key of EXPERIMENT) {
      const name = resource?.[key]
      if (typeof name === 'string' && name.trim() !== '') return name
    }
  }
  return undefined
}

async function standingOf(store: Pick<Queue, 'standing'>, ids: readonly string[]): Promise<Map<string, StandingTrace>> {
  const found = new Map<string, StandingTrace>()
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    for (const one of await store.standing(ids.slice(at, at + AT_ONCE))) found.set(one.trace.id, one)
  }
  return found
}

type Refuse = (from: number, why: string) => void

/** Merges a parcel, without those of its spans that cannot be kept: they must not cost the others. */
function merged(there: TraceWrite | undefined, parcel: Parcel, refuse: Refuse): TraceWrite | undefined {
  const { id, experiment, fallback } = parcel
  const merge = (): TraceWrite | undefined => {
    const drafts = parcel.items.map(({ draft }) => draft)
    return mergeSpans(there, drafts, experiment ?? fallback)
  }
  const drop = (why: (draft: TraceDraft) => string | undefined): void => {
    parcel.items = parcel.items.filter(({ draft, from }) => {
      const fault = why(draft)
      if (fault !== undefined) refuse(from, fault)
      return fault === undefined
    })
  }
  if (there && there.spans.length > MAX_TRACE_CHARS) {
    drop(() => `trace ${id} is too long to grow: its spans take ${there.spans.length} characters`)
    return undefined
  }
  try {
    return merge()
  } catch {
    drop(faultOf)
  }
  try {
    return merge()
  } catch (fault) {
    drop(() => `trace ${id} cannot be merged: ${messageOf(fault)}`)
    return undefined
  }
}

function faultOf(draft: TraceDraft): string | undefined {
  try {
    mergeSpans(undefined, [draft], '')
    return undefined
  } catch (fault) {
    const [span] = draft.spans
    return fault instanceof FormatFault ? fault.message : `span ${quote(span?.name)} (${span?.id}): ${messageOf(fault)}`
  }
}
