import { type Span, Trace, type TraceData } from '../../../src/trace.ts'

export function span(name: string, fields: Partial<Span> = {}): Span {
  const { startTimeNs = 0n } = fields
  return {
    id: '0000000000000001',
    name,
    type: 'TOOL',
    startTimeNs,
    endTimeNs: startTimeNs + 1_000_000n,
    status: 'OK',
    attributes: {},
    events: [],
    ...fields,
  }
}

export function trace(fields: Partial<TraceData> = {}): Trace {
  return new Trace({
    id: 'tr-0',
    experiment: 'test',
    status: 'OK',
    requestTimeMs: 0,
    tags: {},
    metadata: {},
    spans: [],
    assessments: [],
    ...fields,
  })
}

/** Tool calls in the given order, as TOOL spans. */
export function calling(...calls: (string | [name: string, inputs: unknown])[]): Trace {
  return trace({
    spans: calls.map((call, i) => {
      const [name, inputs] = typeof call === 'string' ? [call] : call
      return span(name, { startTimeNs: BigInt(i) * 1_000_000n, ...(inputs !== undefined && { inputs }) })
    }),
  })
}
