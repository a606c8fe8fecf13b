import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FormatFault, type SpanDraft, type TraceDraft } from '../../../src/format.ts'
import { assemble } from '../../../src/formats/assemble.ts'
import { mergeSpans } from '../../../src/formats/merge.ts'
import { readRequest, writeRequest } from '../../../src/formats/otlp.ts'
import { decodeSpans } from '../../../src/span.ts'
import { NotDataError } from '../../../src/std/json.ts'
import { readTrace, toTraceWrite } from '../../../src/store.ts'
import { Trace, type TraceWrite } from '../../../src/trace.ts'

const ID = 'tr-0af7651916cd43dd8448eb211c80319c'
const id = (letter: string) => letter.repeat(16)
const span = (letter: string, parent?: string, more: Partial<SpanDraft> = {}): SpanDraft => ({
  id: id(letter),
  ...(parent !== undefined && { parentId: id(parent) }),
  name: letter,
  startTimeNs: 10n,
  endTimeNs: 20n,
  status: 'OK',
  attributes: {},
  events: [],
  ...more,
})
const open = ({ endTimeNs: _, ...rest }: SpanDraft): SpanDraft => rest
const drafts = (...spans: SpanDraft[]): TraceDraft[] => spans.map((one) => ({ id: ID, spans: [one] }))
const merged = (...parts: readonly (readonly TraceDraft[])[]): TraceWrite => {
  let trace: TraceWrite | undefined
  for (const part of parts) trace = mergeSpans(trace, part, 'shop') ?? trace
  if (!trace) throw new Error('no trace')
  return trace
}
const treeOf = ({ spans }: TraceWrite) => decodeSpans(spans).map((one) => [one.name, one.parentId?.[0]])

const value = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.bigInt({ min: 2n ** 60n, max: 2n ** 62n }),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.integer()),
  fc.record({ $type: fc.string(), b: fc.uint8Array({ maxLength: 3 }) }),
)
const attributes = fc.dictionary(
  fc.constantFrom('a', 'b', 'session.id', 'user.id', 'gen_ai.operation.name', 'otel.flags', '__proto__', '7'),
  value,
  { maxKeys: 3 },
)
const resource = fc.dictionary(fc.constantFrom('service.name', 'process.pid', 'x', '\ud800', '__proto__'), value, {
  maxKeys: 3,
})
const time = fc.integer({ min: 1_000_000, max: 1_000_006 }).map(BigInt)
/** Few ids, times and parents, so that doubles, orphans, cycles and several roots are common. */
const draft: fc.Arbitrary<SpanDraft> = fc
  .record({
    span: fc.constantFrom(...'abcde'),
    parent: fc.option(fc.constantFrom(...'abcdexyz'), { nil: undefined }),
    end: fc.option(time, { nil: undefined }),
    start: fc.option(time, { nil: undefined, freq: 9 }),
    status: fc.constantFrom('UNSET' as const, 'OK' as const, 'ERROR' as const),
    statusMessage: fc.option(fc.string(), { nil: undefined }),
    inputs: fc.option(value, { nil: undefined }),
    outputs: fc.option(value, { nil: undefined }),
    attributes,
    events: fc.array(fc.record({ name: fc.string(), timeNs: time, attributes }), { maxLength: 2 }),
    resource: fc.option(resource, { nil: undefined }),
  })
  .filter(({ start, end }) => start !== undefined || end !== undefined)
  .map(({ span: letter, parent, start, end, statusMessage, inputs, outputs, resource, ...rest }) => ({
    id: id(letter),
    ...(parent !== undefined && { parentId: id(parent) }),
    name: letter,
    ...(start !== undefined && { startTimeNs: start }),
    ...(end !== undefined && { endTimeNs: end }),
    ...(statusMessage !== undefined && { statusMessage }),
    ...(inputs !== undefined && { inputs }),
    ...(outputs !== undefined && { outputs }),
    ...(resource !== undefined && { resource }),
    ...rest,
  }))

/** The same drafts in another order, some of them twice, in parts. */
const scattered = fc.array(draft, { minLength: 1, maxLength: 9 }).chain((spans) =>
  fc.record({
    all: fc.constant(drafts(...spans)),
    parts: fc
      .tuple(
        fc.shuffledSubarray(spans, { minLength: spans.length }),
        fc.array(fc.nat(spans.length - 1), { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 9 }),
      )
      .map(([order, again, sizes]) => {
        const list = drafts(...order, ...again.map((i) => spans[i] as SpanDraft))
        const parts: TraceDraft[][] = []
        for (let i = 0; list.length > 0; i++) parts.push(list.splice(0, sizes[i % sizes.length]))
        return parts
      }),
  }),
)

