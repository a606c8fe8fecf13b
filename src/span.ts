import { decode, encode } from './std/json.ts'

/** One step of an execution, and its text in the store. */

/** What a span did. Any other word is allowed. */
export type SpanType =
  | 'LLM'
  | 'CHAIN'
  | 'AGENT'
  | 'TOOL'
  | 'CHAT_MODEL'
  | 'RETRIEVER'
  | 'PARSER'
  | 'EMBEDDING'
  | 'RERANKER'
  | 'MEMORY'
  | 'UNKNOWN'
  | 'WORKFLOW'
  | 'TASK'
  | 'GUARDRAIL'
  | 'EVALUATOR'
  | (string & {})

/** Something that happened at one moment of a span. */
export interface SpanEvent {
  readonly name: string
  readonly timeNs: bigint
  readonly attributes: Readonly<Record<string, unknown>>
}

/** One step of an execution. */
export interface Span {
  /** 16 hex digits. */
  readonly id: string
  readonly parentId?: string
  readonly name: string
  readonly type: SpanType
  /** Nanoseconds since 1970. */
  readonly startTimeNs: bigint
  /** Nanoseconds since 1970; missing while the span runs. */
  readonly endTimeNs?: bigint
  readonly status: 'UNSET' | 'OK' | 'ERROR'
  readonly statusMessage?: string
  readonly inputs?: unknown
  readonly outputs?: unknown
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: readonly SpanEvent[]
}

/** Gives how long a span took in milliseconds, or undefined while it runs. */
export function spanDurationMs(span: Span): number | undefined {
  return span.endTimeNs === undefined ? undefined : Number(span.endTimeNs - span.startTimeNs) / 1e6
}

/** Spans as the store keeps them: plain JSON with nanoseconds as text, since they do not fit a double. */
interface SpanText extends Omit<Span, 'startTimeNs' | 'endTimeNs' | 'events'> {
  readonly startTimeNs: string
  readonly endTimeNs?: string
  readonly events?: readonly { readonly name: string; readonly timeNs: string; readonly attributes: object }[]
}

/** Gives the text of spans for the store. */
export function encodeSpans(spans: readonly Span[]): string {
  return encode(
    spans.map(({ startTimeNs, endTimeNs, events, ...rest }) => ({
      ...rest,
      startTimeNs: String(startTimeNs),
      ...(endTimeNs !== undefined && { endTimeNs: String(endTimeNs) }),
      ...(events.length > 0 && { events: events.map((event) => ({ ...event, timeNs: String(event.timeNs) })) }),
    })),
  )
}

/** Reads back what `encodeSpans` wrote. */
export function decodeSpans(text: string): Span[] {
  return (decode(text) as SpanText[]).map(({ startTimeNs, endTimeNs, events = [], ...rest }) => ({
    ...rest,
    startTimeNs: BigInt(startTimeNs),
    ...(endTimeNs !== undefined && { endTimeNs: BigInt(endTimeNs) }),
    events: events.map((event) => ({
      ...event,
      timeNs: BigInt(event.timeNs),
      attributes: event.attributes as Record<string, unknown>,
    })),
  }))
}
