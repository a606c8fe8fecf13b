import { PbfWriter } from 'pbf'
import { expect, test } from 'vitest'
import { protobuf } from '../../../src/formats/protobuf.ts'
import { Trace } from '../../../src/trace.ts'
import { readFrom } from './read.ts'

const trace = new Trace({
  id: `tr-${'1'.repeat(32)}`,
  experiment: 'x',
  status: 'OK',
  requestTimeMs: 1795226650844,
  tags: {},
  metadata: {},
  inputs: undefined,
  outputs: undefined,
  assessments: [],
  spans: [
    {
      id: 'a'.repeat(16),
      name: 'plane two: \u{20000}',
      type: 'LLM',
      startTimeNs: 1795226650844883331n,
      endTimeNs: 2n ** 62n - 1n,
      status: 'OK',
      attributes: { long: -9007199254740993n, most: 2n ** 63n - 1n, double: 0.1, '\ufeffmark': '\ufeffmark and more' },
      events: [],
    },
  ],
})

const bytes = async () => Uint8Array.from((await protobuf.write?.([trace])) as Uint8Array)

test('protobuf keeps 64 bits of times and integers, and every character', async () => {
  const { traces, formats } = await readFrom(await bytes())
  expect(formats).toEqual(['otlp-protobuf'])
  expect(traces[0]?.spans).toEqual(trace.spans)
})

test('protobuf writes the bytes that the specification wants', async () => {
  const text = Buffer.from(await bytes()).toString('latin1')
  // Field 7 of a span, fixed64: 1795226650844883331 in little-endian order.
  const start = Buffer.alloc(8)
  start.writeBigUInt64LE(1795226650844883331n)
  expect(text).toContain(`\x39${start.toString('latin1')}`)
  expect(text).toContain(`\x0a\x10${'\x11'.repeat(16)}\x12\x08${'\xaa'.repeat(8)}`)
})

test('protobuf turns half a surrogate pair into U+FFFD', async () => {
  const [span] = trace.spans
  const odd = new Trace({ ...trace, spans: [{ ...(span as NonNullable<typeof span>), name: 'a\ud800b' }] })
  const { traces } = await readFrom((await protobuf.write?.([odd])) as Uint8Array)
  expect(traces[0]?.spans[0]?.name).toBe('a\ufffdb')
})

test('protobuf passes over fields that it does not know', async () => {
  const pbf = new PbfWriter()
  pbf.writeBytesField(99, Buffer.from('later'))
  pbf.writeVarintField(98, 7)
  pbf.writeFixed64Field(97, 7)
  pbf.writeFixed32Field(96, 7)
  const { traces } = await readFrom(Buffer.concat([await bytes(), pbf.finish()]))
  expect(traces).toHaveLength(1)
})

test('protobuf refuses every file that is cut off, and says where', async () => {
  const whole = await bytes()
  for (let length = 1; length < whole.length; length++) {
    await expect(readFrom(whole.subarray(0, length)), String(length)).rejects.toMatchObject({
      code: 'SOURCE_MALFORMED',
      message: expect.stringMatching(/at byte \d+: field \d+ ends beyond byte \d+|it is empty/),
    })
  }
})

test.each<[string, number[], RegExp]>([
  ['a wire type that is none', [0x0a, 0x02, 0x0b, 0x00], /at byte 2: there is no protobuf field \(wire type 3\)/],
  ['a field of number 0', [0x0a, 0x02, 0x00, 0x00], /at byte 2: there is no protobuf field \(number 0\)/],
  ['a length without end', [0x0a, ...Array.from({ length: 12 }, () => 0xff)], /at byte 0: field 1 ends beyond byte 13/],
  ['a text that is no UTF-8', [0x0a, 0x03, 0x1a, 0x01, 0xff], /at byte 4: the text is not UTF-8/],
  [
    'a text file that begins with an empty line',
    [0x0a, 0x68, 0x65, 0x6c, 0x6c, 0x6f],
    /at byte 0: field 1 ends beyond/,
  ],
])('protobuf refuses %s', async (_, content, problem) => {
  await expect(readFrom(Uint8Array.from(content))).rejects.toThrow(problem)
})

test('protobuf is not overthrown by depth', async () => {
  // A value that is a list with one value that is a list …
  let value: Buffer = Buffer.from([0x10, 0x01])
  const wrapped = (tag: number, inner: Buffer): Buffer => {
    const pbf = new PbfWriter()
    pbf.writeBytesField(tag, inner)
    return Buffer.from(pbf.finish())
  }
  for (let i = 0; i < 3_000; i++) value = wrapped(5, wrapped(1, value))
  const attribute = Buffer.concat([wrapped(1, Buffer.from('k')), wrapped(2, value)])
  const resource = wrapped(1, attribute)
  await expect(readFrom(wrapped(1, wrapped(1, resource)))).rejects.toThrow(/messages are nested too deeply/)
})
