import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { SpanDraft, TraceDraft } from '../../src/format.ts'
import { stow } from '../../src/intake.ts'
import type { Queue } from '../../src/queue.ts'
import { decodeSpans } from '../../src/span.ts'
import { type Store, toTrace } from '../../src/store.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import type { TraceWrite } from '../../src/trace.ts'

const TRACE = 'tr-0af7651916cd43dd8448eb211c80319c'
const id = (n: number) => n.toString(16).padStart(16, '0')
const draft = (n: number, parent?: number, more: Partial<SpanDraft> = {}, traceId = TRACE): TraceDraft => ({
  id: traceId,
  spans: [
    {
      id: id(n),
      ...(parent !== undefined && { parentId: id(parent) }),
      name: `span ${n}`,
      startTimeNs: BigInt(1_700_000_000_000_000_000 + n * 1_000),
      endTimeNs: BigInt(1_700_000_001_000_000_000),
      status: 'OK',
      attributes: {},
      events: [],
      ...more,
    },
  ],
})
const of = (...drafts: TraceDraft[]) => ({ drafts, experiment: 'shop' })

function stores(count: number): Store[] {
  const folder = mkdtempSync(join(tmpdir(), 've-intake-'))
  const list = Array.from({ length: count }, () => sqlite(join(folder, 'store.sqlite')))
  onTestFinished(async () => {
    for (const store of list) await store.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return list
}

describe('stow()', () => {
  test('loses and doubles nothing where several write the same trace at once', async () => {
    const several = stores(3)
    const outcomes = await Promise.all(
      several.flatMap((store, i) =>
        Array.from({ length: 20 }, (_, k) => stow(store, [of(draft(1 + i * 20 + k, 100), draft(1 + k, 100))])),
      ),
    )
    await stow(several[0] as Store, [of(draft(100))])
    const [trace, ...others] = await (several[1] as Store).standing([TRACE])
    expect(others).toEqual([])
    const spans = decodeSpans(trace?.trace.spans ?? '')
    expect(spans.map((span) => span.id).sort()).toEqual([...Array.from({ length: 60 }, (_, n) => id(n + 1)), id(100)])
    expect(spans.every((span) => span.id === id(100) || span.parentId === id(100))).toBe(true)
    expect(outcomes.reduce((sum, { added }) => sum + added, 0)).toBe(1)
  })

  test('writes nothing where nothing is new, so that the trace does not arrive again', async () => {
    const [store] = stores(1) as [Store]
    const sent = of(draft(1), draft(2, 1))
    expect(await stow(store, [sent, sent])).toEqual({ rejected: [[], []], evaluated: 0, added: 1, grown: 0 })
    const before = await store.standing([TRACE])
    expect(await stow(store, [sent])).toEqual({ rejected: [[]], evaluated: 0, added: 0, grown: 0 })
    expect(await store.standing([TRACE])).toEqual(before)
    expect(await stow(store, [of(draft(3, 1))])).toMatchObject({ added: 0, grown: 1 })
    const [after] = await store.standing([TRACE])
    expect(after?.position).toBeGreaterThan(before[0]?.position as number)
  })

  test('says of which delivery a span cannot be kept, and keeps the others', async () => {
    const [store] = stores(1) as [Store]
    const bad = draft(2, 1, { inputs: Symbol('no data') })
    const { rejected, added } = await stow(store, [of(draft(1)), of(bad, draft(3, 1))])
    expect(rejected).toEqual([[], ['span "span 2" (0000000000000002): value is a symbol, which cannot be kept']])
    expect(added).toBe(1)
    const [trace] = await store.standing([TRACE])
    expect(decodeSpans(trace?.trace.spans ?? '').map(({ name }) => name)).toEqual(['span 1', 'span 3'])
  })

  test('lets a trace grow to a length and no further', async () => {
    const [store] = stores(1) as [Store]
    await stow(store, [of(draft(1, undefined, { outputs: 'x'.repeat(33_000_000) }))])
    const { rejected } = await stow(store, [of(draft(2, 1))])
    expect(rejected[0]?.[0]).toMatch(
      /^trace tr-0af7651916cd43dd8448eb211c80319c is too long to grow: its spans take \d+ characters$/,
    )
  })

  test('keeps assessments of a trace that grows', async () => {
    const [store] = stores(1) as [Store]
    await stow(store, [of(draft(2, 1))])
    await store.logAssessment(TRACE, {
      kind: 'feedback',
      name: 'x',
      value: 'yes',
      source: { type: 'HUMAN', id: 'ann' },
      createdAt: 1,
    })
    await stow(store, [of(draft(1))])
    const [trace] = (await Array.fromAsync(store.search({}))).map(toTrace)
    expect(trace?.spans).toHaveLength(2)
    expect(trace?.assessments).toMatchObject([{ name: 'x', value: 'yes' }])
  })

  test('gives up on a store that lets nobody through, in place of trying for ever', async () => {
    let puts = 0
    const store = (there: boolean): Pick<Queue, 'standing' | 'putTraces'> => ({
      standing: async () => (there ? [{ trace: stood, position: ++puts }] : []),
      putTraces: async (changes) => changes.map(({ trace }) => trace.id),
    })
    const [real] = stores(1) as [Store]
    await stow(real, [of(draft(1))])
    const stood = (await real.standing([TRACE]))[0]?.trace as TraceWrite
    await expect(stow(store(true), [of(draft(2))])).rejects.toThrow(
      '1 trace cannot be written: others write all the time',
    )
    expect(puts).toBe(30)
    const { rejected } = await stow(store(false), [of(draft(2))])
    expect(rejected).toEqual([[`trace ${TRACE} is in the store, but cannot be read there`]])
  })
})
