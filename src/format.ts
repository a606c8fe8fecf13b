import type { Span } from './span.ts'
import type { Trace, TraceData } from './trace.ts'

/** A way to write traces into a file, and to read them out of one. */
export interface TraceFormat {
  /** For options and reports: `otlp`. */
  readonly name: string
  /** For messages: `OTLP JSON`. */
  readonly title: string
  /** File name endings that exports get, with the dot. */
  readonly extension?: string
  /**
   * Tells by the look of it whether a part of a file is of this format.
   * @param part what JSON.parse gives for the file, for an item of its list or for one of its lines; or the bytes of a file that is no JSON
   */
  detect(part: unknown): boolean
  /**
   * Reads one part. Spans need not be complete, unique or in one piece: `assemble` sees to that, over all parts of a file.
   * @throws FormatFault that names the place
   */
  read(part: unknown): readonly TraceDraft[] | Promise<readonly TraceDraft[]>
  /** Writes traces; missing where the format is only read. */
  write?(traces: readonly Trace[]): string | Uint8Array | Promise<string | Uint8Array>
}

/** What one part of a file says of one trace. */
export interface TraceDraft {
  /** `tr-` and the 32 hex digits of OpenTelemetry's trace id, unless the file gives it another one. */
  readonly id: string
  /** What the file states of the trace itself; the rest follows from its spans. */
  readonly head?: Partial<Omit<TraceData, 'id' | 'spans'>>
  readonly spans: readonly SpanDraft[]
  /** What could not be taken over as it was. */
  readonly notes?: readonly string[]
}

/** A span as it stands in a file. */
export interface SpanDraft extends Omit<Span, 'type' | 'startTimeNs'> {
  readonly type?: string
  readonly startTimeNs?: bigint
  /** The attributes of the resource, such as the service, that it comes from. */
  readonly resource?: Readonly<Record<string, unknown>>
}

/** Says that a part of a file is not what its format wants; whoever reads the file knows which file it is. */
export class FormatFault extends Error {
  override readonly name = 'FormatFault'
  readonly hint: string | undefined

  constructor(problem: string, hint?: string) {
    super(problem)
    this.hint = hint
  }
}
