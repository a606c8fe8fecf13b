import { tagsIn, typeOf } from '../conventions.ts'
import { FormatFault, type SpanDraft, type TraceDraft } from '../format.ts'
import { decodeSpans, type Span } from '../span.ts'
import { canonical, decode, encode } from '../std/json.ts'
import { storedSpans, toTraceWrite } from '../store.ts'
import { Trace, type TraceStatus, type TraceWrite } from '../trace.ts'
import { assemble, REMOTE_PARENT } from './assemble.ts'
import { isRecord } from './wire.ts'

/**
 * Merges spans into the trace that stands in the store. What `assemble` has mended there is undone first, so that the outcome is the same whatever came
 * first, together or twice: every step below is a function of the set of spans alone.
 */

/** The resource of a span where it is not that of its trace; as metadata, what the labels `resource.…` cannot say exactly. */
const RESOURCE = 'otel.resource'
const LABEL = 'resource.'

/** Attributes that say that a trace is an evaluation's or a scorer's; as metadata they keep it from being scored. */
const OWN = ['mlflow.sourceRun', 'mlflow.trace.sourceScorer', 'vitest-evaluate.rowId']

type Resource = NonNullable<SpanDraft['resource']>
type Labels = Readonly<Record<string, string>>

/** A span as it was sent, whatever else is known of its trace. */
interface Settled extends Omit<Span, 'type'> {
  readonly type: string
  readonly resource?: Resource
}

/**
 * Gives a trace with the spans that came, or undefined where they say nothing new. Of two spans of one id the finished one stays, else the one that ended
 * later, else the one whose text is greater. Without a root that has ended the trace is in progress; the earliest span stands in for the root then.
 *
 * @param there the trace as it stands in the store; its tags, other metadata and experiment stay
 * @param experiment of a trace that is not there yet
 * @throws FormatFault for a span without any time
 * @throws NotDataError for a span that cannot be kept
 */
export function mergeSpans(
  there: TraceWrite | undefined,
  drafts: readonly TraceDraft[],
  experiment: string,
): TraceWrite | undefined {
  const [first] = drafts
  if (!first) return undefined
  const before = there ? standing(there) : []
  const spans = new Map(before.map((span) => [span.id, span]))
  const heads = drafts.flatMap(({ head }) => head ?? [])
  const given: Labels = Object.assign({}, ...heads.map(({ metadata }) => metadata))
  const fallback = resourceIn(given)
  let isNew = there === undefined
  let isReplaced = false
  for (const draft of drafts.flatMap((one) => one.spans)) {
    const span = settled(draft, fallback)
    const known = spans.get(span.id)
    if (known && better(known, span) === known) continue
    spans.set(span.id, span)
    isReplaced ||= known !== undefined
    isNew = true
  }
  const stated = tagsOf(before)
  const others = Object.entries(there?.tags ?? {}).filter(([key, value]) => stated[key] !== value)
  const tags = { ...Object.assign({}, ...heads.map((head) => head.tags)), ...Object.fromEntries(others) }
  const metadata = { ...withoutResource(given), ...(there && withoutResource(there.metadata)) }
  isNew ||= exceeds(tags, there?.tags) || exceeds(metadata, there?.metadata)
  if (!isNew) return undefined
  const sessionId = there?.sessionId ?? heads.find((head) => head.sessionId !== undefined)?.sessionId
  const said = { tags, metadata, ...(sessionId !== undefined && { sessionId }) }
  // What a span had said that is another one now does not hold any more.
  const derived = isReplaced && before.length > 0 ? whole(first.id, experiment, before, NOTHING) : undefined
  return whole(first.id, there?.experiment ?? experiment, [...spans.values()], derived ? beyond(said, derived) : said)
}

function beyond({ tags, metadata, sessionId }: Said, derived: TraceWrite): Said {
  const others = Object.entries(metadata).filter(([key, value]) => derived.metadata[key] !== value)
  return {
    tags,
    metadata: Object.fromEntries(others),
    ...(sessionId !== undefined && sessionId !== derived.sessionId && { sessionId }),
  }
}

/** Gives the spans of a stored trace as they were sent. */
function standing(trace: TraceWrite): Settled[] {
  const common = resourceIn(trace.metadata)
  const spans = trace.spans === '' ? [] : decodeSpans(trace.spans)
  // A root that is only implied, as evaluations and their exports have it, becomes one that is there.
  const isRooted = spans.some(({ parentId }) => parentId === undefined)
  const implied = isRooted ? [] : storedSpans(trace).filter(({ parentId }) => parentId === undefined)
  return [...implied, ...spans].map((span) => settled(span, common))
}

/** Mends what can be mended without looking at other spans, and undoes the rest. */
function settled(draft: SpanDraft, common: Resource | undefined): Settled {
  const { id, name, type, startTimeNs, endTimeNs, status, statusMessage, inputs, outputs, events } = draft
  const { [REMOTE_PARENT]: parent, [RESOURCE]: own, ...attributes } = draft.attributes
  const parentId = typeof parent === 'string' && parent !== '' ? parent : draft.parentId
  const resource = isRecord(own) ? own : (draft.resource ?? common)
  const start = startTimeNs ?? endTimeNs
  if (start === undefined) throw new FormatFault(`span ${JSON.stringify(name)} (${id}) has no time`)
  return {
    id,
    ...(parentId !== undefined && { parentId }),
    name,
    type: type || (typeOf(attributes) ?? 'UNKNOWN'),
    startTimeNs: start,
    ...(endTimeNs !== undefined && { endTimeNs: endTimeNs < start ? start : endTimeNs }),
    status,
    ...(statusMessage !== undefined && { statusMessage }),
    ...(inputs !== undefined && { inputs }),
    ...(outputs !== undefined && { outputs }),
    attributes,
    events,
    ...(resource && Object.keys(resource).length > 0 && { resource: canonicalResource(resource).resource }),
  }
}