describe('mergeSpans()', () => {
  test('gives the same trace for any order, partition and repetition of its spans', () => {
    fc.assert(
      fc.property(scattered, ({ all, parts }) => {
        const whole = merged(all)
        expect(merged(...parts)).toEqual(whole)
        expect(mergeSpans(whole, all, 'other')).toBe(undefined)
        for (const part of parts) expect(mergeSpans(whole, part, 'other')).toBe(undefined)
      }),
      { numRuns: 1_000 },
    )
  })

  test('gives what an import of the whole gives, where nothing stands for two spans', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(
          draft.filter(({ startTimeNs }) => startTimeNs !== undefined),
          { minLength: 1, maxLength: 9, selector: (one) => one.id },
        ),
        (spans) => {
          // As a file has them that was written by one service, its root first.
          const inTime = spans
            .map(({ startTimeNs = 0n, ...one }) => ({
              ...one,
              startTimeNs,
              resource: { 'service.name': 'bot', 'process.pid': 7 },
            }))
            .sort((a, b) => Number(a.startTimeNs - b.startTimeNs) || (a.id < b.id ? -1 : 1))
          const root = inTime.find(({ parentId }) => parentId === undefined)
          const same = [...(root ? [root] : []), ...inTime.filter((one) => one !== root)]
          const [data] = assemble(drafts(...same)).traces
          if (!data) throw new Error('no trace')
          const imported = toTraceWrite(new Trace({ ...data, experiment: 'shop' }))
          const { spans: text, status, metadata, ...rest } = merged(drafts(...same))
          const { spans: _, status: __, metadata: labels, ...wanted } = imported
          // Where there is no root, and parents form a cycle beside an orphan, two spans may stand in for it, each with its session and its user.
          const known = root ? {} : { sessionId: wanted.sessionId }
          const user = root ? {} : { 'mlflow.trace.user': labels['mlflow.trace.user'] }
          expect({ ...rest, ...known }).toEqual({ ...wanted, ...known })
          expect({ ...metadata, ...user }).toEqual({ ...labels, ...user, 'otel.resource': '{"process.pid":7}' })
          const byId = (list: ReturnType<typeof decodeSpans>) => new Map(list.map((one) => [one.id, one]))
          expect(byId(decodeSpans(text))).toEqual(byId(decodeSpans(imported.spans)))
          // A root that has not come is the one thing that an import, which has the whole, sees otherwise.
          const isRooted = same.some(({ parentId }) => parentId === undefined)
          if (!isRooted) expect(status).toBe('IN_PROGRESS')
          else if (!/"otel.parent_span_id"/.test(text)) expect(status).toBe(imported.status)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('takes the tags that the root or its resource states, whenever it comes, and no other span', () => {
    const root = span('a', undefined, {
      attributes: { 'tag.env': 'prod', 'tag.n': 3 },
      resource: { 'tag.region': 'eu' },
    })
    const child = span('b', 'a', { attributes: { 'tag.env': 'dev' }, resource: { 'tag.region': 'eu' } })
    const tags = { env: 'prod', n: '3', region: 'eu' }
    expect(merged(drafts(child)).tags).toEqual({})
    for (const trace of [
      merged(drafts(root, child)),
      merged(drafts(child), drafts(root)),
      merged(drafts(root), drafts(child)),
    ])
      expect(trace.tags).toEqual(tags)
    expect(assemble(drafts(child, root)).traces[0]?.tags).toEqual(tags)
    // What somebody else has set stays.
    const there = merged(drafts(root))
    expect(mergeSpans({ ...there, tags: { ...there.tags, owner: 'ann' } }, drafts(child), 'shop')?.tags).toEqual({
      ...tags,
      owner: 'ann',
    })
  })

  test('plants a span below its parent when that comes', () => {
    const first = merged(drafts(span('c', 'b', { startTimeNs: 12n })))
    expect(treeOf(first)).toEqual([['c', undefined]])
    const second = merged(drafts(span('c', 'b', { startTimeNs: 12n })), drafts(span('a')))
    expect(treeOf(second)).toEqual([
      ['a', undefined],
      ['c', 'a'],
    ])
    const third = mergeSpans(second, drafts(span('b', 'a', { startTimeNs: 11n })), 'shop')
    expect(treeOf(third as TraceWrite)).toEqual([
      ['a', undefined],
      ['b', 'a'],
      ['c', 'b'],
    ])
    expect(decodeSpans((third as TraceWrite).spans).map((one) => one.attributes)).toEqual([{}, {}, {}])
  })

  test('keeps a trace in progress until a span without a parent has ended', () => {
    const child = span('b', 'a', { attributes: { 'otel.flags': 0x301 } })
    expect(merged(drafts(child)).status).toBe('IN_PROGRESS')
    expect(merged(drafts(child, open(span('a')))).status).toBe('IN_PROGRESS')
    expect(merged(drafts(child, open(span('a'))), drafts(span('a'))).status).toBe('OK')
    expect(merged(drafts(child), drafts(span('a', undefined, { status: 'ERROR' }))).status).toBe('ERROR')
  })

  test('lets the earliest span stand in for a root that is elsewhere', () => {
    const trace = merged(
      drafts(span('c', 'x', { startTimeNs: 12n, inputs: 'late' }), span('b', 'x', { inputs: 'early' })),
    )
    expect(trace).toMatchObject({ name: 'b', inputs: '"early"', status: 'IN_PROGRESS', durationNs: 10 })
    expect(merged(drafts(span('b', 'x', { inputs: 'early' })), drafts(span('x')))).not.toHaveProperty('inputs')
  })

  test('prefers a finished span to an unfinished one, and of two finished ones the later end', () => {
    const later = span('a', undefined, { endTimeNs: 30n })
    for (const order of [
      [open(span('a')), span('a'), later],
      [later, span('a'), open(span('a'))],
    ]) {
      expect(merged(...order.map((one) => drafts(one))).durationNs).toBe(20)
    }
  })

  test('keeps resources exactly, those of other services at their spans', () => {
    const root = span('a', undefined, { resource: { 'service.name': 'shop', 'process.pid': 7, tags: ['x'] } })
    const other = span('b', 'a', { resource: { 'service.name': 'db' } })
    const none = span('c', 'a')
    const trace = merged(drafts(none), drafts(other), drafts(root))
    expect(trace.metadata).toEqual({
      'resource.service.name': 'shop',
      'resource.process.pid': '7',
      'resource.tags': '["x"]',
      'otel.resource': '{"process.pid":7,"tags":["x"]}',
    })
    expect(decodeSpans(trace.spans).map((one) => one.attributes)).toEqual([
      {},
      { 'otel.resource': { 'service.name': 'db' } },
      { 'otel.resource': {} },
    ])
  })

  test('takes session and user from any span, and marks of scorers', () => {
    const trace = merged(
      drafts(span('b', 'a', { attributes: { 'session.id': 's1', 'mlflow.trace.sourceScorer': 'safety' } })),
      drafts(span('c', 'a', { attributes: { 'user.id': 'ann' } })),
      drafts(span('a')),
    )
    expect(trace.sessionId).toBe('s1')
    expect(trace.metadata).toEqual({ 'mlflow.trace.user': 'ann', 'mlflow.trace.sourceScorer': 'safety' })
  })

  test('keeps tags and metadata that were set, and the experiment', () => {
    const trace = { ...merged(drafts(span('b', 'a'))), tags: { team: 'red' }, metadata: { note: 'x' } }
    const grown = mergeSpans(trace, drafts(span('a')), 'other')
    expect(grown).toMatchObject({ experiment: 'shop', tags: { team: 'red' }, metadata: { note: 'x' } })
  })

  test('takes back in what writeRequest() wrote: tags, metadata and resource', () => {
    const root = span('a', undefined, { resource: { 'service.name': 'shop', 'process.pid': 7 } })
    const stored = {
      ...merged(drafts(root, span('b', 'a', { resource: { n: 1n } }))),
      tags: { team: 'red' },
      sessionId: 's',
    }
    const again = mergeSpans(undefined, readRequest(writeRequest([readTrace(stored, [])])), 'shop')
    expect(again).toEqual(stored)
  })

  test('refuses a span without any time, and one that cannot be kept', () => {
    const { startTimeNs: _, ...timeless } = open(span('a'))
    expect(() => mergeSpans(undefined, drafts(timeless), 'shop')).toThrow(FormatFault)
    expect(() => mergeSpans(undefined, drafts(span('a', undefined, { inputs: () => 1 })), 'shop')).toThrow(NotDataError)
  })
})
