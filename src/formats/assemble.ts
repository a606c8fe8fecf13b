import { normaliseSpan, sessionOf, tagsIn, typeOf, userOf } from '../conventions.ts'
import { quote } from '../errors.ts'
import { FormatFault, type SpanDraft, type TraceDraft } from '../format.ts'
import type { Span } from '../span.ts'
import { encode } from '../std/json.ts'
import { plural } from '../std/text.ts'
import type { TraceData, TraceStatus } from '../trace.ts'
import { derivedId } from './wire.ts'

/** Makes whole traces of what files say: one tree of spans each. What had to be mended for that is said. */

export interface Assembled {
  readonly traces: readonly TraceData[]
  readonly mended: readonly Mending[]
}

/** What could not be taken over as it was. */
export interface Mending {
  readonly traceId: string
  readonly note: string
}

/** Where a span's parent is named that is not in the file. */
export const REMOTE_PARENT = 'otel.parent_span_id'

/**
 * Joins drafts of the same trace and gives whole traces, in the order in which they first came.
 * @throws FormatFault for a span without any time
 */
export function assemble(drafts: readonly TraceDraft[]): Assembled {
  const byId = new Map<string, TraceDraft[]>()
  for (const draft of drafts) byId.set(draft.id, [...(byId.get(draft.id) ?? []), draft])
  const mended: Mending[] = []
  const traces = Array.from(byId, ([id, parts]) => {
    const say = (note: string): void => void mended.push({ traceId: id, note })
    for (const note of parts.flatMap(({ notes = [] }) => notes)) say(note)
    return traceOf(id, parts, say)
  })
  return { traces, mended }
}

type Say = (note: string) => void
type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }
type Draft = Mutable<SpanDraft>

function traceOf(id: string, parts: readonly TraceDraft[], say: Say): TraceData {
  const head: Partial<TraceData> = Object.assign({}, ...parts.map((part) => part.head ?? {}))
  const there = unique(
    parts.flatMap((part) => part.spans),
    say,
  )
  // A row that brought its outputs along took no time; who says so does not mean that it goes on.
  const isTimeless = 'durationMs' in head && head.durationMs === undefined && head.status !== 'IN_PROGRESS'
  const drafts = timed(id, there, say, isTimeless)
  const root = planted(drafts, say)
  const resource = drafts[0]?.resource
  const spans = drafts.map((draft) => spanOf(draft, resource))
  const rootSpan = root && spans[drafts.indexOf(root)]
  // A trace's root is the first span without a parent: where another one comes before, time decides the order.
  if (rootSpan && spans.find(({ parentId }) => parentId === undefined) !== rootSpan) {
    spans.splice(spans.indexOf(rootSpan), 1)
    spans.unshift(rootSpan)
  }
  warnOfClocks(spans, say)
  return summed(id, head, spans, rootSpan, resource)
}

/** Leaves out a span that is there twice; two different ones of one id are both kept, under two ids. */
function unique(drafts: readonly SpanDraft[], say: Say): Draft[] {
  const kept = new Map<string, Draft>()
  let same = 0
  for (const draft of drafts) {
    const there = kept.get(draft.id)
    if (!there) {
      kept.set(draft.id, { ...draft })
    } else if (identity(there) === identity(draft)) {
      same++
    } else if (there.endTimeNs === undefined && draft.endTimeNs !== undefined && there.name === draft.name) {
      kept.set(draft.id, { ...draft })
      say(`span ${label(draft)} stands there unfinished and finished: kept as finished`)
    } else {
      let id = draft.id
      do id = derivedId(`${id} again`, 8)
      while (kept.has(id))
      kept.set(id, { ...draft, id })
      say(`span id ${draft.id} stands for two different spans: ${quote(draft.name)} has become ${id}`)
    }
  }
  if (same > 0) say(`${plural(same, 'span')} stood there twice: kept once`)
  return [...kept.values()]
}

function identity({ resource: _, ...draft }: SpanDraft): string {
  return encode(draft)
}

/** Gives every span a start, and no end before it. */
function timed(id: string, drafts: Draft[], say: Say, isTimeless: boolean): Draft[] {
  const starts = drafts.flatMap(({ startTimeNs }) => (startTimeNs === undefined ? [] : [startTimeNs]))
  const first = starts.length > 0 ? least(starts) : undefined
  let open = 0
  for (const draft of drafts) {
    const { startTimeNs, endTimeNs } = draft
    if (startTimeNs === undefined) {
      const start = first ?? endTimeNs
      if (start === undefined) {
        throw new FormatFault(`trace ${id}: span ${label(draft)} has no time, and no other span has one`)
      }
      draft.startTimeNs = endTimeNs !== undefined && endTimeNs < start ? endTimeNs : start
      say(`span ${label(draft)} has no start time: it begins with the trace now`)
    } else if (endTimeNs !== undefined && endTimeNs < startTimeNs) {
      draft.endTimeNs = startTimeNs
      say(`span ${label(draft)} ends ${startTimeNs - endTimeNs} ns before it starts: it takes no time now`)
    }
    if (endTimeNs === undefined) open++
  }
  if (open > 0 && !isTimeless) say(`${plural(open, 'span')} without an end time: kept as unfinished`)
  return drafts
}

function least(times: readonly bigint[]): bigint {
  return times.reduce((a, b) => (b < a ? b : a))
}