function better(known: Settled, span: Settled): Settled {
  const [before, after] = [known.endTimeNs ?? -1n, span.endTimeNs ?? -1n]
  if (before !== after) return after > before ? span : known
  return textOf(span) > textOf(known) ? span : known
}

function textOf({ resource, ...span }: Settled): string {
  return encode(span) + resourceText(resource)
}

const canonicals = new WeakMap<Resource, { readonly text: string; readonly resource: Resource }>()

/** Equal resources get the same text, and are written alike. The spans of one request share theirs. */
function canonicalResource(resource: Resource): { readonly text: string; readonly resource: Resource } {
  let one = canonicals.get(resource)
  if (!one) {
    const text = canonical(resource)
    one = { text, resource: decode(text) as Resource }
    canonicals.set(resource, one)
    canonicals.set(one.resource, one)
  }
  return one
}

function resourceText(resource: Resource | undefined): string {
  return resource ? canonicalResource(resource).text : ''
}

interface Said {
  readonly tags: Labels
  readonly metadata: Labels
  readonly sessionId?: string
}

const NOTHING: Said = { tags: {}, metadata: {} }

function whole(id: string, experiment: string, spans: readonly Settled[], said: Said): TraceWrite {
  const ids = new Set(spans.map((span) => span.id))
  const inTime = spans.toSorted(byTime)
  const root = inTime.find(({ parentId }) => parentId === undefined)
  const top = root ?? inTime.find(({ parentId }) => !ids.has(parentId as string)) ?? inTime[0]
  const common = top?.resource
  const commonText = resourceText(common)
  const drafts = [...(top ? [top] : []), ...inTime.filter((span) => span !== top)].map(
    ({ resource, ...span }): SpanDraft => ({
      ...span,
      ...(resourceText(resource) !== commonText && { attributes: { ...span.attributes, [RESOURCE]: resource ?? {} } }),
    }),
  )
  const [made] = assemble([{ id, spans: drafts }]).traces
  if (!made) throw new FormatFault(`trace ${id} has no spans`)
  const sessionId = made.sessionId ?? said.sessionId
  return toTraceWrite(
    new Trace({
      ...made,
      experiment,
      ...(sessionId !== undefined && { sessionId }),
      status: statusOf(root),
      tags: { ...tagsOf(spans), ...said.tags },
      metadata: { ...said.metadata, ...made.metadata, ...labelsOf(common), ...marksOf(inTime) },
    }),
  )
}

function byTime(a: Settled, b: Settled): number {
  if (a.startTimeNs !== b.startTimeNs) return a.startTimeNs < b.startTimeNs ? -1 : 1
  return a.id < b.id ? -1 : 1
}

/** Only a span without any parent ends its trace: one whose parent has not come yet is mostly the child of one that still runs. */
function statusOf(root: Settled | undefined): TraceStatus {
  if (root?.endTimeNs === undefined) return 'IN_PROGRESS'
  return root.status === 'ERROR' ? 'ERROR' : 'OK'
}

/** Tags that the root states; another root may come, with others. */
function tagsOf(spans: readonly Settled[]): Labels {
  const root = spans.toSorted(byTime).find(({ parentId }) => parentId === undefined)
  return { ...tagsIn(root?.resource), ...tagsIn(root?.attributes) }
}

/** Labels for everybody to search, and beside them exactly what is no text. */
function labelsOf(resource: Resource = {}): Labels {
  const entries = Object.entries(resource)
  const isText = (text: unknown): text is string => typeof text === 'string' && text.isWellFormed()
  const inexact = entries.filter(([key, value]) => !isText(key) || !isText(value))
  return {
    ...Object.fromEntries(
      entries
        .filter(([key]) => isText(key))
        .map(([key, value]) => [LABEL + key, typeof value === 'string' ? value : encode(value)]),
    ),
    ...(inexact.length > 0 && { [RESOURCE]: encode(Object.fromEntries(inexact)) }),
  }
}

/** Undoes `labelsOf`. */
function resourceIn(metadata: Labels): Resource | undefined {
  const labels = Object.entries(metadata).filter(([key]) => key.startsWith(LABEL))
  const { [RESOURCE]: text } = metadata
  const exact = text === undefined ? undefined : decode(text)
  if (labels.length === 0 && !isRecord(exact)) return undefined
  const plain = Object.fromEntries(labels.map(([key, value]) => [key.slice(LABEL.length), value]))
  return { ...plain, ...(isRecord(exact) && exact) }
}

function withoutResource(metadata: Labels): Labels {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => key !== RESOURCE && !key.startsWith(LABEL)))
}

function marksOf(spans: readonly Settled[]): Labels {
  const marks: Record<string, string> = {}
  for (const { attributes, resource } of spans) {
    for (const key of OWN) {
      const value = attributes[key] ?? resource?.[key]
      if (value !== undefined && value !== null && marks[key] === undefined) {
        marks[key] = typeof value === 'string' ? value : encode(value)
      }
    }
  }
  return marks
}

function exceeds(labels: Labels, known: Labels = {}): boolean {
  return Object.keys(labels).some((key) => !Object.hasOwn(known, key))
}
