import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Assessment } from '../../src/feedback.ts'
import { formats, readTraceFiles } from '../../src/formats/index.ts'
import { type Span, Trace, type TraceData } from '../../src/trace.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'formats-'))
})
afterAll(() => rm(folder, { recursive: true }))

const hex = (digits: number) =>
  fc
    .string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits })
    .filter((id) => !/^0*$/.test(id))
const text = fc.string({ unit: 'binary', maxLength: 20 })
const data = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(
    2 ** 60,
    -0,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    9_007_199_254_740_993n,
    -(2n ** 80n),
    5n,
    new Date(1e12),
    new Uint8Array([0, 255]),
    new Map([[1, { a: undefined }]]),
    { $type: 'bigint', value: 'of the user' },
    '\ufeffwith a mark',
    { stringValue: 'of the user' },
  ),
)
const RESERVED = /^(mlflow|vitest-evaluate|otel|session|user|langfuse|enduser|gen_ai|ai|traceloop)\./
const key = text.filter((one) => one !== '' && !RESERVED.test(one))
const attributes = fc.dictionary(key, data, { maxKeys: 4 })
const labels = fc.dictionary(key, text, { maxKeys: 3 })
const ns = fc.bigInt({ min: 1n, max: 2n ** 61n })
const optional = <T>(name: string, arbitrary: fc.Arbitrary<T>) =>
  fc.option(arbitrary, { nil: undefined }).map((value) => (value === undefined ? {} : { [name]: value }))

const span = fc
  .tuple(
    fc.record({
      name: text,
      type: fc.constantFrom('LLM', 'TOOL', 'My own', 'UNKNOWN'),
      status: fc.constantFrom('UNSET', 'OK', 'ERROR'),
      attributes,
      events: fc.array(fc.record({ name: text, timeNs: ns, attributes }), { maxLength: 2 }),
    }),
    optional('inputs', data),
    optional('outputs', data),
    optional(
      'statusMessage',
      text.filter((one) => one !== ''),
    ),
    ns,
    fc.option(fc.bigInt({ min: 0n, max: 2n ** 40n }), { nil: undefined }),
  )
  .map(([fixed, inputs, outputs, message, startTimeNs, length]) => ({
    ...fixed,
    ...inputs,
    ...outputs,
    ...message,
    startTimeNs,
    ...(length !== undefined && { endTimeNs: startTimeNs + length }),
  }))

/** One tree: the first span is the root, and every other one stands below an earlier one. */
const tree = fc
  .tuple(
    fc.array(span, { minLength: 1, maxLength: 6 }),
    fc.uniqueArray(hex(16), { minLength: 6, maxLength: 6 }),
    fc.array(fc.nat(), { minLength: 6, maxLength: 6 }),
  )
  .map(([spans, ids, choice]) =>
    spans.map((one, i) => {
      const parentId = i === 0 ? undefined : ids[(choice[i] as number) % i]
      return { id: ids[i], ...(parentId !== undefined && { parentId }), ...one } as Span
    }),
  )

const time = fc.integer({ min: 0, max: 4e12 })
const assessment = (traceId: string, spanIds: readonly string[]) =>
  fc
    .tuple(
      fc.record({
        kind: fc.constantFrom('feedback', 'expectation'),
        name: key,
        source: fc.record({
          type: fc.constantFrom('HUMAN', 'LLM_JUDGE', 'CODE'),
          id: text.filter((one) => one !== ''),
        }),
        createdAt: time,
        updatedAt: time,
        valid: fc.boolean(),
      }),
      data.filter((value) => value !== null),
      optional('rationale', key),
      optional('metadata', fc.dictionary(key, fc.oneof(text, fc.integer(), fc.boolean()), { minKeys: 1, maxKeys: 3 })),
      optional('spanId', fc.constantFrom(...spanIds)),
      optional('scorer', key),
      optional('durationMs', fc.double({ min: 0, max: 1e6, noNaN: true })),
      optional('runId', key),
      optional('error', fc.record({ code: key, message: text })),
      fc.nat(3),
    )
    .map(([fixed, value, ...rest]) => {
      const overrides = rest.pop() as number
      const { error, ...parts } = Object.assign({}, ...(rest as object[]))
      const more = fixed.kind === 'feedback' && error ? { ...parts, error } : parts
      return { ...fixed, ...more, traceId, ...('error' in more ? {} : { value }), overridden: overrides }
    })

const trace = (id: fc.Arbitrary<string>) =>
  fc
    .tuple(id, tree)
    .chain(([traceId, spans]) =>
      fc.tuple(
        fc.constant(spans),
        fc.record({
          id: fc.constant(traceId),
          experiment: text,
          status: fc.constantFrom('OK', 'ERROR', 'IN_PROGRESS'),
          requestTimeMs: time,
          tags: labels,
          metadata: labels,
          inputs: fc.oneof(fc.constant(spans[0]?.inputs), data),
          outputs: fc.oneof(fc.constant(spans[0]?.outputs), data),
          assessments: fc.array(
            assessment(
              traceId,
              spans.map((one) => one.id),
            ),
            { maxLength: 3 },
          ),
        }),
        optional('name', key),
        optional('sessionId', key),
        optional('durationMs', fc.double({ min: 0, max: 1e9, noNaN: true })),
      ),
    )
    .map(([spans, fixed, ...rest]) => {
      const assessments = fixed.assessments.map(({ overridden, ...one }, i) => ({
        ...one,
        id: `a-${i}`,
        ...(i > 0 && overridden > 0 && { overrides: `a-${overridden % i}` }),
      })) as Assessment[]
      return new Trace(Object.assign({}, fixed, ...rest, { spans, assessments }) as TraceData)
    })

const traceId = fc.oneof(
  hex(32).map((digits) => `tr-${digits}`),
  fc.constantFrom('my-own-id', 'tr-short'),
)
const batch = fc.uniqueArray(trace(traceId), { minLength: 1, maxLength: 3, selector: ({ id }) => id })

/** Text of JavaScript that no UTF-8 can carry is for formats of JSON only. */
const wellFormed = (value: unknown): boolean => JSON.stringify(encodable(value)).search(/\\ud[89a-f]/) < 0
const encodable = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, item) =>
      typeof item === 'bigint' ? String(item) : item instanceof Map ? [...item] : item,
    ) ?? 'null',
  )

const plainData = ({ ...fields }: TraceData): TraceData => fields

for (const { name, extension, write } of formats) {
  if (!write) continue
  test(`${name}: what is exported is imported as it was`, { timeout: 60_000 }, async () => {
    const path = join(folder, `all-${name}${extension}`)
    await fc.assert(
      fc.asyncProperty(name.includes('protobuf') ? batch.filter(wellFormed) : batch, async (traces) => {
        await writeFile(path, await write(traces))
        const read = await readTraceFiles([path])
        expect(read.files[0]?.formats).toEqual([name])
        expect(read.traces).toEqual(traces.map(plainData))
      }),
      { numRuns: 200 },
    )
  })
}