/** Sees to it that the spans are trees, and gives the root of the first. */
function planted(drafts: readonly Draft[], say: Say): Draft | undefined {
  const byId = new Map(drafts.map((draft) => [draft.id, draft]))
  cut(drafts, byId, say)
  const orphans = drafts.filter(({ parentId }) => parentId !== undefined && !byId.has(parentId))
  const roots = drafts.filter(({ parentId }) => parentId === undefined)
  const root = earliest(roots.length > 0 ? roots : orphans)
  for (const orphan of orphans) {
    orphan.attributes = { ...orphan.attributes, [REMOTE_PARENT]: orphan.parentId }
    if (roots.length > 0 && root) orphan.parentId = root.id
    else delete orphan.parentId
  }
  if (orphans.length > 0) {
    const now = roots.length > 0 ? `below the root ${label(root as Draft)} now` : 'without a parent now'
    say(`${plural(orphans.length, 'span')} whose parent is not there, such as ${label(orphans[0] as Draft)}: ${now}`)
  }
  const final = roots.length > 0 ? roots.length : orphans.length
  if (final > 1 && root) {
    say(`${final} spans without a parent: the earliest, ${label(root)}, gives the trace its inputs and outputs`)
  }
  return root
}

/** Ends every cycle of parents at its earliest span. */
function cut(drafts: readonly Draft[], byId: ReadonlyMap<string, Draft>, say: Say): void {
  const done = new Set<Draft>()
  for (const draft of drafts) {
    const trail: Draft[] = []
    const onTrail = new Set<Draft>()
    let at: Draft | undefined = draft
    while (at && !done.has(at) && !onTrail.has(at)) {
      trail.push(at)
      onTrail.add(at)
      at = at.parentId === undefined ? undefined : byId.get(at.parentId)
    }
    if (at && onTrail.has(at)) {
      const cycle = trail.slice(trail.indexOf(at))
      const top = earliest(cycle) as Draft
      const names = cycle.slice(0, 5).map(label).join(', ')
      say(`the parents of ${names} form a cycle: ${label(top)} has no parent now`)
      top.attributes = { ...top.attributes, [REMOTE_PARENT]: top.parentId }
      delete top.parentId
    }
    for (const span of trail) done.add(span)
  }
}

function earliest(drafts: readonly Draft[]): Draft | undefined {
  return drafts.reduce<Draft | undefined>(
    (best, draft) => (best && (best.startTimeNs as bigint) <= (draft.startTimeNs as bigint) ? best : draft),
    undefined,
  )
}

function warnOfClocks(spans: readonly Span[], say: Say): void {
  const byId = new Map(spans.map((span) => [span.id, span]))
  const outside = spans.filter((span) => {
    const parent = span.parentId === undefined ? undefined : byId.get(span.parentId)
    if (!parent) return false
    // What a parent leaves running may end after it; what begins before it or after its end shows two clocks.
    return (
      span.startTimeNs < parent.startTimeNs || (parent.endTimeNs !== undefined && span.startTimeNs > parent.endTimeNs)
    )
  })
  if (outside.length === 0) return
  say(
    `${plural(outside.length, 'span')} outside the time of the parent, such as ${label(outside[0] as Span)}: ` +
      'clocks disagree, and all times are kept as they are',
  )
}

function spanOf(draft: Draft, common: SpanDraft['resource']): Span {
  const { resource, type, startTimeNs, attributes, ...rest } = draft
  const own = resource && common && resource !== common && encode(resource) !== encode(common)
  return {
    ...rest,
    type: type || (typeOf(attributes) ?? 'UNKNOWN'),
    startTimeNs: startTimeNs as bigint,
    attributes: own ? { ...attributes, 'otel.resource': resource } : attributes,
  }
}

function summed(
  id: string,
  head: Partial<TraceData>,
  spans: readonly Span[],
  rootSpan: Span | undefined,
  resource: SpanDraft['resource'],
): TraceData {
  const root = rootSpan && normaliseSpan(rootSpan)
  const userId = firstText(spans, root, userOf)
  const derived: Partial<TraceData> = {
    ...(root && {
      name: root.name,
      requestTimeMs: Number(root.startTimeNs / 1_000_000n),
      durationMs: durationOf(root),
    }),
    sessionId: firstText(spans, root, sessionOf),
    status: statusOf(root),
    metadata: { ...labels('resource.', resource), ...(userId !== undefined && { 'mlflow.trace.user': userId }) },
    inputs: root?.inputs,
    outputs: root?.outputs,
    tags: { ...tagsIn(resource), ...tagsIn(root?.attributes) },
  } as Partial<TraceData>
  const { name, experiment, status, requestTimeMs, durationMs, sessionId, rowId, ...rest } = {
    ...BARE,
    ...derived,
    ...head,
  }
  return {
    id,
    ...(name !== undefined && { name }),
    experiment,
    status,
    requestTimeMs,
    ...(durationMs !== undefined && { durationMs }),
    ...(sessionId !== undefined && { sessionId }),
    ...(rowId !== undefined && { rowId }),
    ...rest,
    spans,
  }
}

const BARE = { experiment: '', status: 'OK', requestTimeMs: 0, tags: {}, metadata: {}, assessments: [] } as const

function durationOf(root: Span): number | undefined {
  return root.endTimeNs === undefined ? undefined : Number(root.endTimeNs - root.startTimeNs) / 1e6
}

function statusOf(root: Span | undefined): TraceStatus {
  if (!root || root.endTimeNs === undefined) return 'IN_PROGRESS'
  return root.status === 'ERROR' ? 'ERROR' : 'OK'
}

function firstText(
  spans: readonly Span[],
  root: Span | undefined,
  read: (attributes: Span['attributes']) => string | undefined,
): string | undefined {
  for (const { attributes } of root ? [root, ...spans] : spans) {
    const text = read(attributes)
    if (text !== undefined) return text
  }
  return undefined
}

function labels(prefix: string, record: SpanDraft['resource'] = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [
      `${prefix}${key}`,
      typeof value === 'string' ? value : encode(value),
    ]),
  )
}

function label({ id, name }: Pick<Span, 'id' | 'name'>): string {
  return `${quote(name)} (${id})`
}
