import type { Span } from '../../span.ts'
import { encode } from '../../std/json.ts'
import type { Trace } from '../../trace.ts'
import { plain } from '../value.ts'
import { base64Of, spanHex, traceHex } from '../wire.ts'
import { writeAssessment } from './assessments.ts'
import { CLIENT, INPUTS, NAME, OUTPUTS, OWN, type Own, REQUEST_ID, ROW, RUN, SESSION, stated, TYPE } from './keys.ts'

/** @throws NotDataError */
export function writeTrace(trace: Trace): Record<string, unknown> {
  const { id, name, experiment, status, requestTimeMs, durationMs, sessionId, assessments, rowId, runId } = trace
  const [root] = trace.spans.filter(({ parentId }) => parentId === undefined)
  const own: Own = {
    head: {
      ...(durationMs !== undefined && !Number.isInteger(durationMs) && { durationMs }),
      ...(!same(root?.inputs, trace.inputs) && { inputs: trace.inputs }),
      ...(!same(root?.outputs, trace.outputs) && { outputs: trace.outputs }),
    },
    added: [],
  }
  const newTags = without(trace.tags, { ...stated(NAME, name) })
  const newMetadata = without(trace.metadata, {
    'mlflow.trace_schema.version': '3',
    ...stated(SESSION, sessionId),
    ...stated(RUN, runId),
    ...stated(ROW, rowId),
  })
  // Row and run stay in the metadata when the file is read again: a store keeps them nowhere else.
  const added = [...Object.keys(newTags), ...Object.keys(newMetadata).filter((key) => key !== ROW && key !== RUN), OWN]
  return {
    info: {
      trace_id: id,
      trace_location: { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: experiment } },
      request_time: new Date(requestTimeMs).toISOString(),
      state: status,
      ...stated(CLIENT, trace.metadata[CLIENT]),
      trace_metadata: { ...trace.metadata, ...newMetadata, [OWN]: encode({ ...own, added }) },
      tags: { ...trace.tags, ...newTags },
      request_preview: previewOf(trace.inputs),
      response_preview: previewOf(trace.outputs),
      ...(durationMs !== undefined && { execution_duration_ms: Math.round(durationMs) }),
      ...(assessments.length > 0 && { assessments: assessments.map(writeAssessment) }),
    },
    data: { spans: trace.spans.map((span) => writeSpan(span, trace.id)) },
  }
}

/** What the export adds never takes the place of what the trace has. */
function without(there: Readonly<Record<string, string>>, added: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(added).filter(([key, value]) => !Object.hasOwn(there, key) && value !== undefined),
  )
}

function same(a: unknown, b: unknown): boolean {
  return encode(a) === encode(b)
}

const PREVIEW = 1_000

function previewOf(value: unknown): string {
  const text = value === undefined ? '' : encode(value)
  return text.length <= PREVIEW ? text : `${text.slice(0, PREVIEW - 3)}...`
}

function writeSpan(span: Span, traceId: string): Record<string, unknown> {
  const { id, parentId, name, type, status, statusMessage = '', inputs, outputs, attributes, events } = span
  const all = {
    ...attributes,
    [REQUEST_ID]: traceId,
    [TYPE]: type,
    ...(inputs !== undefined && { [INPUTS]: inputs }),
    ...(outputs !== undefined && { [OUTPUTS]: outputs }),
  }
  return {
    trace_id: base64Of(traceHex(traceId)),
    span_id: base64Of(spanHex(id)),
    parent_span_id: parentId === undefined ? null : base64Of(spanHex(parentId)),
    name,
    start_time_unix_nano: span.startTimeNs,
    end_time_unix_nano: span.endTimeNs ?? null,
    events: events.map((event) => ({
      name: event.name,
      time_unix_nano: event.timeNs,
      attributes: plain(event.attributes),
    })),
    status: { code: `STATUS_CODE_${status}`, message: statusMessage },
    attributes: Object.fromEntries(Object.entries(all).map(([key, value]) => [key, encode(value)])),
  }
}
